//! The cases: a vendor, a rate that is asked for, and what must be reached.

use std::time::Duration;

use Asked::{Auto, Times, Unlimited};

use super::controllers::Controller;
use super::simulation::{AsksToWait, Log, Setting, play};
use super::vendors::Limiter;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: u64 = 60;
const HOUR: u64 = 3600;

/// The rate that the user asks for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Asked {
    /// `--rate auto`.
    Auto,
    /// `--rate N`, this many times the limit.
    Times(f64),
    /// `--rate unlimited`.
    Unlimited,
}

impl std::fmt::Display for Case {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(to, "{} {}", self.vendor, self.asked)
    }
}

impl std::fmt::Display for Asked {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Auto => to.write_str("auto"),
            Self::Times(times) => write!(to, "{times}×"),
            Self::Unlimited => to.write_str("unlimited"),
        }
    }
}

/// The figures that a case measures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Measure {
    /// The whole run, and from its 30th second on.
    Whole,
    /// From this second on.
    After(u64),
    /// 30 s from the 5th second after the limit was halved, and 30 s from the 60th second after it
    /// was doubled.
    Changes { halved: u64, doubled: u64 },
    /// The share of the calls that a neighbour leaves.
    Left,
    /// The share, and the time that answers take, in multiples of the round trip.
    Queue,
    /// The share of all machines, and that of the least in parts of the most.
    Machines,
}

/// The figures that must be reached, in percent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bar {
    /// Least share of the allowed calls that are answered.
    pub(crate) answered: f64,
    /// Least of the second figure of the measure.
    pub(crate) second: f64,
    /// Largest share of the calls that are refused, from the tenth second on.
    pub(crate) refused: f64,
}

/// A case.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    /// Name of the vendor.
    pub(crate) vendor: String,
    /// Calls a second that it allows.
    pub(crate) limit: f64,
    /// The rate that is asked for.
    pub(crate) asked: Asked,
    pub(crate) kind: Kind,
    pub(crate) measure: Measure,
    pub(crate) bar: Bar,
}

/// The behaviour of a vendor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    /// A bucket that stores a second.
    Bucket,
    /// A fixed window of this many seconds.
    Fixed(u64),
    /// A sliding window of this many seconds.
    Sliding(u64),
    /// Strict distances.
    Spacing,
    /// A fixed window that tells with each refusal when it turns.
    FixedTold(u64),
    /// A sliding window that tells with each refusal when its first call is free again.
    SlidingTold(u64),
    /// A window of a minute, and twice the rate in a second.
    SecondAndMinute,
    /// A bucket or a fixed second that changes.
    Changing { is_fixed: bool },
    /// A bucket or a fixed second that is shared with a neighbour.
    Neighbour { is_fixed: bool },
    /// One call in 500 is refused.
    Random,
    /// A bucket or a fixed second that asks for two seconds with each refusal.
    Waits { is_fixed: bool },
    /// A sliding second in which refusals count.
    Counting,
    /// Calls are served one after the other, and none is refused.
    Queue,
    /// A bucket, and four machines.
    FourBucket,
    /// A sliding second, and four machines.
    FourSliding,
}

const fn bar(answered: f64, second: f64, refused: f64) -> Bar {
    Bar { answered, second, refused }
}

/// Every way to ask, and the two that most cases have.
const ANY: [Asked; 5] = [Auto, Times(1.1), Times(5.0), Times(20.0), Unlimited];
const SOME: [Asked; 2] = [Auto, Times(5.0)];

/// Returns all cases.
pub(crate) fn all() -> Vec<Case> {
    [of_a_second(), of_a_window(), moving(), unusual()].concat()
}

/// A vendor that is asked in several ways.
#[derive(Debug, Clone, Copy)]
struct Vendor<'a> {
    name: &'a str,
    kind: Kind,
    limit: f64,
}

