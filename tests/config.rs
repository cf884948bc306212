//! Settings (flag > environment > file > default), and the commands that make no call.

#![allow(clippy::unwrap_used, reason = "a test: what is not as expected is the test's answer")]

mod support;

use std::fs;
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::Command;

use support::files::set_mode;
use support::money::Charges;
use support::{Running, Vendor, Workspace, billed, closed_port, people_csv, run_arguments};

/// A run of a small file in the built-in sandbox, with settings from a file, the environment and
/// the command line, and the words of the output that show which value was used.
struct Setting {
    what: &'static str,
    file: &'static str,
    environment: &'static [(&'static str, &'static str)],
    flags: &'static [&'static str],
    says: &'static str,
}

const fn setting(
    what: &'static str,
    file: &'static str,
    environment: &'static [(&'static str, &'static str)],
    flags: &'static [&'static str],
    says: &'static str,
) -> Setting {
    Setting { what, file, environment, flags, says }
}

/// The settings that are tried. The input has four rows. Its column `note` holds no names: with
/// `--name-column note` the file is refused without `--force`.
const SETTINGS: [Setting; 29] = [
    setting("which file", "rate = 900", &[], &[], "settings   ceknik.toml\n"),
    setting("rate: default", "", &[], &[], "at 1000 calls/s"),
    setting("rate: file", "rate = 900", &[], &[], "at 900 calls/s"),
    setting("rate: file, text", "rate = \"850.5\"", &[], &[], "at 850.5 calls/s"),
    setting("rate: environment", "rate = 900", &[("CEKNIK_RATE", "800")], &[], "at 800 calls/s"),
    setting(
        "rate: flag",
        "rate = 900",
        &[("CEKNIK_RATE", "800")],
        &["--rate", "700"],
        "at 700 calls/s",
    ),
    setting("price: file", "price = 1500", &[], &[], "Rp6.000"),
    setting("price: float in the file", "currency = \"USD\"\nprice = 0.5", &[], &[], "USD 2.00"),
    setting("price: environment", "price = 1500", &[("CEKNIK_PRICE", "2000")], &[], "Rp8.000"),
    setting("price: flag", "price = 1500", &[("CEKNIK_PRICE", "2000")], &["--price", "10"], "Rp40"),
    setting("flag: default", "", &[], &["--name-column", "note"], "with --force"),
    setting("flag: file", "force = true", &[], &["--name-column", "note"], "continuing anyway"),
    setting("flag: file, off", "force = false", &[], &["--name-column", "note"], "with --force"),
    setting(
        "flag: environment",
        "",
        &[("CEKNIK_FORCE", "1")],
        &["--name-column", "note"],
        "continuing anyway",
    ),
    setting(
        "flag: the environment turns the file's off",
        "force = true",
        &[("CEKNIK_FORCE", "0")],
        &["--name-column", "note"],
        "with --force",
    ),
    setting(
        "flag: flag",
        "force = false",
        &[("CEKNIK_FORCE", "0")],
        &["--name-column", "note", "--force"],
        "continuing anyway",
    ),
    setting(
        "flag: no, in words",
        "force = \"tidak\"",
        &[],
        &["--name-column", "note"],
        "with --force",
    ),
    setting(
        "flag: yes, in words",
        "",
        &[("CEKNIK_FORCE", "ya")],
        &["--name-column", "note"],
        "continuing anyway",
    ),
    setting(
        "flag: no, in the environment's words",
        "force = true",
        &[("CEKNIK_FORCE", "tidak")],
        &["--name-column", "note"],
        "with --force",
    ),
    setting(
        "flag: another word",
        "",
        &[("CEKNIK_FORCE", "mungkin")],
        &["--name-column", "note"],
        "give yes (ya",
    ),
    setting("an empty variable", "rate = 900", &[("CEKNIK_RATE", "")], &[], "at 900 calls/s"),
    setting(
        "an empty flag",
        "force = true",
        &[("CEKNIK_FORCE", "")],
        &["--name-column", "note"],
        "continuing anyway",
    ),
    setting(
        "price: thousands in the file",
        "currency = \"USD\"\nprice = 1.000",
        &[],
        &[],
        "could be thousands",
    ),
    setting("price: parted in the file", "price = 1_500", &[], &[], "Rp6.000"),
    setting("rate: thousands in the file", "rate = 1.000", &[], &[], "could be thousands"),
    setting(
        "a mistyped variable",
        "",
        &[("CEKNIK_MAX_CHARGE", "1")],
        &[],
        "did you mean CEKNIK_MAX_CHARGES?",
    ),
    setting("a mistyped variable, empty", "", &[("CEKNIK_MAX_CHARGE", "")], &[], "at 1000 calls/s"),
    setting(
        "Kubernetes' variable",
        "",
        &[("CEKNIK_SERVICE_HOST", "10.0.0.1")],
        &[],
        "at 1000 calls/s",
    ),
    setting("underscores", "max_attempts = 3\nname_column = \"note\"", &[], &[], "with --force"),
];

