//! Whole programs on a shared ledger, on a real PostgreSQL server.
//!
//! Must hold: a run on a shared ledger costs and writes what a run on a file does. A server that
//! cannot be used is told clearly, and nothing is sent.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test: what is not as expected is the test's answer"
)]

mod support;

use support::cutting::CuttingProxy;
use support::postgres::{TestServer, address, server};
use support::shared::Shared;
use support::{
    Running, Vendor, Workspace, billed, bought_once, many_people, name, nik, people_csv,
    run_arguments,
};

#[test]
fn a_run_costs_and_writes_what_it_does_on_a_file() {
    let Some(shared) = Shared::new(&[]) else { return };
    let text = many_people(60) + "60,,NOBODY\n" + many_people(60).lines().nth(3).unwrap() + "\n";
    shared.place.write("in.csv", &text);
    let alone = Workspace::new();
    alone.write("in.csv", &text);
    let vendor = Vendor::start(&alone, &[]);
    alone.run("in.csv", &vendor.base_url, &["-o", "o.csv"]).exits(3);

    let plan = shared.ledger(&["plan", "in.csv"]).exits(0);
    assert!(plan.stdout.contains("to send              60"), "{}", plan.stdout);
    shared.run("in.csv", &["-o", "o.csv"]).exits(3);
    let per_call = |place: &Workspace| {
        let mut rows = place.rows("o.csv");
        let differs = ["ck_request_id", "ck_handle_time", "ck_order_no"];
        rows.iter_mut().for_each(|row| row.retain(|column, _| !differs.contains(&column.as_str())));
        rows
    };
    assert_eq!(per_call(&shared.place), per_call(&alone));
    let (ours, theirs) = (shared.place.summary("o.csv"), alone.summary("o.csv"));
    assert_eq!((&ours["spending"], &ours["outcomes"]), (&theirs["spending"], &theirs["outcomes"]));

    // The same answers are there for another file and another time.
    let plan = shared.ledger(&["plan", "in.csv"]).exits(0);
    assert!(plan.stdout.contains("to send               0"), "{}", plan.stdout);
    shared.run("in.csv", &["-o", "again.csv"]).exits(3);
    let status = shared.status();
    assert_eq!(status["runs"].as_array().unwrap().len(), 2);
    assert_eq!(
        status["runs"][0]["tally"],
        alone.status(&["--base-url", &vendor.base_url])["runs"][0]["tally"]
    );
    let calls = shared.vendor.calls();
    assert_eq!(billed(&calls), ours["spending"]["confirmed"].as_u64().unwrap());
    bought_once(&calls);
    let purged = shared.ledger(&["purge", "--older-than", "0s"]).exits(0);
    assert!(purged.stdout.contains("60 answers removed"), "{}", purged.stdout);
    purged.says("archived WAL");
    assert_eq!(shared.status()["runs"][0]["tally"]["calls"], 0);
}

#[test]
fn two_workers_share_a_run() {
    let Some(shared) = Shared::new(&["--latency", "100ms"]) else { return };
    shared.place.write("in.csv", many_people(200));
    let mut first = Running::start(shared.run_command("in.csv", &["--concurrency", "4"]));
    shared.vendor.wait_for_more(4, &mut first);
    let flags = ["-o", "o.csv", "--concurrency", "4"];
    let mut second = Running::start(shared.run_command("in.csv", &flags));
    shared.vendor.wait_for_more(40, &mut second);
    shared.ledger(&["purge", "--older-than", "0s"]).exits(17).says("run 1 is under way on ");
    let during = shared.status();
    assert!(during["unsettled"].as_u64().unwrap() <= 8, "{during}");
    let workers = during["workers"].as_array().unwrap();
    assert!(workers.len() == 2 && workers.iter().all(|worker| worker["state"] == "alive"));
    let shown = shared.ledger(&["status"]).exits(0).stdout;
    assert!(shown.contains("worker") && shown.contains("alive"), "{shown}");
    let seen = &during["under_way"][0];
    assert_eq!((&seen["run"], &seen["pairs"]), (&1.into(), &200.into()));
    assert!(seen["process"].is_null() && seen["calls_per_second"].as_f64() > Some(0.0), "{seen}");
    assert!(seen["percent"].as_u64().is_some_and(|percent| percent < 100), "{seen}");
    first.signal("TERM");
    first.end().exits(143).says("other workers continue the run");
    second.end().exits(0);
    assert_eq!(shared.status()["unsettled"], 0);
    let calls = shared.vendor.calls();
    bought_once(&calls);
    assert_eq!(calls.len(), 200);
    assert_eq!(shared.place.rows("o.csv").len(), 200);
}

