//! Random runs: replies of every kind, faults, limits, crashes and resumes.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::story::{Faults, Story, deadline_after, ms, options};
use super::vendor::{Answer, Call, LASTS, REFUSED, TROUBLES, Word};
use crate::engine::EngineOptions;
use crate::model::class::{Class, End, Lost, NotSent};
use crate::rules::body::{BodyKind, BodyTrial};
use crate::rules::classify::classify;
use crate::rules::retry::RetryPolicy;
use crate::rules::tally::RunTotals;

/// Maximum number of starts of a run. Each start brings the run further.
const MOST_STARTS: usize = 200;

/// The words of the vendor for one pair, call by call. The last word is repeated.
#[derive(Debug, Clone)]
struct Script {
    troubles: Vec<Word>,
    last: Word,
    slow: u64,
    wait: Option<u64>,
}

impl Script {
    fn word(&self, turn: usize) -> Word {
        self.troubles.get(turn).copied().unwrap_or(self.last)
    }

    fn answer(&self, turn: usize) -> Answer {
        let charged = (self.slow + turn as u64).is_multiple_of(2);
        let said = Answer::say(self.word(turn)).after(1 + self.slow * (turn as u64 + 1) % 400);
        let said = match self.wait.filter(|_| turn == 0) {
            Some(seconds) => said.wait(seconds),
            None => said,
        };
        Answer { charged, ..said }
    }

    /// Returns the end that the pair must have.
    fn end(&self, retry: &RetryPolicy) -> Option<End> {
        let tries = self.troubles.iter().filter(|word| word.class().is_failed_try()).count();
        let gateways = self.troubles.iter().filter(|word| matches!(word, Word::Foreign(500..)));
        if tries >= usize::from(retry.max_attempts) || gateways.count() >= 2 {
            return Some(End::Unavailable);
        }
        self.last.class().end()
    }
}

/// Returns a vendor that reads one kind of body, and plays a script for each pair. A failed
/// connection, or a limiter in front of the vendor, does not depend on the kind of body.
fn vendor(scripts: Vec<Script>, reads: BodyKind) -> impl FnMut(&Call) -> Answer {
    let mut turns = BTreeMap::<u64, usize>::new();
    move |call| {
        let turn = turns.entry(call.pair).or_default();
        let answer = scripts[call.pair as usize].answer(*turn);
        let before_it = matches!(classify(&answer.reply), Class::Throttled | Class::NotSent(_));
        if call.body != reads && !before_it {
            return Answer::say(Word::NotFound);
        }
        *turn += 1;
        answer
    }
}

fn script() -> impl Strategy<Value = Script> {
    let troubles = prop::collection::vec(prop::sample::select(TROUBLES), 0..5);
    let troubles = prop_oneof![3 => Just(Vec::new()), 2 => troubles];
    let wait = prop_oneof![20 => Just(None), 1 => (0_u64..5).prop_map(Some)];
    (troubles, prop::sample::select(LASTS), 0_u64..400, wait)
        .prop_map(|(troubles, last, slow, wait)| Script { troubles, last, slow, wait })
}

fn rate() -> impl Strategy<Value = Option<f64>> {
    prop_oneof![Just(None), (0.5..1000.0_f64).prop_map(Some)]
}

fn any_options() -> impl Strategy<Value = EngineOptions> {
    let auto = prop::option::of(prop::sample::select(&[BodyKind::Json, BodyKind::Form][..]));
    let body = prop_oneof![Just(BodyTrial::Proved(BodyKind::Form)), auto.prop_map(BodyTrial::auto)];
    (1_usize..12, rate(), 1_u8..6, body, any::<u64>()).prop_map(
        |(concurrency, rate, max_attempts, body, seed)| {
            let mut options = options();
            options.concurrency = concurrency;
            options.throttle.rate.cap = rate;
            options.retry.max_attempts = max_attempts;
            options.body = body;
            options.seed = seed;
            options
        },
    )
}

fn faults() -> impl Strategy<Value = Faults> {
    let failing = prop::collection::btree_set(1_usize..60, 0..4);
    let reader = prop::option::of((1_usize..9, (0_u64..300).prop_map(ms)));
    (0_u64..40, failing, any::<bool>(), reader, 0_u64..3).prop_map(
        |(commit, failing, writer_gone, reader, late)| Faults {
            commit: ms(commit),
            failing,
            writer_gone,
            refused: BTreeSet::new(),
            reader,
            late: ms(late),
        },
    )
}

/// A start that ends early: after `steps` steps in the given way, or before by a limit.
#[derive(Debug, Clone)]
struct Short {
    steps: usize,
    ending: Ending,
    max_charges: Option<u64>,
    max_calls: Option<u64>,
    deadline: Option<u64>,
}

#[derive(Debug, Clone, Copy)]
enum Ending {
    /// The process is killed. `durable` is true if the commit under way becomes durable.
    Crash { durable: bool },
    /// The user asks to stop, once or twice.
    Signal { twice: bool },
}

