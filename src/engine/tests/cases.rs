//! Single stories of the dispatcher: one cause, what is sent, and how the run ends.

use super::vendor::{
    ABNORMAL, Answer, CUT, Call, DOWN, INTERNAL, INVALID, MATCH, MISMATCH, QUERY_FAILED, SLOWER,
    Word,
};
use super::world::{World, candidate, ms, options, secs};
use crate::engine::{Dispatcher, Options, Outcome, Pause};
use crate::model::attempt::{AttemptId, WallMs};
use crate::model::class::{AccountStop, Class, End, Lost, NotSent, Refusal};
use crate::model::money::Tally;
use crate::model::stop::{BudgetLimit, Signal, StopReason};
use crate::rules::body::{BodyKind, BodyTrial};
use crate::rules::pairs::{PairState, PairTable};
use crate::rules::retry::Tick;
use crate::rules::tally::SoFar;
use crate::rules::testing::key;

fn with(change: impl FnOnce(&mut Options)) -> Options {
    let mut options = options();
    change(&mut options);
    options
}

/// Says this word to every call.
fn always(word: Word) -> impl FnMut(&Call) -> Answer {
    move |_| Answer::say(word)
}

/// Says these words to a pair's calls, the last one for ever.
fn in_turn(words: &'static [Word]) -> impl FnMut(&Call) -> Answer {
    move |call| Answer::say(words[(call.nth - 1).min(words.len() - 1)])
}

fn state(outcome: &Outcome, pair: u64) -> PairState {
    outcome.table.state(outcome.table.find(&key(pair)).expect("a pair of the file"))
}

fn ends(outcome: &Outcome) -> Vec<Option<End>> {
    outcome.table.states().map(|state| state.end).collect()
}

fn times(world: &World) -> Vec<Tick> {
    world.sent.iter().map(|sent| sent.at).collect()
}

fn pairs(world: &World) -> Vec<u64> {
    world.sent.iter().map(|sent| sent.pair).collect()
}

#[test]
fn a_file_without_rows_is_done_at_once() {
    let mut world = World::new(options(), [], always(MATCH));
    let outcome = world.play();
    assert_eq!((outcome.stop, outcome.stats.sent, outcome.tally), (None, 0, Tally::default()));
}

#[test]
fn a_duplicate_rides_on_the_call_in_flight() {
    let mut world = World::new(options(), [1, 2, 1, 1, 3, 2, 1], in_turn(&[INTERNAL, MATCH]));
    let outcome = world.play();
    assert_eq!((outcome.stats.sent, outcome.tally.confirmed), (6, 3));
    assert_eq!(outcome.stats.finished, 3);
}

#[test]
fn a_waiting_retry_holds_no_slot() {
    let options = with(|options| {
        options.concurrency = 1;
        options.retry.base = secs(50);
    });
    let vendor = |call: &Call| Answer::say(if call.pair == 0 { INTERNAL } else { MATCH });
    let mut world = World::new(options, 0..30, vendor);
    let outcome = world.play();
    assert_eq!(state(&outcome, 0).end, Some(End::Unavailable));
    assert_eq!((state(&outcome, 0).spent.tries, outcome.stats.retries), (6, 5));
    let others = world.sent.iter().filter(|sent| sent.pair != 0).map(|sent| sent.at).max();
    assert!(others < Some(secs(3)), "{others:?}");
}

#[test]
fn rows_are_not_taken_without_bound_while_retries_wait() {
    let mut world = World::new(options(), 0..1000, always(INTERNAL));
    world.begin();
    let mut most = 0;
    while !world.step() {
        let now = world.now();
        most = most.max(world.run().snapshot(now).waiting);
    }
    assert!((60..=72).contains(&most), "{most} waited");
}

