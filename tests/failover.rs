//! A server that dies, is replaced by its standby, or stays away, as whole programs.
//!
//! Must hold: what a synchronous standby has confirmed is never bought again. What another standby
//! lacks is noticed (exit 18). An answer that cannot be recorded is kept beside the key, and recorded
//! by the next start. `FLEET_TIMES=5` repeats each failover.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test: what is not as expected is the test's answer"
)]

mod support;

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use support::postgres::{Standby, TestServer, server};
use support::severing::{Point, SeveringProxy};
use support::shared::{LEASE, Shared, settle_accounts, worker};
use support::{Running, bought_once, many_people};

/// Text that begins the transaction of a batch.
const BATCH: &str = "enable_seqscan = off; SET LOCAL";

/// Returns how often a failover is repeated.
fn times() -> usize {
    std::env::var("FLEET_TIMES").map_or(1, |times| times.parse().unwrap())
}

/// Returns the path of the key.
fn key(shared: &Shared) -> PathBuf {
    let made = shared.ledger(&["ledger", "init"]).exits(0).stdout;
    made.split_once("Its key is ").unwrap().1.split_once(": copy it").unwrap().0.into()
}

/// Returns the files beside the key with this ending.
fn beside_the_key(shared: &Shared, ending: &str) -> Vec<PathBuf> {
    let files = std::fs::read_dir(key(shared).parent().unwrap()).unwrap().flatten();
    let files = files.map(|file| file.path());
    files.filter(|path| path.to_string_lossy().ends_with(ending)).collect()
}

#[test]
fn a_synchronous_standby_that_is_promoted_has_everything() {
    for _ in 0..times() {
        let Some(server) = TestServer::start() else { return };
        let standby = server.add_standby(true);
        let address = standby.address_with(&server, "live");
        let shared = Shared::at(address, &["--latency", "30ms"]);
        shared.place.write("in.csv", many_people(2000));
        let mut workers: Vec<Running> =
            (0..3).map(|n| worker(&shared, "in.csv", &format!("o{n}.csv"))).collect();
        shared.vendor.wait_for_more(300, &mut workers[0]);
        server.die();
        // Nobody has a lease any more.
        sleep(LEASE);
        let calls = shared.vendor.count();
        standby.promote();
        let promoted = Instant::now();
        shared.vendor.wait_for(calls + 1);
        let gap = promoted.elapsed();
        println!("calls again {gap:?} after the promotion");
        for worker in workers {
            let ended = worker.end();
            assert!(matches!(ended.code, Some(0 | 3)), "{:?}: {}", ended.code, ended.stderr);
        }
        assert_eq!(settle_accounts(&shared, 0), 0);
        assert_eq!(shared.vendor.count(), 2000);
        assert!(gap <= Duration::from_secs(2), "{gap:?} until the first call");
    }
}

/// Workers on a server whose standby has fallen behind.
struct Behind {
    server: TestServer,
    standby: Standby,
    shared: Shared,
    workers: Vec<Running>,
}

impl Behind {
    /// Starts the workers, and keeps their latest answers from the standby; `None` if this machine
    /// has no server.
    fn start(workers: usize) -> Option<Self> {
        let server = TestServer::start()?;
        let standby = server.add_standby(false);
        let shared = Shared::at(standby.address_with(&server, "live"), &["--latency", "30ms"]);
        shared.place.write("in.csv", many_people(1500));
        let mut workers: Vec<Running> =
            (0..workers).map(|n| worker(&shared, "in.csv", &format!("o{n}.csv"))).collect();
        shared.vendor.wait_for_more(200, &mut workers[0]);
        server.freeze_replication();
        shared.vendor.wait_for_more(100, &mut workers[0]);
        Some(Self { server, standby, shared, workers })
    }
}

