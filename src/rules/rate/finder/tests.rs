//! Properties of the finder, and short stories. How well it does is measured in `benches/rates`.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::rules::rate::windows::Window;

fn ms(n: u64) -> Tick {
    Duration::from_millis(n)
}

fn asked(cap: f64) -> RateFinder {
    RateFinder::new(RatePolicy { cap: Some(cap), start: RateStart::Asked })
}

fn climbing(learned: Option<Learned>) -> RateFinder {
    let start = RateStart::Climb { learned };
    RateFinder::new(RatePolicy { cap: Some(100.0), start })
}

/// A vendor that answers after 50 ms, and decides by `allows`.
struct Vendor<F> {
    allows: F,
    due: BTreeMap<(Tick, u64), (Tick, bool)>,
    calls: u64,
}

impl<F: FnMut(Tick) -> bool> Vendor<F> {
    const fn new(allows: F) -> Self {
        Self { allows, due: BTreeMap::new(), calls: 0 }
    }

    /// Plays the finder from `from` to `until`, in steps of a millisecond. Returns the number of
    /// answered and of refused calls.
    fn play(&mut self, finder: &mut RateFinder, from: Tick, until: Tick) -> (u32, u32) {
        let (mut now, mut earned, mut answered, mut refused) = (from, 0.0, 0, 0);
        while now < until {
            while let Some(entry) = self.due.first_entry().filter(|entry| entry.key().0 <= now) {
                let (sent_at, passes) = entry.remove();
                match passes {
                    true => finder.answered(sent_at, now),
                    false => drop(finder.refused(sent_at, None, now)),
                }
                *if passes { &mut answered } else { &mut refused } += 1;
            }
            finder.advance(now);
            earned = (earned + finder.rate().unwrap_or(1000.0) / 1000.0_f64).min(2.0);
            if earned >= 1.0 && matches!(finder.permit(now), Permit::Free | Permit::Probe) {
                earned -= 1.0;
                finder.sent(now);
                self.calls += 1;
                self.due.insert((now + ms(50), self.calls), (now, (self.allows)(now)));
            }
            now += ms(1);
        }
        (answered, refused)
    }
}

/// Returns a limiter that lets `rate` calls a second pass, evenly and with a small burst.
fn evenly(rate: f64) -> impl FnMut(Tick) -> bool {
    let mut due = Tick::ZERO;
    move |now| {
        let passes = now + ms(100) >= due;
        if passes {
            due = due.max(now) + Duration::from_secs_f64(1.0 / rate);
        }
        passes
    }
}

#[test]
fn the_first_climb_doubles_until_the_limit_and_holds_just_below_it() {
    let mut finder = climbing(None);
    let mut vendor = Vendor::new(evenly(60.0));
    vendor.play(&mut finder, ms(0), ms(1900));
    assert_eq!(finder.rate(), Some(5.0), "a level needs ten answers");
    vendor.play(&mut finder, ms(1900), ms(60_000));
    let learned = finder.learned();
    assert!(learned.ceiling.is_some_and(|rate| (55.0..63.0).contains(&rate)), "{learned:?}");
    assert!(learned.passed.is_some_and(|rate| rate >= 40.0), "{learned:?}");
    let (answered, refused) = vendor.play(&mut finder, ms(60_000), ms(120_000));
    assert!(answered > 3400 && refused < 60, "{answered} answered, {refused} refused");
}

#[test]
fn a_limit_that_was_told_is_told_until_another_one_is_confirmed() {
    let mut finder = climbing(None);
    let mut told = None;
    for (limit, from) in [(60.0, 0), (20.0, 60_000), (45.0, 120_000)] {
        let mut vendor = Vendor::new(evenly(limit));
        for at in (from..from + 60_000).step_by(1000) {
            vendor.play(&mut finder, ms(at), ms(at + 1000));
            let ceiling = finder.learned().ceiling;
            assert!(ceiling.is_some() || told.is_none(), "{told:?} was forgotten at {at} ms");
            told = ceiling;
        }
        assert!(told.is_some_and(|told| (told / limit - 1.0).abs() < 0.15), "{told:?} of {limit}");
    }
}

#[test]
fn what_was_learned_is_the_start_of_the_next_run() {
    let learned = Learned { ceiling: Some(60.0), ..Learned::default() };
    let mut finder = climbing(Some(learned));
    assert_eq!(finder.rate(), Some(30.0), "half of the ceiling");
    let mut vendor = Vendor::new(evenly(60.0));
    vendor.play(&mut finder, ms(0), ms(3000));
    assert!(finder.rate().is_some_and(|rate| rate > 50.0), "{:?}", finder.rate());
    let passed = Learned { passed: Some(80.0), ..Learned::default() };
    assert_eq!(climbing(Some(passed)).rate(), Some(40.0));
}

