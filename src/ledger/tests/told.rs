//! What the ledger tells: to a person, and to the next run.

use std::thread;

use super::*;
use crate::ledger::status::{Doubt, RunLine};

fn answered(code: ResultCode) -> Option<Class> {
    Some(Class::Answered(code))
}

#[tokio::test]
async fn a_status_is_the_whole_story() {
    let place = Place::new();
    let mut ledger = place.open();
    let run = ledger.open_run(&opening(1, 1)).unwrap();
    let facts = [
        (1, Some(MATCH)),
        (2, None),
        (3, Some(Class::InDoubt(Lost::Cut))),
        (4, answered(ResultCode::Failed)),
    ];
    let mut ledger = record(ledger, &run, &facts, &[]).await;
    ledger.end_start(&run, &ending(13)).unwrap();
    let status = ledger.status(0, 10).unwrap();
    assert_eq!((status.unsettled, status.doubts_total, ledger.unsettled().unwrap()), (1, 1, 1));
    drop(ledger);

    // The next start settles what the dead one left.
    let mut ledger = place.open();
    let again = ledger.open_run(&opening(1, 1)).unwrap();
    ledger = record(ledger, &again, &[(5, Some(MATCH))], &[]).await;
    assert_eq!(ledger.unsettled().unwrap(), 0);
    ledger.end_run(&again, &ending(3)).unwrap();
    let other = ledger.open_run(&opening(2, 2)).unwrap();
    let status = ledger.status(0, 1).unwrap();

    let line = |id, state: &str, tally| RunLine {
        id,
        label: "customers.csv".to_owned(),
        rows: 3,
        state: state.to_owned(),
        created_at: WallMs(1_000_000_000_000),
        ended_at: None,
        starts: 1,
        last_stop: None,
        last_exit: None,
        tally,
    };
    let tally = status.runs[0].tally;
    assert_eq!((tally.calls, tally.confirmed, tally.possible.in_doubt), (5, 2, 2));
    let first = RunLine {
        ended_at: Some(WallMs(1_000_000_000_500)),
        starts: 2,
        last_exit: Some(3),
        ..line(run.id, "finished", tally)
    };
    assert_eq!(status.runs, [first, line(other.id, "open", Tally::default())]);
    assert_eq!((status.unsettled, status.doubts_total), (0, 2));
    // The newest alone, as was asked.
    let doubt = Doubt {
        run: run.id,
        record: 3,
        at: WallMs(1_000_000_000_000),
        class: Class::InDoubt(Lost::Cut),
    };
    assert_eq!(status.doubts, [doubt]);
    let days: Vec<(i64, u64)> = status.days.iter().map(|day| (day.day, day.tally.calls)).collect();
    assert_eq!(days, [(11_574, 5)]);
    let tomorrow = ledger.status(86_400_000, 1).unwrap().days;
    assert_eq!(tomorrow[0].day, 11_575, "days are those of the caller's clock");
}

#[tokio::test]
async fn how_a_start_ended_is_told_until_the_next() {
    let place = Place::new();
    let mut ledger = place.open();
    let run = ledger.open_run(&opening(1, 1)).unwrap();
    ledger.end_start(&run, &ending(13)).unwrap();
    let told = |ledger: &SqliteLedger| {
        let line = ledger.status(0, 1).unwrap().runs.remove(0);
        (line.state, line.last_stop, line.last_exit)
    };
    assert_eq!(told(&ledger), ("open".to_owned(), Some("budget".to_owned()), Some(13)));
    let run = ledger.open_run(&opening(1, 1)).unwrap();
    assert_eq!(told(&ledger), ("open".to_owned(), None, None));
    ledger.end_run(&run, &ending(0)).unwrap();
    assert_eq!(told(&ledger), ("finished".to_owned(), None, Some(0)));
}

#[tokio::test]
async fn a_run_that_is_cut_short_is_told_with_what_it_cost() {
    let place = Place::new();
    let mut ledger = place.open();
    let run = ledger.open_run(&opening(1, 1)).unwrap();
    let facts = [(1, Some(MATCH)), (2, answered(ResultCode::Mismatch)), (3, None)];
    let mut ledger = record(ledger, &run, &facts, &[]).await;
    assert_eq!(ledger.find_run(&opening(1, 1)).unwrap().cut_short, None);
    let read_otherwise = Opening {
        identity: Identity { fingerprint: [1; 16], columns: "2,1".to_owned() },
        ..opening(1, 1)
    };
    for (opening, file_changed) in [(opening(2, 1), true), (read_otherwise, false)] {
        let cut_short = ledger.find_run(&opening).unwrap().cut_short.unwrap();
        let CutShort { file_changed: changed, tally } = cut_short;
        assert_eq!(changed, file_changed);
        assert_eq!((tally.calls, tally.confirmed, tally.possible.in_doubt), (3, 2, 1));
    }
    assert_eq!(ledger.find_run(&opening(2, 2)).unwrap().cut_short, None, "another file");
}