#[test]
fn a_flag_beats_the_environment_beats_the_file_beats_the_default() {
    for Setting { what, file, environment, flags, says } in SETTINGS {
        let place = Workspace::new();
        let text = people_csv([1, 2, 1, 2]).replace('\n', ",-\n");
        place.write("in.csv", text.replacen(",-", ",note", 1));
        place.settings(&format!("# settings\n{file}\n"));
        let mut command = place.command(&[&["run", "in.csv", "--sandbox"], flags].concat());
        command.envs(environment.iter().copied());
        let said = Running::start(command).end().stderr;
        assert!(said.contains(says), "{what}: {said}");
    }
}

#[test]
fn an_unusable_value_is_reported_with_the_setting_to_change() {
    let path = "nowhere/in.csv";
    for (file, variable, flags, says) in [
        ("", ("CEKNIK_RATE", "fast"), &[][..], "error: CEKNIK_RATE: not a number"),
        (
            "rate = \"fast\"",
            ("A", ""),
            &[],
            "error: ceknik.toml: line 2: rate: \"fast\": not a number",
        ),
        (
            "rate = 1",
            ("CEKNIK_RATE", "2"),
            &["--rate", "fast"],
            "error: invalid value 'fast' for '--rate <N>'",
        ),
        ("", ("CEKNIK_CONCURRENCY", "many"), &[], "error: CEKNIK_CONCURRENCY: "),
        ("", ("CEKNIK_BODY", "xml"), &[], "error: CEKNIK_BODY: it must be one of auto, json, form"),
        ("", ("CEKNIK_BODY", "xml"), &["--body", "soap"], "invalid value 'soap' for '--body"),
        ("price = \"x\"", ("A", ""), &[], "error: ceknik.toml, line 2, price: "),
        (
            "",
            ("CEKNIK_BASE_URL", "ftp://x"),
            &[],
            "error: CEKNIK_BASE_URL: the base URL cannot be used",
        ),
        ("", ("CEKNIK_MAX_COST", "5"), &[], "error: CEKNIK_MAX_COST: it needs --price"),
        ("", ("CEKNIK_SUMMARY", "-"), &[], "error: CEKNIK_SUMMARY: `-` is not a file"),
    ] {
        let place = Workspace::new();
        place.settings(&format!("# settings\n{file}\n"));
        let mut command = place.command(&[&["run", path], flags].concat());
        command.env(variable.0, variable.1);
        let ended = Running::start(command).end();
        assert!(ended.stderr.contains(says), "{file} {variable:?}: {}", ended.stderr);
        assert!(matches!(ended.code, Some(2 | 11)), "{file} {variable:?}");
    }
    for command in [&["plan", path][..], &["status"], &["purge", "--older-than", "1d"]] {
        let place = Workspace::new();
        let mut with_url = place.command(command);
        with_url.env("CEKNIK_BASE_URL", "ftp://x");
        let said = Running::start(with_url).end().stderr;
        let says = "error: CEKNIK_BASE_URL: the base URL cannot be used";
        assert!(said.starts_with(says), "{command:?}: {said}");
    }
    let place = Workspace::new();
    place.write("in.csv", people_csv([1]));
    let mut command = place.command(&["run", "in.csv"]);
    command.env("CEKNIK_CA_CERT", "nowhere.pem");
    Running::start(command).end().says("error: CEKNIK_CA_CERT: the CA file");
}

