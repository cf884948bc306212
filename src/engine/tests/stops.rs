//! Stories of runs that end before their last row, and of the state that these runs leave.

use super::cases::{always, ends, pairs, state, times, with};
use super::story::{Story, deadline_after, ms, options, secs};
use super::vendor::{
    ABNORMAL, Answer, CUT, Call, DOWN, INVALID, MATCH, MISMATCH, QUERY_FAILED, REFUSED, SLOWER,
    Word,
};
use crate::engine::{Deadline, EngineOptions, RunState};
use crate::model::attempt::WallMs;
use crate::model::class::{AccountStop, Class, End, Lost, NotSent};
use crate::model::stop::{BudgetLimit, Signal, StopReason};
use crate::rules::pair_table::Holder;

#[test]
fn an_outage_that_takes_too_long_gives_the_run_up() {
    let table = [(DOWN, StopReason::SourceDown), (REFUSED, StopReason::Unreachable)];
    for (word, reason) in table {
        let mut world = Story::new(options(), 0..200, always(word));
        let outcome = world.play();
        assert_eq!((outcome.stop, outcome.tally.confirmed), (Some(reason), 0));
        assert!(outcome.tally.attempts < 70, "{reason:?}: {} attempts", outcome.tally.attempts);
        let calls = if word == DOWN { outcome.tally.attempts } else { 0 };
        assert_eq!(outcome.tally.calls, calls);
    }
}

#[test]
fn no_success_for_too_long_after_a_throttle_gives_the_run_up() {
    let mut world = Story::new(options(), 0..200, always(SLOWER));
    let outcome = world.play();
    assert_eq!((outcome.stop, outcome.tally.confirmed), (Some(StopReason::Throttled), 0));
}

#[test]
fn what_refuses_the_account_stops_at_the_first_and_drains() {
    let status = Word::Status;
    let table = [
        (status(401, "UNAUTHORIZED"), StopReason::Account(AccountStop::Unauthorized)),
        (status(401, "KEY_EXPIRED"), StopReason::Account(AccountStop::KeyExpired)),
        (status(403, "NO_PERMISSION"), StopReason::Account(AccountStop::NoPermission)),
        (status(404, "NOT_FOUND"), StopReason::Account(AccountStop::NotFound)),
        (status(403, "OUT_OF_QUOTA"), StopReason::OutOfQuota),
        (Word::Unsent(NotSent::Certificate), StopReason::Certificate),
        (Word::Unsent(NotSent::NoTls), StopReason::NoTls),
        (Word::Unsent(NotSent::Proxy), StopReason::Account(AccountStop::Proxy)),
    ];
    for (word, reason) in table {
        let vendor = move |call: &Call| match call.pair {
            1 => Answer::say(word),
            _ => Answer::say(MATCH).after(200),
        };
        let mut world = Story::new(options(), 0..100, vendor);
        let outcome = world.play();
        let sent = if word.class().was_sent() { 4 } else { 3 };
        assert_eq!((outcome.stop, outcome.stats.sent), (Some(reason), sent), "{word:?}");
        assert_eq!((outcome.tally.confirmed, state(&outcome, 1).end), (3, None), "drained");
        assert!(outcome.table.states().all(|state| state.holder == Holder::Nobody));
    }
}

#[test]
fn twenty_refusals_stop_and_are_asked_again_by_a_resume() {
    let vendor = |call: &Call| match (call.nth, call.pair) {
        (1, 7) => Answer::say(ABNORMAL),
        (1, _) => Answer::say(INVALID),
        _ => Answer::say(MATCH),
    };
    let mut world = Story::new(options(), 0..100, vendor);
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
    let mut world = Story::new(with(|options| options.concurrency = 1), 0..100, vendor);
    assert_eq!(world.play().stop, None);
}

#[test]
fn twenty_lost_answers_stop_and_are_not_asked_again() {
    let mut world = Story::new(options(), 0..100, always(CUT));
    let outcome = world.play();
    assert_eq!(outcome.stop, Some(StopReason::LostAnswers));
    let lost = outcome.stats.sent;
    assert!((20..=23).contains(&lost) && outcome.tally.possible.in_doubt == lost);
    world.play();
    assert!(!pairs(&world).contains(&0));
}

#[test]
fn the_budget_waits_for_calls_that_may_release_and_stops_then() {
    // Every second call is free. With room for one more charge, the next call waits for the answer
    // before it.
    let vendor = |call: &Call| {
        Answer::say(if call.pair.is_multiple_of(2) { Word::Code("03") } else { MATCH })
    };
    let mut world = Story::new(with(|options| options.max_charges = Some(10)), 0..100, vendor);
    let outcome = world.play();
    assert_eq!(outcome.stop, Some(StopReason::Budget(BudgetLimit::Charges)));
    assert_eq!((outcome.tally.confirmed, outcome.stats.sent), (10, 20));
    let again = world.play();
    assert_eq!((again.stats.sent, again.tally.confirmed), (0, 10), "counted over all starts");
}

#[test]
fn a_budget_that_just_suffices_is_no_stop() {
    let options = with(|options| (options.max_charges, options.max_calls) = (Some(9), Some(9)));
    let mut world = Story::new(options, 0..9, always(MATCH));
    assert_eq!(world.play().stop, None);
}

