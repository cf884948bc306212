//! Invented runs and facts for the tests of ledgers, and a summary of what a ledger knows of their
//! pairs.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::ledger::{
    Facts, Identity, Journal, Ledger, OpenRun, OwnAttempt, Recorded, RunRef, Standing, StartEnd,
    StartNotes, StartRequest, StartRole, Unrecorded,
};
use crate::model::attempt::{AttemptId, Batch, Intent, PairVersion, Settlement, StartId, WallMs};
use crate::model::class::Class;
use crate::model::exit_code::ExitCode;
use crate::model::texts::{Text, Texts};
use crate::rules::classify::charge;
use crate::rules::pair_table::{PairIndex, PairTable};
use crate::rules::testing::key;

/// Time of everything that happens in the tests.
pub(crate) const NOW: WallMs = WallMs(1_000_000_000_000);
const DAY: Duration = Duration::from_secs(86_400);

/// Returns the opening of a run on this file, at this path.
pub(crate) fn opening(file: u8, path: u8) -> StartRequest {
    StartRequest {
        identity: Identity { fingerprint: [file; 16], columns: "1,2".to_owned() },
        path: [path; 16],
        label: "customers.csv".to_owned(),
        account: [0; 16],
        rows: 3,
        at: NOW,
        reuse: DAY * 30,
        reask_after: DAY,
        role: StartRole::Begins,
        is_limited: false,
        rules: String::new(),
        notes: notes("a"),
    }
}

/// Returns the notes of a start that read the file with this hash.
pub(crate) fn notes(input_sha256: &str) -> StartNotes {
    StartNotes {
        settings: r#"{"rate":9.5}"#.to_owned(),
        survey: r#"{"findings":[]}"#.to_owned(),
        version: "0.2.0".to_owned(),
        operator: "night".to_owned(),
        input_sha256: input_sha256.to_owned(),
    }
}

/// Returns the facts of a start's attempts, numbered from `first`. Each attempt has a pair and a
/// class; with `None`, the attempt has no settlement.
pub(crate) fn facts(start: StartId, first: u32, of: &[(u64, Option<Class>)]) -> Batch {
    let mut batch = Batch::default();
    for (n, (pair, class)) in (first..).zip(of) {
        let attempt = AttemptId::of(start, n);
        let (record, version) = (*pair, PairVersion::NONE);
        batch.intents.push(Intent { attempt, pair: key(*pair), version, record, at: NOW });
        if let Some(class) = *class {
            let texts = Texts::from([(Text::Remark, &*format!("r{pair}"))]);
            let charge = charge(class);
            let (http, took_ms) = (Some(200), Some(85));
            let fact = Settlement { attempt, class, charge, http, took_ms, texts, at: NOW };
            batch.settlements.push(fact);
        }
    }
    batch
}

/// Records batches through the ledger's journal, and returns the ledger and the result of each
/// batch.
pub(crate) fn record_all<L: Ledger>(
    ledger: L,
    run: &OpenRun,
    batches: impl IntoIterator<Item = Batch>,
) -> (L, Vec<Result<Recorded, Box<Unrecorded>>>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut journal = ledger.into_journal(run).unwrap();
    let told = batches.into_iter().map(|batch| runtime.block_on(journal.record(batch))).collect();
    (journal.finish().unwrap(), told)
}

/// Records the first attempts of a start, and returns the ledger. The intents name the versions of
/// the pairs that the ledger has.
pub(crate) fn record<L: Ledger>(
    ledger: L,
    run: &OpenRun,
    of: &[(u64, Option<Class>)],
    voids: &[u32],
) -> L {
    let mut batch = facts(run.start, 1, of);
    batch.voids = voids.iter().map(|n| AttemptId::of(run.start, *n)).collect();
    record_batch(ledger, run, batch)
}

/// Records a batch, and returns the ledger. The intents name the versions of the pairs that the ledger
/// has.
pub(crate) fn record_batch<L: Ledger>(mut ledger: L, run: &OpenRun, mut batch: Batch) -> L {
    let keys = PairTable::new(batch.intents.iter().map(|intent| intent.pair).collect()).keys();
    let mut versions = BTreeMap::new();
    let mut seen = |at, standing: Standing| {
        versions.insert(at, standing.version);
    };
    ledger.visit_earlier(&RunRef::Open(run.id), &keys, &mut seen).unwrap();
    for intent in &mut batch.intents {
        let known = keys.find(&intent.pair).and_then(|at| versions.get(&at));
        intent.version = known.copied().unwrap_or(PairVersion::NONE);
    }
    let (ledger, told) = record_all(ledger, run, [batch]);
    let granted =
        |told: &Result<Recorded, _>| told.as_ref().is_ok_and(|told| told.refused.is_empty());
    assert!(told.iter().all(granted), "{told:?}");
    ledger
}

/// Returns what is known of the pairs 1 to 9, as (pair, class or end, source of the fact). Of the
/// facts of other runs, only the latest of each pair is returned.
pub(crate) fn known(
    facts: &mut (impl Facts + ?Sized),
    run: &RunRef,
) -> Vec<(u32, String, &'static str)> {
    let keys = PairTable::new((1..10).map(key).collect()).keys();
    let mut latest = BTreeMap::new();
    let mut seen = |at: PairIndex, standing: Standing| {
        let Some(fact) = standing.end else { return };
        let whose = if fact.taken_over { "taken over" } else { "earlier" };
        latest.insert(at.0 + 1, (format!("{:?}", fact.end), whose));
    };
    facts.visit_earlier(run, &keys, &mut seen).unwrap();
    let mut found: Vec<_> =
        latest.into_iter().map(|(pair, (end, whose))| (pair, end, whose)).collect();
    if let Some(id) = run.begun() {
        let mut own = |at: Option<PairIndex>, fact: OwnAttempt| {
            let name = if fact.voided { "void" } else { fact.class.name() };
            found.push((at.unwrap().0 + 1, name.to_owned(), "own"));
        };
        facts.visit_own(id, &keys, &mut own).unwrap();
    }
    found.sort();
    found
}

/// Returns the end of a start with this exit code.
pub(crate) fn ending(exit: ExitCode) -> StartEnd {
    let stop = exit.can_go_on().then_some("budget");
    let summary = Some(r#"{"version":2}"#.to_owned());
    StartEnd { at: WallMs(NOW.0 + 500), stop, exit, output: None, summary }
}