#[test]
fn a_standby_that_was_behind_is_noticed_and_gets_the_answers_again() {
    for _ in 0..times() {
        let Some(Behind { server, standby, shared, workers }) = Behind::start(3) else { return };
        server.die();
        sleep(Duration::from_millis(300));
        standby.promote();
        for worker in workers {
            let ended = worker.end().exits(18);
            ended
                .says("after a failover, calls that you paid for may be lost")
                .says("has lost answers of this run")
                .says("are recorded again");
        }
        let before = shared.vendor.count();
        let ended = worker(&shared, "in.csv", "o.csv").end();
        assert!(matches!(ended.code, Some(0 | 3)), "{:?}: {}", ended.code, ended.stderr);
        assert!(shared.vendor.count() > before);
        bought_once(&shared.vendor.calls());
        // Another file finds the answers that were recorded again, too.
        let (bought, customers) = (shared.vendor.count(), many_people(1500));
        let rows: Vec<&str> = customers.lines().collect();
        let other = [&rows[..1], &rows[1000..], &rows[1..1000]].concat().join("\n");
        shared.place.write("other.csv", other);
        let ended = shared.run("other.csv", &["-o", "other.out.csv", "--limit", "1"]);
        assert!(matches!(ended.code, Some(0 | 3)), "{:?}: {}", ended.code, ended.stderr);
        assert_eq!(shared.vendor.count(), bought);
    }
}

#[test]
fn a_ledger_that_was_set_back_is_refused_by_the_next_start() {
    for _ in 0..times() {
        let Some(Behind { server, standby, shared, workers }) = Behind::start(2) else { return };
        workers.into_iter().for_each(|mut worker| assert!(!worker.kill().success()));
        server.die();
        standby.promote();
        let calls = shared.vendor.count();
        for command in [&["run", "in.csv"][..], &["plan", "in.csv"], &["status"]] {
            let refused = shared.ledger(command).exits(18);
            refused
                .says("has lost data: it had confirmed")
                .says("move the .witness and .late files");
        }
        assert_eq!(shared.vendor.count(), calls);
        // Whoever accepts the loss goes on without the witness.
        let witnesses = beside_the_key(&shared, ".witness");
        assert_eq!(witnesses.len(), 2);
        witnesses.iter().for_each(|path| std::fs::remove_file(path).unwrap());
        let ended = worker(&shared, "in.csv", "o.csv").end();
        assert!(matches!(ended.code, Some(0 | 3)), "{:?}: {}", ended.code, ended.stderr);
    }
}

/// Who only waits for others notices it too, also if the fold shows nothing to send.
#[test]
fn a_worker_that_waits_notices_that_its_answers_are_forgotten() {
    let number = "UPDATE starts SET batch = 0 WHERE id = 2;";
    let facts = "CREATE TEMP TABLE gone AS SELECT attempt, pair FROM intents WHERE attempt >= 2::int8 << 32;
        DELETE FROM pairs p USING gone g WHERE p.pair = g.pair;
        DELETE FROM settlements s USING gone g WHERE s.attempt = g.attempt;
        DELETE FROM intents i USING gone g WHERE i.attempt = g.attempt;";
    std::thread::scope(|scope| {
        drop(scope.spawn(|| forgotten_by(number)));
        forgotten_by(&format!("{facts} {number}"));
    });
}

/// Lets the server forget while a worker waits for another one.
fn forgotten_by(forget: &str) {
    let Some(shared) = Shared::new(&["--latency", "150ms"]) else { return };
    shared.place.write("in.csv", many_people(60));
    let start = |output: &str, concurrency: &str| {
        let flags = ["--once", "night", "--concurrency", concurrency, "-o", output];
        Running::start(shared.run_command("in.csv", &flags))
    };
    let mut slow = start("slow.csv", "1");
    shared.vendor.wait_for_more(1, &mut slow);
    let quick = start("quick.csv", "16");
    quick.wait_to_say("waiting for the other workers");
    server().unwrap().execute(shared.schema(), forget);
    quick.end().exits(18).says("has lost answers of this run").says("are recorded again");
    let ended = slow.end();
    assert!(matches!(ended.code, Some(0 | 3)), "{:?}: {}", ended.code, ended.stderr);
    assert_eq!(settle_accounts(&shared, 0), 0);
    assert_eq!(shared.vendor.count(), 60);
    // The start counts as complete again.
    shared.ledger(&["status"]).exits(0);
}

