//! The third pass: joins the rows to the facts, in order, and writes the output.
//!
//! Must hold: every row is written exactly once, in input order. The charged rows and the possible
//! charges of the output add up to the run's tally, which is checked here.

use std::borrow::Cow;
use std::io::Write;
use std::sync::mpsc::{SyncSender, sync_channel};

use super::reading::{finish, pair_of, read_in_chunks};
use super::{Input, PassError};
use crate::input::sheet::Sheet;
use crate::ledger::{AttemptDetail, Facts};
use crate::model::attempt::AttemptId;
use crate::model::money::{Charge, Tally};
use crate::model::outcome::{Outcome, OutcomeCounts};
use crate::model::row::{Checked, Rejection};
use crate::model::subject::Subject;
use crate::model::texts::{Text, Texts};
use crate::output::{Cells, RowTotals, Writer};
use crate::rules::echo::{is_concealed, reveal_all};
use crate::rules::pair_table::{PairState, PairTable};
use crate::rules::row_result::{RowResult, RowSource, reason};

/// Largest number of rows in a chunk. The facts of a chunk are fetched together.
const CHUNK: usize = 2048;
/// Number of chunks that may wait to be written.
const CHUNKS_WAITING: usize = 2;
/// Prefix of the order numbers that the sandbox vendor returns.
const SANDBOX_ORDER: &str = "SANDBOX-";

/// Everything that an output is made of, apart from the facts.
#[derive(Clone, Copy)]
pub struct Projection<'a> {
    /// The input.
    pub input: &'a Input,
    /// Fingerprint of the bytes that were surveyed.
    pub fingerprint: [u8; 16],
    /// The pairs of the input with their states.
    pub table: &'a PairTable,
    /// Costs of the run, with which the rows must agree.
    pub tally: &'a Tally,
    /// Outcomes of the rows that are written; all if it is empty.
    pub only: &'a [Outcome],
}

/// Writes the whole output: another thread reads the rows and finds their pairs, this thread
/// fetches the facts and writes.
///
/// # Errors
/// Returns a [`PassError`]:
/// - `Input` or `Changed`: the input cannot be read, or is not the surveyed one.
/// - `Ledger`: the facts cannot be read.
/// - `Output`: the output cannot be written, or the typed cells of a workbook cannot be read.
/// - `Interrupted`: `interrupted` returns `true`.
/// - `Inconsistent`: the rows do not add up to `tally`.
/// - `Broken`: the reading thread panicked.
pub fn project<F: Facts + ?Sized, W: Write + Send>(
    what: &Projection<'_>,
    facts: &mut F,
    writer: &mut Writer<W>,
    interrupted: &(dyn Fn() -> bool + Sync),
) -> Result<RowTotals, PassError> {
    let Projection { input, fingerprint, table, tally, only } = *what;
    let mut totals = Totals::default();
    writer.header(&input.layout)?;
    let keeps_types = writer.keeps_types();
    std::thread::scope(|scope| {
        let (give, chunks) = sync_channel(CHUNKS_WAITING);
        let read = move || read(input, fingerprint, table, keeps_types, interrupted, &give);
        let reader = scope.spawn(read);
        for chunk in chunks {
            write(chunk, only, facts, writer, &mut totals)?;
        }
        // If the reading thread panicked, the chunks are not the whole file.
        let panicked = |_| Err(PassError::Broken("the reader of the input"));
        reader.join().unwrap_or_else(panicked)
    })?;
    totals.check(tally)?;
    let Totals { outcomes, from_sandbox, duplicates, known, shown, .. } = totals;
    Ok(RowTotals { outcomes, from_sandbox, duplicates, known, shown })
}

