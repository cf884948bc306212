//! The whole program under `kill -9` and SIGTERM at random moments, checked against the vendor's
//! call log.
//!
//! Each test prints its seed, and `CRASH_SEED=N` sets it. The timing still depends on the machine:
//! a seed repeats the random choices, not the exact moment of each kill.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test: what is not as expected is the test's answer"
)]

mod support;

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use support::files::names;
use support::money::Charges;
use support::table::repeated;
use support::{
    Call, OLDER, Row, Running, Vendor, Workspace, billed, bought_once, many_people, mixed_rows,
    run_arguments,
};

const CONCURRENCY: usize = 8;
const LATENCY: Duration = Duration::from_millis(20);
/// Columns that belong to a request and not to a row, so that they differ from run to run.
const PER_REQUEST: [&str; 4] = ["ck_order_no", "ck_handle_time", "ck_request_id", "ck_attempts"];

/// Returns the hash by which the vendor's log names a pair.
fn pair(nik: &str, name: &str) -> String {
    blake3::hash(format!("{nik}\n{name}").as_bytes()).to_hex()[..16].to_owned()
}

/// A seeded random number generator that chooses the moments of kills and signals.
struct RandomMoments(fastrand::Rng);

impl RandomMoments {
    fn new(test: &str) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
        let seed = std::env::var("CRASH_SEED").map_or(now, |seed| seed.parse().unwrap());
        println!("{test}: CRASH_SEED={seed}");
        Self(fastrand::Rng::with_seed(seed))
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0.u64(..limit)
    }

    fn pause(&mut self, most_ms: u64) {
        sleep(Duration::from_micros(self.below(most_ms * 1000)));
    }
}

/// The runs of a file that are killed, with their vendor and their ledger.
struct KilledRuns {
    place: Workspace,
    vendor: Vendor,
    more: Vec<&'static str>,
    /// Time at which each start began, in microseconds since the epoch, as in the vendor's log.
    starts: Vec<u64>,
    kills: usize,
    kills_in_flight: usize,
    /// Number of calls that kills have cut off.
    cut_off_calls: u64,
}