/// A host that takes connections and says nothing stands for one that is dead.
#[test]
fn a_host_that_says_nothing_is_passed_over() {
    let Some(server) = server() else { return };
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let hosts =
        format!("127.0.0.1:{},127.0.0.1:{}", silent.local_addr().unwrap().port(), server.port());
    let shared = Shared::at(format!("postgres://ceknik@{hosts}/postgres?schema=passed_over"), &[]);
    shared.place.write("in.csv", many_people(40));
    let ended =
        Running::start(shared.command(&["run", "in.csv", "--rate", "50", "-o", "o.csv"])).end();
    assert!(matches!(ended.code, Some(0 | 3)), "{:?}: {}", ended.code, ended.stderr);
    assert_eq!(shared.vendor.count(), 40);
}

/// Starts a worker that is cut off from the server for good before a batch.
fn cut_off(shared: &Shared, flags: &[&str]) -> Running {
    let proxy = SeveringProxy::start(server().unwrap().port(), Point::Before(BATCH, 20));
    let flags = [&["--concurrency", "4", "-o", "o.csv"], flags].concat();
    let mut command = shared.run_command("in.csv", &flags);
    let direct = format!(":{}/", server().unwrap().port());
    command.env("CEKNIK_LEDGER", shared.address.replace(&direct, &format!(":{}/", proxy.port)));
    let mut running = Running::start(command);
    while proxy.severed_at().is_none() {
        assert!(!running.is_over());
        sleep(Duration::from_millis(5));
    }
    running
}

#[test]
fn answers_that_could_not_be_recorded_are_recorded_by_the_next_start() {
    let leave_by_itself: &[&str] = &["--max-outage", "1s"];
    for (flags, signals) in [(leave_by_itself, 0), (&["--max-outage", "10m"], 2)] {
        let Some(shared) = Shared::new(&["--latency", "30ms"]) else { return };
        shared.place.write("in.csv", many_people(200));
        let running = cut_off(&shared, flags);
        for _ in 0..signals {
            running.signal("TERM");
            sleep(Duration::from_millis(400));
        }
        let ended = running.end().exits(18).says("are kept in");
        let late = beside_the_key(&shared, ".late");
        assert_eq!(late.len(), 1, "{}", ended.stderr);
        let mode = std::fs::metadata(&late[0]).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let text = std::fs::read_to_string(&late[0]).unwrap();
        for row in shared.place.read("in.csv").lines().skip(1) {
            let customer = row.split(',').filter(|cell| cell.len() > 5);
            customer.for_each(|cell| assert!(!text.contains(cell), "{cell}"));
        }
        let calls = shared.vendor.count();
        let ended = shared.run("in.csv", &["-o", "o.csv", "--limit", "1"]).exits(13);
        ended.says("answers that could not be recorded earlier are recorded now");
        assert_eq!(beside_the_key(&shared, ".late"), Vec::<PathBuf>::new());
        assert_eq!(shared.status()["doubts"], serde_json::json!([]), "{calls} calls");
        let ended = shared.run("in.csv", &["-o", "o.csv"]);
        assert!(matches!(ended.code, Some(0 | 3)), "{:?}: {}", ended.code, ended.stderr);
        assert_eq!(settle_accounts(&shared, 0), 0);
        assert_eq!(shared.vendor.count(), 200);
    }
}

/// A secret that is mounted read-only has no room for a witness.
#[test]
fn a_key_in_a_folder_that_cannot_be_written_is_enough() {
    let Some(shared) = Shared::new(&[]) else { return };
    shared.place.write("in.csv", many_people(20));
    let id = "SELECT left(value, 8) FROM meta WHERE name = 'ledger_id'";
    let id = server().unwrap().execute(shared.schema(), id);
    let key = key(&shared);
    // Root may write to any folder, so that something is in the place of each file.
    for number in 1..=64 {
        let witness = format!("{}.{}-{number}.witness", key.display(), id.trim());
        std::fs::create_dir(witness).unwrap();
    }
    let ended = shared.run("in.csv", &["-o", "o.csv"]);
    assert!(matches!(ended.code, Some(0 | 3)), "{:?}: {}", ended.code, ended.stderr);
    ended.says("this machine will not notice later");
}
