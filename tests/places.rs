//! Files and folders that a run cannot use: moved away during the run, owned by another user,
//! protected, on a read-only mount, or with a limit on their size.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test: what is not as expected is the test's answer"
)]

mod support;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use support::files::set_mode;
use support::{
    CEKNIK, LEDGER, Running, Vendor, Workspace, billed, bought_once, many_people, people_csv,
    run_arguments,
};

/// Starts a run of 2,000 rows, and returns it as soon as `calls` calls have been made.
fn under_way(place: &Workspace, vendor: &Vendor, calls: usize) -> Running {
    fs::create_dir(place.path("disk")).unwrap();
    place.write("in.csv", many_people(2000));
    let more = [&LEDGER[..2], &["--concurrency", "4"]].concat();
    let run = Running::start(place.command(&run_arguments("in.csv", &vendor.base_url, &more)));
    vendor.wait_for(calls);
    run
}

#[test]
fn a_run_stops_at_once_where_its_ledger_is_moved_away() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &["--latency", "20ms"]);
    let run = under_way(&place, &vendor, 50);
    fs::rename(place.path("disk"), place.path("elsewhere")).unwrap();
    let calls = vendor.count();
    let ended = run.end().exits(18);
    for words in ["is gone from its place", "in danger", "Bring the folder back"] {
        assert!(ended.stderr.contains(words), "{words}: {}", ended.stderr);
    }
    // The margin covers calls that were in flight, and intents that were granted just before the
    // ledger was moved.
    assert!(vendor.count() <= calls + 30, "{} calls, {calls} before", vendor.count());

    // Back in its place, the ledger has the answers. At most those rows are in doubt whose answers
    // could no longer be recorded.
    fs::rename(place.path("elsewhere"), place.path("disk")).unwrap();
    let status = place.status(&LEDGER[..2]);
    let tally = &status["runs"][0]["tally"];
    let calls = vendor.calls();
    assert_eq!(tally["calls"], calls.len(), "each call that left has its answer: {status}");
    assert_eq!(tally["confirmed"], billed(&calls));
    // The run continues, and nothing is bought twice.
    let more = [&LEDGER[..2], &["--limit", "100"]].concat();
    place.run("in.csv", &vendor.base_url, &more).exits(13);
    bought_once(&vendor.end());
}

#[test]
fn a_run_stops_at_once_where_its_ledger_is_removed() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &["--latency", "20ms"]);
    let run = under_way(&place, &vendor, 50);
    fs::remove_dir_all(place.path("disk")).unwrap();
    let calls = vendor.count();
    let ended = run.end().exits(18);
    assert!(ended.stderr.contains("is gone from its place"), "{}", ended.stderr);
    assert!(vendor.count() <= calls + 30, "{} calls, {calls} before", vendor.count());
    // Another folder of the same name is not the ledger's folder.
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &["--latency", "20ms"]);
    let run = under_way(&place, &vendor, 50);
    fs::rename(place.path("disk"), place.path("old")).unwrap();
    fs::create_dir(place.path("disk")).unwrap();
    fs::copy(place.path("old/my.ledger"), place.path("disk/my.ledger")).unwrap();
    run.end().exits(18);
}

/// Runs one made-up person. Returns the exit code, standard error and the number of calls.
fn run_one(place: &Workspace, more: &[&str]) -> (Option<i32>, String, usize) {
    let vendor = Vendor::start(place, &[]);
    place.write("in.csv", people_csv([1001]));
    let ended = place.run("in.csv", &vendor.base_url, more);
    (ended.code, ended.stderr, vendor.end().len())
}

