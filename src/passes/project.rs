//! The third pass: rows in order, joined to the facts, into the output.
//!
//! What must hold: every row comes out exactly once, in input order; the charged rows and the
//! possible charges of the output add up to the run's tally, which is checked here.

use std::borrow::Cow;
use std::io::Write;

use super::{Input, LOOK_EVERY, PassError};
use crate::input::{Row, Rows};
use crate::ledger::{Detail, Ledger};
use crate::model::attempt::AttemptId;
use crate::model::class::{Class, End};
use crate::model::money::{Charge, Tally};
use crate::model::outcome::{Outcome, OutcomeCounts};
use crate::model::reply::Texts;
use crate::model::row::Rejection;
use crate::model::subject::Subject;
use crate::output::{Cells, RowResult, RowSource, Writer};
use crate::rules::classify::charge;
use crate::rules::echo::{is_concealed, reveal_all};
use crate::rules::pair::truncate;
use crate::rules::pairs::{Origin, PairIndex, PairState, PairTable};

/// Rows joined at a time: their facts are fetched together.
const CHUNK: usize = 2048;
/// How the stand-in vendor's order numbers begin.
const SANDBOX_ORDER: &str = "SANDBOX-";

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Projected {
    /// Rows by outcome.
    pub outcomes: OutcomeCounts,
    /// Whether answers of the stand-in vendor are among them.
    pub from_sandbox: bool,
}

/// Writes the whole output.
///
/// # Errors
/// [`PassError`]: the input changed or cannot be read, the ledger or the output failed.
pub fn project<L: Ledger, W: Write>(
    input: &Input,
    fingerprint: [u8; 16],
    table: &PairTable,
    tally: &Tally,
    ledger: &mut L,
    writer: &mut Writer<W>,
    interrupted: &dyn Fn() -> bool,
) -> Result<Projected, PassError> {
    let Input { source, layout, options, hasher } = input;
    let mut rows = Rows::open(source, layout, options, hasher.stream())?;
    let mut join = Join {
        table,
        seen: vec![false; table.len()],
        chunk: Vec::with_capacity(CHUNK),
        totals: Totals::default(),
    };
    writer.header(layout)?;
    while let Some(row) = rows.next_row()? {
        if row.record % LOOK_EVERY == 0 && interrupted() {
            return Err(PassError::Interrupted);
        }
        join.take(row, |subject| table.find(&hasher.pair(subject)))?;
        if join.chunk.len() == CHUNK {
            join.write(ledger, writer)?;
        }
    }
    join.write(ledger, writer)?;
    writer.flush()?;
    if truncate(&rows.finish()?) != fingerprint {
        return Err(PassError::Changed);
    }
    join.totals.check(tally)?;
    Ok(Projected { outcomes: join.totals.outcomes, from_sandbox: join.totals.from_sandbox })
}

/// A row that waits for its facts.
struct Held {
    cells: Cells,
    what: What,
}

enum What {
    Rejected(Rejection),
    Pair { state: PairState, subject: Subject, first: bool, name_changed: bool },
}

struct Join<'a> {
    table: &'a PairTable,
    /// The pairs that already stood in an earlier row.
    seen: Vec<bool>,
    chunk: Vec<Held>,
    totals: Totals,
}

impl Join<'_> {
    fn take(
        &mut self,
        row: Row<'_>,
        find: impl FnOnce(&Subject) -> Option<PairIndex>,
    ) -> Result<(), PassError> {
        let cells = Cells::of(row.fields);
        let what = match row.reading.checked {
            Err(rejection) => What::Rejected(rejection),
            Ok(checked) => {
                // A pair that the survey did not see: the file is another one now.
                let at = find(&checked.subject).ok_or(PassError::Changed)?;
                let seen = self.seen.get_mut(at.0 as usize);
                let first = !seen.is_some_and(|seen| std::mem::replace(seen, true));
                let state = self.table.state(at);
                let name_changed = checked.name_changed;
                What::Pair { state, subject: checked.subject, first, name_changed }
            }
        };
        self.chunk.push(Held { cells, what });
        Ok(())
    }

    fn write<L: Ledger, W: Write>(
        &mut self,
        ledger: &mut L,
        writer: &mut Writer<W>,
    ) -> Result<(), PassError> {
        let wanted: Vec<AttemptId> = self
            .chunk
            .iter()
            .filter_map(|held| match &held.what {
                What::Pair { state, .. } if state.attempt.0 > 0 => Some(state.attempt),
                _ => None,
            })
            .collect();
        let details = ledger.details(&wanted)?;
        let none = Texts::default();
        for held in self.chunk.drain(..) {
            let result = match held.what {
                What::Rejected(rejection) => RowResult::rejected(rejection),
                What::Pair { state, subject, first, name_changed } => {
                    let at = details.binary_search_by_key(&state.attempt, |d| d.attempt);
                    let detail = at.ok().and_then(|at| details.get(at));
                    let texts = detail.map_or(Cow::Borrowed(&none), |d| revealed(d, &subject));
                    let class = detail.map(|detail| detail.class);
                    let reason = reason(&state, class, &texts, &subject, name_changed);
                    RowResult { texts, reason, ..row_result(&state, class, first, &none) }
                }
            };
            self.totals.add(&result);
            writer.row(&held.cells, &result)?;
        }
        Ok(())
    }
}

