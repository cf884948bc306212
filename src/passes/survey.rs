//! The first pass: what is in the file, before anything is sent or paid.

use super::chunk::Chunk;
use super::spot::spot;
use super::{Input, LOOK_EVERY, PassError};
use crate::input::Rows;
use crate::model::attempt::PairKey;
use crate::model::finding::{Finding, FindingClass, Skipped};
use crate::model::row::Checked;
use crate::model::subject::Subject;
use crate::rules::findings::{FileCounts, FileFacts, SpotLog, findings};
use crate::rules::pair::{PairHasher, truncate};
use crate::rules::pairs::PairTable;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

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

/// Reads the whole file: one thread reads and checks the rows, another makes their keys. Memory: 16 bytes a row, and 8
/// more for a moment.
///
/// # Errors
/// [`PassError::Input`], or [`PassError::Interrupted`] where `interrupted` says so.
pub fn survey(input: &Input, interrupted: &dyn Fn() -> bool) -> Result<Survey, PassError> {
    let (give, subjects) = sync_channel(CHUNKS_WAITING);
    let (read, keyed) = std::thread::scope(|scope| {
        let keyer = scope.spawn(|| Keyed::of(subjects, &input.hasher));
        (read(input, interrupted, give), keyer.join())
    });
    let (read, keyed) = (read?, keyed.map_err(|_| ended_early())?);
    let passed = keyed.keys.len() as u64;
    let (table, distinct_niks) = std::thread::scope(|scope| {
        let niks = scope.spawn(|| count_distinct(keyed.niks));
        (PairTable::new(keyed.keys), niks.join())
    });
    let distinct = table.len() as u64;
    let distinct_niks = distinct_niks.map_err(|_| ended_early())?;
    Ok(Survey {
        findings: findings(&read.counts, &read.spots, &read.facts),
        skipped: read.facts.skipped,
        counts: read.counts,
        fingerprint: read.fingerprint,
        table,
        duplicates: passed - distinct,
        several_names: distinct.saturating_sub(distinct_niks),
    })
}

fn ended_early() -> PassError {
    PassError::Inconsistent("a part of the survey ended early".to_owned())
}

/// What reading the rows shows.
struct ReadThrough {
    counts: FileCounts,
    spots: SpotLog,
    facts: FileFacts,
    fingerprint: [u8; 16],
}

/// Reads the rows and gives away the subjects of those that passed.
fn read(
    input: &Input,
    interrupted: &dyn Fn() -> bool,
    give: SyncSender<Vec<Subject>>,
) -> Result<ReadThrough, PassError> {
    let Input { source, layout, options, hasher } = input;
    let mut rows = Rows::open(source, layout, options, hasher.stream())?;
    let (mut counts, mut spots) = (FileCounts::default(), SpotLog::default());
    let mut chunk = Chunk::of(CHUNK);
    while let Some(row) = rows.next_row()? {
        counts.add(&row.reading);
        spots.add(&row.reading, |sign| spot(&row, layout, sign));
        if row.record % LOOK_EVERY == 0 && interrupted() {
            return Err(PassError::Interrupted);
        }
        if let Ok(Checked { subject, .. }) = row.reading.checked {
            let size = subject.name.as_str().len();
            if let Some(full) = chunk.add(subject, size) {
                give.send(full).map_err(|_| ended_early())?;
            }
        }
    }
    give.send(chunk.rest()).map_err(|_| ended_early())?;
    let facts = FileFacts {
        id_header: layout.header_key(&layout.id),
        repeated_headers: layout.repeated_headers(),
        guessed_windows_1252: layout.encoding_guessed,
        skipped: rows.skipped(),
        other_sheets: source.sheet().map(|sheet| sheet.others.clone()).unwrap_or_default(),
    };
    Ok(ReadThrough { counts, spots, facts, fingerprint: truncate(&rows.finish()?) })
}

/// What the rows that passed are known by, in their order.
#[derive(Default)]
struct Keyed {
    keys: Vec<PairKey>,
    niks: Vec<u64>,
}

impl Keyed {
    fn of(subjects: Receiver<Vec<Subject>>, hasher: &PairHasher) -> Self {
        let mut keyed = Self::default();
        for subject in subjects.into_iter().flatten() {
            keyed.keys.push(hasher.pair(&subject));
            keyed.niks.push(subject.nik.number());
        }
        keyed
    }
}

fn count_distinct(mut numbers: Vec<u64>) -> u64 {
    numbers.sort_unstable();
    numbers.dedup();
    numbers.len() as u64
}
