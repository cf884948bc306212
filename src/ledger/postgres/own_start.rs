//! The start that this process has under way: what the server has confirmed to it, and what is kept
//! of that.

use std::time::Instant;

use super::kept::Kept;
use super::late::{Late, LateFacts};
use super::local_files::LocalFiles;
use super::witness::Witness;
use crate::ledger::recording::Writing;
use crate::ledger::{LedgerError, Recorded, Unrecorded};
use crate::model::attempt::{Batch, StartId, WallMs};

/// A start that is under way.
pub(super) struct OwnStart {
    pub(super) writing: Writing,
    began_at: WallMs,
    /// The witness of the start; `None` if the folder of the key cannot be written.
    witness: Option<Witness>,
    kept: Kept,
    /// True after the server has answered that it lacks confirmed batches.
    is_forgotten: bool,
}

impl OwnStart {
    /// Begins a start that the server has confirmed.
    pub(super) fn begin(start: StartId, began_at: WallMs, files: Option<&LocalFiles>) -> Self {
        let witness = files.map(|files| Witness::begin(files, start, began_at)).transpose();
        let witness = witness.unwrap_or_else(|error| {
            tracing::warn!(
                %error,
                "ceknik cannot write a witness beside the key of the ledger: this machine will not notice later \
                 if the database is set back to an older state"
            );
            None
        });
        let (writing, kept) = (Writing::new(start), Kept::default());
        Self { writing, began_at, witness, kept, is_forgotten: false }
    }

    /// Returns the facts of a batch that are kept.
    pub(super) fn facts_of(&self, batch: &Batch) -> LateFacts {
        let mut answers = self.writing.answers_in(batch);
        answers.iter_mut().for_each(|answered| answered.settlement.texts.cut_long());
        LateFacts { answers, voids: batch.voids.clone() }
    }

    /// Notes the result of a batch with these facts.
    pub(super) fn note_result(
        &mut self,
        facts: LateFacts,
        result: &Result<Recorded, Box<Unrecorded>>,
        at: Instant,
    ) {
        match result {
            Ok(_) => {
                self.kept.confirm(self.writing.confirmed, facts, at);
                if let Some(witness) = &mut self.witness {
                    witness.confirm(self.writing.confirmed);
                }
            }
            Err(unrecorded) => {
                self.kept.fail(facts);
                self.is_forgotten |= matches!(unrecorded.error, LedgerError::Lost { .. });
            }
        }
    }

    /// Notes that the server has answered, and lacks confirmed batches.
    pub(super) const fn was_forgotten(&mut self) {
        self.is_forgotten = true;
    }

    /// Takes everything that the server may not hold; `None` if everything is recorded. The second
    /// value is true if the server answers, and has forgotten what it had confirmed.
    pub(super) fn take_late(&mut self) -> Option<(Late, bool)> {
        if !self.is_forgotten && !self.kept.has_failed() {
            return None;
        }
        let (from, facts) = self.kept.take_all();
        let (start, until, began_at) = (self.writing.start, self.writing.confirmed, self.began_at);
        let late = Late { start, began_at, from, until, facts };
        (!late.facts.is_empty()).then_some((late, self.is_forgotten))
    }
}
