//! The suite that every kind of ledger has to pass, written against the traits.
//!
//! A new kind of ledger needs a [`Backend`] and a line at the end of this file.

mod recorded;
mod shown;

use recorded::*;
use shown::*;

use super::facts::{NOW, ending, facts, known, opening, record, record_all};
use super::{Backend, Trap};
use crate::ledger::{
    DayTotal, Doubt, Facts, FoundRun, Identity, Ledger, LedgerError, Preview, Recorded, RunId,
    RunLine, RunRef, ShowLedger, StartRequest, StartRole, SupersededRun, Unrecorded,
};
use crate::model::attempt::{AttemptId, Batch, StartId, WallMs};
use crate::model::class::{Class, Lost, Refusal, ResultCode, Trouble};
use crate::model::exit_code::ExitCode;
use crate::model::money::Tally;
use crate::model::texts::Text;
use crate::rules::body::BodyKind;
use crate::rules::pair_table::PairTable;
use crate::rules::rate::{Learned, Remembered};
use crate::rules::testing::key;

const MATCH: Class = Class::Answered(ResultCode::Match);
const CUT: Class = Class::InDoubt(Lost::Cut);
const KILLED: Class = Class::InDoubt(Lost::Killed);
const REFUSED: Class = Class::Refused(Refusal::Other);
const LATER: WallMs = WallMs(2_000_000_000_000);

/// Returns what [`known`] returns for one fact.
fn said(pair: u32, what: &str, whose: &'static str) -> (u32, String, &'static str) {
    (pair, what.to_owned(), whose)
}

/// Returns the status of a ledger, with days in UTC.
fn status(ledger: &impl ShowLedger) -> crate::ledger::Status {
    ledger.status(0, 9).unwrap()
}

fn an_open_run_goes_on_with_its_own_facts_and_the_dead_are_in_doubt<B: Backend>() {
    let mut place = B::new();
    let mut ledger = place.open(NOW).unwrap();
    let run = ledger.open_run(&opening(1, 1)).unwrap();
    assert_eq!(run.found.run, RunRef::New { takes_over: None });
    let of = [(1, Some(MATCH)), (2, None), (3, Some(REFUSED)), (4, Some(REFUSED))];
    let ledger = record(ledger, &run, &of, &[4]);
    place.kill(Some(ledger), None);

    let mut ledger = place.open(LATER).unwrap();
    let stored = B::stored(&ledger).facts;
    assert_eq!(stored[1].settled, Some((KILLED, LATER.0)), "it is a fact now");
    let again = ledger.open_run(&opening(1, 1)).unwrap();
    assert_eq!((again.id, again.found.earlier_starts), (run.id, 1));
    assert_eq!(again.found.run, RunRef::Open(run.id));
    assert_eq!(again.found.answers_since, run.found.answers_since, "fixed at the first start");
    let expected = [
        said(1, "match", "own"),
        said(2, "lost_killed", "own"),
        said(3, "refused", "own"),
        said(4, "void", "own"),
    ];
    assert_eq!(known(&mut ledger, &RunRef::Open(run.id)), expected);
}

fn a_start_that_ended_leaves_nothing_to_settle<B: Backend>() {
    let mut place = B::new();
    let mut ledger = place.open(NOW).unwrap();
    let run = ledger.open_run(&opening(1, 1)).unwrap();
    let mut ledger = record(ledger, &run, &[(1, Some(MATCH)), (2, Some(CUT))], &[]);
    ledger.end_start(&run, &ending(ExitCode::Budget)).unwrap();
    let before = B::stored(&ledger);
    place.kill(Some(ledger), None);
    assert_eq!(B::stored(&place.open(LATER).unwrap()), before);
}

fn numbers_of_attempts_belong_to_their_start<B: Backend>() {
    let mut place = B::new();
    let mut ledger = place.open(NOW).unwrap();
    for n in 1..=3 {
        let run = ledger.open_run(&opening(1, 1)).unwrap();
        assert_eq!(run.start, StartId(n));
        ledger = record(ledger, &run, &[(u64::from(n), Some(MATCH))], &[]);
        ledger.end_start(&run, &ending(ExitCode::Budget)).unwrap();
    }
    let run = ledger.open_run(&opening(1, 1)).unwrap();
    ledger.end_run(&run, &ending(ExitCode::Complete)).unwrap();
    assert_eq!(ledger.purge(LATER, 0).unwrap().attempts, 3);
    place.kill(Some(ledger), None);
    let start = place.open(NOW).unwrap().open_run(&opening(2, 2)).unwrap().start;
    assert_eq!(start, StartId(5), "none is given twice, also after a purge");
}

