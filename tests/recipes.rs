//! The recipes of docs/fleet.md and docs/nights.md, tried as far as they are commands.
//!
//! Must hold: the command lines in a page are read from the page itself.

#![allow(clippy::unwrap_used, reason = "a test: what is not as expected is the test's answer")]

mod support;

use support::postgres::server;
use support::shared::{Shared, settle_accounts};
use support::{CEKNIK, Finished, Running, Vendor, Workspace, many_people};

const FLEET: &str = include_str!("../docs/fleet.md");
const NIGHTS: &str = include_str!("../docs/nights.md");

/// Returns what follows `begin` on a line of a page.
fn line_after(page: &'static str, begin: &str) -> &'static str {
    let line = page.lines().find_map(|line| line.trim_start().strip_prefix(begin));
    assert!(line.is_some(), "the page has no line that begins with {begin}");
    line.unwrap()
}

#[test]
fn the_examples_of_the_package_are_those_of_the_page() {
    for (name, example) in [
        ("ceknik.service", include_str!("../docs/examples/ceknik.service")),
        ("ceknik.timer", include_str!("../docs/examples/ceknik.timer")),
    ] {
        let block = format!("```ini\n# /etc/systemd/system/{name}\n{example}```");
        assert!(NIGHTS.contains(&block), "{name} is not in docs/nights.md");
    }
}

/// Returns the arguments of the unit of systemd.
fn of_systemd(page: &'static str) -> Vec<String> {
    let line = line_after(page, "ExecStart=/usr/bin/ceknik ");
    // A time of day may have passed when the test runs.
    line.replace("05:30", "7h").split(' ').map(str::to_owned).collect()
}

/// Returns the arguments of the job of Kubernetes, which a job of this name runs.
fn of_kubernetes(page: &'static str, job: &str) -> Vec<String> {
    let list = line_after(page, "args: [").strip_suffix(']').unwrap();
    let words = list.split(", ").map(|word| word.trim_matches('"'));
    let words = words.map(|word| word.replace("$(JOB_NAME)", job).replace("/data/", ""));
    words.map(|word| word.replace("05:30", "7h")).collect()
}

/// Runs three workers with these arguments, one after the other's end a fourth, as a user of the
/// database with a password from a file.
fn try_recipe(arguments: &[String]) {
    let Some(mut shared) = Shared::new(&[]) else { return };
    let server = server().unwrap();
    let role = format!("ceknik_run_{}", shared.schema());
    let schema = shared.schema().to_owned();
    server.execute("public", &format!("CREATE ROLE {role} LOGIN PASSWORD 'not-in-the-address'"));
    let grants = FLEET.split_once("```sql\n").unwrap().1.split_once("```").unwrap().0;
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
    try_recipe(&of_systemd(FLEET));
}

#[test]
fn the_job_of_kubernetes_works() {
    try_recipe(&of_kubernetes(FLEET, "kyc-28971300"));
}

/// Runs a night of docs/nights.md with `run`, twice. The second one makes no call.
fn try_night(run: impl Fn(&Workspace, &Vendor) -> Finished) {
    let place = Workspace::new();
    place.write("customers.csv", many_people(30));
    let vendor = Vendor::start(&place, &[]);
    let said = run(&place, &vendor).exits(0).stderr;
    assert_eq!(place.rows("customers.sandbox.csv").len(), 30, "{said}");
    run(&place, &vendor).exits(0);
    assert_eq!(vendor.count(), 30);
}

/// Runs the program with these arguments against a vendor.
fn night_of(arguments: &[String], place: &Workspace, vendor: &Vendor) -> Finished {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut command = place.command(&words);
    command.env("CEKNIK_BASE_URL", &vendor.base_url);
    Running::start(command).end()
}

#[test]
fn the_nights_of_one_machine_work() {
    for arguments in [of_systemd(NIGHTS), of_kubernetes(NIGHTS, "kyc-28971300")] {
        try_night(|place, vendor| night_of(&arguments, place, vendor));
    }
}

#[test]
fn the_line_of_cron_mails_nothing_after_a_good_night() {
    let line = line_after(NIGHTS, "0 22 * * *  cd /srv/kyc && /usr/bin/ceknik ");
    let line = line.replace("05:30", "7h");
    try_night(|place, vendor| {
        // Cron hands the line to a shell.
        let mut command = place.command_of("/bin/sh", &["-c", &format!("{CEKNIK} {line}")]);
        command.env("CEKNIK_BASE_URL", &vendor.base_url);
        let ended = Running::start(command).end();
        assert_eq!(format!("{}{}", ended.stdout, ended.stderr), "");
        ended
    });
}