/// The oldest worker writes, the other one says where the output is, and both have the same exit
/// code.
#[test]
fn the_oldest_worker_writes_and_the_others_wait() {
    let Some(shared) = Shared::new(&["--latency", "50ms"]) else { return };
    shared.place.write("in.csv", many_people(100));
    let start = |output: &str| {
        let flags = ["-o", output, "--concurrency", "4"];
        Running::start(shared.run_command("in.csv", &flags))
    };
    let mut first = start("first.csv");
    shared.vendor.wait_for_more(4, &mut first);
    let second = start("second.csv");
    let (first, second) = (first.end().exits(0), second.end().exits(0));
    first.says("output     ");
    second.says("the output was written by the worker on ");
    let places = [("first.csv", true), ("second.csv", false)];
    for (output, is_there) in places {
        assert_eq!(shared.place.path(output).exists(), is_there, "{output}");
    }
    let calls = shared.vendor.calls();
    bought_once(&calls);
    assert_eq!((calls.len(), shared.place.rows("first.csv").len()), (100, 100));
    assert_eq!(shared.place.summary("first.csv")["spending"]["confirmed"], billed(&calls));
}

#[test]
fn a_killed_run_goes_on_and_nothing_is_bought_twice() {
    let Some(shared) = Shared::new(&["--latency", "20ms"]) else { return };
    shared.place.write("in.csv", many_people(400));
    let flags = ["-o", "o.csv", "--concurrency", "8", "--lock-wait", "20s"];
    for kill in 0..6 {
        let mut running = Running::start(shared.run_command("in.csv", &flags));
        shared.vendor.wait_for_more(8 + kill * 5, &mut running);
        running.kill();
    }
    shared.run("in.csv", &flags).exits(3);
    let calls = shared.vendor.calls();
    bought_once(&calls);
    let summary = shared.place.summary("o.csv");
    let confirmed = summary["spending"]["confirmed"].as_u64().unwrap();
    let doubts = summary["spending"]["possible"]["in_doubt"].as_u64().unwrap();
    assert!(doubts <= 6 * 8, "{doubts} in doubt");
    let billed = billed(&calls);
    assert!(confirmed <= billed && billed <= confirmed + doubts, "{confirmed} {billed} {doubts}");
}

#[test]
fn a_server_that_crashes_costs_nothing() {
    let Some(server) = TestServer::start() else { return };
    let shared = Shared::at(server.address_of("ceknik", "live"), &["--latency", "10ms"]);
    shared.place.write("in.csv", many_people(600));
    let mut running =
        Running::start(shared.run_command("in.csv", &["-o", "o.csv", "--concurrency", "8"]));
    for _ in 0..2 {
        shared.vendor.wait_for_more(60, &mut running);
        server.crash();
    }
    running.end().exits(0);
    let calls = shared.vendor.calls();
    bought_once(&calls);
    let summary = shared.place.summary("o.csv");
    assert_eq!(summary["spending"]["possible"]["in_doubt"], 0);
    assert_eq!(summary["spending"]["confirmed"], billed(&calls));
}