#[test]
fn slower_pauses_all_lowers_the_rate_and_costs_no_try() {
    let options = with(|options| options.throttle.rate = Some(100.0));
    let slower_once = |call: &Call| match call.at {
        at if at >= secs(1) && at < ms(1040) => Answer::say(SLOWER),
        _ => Answer::say(MATCH),
    };
    let mut world = World::new(options, 0..400, slower_once);
    let outcome = world.play();
    assert_eq!(outcome.stop, None);
    assert!(outcome.tally.throttled > 1 && outcome.stats.throttles == 1);
    assert!(outcome.table.states().all(|state| state.spent.tries == 0));
    let before = world.sent.iter().filter(|sent| sent.at < secs(1)).count();
    let pause = times(&world).windows(2).map(|pair| pair[1] - pair[0]).max();
    assert!(before > 70 && pause >= Some(ms(500)), "{before} before, {pause:?}");
    let resumed = times(&world).into_iter().find(|at| *at >= ms(1500)).unwrap();
    let after = times(&world).into_iter().filter(|at| *at >= resumed && *at < resumed + secs(1));
    let after = after.count();
    assert!((45..=53).contains(&after), "{after} in the second after the pause");
}

#[test]
fn a_stop_on_the_last_send_of_a_pair_gives_it_up() {
    // The world sees that the outcome is what the next start reads.
    let vendor = |call: &Call| match call.nth {
        ..20 => Answer::say(SLOWER),
        _ => Answer::say(Word::Status(403, "OUT_OF_QUOTA")),
    };
    let outcome = World::new(options(), [1], vendor).play();
    assert_eq!(outcome.stop, Some(StopReason::OutOfQuota));
    assert_eq!(state(&outcome, 1).end, Some(End::Unavailable));
}

#[test]
fn every_call_after_the_first_of_its_pair_is_a_retry() {
    // A throttled row is planned again before its refusal is durable.
    let mut world = World::new(options(), [1], in_turn(&[SLOWER, SLOWER, INTERNAL, MATCH]));
    world.faults.commit = secs(1);
    let outcome = world.play();
    assert_eq!((outcome.stats.sent, outcome.stats.retries), (4, 3));
}

#[test]
fn a_wish_to_wait_is_obeyed_on_any_answer() {
    for word in [Word::Foreign(503), Word::Foreign(429), DOWN, MATCH, INVALID] {
        let vendor = move |call: &Call| match (call.pair, call.nth) {
            (3, 1) => Answer::say(word).wait(30),
            _ => Answer::say(MATCH),
        };
        let mut world = World::new(options(), 0..40, vendor);
        world.play();
        let gap = times(&world).windows(2).map(|pair| pair[1] - pair[0]).max();
        assert!(gap >= Some(secs(29)), "{word:?}: {gap:?}");
    }
}

#[test]
fn a_long_pause_takes_intents_back_with_their_budget() {
    let options = with(|options| {
        options.throttle.rate = Some(10.0);
        options.max_charges = Some(5);
    });
    let vendor = |call: &Call| match call.pair {
        0 => Answer::say(MATCH).wait(60),
        _ => Answer::say(MATCH),
    };
    let mut world = World::new(options, 0..5, vendor);
    world.begin();
    world.play_until(ms(40));
    assert_eq!(world.facts.open(), 2, "one in flight, one at the gate");
    world.play_until(secs(10));
    assert_eq!(world.facts.open(), 0, "a crash in the pause leaves nothing in doubt");
    let outcome = world.play_on();
    assert_eq!((outcome.stop, outcome.stats.sent), (None, 5));
}

#[test]
fn a_wish_to_wait_longer_than_the_longest_outage_stops() {
    let vendor = |_: &Call| Answer::say(Word::Foreign(503)).wait(3600);
    let mut world = World::new(options(), 0..9, vendor);
    let outcome = world.play();
    assert_eq!(outcome.stop, Some(StopReason::Throttled));
    assert!(outcome.stats.sent <= 4);
}

#[test]
fn an_outage_is_probed_one_row_at_a_time_until_the_source_answers() {
    let back = secs(300);
    let vendor = move |call: &Call| Answer::say(if call.at < back { DOWN } else { MATCH });
    let mut world = World::new(options(), 0..200, vendor);
    let outcome = world.play();
    assert_eq!((outcome.stop, outcome.tally.confirmed), (None, 200));
    let during: Vec<Tick> = times(&world).into_iter().filter(|at| *at < back).collect();
    assert!(during.len() < 30, "{} calls in the outage", during.len());
    let probes = &during[14..];
    assert!(probes.windows(2).all(|pair| pair[1] - pair[0] >= secs(2)), "{probes:?}");
    let recalled = |pair| {
        let classes = world.facts.classes(pair).into_iter();
        classes.filter(|(class, _)| *class == Class::NotSent(NotSent::Recalled)).count()
    };
    let recalled: usize = (0..200).map(recalled).sum();
    assert!(recalled <= 4, "{recalled} intents taken back: one a probe is enough");
}

