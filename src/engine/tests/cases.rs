//! Single stories of the dispatcher: each has one cause, and checks what is sent and how the run
//! ends.

use super::story::{Story, ms, options, secs};
use super::vendor::{Answer, Call, DOWN, INTERNAL, INVALID, MATCH, SLOWER, Word};
use crate::engine::{EngineOptions, Pause, RunState};
use crate::model::attempt::Tick;
use crate::model::class::{Class, End, NotSent, Refusal};
use crate::model::money::Tally;
use crate::model::stop::StopReason;
use crate::rules::body::{BodyKind, BodyTrial};
use crate::rules::pair_table::{Holder, PairState};
use crate::rules::testing::key;

pub(super) fn with(change: impl FnOnce(&mut EngineOptions)) -> EngineOptions {
    let mut options = options();
    change(&mut options);
    options
}

/// Returns a vendor that says this word to every call.
pub(super) fn always(word: Word) -> impl FnMut(&Call) -> Answer {
    move |_| Answer::say(word)
}

/// Returns a vendor that says these words in turn to the calls of a pair, and then repeats the last
/// word.
pub(super) fn in_turn(words: &'static [Word]) -> impl FnMut(&Call) -> Answer {
    move |call| Answer::say(words[(call.nth - 1).min(words.len() - 1)])
}

pub(super) fn state(outcome: &RunState, pair: u64) -> PairState {
    outcome.table.state(outcome.table.find(&key(pair)).expect("a pair of the file"))
}

pub(super) fn ends(outcome: &RunState) -> Vec<Option<End>> {
    outcome.table.states().map(|state| state.end).collect()
}

pub(super) fn times(world: &Story) -> Vec<Tick> {
    world.sent().iter().map(|sent| sent.at).collect()
}

pub(super) fn pairs(world: &Story) -> Vec<u64> {
    world.sent().iter().map(|sent| sent.pair).collect()
}

#[test]
fn a_file_without_rows_is_done_at_once() {
    let mut world = Story::new(options(), [], always(MATCH));
    let outcome = world.play();
    assert_eq!((outcome.stop, outcome.stats.sent, outcome.tally), (None, 0, Tally::default()));
}

#[test]
fn a_duplicate_rides_on_the_call_in_flight() {
    let mut world = Story::new(options(), [1, 2, 1, 1, 3, 2, 1], in_turn(&[INTERNAL, MATCH]));
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
    let mut world = Story::new(options, 0..30, vendor);
    let outcome = world.play();
    assert_eq!(state(&outcome, 0).end, Some(End::Unavailable));
    assert_eq!((state(&outcome, 0).spent.tries, outcome.stats.retries), (6, 5));
    let others = world.sent().iter().filter(|sent| sent.pair != 0).map(|sent| sent.at).max();
    assert!(others < Some(secs(3)), "{others:?}");
}

#[test]
fn rows_are_not_taken_without_bound_while_retries_wait() {
    let mut world = Story::new(options(), 0..1000, always(INTERNAL));
    world.begin();
    let mut most = 0;
    while !world.step() {
        most = most.max(world.snapshot().waiting);
    }
    assert!((60..=72).contains(&most), "{most} waited");
}

#[test]
fn a_rate_limit_pauses_all_lowers_the_rate_and_uses_no_attempt() {
    let options = with(|options| options.throttle.rate.cap = Some(100.0));
    let slower_once = |call: &Call| match call.at {
        at if at >= secs(1) && at < ms(1040) => Answer::say(SLOWER),
        _ => Answer::say(MATCH),
    };
    let mut world = Story::new(options, 0..400, slower_once);
    let outcome = world.play();
    assert_eq!(outcome.stop, None);
    assert!(outcome.tally.throttled > 1 && outcome.stats.throttles == 1);
    assert!(outcome.table.states().all(|state| state.spent.tries == 0));
    let before = world.sent().iter().filter(|sent| sent.at < secs(1)).count();
    let pause = times(&world).windows(2).map(|pair| pair[1] - pair[0]).max();
    assert!(before > 70 && pause >= Some(ms(190)), "{before} before, {pause:?}");
    let after = times(&world).into_iter().filter(|at| *at >= ms(1500) && *at < ms(2500));
    let after = after.count();
    assert!((55..=99).contains(&after), "{after} in a second after the pause");
}

