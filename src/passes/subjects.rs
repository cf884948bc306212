//! Finds the rows of some pairs, to show a person whose they are.

use std::collections::{HashMap, HashSet};

use super::reading::read_rows;
use super::{Input, PassError};
use crate::model::attempt::PairKey;
use crate::model::row::Checked;
use crate::model::subject::Subject;

/// The first row of a pair.
#[derive(Clone, Debug)]
pub struct FoundSubject {
    /// NIK and name as they are sent.
    pub subject: Subject,
    /// Number of the row in a spreadsheet that opens the input, from 1.
    pub row: u64,
}

/// Reads the input, and returns the first row of each of these pairs. Pairs that the input does not
/// have are left out.
///
/// # Errors
/// Returns [`PassError::Input`] if the input cannot be read, and [`PassError::Interrupted`] if
/// `interrupted` returns `true`.
pub fn subjects_of(
    input: &Input,
    wanted: &HashSet<PairKey>,
    interrupted: &dyn Fn() -> bool,
) -> Result<HashMap<PairKey, FoundSubject>, PassError> {
    let mut found = HashMap::new();
    read_rows(input, interrupted, |row| {
        // A pair that today's checks reject may have been sent by an earlier version.
        let checked = row
            .reading
            .checked
            .ok()
            .or_else(|| row.reading.sendable_before.map(|checked| *checked));
        if let Some(Checked { subject, .. }) = checked {
            let key = input.hasher.pair(&subject);
            if wanted.contains(&key) {
                let row = row.place.row;
                found.entry(key).or_insert(FoundSubject { subject, row });
            }
        }
        Ok(true)
    })?;
    Ok(found)
}