#[test]
fn the_breaker_is_seen_in_the_progress() {
    let mut world = World::new(options(), 0..50, always(DOWN));
    world.begin();
    world.play_until(secs(60));
    let pause = world.run().snapshot(secs(60)).pause;
    assert_eq!(pause, Some(Pause::Outage(StopReason::SourceDown)));
}

#[test]
fn an_outage_that_takes_too_long_gives_the_run_up() {
    let table = [(DOWN, StopReason::SourceDown), (Word::Refused, StopReason::Unreachable)];
    for (word, reason) in table {
        let mut world = World::new(options(), 0..200, always(word));
        let outcome = world.play();
        assert_eq!((outcome.stop, outcome.tally.confirmed), (Some(reason), 0));
        assert!(outcome.tally.attempts < 70, "{reason:?}: {} attempts", outcome.tally.attempts);
        let calls = if word == DOWN { outcome.tally.attempts } else { 0 };
        assert_eq!(outcome.tally.calls, calls);
    }
}

#[test]
fn no_success_for_too_long_after_a_throttle_gives_the_run_up() {
    let mut world = World::new(options(), 0..200, always(SLOWER));
    let outcome = world.play();
    assert_eq!((outcome.stop, outcome.tally.confirmed), (Some(StopReason::Throttled), 0));
}

#[test]
fn what_refuses_the_account_stops_at_the_first_and_drains() {
    let table = [
        (401, "UNAUTHORIZED", StopReason::Account(AccountStop::Unauthorized)),
        (401, "KEY_EXPIRED", StopReason::Account(AccountStop::KeyExpired)),
        (403, "NO_PERMISSION", StopReason::Account(AccountStop::NoPermission)),
        (404, "NOT_FOUND", StopReason::Account(AccountStop::NotFound)),
        (403, "OUT_OF_QUOTA", StopReason::OutOfQuota),
    ];
    for (http, status, reason) in table {
        let vendor = move |call: &Call| match call.pair {
            1 => Answer::say(Word::Status(http, status)),
            _ => Answer::say(MATCH).after(200),
        };
        let mut world = World::new(options(), 0..100, vendor);
        let outcome = world.play();
        assert_eq!((outcome.stop, outcome.stats.sent), (Some(reason), 4), "{status}");
        assert_eq!((outcome.tally.confirmed, state(&outcome, 1).end), (3, None), "drained");
        assert!(outcome.table.states().all(|state| !state.under_way));
    }
}

#[test]
fn twenty_refusals_stop_and_are_asked_again_by_a_resume() {
    let vendor = |call: &Call| match (call.nth, call.pair) {
        (1, 7) => Answer::say(ABNORMAL),
        (1, _) => Answer::say(INVALID),
        _ => Answer::say(MATCH),
    };
    let mut world = World::new(options(), 0..100, vendor);
    let outcome = world.play();
    assert_eq!(outcome.stop, Some(StopReason::RefusalsInRow));
    assert!((20..=23).contains(&outcome.stats.sent), "{}", outcome.stats.sent);
    let (read, _) = world.read();
    assert_eq!(read.to_send(), 99, "all but the abnormal one");
    let again = world.play();
    assert!(again.stop == Some(StopReason::RefusalsInRow) && !pairs(&world).contains(&7));
}

#[test]
fn a_streak_is_broken_by_a_verdict_alone() {
    let vendor = |call: &Call| match call.pair % 20 {
        19 => Answer::say(MISMATCH),
        _ => Answer::say(INVALID),
    };
    let mut world = World::new(with(|options| options.concurrency = 1), 0..100, vendor);
    assert_eq!(world.play().stop, None);
}