/// The ends of these pairs, as the run finds them.
fn ends(ledger: &mut SqliteLedger, run: &OpenRun, pairs: &[u64]) -> Vec<(u32, u64)> {
    let keys = PairTable::new(pairs.iter().copied().map(key).collect()).keys();
    let mut found = Vec::new();
    ledger.earlier(run, &keys, &mut |at, fact| found.push((at.0, fact.attempt.0))).unwrap();
    found
}

#[tokio::test]
async fn a_small_file_looks_up_and_a_large_one_sweeps_and_both_find_the_same() {
    let place = Place::new();
    let mut ledger = place.open();
    let run = ledger.open_run(&opening(1, 1)).unwrap();
    let facts: Vec<_> = (1..=400).map(|pair| (2 * pair, Some(MATCH))).collect();
    let mut ledger = record(ledger, &run, &facts, &[]).await;
    ledger.end_run(&run, &ending(0)).unwrap();
    let run = ledger.open_run(&opening(2, 2)).unwrap();
    for few in [vec![2, 3, 400, 401, 800, 801], vec![1], vec![800], (1..=19).collect()] {
        let expected: Vec<(u32, u64)> = (0..)
            .zip(&few)
            .filter(|(_, pair)| **pair % 2 == 0 && **pair <= 800)
            .map(|(at, pair)| (at, pair / 2))
            .collect();
        assert_eq!(ends(&mut ledger, &run, &few), expected, "{few:?}");
        // The same pairs beside many that nobody asked for.
        let many: Vec<u64> = few.iter().copied().chain(10_000..10_030).collect();
        assert_eq!(ends(&mut ledger, &run, &many), expected, "{few:?}");
    }
}

#[tokio::test]
async fn a_run_ends_also_where_there_is_no_room_for_the_merge() {
    let place = Place::new();
    let mut ledger = place.open();
    let run = ledger.open_run(&opening(1, 1)).unwrap();
    let mut ledger = record(ledger, &run, &[(1, Some(MATCH)), (2, Some(MATCH))], &[]).await;
    let full = "CREATE TEMP TRIGGER full BEFORE INSERT ON main.standings
                BEGIN SELECT RAISE(ABORT, 'full'); END";
    ledger.connection.execute_batch(full).unwrap();
    ledger.end_run(&run, &ending(0)).unwrap();
    assert_eq!(ledger.status(0, 1).unwrap().runs[0].state, "finished");
    let next = ledger.open_run(&opening(2, 2)).unwrap();
    assert_eq!(ends(&mut ledger, &next, &[1, 2]), [(0, 1), (1, 2)], "found without it");
    ledger.connection.execute_batch("DROP TRIGGER full").unwrap();
    ledger.end_run(&next, &ending(0)).unwrap();
    assert_eq!(ledger.merged_to().unwrap(), 2, "and merged by the next");
}

#[tokio::test]
async fn details_are_those_that_were_asked_for() {
    let place = Place::new();
    let mut ledger = place.open();
    let run = ledger.open_run(&opening(1, 1)).unwrap();
    let facts: Vec<_> = (1..=100).map(|pair| (pair, Some(MATCH))).collect();
    let mut ledger = record(ledger, &run, &facts, &[]).await;
    for wanted in [vec![], vec![7], vec![1, 3], vec![1, 100], vec![2, 9, 17, 98]] {
        let asked: Vec<AttemptId> = wanted.iter().copied().map(AttemptId).collect();
        let told = ledger.details(&asked).unwrap();
        let found: Vec<u64> = told.iter().map(|detail| detail.attempt.0).collect();
        assert_eq!(found, wanted);
    }
}

#[test]
fn the_body_that_was_taken_is_remembered() {
    let place = Place::new();
    let mut ledger = place.open();
    assert_eq!(ledger.remembered_body().unwrap(), None);
    for kind in [BodyKind::Form, BodyKind::Json] {
        ledger.remember_body(kind).unwrap();
        assert_eq!(ledger.remembered_body().unwrap(), Some(kind));
    }
}

#[test]
fn a_held_ledger_is_waited_for_as_long_as_was_asked() {
    let place = Place::new();
    let held = place.open();
    let take = |wait| Lock::take(&place.location().ledger, Duration::from_millis(wait));
    assert!(matches!(take(0), Err(LedgerError::Locked(_))));
    assert!(matches!(take(1), Err(LedgerError::Locked(_))));
    thread::scope(|scope| {
        let waits = scope.spawn(|| take(60_000).map(drop));
        thread::sleep(Duration::from_millis(50));
        drop(held);
        assert!(waits.join().unwrap().is_ok());
    });
}
