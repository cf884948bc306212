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
mod survey;

pub use candidates::read_candidates;
pub use known::{Known, fold_known};
pub use locate::locate;
pub use project::project;
pub use survey::{Survey, survey};

use std::collections::HashSet;
use std::sync::Arc;

use crate::input::{InputError, Layout, Options as InputOptions, Source};
use crate::ledger::LedgerError;
use crate::model::attempt::PairKey;
use crate::rules::pair::PairHasher;

/// Input as all passes read it.
#[derive(Clone)]
pub struct Input {
    /// Source of the bytes.
    pub source: Source,
    /// Layout that was found in the bytes.
    pub layout: Layout,
    /// Options with which the user describes the input.
    pub options: InputOptions,
    /// Hasher for the pair keys and the fingerprint.
    pub hasher: PairHasher,
    /// Pairs that the open run has already asked for, although today's checks reject them. Their
    /// rows stay in the run as if they passed the checks.
    pub formerly: Arc<HashSet<PairKey>>,
}

impl Input {
    /// Creates an input without `formerly` pairs, as the first survey reads it.
    pub fn new(source: Source, layout: Layout, options: InputOptions, hasher: PairHasher) -> Self {
        Self { source, layout, options, hasher, formerly: Arc::default() }
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
    /// The figures of the output or of the funnel do not add up, or a thread of the pass panicked.
    /// Both are defects of this program.
    #[error("the figures do not add up: {0}")]
    Inconsistent(String),
}