fn all_of_a_batch_or_nothing_is_recorded<B: Backend>() {
    let mut place = B::new();
    let mut ledger = place.open(NOW).unwrap();
    let run = ledger.open_run(&opening(1, 1)).unwrap();
    let good = facts(run.start, 1, &[(1, Some(MATCH)), (2, None)]);
    // The settlement of attempt 1 is recorded already.
    let mut twice = facts(run.start, 3, &[(3, Some(MATCH))]);
    twice.settlements.push(good.settlements[0].clone());
    let again = facts(run.start, 2, &[(2, None)]);
    let (ledger, told) = record_all(ledger, &run, [good, twice.clone(), again.clone()]);
    assert_eq!(told[0].as_ref().unwrap(), &Recorded::default());
    let handed_back = |told: &Result<Recorded, Box<Unrecorded>>, batch: Batch| {
        let refused = told.as_ref().unwrap_err();
        assert_eq!(refused.batch, batch, "it is handed back");
        assert!(matches!(refused.error, LedgerError::Storage { .. }));
    };
    handed_back(&told[1], twice);
    match &told[2] {
        // A ledger that grants intents does not grant this one.
        Ok(Recorded { refused, .. }) => assert_eq!(refused, &[AttemptId::of(run.start, 2)]),
        told => handed_back(told, again),
    }
    assert_eq!(B::stored(&ledger).facts.len(), 2);
}

fn a_storage_that_fails_records_nothing_and_works_again<B: Backend>() {
    for trap in [Trap::ReadOnly, Trap::Full] {
        let mut place = B::new();
        let mut ledger = place.open(NOW).unwrap();
        let run = ledger.open_run(&opening(1, 1)).unwrap();
        // More facts than fit into the free pages of an SQLite file.
        let many: Vec<(u64, Option<Class>)> = (1..2000).map(|pair| (pair, Some(MATCH))).collect();
        let batch = facts(run.start, 1, &many);
        B::set_trap(&ledger, Some(trap));
        let (back, told) = record_all(ledger, &run, [batch.clone()]);
        let refused = told.into_iter().next().unwrap().unwrap_err();
        assert_eq!((refused.error.exit_code(), refused.batch), (ExitCode::Storage, batch.clone()));
        B::set_trap(&back, None);
        assert!(B::stored(&back).facts.is_empty());
        let (back, told) = record_all(back, &run, [batch]);
        assert!(told[0].is_ok() && B::stored(&back).facts.len() == 1999, "{trap:?}");
    }
}

fn a_finished_runs_facts_are_found_merged_or_not_and_the_latest_wins<B: Backend>() {
    let mut place = B::new();
    let mut ledger = place.open(NOW).unwrap();
    let first = ledger.open_run(&opening(1, 1)).unwrap();
    let trouble = Class::Retry(Trouble::Internal);
    ledger = record(ledger, &first, &[(1, Some(MATCH)), (2, Some(trouble)), (3, Some(CUT))], &[]);
    ledger.end_run(&first, &ending(ExitCode::SomeWithoutVerdict)).unwrap();
    // The run of another file is cut short, so its facts are not merged.
    let second = ledger.open_run(&opening(2, 2)).unwrap();
    ledger = record(ledger, &second, &[(3, Some(MATCH)), (5, Some(MATCH))], &[]);
    ledger.end_start(&second, &ending(ExitCode::Budget)).unwrap();

    let expected = [
        said(1, "Answered(Match)", "earlier"),
        said(3, "Answered(Match)", "earlier"),
        said(5, "Answered(Match)", "earlier"),
    ];
    let third = ledger.open_run(&opening(3, 3)).unwrap();
    assert_eq!(known(&mut ledger, &third.found.run), expected, "not begun");
    assert_eq!(known(&mut ledger, &RunRef::Open(third.id)), expected, "begun");
    ledger.end_run(&third, &ending(ExitCode::Complete)).unwrap();
    let fourth = ledger.find_run(&opening(4, 4)).unwrap();
    assert_eq!(known(&mut ledger, &fourth.run), expected, "merged");
    assert_eq!(known(&mut ledger, &fourth.run), expected, "reading changes nothing");
    let mut own = known(&mut ledger, &RunRef::Open(second.id));
    own.retain(|(_, _, whose)| *whose == "own");
    assert_eq!(own, [said(3, "match", "own"), said(5, "match", "own")]);
}

