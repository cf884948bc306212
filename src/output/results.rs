//! The results CSV: each input row with its own cells unchanged, then what came of it.
//!
//! What must hold: rows come out as they went in, one each; a row that was too short is filled up
//! so that our columns stand under their headers; cells that were too many follow ours.

use std::borrow::Cow;
use std::io::{self, Write};

use crate::input::Layout;
use crate::input::records::Fields;
use crate::model::money::Charge;
use crate::model::outcome::Outcome;
use crate::model::reply::Texts;
use crate::model::row::Rejection;

/// The columns that are added, in their order.
pub const COLUMNS: [&str; 12] = [
    "ck_outcome",
    "ck_result",
    "ck_charged",
    "ck_possible",
    "ck_order_no",
    "ck_handle_time",
    "ck_remark",
    "ck_request_id",
    "ck_status",
    "ck_reason",
    "ck_source",
    "ck_attempts",
];

/// Where a row's answer comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowSource {
    /// A call of this run.
    Call,
    /// The same pair, earlier in this file.
    Duplicate,
    /// An earlier run.
    Ledger,
    /// There is none.
    Nowhere,
}

impl RowSource {
    const fn word(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Duplicate => "duplicate",
            Self::Ledger => "ledger",
            Self::Nowhere => "",
        }
    }
}

/// What came of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowResult<'a> {
    /// Its end state.
    pub outcome: Outcome,
    /// Whether it is on the invoice.
    pub charged: Charge,
    /// Its attempts whose charge is unknown.
    pub possible: u8,
    /// Its sends.
    pub attempts: u8,
    /// Where the answer comes from.
    pub source: RowSource,
    /// The vendor's texts.
    pub texts: Cow<'a, Texts>,
    /// Why: the vendor's reason, or ours.
    pub reason: Cow<'a, str>,
}

impl RowResult<'_> {
    /// A row that our own check refused.
    pub fn rejected(why: Rejection) -> Self {
        Self {
            outcome: Outcome::Rejected,
            charged: Charge::Free,
            possible: 0,
            attempts: 0,
            source: RowSource::Nowhere,
            texts: Cow::Owned(Texts::default()),
            reason: Cow::Borrowed(why.code()),
        }
    }
}

/// A row's own cells, kept until its facts are there.
#[derive(Debug, Default)]
pub struct Cells {
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

impl Cells {
    /// A copy of a record's fields. A record is at most 1 MB long, so ends fit.
    pub fn of(fields: Fields<'_>) -> Self {
        let mut cells = Self { bytes: Vec::new(), ends: Vec::with_capacity(fields.len()) };
        for field in fields.iter() {
            cells.bytes.extend_from_slice(field);
            cells.ends.push(u32::try_from(cells.bytes.len()).unwrap_or(u32::MAX));
        }
        cells
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts
            .zip(&self.ends)
            .map(|(start, end)| self.bytes.get(start as usize..*end as usize).unwrap_or_default())
    }
}

/// Writes the results.
pub struct Writer<W: Write> {
    csv: csv::Writer<W>,
    width: usize,
    /// Which of the input's columns are ours, of an earlier output fed back: they are replaced.
    ours: Vec<bool>,
}

impl<W: Write> Writer<W> {
    /// Writes to `to`, in the delimiter of the input.
    pub fn new(to: W, layout: &Layout) -> Self {
        let csv = csv::WriterBuilder::new()
            .delimiter(layout.delimiter)
            .flexible(true)
            .buffer_capacity(256 * 1024)
            .from_writer(to);
        let is_ours = |cell: &[u8]| COLUMNS.iter().any(|column| column.as_bytes() == cell);
        let ours = match &layout.header {
            Some(header) => header.iter().map(|cell| is_ours(cell)).collect(),
            None => vec![false; layout.width],
        };
        Self { csv, width: layout.width, ours }
    }

    /// Writes the header, where the input has one.
    ///
    /// # Errors
    /// What the system says.
    pub fn header(&mut self, layout: &Layout) -> io::Result<()> {
        let Some(header) = &layout.header else { return Ok(()) };
        for (cell, ours) in header.iter().zip(&self.ours) {
            if !ours {
                self.csv.write_field(cell).map_err(io_error)?;
            }
        }
        self.end(COLUMNS.map(str::as_bytes))
    }

    /// Writes a row.
    ///
    /// # Errors
    /// What the system says.
    pub fn row(&mut self, cells: &Cells, result: &RowResult<'_>) -> io::Result<()> {
        let mut own = cells.iter();
        for ours in &self.ours {
            let cell = own.next().unwrap_or_default();
            if !ours {
                self.csv.write_field(cell).map_err(io_error)?;
            }
        }
        let (mut possible, mut attempts) = ([0; 3], [0; 3]);
        let Texts { status, result: code, order_no, handle_time, remark, request_id, reason: _ } =
            result.texts.as_ref();
        let columns = [
            result.outcome.word().as_bytes(),
            text(code),
            result.charged.word().as_bytes(),
            decimal(result.possible, &mut possible),
            text(order_no),
            text(handle_time),
            text(remark),
            text(request_id),
            text(status),
            result.reason.as_bytes(),
            result.source.word().as_bytes(),
            decimal(result.attempts, &mut attempts),
        ];
        for column in columns {
            self.csv.write_field(column).map_err(io_error)?;
        }
        for surplus in cells.iter().skip(self.width) {
            self.csv.write_field(surplus).map_err(io_error)?;
        }
        self.end([])
    }

    /// Writes out what is buffered.
    ///
    /// # Errors
    /// What the system says.
    pub fn flush(&mut self) -> io::Result<()> {
        self.csv.flush()
    }

    /// Gives the destination back, everything written out.
    ///
    /// # Errors
    /// What the system says.
    pub fn into_inner(self) -> io::Result<W> {
        self.csv.into_inner().map_err(|error| io::Error::from(error.error().kind()))
    }

    fn end<const N: usize>(&mut self, last: [&[u8]; N]) -> io::Result<()> {
        for cell in last {
            self.csv.write_field(cell).map_err(io_error)?;
        }
        self.csv.write_record(None::<&[u8]>).map_err(io_error)
    }
}

fn text(text: &Option<String>) -> &[u8] {
    text.as_deref().unwrap_or_default().as_bytes()
}

/// A small number in decimal, without an allocation.
fn decimal(number: u8, digits: &mut [u8; 3]) -> &[u8] {
    *digits = [b'0' + number / 100, b'0' + number / 10 % 10, b'0' + number % 10];
    let from = match number {
        0..=9 => 2,
        10..=99 => 1,
        _ => 0,
    };
    digits.get(from..).unwrap_or_default()
}

fn io_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        _ => io::ErrorKind::InvalidData.into(),
    }
}