/// Reads the rows in order, and hands them over with the states of their pairs. Ends early if the
/// receiver is gone.
fn read(
    input: &Input,
    fingerprint: [u8; 16],
    table: &PairTable,
    keeps_types: bool,
    interrupted: &(dyn Fn() -> bool + Sync),
    give: &SyncSender<Vec<WaitingRow>>,
) -> Result<(), PassError> {
    // Marks the pairs that an earlier row has.
    let mut seen = vec![false; table.len()];
    let sheet = input.source.sheet().filter(|_| keeps_types);
    let mut typed = sheet.map(Sheet::typed_rows).transpose()?.flatten();
    let rows = read_in_chunks(
        input,
        CHUNK,
        interrupted,
        |row| {
            // The rows of a sheet have the numbers of the rows of its text.
            let place = row.place.row;
            let kinds = typed.as_mut().map(|typed| typed.of_row(place.saturating_sub(1)));
            let cells = Cells::of(row.fields, place, kinds.transpose()?.unwrap_or_default());
            let size = cells.size();
            let what = match row.reading.checked {
                Err(rejection) => RowState::Rejected(rejection),
                Ok(Checked { subject, name_changed, .. }) => {
                    let (state, first) = pair_of(input, table, &mut seen, &subject)?;
                    RowState::Pair { state, subject, first, name_changed }
                }
            };
            Ok(Some(((cells, what), size)))
        },
        |chunk| give.send(chunk).is_ok(),
    )?;
    finish(rows, fingerprint)
}

/// Row that waits for its facts: its cells, and the result of its checks.
type WaitingRow = (Cells, RowState);

/// Result of a row's checks: a rejection, or a pair with its state.
enum RowState {
    Rejected(Rejection),
    Pair { state: PairState, subject: Subject, first: bool, name_changed: bool },
}

/// Joins a chunk of rows to their facts and writes them.
fn write<F: Facts + ?Sized, W: Write + Send>(
    chunk: Vec<WaitingRow>,
    only: &[Outcome],
    facts: &mut F,
    writer: &mut Writer<W>,
    totals: &mut Totals,
) -> Result<(), PassError> {
    let wanted: Vec<AttemptId> = chunk
        .iter()
        .filter_map(|(_, what)| match what {
            RowState::Pair { state, .. } if state.attempt.0 > 0 => Some(state.attempt),
            _ => None,
        })
        .collect();
    let details = facts.details(&wanted)?;
    for (cells, what) in chunk {
        let result = match what {
            RowState::Rejected(rejection) => RowResult::rejected(rejection),
            RowState::Pair { state, subject, first, name_changed } => {
                let at = details.binary_search_by_key(&state.attempt, |d| d.attempt);
                let detail = at.ok().and_then(|at| details.get(at));
                let texts = detail.map(|detail| revealed(detail, &subject)).unwrap_or_default();
                let class = detail.map(|detail| detail.class);
                let reason = reason(&state, class, &texts, &subject, name_changed);
                RowResult::of_pair(&state, class, first, texts, reason)
            }
        };
        totals.add(&result);
        if only.is_empty() || only.contains(&result.outcome) {
            totals.shown += 1;
            writer.row(&cells, &result)?;
        }
    }
    Ok(())
}

/// Returns the texts of an attempt. Where the vendor repeated the NIK or the name, the ledger has
/// placeholders, which are replaced by the customer's data again.
fn revealed<'a>(detail: &'a AttemptDetail, subject: &Subject) -> Cow<'a, Texts> {
    let mut texts = Cow::Borrowed(&detail.texts);
    if is_concealed(&texts) {
        reveal_all(texts.to_mut(), subject);
    }
    texts
}

/// Sums over the rows of the output.
#[derive(Default)]
struct Totals {
    outcomes: OutcomeCounts,
    charged: u64,
    possible: u64,
    from_sandbox: bool,
    duplicates: u64,
    known: u64,
    shown: u64,
}

impl Totals {
    fn add(&mut self, result: &RowResult<'_>) {
        self.outcomes.add(result.outcome);
        self.charged += u64::from(result.charged == Charge::Charged);
        self.possible += u64::from(result.possible);
        self.duplicates += u64::from(result.source == RowSource::Duplicate);
        self.known += u64::from(result.source == RowSource::Ledger);
        let order = result.texts.get(Text::OrderNo).unwrap_or_default();
        self.from_sandbox |= order.starts_with(SANDBOX_ORDER);
    }

    /// Compares the charges of the rows with the run's tally.
    ///
    /// # Errors
    /// Returns [`PassError::Inconsistent`] if they differ.
    fn check(&self, tally: &Tally) -> Result<(), PassError> {
        let (confirmed, possible) = (tally.confirmed, tally.possible.total());
        if (self.charged, self.possible) == (confirmed, possible) {
            return Ok(());
        }
        Err(PassError::Inconsistent(format!(
            "the rows have {} charged and {} possible calls, the ledger has {confirmed} and {possible}",
            self.charged, self.possible
        )))
    }
}