/// The connection to the server breaks again and again, at any byte of an answer: also between a
/// commit and the answer that tells of it.
#[test]
fn a_connection_that_is_cut_anywhere_costs_nothing() {
    let Some(server) = server() else { return };
    for seed in 0..2 {
        let mut random = fastrand::Rng::with_seed(seed);
        // The first session comes as far as the first batches; a later one may be cut while it is
        // set up. What is read for the output needs a session that is not cut.
        let after = move |n: usize| match n {
            0 => Some(random.u64(9000..14_000)),
            n => (n % 6 > 0).then(|| random.u64(2500..9000)),
        };
        let proxy = CuttingProxy::start(server.port(), after);
        let direct = address().unwrap();
        let shared = Shared::at(direct, &["--latency", "5ms"]);
        shared.place.write("in.csv", many_people(500));
        let cut =
            shared.address.replace(&format!(":{}/", server.port()), &format!(":{}/", proxy.port));
        let mut command = shared.run_command("in.csv", &["-o", "o.csv", "--concurrency", "8"]);
        command.env("CEKNIK_LEDGER", cut);
        Running::start(command).end().exits(0);
        assert!(proxy.cuts() > 3, "{} cuts", proxy.cuts());
        let calls = shared.vendor.calls();
        bought_once(&calls);
        let spending = &shared.place.summary("o.csv")["spending"];
        assert_eq!(
            (&spending["confirmed"], &spending["possible"]["in_doubt"]),
            (&billed(&calls).into(), &0.into())
        );
    }
}

#[test]
fn a_ledger_that_cannot_be_used_is_told_and_nothing_is_sent() {
    let Some(shared) = Shared::new(&[]) else { return };
    let server: &TestServer = server().unwrap();
    shared.place.write("in.csv", many_people(3));
    make_roles(server);
    let (here, schema, port) = (&shared.address, shared.schema(), server.port());
    let there = |user: &str, schema: &str| server.address_of(user, schema);
    let elsewhere = ["--base-url", "https://vendor.example"];
    for (what, ledger, more, code, says) in [
        (
            "a password",
            format!("postgres://me:hunter2@127.0.0.1:{port}/postgres"),
            vec![],
            2,
            "contains a password",
        ),
        ("no ledger", there("ceknik", "empty"), vec![], 11, "ceknik ledger init"),
        ("another origin", here.clone(), elsewhere.to_vec(), 11, "belongs to"),
        (
            "another key",
            here.clone(),
            vec!["--key-file", "other.key"],
            18,
            "is not the key of the ledger",
        ),
        ("no key", here.clone(), vec!["--key-file", "none.key"], 18, "is missing or empty"),
        (
            "no server",
            "postgres://me@127.0.0.1:1/postgres".to_owned(),
            vec![],
            18,
            "cannot be reached",
        ),
        (
            "no database",
            format!("postgres://ceknik@127.0.0.1:{port}/other"),
            vec![],
            11,
            "has no database of this name",
        ),
        (
            "a server that takes no writes",
            here.replace("ceknik@", "reader@"),
            vec![],
            18,
            "does not allow writes",
        ),
        ("no rights", there("nobody", schema), vec![], 11, "does not permit this"),
        ("no password", there("with_password", schema), vec![], 11, "refuses the login"),
        (
            "a stranger's certificate",
            format!("{here}&sslmode=verify-full"),
            vec![],
            11,
            "does not prove who it is",
        ),
    ] {
        shared.place.write("other.key", format!("ceknik-key-1 {}\n", "5a".repeat(32)));
        let mut command = shared.run_command("in.csv", &["-o", "o.csv"]);
        if more.contains(&"--base-url") {
            command = shared.command(&["run", "in.csv", "-o", "o.csv"]);
        }
        command.args(more).env("CEKNIK_LEDGER", ledger).env("CEKNIK_MAX_OUTAGE", "1s");
        let ended = Running::start(command).end();
        assert!(ended.stderr.contains(says), "{what}: {}", ended.stderr);
        assert!(!ended.stderr.contains("hunter2"), "{what}: {}", ended.stderr);
        assert_eq!(ended.code, Some(code), "{what}: {}", ended.stderr);
        assert!(!shared.place.path("o.csv").exists(), "{what}");
    }
    assert_eq!(shared.vendor.calls().len(), 0);
    assert_eq!(shared.status()["runs"], serde_json::json!([]));
}

