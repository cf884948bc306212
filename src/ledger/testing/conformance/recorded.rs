//! The part of the suite about the record of a run: its starts, their notes and pauses, and the calls
//! of a time.

use super::*;
use crate::ledger::testing::facts::notes;
use crate::ledger::{
    FailureCount, MinuteOfCalls, PossibleCharge, RunQuery, StartEnd, StartSums, VerdictsOf,
};
use crate::model::pause::{Pause, PauseKind};
use crate::rules::vendor_clock::VendorClock;

/// A run that has begun is found by its number, by the bytes of its file, and by its identity, with
/// or without the name that it has.
pub(super) fn a_run_that_has_begun_is_found_again<B: Backend>() {
    let mut place = B::new();
    let mut ledger = place.open(NOW).unwrap();
    let identity = opening(1, 1).identity;
    assert_eq!(ledger.find_record(&RunQuery::Identity(&identity)).unwrap(), None);
    let first = ledger.open_run(&opening(1, 1)).unwrap();
    ledger.end_run(&first, &ending(ExitCode::SomeWithoutVerdict)).unwrap();
    let named = StartRequest {
        identity: identity.clone().named("00ff"),
        role: StartRole::BeginsOnce,
        notes: notes("b"),
        ..opening(1, 1)
    };
    let second = ledger.open_run(&named).unwrap();
    let mut found = |query: RunQuery<'_>| {
        ledger.find_record(&query).unwrap().map(|record| (record.id.0, record.as_left().run))
    };
    let finished = RunRef::Finished { run: first.id, exit: ExitCode::SomeWithoutVerdict };
    let first_one = Some((first.id.0, finished));
    let second_one = Some((second.id.0, RunRef::Open(second.id)));
    assert_eq!(found(RunQuery::Number(first.id)), first_one);
    assert_eq!(found(RunQuery::Number(RunId(99))), None);
    assert_eq!(found(RunQuery::Input("a")), first_one);
    assert_eq!(found(RunQuery::Input("b")), second_one);
    assert_eq!(found(RunQuery::Input("c")), None);
    assert_eq!(found(RunQuery::Identity(&identity)), second_one);
    assert_eq!(found(RunQuery::Identity(&named.identity)), second_one);
    let otherwise = Identity { columns: "2,1".to_owned(), ..identity };
    assert_eq!(found(RunQuery::Identity(&otherwise)), None, "read in another way");
    assert_eq!(found(RunQuery::Identity(&opening(2, 1).identity)), None, "another file");
}

pub(super) fn a_start_notes_what_it_is_and_its_pauses<B: Backend>() {
    let mut place = B::new();
    let mut ledger = place.open(NOW).unwrap();
    let run = ledger.open_run(&opening(1, 1)).unwrap();
    let pause = |number, until| Pause {
        number,
        kind: if number == 1 { PauseKind::Outage } else { PauseKind::RateLimit },
        at: WallMs(NOW.0 + 10),
        until,
        rate: (number == 1).then_some(9.5),
    };
    let began = Batch { pauses: vec![pause(1, None)], ..facts(run.start, 1, &[(1, Some(MATCH))]) };
    let over = Some(WallMs(NOW.0 + 20));
    let ended = Batch { pauses: vec![pause(1, over), pause(2, None)], ..Batch::default() };
    let (mut ledger, told) = record_all(ledger, &run, [began, ended]);
    assert!(told.iter().all(Result::is_ok), "{told:?}");
    let seen = |ledger: &mut B::Ledger| {
        ledger.find_record(&RunQuery::Number(run.id)).unwrap().unwrap().starts
    };
    let starts = seen(&mut ledger);
    let [start] = starts.as_slice() else { panic!("{starts:?}") };
    assert_eq!((start.id, start.began_at, start.ended_at), (run.start, NOW, None));
    assert_eq!(start.notes.as_ref(), Some(&notes("a")));
    assert_eq!(start.summary, None);
    assert_eq!(start.pauses, [pause(1, over), pause(2, None)]);
    ledger.end_start(&run, &ending(ExitCode::Budget)).unwrap();
    let again = ledger.open_run(&opening(1, 1)).unwrap();
    let ledger = record(ledger, &again, &[(2, Some(CUT))], &[]);
    let record = ledger.run_record(run.id).unwrap().unwrap();
    assert_eq!(ledger.run_record(RunId(9)).unwrap(), None);
    let StartEnd { at, summary, .. } = ending(ExitCode::Budget);
    let first = &record.starts[0];
    assert_eq!((first.ended_at, &first.summary, first.exit), (Some(at), &summary, Some(13)));
    assert_eq!(record.starts[1].pauses, []);
    assert_eq!(record.output_start(), Some(first));
    assert_eq!(record.notes(), Some(&notes("a")));
    assert_eq!(record.as_left().earlier_starts, 2);
}

