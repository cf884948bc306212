//! The recipes of docs/fleet.md, tried as far as they are commands.
//!
//! Must hold: the command lines in the page are read from the page itself.

#![allow(clippy::unwrap_used, reason = "a test: what is not as expected is the test's answer")]

mod support;

use support::postgres::server;
use support::shared::{Shared, settle_accounts};
use support::{Running, many_people};

const PAGE: &str = include_str!("../docs/fleet.md");

/// Returns what follows `begin` on a line of the page.
fn line_after(begin: &str) -> &'static str {
    let line = PAGE.lines().find_map(|line| line.trim_start().strip_prefix(begin));
    assert!(line.is_some(), "the page has no line that begins with {begin}");
    line.unwrap()
}

/// Returns the arguments of the unit of systemd.
fn of_systemd() -> Vec<String> {
    let line = line_after("ExecStart=/usr/local/bin/ceknik ");
    // A time of day may have passed when the test runs.
    line.replace("05:30", "7h").split(' ').map(str::to_owned).collect()
}

/// Returns the arguments of the job of Kubernetes, which a job of this name runs.
fn of_kubernetes(job: &str) -> Vec<String> {
    let list = line_after("args: [").strip_suffix(']').unwrap();
    let words = list.split(", ").map(|word| word.trim_matches('"'));
    let words = words.map(|word| word.replace("$(JOB_NAME)", job).replace("/data/", ""));
    words.map(|word| word.replace("22:30", "7h")).collect()
}

/// Runs three workers with these arguments, one after the other's end a fourth, as a user of the
/// database with a password from a file.
fn try_recipe(arguments: &[String]) {
    let Some(mut shared) = Shared::new(&[]) else { return };
    let server = server().unwrap();
    let role = format!("ceknik_run_{}", shared.schema());
    let schema = shared.schema().to_owned();
    server.execute("public", &format!("CREATE ROLE {role} LOGIN PASSWORD 'not-in-the-address'"));
    let grants = PAGE.split_once("```sql\n").unwrap().1.split_once("```").unwrap().0;
    let grants = grants.replace("SCHEMA live", &format!("SCHEMA {schema}"));
    server.execute(&schema, &grants.replace("ceknik_run", &role));
    shared.address = server.address_of(&role, &schema);
    shared.place.write("customers.csv", many_people(60));
    shared.place.write("password", "not-in-the-address\n");
    let password = shared.place.path("password");
    let start = || {
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut command = shared.command(&words);
        command.env("CEKNIK_LEDGER_PASSWORD_FILE", &password);
        Running::start(command)
    };
    let workers = [start(), start(), start()];
    let ended = workers.map(Running::end);
    for ended in &ended {
        assert!(matches!(ended.code, Some(0 | 3)), "{:?}: {}", ended.code, ended.stderr);
    }
    let names = support::files::names(&shared.place.path(""));
    let outputs: Vec<&String> = names.iter().filter(|name| name.ends_with(".csv")).collect();
    // The stand-in vendor's answers are in a file of another name.
    assert_eq!(outputs, ["customers.csv", "customers.sandbox.csv"]);
    assert_eq!(shared.place.rows("customers.sandbox.csv").len(), 60);
    let calls = shared.vendor.count();
    let late = start().end();
    assert_eq!(late.code, ended[0].code, "{}", late.stderr);
    assert_eq!((calls, shared.vendor.count()), (60, 60));
    shared.address = server.address_of("ceknik", &schema);
    settle_accounts(&shared, 0);
}

#[test]
fn the_unit_of_systemd_works() {
    try_recipe(&of_systemd());
}

#[test]
fn the_job_of_kubernetes_works() {
    try_recipe(&of_kubernetes("kyc-28971300"));
}
