//! The whole program under `kill -9` and SIGTERM at random moments, checked against the vendor's
//! call log.
//!
//! Each test prints its seed, and `CRASH_SEED=N` sets it. The timing still depends on the machine:
//! a seed repeats the plan of the kills, not the exact moment of each.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test: what is not as expected is the test's answer"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use support::{
    Call, OLDER, Place, Running, Vendor, billed, bought_once, many_people, name, nik, run_arguments,
};

const CONCURRENCY: usize = 8;
const LATENCY: Duration = Duration::from_millis(20);
/// Columns that belong to a request and not to a row, so that they differ from run to run.
const PER_REQUEST: [&str; 4] = ["ck_order_no", "ck_handle_time", "ck_request_id", "ck_attempts"];

/// Returns rows of all kinds: verdicts, errors that pass or last, lost answers, duplicates and
/// rejected rows.
fn mixed_rows(people: u32) -> String {
    let mut text = "id,nik,nama\n".to_owned();
    for n in 0..people {
        let serial = match n % 50 {
            7 => 8,        // 500 once, then match
            13 => 16,      // QUERY_FAILED once, then mismatch
            19 => 3,       // not sure
            23 => 18,      // the remark echoes NIK and name
            29 => 5,       // refused
            31 => 13,      // a code that is not documented
            37 | 44 => 12, // charged, then cut: in doubt
            _ => 1001 + n % 8000,
        };
        text += &format!("{n},{},{}\n", nik(n, serial), name(n));
        match n % 50 {
            5 => text += &format!("{n}d,{},{}\n", nik(n, serial), name(n)),
            11 => text += &format!("{n}r,12345,{}\n", name(n)),
            17 => text += &format!("{n}e,{},\n", nik(n, serial)),
            _ => {}
        }
    }
    text
}

/// Returns the hash by which the vendor's log names a pair.
fn pair(nik: &str, name: &str) -> String {
    blake3::hash(format!("{nik}\n{name}").as_bytes()).to_hex()[..16].to_owned()
}

/// A seeded random number generator that chooses the moments of kills and signals.
struct Plan(u64);

impl Plan {
    fn new(test: &str) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
        let seed = std::env::var("CRASH_SEED").map_or(now, |seed| seed.parse().unwrap());
        println!("{test}: CRASH_SEED={seed}");
        Self(seed)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (z ^ (z >> 31)) % limit
    }

    fn pause(&mut self, most_ms: u64) {
        sleep(Duration::from_micros(self.below(most_ms * 1000)));
    }
}

/// A file, a vendor and a ledger, with the kills of their runs.
struct Ordeal {
    place: Place,
    vendor: Vendor,
    more: Vec<&'static str>,
    /// Time at which each start began, in microseconds since the epoch, as in the vendor's log.
    starts: Vec<u64>,
    kills: usize,
    kills_in_flight: usize,
    /// Number of calls that kills have cut off.
    left: u64,
}