#[test]
fn the_limit_counts_the_calls_of_one_start() {
    let mut world =
        Story::new(with(|options| options.max_calls = Some(7)), 0..20, always(Word::Code("04")));
    for sent in [7, 7] {
        let outcome = world.play();
        assert_eq!(outcome.stop, Some(StopReason::Budget(BudgetLimit::Calls)));
        assert_eq!(outcome.stats.sent, sent);
    }
    assert_eq!((world.play().stop, world.sent().len()), (None, 6));
}

#[test]
fn a_deadline_starts_nothing_more_and_lets_calls_end() {
    let vendor = |_: &Call| Answer::say(MATCH).after(700);
    let mut world = Story::new(
        with(|options| options.deadline = Some(deadline_after(secs(2)))),
        0..100,
        vendor,
    );
    let outcome = world.play();
    assert_eq!(outcome.stop, Some(StopReason::Deadline));
    assert_eq!(outcome.tally.confirmed, outcome.stats.sent);
    assert!(times(&world).into_iter().all(|at| at < secs(2)));
}

#[test]
fn a_deadline_that_the_wall_clock_has_passed_is_one_too() {
    let vendor = |_: &Call| Answer::say(MATCH).after(700);
    let past = |options: &mut EngineOptions| {
        let at = WallMs(Story::wall().0 + 2);
        options.deadline = Some(Deadline { after: secs(1000), at });
    };
    let mut world = Story::new(with(past), 0..100, vendor);
    world.begin();
    while world.sent().len() < 4 {
        world.step();
    }
    world.set_wall_ahead(2);
    assert_eq!(world.play_on().stop, Some(StopReason::Deadline));
    assert_eq!(world.sent().len(), 4);
}

#[test]
fn a_deadline_after_the_last_call_is_no_stop() {
    let vendor = |_: &Call| Answer::say(MATCH).after(5000);
    let mut world =
        Story::new(with(|options| options.deadline = Some(deadline_after(secs(2)))), 0..4, vendor);
    assert_eq!(world.play().stop, None);
}

#[test]
fn the_second_signal_leaves_in_doubt_what_is_in_flight() {
    let mut world = Story::new(options(), 0..50, |_| Answer::say(MATCH).after(3000));
    world.begin();
    world.play_until(secs(1));
    world.signal();
    assert_eq!(world.in_flight(), 4);
    world.signal();
    assert_eq!(world.in_flight(), 0);
    let outcome = world.play_on();
    assert_eq!(outcome.stop, Some(StopReason::Interrupted(Signal::Interrupt)));
    assert_eq!((outcome.tally.possible.in_doubt, outcome.tally.confirmed), (4, 0));
    let interrupted = Class::InDoubt(Lost::Interrupted);
    assert!((0..4).all(|pair| world.classes(pair) == [(interrupted, false)]));
}

#[test]
fn a_drain_takes_unsent_intents_back() {
    let options = with(|options| options.throttle.rate.cap = Some(1.0));
    let mut world = Story::new(options, 0..50, always(MATCH));
    world.begin();
    world.play_until(ms(500));
    assert_eq!(world.open(), 1, "the next intent waits for the gate");
    world.signal();
    let outcome = world.play_on();
    assert_eq!((outcome.stats.sent, outcome.tally.attempts), (1, 1));
    let recalled = Class::NotSent(NotSent::Recalled);
    assert_eq!(world.classes(1), [(recalled, false)]);
}

#[test]
fn too_many_mismatches_stop_at_the_200th_verdict_and_again_until_the_limit_is_raised() {
    // Two of three pairs are mismatches. Every seventh pair is first answered `QUERY_FAILED`, which
    // is no verdict.
    let vendor = |call: &Call| match call.pair % 7 {
        0 if call.nth == 1 => Answer::say(QUERY_FAILED),
        _ => Answer::say(if call.pair.is_multiple_of(3) { MATCH } else { MISMATCH }),
    };
    let with_share = |percent| with(|options| options.most_mismatches = Some(percent));
    let verdicts = |outcome: &RunState| {
        ends(outcome).into_iter().filter(|end| matches!(end, Some(End::Answered(_)))).count()
    };
    let mut world = Story::new(with_share(60), 0..300, vendor);
    let outcome = world.play();
    assert_eq!(outcome.stop, Some(StopReason::Mismatches));
    // Calls in flight at the 200th verdict are waited for.
    assert!((200..204).contains(&verdicts(&outcome)), "{}", verdicts(&outcome));
    let again = world.play();
    assert_eq!((again.stop, again.stats.sent), (Some(StopReason::Mismatches), 0));
    world.options.most_mismatches = Some(70);
    let outcome = world.play();
    assert_eq!((outcome.stop, verdicts(&outcome)), (None, 300));

    // Over several starts, the last of which reaches the 200th verdict.
    let mut world = Story::new(with_share(60), 0..300, vendor);
    world.options.max_calls = Some(75);
    let stops: Vec<_> = (0..4).map(|_| world.play().stop).collect();
    let limit = Some(StopReason::Budget(BudgetLimit::Calls));
    assert_eq!(stops, [limit, limit, limit, Some(StopReason::Mismatches)]);

    // Control cases: no share, a share that is not exceeded, and a file that ends with the 200th
    // verdict.
    for (options, rows) in [(options(), 300), (with_share(67), 300), (with_share(60), 200)] {
        let outcome = Story::new(options, 0..rows, vendor).play();
        assert_eq!((outcome.stop, verdicts(&outcome) as u64), (None, rows));
    }
}