/// The sums of each start, with the attempts that are not settled yet.
pub(super) fn the_sums_of_each_start_are_told<B: Backend>() {
    let mut place = B::new();
    let mut ledger = place.open(NOW).unwrap();
    let run = ledger.open_run(&opening(1, 1)).unwrap();
    let gateway = Class::Retry(Trouble::Gateway);
    let mut ledger = record(ledger, &run, &[(1, Some(MATCH)), (2, Some(gateway))], &[]);
    ledger.end_start(&run, &ending(ExitCode::Budget)).unwrap();
    let again = ledger.open_run(&opening(1, 1)).unwrap();
    let ledger = record(ledger, &again, &[(2, Some(CUT)), (3, None), (4, None)], &[]);
    let sums = ledger.start_sums(run.id).unwrap();
    let short = |start| {
        let StartSums { tally, ended_pairs, unsettled, purged: 0 } = sums[&start] else {
            panic!("nothing was purged")
        };
        (tally.calls, tally.confirmed, tally.possible.total(), ended_pairs, unsettled)
    };
    assert_eq!(short(run.start), (2, 1, 1, 1, 0));
    assert_eq!(short(again.start), (1, 0, 1, 1, 2));
    assert_eq!(ledger.run_calls(run.id).unwrap().unsettled(), 2);
    let open = ledger.calls(NOW, LATER).unwrap().open;
    assert_eq!(open.iter().map(|open| open.calls).sum::<u64>(), 2);
    let minute = WallMs(NOW.0 / 60_000 * 60_000);
    assert!(open.iter().all(|open| open.start == again.start && open.at == minute), "{open:?}");
    assert_eq!(ledger.calls(LATER, WallMs(i64::MAX)).unwrap().open, []);
}

/// The calls of one run alone, as a page about it shows them.
pub(super) fn the_calls_of_a_run_are_told<B: Backend>() {
    let mut place = B::new();
    let ledger = place.open(NOW).unwrap();
    let mismatch = Class::Answered(ResultCode::Mismatch);
    let gateway = Class::Retry(Trouble::Gateway);
    let night = |ledger: B::Ledger, file: u8, of: &[(u64, Option<Class>)]| {
        let mut ledger = ledger;
        let run = ledger.open_run(&opening(file, 1)).unwrap();
        let mut batch = facts(run.start, 1, of);
        batch.settlements.iter_mut().for_each(|fact| fact.took_ms = Some(40 + u32::from(file)));
        let mut ledger = super::super::facts::record_batch(ledger, &run, batch);
        ledger.end_run(&run, &ending(ExitCode::Complete)).unwrap();
        (ledger, run.id)
    };
    let (ledger, first) = night(ledger, 1, &[(1, Some(MATCH)), (2, Some(MATCH))]);
    let tries = [(5, Some(gateway)), (6, Some(gateway)), (3, Some(MATCH))];
    let of = [&[(1, Some(mismatch))][..], &tries, &[(4, Some(CUT))]].concat();
    let (ledger, second) = night(ledger, 2, &of);
    let (ledger, third) = night(ledger, 3, &[(2, Some(mismatch))]);
    let calls = |run| {
        let minutes = ledger.run_calls(run).unwrap().minutes;
        minutes.iter().map(|minute| minute.tally.calls).sum::<u64>()
    };
    assert_eq!([first, second, third].map(calls), [2, 5, 1]);
    assert_eq!(ledger.run_ids().unwrap(), [first, second, third]);
    assert_eq!(ledger.run_latencies(second).unwrap(), [(42, 5)]);
    let failure = |class, attempts, pairs| FailureCount { class, attempts, pairs };
    let failures = ledger.run_failures(second).unwrap();
    assert_eq!(failures, [failure(gateway, 2, 2), failure(CUT, 1, 1)]);
    assert_eq!(ledger.run_failures(first).unwrap(), []);
    let verdicts = |of| {
        let mut seen = Vec::new();
        ledger.visit_verdicts(of, &mut |pair, code| seen.push((pair, code))).unwrap();
        seen
    };
    let (yes, no) = (ResultCode::Match, ResultCode::Mismatch);
    assert_eq!(verdicts(VerdictsOf::Run(second)), [(key(1), no), (key(3), yes)]);
    assert_eq!(verdicts(VerdictsOf::Before(second)), [(key(1), yes), (key(2), yes)]);
    assert_eq!(verdicts(VerdictsOf::Before(first)), []);
}

