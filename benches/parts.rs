//! Benchmarks of single parts: `cargo bench --bench parts`. They compare two versions of the code
//! on one machine at one time. The absolute figures depend on the machine.

#![allow(clippy::unwrap_used, missing_docs, reason = "a bench: what fails ends it")]

use std::time::Duration;

use ceknik::api::{text, wire};
use ceknik::input::{ReadOptions, read_bytes};
use ceknik::ledger::{
    self, Facts, FileLocation, Identity, Journal, Ledger, Location, OpenRun, StartRequest,
};
use ceknik::model::attempt::{AttemptId, Batch, Intent, PairKey, PairVersion, Settlement, WallMs};
use ceknik::model::reply::{Body, Reply, Response};
use ceknik::model::texts::{Text, Texts};
use ceknik::rules::classify::{charge, classify};
use ceknik::rules::name::check_name;
use ceknik::rules::nik::{NikPolicy, check_nik};
use ceknik::rules::pair_table::PairTable;
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};

const NOW: WallMs = WallMs(1_700_000_000_000);

fn main() {
    divan::main();
}

/// Returns an answer in the form that the vendor gives.
fn answer(n: u64) -> Reply {
    let json = format!(
        r#"{{"status":"OK","result":{{"order_no":"SFBw{n:019}","handle_time":"2026-11-28 10:12:20",
        "result":"0{}","remark":"MATCH"}},"request_id":"TID{n:032x}"}}"#,
        n % 4 + 1
    );
    let readings = text::readings(json.as_bytes(), text::Form::default());
    let body = readings.iter().find_map(|text| wire::answer(text)).map(Box::new);
    let body = body.map_or_else(|| Body::Foreign(Box::default()), Body::Vendor);
    Reply::Response(Response { http: 200, retry_after: None, body })
}

#[divan::bench]
fn an_answer_read_and_classified(bencher: Bencher<'_, '_>) {
    bencher.counter(ItemsCount::new(1_u32)).bench(|| classify(black_box(&answer(black_box(7)))));
}

#[divan::bench(args = ["3275014107900001", " '3275.0141-0790 0001 ", "3,27501E+15"])]
fn a_nik_checked(nik: &str) -> bool {
    check_nik(black_box(nik), &NikPolicy::default()).is_ok()
}

#[divan::bench(args = ["SITI AMINAH", "  M.\u{a0}Ra\u{301}hman,  S.E. "])]
fn a_name_checked(name: &str) -> bool {
    check_name(black_box(name), None).is_ok()
}

const ROWS: u32 = 20_000;

#[divan::bench(sample_count = 20)]
fn a_csv_to_rows(bencher: Bencher<'_, '_>) {
    let mut text = "id,nik,nama,kota\n".to_owned();
    for n in 0..ROWS {
        let nik = format!("3275{:02}410790{:04}", n % 40 + 1, n % 9999 + 1);
        text += &format!("{n},{nik},WARGA {},BANDUNG\n", ["SITI", "BUDI", "AGUS"][n as usize % 3]);
    }
    bencher
        .counter(ItemsCount::new(ROWS))
        .bench(|| read_bytes(black_box(text.as_bytes()), &ReadOptions::default()).unwrap());
}

/// Makes a ledger with an open run.
fn ledger(folder: &std::path::Path) -> (impl Ledger, OpenRun) {
    let ledger = folder.join("bench.ledger");
    let key = folder.join("bench.key");
    let file = FileLocation { ledger, key, origin: "sandbox".to_owned() };
    let location = Location::File(file);
    let mut ledger = ledger::open(&location, Duration::ZERO, || NOW).unwrap();
    let opening = StartRequest {
        identity: Identity { fingerprint: [1; 16], columns: String::new() },
        path: [1; 16],
        label: "bench".to_owned(),
        account: [1; 16],
        rows: u64::from(ROWS),
        at: NOW,
        reuse: Duration::from_secs(86_400),
        reask_after: Duration::from_secs(86_400),
        role: ceknik::ledger::StartRole::Begins,
        is_limited: false,
        rules: String::new(),
        notes: Default::default(),
    };
    let run = ledger.open_run(&opening).unwrap();
    (ledger, run)
}

fn pair(n: u32) -> PairKey {
    PairKey(blake3::hash(&n.to_le_bytes()).as_bytes()[..16].try_into().unwrap())
}

/// Returns the facts of `calls` calls, from number `from`: an intent for each, and its settlement.
fn facts(run: &OpenRun, from: u32, calls: u32) -> Batch {
    let class = classify(&answer(1));
    let texts = Texts::from([(Text::Status, "OK"), (Text::OrderNo, "SFBw0000000000000000001")]);
    let mut batch = Batch::default();
    for n in from..from + calls {
        let (attempt, at) = (AttemptId::of(run.start, n), NOW);
        batch.intents.push(Intent {
            attempt,
            pair: pair(n),
            version: PairVersion::NONE,
            record: u64::from(n),
            at,
        });
        let (charge, texts) = (charge(class), texts.clone());
        let (http, took_ms) = (Some(200), Some(85));
        batch.settlements.push(Settlement { attempt, class, charge, http, took_ms, texts, at });
    }
    batch
}

/// Measures durable commits of `calls` calls each.
#[divan::bench(args = [1, 30, 300], sample_count = 50)]
fn a_commit_to_the_ledger(bencher: Bencher<'_, '_>, calls: u32) {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, run) = ledger(folder.path());
    let mut journal = ledger.into_journal(&run).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut next = 1;
    bencher
        .counter(ItemsCount::new(calls))
        .with_inputs(|| {
            next += calls;
            facts(&run, next - calls, calls)
        })
        .bench_local_values(|batch| runtime.block_on(journal.record(batch)).unwrap());
}

/// Measures the main query of a resume: all facts of the run are read in order into its table.
#[divan::bench(sample_count = 20)]
fn a_runs_own_facts_folded(bencher: Bencher<'_, '_>) {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, run) = ledger(folder.path());
    let mut journal = ledger.into_journal(&run).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(journal.record(facts(&run, 1, ROWS))).unwrap();
    let mut ledger = journal.finish().unwrap();
    let table = PairTable::new((1..=ROWS).map(pair).collect());
    bencher.counter(ItemsCount::new(ROWS)).bench_local(|| {
        let mut known = 0;
        ledger
            .visit_own(run.id, &table.keys(), &mut |at, _| known += u32::from(at.is_some()))
            .unwrap();
        assert_eq!(known, ROWS);
    });
}
