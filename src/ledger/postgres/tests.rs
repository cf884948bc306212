//! A shared ledger for the tests of all ledgers, on a real server, and the tests of what only a
//! shared ledger promises.

use std::time::Duration;

use backend::{PgBackend, declare_all_dead, execute, rows};

use super::*;
use crate::ledger::testing::Backend;
use crate::ledger::testing::facts::{NOW, ending, facts, known, opening, record};
use crate::ledger::{Facts, Ledger, OpenRun, Recorded, RunRef, ShowLedger};
use crate::model::attempt::{AttemptId, Batch, PairVersion, WallMs};
use crate::model::class::{Class, Refusal, ResultCode};
use crate::model::exit_code::ExitCode;
use crate::model::texts::Text;

pub(crate) mod backend;
mod model;
#[allow(dead_code, reason = "whole programs need more of it than the tests of the ledger")]
#[path = "../../../tests/support/postgres.rs"]
mod server;

const MATCH: Class = Class::Answered(ResultCode::Match);

/// Opens a run on a new ledger; `None` if this machine has no server.
fn open_run() -> Option<(PgBackend, PgLedger, OpenRun)> {
    if !PgBackend::is_available() {
        return None;
    }
    let mut place = PgBackend::new();
    let mut ledger = place.open(NOW).unwrap();
    let run = ledger.open_run(&opening(1, 1)).unwrap();
    Some((place, ledger, run))
}

/// Returns an intent for attempt `n` of this pair, made with the knowledge of this version.
fn claim(run: &OpenRun, n: u32, pair: u64, version: u16) -> Batch {
    let mut batch = facts(run.start, n, &[(pair, None)]);
    batch.intents[0].version = PairVersion(version);
    batch
}

/// Records a batch, and returns the numbers of the refused attempts.
fn refused(ledger: &mut PgLedger, run: &OpenRun, batch: Batch) -> Vec<u64> {
    let Recorded { refused, .. } = PgBackend::record(ledger, run, batch).unwrap();
    refused.into_iter().map(|attempt| attempt.0 & u64::from(u32::MAX)).collect()
}

/// Returns the settlements of `facts` without their intents.
fn answer(run: &OpenRun, n: u32, pair: u64, class: Class) -> Batch {
    Batch { intents: Vec::new(), ..facts(run.start, n, &[(pair, Some(class))]) }
}

#[test]
fn an_intent_is_granted_only_by_the_version_of_a_closed_pair() {
    let Some((_place, mut ledger, run)) = open_run() else { return };
    let ledger = &mut ledger;
    assert_eq!(refused(ledger, &run, claim(&run, 1, 7, 0)), [0; 0], "a new pair");
    for version in [0, 1, 2] {
        assert_eq!(refused(ledger, &run, claim(&run, 2, 7, version)), [2], "it is open: {version}");
    }
    refused(ledger, &run, answer(&run, 1, 7, MATCH));
    for version in [0, 1, 3, 65_535] {
        assert_eq!(refused(ledger, &run, claim(&run, 3, 7, version)), [3], "not {version}");
    }
    assert_eq!(refused(ledger, &run, claim(&run, 4, 7, 2)), [0; 0]);
    // An answer and the next intent of its pair in one batch.
    let mut both = claim(&run, 5, 7, 4);
    both.settlements = answer(&run, 4, 7, MATCH).settlements;
    assert_eq!(refused(ledger, &run, both), [0; 0]);
    let versions = rows(ledger, "SELECT version || ' ' || open FROM pairs");
    assert_eq!(versions, ["5 true"]);
    assert_eq!(PgBackend::stored(ledger).facts.len(), 3, "what is refused leaves nothing");
}