#[test]
fn what_the_sandbox_does_not_use_is_refused_where_it_is_typed_and_said_elsewhere() {
    let place = Workspace::new();
    place.write("in.csv", people_csv([1]));
    for typed in [["--base-url", "https://vendor.example"], ["--ca-cert", "ca.pem"]] {
        let run = [&["run", "in.csv", "--sandbox"], &typed[..]].concat();
        place
            .ceknik(&run)
            .exits(2)
            .says("cannot be used with --sandbox: the sandbox has no other address");
        let mut command = place.command(&[&["run", "in.csv"], &typed[..]].concat());
        command.env("CEKNIK_SANDBOX", "ya");
        Running::start(command).end().exits(2).says("with CEKNIK_SANDBOX: the sandbox");
    }
    place.settings("ca-cert = \"ca.pem\"\n");
    let mut command = place.command(&["run", "in.csv", "--sandbox"]);
    command.env("CEKNIK_BASE_URL", "https://vendor.example");
    let ended = Running::start(command).end().exits(0);
    ended
        .says("unused     CEKNIK_BASE_URL: the sandbox answers, and no vendor is called")
        .says("unused     ceknik.toml, line 1, ca-cert: the sandbox answers");
    place.ceknik(&["status", "--sandbox", "--base-url", "https://x.example"]).exits(2);
}

#[test]
fn a_sheet_of_a_file_that_has_none_is_refused() {
    let place = Workspace::new();
    place.write("in.csv", people_csv([1]));
    for command in ["run", "plan"] {
        let ended = place.ceknik(&[command, "in.csv", "--sandbox", "--sheet", "Data"]).exits(10);
        ended.says("a sheet is named, but this file is not a workbook");
    }
}

#[test]
fn a_configuration_file_that_is_wrong_is_11_and_says_where() {
    let place = Workspace::new();
    place.write("in.csv", people_csv([1]));
    for (text, says) in [
        ("concurency = 3", &["unknown key \"concurency\", did you mean \"concurrency\"?"][..]),
        ("base-ulr = \"x\"", &["did you mean \"base-url\"?"]),
        ("x = 1", &["unknown key \"x\"\n"]),
        ("[vendor]\nrate = 1", &["unknown key \"vendor\"\n"]),
        ("older_than = \"1d\"", &["unknown key \"older_than\""]),
        ("input = \"a.csv\"", &["unknown key \"input\""]),
        ("rate = 1\nrate = 2", &["line 2: duplicate key"]),
        ("rate 5", &["line 1:"]),
        ("rate = [1]", &["rate: the value must be a text, a number, true or false"]),
        ("api_secret = \"s3cret\"", &["secrets are never read from this file", "_FILE"]),
        ("api-id = \"s3cret\"", &["secrets are never read from this file"]),
        ("CEKNIK_API_SECRET = \"s3cret\"", &["secrets are never read from this file"]),
        ("concurrency = 0", &["concurrency: \"0\"", "1..=4096"]),
        ("max_attempts = \"many\"", &["max_attempts: \"many\""]),
        ("body = \"xml\"", &["body: \"xml\": it must be one of auto, json, form"]),
        ("force = \"perhaps\"", &["line 1: force: \"perhaps\"", "give yes (ya"]),
        ("# one\nforce = true\nrate = []", &["line 3: rate: "]),
        ("force = 3", &["force: \"3\""]),
    ] {
        place.settings(text);
        for command in [&["run", "in.csv", "--sandbox"][..], &["status", "--sandbox"]] {
            let ended = place.ceknik(command);
            let said = ended.stderr;
            assert_eq!(ended.code, Some(11), "{text}: {said}");
            assert!(said.starts_with("error: ceknik.toml: "), "{text}: {said}");
            for phrase in says {
                assert!(said.contains(phrase), "{text}: {phrase:?} is not said in: {said}");
            }
            assert!(!said.contains("s3cret"), "{said}");
        }
    }
    fs::remove_file(place.path("ceknik.toml")).unwrap();
    let named = place.ceknik(&["run", "in.csv", "--sandbox", "--config", "x.toml"]).exits(11);
    assert!(named.stderr.contains("x.toml cannot be read"), "{}", named.stderr);
    place.write("x.toml", "rate = 700");
    let named = place.ceknik(&["run", "in.csv", "--sandbox", "--config", "x.toml"]).exits(0);
    assert!(named.stderr.contains("at 700 calls/s"), "{}", named.stderr);
}

