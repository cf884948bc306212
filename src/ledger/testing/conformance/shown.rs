//! The part of the suite about what a ledger shows, and what a purge leaves of it.

use super::*;
use crate::ledger::Purgeable;

pub(super) fn a_purge_keeps_doubts_open_runs_and_the_days_totals<B: Backend>() {
    let mut place = B::new();
    let mut ledger = place.open(NOW).unwrap();
    let done = ledger.open_run(&opening(1, 1)).unwrap();
    ledger = record(ledger, &done, &[(1, Some(MATCH)), (2, Some(CUT)), (3, Some(MATCH))], &[]);
    ledger.end_run(&done, &ending(ExitCode::SomeWithoutVerdict)).unwrap();
    let open = ledger.open_run(&opening(2, 2)).unwrap();
    ledger = record(ledger, &open, &[(4, Some(MATCH))], &[]);
    let before = status(&ledger);

    let nothing = ledger.purge(WallMs(1), 0).unwrap();
    assert_eq!((nothing.attempts, nothing.kept), (0, 0));
    assert_eq!(ledger.purgeable(WallMs(1)).unwrap(), Purgeable::default());
    let expected = Purgeable { attempts: 2, charged: 2, kept: 2 };
    assert_eq!(ledger.purgeable(LATER).unwrap(), expected);
    let purged = ledger.purge(LATER, 0).unwrap();
    assert_eq!((purged.attempts, purged.kept, purged.wiped), (2, 2, true));
    let after = status(&ledger);
    assert_eq!((after.days, after.doubts_total), (before.days, 1));

    let third = ledger.find_run(&opening(3, 3)).unwrap().run;
    let found: Vec<u32> = known(&mut ledger, &third).iter().map(|fact| fact.0).collect();
    assert_eq!(found, [2, 4]);
}

pub(super) fn a_doubt_stands_again_where_the_answer_after_it_is_purged<B: Backend>() {
    let mut place = B::new();
    let mut ledger = place.open(NOW).unwrap();
    for (file, of) in
        [(1, [(1, Some(CUT)), (2, Some(MATCH))]), (2, [(1, Some(MATCH)), (3, Some(MATCH))])]
    {
        let run = ledger.open_run(&opening(file, file)).unwrap();
        ledger = record(ledger, &run, &of, &[]);
        ledger.end_run(&run, &ending(ExitCode::SomeWithoutVerdict)).unwrap();
    }
    let purged = ledger.purge(LATER, 0).unwrap();
    assert_eq!((purged.attempts, purged.kept), (3, 1));
    let next = ledger.find_run(&opening(3, 3)).unwrap().run;
    assert_eq!(known(&mut ledger, &next), [said(1, "InDoubt", "earlier")]);
}

pub(super) fn the_history_is_of_answers_alone<B: Backend>() {
    let mut place = B::new();
    let mut ledger = place.open(NOW).unwrap();
    let run = ledger.open_run(&opening(1, 1)).unwrap();
    let answer = |code| Some(Class::Answered(code));
    let of = [
        (1, answer(ResultCode::Match)),
        (2, answer(ResultCode::Mismatch)),
        (3, answer(ResultCode::NotSure)),
        (4, answer(ResultCode::Failed)),
        (5, answer(ResultCode::Unknown)),
        (6, Some(Class::Retry(Trouble::Internal))),
        (7, Some(REFUSED)),
        (8, Some(CUT)),
        (9, None),
    ];
    let history = record(ledger, &run, &of, &[]).history().unwrap();
    assert_eq!((history.answers, history.charged), (5, 2));
}

pub(super) fn a_status_shows_runs_doubts_and_days<B: Backend>() {
    let mut place = B::new();
    let mut ledger = place.open(NOW).unwrap();
    let run = ledger.open_run(&opening(1, 1)).unwrap();
    let failed = Some(Class::Answered(ResultCode::Failed));
    ledger = record(ledger, &run, &[(1, Some(MATCH)), (2, None), (3, Some(CUT)), (4, failed)], &[]);
    let shown = status(&ledger);
    assert_eq!((shown.unsettled, shown.doubts_total, ledger.unsettled().unwrap()), (1, 1, 1));
    place.kill(Some(ledger), None);

    // The next start settles what the dead start left.
    let mut ledger = place.open(NOW).unwrap();
    let again = ledger.open_run(&opening(1, 1)).unwrap();
    ledger = record(ledger, &again, &[(5, Some(MATCH))], &[]);
    assert_eq!(ledger.unsettled().unwrap(), 0);
    ledger.end_run(&again, &ending(ExitCode::SomeWithoutVerdict)).unwrap();
    let other = ledger.open_run(&opening(2, 2)).unwrap();
    let shown = ledger.status(0, 1).unwrap();

    let line = |id, state: &str, tally| RunLine {
        id,
        label: "customers.csv".to_owned(),
        rows: 3,
        state: state.to_owned(),
        created_at: NOW,
        ended_at: None,
        starts: 1,
        last_stop: None,
        last_exit: None,
        tally,
    };
    let tally = shown.runs[0].tally;
    assert_eq!((tally.calls, tally.confirmed, tally.possible.in_doubt), (5, 2, 2));
    let first = RunLine {
        ended_at: Some(ending(ExitCode::SomeWithoutVerdict).at),
        starts: 2,
        last_exit: Some(3),
        ..line(run.id, "finished", tally)
    };
    assert_eq!(shown.runs, [first, line(other.id, "open", Tally::default())]);
    assert_eq!((shown.unsettled, shown.doubts_total), (0, 2));
    // Only the latest doubt is listed, because one was asked for.
    assert_eq!(shown.doubts, [Doubt { run: run.id, record: 3, at: NOW, class: CUT }]);
    assert_eq!(shown.days, [DayTotal { day: 11_574, tally }]);
    let tomorrow = ledger.status(86_400_000, 1).unwrap().days;
    assert_eq!(tomorrow[0].day, 11_575, "days are those of the caller's clock");
    assert!(ledger.check_nothing_lost().is_ok());
}

pub(super) fn the_end_of_a_start_is_told_until_the_next<B: Backend>() {
    let mut place = B::new();
    let mut ledger = place.open(NOW).unwrap();
    let run = ledger.open_run(&opening(1, 1)).unwrap();
    ledger.end_start(&run, &ending(ExitCode::Budget)).unwrap();
    let told = |ledger: &B::Ledger| {
        let line = status(ledger).runs.remove(0);
        (line.state, line.last_stop, line.last_exit)
    };
    assert_eq!(told(&ledger), ("open".to_owned(), Some("budget".to_owned()), Some(13)));
    let run = ledger.open_run(&opening(1, 1)).unwrap();
    assert_eq!(told(&ledger), ("open".to_owned(), None, None));
    ledger.end_run(&run, &ending(ExitCode::Complete)).unwrap();
    assert_eq!(told(&ledger), ("finished".to_owned(), None, Some(0)));
    let next = ledger.open_run(&opening(1, 1)).unwrap();
    assert_eq!(next.id, RunId(run.id.0 + 1), "a finished run is not gone on with");
}