#[test]
fn a_start_that_was_declared_dead_keeps_its_answers_and_gets_no_intent() {
    let Some((mut place, mut first, run)) = open_run() else { return };
    refused(&mut first, &run, claim(&run, 1, 7, 0));
    // The next process declares the first one dead.
    let mut second = place.open(WallMs(NOW.0 + 1)).unwrap();
    let in_doubt = [(7, "lost_killed".to_owned(), "own")];
    assert_eq!(known(&mut second, &RunRef::Open(run.id)), in_doubt);
    let mut late = answer(&run, 1, 7, MATCH);
    late.intents = claim(&run, 2, 8, 0).intents;
    assert_eq!(refused(&mut first, &run, late), [2], "its intent is refused");
    let healed = [(7, "match".to_owned(), "own")];
    assert_eq!(known(&mut second, &RunRef::Open(run.id)), healed, "its answer counts");
    let pairs = rows(&second, "SELECT version || ' ' || open || ' ' || class FROM pairs");
    assert_eq!(pairs, ["3 false 1"], "who read the doubt is refused");
    // It lives again, and knows too little of the first pair.
    assert_eq!(refused(&mut first, &run, claim(&run, 3, 8, 0)), [0; 0], "the next batch");
    assert_eq!(refused(&mut first, &run, claim(&run, 4, 7, 2)), [4], "an old version");
    // A purge ends starts that will not come back: what they know no longer holds.
    declare_all_dead(&second, NOW);
    second.purge(WallMs(0), 0).unwrap();
    for n in 5..7 {
        let told = PgBackend::record(&mut first, &run, claim(&run, n, 9, 0)).unwrap();
        assert!(told.taken_over && told.refused.len() == 1, "no intent any more: {told:?}");
    }
}

#[test]
fn batches_that_the_server_has_lost_are_noticed() {
    let Some((_place, mut ledger, run)) = open_run() else { return };
    refused(&mut ledger, &run, claim(&run, 1, 7, 0));
    refused(&mut ledger, &run, claim(&run, 2, 8, 0));
    execute(&ledger, "UPDATE starts SET batch = 1");
    let told = PgBackend::record(&mut ledger, &run, claim(&run, 3, 9, 0)).unwrap_err();
    let said = told.error.to_string();
    assert!(
        said.contains("has lost answers of this run: it had confirmed 2 batches, and now has 1"),
        "{said}"
    );
    assert_eq!((told.error.exit_code(), told.batch.intents.len()), (ExitCode::Storage, 1));
}

/// A reader of one moment knows nothing of the batches that a worker confirms meanwhile.
#[test]
fn a_moment_that_is_over_has_lost_nothing() {
    let Some((place, mut ledger, run)) = open_run() else { return };
    refused(&mut ledger, &run, claim(&run, 1, 7, 0));
    let mut shown = PgLedger::open_to_show(&place.location()).unwrap();
    shown.read_one_moment().unwrap();
    let unsettled = |shown: &PgLedger| shown.run_calls(run.id).unwrap().unsettled();
    assert_eq!(unsettled(&shown), 1);
    refused(&mut ledger, &run, claim(&run, 2, 8, 0));
    assert_eq!(unsettled(&shown), 1, "it is of one moment");
    shown.check_nothing_lost().unwrap();
    assert_eq!(unsettled(&shown), 2, "the moment is over");
}

/// A lost answer: the batch is durable, and it is offered again.
#[test]
fn a_batch_that_is_offered_again_is_recorded_once_and_keeps_its_grants() {
    let Some((_place, mut ledger, run)) = open_run() else { return };
    refused(&mut ledger, &run, claim(&run, 1, 7, 0));
    let mut batch = claim(&run, 2, 8, 0);
    batch.settlements = answer(&run, 1, 7, MATCH).settlements;
    refused(&mut ledger, &run, batch.clone());
    ledger
        .worker
        .ask(async |session| {
            session.forget_the_latest_answer();
            Ok(())
        })
        .unwrap();
    assert_eq!(refused(&mut ledger, &run, batch), [0; 0], "granted before, and still granted");
    assert_eq!(PgBackend::stored(&ledger).facts.len(), 2);
    assert_eq!(rows(&ledger, "SELECT batch::text FROM starts"), ["2"]);
    assert_eq!(refused(&mut ledger, &run, claim(&run, 3, 9, 0)), [0; 0], "the next one");
}

