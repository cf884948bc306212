//! Facts of the ledger: an intent before each call is sent, and a settlement with its result.
//!
//! Must hold: facts are only ever added. A fact identifies a pair by its keyed hash alone and holds
//! neither a NIK nor a name. Where the texts of a settlement echo the NIK or the name, placeholders
//! have replaced them already.

use std::fmt;

use super::class::Class;
use super::money::Charge;
use super::pause::Pause;
use super::texts::Texts;
pub use super::time::WallMs;

/// Keyed hash of a pair (128 bits). The answer for one pair key is bought only once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PairKey(pub [u8; 16]);

/// Version of a pair in a ledger that several processes write to. It counts the changes of the
/// pair: each grant, each settlement, and each declaration that an attempt is lost. An intent names
/// the version that its maker knows, and the ledger grants it only if no other process has changed
/// the pair since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PairVersion(pub u16);

impl PairVersion {
    /// Version of a pair that the ledger does not know; of all pairs, in a ledger that one process
    /// at a time writes to.
    pub const NONE: Self = Self(0);

    /// The last version. A pair that has it is never asked again.
    pub const LAST: Self = Self(u16::MAX);

    /// Returns the version after the next change.
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// Number of a start in its ledger, counted from 1. A start is one process of `ceknik run`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StartId(pub u32);

impl StartId {
    /// Returns the number of the next start.
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// Number of an attempt in the ledger.
///
/// The upper 32 bits hold the number of the start. The lower 32 bits hold the place of the attempt
/// among the intents of that start, counted from 1. So the number is unique without asking the
/// ledger, and the numbers that one process makes are in rising order. Attempts that ceknik 0.1
/// recorded have no start: their upper 32 bits are 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptId(pub u64);

impl AttemptId {
    /// Returns the number of the `n`-th attempt of a start.
    pub const fn of(start: StartId, n: u32) -> Self {
        Self((start.0 as u64) << 32 | n as u64)
    }

    /// Returns the start that made the attempt, or start 0 if ceknik 0.1 made it.
    pub const fn start(self) -> StartId {
        StartId((self.0 >> 32) as u32)
    }
}

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let call = self.0 & u64::from(u32::MAX);
        match self.start() {
            StartId(0) => write!(f, "call {call}"),
            StartId(start) => write!(f, "call {call} of the ledger's session {start}"),
        }
    }
}

/// Time since this start began to verify. Every rule gets the time in this form.
pub type Tick = std::time::Duration;

/// A call that is about to be sent. The intent is durable before the call is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// Attempt that this intent opens.
    pub attempt: AttemptId,
    /// Pair that the call asks about.
    pub pair: PairKey,
    /// Version of the pair as the maker of the intent knows it.
    pub version: PairVersion,
    /// Number of the data record (from 1) whose row asks.
    pub record: u64,
    /// Time at which the intent was made.
    pub at: WallMs,
}

/// Result of an attempt. The settlement is durable before the result of the row counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// Attempt that this settlement closes.
    pub attempt: AttemptId,
    /// Class of the reply, or the reason why there is none.
    pub class: Class,
    /// Charge for the attempt.
    pub charge: Charge,
    /// HTTP status code, if a response came.
    pub http: Option<u16>,
    /// Time from the sending of the call to its answer, in milliseconds, with the time to connect
    /// where there was no connection. `None` if no answer came. It decides nothing.
    pub took_ms: Option<u32>,
    /// Texts of the vendor, with placeholders in place of an echoed NIK or name.
    pub texts: Texts,
    /// Time at which the reply came or the attempt was given up.
    pub at: WallMs,
}

/// Facts that are made durable together: either all of them or none.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Batch {
    /// Intents of calls that are about to be sent.
    pub intents: Vec<Intent>,
    /// Settlements of earlier attempts.
    pub settlements: Vec<Settlement>,
    /// Refusals that no longer count, because the fault was ours and not in the customers' data.
    pub voids: Vec<AttemptId>,
    /// Pauses that began or ended. They are no facts about money, and are not counted as facts.
    pub pauses: Vec<Pause>,
}

impl Batch {
    /// Returns the number of facts in the batch.
    pub fn facts(&self) -> u64 {
        (self.intents.len() + self.settlements.len() + self.voids.len()) as u64
    }

    /// Checks whether there is nothing to be recorded.
    pub fn is_empty(&self) -> bool {
        self.facts() == 0 && self.pauses.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_attempts() {
        for (start, n, number, said) in [
            (0, 7, 7, "call 7"),
            (1, 1, 4_294_967_297, "call 1 of the ledger's session 1"),
            (3, u32::MAX, 17_179_869_183, "call 4294967295 of the ledger's session 3"),
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
        let intent = Intent {
            attempt: AttemptId(1),
            pair: PairKey([0; 16]),
            version: PairVersion::NONE,
            record: 1,
            at,
        };
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
            took_ms: None,
            texts: Texts::default(),
            at,
        };
        batch.settlements = vec![settled; 7];
        assert_eq!(batch.facts(), 12);
    }
}
