//! The first pass: what is in the file, before anything is sent or paid.

use super::{Input, LOOK_EVERY, PassError};
use crate::input::form::Form;
use crate::input::{Layout, Place, Row, Rows};
use crate::model::attempt::PairKey;
use crate::model::finding::{Finding, FindingClass, Skipped, Spot};
use crate::model::subject::mask_cell;
use crate::rules::findings::{FileCounts, FileFacts, Sign, SpotLog, findings};
use crate::rules::pair::truncate;
use crate::rules::pairs::PairTable;

/// What is in a file.
pub struct Survey {
    /// Rows, rejections, warnings, damage.
    pub counts: FileCounts,
    /// Keyed hash of all bytes.
    pub fingerprint: [u8; 16],
    /// The distinct pairs, nothing known of them yet.
    pub table: PairTable,
    /// Rows that repeat a pair that stands earlier in the file.
    pub duplicates: u64,
    /// Pairs whose NIK stands in this file with another name too.
    pub several_names: u64,
    /// Records that are no rows.
    pub skipped: Skipped,
    /// What the file shows, the gravest first.
    pub findings: Vec<Finding>,
}

impl Survey {
    /// The findings that stop the file.
    pub fn stops(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.class == FindingClass::Stop)
    }
}

/// Reads the whole file. Memory: 16 bytes a row, and 8 more for a moment.
///
/// # Errors
/// [`PassError::Input`], or [`PassError::Interrupted`] where `interrupted` says so.
pub fn survey(input: &Input, interrupted: &dyn Fn() -> bool) -> Result<Survey, PassError> {
    let Input { source, layout, options, hasher } = input;
    let mut rows = Rows::open(source, layout, options, hasher.stream())?;
    let mut counts = FileCounts::default();
    let mut spots = SpotLog::default();
    let mut keys: Vec<PairKey> = Vec::new();
    let mut niks: Vec<u64> = Vec::new();
    while let Some(row) = rows.next_row()? {
        counts.add(&row.reading);
        spots.add(&row.reading, |sign| spot(&row, layout, sign));
        if let Ok(checked) = &row.reading.checked {
            keys.push(hasher.pair(&checked.subject));
            niks.push(checked.subject.nik.number());
        }
        if row.record % LOOK_EVERY == 0 && interrupted() {
            return Err(PassError::Interrupted);
        }
    }
    let facts = FileFacts {
        id_header: layout.header_key(&layout.id),
        repeated_headers: layout.repeated_headers(),
        guessed_windows_1252: layout.encoding_guessed,
        skipped: rows.skipped(),
    };
    let fingerprint = truncate(&rows.finish()?);
    let distinct_niks = count_distinct(niks);
    let passed = keys.len() as u64;
    let table = PairTable::new(keys);
    let distinct = table.len() as u64;
    Ok(Survey {
        findings: findings(&counts, &spots, &facts),
        skipped: facts.skipped,
        counts,
        fingerprint,
        table,
        duplicates: passed - distinct,
        several_names: distinct.saturating_sub(distinct_niks),
    })
}

/// The place of a sign, as a spreadsheet's user finds it.
pub(super) fn spot(row: &Row<'_>, layout: &Layout, sign: Sign) -> Spot {
    let column = if sign.is_of_name() { &layout.name } else { &layout.id };
    let cell = row.fields.get(column.index).unwrap_or_default();
    let Place { line, row: sheet_row, record, .. } = row.place;
    Spot {
        line: if matches!(layout.form, Form::Sheet(_)) { sheet_row } else { line },
        record,
        cell: format!("{}{sheet_row}", column_letters(column.index)),
        value: mask_cell(&String::from_utf8_lossy(cell)),
    }
}

/// A column's name in a spreadsheet: A to Z, AA, AB and so on.
fn column_letters(index: usize) -> String {
    let mut letters = Vec::new();
    let mut left = index + 1;
    while left > 0 {
        let digit = u8::try_from((left - 1) % 26).unwrap_or_default();
        letters.push(char::from(b'A' + digit));
        left = (left - 1) / 26;
    }
    letters.iter().rev().collect()
}

fn count_distinct(mut numbers: Vec<u64>) -> u64 {
    numbers.sort_unstable();
    numbers.dedup();
    numbers.len() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_columns_as_a_spreadsheet_does() {
        for (index, letters) in [
            (0, "A"),
            (25, "Z"),
            (26, "AA"),
            (51, "AZ"),
            (52, "BA"),
            (701, "ZZ"),
            (702, "AAA"),
            (16_383, "XFD"),
        ] {
            assert_eq!(column_letters(index), letters);
        }
    }
}