/// The batch was durable, its answer was lost, and then the start was declared dead: its intents
/// are in doubt until the start comes back, and it knows that they were never sent.
#[test]
fn intents_that_were_granted_without_an_answer_are_recalled() {
    let Some((mut place, mut first, run)) = open_run() else { return };
    let batch = claim(&run, 1, 7, 0);
    refused(&mut first, &run, batch.clone());
    let forget = async |session: &mut session::Session| {
        session.forget_the_latest_answer();
        Ok(())
    };
    first.worker.ask(forget).unwrap();
    let mut second = place.open(WallMs(NOW.0 + 1)).unwrap();
    assert_eq!(refused(&mut first, &run, batch), [1]);
    let own = [(7, "not_sent_recalled".to_owned(), "own")];
    assert_eq!(known(&mut second, &RunRef::Open(run.id)), own);
    let again = second.open_run(&opening(1, 1)).unwrap();
    assert_eq!(refused(&mut second, &again, claim(&again, 1, 7, 3)), [0; 0], "it may be asked");
}

#[test]
fn a_refusal_that_no_longer_counts_gives_the_end_before_back() {
    let Some((_place, ledger, run)) = open_run() else { return };
    let mut ledger = record(ledger, &run, &[(1, Some(MATCH))], &[]);
    ledger.end_run(&run, &ending(ExitCode::Complete)).unwrap();
    let next = ledger.open_run(&opening(2, 2)).unwrap();
    let refusal = Class::Refused(Refusal::Other);
    let mut ledger = record(ledger, &next, &[(1, Some(refusal))], &[1]);
    let other = ledger.find_run(&opening(3, 3)).unwrap();
    let earlier = [(1, "Answered(Match)".to_owned(), "earlier")];
    assert_eq!(known(&mut ledger, &other.run), earlier);
}

#[test]
fn a_text_with_a_nul_character_is_stored() {
    let Some((_place, mut ledger, run)) = open_run() else { return };
    let mut batch = facts(run.start, 1, &[(1, Some(MATCH))]);
    batch.settlements[0].texts.set(Text::Remark, Some("a\0b".to_owned()));
    refused(&mut ledger, &run, batch);
    let details = ledger.details(&[AttemptId::of(run.start, 1)]).unwrap();
    assert_eq!(details[0].texts.get(Text::Remark), Some("a\u{FFFD}b"));
}

#[test]
fn living_workers_are_waited_for() {
    if !PgBackend::is_available() {
        return;
    }
    let place = PgBackend::new();
    let mut location = place.location();
    location.lease = Duration::from_millis(900);
    let open = |wait| PgLedger::open(&location, Duration::from_secs(wait), || NOW).unwrap();
    let mut ledger = open(0);
    ledger.open_run(&opening(1, 1)).unwrap();
    let refused = open(0).purge(NOW, 0).unwrap_err();
    let said = refused.to_string();
    assert!(
        said.contains("run 1 is under way on ") && said.contains("a purge is possible only"),
        "{said}"
    );
    assert_eq!(refused.exit_code(), ExitCode::LedgerBusy);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| open(20).purge(NOW, 0).map(drop));
        std::thread::sleep(Duration::from_millis(1500));
        assert!(!waiting.is_finished(), "it lives for longer than a lease, because it beats");
        drop(ledger);
        waiting.join().unwrap().unwrap();
    });
    // Whoever may be dead is observed for a lease, without --lock-wait too.
    let mut dead = open(0);
    dead.open_run(&opening(1, 1)).unwrap();
    drop(dead);
    std::thread::sleep(Duration::from_secs(1));
    open(0).purge(NOW, 0).unwrap();
}

#[test]
fn a_worker_that_beats_is_not_declared_dead() {
    let Some((_place, mut ledger, run)) = open_run() else { return };
    refused(&mut ledger, &run, claim(&run, 1, 7, 0));
    let declare = |number: u64| {
        let (start, now) = (run.start, WallMs(NOW.0 + 1));
        let declared = ledger.worker.ask(async move |session: &mut session::Session| {
            let told = reap::declare_dead_if_silent(&session.client, &[(start, number)], now).await;
            told.map_err(session.write_failed())
        });
        declared.unwrap();
        rows(
            &ledger,
            "SELECT concat_ws(' ', generation, is_dead) FROM starts JOIN beats ON id = start",
        )
    };
    execute(&ledger, "UPDATE beats SET number = 8");
    assert_eq!(declare(7), ["0 f"], "it has beaten since it was observed");
    assert_eq!(declare(8), ["1 t"]);
    assert_eq!(declare(8), ["1 t"], "once is enough");
    let orphans = rows(&ledger, "SELECT count(*)::text FROM orphans");
    assert_eq!(orphans, ["1"]);
}

