//! Finds the row of a file at which a budget would stop the run. The survey does not keep the rows,
//! so the file has to be read once more.
//!
//! Must hold: a row with a pair that the survey did not see is an error. The pass ends as soon as
//! the row is found.

use super::reading::{finish, pair_of, read_rows};
use super::spot::spot;
use super::{Input, PassError};
use crate::model::finding::Spot;
use crate::model::row::{Checked, Rejection};
use crate::rules::findings::Sign;
use crate::rules::pair_table::PairTable;

/// Any sign of the NIK column, so that the spot of a row is its NIK cell.
const OF_NIK: Sign = Sign::Rejection(Rejection::NikEmpty);

/// Reads the rows once more, up to the row of the first pair that would be sent after `after_sent`
/// other pairs. Returns the place of that row, or `None` if there are not so many pairs to send.
/// Memory: one byte for each distinct pair.
///
/// # Errors
/// Returns [`PassError::Input`] if the input cannot be read, [`PassError::Changed`] if it is not
/// the surveyed one, and [`PassError::Interrupted`] if `interrupted` returns `true`.
pub fn locate(
    input: &Input,
    fingerprint: [u8; 16],
    table: &PairTable,
    after_sent: u64,
    interrupted: &dyn Fn() -> bool,
) -> Result<Option<Spot>, PassError> {
    let (mut left, mut found) = (after_sent, None);
    let mut seen = vec![false; table.len()];
    let rows = read_rows(input, interrupted, |row| {
        let Ok(Checked { subject, .. }) = &row.reading.checked else { return Ok(true) };
        let (state, first) = pair_of(input, table, &mut seen, subject)?;
        if !first || state.end.is_some() {
            return Ok(true);
        }
        match left.checked_sub(1) {
            Some(pairs) => left = pairs,
            None => found = Some(spot(&row, &input.layout, OF_NIK)),
        }
        Ok(found.is_none())
    })?;
    finish(rows, fingerprint)?;
    Ok(found)
}