#[test]
fn twenty_lost_answers_stop_and_are_not_asked_again() {
    let mut world = World::new(options(), 0..100, always(CUT));
    let outcome = world.play();
    assert_eq!(outcome.stop, Some(StopReason::LostAnswers));
    let lost = outcome.stats.sent;
    assert!((20..=23).contains(&lost) && outcome.tally.possible.in_doubt == lost);
    world.play();
    assert!(!pairs(&world).contains(&0));
}

#[test]
fn the_budget_waits_for_calls_that_may_release_and_stops_then() {
    // Every second call is free: with room for one, the next waits for the answer before it.
    let vendor = |call: &Call| {
        Answer::say(if call.pair.is_multiple_of(2) { Word::Code("03") } else { MATCH })
    };
    let mut world = World::new(with(|options| options.max_charges = Some(10)), 0..100, vendor);
    let outcome = world.play();
    assert_eq!(outcome.stop, Some(StopReason::Budget(BudgetLimit::Charges)));
    assert_eq!((outcome.tally.confirmed, outcome.stats.sent), (10, 20));
    let again = world.play();
    assert_eq!((again.stats.sent, again.tally.confirmed), (0, 10), "counted over all starts");
}

#[test]
fn a_budget_that_just_suffices_is_no_stop() {
    let options = with(|options| (options.max_charges, options.max_calls) = (Some(9), Some(9)));
    let mut world = World::new(options, 0..9, always(MATCH));
    assert_eq!(world.play().stop, None);
}

#[test]
fn the_limit_counts_the_calls_of_one_start() {
    let mut world =
        World::new(with(|options| options.max_calls = Some(7)), 0..20, always(Word::Code("04")));
    for sent in [7, 7] {
        let outcome = world.play();
        assert_eq!(outcome.stop, Some(StopReason::Budget(BudgetLimit::Calls)));
        assert_eq!(outcome.stats.sent, sent);
    }
    assert_eq!((world.play().stop, world.sent.len()), (None, 6));
}

#[test]
fn a_deadline_starts_nothing_more_and_lets_calls_end() {
    let vendor = |_: &Call| Answer::say(MATCH).after(700);
    let mut world = World::new(with(|options| options.deadline = Some(secs(2))), 0..100, vendor);
    let outcome = world.play();
    assert_eq!(outcome.stop, Some(StopReason::Deadline));
    assert_eq!(outcome.tally.confirmed, outcome.stats.sent);
    assert!(times(&world).into_iter().all(|at| at < secs(2)));
}

#[test]
fn a_deadline_that_the_wall_clock_has_passed_is_one_too() {
    let vendor = |_: &Call| Answer::say(MATCH).after(700);
    let past = |options: &mut Options| {
        (options.deadline, options.deadline_at) = (Some(secs(1000)), Some(WallMs(2)));
    };
    let mut world = World::new(with(past), 0..100, vendor);
    world.begin();
    while world.sent.len() < 4 {
        world.step();
    }
    world.run().advance(secs(1), WallMs(2));
    assert_eq!(world.play_on().stop, Some(StopReason::Deadline));
    assert_eq!(world.sent.len(), 4);
}

#[test]
fn a_deadline_after_the_last_call_is_no_stop() {
    let vendor = |_: &Call| Answer::say(MATCH).after(5000);
    let mut world = World::new(with(|options| options.deadline = Some(secs(2))), 0..4, vendor);
    assert_eq!(world.play().stop, None);
}

#[test]
fn the_first_row_is_sent_alone_until_its_body_kind_is_proved() {
    let vendor = |call: &Call| match call.body {
        BodyKind::Json => Answer::say(Word::NotFound),
        BodyKind::Form => Answer::say(MATCH),
    };
    let options = with(|options| options.body = BodyTrial::auto(None));
    let mut world = World::new(options, 0..10, vendor);
    let outcome = world.play();
    assert_eq!(outcome.body, BodyTrial::Proved(BodyKind::Form));
    assert_eq!((outcome.tally.confirmed, outcome.stats.sent), (10, 11));
    assert_eq!(pairs(&world)[..3], [0, 0, 1]);
    let bodies: Vec<BodyKind> = world.sent.iter().map(|sent| sent.body).collect();
    assert_eq!(bodies[..2], [BodyKind::Json, BodyKind::Form]);
    assert!(times(&world)[2] >= ms(100), "one at a time");
    let swapped = Class::Refused(Refusal::ArgumentNotFound);
    assert_eq!(world.facts.classes(0)[0], (swapped, true), "voided");
}