#[test]
fn a_file_that_others_may_write_is_believed_only_where_it_is_named() {
    let place = Workspace::new();
    place.write("in.csv", people_csv([1]));
    let path = place.settings("rate = 700");
    let check = |says: &str| {
        let found = place.ceknik(&["run", "in.csv", "--sandbox"]).exits(11);
        assert!(
            found.stderr.contains(says) && found.stderr.contains("--config"),
            "{}",
            found.stderr
        );
        place.ceknik(&["run", "in.csv", "--sandbox", "--config", "ceknik.toml"]).exits(0);
    };
    for mode in [0o646, 0o666] {
        set_mode(&path, mode);
        check("ceknik.toml can be changed by other users");
    }
    // The primary group of this user may write the file.
    set_mode(&path, 0o664);
    place.ceknik(&["run", "in.csv", "--sandbox"]).exits(0);
    // Only root can give a file to another user or group.
    if chown(&path, None, Some(65534)).is_ok() {
        check("ceknik.toml can be changed by other users");
        set_mode(&path, 0o644);
        chown(&path, Some(65534), None).unwrap();
        check("ceknik.toml belongs to another user");
    }
}

#[test]
fn files_that_the_user_names_are_never_waited_for() {
    let place = Workspace::new();
    place.write("in.csv", people_csv([1]));
    let made = Command::new("mkfifo").arg(place.path("pipe")).status().unwrap();
    assert!(made.success());
    let (_held, closed) = closed_port();
    let (url, pipe) = (format!("http://{closed}"), place.path("pipe"));
    let run = ["run", "in.csv", "--max-outage", "1s", "--base-url", &url];
    let named = [&run[..], &["--config", "pipe"]].concat();
    place.ceknik(&named).exits(11).says("it is not a regular file");
    let device = [&run[..], &["--config", "/dev/zero"]].concat();
    place.ceknik(&device).exits(11).says("it is not a regular file");
    for ca_cert in ["pipe", "/dev/zero"] {
        let ca_cert = [&run[..], &["--ca-cert", ca_cert]].concat();
        place.ceknik(&ca_cert).exits(11).says("it is not a regular file");
    }
    let secret = |file: &Path| {
        let mut command = place.command(&run);
        command.env_remove("CEKNIK_API_SECRET").env("CEKNIK_API_SECRET_FILE", file);
        Running::start(command)
    };
    secret(Path::new("/dev/zero")).end().exits(11).says("it is not a regular file");
    place.write("large", "x".repeat(70_000));
    secret(&place.path("large")).end().exits(11).says("it is larger than 64 KB");
    secret(&pipe).end().exits(11).says("the pipe did not send a complete secret");
    // The writer of the pipe comes a little later.
    let waiting = secret(&pipe);
    fs::write(&pipe, "s3cret-of-a-pipe\n").unwrap();
    let ended = waiting.end();
    assert!(!ended.stderr.contains("pipe"), "it was read: {}", ended.stderr);
}

