//! The row of a file at which a budget would stop the run, which only the whole of it tells.
//!
//! Must hold: it sees the bytes that were surveyed, and ends as soon as it has found what is wanted.

use super::reading::{finish, pair_of, read_rows};
use super::spot::spot;
use super::{Input, PassError};
use crate::model::finding::Spot;
use crate::model::row::{Checked, Rejection};
use crate::rules::findings::Sign;
use crate::rules::pairs::PairTable;

/// The NIK's cell shows the row: the sign of any of its faults.
const OF_NIK: Sign = Sign::Rejection(Rejection::NikEmpty);

/// Reads the rows once more, up to that of the pair before which so many others are to be sent. `None`: there are not so
/// many. Memory: a byte a pair.
///
/// # Errors
/// [`PassError`]: the input changed or cannot be read, or `interrupted` says so.
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