impl KilledRuns {
    fn new(rows: &str, more: &[&'static str]) -> Self {
        let place = Workspace::new();
        let latency = format!("{}ms", LATENCY.as_millis());
        let vendor = Vendor::start(&place, &["--latency", &latency]);
        place.write("in.csv", rows);
        let more = [&["--concurrency", "8", "-o", "out.csv"], more].concat();
        let (starts, kills, kills_in_flight, cut_off_calls) = (vec![], 0, 0, 0);
        Self { place, vendor, more, starts, kills, kills_in_flight, cut_off_calls }
    }

    fn start(&mut self) -> Running {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        self.starts.push(now.as_micros() as u64);
        let arguments = run_arguments("in.csv", &self.vendor.base_url, &self.more);
        Running::start(self.place.command(&arguments))
    }

    fn kill(&mut self, mut running: Running) {
        if running.is_over() {
            return;
        }
        running.kill();
        let before = self.cut_off_calls;
        self.cut_off_calls = self.check_after_stop();
        self.kills += 1;
        self.kills_in_flight += usize::from(self.cut_off_calls > before);
    }

    fn status(&self) -> Option<Value> {
        self.place.status_if_any(&["--base-url", &self.vendor.base_url])
    }

    /// Checks the invariants that hold whenever the program does not run. Returns the number of
    /// calls that kills have cut off so far.
    fn check_after_stop(&self) -> u64 {
        let billed = billed(&self.vendor.calls());
        let Some(status) = self.status() else {
            assert_eq!(billed, 0, "calls were billed, and there is no ledger");
            return 0;
        };
        let unsettled = status["unsettled"].as_u64().unwrap();
        assert!(unsettled <= CONCURRENCY as u64, "{unsettled} in doubt after one kill");
        let charges = Charges::of_first_run(&status).with_possible(unsettled);
        assert!(charges.covers(billed), "{billed} billed, but {charges:?}");
        let doubts = status["doubts"].as_array().unwrap();
        unsettled + doubts.iter().filter(|doubt| doubt["how"] == "lost_killed").count() as u64
    }

    fn is_finished(&self) -> bool {
        let finished = |status: Value| status["runs"][0]["state"] == "finished";
        self.status().is_some_and(finished)
    }

    /// Runs to the end, unless the last start has finished the run already.
    fn finish(&mut self, code: i32) {
        if !self.is_finished() {
            self.start().end().exits(code);
        }
    }

    /// Checks the output, the ledger and the call log after the last start.
    fn check_result(self, input: &str, undisturbed: &Workspace) {
        let Self { place, vendor, starts, cut_off_calls, .. } = self;
        let status = place.status(&["--base-url", &vendor.base_url]);
        let calls = vendor.end();
        let rows = place.rows("out.csv");

        // Rows in = rows out, in order, with their cells unchanged.
        let own: Vec<String> =
            rows.iter().map(|r| format!("{},{},{}", r["id"], r["nik"], r["nama"])).collect();
        assert_eq!(own, input.lines().skip(1).collect::<Vec<_>>());

        // Every charge is in the ledger, the output and the summary, as confirmed or possible.
        let charges = Charges::of_first_run(&status);
        assert!(charges.covers(billed(&calls)), "{} billed, but {charges:?}", billed(&calls));
        assert_eq!(Charges::of_rows(&rows), charges);
        let summary = place.summary("out.csv");
        assert_eq!(Charges::owed(&summary), charges);
        let outcomes = summary["outcomes"].as_object().unwrap();
        let total: u64 = outcomes.values().map(|rows| rows.as_u64().unwrap()).sum();
        assert_eq!((total, &summary["rows"]), (rows.len() as u64, &Value::from(rows.len())));

        let killed: BTreeSet<(&str, &str)> = rows
            .iter()
            .filter(|row| row["ck_reason"] == "lost_killed")
            .map(|row| (row["nik"].as_str(), row["nama"].as_str()))
            .collect();
        assert_eq!(
            killed.len() as u64,
            cut_off_calls,
            "rows that kills left in doubt, and calls they cut off"
        );
        never_sent_again(&rows, &calls);
        in_flight_at_most(&calls, &starts);
        same_but_for_doubts(&rows, &undisturbed.rows("out.csv"));
        assert_eq!(leftovers(&place), Vec::<String>::new());
    }
}

/// Returns `true` if the vendor's answer ends its pair. A lost answer ends its pair too: the pair
/// is in doubt.
fn is_conclusive(call: &Call) -> bool {
    let again = ["INTERNAL_ERROR", "QUERY_FAILED", "RATE_LIMIT_EXCEEDED"];
    !again.contains(&call.answer.as_str())
}

/// Checks that no pair is sent again after its answer, recorded or lost, and that rows show what
/// the vendor answered.
fn never_sent_again(rows: &[Row], calls: &[Call]) {
    let mut by_pair: HashMap<&str, Vec<&Call>> = HashMap::new();
    for call in calls {
        by_pair.entry(call.pair.as_deref().unwrap()).or_default().push(call);
    }
    for calls in by_pair.values() {
        let early = calls.iter().rev().skip(1).find(|call| is_conclusive(call));
        assert!(early.is_none(), "sent again after its answer: {calls:?}");
    }
    for row in rows.iter().filter(|row| row["ck_source"] == "call") {
        let calls = by_pair.get(pair(&row["nik"], &row["nama"]).as_str());
        let calls = calls.map_or(&[][..], Vec::as_slice);
        let sends: usize = row["ck_attempts"].parse().unwrap();
        if row["ck_outcome"] == "in_doubt" {
            // An intent that was durable may not have been sent.
            assert!(sends == calls.len() || sends == calls.len() + 1, "{row:?} {calls:?}");
            continue;
        }
        assert_eq!(sends, calls.len(), "{row:?} {calls:?}");
        let last = calls.last().unwrap();
        let said = [&row["ck_result"], &row["ck_status"]];
        assert!(said.contains(&&last.answer), "{row:?} {last:?}");
        assert_eq!(row["ck_charged"] == "yes", last.charged && row["ck_outcome"] != "unknown");
    }
}

/// Checks the number of calls in flight. Each call is in flight for at least the latency, so all
/// calls that came within one latency are in flight together. A start never has calls of an earlier
/// start in flight.
fn in_flight_at_most(calls: &[Call], starts: &[u64]) {
    let mut most = 0;
    for (i, call) in calls.iter().enumerate() {
        let begun = starts.iter().rev().find(|start| **start <= call.at_us).unwrap();
        let since = (call.at_us - LATENCY.as_micros() as u64).max(*begun);
        let together = calls[..=i].iter().rev().take_while(|other| other.at_us > since).count();
        most = most.max(together);
    }
    assert!(most <= CONCURRENCY, "{most} in flight");
    assert!(most > CONCURRENCY / 2, "only {most} in flight: the test shows nothing");
}

/// Checks that the output after kills equals that of an undisturbed run, except for rows in doubt.
fn same_but_for_doubts(rows: &[Row], others: &[Row]) {
    assert_eq!(rows.len(), others.len());
    for (row, other) in rows.iter().zip(others) {
        if row["ck_outcome"] == "in_doubt" {
            continue;
        }
        for (column, cell) in row.iter().filter(|(c, _)| !PER_REQUEST.contains(&c.as_str())) {
            assert_eq!(cell, &other[column], "{column} of {row:?}, undisturbed {other:?}");
        }
    }
}

/// Returns the files in the test's folder that nothing should have left there.
fn leftovers(place: &Workspace) -> Vec<String> {
    let known = ["in.csv", "out.csv", "out.csv.summary.json", "calls.jsonl", "state"];
    let mut found = names(&place.path(""));
    found.retain(|name| !known.contains(&name.as_str()));
    found
}

/// Returns the place of an undisturbed run of the same rows.
fn undisturbed(rows: &str, code: i32) -> Workspace {
    let mut calm = KilledRuns::new(rows, &[]);
    calm.finish(code);
    let _ = calm.vendor.end();
    calm.place
}

/// Number of kills of one file.
const KILLS: usize = 50;

#[test]
fn killed_at_random_moments() {
    let wanted = std::env::var("KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let input = mixed_rows(3000);
    let calm = undisturbed(&input, 3);
    let mut moments = RandomMoments::new("killed_at_random_moments");
    let mut kills = 0;
    while kills < wanted {
        kills += killed_again_and_again(&input, &calm, &mut moments);
        println!("{kills} kills of {wanted}");
    }
}

/// Kills runs of a file until `KILLS` kills are made, half of them with calls in flight. Then lets
/// a run finish, checks its results and returns the number of kills.
fn killed_again_and_again(input: &str, calm: &Workspace, moments: &mut RandomMoments) -> usize {
    let mut runs = KilledRuns::new(input, &[]);
    let mut round = 0;
    while runs.kills < KILLS || runs.kills_in_flight < KILLS / 2 {
        round += 1;
        assert!(round < 2 * KILLS, "{} kills, {} in flight", runs.kills, runs.kills_in_flight);
        let mut running = runs.start();
        match moments.below(10) {
            // While the ledger is made, the file is surveyed and the run is opened.
            _ if round <= 5 => moments.pause(60),
            0 => moments.pause(80),
            // While calls in flight are drained after SIGTERM.
            1 => {
                if runs.vendor.wait_for_more(5, &mut running) {
                    running.signal("TERM");
                    moments.pause(15);
                }
            }
            // While calls are made at full speed.
            _ => {
                runs.vendor.wait_for_more(1 + moments.below(30) as usize, &mut running);
                moments.pause(25);
            }
        }
        runs.kill(running);
    }
    println!("{} kills, {} of them with calls in flight", runs.kills, runs.kills_in_flight);
    assert!(!runs.is_finished(), "the last kills came too late");
    runs.finish(3);
    let kills = runs.kills;
    runs.check_result(input, calm);
    kills
}

#[test]
fn terminated_and_killed_by_turns() {
    let input = many_people(500);
    let calm = undisturbed(&input, 0);
    let mut moments = RandomMoments::new("terminated_and_killed_by_turns");
    let mut runs = KilledRuns::new(&input, &[]);
    let mut interrupted = 0;
    for round in 0..12 {
        let mut running = runs.start();
        runs.vendor.wait_for_more(8 + moments.below(12) as usize, &mut running);
        moments.pause(20);
        match round % 3 {
            0 => runs.kill(running),
            // One signal: calls in flight are waited for.
            1 => {
                running.signal("TERM");
                running.end().exits(143);
                assert_eq!(runs.check_after_stop(), runs.cut_off_calls);
                let partial = runs.place.column("out.partial.csv", "ck_outcome");
                assert_eq!(partial.len(), 500);
                assert!(partial.iter().any(|outcome| outcome == "not_sent"));
            }
            // Two signals: calls in flight become doubts, and are recorded as such.
            _ => {
                let before = runs.status().unwrap()["in_doubt"].as_u64().unwrap();
                running.signal("TERM");
                running.wait_to_say("WARN stopping");
                running.signal("INT");
                running.end().exits(143);
                assert_eq!(runs.check_after_stop(), runs.cut_off_calls);
                let new = runs.status().unwrap()["in_doubt"].as_u64().unwrap() - before;
                interrupted += new;
            }
        }
    }
    println!("{} kills, {interrupted} calls cut off by a second signal", runs.kills);
    assert!(runs.kills >= 4 && interrupted > 0);
    runs.finish(3);
    runs.check_result(&input, &calm);
}

#[test]
fn stopped_and_continued_loses_no_answer_and_keeps_the_rate() {
    let (place, rate) = (Workspace::new(), 50);
    let vendor = Vendor::start(&place, &["--latency", "300ms"]);
    place.write("in.csv", many_people(150));
    let run = ["run", "in.csv", "--base-url", &vendor.base_url, "-o", "out.csv"];
    let pace = ["--rate", "50", "--timeout", "1s"];
    let mut running = Running::start(place.command(&[&run[..], &pace].concat()));
    // Each stop is longer than a call may take, the first by much and the second by little. The
    // answers of the calls in flight come while the program is stopped.
    for (calls, stop) in [(40, 2500), (80, 1100)] {
        vendor.wait_for(calls);
        running.signal("STOP");
        sleep(Duration::from_millis(stop));
        running.signal("CONT");
        assert!(!running.is_over());
    }
    running.end().exits(0);
    assert_eq!(place.column("out.csv", "ck_outcome").len(), 150);
    let calls = vendor.end();
    bought_once(&calls);
    let second =
        |from: u64| calls.iter().filter(move |call| (from..from + 1_000_000).contains(&call.at_us));
    let fullest = calls.iter().map(|call| second(call.at_us).count()).max();
    // The margin of 3 is for calls that waited in sockets while the program was stopped, and for
    // the jitter of a loaded machine.
    assert!(fullest <= Some(rate + 3), "{fullest:?} in a second");
}

#[test]
fn killed_while_the_output_is_written() {
    // With few pairs and many rows, writing the output takes long.
    let input = repeated(40, 30_000);
    let calm = undisturbed(&input, 0);
    let mut moments = RandomMoments::new("killed_while_the_output_is_written");
    let mut runs = KilledRuns::new(&input, &[]);
    runs.place.write("out.csv", OLDER);
    let temporary = runs.place.path(".out.csv.ceknik-tmp");
    let mut halves = 0;
    for _ in 0..8 {
        let mut running = runs.start();
        let is_begun = || fs::metadata(&temporary).is_ok_and(|file| file.len() > 0);
        // The temporary file that the last kill left is removed before the output is begun.
        while temporary.exists() && !running.is_over() {
            sleep(Duration::from_micros(200));
        }
        while !is_begun() && !running.is_over() {
            sleep(Duration::from_micros(200));
        }
        moments.pause(30);
        runs.kill(running);
        halves += usize::from(is_begun());
        if runs.is_finished() {
            break;
        }
        assert_eq!(runs.place.read("out.csv"), OLDER);
    }
    println!("{} kills, {halves} of them left half an output", runs.kills);
    assert!(halves >= 2, "the kills came too late");
    runs.finish(0);
    runs.check_result(&input, &calm);
}

#[test]
fn no_kill_makes_room_in_the_budget() {
    const BUDGET: u64 = 150;
    let input = many_people(600);
    let mut moments = RandomMoments::new("no_kill_makes_room_in_the_budget");
    let mut runs = KilledRuns::new(&input, &["--max-charges", "150"]);
    for _ in 0..5 {
        let mut running = runs.start();
        runs.vendor.wait_for_more(5 + moments.below(20) as usize, &mut running);
        moments.pause(20);
        runs.kill(running);
    }
    runs.start().end().exits(13);
    let Charges { confirmed, possible } = Charges::of_first_run(&runs.status().unwrap());
    let calls = runs.vendor.calls();
    let billed = billed(&calls);
    println!("budget {BUDGET}: {billed} billed, {confirmed} confirmed, {possible} possible");
    assert!(billed <= BUDGET);
    assert_eq!(confirmed + possible, BUDGET, "the budget is to be used up");
    // Nothing is sent until the budget is raised.
    runs.start().end().exits(13);
    assert_eq!(runs.vendor.calls().len(), calls.len());
    *runs.more.last_mut().unwrap() = "1000";
    runs.finish(3);
    runs.check_result(&input, &undisturbed(&input, 0));
}