/// A vendor whose calls of an hour are used up after the first second.
fn hour_used_up(call: &Call) -> Answer {
    let is_used_up = call.at > secs(1) && call.at < secs(3300);
    Answer::say(if is_used_up { SLOWER } else { MATCH })
}

#[test]
fn a_used_up_hour_is_waited_for_one_call_at_a_time() {
    let mut world = Story::new(options(), 0..400, hour_used_up);
    let outcome = world.play();
    assert_eq!((outcome.stop, outcome.tally.confirmed), (None, 400));
    let tests = times(&world).into_iter().filter(|at| *at > secs(10) && *at < secs(3300)).count();
    assert!((60..200).contains(&tests), "{tests} test calls in an hour");
    let sends = outcome.table.states().map(|state| state.spent.sends).max();
    assert!(sends < Some(20), "{sends:?} sends of a row");
}

#[test]
fn the_last_row_outlasts_a_used_up_hour() {
    let vendor = |call: &Call| match call.pair {
        0 => Answer::say(MATCH),
        _ if call.at < secs(3300) => Answer::say(SLOWER),
        _ => Answer::say(MATCH),
    };
    let outcome = Story::new(options(), [0, 1], vendor).play();
    assert_eq!((outcome.stop, outcome.tally.confirmed), (None, 2));
}

#[test]
fn a_stop_on_the_last_send_of_a_pair_gives_it_up() {
    // `Story::play` checks that the outcome is what the next start reads.
    let vendor = |call: &Call| match call.nth {
        ..20 => Answer::say(SLOWER),
        _ => Answer::say(Word::Status(403, "OUT_OF_QUOTA")),
    };
    // The last of the waits are long.
    let options = with(|options| options.throttle.max_outage = secs(7200));
    let outcome = Story::new(options, [1], vendor).play();
    assert_eq!(outcome.stop, Some(StopReason::OutOfQuota));
    assert_eq!(state(&outcome, 1).end, Some(End::Unavailable));
}

#[test]
fn every_call_after_the_first_of_its_pair_is_a_retry() {
    // A throttled row is planned again before its refusal is durable.
    let mut world = Story::new(options(), [1], in_turn(&[SLOWER, SLOWER, INTERNAL, MATCH]));
    world.faults().commit = secs(1);
    let outcome = world.play();
    assert_eq!((outcome.stats.sent, outcome.stats.retries), (4, 3));
}

#[test]
fn retry_after_is_obeyed_on_any_answer() {
    for word in [Word::Foreign(503), Word::Foreign(429), DOWN, MATCH, INVALID] {
        let vendor = move |call: &Call| match (call.pair, call.nth) {
            (3, 1) => Answer::say(word).wait(30),
            _ => Answer::say(MATCH),
        };
        let mut world = Story::new(options(), 0..40, vendor);
        world.play();
        let gap = times(&world).windows(2).map(|pair| pair[1] - pair[0]).max();
        assert!(gap >= Some(secs(29)), "{word:?}: {gap:?}");
    }
}

#[test]
fn a_long_pause_takes_intents_back_with_their_budget() {
    let options = with(|options| {
        options.throttle.rate.cap = Some(10.0);
        options.max_charges = Some(5);
    });
    let vendor = |call: &Call| match call.pair {
        0 => Answer::say(MATCH).wait(60),
        _ => Answer::say(MATCH),
    };
    let mut world = Story::new(options, 0..5, vendor);
    world.begin();
    world.play_until(ms(40));
    assert_eq!(world.open(), 2, "one in flight, one at the gate");
    world.play_until(secs(10));
    assert_eq!(world.open(), 0, "a crash in the pause leaves nothing in doubt");
    let outcome = world.play_on();
    assert_eq!((outcome.stop, outcome.stats.sent), (None, 5));
}

