//! The result of a row: the outcome, the charge and the reason that the output shows.
//!
//! Must hold: over the rows of a file, charges and possible charges add up to the tally of the run.
//! So only the first row of a pair shows them, and only if this run bought the answer.

use std::borrow::Cow;

use super::classify::charge;
use super::pair_table::{PairState, Provenance};
use crate::model::class::{Class, End};
use crate::model::column::Column;
use crate::model::money::Charge;
use crate::model::outcome::Outcome;
use crate::model::row::Rejection;
use crate::model::subject::Subject;
use crate::model::texts::{Text, Texts};

/// Origin of a row's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowSource {
    /// A call of this run.
    Call,
    /// An earlier row of this file that has the same pair.
    Duplicate,
    /// An earlier run.
    Ledger,
    /// The row has no answer.
    Nowhere,
}

impl RowSource {
    /// Returns the word for output.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Duplicate => "duplicate",
            Self::Ledger => "ledger",
            Self::Nowhere => "",
        }
    }
}

/// Result of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowResult<'a> {
    /// End state of the row.
    pub outcome: Outcome,
    /// Charge for the row's calls of this run. `Free` if another row or an earlier run bought the
    /// answer.
    pub charged: Charge,
    /// Number of the row's attempts whose charge is unknown.
    pub possible: u8,
    /// Number of times that the row was sent in this run.
    pub attempts: u8,
    /// Origin of the answer.
    pub source: RowSource,
    /// The vendor's texts.
    pub texts: Cow<'a, Texts>,
    /// Reason for the outcome: the vendor's, or our own. May be empty.
    pub reason: Cow<'a, str>,
}

impl<'a> RowResult<'a> {
    /// Creates the result of a row that our own checks rejected.
    pub fn rejected(why: Rejection) -> Self {
        Self {
            outcome: Outcome::Rejected,
            charged: Charge::Free,
            possible: 0,
            attempts: 0,
            source: RowSource::Nowhere,
            texts: Cow::Owned(Texts::default()),
            reason: Cow::Borrowed(why.code()),
        }
    }

    /// Makes the result of a row from its parts. `first` is true if no earlier row of the file has this
    /// pair. Only that row shows the charge and the attempts of the pair.
    pub fn of_pair(
        state: &PairState,
        class: Option<Class>,
        first: bool,
        texts: Cow<'a, Texts>,
        reason: Cow<'a, str>,
    ) -> Self {
        let own = first && (state.origin == Provenance::ThisRun || state.spent.sends > 0);
        let charged = match (own, state.origin, class.map(charge)) {
            (true, Provenance::ThisRun, Some(Charge::Charged)) => Charge::Charged,
            (true, ..) if state.spent.possible > 0 => Charge::Unknown,
            _ => Charge::Free,
        };
        Self {
            outcome: Outcome::of(state.end),
            charged,
            possible: if own { state.spent.possible } else { 0 },
            attempts: if own { state.spent.sends } else { 0 },
            source: match (first, state.origin) {
                (false, _) if state.origin != Provenance::Nothing => RowSource::Duplicate,
                (_, Provenance::ThisRun) => RowSource::Call,
                (_, Provenance::EarlierRun) => RowSource::Ledger,
                (_, Provenance::Nothing) => RowSource::Nowhere,
            },
            texts,
            reason,
        }
    }

    /// Returns the vendor's text in one of our columns; empty if there is none, or if the column
    /// has no text of the vendor.
    pub fn vendor_text(&self, column: Column) -> &str {
        column.text().and_then(|text| self.texts.get(text)).unwrap_or_default()
    }
}

/// Reason of a row whose answer was removed by a purge since.
pub const PURGED: &str = "purged";

/// Returns the reason for the outcome of a row. If the vendor gave a reason, that is the result.
/// Otherwise it is the way in which the answer was lost or refused, with our own description, or
/// the name that was sent if the name was cleaned.
pub fn reason(
    state: &PairState,
    class: Option<Class>,
    texts: &Texts,
    subject: &Subject,
    name_changed: bool,
) -> Cow<'static, str> {
    match (texts.get(Text::Reason), class) {
        // The vendor did not answer, so the stored reason is our own description.
        (Some(ours), Some(class)) if texts.get(Text::Status).is_none() => {
            return Cow::Owned(format!("{}: {ours}", class.name()));
        }
        (Some(given), _) => return Cow::Owned(given.to_owned()),
        (None, _) => {}
    }
    match (state.end, class) {
        (Some(End::Answered(_)), _) if name_changed => {
            Cow::Owned(format!("sent as: {}", subject.name.as_str()))
        }
        (Some(End::Removed), _) => Cow::Borrowed(PURGED),
        (Some(End::Answered(_)), _) | (_, None) => Cow::Borrowed(""),
        (_, Some(class)) => Cow::Borrowed(class.name()),
    }
}