#[test]
fn status_and_purge_look_at_the_ledger_that_the_file_names() {
    let place = Workspace::new();
    place.write("in.csv", people_csv([1]));
    place.settings("sandbox = true\nledger = \"here.ledger\"\nquiet = true");
    assert_eq!(place.ceknik(&["run", "in.csv"]).exits(0).stderr, "");
    let status = place.ceknik(&["status"]).exits(0);
    assert!(status.stdout.starts_with("ledger here.ledger\nvendor sandbox\n"), "{}", status.stdout);
    place.ceknik(&["purge", "--older-than", "1d"]).exits(0);
}

#[test]
fn help_says_what_each_command_does() {
    let place = Workspace::new();
    place.settings("base-url = \"https://user:hunter2@h/\"");
    for (arguments, phrases) in [
        (
            &["--help"][..],
            &["run the same command again", "Exit codes:", "run", "sandbox", "status", "purge"][..],
        ),
        (
            &["run", "--help-all"],
            &[
                "--max-charges",
                "CEKNIK_RATE",
                "[default: 30d]",
                "--force",
                "--in-doubt",
                "--deadline",
            ],
        ),
        (&["run", "--help"], &["--limit", "Examples:", "--help-all"]),
        (&["help", "run"], &["--limit", "Examples:"]),
        (&["sandbox", "--help"], &["0012  charged as a match", "--outage", "id refused"]),
        (&["status", "--help"], &["--json", "--ledger", "Examples:"]),
        (&["purge", "--help"], &["--older-than", "such as 90d", "--dry-run"]),
        (&["completions", "--help"], &["possible values: bash, elvish, fish"]),
        (&["--version"], &["ceknik 0."]),
        (&["completions", "bash"], &["_ceknik()", "--max-charges"]),
        (&["completions", "zsh"], &["#compdef ceknik"]),
        (&["completions", "fish"], &["complete -c ceknik"]),
        (&["man"], &[".TH ceknik 1", "run the same command again", "ceknik\\-run(1)"]),
        (&["man", "ledger-init"], &[".TH ceknik\\-ledger\\-init 1", "CEKNIK_LEDGER_PASSWORD"]),
    ] {
        let mut command = place.command(arguments);
        command.env("CEKNIK_BASE_URL", "https://user:hunter2@h/");
        let said = Running::start(command).end().exits(0).stdout;
        for phrase in phrases {
            assert!(said.contains(phrase), "{arguments:?}: {phrase:?} is not said in: {said}");
        }
        // Help shows no secret from the environment, and no value that could contain one.
        assert!(!said.contains("test-account") && !said.contains("hunter2"), "{arguments:?}");
    }
}