impl Vendor<'_> {
    fn asked(self, all: &[Asked], measure: Measure, bar: Bar) -> Vec<Case> {
        let Self { name, kind, limit } = self;
        let vendor = format!("{name} {}", per_second(limit));
        let case = |asked| Case { vendor: vendor.clone(), limit, asked, kind, measure, bar };
        all.iter().copied().map(case).collect()
    }
}

/// Limits of a second.
fn of_a_second() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, kind) in [
        ("token bucket", Kind::Bucket),
        ("fixed second", Kind::Fixed(1)),
        ("sliding second", Kind::Sliding(1)),
    ] {
        let vendor = |limit| Vendor { name, kind, limit };
        cases.extend(vendor(5.0).asked(&SOME, Measure::Whole, bar(93.0, 93.0, 1.0)));
        for (limit, refused) in [(50.0, 0.6), (200.0, 0.3), (1000.0, 0.3)] {
            cases.extend(vendor(limit).asked(&ANY, Measure::Whole, bar(95.0, 96.0, refused)));
        }
    }
    for (limit, least) in [(5.0, 93.0), (50.0, 80.0), (200.0, 94.0), (1000.0, 94.0)] {
        let vendor = Vendor { name: "strict spacing", kind: Kind::Spacing, limit };
        cases.extend(vendor.asked(&ANY, Measure::Whole, bar(least, least, 1.0)));
    }
    cases
}

/// Limits of a minute and of an hour.
fn of_a_window() -> Vec<Case> {
    let mut cases = Vec::new();
    for (span, calls, long) in [(MINUTE, 3000.0, "minute"), (HOUR, 20_000.0, "hour")] {
        for (name, kind) in [
            (format!("fixed {long}"), Kind::Fixed(span)),
            (format!("sliding {long}"), Kind::Sliding(span)),
            (format!("fixed {long}, told"), Kind::FixedTold(span)),
            (format!("sliding {long}, told"), Kind::SlidingTold(span)),
        ] {
            let vendor = Vendor { name: &name, kind, limit: calls / span as f64 };
            cases.extend(vendor.asked(&SOME, Measure::After(span), bar(95.0, 0.0, 1.2)));
        }
    }
    let both = Vendor { name: "second and minute", kind: Kind::SecondAndMinute, limit: 50.0 };
    cases.extend(both.asked(&SOME, Measure::After(MINUTE), bar(92.0, 0.0, 1.2)));
    cases
}

/// Limits that move.
fn moving() -> Vec<Case> {
    let mut cases = Vec::new();
    for (is_fixed, of, least) in [(false, "bucket", 90.0), (true, "fixed second", 88.0)] {
        let (changing, shared) = (format!("halves, doubles, {of}"), format!("neighbour, {of}"));
        let kind = Kind::Changing { is_fixed };
        let vendor = Vendor { name: &changing, kind, limit: 200.0 };
        let measure = Measure::Changes { halved: 200, doubled: 400 };
        cases.extend(vendor.asked(&SOME, measure, bar(95.0, 90.0, 1.0)));
        let vendor = Vendor { name: &shared, kind: Kind::Neighbour { is_fixed }, limit: 200.0 };
        cases.extend(vendor.asked(&[Auto], Measure::Left, bar(least, 0.0, 2.0)));
    }
    cases
}

/// Vendors that refuse, wait or answer in another way, and several machines.
fn unusual() -> Vec<Case> {
    let random = Vendor { name: "1 in 500 at random", kind: Kind::Random, limit: 500.0 };
    let mut cases = random.asked(&[Times(1.0)], Measure::Whole, bar(95.0, 95.0, 0.3));
    for (is_fixed, name) in
        [(false, "Retry-After 2, bucket"), (true, "Retry-After 2, fixed second")]
    {
        let vendor = Vendor { name, kind: Kind::Waits { is_fixed }, limit: 200.0 };
        cases.extend(vendor.asked(&[Times(5.0)], Measure::Whole, bar(85.0, 85.0, 0.5)));
    }
    for limit in [50.0, 200.0] {
        let counting = Vendor { name: "refusals count", kind: Kind::Counting, limit };
        cases.extend(counting.asked(&[Times(5.0)], Measure::Whole, bar(92.0, 92.0, 1.3)));
        let queue = Vendor { name: "a queue", kind: Kind::Queue, limit };
        cases.extend(queue.asked(&[Auto], Measure::Queue, bar(95.0, 25.0, 0.0)));
    }
    for (name, kind) in
        [("4 machines, bucket", Kind::FourBucket), ("4 machines, sliding", Kind::FourSliding)]
    {
        let vendor = Vendor { name, kind, limit: 200.0 };
        cases.extend(vendor.asked(&[Auto], Measure::Machines, bar(90.0, 33.3, 1.8)));
    }
    cases
}

