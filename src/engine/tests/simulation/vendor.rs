//! The simulated vendor and the network in front of it: answers of every kind, and a log that is
//! the only truth about what was sent and charged.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::super::book::Sale;
use super::super::story::{ms, secs};
use super::super::vendor::{
    ABNORMAL, Answer, CUT, DOWN, INTERNAL, INVALID, QUERY_FAILED, REFUSED, SLOWER, Word,
};
use super::dice::Dice;
use super::swarm::{Kind, Swarm};
use crate::model::class::{Lost, NotSent};
use crate::model::reply::{Body, Reply};
use crate::model::texts::Text;
use crate::rules::body::BodyKind;
use crate::rules::classify::classify;

const SOURCE_TIMEOUT: Word = Word::Status(513, "SOURCE_SERVICE_TIMEOUT");
const TROUBLES: &[Word] = &[QUERY_FAILED, INTERNAL, DOWN, SOURCE_TIMEOUT];
const GATEWAYS: &[Word] =
    &[Word::Foreign(500), Word::Foreign(502), Word::Foreign(503), Word::Status(503, "NEW")];
const LOST: &[Word] = &[
    CUT,
    Word::Lost(Lost::Timeout),
    Word::Lost(Lost::Unreadable),
    Word::Foreign(504),
    Word::Foreign(200),
    Word::Status(200, "OK"),
];
const ACCOUNT: &[Word] = &[
    Word::Status(401, "UNAUTHORIZED"),
    Word::Status(401, "KEY_EXPIRED"),
    Word::Status(403, "NO_PERMISSION"),
    Word::Status(404, "NOT_FOUND"),
    Word::Foreign(302),
    Word::Foreign(403),
    Word::Foreign(404),
    Word::Foreign(407),
    Word::Unsent(NotSent::Certificate),
    Word::Unsent(NotSent::NoTls),
    Word::Unsent(NotSent::Proxy),
];
const REFUSALS: &[Word] = &[
    INVALID,
    INVALID,
    Word::NotFound,
    ABNORMAL,
    Word::Status(418, "NEW"),
    Word::Foreign(400),
    Word::Foreign(413),
];
const UNKNOWN: &[Word] = &[Word::Code("05"), Word::Code("77"), Word::Status(200, "NEW")];
const OUTAGES: &[Word] = &[DOWN, SOURCE_TIMEOUT, Word::Foreign(502), REFUSED, CUT];
const QUOTA: Word = Word::Status(403, "OUT_OF_QUOTA");

/// One customer.
#[derive(Debug, Clone)]
pub(super) struct Person {
    pub(super) nik: String,
    pub(super) name: String,
    /// The vendor's result code for this customer.
    pub(super) truth: &'static str,
}

/// The lasting conditions of one start.
#[derive(Debug, Default)]
struct Weather {
    /// Beginning and end of an outage, and the word that answers every call in it.
    outage: Option<(Duration, Duration, Word)>,
    /// Calls a second that the vendor accepts up to a time, that time, and the calls a second after
    /// it.
    limits: Option<(u64, Duration, u64)>,
    /// Number of charges that are left.
    quota: Option<u64>,
}

/// The simulated vendor.
pub(super) struct Vendor {
    dice: Dice,
    swarm: Swarm,
    reads: BodyKind,
    weather: Weather,
    recent: VecDeque<Duration>,
    /// True if there are no more faults.
    pub(super) calm: bool,
    /// Calls, by their attempts.
    pub(super) log: BTreeMap<u64, Sale>,
}

impl Vendor {
    pub(super) fn new(mut dice: Dice, swarm: Swarm) -> Self {
        let reads = dice.pick(&[BodyKind::Json, BodyKind::Form]);
        Self {
            dice,
            swarm,
            reads,
            weather: Weather::default(),
            recent: VecDeque::new(),
            calm: false,
            log: BTreeMap::new(),
        }
    }

    pub(super) const fn reads(&self) -> BodyKind {
        self.reads
    }