#[test]
fn an_output_that_cannot_be_put_in_its_place_is_told_before_the_first_call() {
    for (output, summary, said) in [
        ("results/", "s.json", "is a folder"),
        ("folder.csv", "s.json", "is not a regular file"),
        ("out.csv", "folder.csv", "is not a regular file"),
        ("out.csv", "nowhere/s.json", "cannot be written"),
        ("nowhere/out.csv", "s.json", "cannot be written"),
        ("taken.csv", "s.json", "is not a regular file"),
    ] {
        let place = Workspace::new();
        fs::create_dir(place.path("folder.csv")).unwrap();
        // The name of the partial output is taken by a folder.
        fs::create_dir(place.path("taken.partial.csv")).unwrap();
        let (code, stderr, calls) = run_one(&place, &["-o", output, "--summary", summary]);
        assert_eq!((code, calls), (Some(11), 0), "{output} {summary}: {stderr}");
        assert!(stderr.contains(said), "{output} {summary}: {stderr}");
    }
}

/// Returns the command that runs the program as the user `nobody`, or `None` where the current user
/// may not change to another user.
fn as_nobody(place: &Workspace, arguments: &[&str]) -> Option<Command> {
    let become_nobody = ["--reuid=65534", "--regid=65534", "--clear-groups", "--", CEKNIK];
    let mut probe = Command::new("setpriv");
    probe.args(become_nobody).arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    if !probe.status().is_ok_and(|status| status.success()) {
        println!("skipped: this user may not become another");
        return None;
    }
    Some(place.command_of("setpriv", &[&become_nobody, arguments].concat()))
}

#[test]
fn another_users_file_in_a_sticky_folder_is_told_before_the_first_call() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    let input = place.write("in.csv", people_csv([1001]));
    fs::create_dir(place.path("shared")).unwrap();
    set_mode(&place.path("."), 0o777);
    set_mode(&place.path("shared"), 0o1777);
    set_mode(&input, 0o644);
    place.write("shared/out.csv", "somebody's");
    let arguments = run_arguments("in.csv", &vendor.base_url, &["-o", "shared/out.csv"]);
    let Some(command) = as_nobody(&place, &arguments) else { return };
    let ended = Running::start(command).end().exits(11);
    assert!(ended.stderr.contains("belongs to another user"), "{}", ended.stderr);
    assert_eq!(vendor.end().len(), 0);
    assert_eq!(fs::read(place.path("shared/out.csv")).unwrap(), b"somebody's");
}

#[test]
fn root_does_not_believe_another_users_key() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    place.write("in.csv", people_csv([1001, 1002]));
    place.run("in.csv", &vendor.base_url, &["--ledger", "my.ledger"]).exits(0);
    let key = place.path("my.ledger.key");
    if std::os::unix::fs::chown(&key, Some(65_534), None).is_err() {
        println!("skipped: only root can give a file to another user");
        return;
    }
    for command in ["run", "plan"] {
        let more = ["--ledger", "my.ledger"];
        let arguments = [&[command, "in.csv", "--base-url", &vendor.base_url], &more[..]].concat();
        let ended = place.ceknik(&arguments).exits(18);
        assert!(ended.stderr.contains("it belongs to another user"), "{}", ended.stderr);
    }
}

#[test]
fn a_summary_that_cannot_be_written_at_the_end_is_18() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &["--latency", "300ms"]);
    place.write("in.csv", people_csv([1001]));
    let more = ["-o", "out.csv", "--summary", "s.json"];
    let run = Running::start(place.command(&run_arguments("in.csv", &vendor.base_url, &more)));
    vendor.wait_for(1);
    // Somebody puts a folder there while the run is under way.
    fs::create_dir(place.path("s.json")).unwrap();
    let ended = run.end().exits(18);
    assert!(ended.stderr.contains("the summary cannot be written"), "{}", ended.stderr);
    assert_eq!(place.column("out.csv", "ck_outcome"), ["match"], "all else is done");
    // The run is still open: the same command finishes it and buys nothing.
    fs::remove_dir(place.path("s.json")).unwrap();
    place.run("in.csv", &vendor.base_url, &more).exits(0);
    let summary: serde_json::Value =
        serde_json::from_slice(&fs::read(place.path("s.json")).unwrap()).unwrap();
    assert_eq!((&summary["run"], &summary["starts"]), (&1.into(), &2.into()));
    assert_eq!(billed(&vendor.end()), 1);
}