/// A call without an answer is at the time at which it was sent, whenever it is given up.
pub(super) fn a_call_without_an_answer_is_at_its_intent<B: Backend>() {
    let mut place = B::new();
    let mut ledger = place.open(NOW).unwrap();
    let run = ledger.open_run(&opening(1, 1)).unwrap();
    let mut batch = facts(run.start, 1, &[(1, Some(MATCH)), (2, Some(CUT))]);
    batch.settlements.iter_mut().for_each(|fact| fact.at = LATER);
    let ledger = super::super::facts::record_batch(ledger, &run, batch);
    let calls = |from, to| {
        let minutes = ledger.calls(from, to).unwrap().minutes;
        minutes
            .iter()
            .map(|minute| minute.tally.possible.total() * 10 + minute.tally.confirmed)
            .sum::<u64>()
    };
    assert_eq!(calls(NOW, LATER), 10);
    assert_eq!(calls(LATER, WallMs(i64::MAX)), 1);
}

/// The output of a run shows what was known of other runs when it was made, and not what they have
/// found out since.
pub(super) fn facts_that_came_after_an_output_are_left_out<B: Backend>() {
    let mut place = B::new();
    let mut ledger = place.open(NOW).unwrap();
    let run = |ledger: B::Ledger, file, at: i64, of: &[(u64, Option<Class>)]| {
        let mut ledger = ledger;
        let opening = StartRequest { at: WallMs(NOW.0 + at), ..opening(file, file) };
        let run = ledger.open_run(&opening).unwrap();
        let mut batch = facts(run.start, 1, of);
        batch.settlements.iter_mut().for_each(|fact| fact.at = opening.at);
        let mut ledger = super::super::facts::record_batch(ledger, &run, batch);
        // Everything that was recorded until now is shown.
        ledger.begin_reading().unwrap();
        ledger.end_reading().unwrap();
        ledger.end_run(&run, &ending(ExitCode::Complete)).unwrap();
        (ledger, run.id)
    };
    let earlier_of = |ledger: &mut B::Ledger, run: RunId| {
        let keys = PairTable::new((1..10).map(key).collect()).keys();
        let mut latest = std::collections::BTreeMap::new();
        ledger
            .visit_earlier_then(run, &keys, &mut |at, standing| {
                latest.extend(standing.end.map(|fact| (at.0 + 1, fact.end)));
            })
            .unwrap();
        latest.into_iter().map(|(pair, end)| (pair, format!("{end:?}"))).collect::<Vec<_>>()
    };
    let mismatch = Class::Answered(ResultCode::Mismatch);
    let (back, first) = run(ledger, 1, 0, &[(1, Some(MATCH)), (2, Some(CUT)), (3, Some(MATCH))]);
    let mut back = back;
    assert_eq!(earlier_of(&mut back, first), []);
    let (back, second) = run(back, 2, 10, &[(4, Some(MATCH))]);
    ledger = back;
    let list = |pairs: &[(u32, &str)]| {
        pairs.iter().map(|(pair, end)| (*pair, (*end).to_owned())).collect::<Vec<_>>()
    };
    let matched = "Answered(Match)";
    let expected = list(&[(1, matched), (2, "InDoubt"), (3, matched)]);
    assert_eq!(earlier_of(&mut ledger, second), expected);
    let later = [(1, Some(mismatch)), (2, Some(MATCH)), (5, Some(MATCH))];
    let (mut ledger, third) = run(ledger, 3, LATER.0 - NOW.0, &later);
    assert_eq!(earlier_of(&mut ledger, second), expected, "as it was");
    // A pair to which the run itself gave an end may be left out.
    let mut of_others = earlier_of(&mut ledger, third);
    of_others.retain(|(pair, _)| (3..=4).contains(pair));
    assert_eq!(of_others, list(&[(3, matched), (4, matched)]));
}