    /// Chooses the conditions of another start.
    pub(super) fn new_start(&mut self) {
        let Self { dice, swarm, .. } = self;
        self.weather = Weather::default();
        self.recent.clear();
        if self.calm {
            return;
        }
        if swarm.is_on(Kind::Outage, dice) {
            let from = ms(dice.below(5000));
            let long = dice.pick(&[ms(500), secs(20), secs(600), secs(4000)]);
            self.weather.outage = Some((from, from + long, dice.pick(OUTAGES)));
        }
        if swarm.is_on(Kind::Limit, dice) {
            let (one, other) = (dice.between(1, 30), dice.between(1, 30));
            self.weather.limits = Some((one, ms(dice.below(10_000)), other));
        }
        if swarm.is_on(Kind::Quota, dice) {
            self.weather.quota = Some(dice.below(20));
        }
    }

    /// Lets the source fail for a while.
    pub(super) fn fail(&mut self, from: Duration, to: Duration) {
        self.weather.outage = Some((from, to, DOWN));
    }

    /// Returns the answer to the call of an attempt, and writes the call into the log.
    pub(super) fn answer(
        &mut self,
        person: &Person,
        (run, attempt): (u64, u64),
        body: BodyKind,
        at: Duration,
    ) -> Answer {
        let word = self.word(person, body, at);
        let said = Answer { charged: self.dice.one_in(2), ..Answer::say(word) };
        let charged = said.is_billed();
        let Answer { mut reply, .. } = said.clone();
        if let Some(quota) = &mut self.weather.quota {
            *quota -= u64::from(charged).min(*quota);
        }
        let mut order_no = None;
        if let Reply::Response(response) = &mut reply {
            if !self.calm && self.swarm.strikes(Kind::Wish, &mut self.dice) {
                response.retry_after = Some(secs(self.dice.pick(&[0, 1, 7, 90, 3000])));
            }
            if let Body::Vendor(texts) = &mut response.body {
                order_no = Some(format!("ORDER-{attempt}"));
                texts.set(Text::OrderNo, order_no.clone());
                texts.set(Text::Remark, self.dice.one_in(3).then(|| echo(person)));
            }
        }
        let class = classify(&reply);
        assert_eq!(class, word.class());
        let sale = Sale { run, class, charged, order_no };
        assert!(self.log.insert(attempt, sale).is_none(), "an attempt is one call");
        Answer { reply, after: self.takes(), ..said }
    }

    fn word(&mut self, person: &Person, body: BodyKind, at: Duration) -> Word {
        if self.calm {
            return if body == self.reads { Word::Code(person.truth) } else { Word::NotFound };
        }
        if let Some((from, to, word)) = self.weather.outage
            && (from..to).contains(&at)
        {
            return word;
        }
        let Self { dice, swarm, .. } = self;
        for (kind, words) in [
            (Kind::Connect, &[REFUSED][..]),
            (Kind::Account, ACCOUNT),
            (Kind::Slower, &[SLOWER, Word::Foreign(429)]),
            (Kind::Gateway, GATEWAYS),
            (Kind::Lost, LOST),
        ] {
            if swarm.strikes(kind, dice) {
                return dice.pick(words);
            }
        }
        if self.is_too_fast(at) {
            return SLOWER;
        }
        if body != self.reads {
            return Word::NotFound;
        }
        if self.weather.quota == Some(0) {
            return QUOTA;
        }
        let Self { dice, swarm, .. } = self;
        for (kind, words) in
            [(Kind::Trouble, TROUBLES), (Kind::Refusal, REFUSALS), (Kind::Unknown, UNKNOWN)]
        {
            if swarm.strikes(kind, dice) {
                return dice.pick(words);
            }
        }
        Word::Code(person.truth)
    }

    fn is_too_fast(&mut self, at: Duration) -> bool {
        let Some((one, change, other)) = self.weather.limits else { return false };
        while self.recent.front().is_some_and(|sent| *sent + secs(1) <= at) {
            self.recent.pop_front();
        }
        let most = if at < change { one } else { other };
        let over = self.recent.len() as u64 >= most;
        if !over {
            self.recent.push_back(at);
        }
        over
    }

    fn takes(&mut self) -> Duration {
        if !self.calm && self.swarm.strikes(Kind::Slow, &mut self.dice) {
            return ms(self.dice.between(1000, 60_000));
        }
        ms(self.dice.between(1, 200))
    }
}

/// Returns a remark that repeats the customer's data.
fn echo(person: &Person) -> String {
    format!("asked for {} of {}", person.nik, person.name)
}
