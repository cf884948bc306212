//! The first pass: finds out what the file contains, before anything is sent or paid.

use std::sync::mpsc::{Receiver, sync_channel};

use super::names::{NikRow, compare};
use super::places::Places;
use super::reading::read_in_chunks;
use super::spot::{spot, spot_of};
use super::{Input, PassError};
use crate::model::attempt::PairKey;
use crate::model::finding::{Finding, FindingClass, Skipped};
use crate::model::funnel::Funnel;
use crate::model::row::Checked;
use crate::model::subject::{Nik, Subject};
use crate::rules::findings::{FileCounts, FileFacts, FirstPlaces, findings, several_names_finding};
use crate::rules::label_names::LabelNames;
use crate::rules::pair_key::truncate;
use crate::rules::pair_table::PairTable;

/// Largest number of rows in a chunk.
const CHUNK: usize = 1024;
/// Number of chunks that may wait for the thread that makes the keys.
const CHUNKS_WAITING: usize = 4;

/// Result of the survey.
pub struct Survey {
    /// Counts of rows, rejections, warnings and signs of damage.
    pub counts: FileCounts,
    /// Keyed hash of all bytes, cut to 128 bits.
    pub fingerprint: [u8; 16],
    /// Distinct pairs of the file. Nothing is known about them yet.
    pub table: PairTable,
    /// Number of rows that repeat a pair of an earlier row.
    pub duplicates: u64,
    /// Number of distinct pairs minus number of distinct NIKs: how often a NIK has a further name.
    pub several_names: u64,
    /// Pairs that today's checks reject. A run of an earlier version may have sent them.
    pub sendable_before: Vec<PairKey>,
    /// Counts of the records that are not rows.
    pub skipped: Skipped,
    /// Findings about the file. Those that stop the file come first. The warning about several
    /// names of a NIK comes last.
    pub findings: Vec<Finding>,
    /// Names of customers that stand in the labels of the input.
    pub label_names: LabelNames,
}

impl Survey {
    /// Returns the findings for which nothing of the file is sent, unless the user forces it.
    pub fn stops(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.class == FindingClass::Stop)
    }

    /// Divides the rows by what will be done with them. The facts must be folded into the table.
    ///
    /// # Errors
    /// Returns [`PassError::Inconsistent`] if the parts do not add up to the rows, which is a
    /// defect of this program.
    pub fn funnel(&self) -> Result<Funnel, PassError> {
        let counts = &self.counts;
        Funnel::of(counts.rows, counts.rejected(), self.duplicates, &self.table)
            .map_err(|error| PassError::Inconsistent(error.to_string()))
    }
}

/// Reads the whole file: this thread reads and checks the rows, another one makes their keys.
/// Memory: 32 bytes for each row that passed (its key and its NIK), and 16 bytes for each distinct
/// pair.
///
/// # Errors
/// Returns [`PassError::Input`] if the input cannot be read, [`PassError::Interrupted`] if
/// `interrupted` returns `true`, and [`PassError::Broken`] if a thread panicked.
pub fn survey(input: &Input, interrupted: &dyn Fn() -> bool) -> Result<Survey, PassError> {
    let (mut counts, mut spots) = (FileCounts::default(), FirstPlaces::default());
    let (mut sendable_before, mut places) = (Vec::new(), Places::default());
    let (give, subjects) = sync_channel::<Vec<Subject>>(CHUNKS_WAITING);
    let (rows, keyed) = std::thread::scope(|scope| {
        let keyer = scope.spawn(|| make_keys(input, subjects));
        let rows = read_in_chunks(
            input,
            CHUNK,
            interrupted,
            |row| {
                counts.add(&row.reading);
                counts.hidden += u64::from(row.is_hidden);
                sendable_before.extend(
                    row.reading.sendable_before.as_ref().map(|c| input.hasher.pair(&c.subject)),
                );
                spots.add(&row.reading, |sign| spot(&row, &input.layout, sign));
                Ok(row.reading.checked.ok().map(|Checked { subject, .. }| {
                    places.add(row.place);
                    let size = subject.name.as_str().len();
                    (subject, size)
                }))
            },
            // This closure owns the sender. Both are dropped after the last row, and that ends the
            // other thread.
            move |chunk| give.send(chunk).is_ok(),
        );
        (rows, keyer.join())
    });
    let rows = rows?.ok_or_else(ended_early)?;
    let facts = facts(input, rows.skipped());
    let fingerprint = truncate(&rows.finish()?);
    let (label_names, (keys, niks)) = keyed.map_err(|_| ended_early())?;
    let passed = keys.len() as u64;
    let (table, names) = std::thread::scope(|scope| {
        let names = scope.spawn(move || compare(niks));
        (PairTable::new(keys), names.join())
    });
    let distinct = table.len() as u64;
    let names = names.map_err(|_| ended_early())?;
    let several_names = distinct.saturating_sub(names.niks);
    let mut findings = findings(&counts, &spots, &facts);
    if several_names > 0 {
        let others = names.others.iter();
        let others = others.filter_map(|(row, nik)| Some((places.get(u64::from(*row))?, *nik)));
        let spots = others.map(|(place, nik)| {
            let shown = Nik::from_number(nik).map(|nik| nik.masked()).unwrap_or_default();
            spot_of(place, &input.layout, input.layout.id.index, shown)
        });
        findings.push(several_names_finding(several_names, distinct, spots.collect()));
    }
    Ok(Survey {
        findings,
        label_names,
        skipped: facts.skipped,
        sendable_before,
        counts,
        fingerprint,
        table,
        duplicates: passed - distinct,
        several_names,
    })
}

/// Makes the keys of all rows that passed, in their order, and finds the names of customers in the
/// labels of the input.
fn make_keys(
    input: &Input,
    subjects: Receiver<Vec<Subject>>,
) -> (LabelNames, (Vec<PairKey>, Vec<NikRow>)) {
    let mut label_names = LabelNames::in_labels(input.labels.iter().map(String::as_str));
    let subjects = (0..).zip(subjects.into_iter().flatten());
    let keyed = subjects.map(|(row, subject)| {
        let key = input.hasher.pair(&subject);
        label_names.see(subject.name.as_str());
        (key, NikRow::of(subject.nik.number(), row, &key))
    });
    let keyed = keyed.unzip();
    (label_names, keyed)
}

/// Makes the error for a thread that panicked.
fn ended_early() -> PassError {
    PassError::Broken("the check of the file")
}

/// Collects the facts about the file as a whole, on which findings depend.
fn facts(input: &Input, skipped: Skipped) -> FileFacts {
    let Input { source, layout, .. } = input;
    FileFacts {
        id_header: layout.header_key(&layout.id),
        repeated_headers: layout.repeated_headers(),
        guessed_windows_1252: layout.encoding_guessed,
        skipped,
        unstored: source.sheet().map_or(0, |sheet| sheet.unstored),
        lost: source.sheet().map_or(0, |sheet| sheet.lost),
        other_sheets: source.sheet().map(|sheet| sheet.others.clone()).unwrap_or_default(),
    }
}