#[test]
fn a_server_that_may_forget_what_it_confirmed_is_refused() {
    let Some(server) = TestServer::start() else { return };
    let shared = Shared::at(server.address_of("ceknik", "live"), &[]);
    shared.place.write("in.csv", many_people(3));
    for setting in ["fsync", "full_page_writes"] {
        server.execute_alone(&format!("ALTER SYSTEM SET {setting} = off"));
        server.execute("live", "SELECT pg_reload_conf(), pg_sleep(0.3)");
        let refused = shared.run("in.csv", &["-o", "o.csv"]).exits(11);
        assert!(refused.stderr.contains("switched off"), "{}", refused.stderr);
        server.execute_alone(&format!("ALTER SYSTEM RESET {setting}"));
        server.execute("live", "SELECT pg_reload_conf(), pg_sleep(0.3)");
    }
    assert_eq!(shared.vendor.calls().len(), 0);
    shared.run("in.csv", &["-o", "o.csv"]).exits(0);
}

/// Makes a role that needs a password, and one without rights.
fn make_roles(server: &TestServer) {
    server.execute(
        "public",
        "DO $$ BEGIN
            CREATE ROLE with_password LOGIN PASSWORD 'correct-horse'; CREATE ROLE nobody LOGIN;
            CREATE ROLE reader LOGIN; ALTER ROLE reader SET default_transaction_read_only = on;
         EXCEPTION WHEN duplicate_object THEN NULL; END $$",
    );
}

/// A role that may only add facts is enough for a run, over TLS and with a password.
#[test]
fn a_role_that_adds_facts_is_enough_over_tls() {
    let Some(shared) = Shared::new(&[]) else { return };
    let server = server().unwrap();
    make_roles(server);
    shared.place.write("in.csv", many_people(3));
    let (schema, address) = (shared.schema(), server.address_of("with_password", shared.schema()));
    server.execute(
        schema,
        &format!(
            "GRANT USAGE ON SCHEMA {schema} TO with_password;
             GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO with_password;
             GRANT INSERT ON intents, settlements, voids, orphans, runs, starts, beats, pace, pairs, meta TO with_password;
             GRANT UPDATE ON runs, starts, beats, pace, pairs, meta TO with_password"
        ),
    );
    let run = || {
        let mut command = shared.run_command("in.csv", &["-o", "o.csv"]);
        let authority = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/protocol/certs/ca.pem");
        command
            .env("CEKNIK_LEDGER", format!("{address}&sslmode=verify-full"))
            .env("CEKNIK_LEDGER_CA_CERT", authority)
            .env("CEKNIK_LEDGER_PASSWORD", "correct-horse");
        Running::start(command).end()
    };
    // These were the rights before there was a table of pauses. An outage must not be the first to
    // notice what is missing.
    run().exits(11).says("may not write to the table pauses").says("docs/fleet.md");
    assert_eq!(shared.vendor.calls().len(), 0);
    server.execute(schema, "GRANT INSERT, UPDATE ON pauses TO with_password");
    run().exits(0);
    assert_eq!(shared.vendor.calls().len(), 3);
}

#[test]
fn nothing_of_a_customer_or_a_secret_reaches_the_server() {
    let Some(shared) = Shared::new(&[]) else { return };
    let server = server().unwrap();
    let people: Vec<u32> = (0..20).collect();
    // The vendor repeats the NIK and the name in its remark.
    shared.place.write("in.csv", people_csv(people.iter().map(|_| 18)));
    let said = shared.run("in.csv", &["-o", "o.csv", "-vv"]).exits(0).stderr;
    // The library that speaks to the server shows the values of its statements in its own logs.
    assert!(!said.contains("executing") && !said.contains("unnest"), "{said}");
    let tables = [
        "meta",
        "runs",
        "starts",
        "beats",
        "pairs",
        "intents",
        "settlements",
        "voids",
        "orphans",
        "pauses",
    ];
    let dump: String = tables
        .iter()
        .map(|table| server.execute(shared.schema(), &format!("SELECT t::text FROM {table} t")))
        .collect();
    let log = std::fs::read_to_string(server.folder.join("log")).unwrap();
    assert!(dump.contains("O-") || dump.contains("SANDBOX"), "the answers are there: {dump}");
    assert!(log.contains("unnest"), "the statements are there");
    let key = std::fs::read_dir(shared.place.path("state/ceknik")).unwrap();
    let key = key
        .map(|file| file.unwrap().path())
        .find(|path| path.extension().is_some_and(|e| e == "key"));
    let key = std::fs::read_to_string(key.unwrap()).unwrap();
    let key = key.trim_end().rsplit(' ').next().unwrap().to_owned();
    let secrets = [key, "test-account-id".to_owned(), "test-account-secret".to_owned()];
    let customers = people.iter().flat_map(|n| [nik(*n, 18), name(*n)]);
    for word in customers.chain(secrets) {
        assert!(!dump.contains(&word), "{word} is in the database");
        assert!(!log.contains(&word), "{word} is in the server's log");
    }
}

