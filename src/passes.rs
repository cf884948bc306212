//! Reads the input in passes, each from the first byte and as a stream.
//!
//! Must hold: a pass that reads to the end hashes every byte. All passes of a run see the same
//! bytes, or the run ends without replacing an output.
//!
//! A run makes three passes: [`survey()`] finds out what the file contains, [`read_candidates()`]
//! delivers the rows that may be sent, in order, and [`project()`] joins the rows to the facts. The
//! survey is repeated if the open run has pairs that today's checks reject. A plan only makes the
//! survey, and [`locate()`] if the row at which a budget ends is needed.

mod candidates;
mod known;
mod locate;
mod names;
mod places;
mod project;
mod reading;
mod spot;
mod subjects;
mod survey;

use std::collections::HashSet;
use std::sync::Arc;

pub use candidates::read_candidates;
pub use known::{FactsOf, Known, fold_known};
pub use locate::locate;
pub use project::{Projection, project};
pub use subjects::{FoundSubject, subjects_of};
pub use survey::{Survey, survey};

use crate::input::{InputError, Layout, ReadOptions, Source};
use crate::ledger::LedgerError;
use crate::model::attempt::PairKey;
use crate::model::stop::StopReason;
use crate::rules::pair_key::PairHasher;

/// Input as all passes read it.
#[derive(Clone)]
pub struct Input {
    /// Source of the bytes.
    pub source: Source,
    /// Layout that was found in the bytes.
    pub layout: Layout,
    /// ReadOptions with which the user describes the input.
    pub options: ReadOptions,
    /// Hasher for the pair keys and the fingerprint.
    pub hasher: PairHasher,
    /// Pairs that the open run has already asked for, although today's checks reject them. Their
    /// rows stay in the run as if they passed the checks.
    pub sendable_before: Arc<HashSet<PairKey>>,
    /// Names of files, in which the survey looks for the names of customers.
    pub labels: Arc<[String]>,
}

impl Input {
    /// Creates an input without `sendable_before` pairs, as the first survey reads it.
    pub fn new(source: Source, layout: Layout, options: ReadOptions, hasher: PairHasher) -> Self {
        let (sendable_before, labels) = (Arc::default(), Arc::from([]));
        Self { source, layout, options, hasher, sendable_before, labels }
    }
}

/// Reasons why a pass failed.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    /// The input cannot be used.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The ledger cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The output cannot be written.
    #[error("the output cannot be written: {0}")]
    Output(#[from] std::io::Error),
    /// The bytes of the input are no longer those that were surveyed.
    #[error("the input changed while it was read")]
    Changed,
    /// The caller asked the pass to stop, because of a signal or because nobody takes the rows.
    #[error("interrupted")]
    Interrupted,
    /// The run has finished, and some of its facts were removed by a purge since.
    #[error("run {0} has finished, and `ceknik purge` has removed its answers")]
    Removed(u64),
    /// The figures of the output or of the funnel do not add up, which is a defect of this program.
    #[error("the figures do not add up: {0}")]
    Inconsistent(String),
    /// A part of this program panicked, which is a defect of this program. The text says which.
    #[error("{0} ended early, which is a defect of ceknik")]
    Broken(&'static str),
}

impl PassError {
    /// Returns the reason for which a run stops that meets this error while it reads the rows to
    /// be sent. The reader of the rows meets no other error than those of the input.
    pub(crate) const fn stop_reason(&self) -> StopReason {
        match self {
            Self::Input(_) => StopReason::InputUnreadable,
            Self::Ledger(_) | Self::Output(_) | Self::Removed(_) => StopReason::Storage,
            Self::Inconsistent(_) | Self::Broken(_) => StopReason::Defect,
            Self::Changed | Self::Interrupted => StopReason::InputChanged,
        }
    }
}