fn a_changed_file_takes_the_open_run_over<B: Backend>() {
    let mut place = B::new();
    let mut ledger = place.open(NOW).unwrap();
    let run = ledger.open_run(&opening(1, 7)).unwrap();
    ledger = record(ledger, &run, &[(1, Some(MATCH)), (2, Some(CUT)), (3, None)], &[]);
    let read_otherwise = StartRequest {
        identity: Identity { fingerprint: [1; 16], columns: "2,1".to_owned() },
        ..opening(1, 7)
    };
    for (opening, file_changed) in [(opening(2, 7), true), (read_otherwise, false)] {
        let RunRef::New { takes_over: Some(older) } = ledger.find_run(&opening).unwrap().run else {
            panic!("it takes none over")
        };
        let SupersededRun { run: id, file_changed: changed, tally } = older;
        assert_eq!((id, changed), (run.id, file_changed));
        assert_eq!((tally.calls, tally.confirmed, tally.possible.in_doubt), (3, 1, 2));
    }
    let other = ledger.find_run(&opening(2, 8)).unwrap();
    assert!(other.run == RunRef::New { takes_over: None } && !other.had_starts());

    place.kill(Some(ledger), None);
    ledger = place.open(NOW).unwrap();
    let changed = ledger.open_run(&opening(2, 7)).unwrap();
    assert!(changed.found.had_starts() && changed.found.earlier_starts == 0);
    ledger.end_start(&changed, &ending(ExitCode::Budget)).unwrap();
    let again = ledger.open_run(&opening(3, 7)).unwrap();
    // While the run is open, a purge keeps what the run took over.
    let purged = ledger.purge(LATER, 0).unwrap();
    assert_eq!((purged.attempts, purged.kept), (0, 3));
    let taken = known(&mut ledger, &RunRef::Open(again.id));
    assert_eq!(taken[0], said(1, "Answered(Match)", "taken over"));
    assert_eq!(known(&mut ledger, &again.found.run), taken, "seen before it began, too");
    let states: Vec<String> = status(&ledger).runs.into_iter().map(|r| r.state).collect();
    assert_eq!(states, ["superseded", "superseded", "open"]);
    ledger.end_run(&again, &ending(ExitCode::Complete)).unwrap();
    assert_eq!(ledger.purge(LATER, 0).unwrap().attempts, 1);
}

fn a_preview_sees_what_the_next_start_finds<B: Backend>() {
    let mut place = B::new();
    let nothing = place.preview().unwrap().read(|_| Ok::<_, LedgerError>(())).unwrap();
    assert_eq!(nothing, None);
    let mut ledger = place.open(NOW).unwrap();
    let hasher = ledger.hasher();
    let run = ledger.open_run(&opening(1, 1)).unwrap();
    let ledger = record(ledger, &run, &[(1, Some(MATCH)), (2, None), (3, Some(REFUSED))], &[]);
    let openings = [opening(1, 1), opening(2, 1), opening(3, 3)];
    let seen = |place: &B| {
        let preview = place.preview().unwrap();
        let subject = crate::rules::testing::subject("3275010101900001", "BUDI");
        assert_eq!(preview.hasher().pair(&subject), hasher.pair(&subject));
        openings.clone().map(|opening| {
            let read = preview.read(|facts| {
                let found = facts.find_run(&opening)?;
                let known = known(facts, &found.run);
                Ok::<_, LedgerError>((found, known, facts.unsettled()?))
            });
            read.unwrap().unwrap()
        })
    };
    let beside = seen(&place);
    assert!(beside[0].1.contains(&said(2, "lost_killed", "own")) && beside[0].2 == 1);
    place.kill(Some(ledger), None);
    assert_eq!(seen(&place), beside);
    for (opening, (found, foreseen, _)) in openings.iter().zip(&beside) {
        let mut ledger = place.open(LATER).unwrap();
        assert_eq!(&ledger.find_run(opening).unwrap(), found);
        assert_eq!(&known(&mut ledger, &found.run), foreseen);
        drop(ledger);
    }
    let mut ledger = place.open(LATER).unwrap();
    let FoundRun { earlier_starts, .. } = ledger.open_run(&opening(1, 1)).unwrap().found;
    assert_eq!(earlier_starts, 1, "looking began none");
}