#[test]
fn init_prints_what_it_does_and_does_it_once() {
    let Some(shared) = Shared::new(&[]) else { return };
    shared.ledger(&["ledger", "init"]).exits(0);
    let printed = shared.ledger(&["ledger", "init", "--print"]).exits(0).stdout;
    let server = server().unwrap();
    let (schema, other) = (shared.schema(), format!("{}_by_hand", shared.schema()));
    server.execute("public", &printed.replace(&format!(" {schema};"), &format!(" {other};")));
    let all = "SELECT name, value FROM meta WHERE name <> 'ledger_id' ORDER BY name";
    assert_eq!(server.execute(&other, all), server.execute(schema, all));
    let id = "SELECT value FROM meta WHERE name = 'ledger_id'";
    assert_ne!(server.execute(&other, id), server.execute(schema, id));
    let alone = shared.place.ceknik(&["ledger", "init", "--ledger", "file.ledger"]);
    alone.exits(2).says("A ledger in a file is made by `ceknik run`");
    let other_origin = shared.ledger(&["ledger", "init", "--sandbox"]);
    other_origin.exits(11).says("Name another schema");
}

/// Returns what `status` shows, apart from what only a shared ledger has.
fn without_workers(mut status: serde_json::Value) -> serde_json::Value {
    status.as_object_mut().unwrap().remove("workers");
    status
}

#[test]
fn a_ledger_in_a_file_is_taken_over_and_nothing_is_bought_again() {
    let Some(address) = address() else { return };
    let place = Workspace::new();
    let vendor = Vendor::start(&place, &["--latency", "10ms"]);
    place.write("done.csv", people_csv((0..40).map(|n| [1001, 2, 3, 12][n % 4])));
    place.write("open.csv", many_people(300));
    let on_file = ["--ledger", "file.ledger", "--max-attempts", "2"];
    place.run("done.csv", &vendor.base_url, &on_file).exits(3);
    let mut killed =
        Running::start(place.command(&run_arguments("open.csv", &vendor.base_url, &on_file)));
    vendor.wait_for_more(30, &mut killed);
    killed.kill();
    let which =
        ["--base-url", &vendor.base_url, "--ledger", &address, "--key-file", "file.ledger.key"];
    place.ceknik(&[&["ledger", "init"], &which[..]].concat()).exits(0);
    let import = [&["ledger", "import", "file.ledger"], &which[..]].concat();
    let told = place.ceknik(&import).exits(0);
    assert!(told.stdout.contains("2 runs and "), "{}", told.stdout);
    place.ceknik(&import).exits(11).says("two ledgers cannot be merged");

    let shown = |ledger: &str| {
        without_workers(place.status(&["--base-url", &vendor.base_url, "--ledger", ledger]))
    };
    assert_eq!(shown(&address), shown("file.ledger"));
    let before = vendor.calls().len();
    let on_server = [&which[2..], &["--max-attempts", "2"]].concat();
    let ended = place.run("open.csv", &vendor.base_url, &on_server).exits(3);
    ended.says("continuing run 2");
    let calls = vendor.calls();
    bought_once(&calls);
    assert!(calls.len() > before);
    // What the finished run answered is reused.
    let plan = place.ceknik(&[&["plan", "done.csv"], &which[..]].concat()).exits(0);
    assert!(plan.stdout.contains("to send               0"), "{}", plan.stdout);
}

