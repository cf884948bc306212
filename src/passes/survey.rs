//! The first pass: what is in the file, before anything is sent or paid.

use super::names::{NikRow, compare};
use super::places::Places;
use super::reading::read_in_chunks;
use super::spot::{spot, spot_of};
use super::{Input, PassError};
use crate::model::attempt::PairKey;
use crate::model::finding::{Finding, FindingClass, Skipped};
use crate::model::row::Checked;
use crate::model::subject::{Nik, Subject};
use crate::rules::findings::{FileCounts, FileFacts, SpotLog, findings, several_names_finding};
use crate::rules::pair::truncate;
use crate::rules::pairs::PairTable;
use std::sync::mpsc::sync_channel;

/// Rows handed over at a time, at most.
const CHUNK: usize = 1024;
/// Chunks that may wait for their keys.
const CHUNKS_WAITING: usize = 4;

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
    /// Pairs that today's checks refuse, and that a run of an earlier version may have sent.
    pub formerly: Vec<PairKey>,
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

/// Reads the whole file: one thread reads and checks the rows, another makes their keys. Memory: 16 bytes a row, and 16
/// more for a moment.
///
/// # Errors
/// [`PassError::Input`], or [`PassError::Interrupted`] where `interrupted` says so.
pub fn survey(input: &Input, interrupted: &dyn Fn() -> bool) -> Result<Survey, PassError> {
    let (mut counts, mut spots) = (FileCounts::default(), SpotLog::default());
    let (mut formerly, mut places) = (Vec::new(), Places::default());
    let (give, subjects) = sync_channel::<Vec<Subject>>(CHUNKS_WAITING);
    let (rows, keyed) = std::thread::scope(|scope| {
        let keyer = scope.spawn(|| -> (Vec<PairKey>, Vec<NikRow>) {
            let subjects = (0..).zip(subjects.into_iter().flatten());
            let keyed = subjects.map(|(row, subject)| {
                let key = input.hasher.pair(&subject);
                (key, NikRow::of(subject.nik.number(), row, &key))
            });
            keyed.unzip()
        });
        let rows = read_in_chunks(
            input,
            CHUNK,
            interrupted,
            |row| {
                counts.add(&row.reading);
                counts.hidden += u64::from(row.is_hidden);
                formerly
                    .extend(row.reading.formerly.as_ref().map(|c| input.hasher.pair(&c.subject)));
                spots.add(&row.reading, |sign| spot(&row, &input.layout, sign));
                Ok(row.reading.checked.ok().map(|Checked { subject, .. }| {
                    places.add(row.place);
                    let size = subject.name.as_str().len();
                    (subject, size)
                }))
            },
            // It is gone after the last row, which ends the other thread.
            move |chunk| give.send(chunk).is_ok(),
        );
        (rows, keyer.join())
    });
    let rows = rows?.ok_or_else(ended_early)?;
    let facts = facts(input, rows.skipped());
    let fingerprint = truncate(&rows.finish()?);
    let (keys, niks) = keyed.map_err(|_| ended_early())?;
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
        skipped: facts.skipped,
        formerly,
        counts,
        fingerprint,
        table,
        duplicates: passed - distinct,
        several_names,
    })
}

fn ended_early() -> PassError {
    PassError::Inconsistent("a part of the survey ended early".to_owned())
}

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
