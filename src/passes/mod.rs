//! The three passes over the input, each streaming, each hashing every byte.
//!
//! [`survey`] learns what is in the file; [`read_candidates`] gives the rows that may be sent, in
//! order; [`project`] joins the rows to the facts. What must hold: all three see the same bytes, or the
//! run ends without replacing an output.

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
pub use project::{Projected, project};
pub use survey::{Survey, survey};

use std::collections::HashSet;
use std::sync::Arc;

use crate::input::{InputError, Layout, Options as InputOptions, Source};
use crate::ledger::LedgerError;
use crate::model::attempt::PairKey;
use crate::rules::pair::PairHasher;

/// The input as all passes read it.
#[derive(Clone)]
pub struct Input {
    /// Where the bytes come from.
    pub source: Source,
    /// How they are laid out.
    pub layout: Layout,
    /// What the user said about them.
    pub options: InputOptions,
    /// Makes pair keys and the fingerprint.
    pub hasher: PairHasher,
    /// Pairs that the open run has asked for and that today's checks refuse: they end as they began.
    pub formerly: Arc<HashSet<PairKey>>,
}

impl Input {
    /// An input of which nothing was asked yet.
    pub fn new(source: Source, layout: Layout, options: InputOptions, hasher: PairHasher) -> Self {
        Self { source, layout, options, hasher, formerly: Arc::default() }
    }
}

/// Why a pass ended early.
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
    /// The input is not what was surveyed.
    #[error("the input changed while it was read")]
    Changed,
    /// A signal asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// Figures do not add up, the output's or the funnel's: a defect of this program.
    #[error("the figures do not add up: {0}")]
    Inconsistent(String),
}