#[test]
fn a_refusal_now_and_then_changes_nothing() {
    let mut finder = asked(50.0);
    let mut calls = 0;
    let mut vendor = Vendor::new(|_| {
        calls += 1;
        calls % 400 != 0
    });
    vendor.play(&mut finder, ms(0), ms(120_000));
    assert_eq!((finder.rate(), finder.learned().limit()), (Some(50.0), None));
}

#[test]
fn every_call_refused_stops_and_one_at_a_time_is_tried() {
    let mut finder = asked(100.0);
    let mut vendor = Vendor::new(|now| !(ms(10_000)..ms(100_000)).contains(&now));
    vendor.play(&mut finder, ms(0), ms(11_000));
    assert!(finder.stopped_since().is_some());
    let (answered, refused) = vendor.play(&mut finder, ms(11_000), ms(99_000));
    assert!(answered == 0 && refused < 30, "{refused} test calls");
    vendor.play(&mut finder, ms(99_000), ms(130_000));
    assert_eq!(finder.stopped_since(), None);
    // Others may have used the window up, so one stop tells nothing of it.
    assert_eq!(finder.learned().window, None);
}

#[test]
fn a_minutes_limit_is_found_and_its_calls_are_spread() {
    let mut finder = asked(100.0);
    let (mut minute, mut used) = (0, 0);
    let mut vendor = Vendor::new(|now| {
        let current = now.as_secs() / 60;
        used = if current == minute { used + 1 } else { 1 };
        minute = current;
        used <= 600
    });
    vendor.play(&mut finder, ms(20_000), ms(180_000));
    let window = finder.learned().window.expect("it was used up twice");
    assert_eq!(window.span, Duration::from_secs(60));
    assert!((window.calls - 600.0).abs() < 20.0, "{window:?}");
    let (answered, refused) = vendor.play(&mut finder, ms(180_000), ms(300_000));
    assert!(answered > 1150 && refused < 20, "{answered} answered, {refused} refused");
}

#[test]
fn a_test_call_that_ends_in_another_way_is_made_again() {
    let mut finder = asked(100.0);
    for n in 0..20 {
        finder.sent(ms(n * 10));
        finder.refused(ms(n * 10), None, ms(n * 10 + 5));
    }
    finder.advance(ms(2000));
    assert_eq!(finder.permit(ms(2000)), Permit::Probe);
    finder.sent(ms(2000));
    assert_eq!(finder.permit(ms(2010)), Permit::Probing);
    finder.failed(ms(1999), ms(2020));
    assert_eq!(finder.permit(ms(2030)), Permit::Probing, "another call");
    finder.failed(ms(2000), ms(2040));
    assert!(matches!(finder.permit(ms(2050)), Permit::NotBefore(at) if at < ms(3000)));
    finder.sent(ms(3000));
    finder.answered(ms(3000), ms(3050));
    assert_eq!((finder.permit(ms(3050)), finder.learned().window), (Permit::Free, None));
}

#[test]
fn the_servers_wish_is_obeyed() {
    let mut finder = asked(100.0);
    finder.sent(ms(10));
    assert!(finder.refused(ms(10), Some(ms(7000)), ms(20)), "an incident at once");
    for at in [20, 500, 7019] {
        assert_eq!(finder.permit(ms(at)), Permit::NotBefore(ms(7020)), "{at}");
        finder.advance(ms(at));
    }
    finder.advance(ms(7020));
    assert!(matches!(finder.permit(ms(7020)), Permit::Free | Permit::Probe));
}

#[test]
fn a_silent_hour_makes_nothing_worse() {
    let mut finder = climbing(None);
    let mut vendor = Vendor::new(evenly(60.0));
    vendor.play(&mut finder, ms(0), ms(60_000));
    let before = finder.learned();
    finder.advance(ms(3_660_000));
    assert_eq!(finder.learned(), before);
    let (answered, refused) = vendor.play(&mut finder, ms(3_660_000), ms(3_720_000));
    assert!(answered > 3300 && refused < 60, "{answered} answered, {refused} refused");
}

/// Two workers, of which one leads.
#[test]
fn a_follower_lowers_the_rate_and_the_leader_takes_it_over() {
    let (mut leader, mut follower) = (asked(100.0), asked(100.0));
    let told = |rate, is_leader| Fellows { rate, workers: 2, is_leader };
    leader.hear(told(Some(100.0), true), ms(1));
    follower.hear(told(Some(100.0), false), ms(1));
    Vendor::new(evenly(50.0)).play(&mut follower, ms(1), ms(4000));
    let lowered = follower.told_rate();
    assert!(lowered.is_some_and(|rate| rate < 95.0), "{lowered:?}");
    leader.hear(told(lowered, true), ms(4500));
    assert_eq!(leader.rate(), lowered);
    follower.hear(told(leader.told_rate(), false), ms(5000));
    assert_eq!((follower.told_rate(), follower.rate()), (Some(100.0), lowered));
}

