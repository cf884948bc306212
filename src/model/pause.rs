//! Pauses: times in which a start makes no calls, or only test calls.
//!
//! Must hold: names and codes of kinds never change, because ledgers store them and programs read
//! them.

use super::time::WallMs;

/// Cause of a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PauseKind {
    /// The source, or a gateway before it, answers with errors.
    Outage,
    /// No connection to the vendor can be made.
    Unreachable,
    /// The vendor refuses every call because there were too many, or asks for a wait.
    RateLimit,
}

impl PauseKind {
    const ALL: [Self; 3] = [Self::Outage, Self::Unreachable, Self::RateLimit];

    /// Returns the word for JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Outage => "outage",
            Self::Unreachable => "unreachable",
            Self::RateLimit => "rate_limit",
        }
    }

    /// Returns the description for people.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Outage => "the vendor was down",
            Self::Unreachable => "the vendor could not be reached",
            Self::RateLimit => "the vendor refused the calls as too fast",
        }
    }

    /// Returns the kind with this word; `None` if a later version stored it.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// A pause of one start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pause {
    /// Number of the pause in its start, from 1.
    pub number: u32,
    /// Cause of the pause.
    pub kind: PauseKind,
    /// Time at which it began.
    pub at: WallMs,
    /// Time at which calls were made again. `None` while it lasts; if the start ended in the pause,
    /// it lasted until then.
    pub until: Option<WallMs>,
    /// Rate when the pause began, in calls a second; `None` if it was unlimited.
    pub rate: Option<f64>,
}