#[test]
fn a_limit_on_the_size_of_files_is_storage_that_fails() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &["--latency", "5ms"]);
    place.write("in.csv", many_people(3000));
    // The limit is in blocks of 512 or 1024 bytes. The first limit is too small to begin, the
    // others are reached during the run.
    for blocks in ["1", "300", "600"] {
        let more = ["--ledger", &format!("{blocks}.ledger")];
        let arguments = run_arguments("in.csv", &vendor.base_url, &more);
        // Nobody ignores the signal for the program: it has to survive the signal by itself.
        let words = format!("ulimit -f {blocks}; exec \"$0\" \"$@\"");
        let command = place.command_of("sh", &[&["-c", &words, CEKNIK], &arguments[..]].concat());
        let ended = Running::start(command).end();
        assert_eq!(ended.code, Some(18), "{blocks}: {}", ended.stderr);
        let told = ["error: ", "stopped: "];
        assert!(told.iter().any(|told| ended.stderr.contains(told)), "{blocks}: {}", ended.stderr);
    }
    // A good number of calls was made before the limits were reached.
    let calls = vendor.calls().len();
    assert!(calls > 100, "{calls} calls: nothing was tried");
}

/// A read-only bind mount of a folder onto itself. Dropping this value unmounts it.
struct ReadOnly(std::path::PathBuf);

impl ReadOnly {
    fn mount(folder: &Path) -> Option<Self> {
        let mount = |arguments: &[&str]| {
            let mut command = Command::new("mount");
            command.args(arguments).arg(folder).stderr(Stdio::null());
            command.status().is_ok_and(|status| status.success())
        };
        let bound = mount(&["--bind", folder.to_str()?]).then(|| Self(folder.to_owned()))?;
        mount(&["-o", "remount,ro,bind"]).then_some(bound)
    }
}

impl Drop for ReadOnly {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn status_works_on_a_mount_that_is_read_only() {
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &[]);
    place.write("in.csv", people_csv([1001, 1002]));
    fs::create_dir(place.path("disk")).unwrap();
    place.run("in.csv", &vendor.base_url, &LEDGER).exits(0);
    let before = place.status(&LEDGER[..2]);
    let Some(_mount) = ReadOnly::mount(&place.path("disk")) else {
        println!("skipped: this user may not mount");
        return;
    };
    assert!(fs::write(place.path("disk/x"), "").is_err(), "it is not read-only");
    assert_eq!(place.status(&LEDGER[..2]), before);
    place
        .ceknik(&["plan", "in.csv", "--base-url", &vendor.base_url, "--ledger", "disk/my.ledger"])
        .exits(0);
}

#[test]
fn a_file_of_a_secret_is_nobody_elses_to_write() {
    let place = Workspace::new();
    place.write("in.csv", people_csv([1]));
    place.write("secret", "x\n");
    let vendor = Vendor::start(&place, &[]);
    for (mode, code, says) in [
        (0o666, 11, "other users can change it; protect it with chmod go-w"),
        (
            0o644,
            0,
            "every user of this machine can read the file that CEKNIK_API_SECRET_FILE names",
        ),
        (0o600, 0, ""),
    ] {
        set_mode(&place.path("secret"), mode);
        let mut command =
            place.command(&run_arguments("in.csv", &vendor.base_url, &["--reuse", "0"]));
        command.env_remove("CEKNIK_API_SECRET").env("CEKNIK_API_SECRET_FILE", "secret");
        let ended = Running::start(command).end().exits(code).says(says);
        assert_eq!(ended.stderr.contains("WARN"), mode == 0o644, "{}", ended.stderr);
    }
    assert_eq!(vendor.count(), 2);
}