#[test]
fn a_worker_that_follows_never_raises_the_rate() {
    let mut follower = climbing(None);
    follower.hear(Fellows { rate: None, workers: 2, is_leader: false }, ms(1));
    Vendor::new(|_| true).play(&mut follower, ms(1), ms(20_000));
    assert_eq!((follower.rate(), follower.told_rate()), (Some(5.0), None));
}

#[test]
fn a_follower_that_has_begun_a_climb_does_not_slow_the_leader_down() {
    let mut follower = climbing(None);
    assert_eq!(follower.told_rate(), None, "it knows nothing yet");
    follower.hear(Fellows { rate: Some(80.0), workers: 2, is_leader: false }, ms(1));
    assert_eq!(follower.rate(), Some(80.0));
    // The leader is gone.
    follower.hear(Fellows { rate: None, workers: 1, is_leader: true }, ms(9000));
    assert_eq!(follower.rate(), Some(80.0));
}

/// Events of a finder's life.
#[derive(Debug, Clone)]
enum Happens {
    Sent,
    Answered(usize),
    Refused(usize, Option<u64>),
    Failed(usize),
    Passes(u64),
    Heard(Option<f64>, u32, bool),
    Paused,
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        8 => Just(Happens::Sent),
        6 => (0_usize..8).prop_map(Happens::Answered),
        3 => (0_usize..8, prop::option::weighted(0.1, 0_u64..5000))
            .prop_map(|(at, wish)| Happens::Refused(at, wish)),
        1 => (0_usize..8).prop_map(Happens::Failed),
        4 => prop_oneof![1_u64..50, 1_u64..2000, Just(3_600_000)].prop_map(Happens::Passes),
        1 => (prop::option::of(0.1..500.0_f64), 1_u32..9, any::<bool>())
            .prop_map(|(rate, workers, leads)| Happens::Heard(rate, workers, leads)),
        1 => Just(Happens::Paused),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    /// Whatever happens, the rate stays between the floor and the cap, and a finder whose calls are
    /// all answered sends again.
    #[test]
    fn any_life_stays_within_its_bounds(
        cap in prop::option::of(0.01..5000.0_f64),
        climbs in any::<bool>(),
        learned in prop::option::of((0.1..5000.0_f64, prop::option::of(1.0..1e6_f64))),
        life in prop::collection::vec(happens(), 0..200),
    ) {
        let learned = learned.map(|(ceiling, calls)| Learned {
            ceiling: Some(ceiling),
            window: calls.map(|calls| Window { span: ms(60_000), calls }),
            passed: None,
        });
        let start = if climbs { RateStart::Climb { learned } } else { RateStart::Asked };
        let mut finder = RateFinder::new(RatePolicy { cap, start });
        let floor = FLOOR.min(cap.unwrap_or(FLOOR));
        let (mut now, mut flights) = (ms(1), Vec::new());
        for one in life {
            let mut take = |at: usize| (at < flights.len()).then(|| flights.remove(at));
            match one {
                Happens::Sent => {
                    if matches!(finder.permit(now), Permit::Free | Permit::Probe) {
                        finder.sent(now);
                        flights.push(now);
                    }
                }
                Happens::Answered(at) => if let Some(sent) = take(at) { finder.answered(sent, now) },
                Happens::Refused(at, wish) => if let Some(sent) = take(at) {
                    finder.refused(sent, wish.map(ms), now);
                },
                Happens::Failed(at) => if let Some(sent) = take(at) { finder.failed(sent, now) },
                Happens::Passes(time) => now += ms(time),
                Happens::Heard(rate, workers, is_leader) => {
                    finder.hear(Fellows { rate, workers, is_leader }, now);
                }
                Happens::Paused => finder.hear_pause(now),
            }
            finder.advance(now);
            let own = finder.own;
            prop_assert!(cap.is_none_or(|cap| own.is_some_and(|own| own <= cap)), "{own:?} of {cap:?}");
            prop_assert!(own.is_none_or(|own| own >= floor && own.is_finite()), "{own:?}");
        }
        // From here on every call is answered.
        for sent in flights.drain(..) {
            finder.answered(sent, now);
        }
        finder.hear(Fellows { rate: None, workers: 1, is_leader: true }, now);
        let mut sent = 0;
        for _ in 0..1000 {
            now += ms(100);
            finder.advance(now);
            if matches!(finder.permit(now), Permit::Free | Permit::Probe) {
                finder.sent(now);
                finder.answered(now, now + ms(20));
                sent += 1;
            }
        }
        // A stop that has lasted long tries a call every 30 seconds.
        prop_assert!(sent > 600, "only {sent} of 1000 calls left: {:?}", finder.phase);
    }
}