#[test]
fn refused_in_both_kinds_is_refused() {
    let options = with(|options| options.body = BodyTrial::auto(None));
    let vendor = |call: &Call| Answer::say(if call.pair == 0 { Word::NotFound } else { MATCH });
    let mut world = World::new(options, 0..3, vendor);
    let outcome = world.play();
    assert_eq!(state(&outcome, 0).end, Some(End::Refused));
    assert_eq!(outcome.body, BodyTrial::Proved(BodyKind::Json));
    assert_eq!((outcome.stop, outcome.stats.sent), (None, 4));
}

#[test]
fn every_row_under_trial_is_tried_in_both_kinds() {
    // The first row is bad in itself, and a limiter answers its second try.
    let vendor = |call: &Call| match (call.pair, call.nth, call.body) {
        (0, 2, _) => Answer::say(Word::Foreign(502)),
        (0, ..) | (_, _, BodyKind::Form) => Answer::say(Word::NotFound),
        (_, _, BodyKind::Json) => Answer::say(MATCH),
    };
    let options = with(|options| options.body = BodyTrial::auto(None));
    let mut world = World::new(options, 0..3, vendor);
    let outcome = world.play();
    let matched = MATCH.class().end();
    assert_eq!(ends(&outcome), [Some(End::Refused), matched, matched]);
}

#[test]
fn a_trial_never_passes_the_most_sends_of_a_pair() {
    let vendor = |call: &Call| Answer::say(if call.nth < 20 { SLOWER } else { Word::NotFound });
    let options = with(|options| {
        options.body = BodyTrial::auto(None);
        options.throttle.cap = secs(1);
    });
    let mut world = World::new(options, [0], vendor);
    let outcome = world.play();
    assert_eq!((outcome.stats.sent, state(&outcome, 0).end), (20, Some(End::Refused)));
}

#[test]
fn the_second_signal_leaves_in_doubt_what_is_in_flight() {
    let mut world = World::new(options(), 0..50, |_| Answer::say(MATCH).after(3000));
    world.begin();
    world.play_until(secs(1));
    world.run().stop(StopReason::Interrupted(Signal::Interrupt));
    assert_eq!(world.in_flight(), 4);
    world.abandon();
    let outcome = world.play_on();
    assert_eq!(outcome.stop, Some(StopReason::Interrupted(Signal::Interrupt)));
    assert_eq!((outcome.tally.possible.in_doubt, outcome.tally.confirmed), (4, 0));
    let interrupted = Class::InDoubt(Lost::Interrupted);
    assert!((0..4).all(|pair| world.facts.classes(pair) == [(interrupted, false)]));
}

#[test]
fn a_drain_takes_unsent_intents_back() {
    let options = with(|options| options.throttle.rate = Some(1.0));
    let mut world = World::new(options, 0..50, always(MATCH));
    world.begin();
    world.play_until(ms(500));
    assert_eq!(world.facts.open(), 1, "the next intent waits for the gate");
    world.run().stop(StopReason::Interrupted(Signal::Terminate));
    let outcome = world.play_on();
    assert_eq!((outcome.stats.sent, outcome.tally.attempts), (1, 1));
    let recalled = Class::NotSent(NotSent::Recalled);
    assert_eq!(world.facts.classes(1), [(recalled, false)]);
}

/// A run in which one commit, and perhaps the next, fails.
fn with_failing(commits: &[usize]) -> (World, Outcome) {
    let vendor = |call: &Call| Answer::say(MATCH).after(50 + call.pair * 40);
    let mut world = World::new(options(), 0..50, vendor);
    world.faults.failing = commits.iter().copied().collect();
    let outcome = world.play();
    assert_eq!(outcome.stop, Some(StopReason::Storage));
    assert!(outcome.table.states().all(|state| !state.under_way));
    (world, outcome)
}