#[test]
fn a_closed_standard_output_is_no_error() {
    let place = Workspace::new();
    place.write("in.csv", people_csv([1]));
    place.ceknik(&["run", "in.csv", "--sandbox"]).exits(0);
    for arguments in [&["status", "--sandbox"][..], &["man"], &["completions", "zsh"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = place.command(arguments);
        command.stdout(writer);
        let ended = Running::start(command).end();
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{arguments:?}");
        let Ok(full) = fs::File::options().write(true).open("/dev/full") else { continue };
        let mut command = place.command(arguments);
        command.stdout(full);
        let ended = Running::start(command).end().exits(18);
        assert!(ended.stderr.starts_with("error: standard output cannot be written"));
    }
}

#[test]
fn logs_are_for_people_for_machines_or_silent() {
    let place = Workspace::new();
    place.write("in.csv", people_csv([1, 2, 9, 5]));
    let run = |more: &[&str]| {
        let fast = ["run", "in.csv", "--sandbox", "--backoff", "1ms", "--reuse", "0"];
        place.ceknik(&[&fast[..], more].concat())
    };
    for more in [&[][..], &["-v"], &["-vv"], &["--limit", "0"]] {
        let said = run(&[&["--log", "json"], more].concat());
        assert_eq!(said.stdout, "");
        assert!(said.stderr.lines().count() >= 3, "{}", said.stderr);
        for line in said.stderr.lines() {
            let parsed = serde_json::from_str::<serde_json::Value>(line);
            assert!(parsed.is_ok_and(|value| value.is_object()), "{more:?}: {line}");
        }
    }
    assert_eq!(run(&["-q"]).exits(3).stderr.lines().count(), 1);
    let failed = place.ceknik(&["run", "nope.csv", "--sandbox", "-q"]).exits(10);
    assert!(
        failed.stderr.starts_with("ceknik: exit 10: nope.csv: no such file"),
        "{}",
        failed.stderr
    );
    let failed = place.ceknik(&["run", "nope.csv", "--sandbox", "--log", "json"]).exits(10);
    let value: serde_json::Value = serde_json::from_str(failed.stderr.trim()).unwrap();
    assert_eq!((&value["level"], &value["exit"]), (&"ERROR".into(), &10.into()));
}

#[test]
fn status_shows_runs_doubts_and_days() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    let which = ["--base-url", vendor.base_url.as_str()];
    let none = place.ceknik(&[&["status"], &which[..]].concat()).exits(11);
    assert!(none.stderr.contains("there is no ledger at"), "{}", none.stderr);

    place.write("in.csv", people_csv([1, 2, 3, 12, 13]));
    place.write("3201011501900001.csv", people_csv([1, 2, 4, 1]));
    let said = place.run("in.csv", &vendor.base_url, &[]).exits(3).stderr;
    assert!(said.starts_with(&format!("vendor     {}\n", vendor.base_url)), "{said}");
    place.run("3201011501900001.csv", &vendor.base_url, &["--limit", "1"]).exits(13);
    let text = place.ceknik(&[&["status"], &which[..]].concat()).exits(0).stdout;
    for phrase in
        ["finished", "limit", "in.csv", "1 call in doubt (sent, but no answer came)", "customer 4"]
    {
        assert!(text.contains(phrase), "{phrase:?} is not in: {text}");
    }
    assert!(!text.contains("3201011501900001"), "{text}");

    let json = place.status(&which);
    assert_eq!((&json["version"], &json["in_doubt"]), (&1.into(), &1.into()));
    let (first, second) = (&json["runs"][0], &json["runs"][1]);
    assert_eq!((&first["state"], &second["state"]), (&"finished".into(), &"open".into()));
    assert_eq!((&first["last_exit"], &second["last_stop"]), (&3.into(), &"limit".into()));
    assert_eq!(first["tally"]["confirmed"], 2);
    assert_eq!(first["tally"]["possible"]["unknown_code"], 1);
    assert_eq!((&json["doubts"][0]["record"], &json["doubts"][0]["run"]), (&4.into(), &1.into()));
    let day = &json["days"][0]["tally"];
    assert!(Charges::of_tally(day).covers(billed(&vendor.calls())), "{day}");
}

#[test]
fn status_sees_a_run_that_is_under_way() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &["--latency", "100ms"]);
    place.write("in.csv", people_csv([1; 90]));
    let slow = run_arguments("in.csv", &vendor.base_url, &["--concurrency", "3"]);
    let running = Running::start(place.command(&slow));
    vendor.wait_for(2);
    let status = place.ceknik(&["status", "--base-url", &vendor.base_url]).exits(0);
    assert!(status.stdout.contains("open"), "{}", status.stdout);
    let id = format!("run 1 is under way (process {}, since ", running.id());
    for words in [&id, " %, ", " calls/s", "calls under way"] {
        assert!(status.stdout.contains(words), "{words:?} is not in {}", status.stdout);
    }
    let json = place.status(&["--base-url", &vendor.base_url]);
    let seen = &json["under_way"][0];
    assert_eq!((&seen["run"], &seen["process"]), (&1.into(), &running.id().into()));
    assert_eq!(seen["pairs"], 90);
    assert!(
        seen["percent"].as_u64().is_some_and(|percent| percent < 100) && seen["since"].is_string(),
        "{seen}"
    );
    running.signal("TERM");
    running.end().exits(143);
    let json = place.status(&["--base-url", &vendor.base_url]);
    assert_eq!(
        json["under_way"].as_array().unwrap().len(),
        0,
        "the note of a dead run counts for nothing"
    );
}