fn details_are_those_that_were_asked_for<B: Backend>() {
    let mut place = B::new();
    let mut ledger = place.open(NOW).unwrap();
    let one = ledger.open_run(&opening(1, 1)).unwrap();
    let many: Vec<_> = (1..=100).map(|n| (n, (n != 50).then_some(MATCH))).collect();
    ledger = record(ledger, &one, &many, &[]);
    let other = ledger.open_run(&opening(1, 1)).unwrap();
    ledger = record(ledger, &other, &[(101, Some(MATCH)), (102, Some(MATCH))], &[]);
    let id = |pair: u32| match pair {
        101.. => AttemptId::of(other.start, pair - 100),
        _ => AttemptId::of(one.start, pair),
    };
    for wanted in [
        vec![],
        vec![7],
        vec![3, 1, 2, 50],
        vec![1, 100],
        vec![7, 7],
        vec![2, 9, 17, 98],
        vec![1, 99, 101, 102],
        vec![77, 999],
    ] {
        let asked: Vec<AttemptId> = wanted.iter().copied().map(id).collect();
        let mut expected: Vec<u32> = wanted.into_iter().filter(|n| *n != 50 && *n < 103).collect();
        expected.sort_unstable();
        expected.dedup();
        let found = ledger.details(&asked).unwrap();
        let expected: Vec<_> =
            expected.into_iter().map(|pair| (id(pair), Some(format!("r{pair}")))).collect();
        let found: Vec<_> = found
            .iter()
            .map(|d| (d.attempt, d.texts.get(Text::Remark).map(str::to_owned)))
            .collect();
        assert_eq!(found, expected);
    }
}

fn an_overlong_text_is_cut_before_it_is_stored<B: Backend>() {
    let mut place = B::new();
    let mut ledger = place.open(NOW).unwrap();
    let run = ledger.open_run(&opening(1, 1)).unwrap();
    let mut batch = facts(run.start, 1, &[(1, Some(MATCH))]);
    batch.settlements[0].texts.set(Text::Reason, Some("x".repeat(200_000)));
    let (mut ledger, _) = record_all(ledger, &run, [batch]);
    let asked = [AttemptId::of(run.start, 1)];
    let details = ledger.details(&asked).unwrap();
    let kept = details[0].texts.get(Text::Reason).unwrap();
    assert!(kept.ends_with("x…[cut]") && kept.len() < 4200, "{}", kept.len());
}

fn few_pairs_and_many_find_the_same<B: Backend>() {
    let mut place = B::new();
    let mut ledger = place.open(NOW).unwrap();
    let run = ledger.open_run(&opening(1, 1)).unwrap();
    let of: Vec<_> = (1..=400).map(|pair| (2 * pair, Some(MATCH))).collect();
    ledger = record(ledger, &run, &of, &[]);
    ledger.end_run(&run, &ending(ExitCode::Complete)).unwrap();
    let next = ledger.find_run(&opening(2, 2)).unwrap().run;
    let ends = |ledger: &mut B::Ledger, pairs: &[u64]| {
        let keys = PairTable::new(pairs.iter().copied().map(key).collect()).keys();
        let mut found = Vec::new();
        ledger
            .visit_earlier(&next, &keys, &mut |at, standing| {
                found.extend(standing.end.map(|fact| (at.0, fact.attempt)));
            })
            .unwrap();
        found.sort_unstable();
        found
    };
    for few in [vec![2, 3, 400, 401, 800, 801], vec![1], vec![800], (1..=19).collect()] {
        let expected: Vec<_> = (0..)
            .zip(&few)
            .filter(|(_, pair)| **pair % 2 == 0 && **pair <= 800)
            .map(|(at, pair)| (at, AttemptId::of(run.start, *pair as u32 / 2)))
            .collect();
        assert_eq!(ends(&mut ledger, &few), expected, "{few:?}");
        // With many other keys, the same pairs are found by a sweep.
        let many: Vec<u64> = few.iter().copied().chain(10_000..10_030).collect();
        assert_eq!(ends(&mut ledger, &many), expected, "{few:?}");
    }
}