#[test]
fn a_wish_to_wait_longer_than_the_longest_outage_stops() {
    let vendor = |_: &Call| Answer::say(Word::Foreign(503)).wait(3600);
    let mut world = Story::new(options(), 0..9, vendor);
    let outcome = world.play();
    assert_eq!(outcome.stop, Some(StopReason::Throttled));
    assert!(outcome.stats.sent <= 4);
}

#[test]
fn an_outage_is_probed_one_row_at_a_time_until_the_source_answers() {
    let back = secs(300);
    let vendor = move |call: &Call| Answer::say(if call.at < back { DOWN } else { MATCH });
    let mut world = Story::new(options(), 0..200, vendor);
    let outcome = world.play();
    assert_eq!((outcome.stop, outcome.tally.confirmed), (None, 200));
    let during: Vec<Tick> = times(&world).into_iter().filter(|at| *at < back).collect();
    assert!(during.len() < 30, "{} calls in the outage", during.len());
    let probes = &during[14..];
    assert!(probes.windows(2).all(|pair| pair[1] - pair[0] >= secs(2)), "{probes:?}");
    let recalled = |pair| {
        let classes = world.classes(pair).into_iter();
        classes.filter(|(class, _)| *class == Class::NotSent(NotSent::Recalled)).count()
    };
    let recalled: usize = (0..200).map(recalled).sum();
    assert!(recalled <= 4, "{recalled} intents taken back: one a probe is enough");
}

#[test]
fn the_breaker_is_seen_in_the_progress() {
    let mut world = Story::new(options(), 0..50, always(DOWN));
    world.begin();
    world.play_until(secs(60));
    let pause = world.snapshot().pause;
    let Some(Pause::Outage(StopReason::SourceDown, times)) = pause else { panic!("{pause:?}") };
    assert!(times.since < secs(2) && times.next_call.is_none_or(|at| at >= secs(60)), "{times:?}");
    assert_eq!(times.gives_up, Some(times.since + secs(1800)));
}

#[test]
fn the_first_row_is_sent_alone_until_its_body_kind_is_proved() {
    let vendor = |call: &Call| match call.body {
        BodyKind::Json => Answer::say(Word::NotFound),
        BodyKind::Form => Answer::say(MATCH),
    };
    let options = with(|options| options.body = BodyTrial::auto(None));
    let mut world = Story::new(options, 0..10, vendor);
    let outcome = world.play();
    assert_eq!(outcome.body, BodyTrial::Proved(BodyKind::Form));
    assert_eq!((outcome.tally.confirmed, outcome.stats.sent), (10, 11));
    assert_eq!(pairs(&world)[..3], [0, 0, 1]);
    let bodies: Vec<BodyKind> = world.sent().iter().map(|sent| sent.body).collect();
    assert_eq!(bodies[..2], [BodyKind::Json, BodyKind::Form]);
    assert!(times(&world)[2] >= ms(100), "one at a time");
    let swapped = Class::Refused(Refusal::ArgumentNotFound);
    assert_eq!(world.classes(0)[0], (swapped, true), "voided");
}

#[test]
fn refused_in_both_kinds_is_refused() {
    let options = with(|options| options.body = BodyTrial::auto(None));
    let vendor = |call: &Call| Answer::say(if call.pair == 0 { Word::NotFound } else { MATCH });
    let mut world = Story::new(options, 0..3, vendor);
    let outcome = world.play();
    assert_eq!(state(&outcome, 0).end, Some(End::Refused));
    assert_eq!(outcome.body, BodyTrial::Proved(BodyKind::Json));
    assert_eq!((outcome.stop, outcome.stats.sent), (None, 4));
}

#[test]
fn every_row_under_trial_is_tried_in_both_kinds() {
    // The first row is refused in both kinds of body, and a gateway answers its second call.
    let vendor = |call: &Call| match (call.pair, call.nth, call.body) {
        (0, 2, _) => Answer::say(Word::Foreign(502)),
        (0, ..) | (_, _, BodyKind::Form) => Answer::say(Word::NotFound),
        (_, _, BodyKind::Json) => Answer::say(MATCH),
    };
    let options = with(|options| options.body = BodyTrial::auto(None));
    let mut world = Story::new(options, 0..3, vendor);
    let outcome = world.play();
    let matched = MATCH.class().end();
    assert_eq!(ends(&outcome), [Some(End::Refused), matched, matched]);
}