#[test]
fn purge_removes_by_age_and_keeps_doubts_open_runs_and_charges() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    let purge = |age: &str| {
        let which = ["--base-url", vendor.base_url.as_str(), "--older-than", age];
        place.ceknik(&[&["purge"], &which[..]].concat())
    };
    assert!(purge("1d").exits(11).stderr.contains("there is no ledger"));
    place.write("in.csv", people_csv([1, 2, 12]));
    place.write("open.csv", people_csv([2, 1, 1, 1]));
    place.run("in.csv", &vendor.base_url, &["-o", "o.csv"]).exits(3);
    place.run("open.csv", &vendor.base_url, &["-o", "p.csv", "--limit", "2"]).exits(13);
    let bought = vendor.calls().len();
    assert_eq!(purge("1d").exits(0).stdout, "0 answers removed\n");
    place.run("in.csv", &vendor.base_url, &["-o", "o.csv"]).exits(3);
    assert_eq!(vendor.calls().len(), bought);

    std::thread::sleep(std::time::Duration::from_millis(5));
    let purged = purge("0s").exits(0).stdout;
    assert_eq!(
        purged,
        "2 answers removed; 3 of that age are kept: they are in doubt, or of an open run\n"
    );
    let json = place.status(&["--base-url", &vendor.base_url]);
    assert_eq!(json["in_doubt"], 1);
    assert_eq!(json["days"][0]["tally"]["confirmed"], 4);
    // Removed answers are bought again. The row in doubt is not sent. The open run continues with
    // its recorded answers.
    place.run("in.csv", &vendor.base_url, &["-o", "o.csv"]).exits(3);
    assert_eq!(place.column("o.csv", "ck_source"), ["call", "call", "ledger"]);
    place.run("open.csv", &vendor.base_url, &["-o", "p.csv"]).exits(0);
    assert_eq!(place.column("p.csv", "ck_source"), ["call"; 4]);
    assert_eq!(place.summary("p.csv")["spending"]["confirmed"], 4);
    assert_eq!(vendor.calls().len(), bought + 2 + 2);
    purge("soon").exits(2);
}

#[test]
fn purge_says_that_a_reader_holds_what_was_removed_in_the_files() {
    let place = Workspace::new();
    place.write("in.csv", people_csv([1, 2]));
    let which = ["--sandbox", "--ledger", "my.ledger"];
    place.ceknik(&[&["run", "in.csv"], &which[..]].concat()).exits(0);
    std::thread::sleep(std::time::Duration::from_millis(5));
    let purge = || place.ceknik(&[&["purge", "--older-than", "0s"], &which[..]].concat()).exits(0);

    let reader = rusqlite::Connection::open(place.path("my.ledger")).unwrap();
    reader.execute_batch("BEGIN").unwrap();
    reader.query_row("SELECT count(*) FROM runs", [], |_| Ok(())).unwrap();
    let held = purge();
    assert_eq!(held.stdout, "2 answers removed\n");
    for phrase in
        ["warning: another program is reading the ledger", "my.ledger and its -wal", "purge again"]
    {
        assert!(held.stderr.contains(phrase), "{}", held.stderr);
    }
    drop(reader);
    let wiped = purge();
    assert_eq!((wiped.stdout.as_str(), wiped.stderr.as_str()), ("0 answers removed\n", ""));
}