#[test]
fn a_ledger_that_fails_once_gets_the_answers_when_all_are_in() {
    let (world, outcome) = with_failing(&[3]);
    assert_eq!(outcome.stats.sent, outcome.tally.confirmed);
    assert!((4..8).contains(&outcome.stats.sent) && world.facts.open() == 0);
}

#[test]
fn a_ledger_that_fails_twice_leaves_the_answers_in_doubt() {
    let (world, outcome) = with_failing(&[3, 4]);
    let in_doubt = outcome.tally.possible.in_doubt;
    assert!((1..=4).contains(&in_doubt));
    assert_eq!(outcome.tally.confirmed + in_doubt, outcome.stats.sent);
    assert_eq!(world.billed, outcome.stats.sent);
}

#[test]
fn a_pair_that_the_survey_did_not_see_stops() {
    // The row before it waits for its turn, or its intent for the gate, and nothing is in flight.
    for rate in [None, Some(0.1)] {
        let options = with(|options| options.throttle.rate = rate);
        let mut world = World::new(options, [1, 1, 2, 77, 3], always(MATCH));
        world.unseen = [77].into();
        world.faults.reader = Some((3, secs(1)));
        let outcome = world.play();
        assert_eq!(outcome.stop, Some(StopReason::InputChanged));
        assert!(!pairs(&world).contains(&77) && !pairs(&world).contains(&3));
    }
}

#[test]
fn too_many_mismatches_stop_at_the_200th_verdict_and_again_until_more_are_borne() {
    // Two of three, and every seventh call is refused once: no verdict.
    let vendor = |call: &Call| match call.pair % 7 {
        0 if call.nth == 1 => Answer::say(QUERY_FAILED),
        _ => Answer::say(if call.pair.is_multiple_of(3) { MATCH } else { MISMATCH }),
    };
    let with_share = |percent| with(|options| options.most_mismatches = Some(percent));
    let verdicts = |outcome: &Outcome| {
        ends(outcome).into_iter().filter(|end| matches!(end, Some(End::Answered(_)))).count()
    };
    let mut world = World::new(with_share(60), 0..300, vendor);
    let outcome = world.play();
    assert_eq!(outcome.stop, Some(StopReason::Mismatches));
    // Calls in flight at the 200th are waited for.
    assert!((200..204).contains(&verdicts(&outcome)), "{}", verdicts(&outcome));
    let again = world.play();
    assert_eq!((again.stop, again.stats.sent), (Some(StopReason::Mismatches), 0));
    world.options.most_mismatches = Some(70);
    let outcome = world.play();
    assert_eq!((outcome.stop, verdicts(&outcome)), (None, 300));

    // Over several starts, the last of which has one verdict to go.
    let mut world = World::new(with_share(60), 0..300, vendor);
    world.options.max_calls = Some(75);
    let stops: Vec<_> = (0..4).map(|_| world.play().stop).collect();
    let limit = Some(StopReason::Budget(BudgetLimit::Calls));
    assert_eq!(stops, [limit, limit, limit, Some(StopReason::Mismatches)]);

    // The control: no share, a share that is not passed, and a file that ends with the 200th.
    for (options, rows) in [(options(), 300), (with_share(67), 300), (with_share(60), 200)] {
        let outcome = World::new(options, 0..rows, vendor).play();
        assert_eq!((outcome.stop, verdicts(&outcome) as u64), (None, rows));
    }
}

#[test]
fn a_stop_leaves_no_pair_under_way() {
    let table = PairTable::new((0..3).map(key).collect());
    let mut run = Dispatcher::new(&options(), table, SoFar::default(), AttemptId(1));
    run.offer(candidate(0, 1));
    run.offer(candidate(1, 77));
    assert!(run.is_done());
    let outcome = run.into_outcome();
    assert_eq!(outcome.stop, Some(StopReason::InputChanged));
    assert!(outcome.table.states().all(|state| !state.under_way));
}

#[test]
fn known_pairs_are_passed_over() {
    let mut world = World::new(options(), 0..6, always(MATCH));
    world.play();
    world.rows = (0..9).collect();
    let outcome = world.play();
    assert_eq!((pairs(&world), outcome.tally.confirmed), (vec![6, 7, 8], 9));
}