#[test]
fn workers_of_one_run_hear_of_each_other() {
    let Some((place, mut first, run)) = open_run() else { return };
    let location = place.location();
    let open = || PgLedger::open(&location, Duration::ZERO, || NOW).unwrap();
    let mut second = open();
    let joined = second.open_run(&opening(1, 1)).unwrap();
    assert_eq!((joined.id, joined.found.run), (run.id, RunRef::Open(run.id)));
    let living = |ledger: &mut PgLedger, run: &OpenRun| -> Vec<u32> {
        ledger.others(run).unwrap().living.iter().map(|worker| worker.start.0).collect()
    };
    assert_eq!((living(&mut first, &run), living(&mut second, &joined)), (vec![2], vec![1]));
    // A pair that is open with one worker is not read as a doubt by the other one.
    refused(&mut first, &run, claim(&run, 1, 7, 0));
    assert_eq!(known(&mut second, &RunRef::Open(run.id)), []);
    let mut third = open();
    let rules = "limited=true".to_owned();
    let limited = crate::ledger::StartRequest { is_limited: true, rules, ..opening(1, 1) };
    let told = third.open_run(&limited).unwrap_err().to_string();
    assert!(told.contains("its workers have other flags"), "{told}");
    let changed = third.open_run(&opening(2, 1)).unwrap_err().to_string();
    assert!(changed.contains("the file has changed"), "{changed}");
    let finished = crate::ledger::StartEnd {
        output: Some("/out/o.csv".to_owned()),
        ..ending(ExitCode::Complete)
    };
    second.end_run(&joined, &finished).unwrap();
    let others = first.others(&run).unwrap();
    let delivered = others.delivered.unwrap();
    assert_eq!(
        (delivered.exit, delivered.output.as_deref()),
        (ExitCode::Complete, Some("/out/o.csv"))
    );
    assert!(others.living.is_empty() && !delivered.host.is_empty());
}

#[test]
fn of_workers_that_leave_the_last_one_sees_nobody() {
    let Some((place, mut first, run)) = open_run() else { return };
    let mut second = PgLedger::open(&place.location(), Duration::ZERO, || NOW).unwrap();
    let joined = second.open_run(&opening(1, 1)).unwrap();
    assert_eq!(first.leave(&run).unwrap().living.len(), 1);
    assert_eq!(second.leave(&joined).unwrap().living.len(), 0, "the first one has not ended yet");
    // What is not settled when a start ends is lost.
    refused(&mut first, &run, claim(&run, 1, 7, 0));
    first.end_start(&run, &ending(ExitCode::Budget)).unwrap();
    assert_eq!(rows(&second, "SELECT open::text FROM pairs"), ["false"]);
}

#[test]
fn facts_have_the_time_of_the_server() {
    if !PgBackend::is_available() {
        return;
    }
    // The clock of this machine is many years slow.
    let place = PgBackend::new();
    let ledger = PgLedger::open(&place.location(), Duration::ZERO, || NOW).unwrap();
    let mut ledger = ledger.keep_server_time().unwrap();
    let run = ledger.open_run(&opening(1, 1)).unwrap();
    let mut ledger = record(ledger, &run, &[(1, Some(MATCH))], &[]);
    let at = ledger.time_of(NOW);
    let ended = crate::ledger::StartEnd { at, ..ending(ExitCode::Complete) };
    ledger.end_run(&run, &ended).unwrap();
    let times = "SELECT (least(i.at, s.at, r.created_at, r.ended_at, t.began_at, t.ended_at)
            > extract(epoch FROM now() - interval '1 minute') * 1000)::text
        FROM intents i, settlements s, runs r, starts t";
    assert_eq!(rows(&ledger, times), ["true"]);
}