#[test]
fn a_trial_never_passes_the_most_sends_of_a_pair() {
    let vendor = |call: &Call| Answer::say(if call.nth < 20 { SLOWER } else { Word::NotFound });
    let options = with(|options| {
        options.body = BodyTrial::auto(None);
        // The last of the waits are long.
        options.throttle.max_outage = secs(7200);
    });
    let mut world = Story::new(options, [0], vendor);
    let outcome = world.play();
    assert_eq!((outcome.stats.sent, state(&outcome, 0).end), (20, Some(End::Refused)));
}

/// Plays a run in which the commits with these numbers fail.
fn with_failing(commits: &[usize]) -> (Story, RunState) {
    let vendor = |call: &Call| Answer::say(MATCH).after(50 + call.pair * 40);
    let mut world = Story::new(options(), 0..50, vendor);
    world.faults().failing = commits.iter().copied().collect();
    let outcome = world.play();
    assert_eq!(outcome.stop, Some(StopReason::Storage));
    assert!(outcome.table.states().all(|state| state.holder == Holder::Nobody));
    (world, outcome)
}

#[test]
fn a_ledger_that_fails_once_gets_the_answers_when_all_are_in() {
    let (world, outcome) = with_failing(&[3]);
    assert_eq!(outcome.stats.sent, outcome.tally.confirmed);
    assert!((4..8).contains(&outcome.stats.sent) && world.open() == 0);
}

#[test]
fn a_ledger_that_fails_twice_leaves_the_answers_in_doubt() {
    let (world, outcome) = with_failing(&[3, 4]);
    let in_doubt = outcome.tally.possible.in_doubt;
    assert!((1..=4).contains(&in_doubt));
    assert_eq!(outcome.tally.confirmed + in_doubt, outcome.stats.sent);
    assert_eq!(world.billed(), outcome.stats.sent);
}

#[test]
fn a_pair_that_the_survey_did_not_see_stops() {
    // When the unknown pair is read, nothing is in flight. The row before the unknown pair waits
    // for its turn, or its intent waits for the gate.
    for rate in [None, Some(0.1)] {
        let options = with(|options| options.throttle.rate.cap = rate);
        let mut world = Story::new(options, [1, 1, 2, 77, 3], always(MATCH));
        world.unseen = [77].into();
        world.faults().reader = Some((3, secs(1)));
        let outcome = world.play();
        assert_eq!(outcome.stop, Some(StopReason::InputChanged));
        assert!(!pairs(&world).contains(&77) && !pairs(&world).contains(&3));
        assert!(outcome.table.states().all(|state| state.holder == Holder::Nobody));
    }
}

#[test]
fn known_pairs_are_passed_over() {
    let mut world = Story::new(options(), 0..6, always(MATCH));
    world.play();
    world.rows = (0..9).collect();
    let outcome = world.play();
    assert_eq!((pairs(&world), outcome.tally.confirmed), (vec![6, 7, 8], 9));
}

/// A ledger that several machines write to may refuse to grant an intent.
#[test]
fn a_refused_intent_is_never_sent_and_frees_its_room() {
    for refused in [vec![1], vec![2, 5], (1..=9).collect()] {
        let count = refused.len() as u64;
        let mut world =
            Story::new(with(|options| options.max_charges = Some(9)), 0..9, always(MATCH));
        world.faults().refused = refused.into_iter().collect();
        let outcome = world.play();
        assert_eq!((outcome.stop, outcome.stats.elsewhere), (None, count));
        assert_eq!((outcome.stats.sent, outcome.table.to_send()), (9 - count, count));
        assert!(outcome.table.states().all(|state| state.holder == Holder::Nobody));
        // Pairs that the other machine did not buy after all are bought by the next start, within
        // the budget.
        let outcome = world.play();
        assert_eq!((outcome.stop, outcome.stats.sent, outcome.tally.confirmed), (None, count, 9));
    }
}