fn per_second(limit: f64) -> String {
    if limit < 10.0 && limit.fract() > 0.0 {
        format!("{limit:.1}/s")
    } else {
        format!("{limit:.0}/s")
    }
}

/// The figures that a run has reached, in percent.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Reached {
    pub(crate) answered: f64,
    pub(crate) second: f64,
    pub(crate) refused: f64,
    /// Refusals before the tenth second, in percent of those that are allowed.
    pub(crate) early: f64,
}

impl Case {
    /// Returns the rate that is asked for; `None` if it has no limit.
    pub(crate) fn rate(&self) -> Option<f64> {
        match self.asked {
            Asked::Auto | Asked::Unlimited => None,
            Asked::Times(times) => Some(times * self.limit),
        }
    }

    fn machines(&self) -> usize {
        if self.measure == Measure::Machines { 4 } else { 1 }
    }

    fn seconds(&self) -> u64 {
        match self.kind {
            Kind::Fixed(HOUR)
            | Kind::Sliding(HOUR)
            | Kind::FixedTold(HOUR)
            | Kind::SlidingTold(HOUR) => 4 * HOUR,
            Kind::Fixed(MINUTE)
            | Kind::Sliding(MINUTE)
            | Kind::FixedTold(MINUTE)
            | Kind::SlidingTold(MINUTE) => 20 * MINUTE,
            _ => 600,
        }
    }

    /// Makes the vendor of a seed.
    pub(crate) fn setting(&self, seed: u64) -> Setting {
        let mut dice = fastrand::Rng::with_seed(seed.wrapping_mul(0x9e37_79b9) ^ 0xcafe);
        // From 20 to 300 ms, evenly on a logarithmic scale.
        let latency = Duration::from_secs_f64(0.02 * 15.0_f64.powf(dice.f64()));
        let limit = self.limit;
        let second = |is_fixed: bool, dice: &mut fastrand::Rng| match is_fixed {
            true => Limiter::fixed(SECOND, limit, dice),
            false => Limiter::bucket(limit, 1.0),
        };
        let limiter = match self.kind {
            Kind::Bucket | Kind::FourBucket => Limiter::bucket(limit, 1.0),
            Kind::Fixed(span) | Kind::FixedTold(span) => {
                Limiter::fixed(Duration::from_secs(span), limit * span as f64, &mut dice)
            }
            Kind::Sliding(span) | Kind::SlidingTold(span) => {
                Limiter::sliding(Duration::from_secs(span), limit * span as f64, false)
            }
            Kind::FourSliding => Limiter::sliding(SECOND, limit, false),
            Kind::Counting => Limiter::sliding(SECOND, limit, true),
            Kind::Spacing => Limiter::spacing(limit),
            Kind::SecondAndMinute => Limiter::All(vec![
                Limiter::fixed(SECOND, 2.0 * limit, &mut dice),
                Limiter::fixed(Duration::from_secs(MINUTE), limit * MINUTE as f64, &mut dice),
            ]),
            Kind::Changing { is_fixed }
            | Kind::Neighbour { is_fixed }
            | Kind::Waits { is_fixed } => second(is_fixed, &mut dice),
            Kind::Random | Kind::Queue => Limiter::None,
        };
        let mut setting = Setting::new(limiter, self.seconds(), latency, seed);
        if limit >= 1000.0 {
            // 1,000 calls a second of 300 ms each do not fit into 256.
            setting.in_flight = 512;
        }
        match self.kind {
            Kind::FixedTold(_) | Kind::SlidingTold(_) => {
                setting.asks_to_wait = AsksToWait::UntilTheTurn
            }
            Kind::Waits { .. } => setting.asks_to_wait = AsksToWait::Always(2 * SECOND),
            Kind::Random => setting.refuses = 1.0 / 500.0,
            Kind::Queue => setting.serves = Some(limit),
            Kind::Neighbour { .. } => {
                let rates = (0..30).map(|_| 0.6 * limit * dice.f64()).collect();
                setting.neighbour = Some((20, rates));
            }
            Kind::Changing { .. } => setting.changes = vec![(200, 0.5), (400, 2.0)],
            _ => {}
        }
        setting
    }

