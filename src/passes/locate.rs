//! Where in the file things stand that only the whole of it tells: the row at which a budget would stop the run, and
//! the rows that give a NIK another name than a row above.
//!
//! Must hold: it sees the bytes that were surveyed, and ends as soon as it has found what is wanted.
//! Never: keeps a name.

use std::collections::HashSet;

use super::reading::{finish, pair_of, read_rows};
use super::spot::spot;
use super::{Input, PassError};
use crate::model::finding::{SPOTS, Spot};
use crate::model::row::{Checked, Warning};
use crate::rules::findings::Sign;
use crate::rules::pairs::PairTable;

/// What the NIK's cell shows in both searches: the row is told by it.
const SEVERAL_NAMES: Sign = Sign::Warning(Warning::NikSeveralNames);

/// What to look for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted {
    /// The row of the pair before which so many others are to be sent.
    pub after_sent: Option<u64>,
    /// The first rows whose NIK stands above with another name.
    pub several_names: bool,
}

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Located {
    /// The row at which nothing is left of the budget.
    pub stop: Option<Spot>,
    /// The rows with another name.
    pub several_names: Vec<Spot>,
}

/// Reads the rows once more, as far as needed. Memory: up to 21 bytes a distinct pair while names are compared, and a
/// byte a pair.
///
/// # Errors
/// [`PassError`]: the input changed or cannot be read, or `interrupted` says so.
pub fn locate(
    input: &Input,
    fingerprint: [u8; 16],
    table: &PairTable,
    wanted: Wanted,
    interrupted: &dyn Fn() -> bool,
) -> Result<Located, PassError> {
    let mut found = Located::default();
    // Pairs to be sent that are still to be passed by.
    let mut left = wanted.after_sent;
    let mut niks = wanted.several_names.then(|| HashSet::<u64>::with_capacity(table.len()));
    let mut seen = vec![false; table.len()];
    let rows = read_rows(input, interrupted, |row| {
        let Ok(Checked { subject, .. }) = &row.reading.checked else { return Ok(true) };
        let (state, first) = pair_of(input, table, &mut seen, subject)?;
        if !first {
            return Ok(true);
        }
        if let Some(pairs) = left.filter(|_| state.end.is_none()) {
            left = pairs.checked_sub(1);
            if left.is_none() {
                found.stop = Some(spot(&row, &input.layout, SEVERAL_NAMES));
            }
        }
        // Another pair of the same NIK is another name.
        if niks.as_mut().is_some_and(|niks| !niks.insert(subject.nik.number())) {
            found.several_names.push(spot(&row, &input.layout, SEVERAL_NAMES));
            if found.several_names.len() == SPOTS {
                niks = None;
            }
        }
        Ok(left.is_some() || niks.is_some())
    })?;
    finish(rows, fingerprint)?;
    Ok(found)
}