fn ending() -> impl Strategy<Value = Ending> {
    (any::<bool>(), any::<bool>()).prop_map(|(crash, other)| match crash {
        true => Ending::Crash { durable: other },
        false => Ending::Signal { twice: other },
    })
}

fn short() -> impl Strategy<Value = Short> {
    let maybe = |most: u64| prop_oneof![2 => Just(None), 1 => (0..most).prop_map(Some)];
    (0_usize..150, ending(), maybe(30), maybe(20), maybe(5000)).prop_map(
        |(steps, ending, max_charges, max_calls, deadline)| Short {
            steps,
            ending,
            max_charges,
            max_calls,
            deadline,
        },
    )
}

/// Plays the short starts, and then more starts without limits until the run comes to its end.
fn run_to_the_end(world: &mut Story, shorts: &[Short]) {
    for short in shorts {
        world.options.max_charges = short.max_charges;
        world.options.max_calls = short.max_calls;
        world.options.deadline = short.deadline.map(|millis| deadline_after(ms(millis)));
        match short.ending {
            Ending::Crash { durable } => drop(world.crash_after(short.steps, durable)),
            Ending::Signal { twice } => drop(world.interrupt_after(short.steps, twice)),
        }
    }
    world.options.max_charges = None;
    world.options.max_calls = None;
    world.options.deadline = None;
    let ended = (0..MOST_STARTS).any(|_| world.play().stop.is_none());
    assert!(ended, "no end after {MOST_STARTS} starts");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    /// Every pair ends as the vendor decides, or in doubt if its answer was lost, whatever happens
    /// on the way. The other invariants are checked after every step.
    #[test]
    fn every_pair_gets_its_end_through_crashes_and_faults(
        scripts in prop::collection::vec(script(), 1..40),
        twice in prop::collection::vec(any::<prop::sample::Index>(), 0..10),
        options in any_options(),
        faults in faults(),
        shorts in prop::collection::vec(short(), 0..6),
    ) {
        let mut rows: Vec<u64> = (0..scripts.len() as u64).collect();
        for index in twice {
            let pair = index.index(scripts.len()) as u64;
            rows.insert(index.index(rows.len()), pair);
        }
        let mut world = Story::new(options, rows, vendor(scripts.clone(), BodyKind::Form));
        *world.faults() = faults;
        run_to_the_end(&mut world, &shorts);

        let retry = world.options.retry;
        let (table, RunTotals { tally, .. }) = world.read();
        for (pair, script) in scripts.iter().enumerate() {
            let at = table.find(&crate::rules::testing::key(pair as u64)).unwrap();
            let classes = world.classes(pair as u64);
            let cut_off = |class| {
                matches!(class, Class::InDoubt(Lost::Killed | Lost::Interrupted))
            };
            let lost = classes.iter().any(|(class, _)| cut_off(*class));
            let expected = if lost { Some(End::InDoubt) } else { script.end(&retry) };
            prop_assert_eq!(table.state(at).end, expected, "pair {} of {:?}", pair, classes);
        }
        prop_assert!(tally.at_least() <= world.billed() && world.billed() <= tally.at_most());
    }

    /// A run without troubles sends each pair once, and makes full use of its slots and its rate.
    #[test]
    fn an_undisturbed_run_is_as_fast_as_it_may_be(
        pairs in 50_u64..300, concurrency in 1_usize..40, rate in 5.0..2000.0_f64, takes in 1_u64..200,
    ) {
        let mut options = options();
        options.concurrency = concurrency;
        options.throttle.rate.cap = Some(rate);
        let vendor = move |_: &Call| Answer::say(super::vendor::MATCH).after(takes);
        let mut world = Story::new(options, 0..pairs, vendor);
        world.faults().commit = ms(1);
        let outcome = world.play();
        prop_assert_eq!(outcome.stats.sent, pairs);
        let last = world.sent().last().map_or(0.0, |sent| sent.at.as_secs_f64());
        let by_slots = concurrency as f64 / (takes as f64 + 3.0) * 1000.0;
        let expected = pairs as f64 / rate.min(by_slots);
        prop_assert!(last <= expected * 1.15 + 0.1, "{} instead of {}", last, expected);
    }
}

/// Checks the lists of words: a word that asks for a retry gives no end, and a last word gives one
/// end.
#[test]
fn troubles_have_no_end_and_last_words_have_one() {
    assert!(TROUBLES.iter().all(|word| word.class().end().is_none()));
    assert!(LASTS.iter().all(|word| word.class().end().is_some()));
    assert_eq!(REFUSED.class(), Class::NotSent(NotSent::Connect));
    let names: BTreeSet<_> = TROUBLES.iter().map(|word| word.class().name()).collect();
    assert!(names.contains("rate_limited"));
}