fn a_finished_run_of_a_name_is_found_and_not_begun_anew<B: Backend>() {
    let mut place = B::new();
    let mut ledger = place.open(NOW).unwrap();
    let once = StartRequest { role: StartRole::BeginsOnce, ..opening(1, 1) };
    let run = ledger.open_run(&once).unwrap();
    assert_eq!(run.found.run, RunRef::New { takes_over: None });
    ledger = record(ledger, &run, &[(1, Some(MATCH)), (2, Some(CUT))], &[]);
    assert_eq!(ledger.find_run(&once).unwrap().run, RunRef::Open(run.id), "it goes on");
    ledger.end_run(&run, &ending(ExitCode::SomeWithoutVerdict)).unwrap();
    let found = ledger.find_run(&once).unwrap();
    let exit = ExitCode::SomeWithoutVerdict;
    assert_eq!(found.run, RunRef::Finished { run: run.id, exit });
    assert_eq!((found.earlier_starts, found.starts()), (1, 1));
    let own = [said(1, "match", "own"), said(2, "lost_connection", "own")];
    assert_eq!(known(&mut ledger, &found.run), own);
    let other = StartRequest { role: StartRole::BeginsOnce, ..opening(2, 2) };
    for begun_anew in [opening(1, 1), other] {
        let found = ledger.find_run(&begun_anew).unwrap().run;
        assert_eq!(found, RunRef::New { takes_over: None });
    }
}

fn the_body_that_was_taken_is_remembered<B: Backend>() {
    let mut place = B::new();
    let mut ledger = place.open(NOW).unwrap();
    assert_eq!(ledger.remembered_body().unwrap(), None);
    for kind in [BodyKind::Form, BodyKind::Json] {
        ledger.remember_body(kind).unwrap();
        assert_eq!(ledger.remembered_body().unwrap(), Some(kind));
    }
}

fn what_was_learned_of_the_rate_is_remembered_by_account<B: Backend>() {
    let mut place = B::new();
    let mut ledger = place.open(NOW).unwrap();
    assert_eq!(ledger.remembered_rate(None).unwrap(), None);
    let learned = |ceiling| Learned { ceiling: Some(ceiling), ..Learned::default() };
    let at = |at, ceiling| Remembered { learned: learned(ceiling), at: WallMs(at) };
    let [one, other] = [[1; 16], [2; 16]];
    for (account, remembered) in [(one, at(5, 40.0)), (other, at(7, 70.0)), (one, at(6, 50.0))] {
        ledger.remember_rate(&account, remembered).unwrap();
    }
    let of = |ledger: &mut B::Ledger, account| ledger.remembered_rate(account).unwrap();
    assert_eq!(of(&mut ledger, Some(&one)), Some(at(6, 50.0)));
    assert_eq!(of(&mut ledger, Some(&other)), Some(at(7, 70.0)));
    assert_eq!(of(&mut ledger, Some(&[3; 16])), None);
    assert_eq!(of(&mut ledger, None), Some(at(7, 70.0)), "the latest of any account");
}

/// Generates the tests of the suite for one ledger.
macro_rules! suite {
    ($name:ident, $backend:ty: $($test:ident)*) => {
        mod $name {
            $(#[test]
            fn $test() {
                if <$backend as super::Backend>::is_available() {
                    super::$test::<$backend>();
                }
            })*
        }
    };
}

/// Generates the tests of the suite for each ledger.
macro_rules! suites {
    ($($name:ident, $backend:ty;)*) => {
        $(suite! { $name, $backend:
            an_open_run_goes_on_with_its_own_facts_and_the_dead_are_in_doubt
            a_start_that_ended_leaves_nothing_to_settle
            numbers_of_attempts_belong_to_their_start
            all_of_a_batch_or_nothing_is_recorded
            a_storage_that_fails_records_nothing_and_works_again
            a_finished_runs_facts_are_found_merged_or_not_and_the_latest_wins
            a_run_that_has_begun_is_found_again
            a_start_notes_what_it_is_and_its_pauses
            the_sums_of_each_start_are_told
            the_calls_of_a_run_are_told
            a_call_without_an_answer_is_at_its_intent
            facts_that_came_after_an_output_are_left_out
            the_calls_of_a_time_are_told_by_both_clocks
            charges_that_are_not_certain_are_listed
            a_changed_file_takes_the_open_run_over
            a_preview_sees_what_the_next_start_finds
            details_are_those_that_were_asked_for
            an_overlong_text_is_cut_before_it_is_stored
            few_pairs_and_many_find_the_same
            a_purge_keeps_doubts_open_runs_and_the_days_totals
            a_doubt_stands_again_where_the_answer_after_it_is_purged
            the_history_is_of_answers_alone
            a_status_shows_runs_doubts_and_days
            the_end_of_a_start_is_told_until_the_next
            a_finished_run_of_a_name_is_found_and_not_begun_anew
            the_body_that_was_taken_is_remembered
            what_was_learned_of_the_rate_is_remembered_by_account
        })*
    };
}

suites! {
    sqlite, crate::ledger::testing::SqliteBackend;
    memory, crate::ledger::testing::MemoryBackend;
    postgres, crate::ledger::testing::PgBackend;
}