impl Ordeal {
    fn new(rows: &str, more: &[&'static str]) -> Self {
        let place = Place::new();
        let latency = format!("{}ms", LATENCY.as_millis());
        let vendor = Vendor::start(&place, &["--latency", &latency]);
        place.write("in.csv", rows);
        let more = [&["--concurrency", "8", "-o", "out.csv"], more].concat();
        Self { place, vendor, more, starts: vec![], kills: 0, kills_in_flight: 0, left: 0 }
    }

    fn start(&mut self) -> Running {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        self.starts.push(now.as_micros() as u64);
        let arguments = run_arguments("in.csv", &self.vendor.base_url, &self.more);
        Running::start(self.place.command(&arguments))
    }

    /// Waits until `calls` more calls have come, or the program has ended.
    fn wait_for_calls(&self, calls: usize, running: &mut Running) {
        let target = self.vendor.count() + calls;
        while self.vendor.count() < target && !running.is_over() {
            sleep(Duration::from_millis(1));
        }
    }

    fn kill(&mut self, mut running: Running) {
        if running.is_over() {
            return;
        }
        running.kill();
        let before = self.left;
        self.left = self.check_after_stop();
        self.kills += 1;
        self.kills_in_flight += usize::from(self.left > before);
    }

    fn status(&self) -> Option<Value> {
        let ended = self.place.ceknik(&["status", "--json", "--base-url", &self.vendor.base_url]);
        (ended.code == Some(0)).then(|| serde_json::from_str(&ended.stdout).unwrap())
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
        let (confirmed, possible) = charges(&status);
        assert!(
            confirmed <= billed && billed <= confirmed + possible + unsettled,
            "{billed} billed, but {confirmed} confirmed, {possible} possible, {unsettled} open"
        );
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
    fn judge(self, input: &str, undisturbed: &Place) {
        let Self { place, vendor, starts, left, .. } = self;
        let status = place.ceknik(&["status", "--json", "--base-url", &vendor.base_url]);
        let status: Value = serde_json::from_str(&status.stdout).unwrap();
        let calls = vendor.end();
        let rows = place.rows("out.csv");

        // Rows in = rows out, in order, with their cells unchanged.
        let own: Vec<String> =
            rows.iter().map(|r| format!("{},{},{}", r["id"], r["nik"], r["nama"])).collect();
        assert_eq!(own, input.lines().skip(1).collect::<Vec<_>>());

        // Every charge is in the ledger, the output and the summary, as confirmed or possible.
        let (confirmed, possible) = charges(&status);
        let billed = billed(&calls);
        assert!(confirmed <= billed && billed <= confirmed + possible);
        let charged = rows.iter().filter(|row| row["ck_charged"] == "yes").count() as u64;
        let perhaps: u64 = rows.iter().map(|row| row["ck_possible"].parse::<u64>().unwrap()).sum();
        assert_eq!((charged, perhaps), (confirmed, possible));
        let summary = place.summary("out.csv");
        assert_eq!(summary["spending"]["owed_at_least"], confirmed);
        assert_eq!(summary["spending"]["owed_at_most"], confirmed + possible);
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
            left,
            "rows that kills left in doubt, and calls they cut off"
        );
        never_sent_again(&rows, &calls);
        in_flight_at_most(&calls, &starts);
        same_but_for_doubts(&rows, &undisturbed.rows("out.csv"));
        assert_eq!(leftovers(&place), Vec::<String>::new());
    }
}

/// Returns the confirmed and the possible charges of the first run.
fn charges(status: &Value) -> (u64, u64) {
    let tally = &status["runs"][0]["tally"];
    let possible = tally["possible"]
        .as_object()
        .map(|kinds| kinds.values().map(|kind| kind.as_u64().unwrap()).sum());
    (tally["confirmed"].as_u64().unwrap_or(0), possible.unwrap_or(0))
}

/// Returns `true` if the vendor's answer ends its pair. A lost answer ends its pair too: the pair
/// is in doubt.
fn is_conclusive(call: &Call) -> bool {
    let again = ["INTERNAL_ERROR", "QUERY_FAILED", "RATE_LIMIT_EXCEEDED"];
    !again.contains(&call.answer.as_str())
}

/// Checks that no pair is sent again after its answer, recorded or lost, and that rows show what
/// the vendor answered.
fn never_sent_again(rows: &[BTreeMap<String, String>], calls: &[Call]) {
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
fn same_but_for_doubts(rows: &[BTreeMap<String, String>], others: &[BTreeMap<String, String>]) {
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
fn leftovers(place: &Place) -> Vec<String> {
    let known = ["in.csv", "out.csv", "out.csv.summary.json", "calls.jsonl", "state"];
    fs::read_dir(place.path("."))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !known.contains(&name.as_str()))
        .collect()
}

/// Returns the place of an undisturbed run of the same rows.
fn undisturbed(rows: &str, code: i32) -> Place {
    let mut calm = Ordeal::new(rows, &[]);
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
    let mut plan = Plan::new("killed_at_random_moments");
    let mut kills = 0;
    while kills < wanted {
        kills += killed_again_and_again(&input, &calm, &mut plan);
        println!("{kills} kills of {wanted}");
    }
}

/// Kills runs of a file until `KILLS` kills are made, half of them with calls in flight. Then lets
/// a run finish, checks its results and returns the number of kills.
fn killed_again_and_again(input: &str, calm: &Place, plan: &mut Plan) -> usize {
    let mut ordeal = Ordeal::new(input, &[]);
    let mut round = 0;
    while ordeal.kills < KILLS || ordeal.kills_in_flight < KILLS / 2 {
        round += 1;
        assert!(round < 2 * KILLS, "{} kills, {} in flight", ordeal.kills, ordeal.kills_in_flight);
        let mut running = ordeal.start();
        match plan.below(10) {
            // While the ledger is made, the file is surveyed and the run is opened.
            _ if round <= 5 => plan.pause(60),
            0 => plan.pause(80),
            // While calls in flight are drained after SIGTERM.
            1 => {
                ordeal.wait_for_calls(5, &mut running);
                running.signal("TERM");
                plan.pause(15);
            }
            // While calls are made at full speed.
            _ => {
                ordeal.wait_for_calls(1 + plan.below(30) as usize, &mut running);
                plan.pause(25);
            }
        }
        ordeal.kill(running);
    }
    println!("{} kills, {} of them with calls in flight", ordeal.kills, ordeal.kills_in_flight);
    assert!(!ordeal.is_finished(), "the last kills came too late");
    ordeal.finish(3);
    let kills = ordeal.kills;
    ordeal.judge(input, calm);
    kills
}

#[test]
fn terminated_and_killed_by_turns() {
    let input = many_people(500);
    let calm = undisturbed(&input, 0);
    let mut plan = Plan::new("terminated_and_killed_by_turns");
    let mut ordeal = Ordeal::new(&input, &[]);
    let mut interrupted = 0;
    for round in 0..12 {
        let mut running = ordeal.start();
        ordeal.wait_for_calls(8 + plan.below(12) as usize, &mut running);
        plan.pause(20);
        match round % 3 {
            0 => ordeal.kill(running),
            // One signal: calls in flight are waited for.
            1 => {
                running.signal("TERM");
                running.end().exits(143);
                assert_eq!(ordeal.check_after_stop(), ordeal.left);
                let partial = ordeal.place.column("out.partial.csv", "ck_outcome");
                assert_eq!(partial.len(), 500);
                assert!(partial.iter().any(|outcome| outcome == "not_sent"));
            }
            // Two signals: calls in flight become doubts, and are recorded as such.
            _ => {
                let before = ordeal.status().unwrap()["in_doubt"].as_u64().unwrap();
                running.signal("TERM");
                sleep(Duration::from_millis(3));
                running.signal("INT");
                running.end().exits(143);
                assert_eq!(ordeal.check_after_stop(), ordeal.left);
                let new = ordeal.status().unwrap()["in_doubt"].as_u64().unwrap() - before;
                interrupted += new;
            }
        }
    }
    println!("{} kills, {interrupted} calls cut off by a second signal", ordeal.kills);
    assert!(ordeal.kills >= 4 && interrupted > 0);
    ordeal.finish(3);
    ordeal.judge(&input, &calm);
}

#[test]
fn stopped_and_continued_loses_no_answer_and_keeps_the_rate() {
    let (place, rate) = (Place::new(), 50);
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
    let people = many_people(40);
    let pairs: Vec<&str> = people.lines().skip(1).collect();
    let rows: String = (0..30_000).map(|n| format!("{}\n", pairs[n % 40])).collect();
    let input = format!("id,nik,nama\n{rows}");
    let calm = undisturbed(&input, 0);
    let mut plan = Plan::new("killed_while_the_output_is_written");
    let mut ordeal = Ordeal::new(&input, &[]);
    ordeal.place.write("out.csv", OLDER);
    let temporary = ordeal.place.path(".out.csv.ceknik-tmp");
    let mut halves = 0;
    for _ in 0..8 {
        let mut running = ordeal.start();
        let is_begun = || fs::metadata(&temporary).is_ok_and(|file| file.len() > 0);
        let deadline = Instant::now() + Duration::from_secs(20);
        // The temporary file that the last kill left is removed before the output is begun.
        while temporary.exists() && !running.is_over() {
            sleep(Duration::from_micros(200));
        }
        while !is_begun() && !running.is_over() {
            assert!(Instant::now() < deadline);
            sleep(Duration::from_micros(200));
        }
        plan.pause(30);
        ordeal.kill(running);
        halves += usize::from(is_begun());
        if ordeal.is_finished() {
            break;
        }
        assert_eq!(ordeal.place.read("out.csv"), OLDER);
    }
    println!("{} kills, {halves} of them left half an output", ordeal.kills);
    assert!(halves >= 2, "the kills came too late");
    ordeal.finish(0);
    ordeal.judge(&input, &calm);
}

#[test]
fn no_kill_makes_room_in_the_budget() {
    const BUDGET: u64 = 150;
    let input = many_people(600);
    let mut plan = Plan::new("no_kill_makes_room_in_the_budget");
    let mut ordeal = Ordeal::new(&input, &["--max-charges", "150"]);
    for _ in 0..5 {
        let mut running = ordeal.start();
        ordeal.wait_for_calls(5 + plan.below(20) as usize, &mut running);
        plan.pause(20);
        ordeal.kill(running);
    }
    ordeal.start().end().exits(13);
    let (confirmed, possible) = charges(&ordeal.status().unwrap());
    let billed = billed(&ordeal.vendor.calls());
    println!("budget {BUDGET}: {billed} billed, {confirmed} confirmed, {possible} possible");
    assert!(billed <= BUDGET && confirmed + possible <= BUDGET);
    assert_eq!(confirmed + possible, BUDGET, "the budget is to be used up");
    // Nothing is sent until the budget is raised.
    let calls = ordeal.vendor.count();
    ordeal.start().end().exits(13);
    assert_eq!(ordeal.vendor.calls().len(), calls);
    *ordeal.more.last_mut().unwrap() = "1000";
    ordeal.finish(3);
    ordeal.judge(&input, &undisturbed(&input, 0));
}
