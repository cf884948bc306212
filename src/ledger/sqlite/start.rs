//! A start, as the ledger file has it.

use std::ops::Range;

use crate::ledger::RunId;
use crate::model::attempt::AttemptId;

/// One start, read from a row with a correct checksum.
#[derive(Debug, Clone)]
pub(super) struct Start {
    pub(super) run: RunId,
    /// Number of its first attempt.
    pub(super) first_attempt: u64,
    /// Number of intents that the start made; `None` while the start is not over.
    pub(super) intents: Option<u64>,
}

impl Start {
    /// Returns the numbers of the start's attempts. While the start is not over, these are all
    /// numbers that its attempts can have.
    pub(super) const fn attempts(&self) -> Range<u64> {
        let end = match self.intents {
            Some(intents) => self.first_attempt + intents,
            None => AttemptId::of(AttemptId(self.first_attempt).start().next(), 0).0,
        };
        self.first_attempt..end
    }
}