pub(super) fn the_calls_of_a_time_are_told_by_both_clocks<B: Backend>() {
    let mut place = B::new();
    let mut ledger = place.open(NOW).unwrap();
    let run = ledger.open_run(&opening(1, 1)).unwrap();
    let of: Vec<_> = (1..=120).map(|pair| (pair, Some(MATCH))).chain([(121, Some(CUT))]).collect();
    let mut batch = facts(run.start, 1, &of);
    for fact in &mut batch.settlements[..120] {
        // NOW is 2001-09-09 01:46:40 UTC.
        fact.texts.set(Text::HandleTime, Some("2001-09-09 08:46:41".to_owned()));
    }
    batch.settlements[119].at = WallMs(NOW.0 + 60_000);
    // The vendor's day counts, unless its time cannot be that of the call.
    batch.settlements[0].texts.set(Text::HandleTime, Some("2001-09-08 23:46:41".to_owned()));
    batch.settlements[1].texts.set(Text::HandleTime, Some("9999-12-31 08:46:41".to_owned()));
    let (ledger, _) = record_all(ledger, &run, [batch]);
    let calls = ledger.calls(NOW, WallMs(NOW.0 + 60_000)).unwrap();
    let mut sums = std::collections::BTreeMap::new();
    for MinuteOfCalls { start, run: of, vendor_minute, at, tally } in calls.minutes {
        assert_eq!((start, of, at), (run.start, run.id, WallMs(NOW.0 / 60_000 * 60_000)));
        *sums.entry(vendor_minute).or_insert(0) += tally.calls;
    }
    let there = Some("2001-09-09 08:46".to_owned());
    let other = ["2001-09-08 23:46", "9999-12-31 08:46"].map(|time| Some(time.to_owned()));
    assert_eq!(
        sums.into_iter().collect::<Vec<_>>(),
        [(None, 1), (other[0].clone(), 1), (there, 117), (other[1].clone(), 1)]
    );
    assert_eq!(calls.purged, []);
    assert_eq!(status(&ledger).vendor_clock, VendorClock::Offset(420));
    let mut ledger = ledger;
    ledger.end_run(&run, &ending(ExitCode::SomeWithoutVerdict)).unwrap();
    ledger.purge(LATER, 0).unwrap();
    let purged = ledger.calls(NOW, LATER).unwrap().purged;
    assert_eq!(
        purged.iter().map(|day| (day.day, day.tally.calls)).collect::<Vec<_>>(),
        [(11_573, 1), (11_574, 119)]
    );
}

pub(super) fn charges_that_are_not_certain_are_listed<B: Backend>() {
    let mut place = B::new();
    let mut ledger = place.open(NOW).unwrap();
    let run = ledger.open_run(&opening(1, 1)).unwrap();
    let gateway = Class::Retry(Trouble::Gateway);
    let of = [(1, Some(MATCH)), (2, Some(CUT)), (3, Some(gateway)), (4, Some(REFUSED))];
    let mut ledger = record(ledger, &run, &of, &[]);
    let mut listed = Vec::new();
    ledger.visit_possible(&mut |possible| listed.push(possible)).unwrap();
    let possible = |n: u32, class| PossibleCharge {
        attempt: AttemptId::of(run.start, n),
        run: run.id,
        record: n.into(),
        pair: key(n.into()),
        sent_at: NOW,
        class,
        http: Some(200),
        texts: crate::model::texts::Texts::from([(Text::Remark, &*format!("r{n}"))]),
    };
    assert_eq!(listed, [possible(2, CUT), possible(3, gateway)]);
}