/// An attempt's texts, with the customer put back where the vendor echoed them.
fn revealed<'a>(detail: &'a Detail, subject: &Subject) -> Cow<'a, Texts> {
    if !is_concealed(&detail.texts) {
        return Cow::Borrowed(&detail.texts);
    }
    let mut texts = detail.texts.clone();
    reveal_all(&mut texts, subject);
    Cow::Owned(texts)
}

/// What a row shows of its pair, but for the texts. `first`: no earlier row of this file has the
/// same pair.
fn row_result<'a>(
    state: &PairState,
    class: Option<Class>,
    first: bool,
    none: &'a Texts,
) -> RowResult<'a> {
    let own = first && (state.origin == Origin::Run || state.spent.sends > 0);
    let charged = match (own, state.origin, class.map(charge)) {
        (true, Origin::Run, Some(Charge::Charged)) => Charge::Charged,
        (true, ..) if state.possible > 0 => Charge::Unknown,
        _ => Charge::Free,
    };
    RowResult {
        outcome: Outcome::of(state.end),
        charged,
        possible: if own { state.possible } else { 0 },
        attempts: if own { state.spent.sends } else { 0 },
        source: match (first, state.origin) {
            (false, _) if state.origin != Origin::Nowhere => RowSource::Duplicate,
            (_, Origin::Run) => RowSource::Call,
            (_, Origin::Ledger) => RowSource::Ledger,
            (_, Origin::Nowhere) => RowSource::Nowhere,
        },
        texts: Cow::Borrowed(none),
        reason: Cow::Borrowed(""),
    }
}

/// The vendor's reason; where it gave none, how an answer was lost or refused, or under which name
/// the row was sent.
fn reason(
    state: &PairState,
    class: Option<Class>,
    texts: &Texts,
    subject: &Subject,
    name_changed: bool,
) -> Cow<'static, str> {
    if let Some(given) = &texts.reason {
        return Cow::Owned(given.clone());
    }
    match (state.end, class) {
        (
            None | Some(End::InDoubt | End::Unavailable | End::Refused | End::Abnormal),
            Some(class),
        ) => Cow::Borrowed(class.name()),
        (Some(End::Answered(_)), _) if name_changed => {
            Cow::Owned(format!("sent as: {}", subject.name.as_str()))
        }
        _ => Cow::Borrowed(""),
    }
}

/// What the output adds up to.
#[derive(Default)]
struct Totals {
    outcomes: OutcomeCounts,
    charged: u64,
    possible: u64,
    from_sandbox: bool,
}

impl Totals {
    fn add(&mut self, result: &RowResult<'_>) {
        self.outcomes.add(result.outcome);
        self.charged += u64::from(result.charged == Charge::Charged);
        self.possible += u64::from(result.possible);
        let order = result.texts.order_no.as_deref().unwrap_or_default();
        self.from_sandbox |= order.starts_with(SANDBOX_ORDER);
    }

    fn check(&self, tally: &Tally) -> Result<(), PassError> {
        let (confirmed, possible) = (tally.confirmed, tally.possible.total());
        if (self.charged, self.possible) == (confirmed, possible) {
            return Ok(());
        }
        Err(PassError::Inconsistent(format!(
            "its rows show {} charged and {} possible, the ledger {confirmed} and {possible}",
            self.charged, self.possible
        )))
    }
}
