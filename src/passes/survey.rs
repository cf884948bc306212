//! The first pass: what is in the file, before anything is sent or paid.

use super::{Input, LOOK_EVERY, PassError};
use crate::input::Rows;
use crate::model::attempt::PairKey;
use crate::model::finding::{Finding, FindingClass, Skipped};
use crate::rules::findings::{FileCounts, stop_findings};
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
    let mut keys: Vec<PairKey> = Vec::new();
    let mut niks: Vec<u64> = Vec::new();
    while let Some(row) = rows.next_row()? {
        counts.add(&row.reading);
        if let Ok(checked) = &row.reading.checked {
            keys.push(hasher.pair(&checked.subject));
            niks.push(checked.subject.nik.number());
        }
        if row.record % LOOK_EVERY == 0 && interrupted() {
            return Err(PassError::Interrupted);
        }
    }
    let fingerprint = truncate(&rows.finish()?);
    let distinct_niks = count_distinct(niks);
    let passed = keys.len() as u64;
    let table = PairTable::new(keys);
    let distinct = table.len() as u64;
    let findings = stop_findings(&counts)
        .into_iter()
        .map(|found| Finding {
            code: found.code(),
            class: FindingClass::Stop,
            count: found.count,
            of: found.of,
            message: found.message(),
            hint: found.hint(),
            places: Vec::new(),
        })
        .collect();
    Ok(Survey {
        findings,
        skipped: Skipped::default(),
        counts,
        fingerprint,
        table,
        duplicates: passed - distinct,
        several_names: distinct.saturating_sub(distinct_niks),
    })
}

fn count_distinct(mut numbers: Vec<u64>) -> u64 {
    numbers.sort_unstable();
    numbers.dedup();
    numbers.len() as u64
}