/// The attempts of ceknik 0.1 have numbers without a start.
#[test]
fn a_ledger_of_an_older_version_is_taken_over_too() {
    let stored = ["v2", "v3"].into_iter().flat_map(|version| {
        ["finished", "killed", "stopped"].map(|name| format!("{version}/{name}"))
    });
    for name in stored {
        let Some(address) = address() else { return };
        let place = Workspace::new();
        let stored = format!("{}/fixtures/ledgers/{name}", env!("CARGO_MANIFEST_DIR"));
        for file in std::fs::read_dir(stored).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), place.path(file.file_name().to_str().unwrap())).unwrap();
        }
        let which = ["--sandbox", "--ledger", &address, "--key-file", "my.ledger.key"];
        place.ceknik(&[&["ledger", "init"], &which[..]].concat()).exits(0);
        place.ceknik(&[&["ledger", "import", "my.ledger"], &which[..]].concat()).exits(0);
        let shown =
            |ledger: &str| without_workers(place.status(&["--sandbox", "--ledger", ledger]));
        assert_eq!(shown(&address), shown("my.ledger"), "{name}");
        assert!(!shown(&address)["runs"].as_array().unwrap().is_empty(), "{name}");
    }
}

/// The tables of version 4 had no notes, pauses and times of calls.
const TO_VERSION_4: &str =
    "ALTER TABLE starts DROP settings, DROP survey, DROP version, DROP operator,
        DROP input_sha256, DROP summary, DROP read_until;
    ALTER TABLE settlements DROP took;
    DROP TABLE pauses;
    UPDATE meta SET value = '4' WHERE name = 'schema'";
/// The tables of version 3 had no workers that only join, and no id of the ledger.
const TO_VERSION_3: &str =
    "ALTER TABLE starts DROP joins; DELETE FROM meta WHERE name = 'ledger_id';
    UPDATE meta SET value = '3' WHERE name = 'schema'";
/// The tables of version 2 had one row less for each account, and no room in the beats.
const TO_VERSION_2: &str = "DROP TABLE pace;
    ALTER TABLE runs DROP granted, DROP stop, DROP stop_until;
    ALTER TABLE starts ADD is_limited boolean NOT NULL DEFAULT false;
    ALTER TABLE beats DROP verdicts, DROP body, DROP room, DROP unused, DROP wish;
    UPDATE meta SET value = '2' WHERE name = 'schema'";

#[test]
fn a_shared_ledger_of_an_older_version_is_upgraded() {
    upgraded_from(4, &[TO_VERSION_4]);
    upgraded_from(3, &[TO_VERSION_4, TO_VERSION_3]);
    upgraded_from(2, &[TO_VERSION_4, TO_VERSION_3, TO_VERSION_2]);
}

fn upgraded_from(version: u32, down: &[&str]) {
    let Some(shared) = Shared::new(&[]) else { return };
    shared.place.write("in.csv", many_people(30));
    shared.run("in.csv", &["-o", "a.csv", "--limit", "10"]).exits(13);
    let server = server().unwrap();
    down.iter().for_each(|sql| drop(server.execute(shared.schema(), sql)));
    let refused = shared.run("in.csv", &["-o", "a.csv"]).exits(18);
    refused
        .says(&format!("has version {version}, and this ceknik knows version 5"))
        .says("ceknik ledger init");
    // A living worker of the version before is in the way.
    let lives =
        "UPDATE starts SET ended_at = NULL; UPDATE beats SET seen_at = now() + interval '1h'";
    server.execute(shared.schema(), lives);
    shared.ledger(&["ledger", "init"]).exits(17).says("an upgrade is possible only");
    server.execute(shared.schema(), "UPDATE beats SET seen_at = now() - interval '1h'");
    shared.ledger(&["ledger", "init"]).exits(0);
    shared.ledger(&["ledger", "init"]).exits(0);
    let ended = shared.run("in.csv", &["-o", "a.csv", "--max-charges", "1000"]);
    assert!(matches!(ended.code, Some(0 | 3)), "{:?}: {}", ended.code, ended.stderr);
    bought_once(&shared.vendor.calls());
    assert_eq!(shared.vendor.count(), 30);
}