    /// Plays a run, and measures it.
    pub(crate) fn reached<C: Controller>(
        &self,
        seed: u64,
        controller: &dyn Fn(&Self) -> C,
    ) -> Reached {
        let setting = self.setting(seed);
        let controllers = (0..self.machines()).map(|_| controller(self)).collect();
        self.measured(&setting, &play(setting.clone(), controllers))
    }

    fn measured(&self, setting: &Setting, logs: &[Log]) -> Reached {
        let seconds = setting.seconds;
        let answered = |from, until| logs.iter().map(|log| log.answered(from, until)).sum::<f64>();
        let refused = |from, until| logs.iter().map(|log| log.refused(from, until)).sum::<f64>();
        let share = |from: u64, until: u64, limit: f64| {
            100.0 * answered(from, until) / (limit * (until - from) as f64)
        };
        let limit = self.limit;
        let (whole, second) = match self.measure {
            Measure::Whole => (share(0, seconds, limit), share(30, seconds, limit)),
            Measure::After(span) => {
                let (from, until) = whole_windows(setting, span);
                (share(from, until, limit), 0.0)
            }
            Measure::Changes { halved, doubled } => (
                share(halved + 5, halved + 35, limit / 2.0),
                share(doubled + 60, doubled + 90, limit),
            ),
            Measure::Left => {
                let rates = setting.neighbour.as_ref().map_or(&[][..], |(_, rates)| rates);
                let taken = rates.iter().sum::<f64>() / rates.len().max(1) as f64;
                (share(0, seconds, limit - taken), 0.0)
            }
            Measure::Queue => {
                let mut took: Vec<f32> = logs.iter().flat_map(|log| log.took.clone()).collect();
                took.sort_unstable_by(f32::total_cmp);
                let median = took.get(took.len() / 2).copied().unwrap_or_default();
                (
                    share(0, seconds, limit),
                    100.0 * setting.latency.as_secs_f64() / f64::from(median),
                )
            }
            Measure::Machines => {
                let of: Vec<f64> = logs.iter().map(|log| log.answered(0, seconds)).collect();
                let least = of.iter().copied().fold(f64::MAX, f64::min);
                (share(0, seconds, limit), 100.0 * least / of.iter().copied().fold(0.0, f64::max))
            }
        };
        let all = answered(10, seconds) + refused(10, seconds);
        let in_flight = setting.in_flight as f64;
        let asked = self.rate().unwrap_or(in_flight / setting.latency.as_secs_f64());
        let allowed = in_flight + asked * setting.latency.as_secs_f64();
        Reached {
            answered: whole,
            second,
            refused: 100.0 * refused(10, seconds) / all,
            early: 100.0 * refused(0, 10) / (allowed * logs.len() as f64),
        }
    }
}

/// Returns the first and last second of the whole windows after the first one.
fn whole_windows(setting: &Setting, span: u64) -> (u64, u64) {
    let first = match &setting.limiter {
        Limiter::Fixed { offset, span, .. } => (*span - *offset).as_secs() + span.as_secs(),
        _ => span,
    };
    let windows = (setting.seconds - first) / span;
    (first, first + windows * span)
}
