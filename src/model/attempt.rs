//! The facts of the ledger: an intent before each send, a settlement of what came of it.
//!
//! Facts are only ever added. A pair is known by its keyed hash alone: no fact holds a NIK or a
//! name, and a settlement's texts are concealed before they come here.

use std::fmt;

use super::class::Class;
use super::money::Charge;
use super::reply::Texts;

/// A pair's keyed hash, 128 bits: what is bought once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PairKey(pub [u8; 16]);

/// A start's number in its ledger, from 1: one process of `ceknik run`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StartId(pub u32);

impl StartId {
    /// The next start.
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// An attempt's number in the ledger: the number of its start in the upper 32 bits, and its place among the intents of
/// that start, from 1, in the lower. So it is unique without asking, and they rise in the order in which one process
/// made them. Attempts of ledgers that ceknik 0.1 made have no start in them: their upper bits are 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptId(pub u64);

impl AttemptId {
    /// The `n`-th attempt of a start.
    pub const fn of(start: StartId, n: u32) -> Self {
        Self((start.0 as u64) << 32 | n as u64)
    }

    /// The start that made it; 0 for one that ceknik 0.1 made.
    pub const fn start(self) -> StartId {
        StartId((self.0 >> 32) as u32)
    }
}

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let call = self.0 & u64::from(u32::MAX);
        match self.start() {
            StartId(0) => write!(f, "call {call}"),
            StartId(start) => write!(f, "call {call} of start {start}"),
        }
    }
}

/// Wall-clock time, milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WallMs(pub i64);

impl WallMs {
    /// The system's clock, now.
    pub fn now() -> Self {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Self(since.map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX)))
    }

    /// So much earlier; never before the epoch.
    pub fn before(self, span: std::time::Duration) -> Self {
        let ms = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(ms).max(0))
    }
}

/// This call is about to be sent: durable before it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// The attempt that it opens.
    pub attempt: AttemptId,
    /// The pair to be asked about.
    pub pair: PairKey,
    /// The data record (1-based) of the row that asks.
    pub record: u64,
    /// When the intent was made.
    pub at: WallMs,
}

/// What came of an attempt: durable before the row counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// The attempt that it closes.
    pub attempt: AttemptId,
    /// What kind of reply.
    pub class: Class,
    /// What it costs.
    pub charge: Charge,
    /// The HTTP status code, where there was one.
    pub http: Option<u16>,
    /// The vendor's texts, concealed.
    pub texts: Texts,
    /// When the reply came.
    pub at: WallMs,
}

/// Facts to be made durable together: all of them, or none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Batch {
    /// Calls about to be sent.
    pub intents: Vec<Intent>,
    /// What came of earlier ones.
    pub settlements: Vec<Settlement>,
    /// Refusals that no longer count: something was wrong with us, not with the customers.
    pub voids: Vec<AttemptId>,
}

impl Batch {
    /// How many facts it holds.
    pub fn facts(&self) -> u64 {
        (self.intents.len() + self.settlements.len() + self.voids.len()) as u64
    }

    /// Whether there is nothing to record.
    pub fn is_empty(&self) -> bool {
        self.facts() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_attempts() {
        for (start, n, number, said) in [
            (0, 7, 7, "call 7"),
            (1, 1, 4_294_967_297, "call 1 of start 1"),
            (3, u32::MAX, 17_179_869_183, "call 4294967295 of start 3"),
        ] {
            let attempt = AttemptId::of(StartId(start), n);
            assert_eq!((attempt.0, attempt.start()), (number, StartId(start)));
            assert_eq!(attempt.to_string(), said);
        }
        assert!(AttemptId::of(StartId(1), u32::MAX) < AttemptId::of(StartId(2), 1));
        assert_eq!(StartId(1).next(), StartId(2));
    }

    #[test]
    fn a_batch_knows_how_much_it_holds() {
        let at = WallMs(1);
        let intent = Intent { attempt: AttemptId(1), pair: PairKey([0; 16]), record: 1, at };
        let mut batch = Batch::default();
        assert!(batch.is_empty() && batch.facts() == 0);
        batch.intents = vec![intent; 2];
        assert!(!batch.is_empty());
        batch.voids = vec![AttemptId(1); 3];
        assert_eq!(batch.facts(), 5);
        let settled = Settlement {
            attempt: AttemptId(1),
            class: Class::Throttled,
            charge: Charge::Free,
            http: None,
            texts: Texts::default(),
            at,
        };
        batch.settlements = vec![settled; 7];
        assert_eq!(batch.facts(), 12);
    }
}
