//! Records that are not rows: blank records, a footer with totals, and rows that were numbered in
//! advance for customers who were never entered.
//!
//! Must hold: a record is skipped only if nothing of it could be sent. Skipped records are
//! counted and shown.
//!
//! Never: skips a record because of one cell alone, except for a number that continues those above.

use super::headers::HeaderKey;
use crate::model::characters::is_invisible;

/// Reason why a record is not a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skip {
    /// No cell is filled.
    Blank,
    /// The record is a footer: TOTAL, and figures.
    Total,
}

/// Keys of the first cells of footers.
const TOTALS: &[&str] = &[
    "total",
    "grandtotal",
    "subtotal",
    "totaldata",
    "totalnasabah",
    "totalrows",
    "totalrow",
    "totalbaris",
    "totalrecord",
    "totalrecords",
    "jumlah",
    "jumlahtotal",
    "jumlahdata",
    "jumlahnasabah",
    "jumlahbaris",
    "totalkeseluruhan",
    "jumlahkeseluruhan",
];

/// Returns the reason why a record that our own checks refused is not a row at all; `None` if it is
/// a row. The first filled cell of a footer is a word for a total, and only figures may follow: a
/// customer with such a name has more cells.
///
/// ```
/// use ceknik::rules::skip::{Skip, skip_reason};
///
/// assert_eq!(skip_reason(["", " ", ""].into_iter()), Some(Skip::Blank));
/// assert_eq!(skip_reason(["", "TOTAL", "Rp 1.500.000"].into_iter()), Some(Skip::Total));
/// // A customer without a NIK, whose name begins like a footer.
/// assert_eq!(skip_reason(["", "JUMLAH SARI", "Bandung"].into_iter()), None);
/// ```
pub fn skip_reason<'a>(cells: impl Iterator<Item = &'a str>) -> Option<Skip> {
    let filled = |cell: &&str| cell.chars().any(|c| !c.is_whitespace() && !is_invisible(c));
    let mut cells = cells.filter(filled);
    let Some(first) = cells.next() else { return Some(Skip::Blank) };
    let (word, rest) = split_figures(first);
    let mut cells = cells.peekable();
    let is_total = HeaderKey::of(word).is_in(TOTALS);
    (is_total && is_figure(rest) && cells.all(is_figure)).then_some(Skip::Total)
}

/// Number of leading columns in which row numbers are looked for.
const NUMBERED: usize = 4;
/// Digits of the longest row number.
const ROW_DIGITS: usize = 7;

/// Row numbers in the first columns (1, 2, 3 …), followed from record to record.
#[derive(Clone, Debug, Default)]
pub struct Numbering {
    /// Latest number of each column, as long as all numbers of the column continued those above.
    latest: [Option<u32>; NUMBERED],
}

impl Numbering {
    /// Looks at the next record. Returns `true` if the record holds nothing but one number, and
    /// this number continues those above.
    pub fn next<'a>(&mut self, cells: impl Iterator<Item = &'a [u8]>) -> bool {
        let (mut filled, mut continues) = (0_usize, false);
        for (column, cell) in cells.enumerate() {
            let cell = cell.trim_ascii();
            filled += usize::from(!cell.is_empty());
            let Some(latest) = self.latest.get_mut(column) else {
                if filled > 1 {
                    break;
                }
                continue;
            };
            if cell.is_empty() {
                continue;
            }
            let number = row_number(cell);
            let is_next = number.is_some() && number == Some(latest.unwrap_or(0) + 1);
            continues |= is_next;
            *latest = if is_next || number == Some(1) {
                number
            } else {
                latest.filter(|_| number.is_none())
            };
        }
        continues && filled == 1
    }
}

fn row_number(cell: &[u8]) -> Option<u32> {
    let cell = cell.strip_suffix(b".").unwrap_or(cell);
    let is_number = cell.len() <= ROW_DIGITS && cell.iter().all(u8::is_ascii_digit);
    is_number.then(|| std::str::from_utf8(cell).ok()?.parse().ok()).flatten()
}

/// Splits a cell such as `Total: 300` before its first digit.
fn split_figures(cell: &str) -> (&str, &str) {
    let at = cell.find(|c: char| c.is_ascii_digit()).unwrap_or(cell.len());
    cell.split_at_checked(at).unwrap_or((cell, ""))
}

/// Checks whether a cell is a figure, with punctuation and perhaps one short word as a unit
/// (`Rp 1.500.000`, `300 orang`).
fn is_figure(cell: &str) -> bool {
    let letters = cell.chars().filter(|c| c.is_alphabetic()).count();
    let digits = cell.chars().filter(char::is_ascii_digit).count();
    // As many digits as a NIK has, or the rest of one, are not a figure.
    letters <= 8 && digits <= 12 && (digits > 0 || letters == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_what_is_no_row() {
        for (cells, skip) in [
            (&["", "", ""][..], Some(Skip::Blank)),
            (&[], Some(Skip::Blank)),
            (&[" ", "\u{A0}", "\u{FEFF}"], Some(Skip::Blank)),
            (&["TOTAL", "", "300"], Some(Skip::Total)),
            (&["", "Total:", "1.500.000"], Some(Skip::Total)),
            (&["Grand Total", "Rp 1.500.000", "300 orang"], Some(Skip::Total)),
            (&["Jumlah: 300"], Some(Skip::Total)),
            (&["TOTAL"], Some(Skip::Total)),
            // A customer without a NIK, whatever the name is.
            (&["", "JUMLAH SARI"], None),
            (&["", "TOTAL", "JL. MELATI NO. 3"], None),
            (&["TOTAL", "3275014101900001"], None),
            (&["x", "", ""], None),
            (&["TOTAL", "BUDI"], None),
            (&["61", "", ""], None),
            (&["", "JUMLAH", "327501410190000"], None),
        ] {
            assert_eq!(skip_reason(cells.iter().copied()), skip, "{cells:?}");
        }
    }

    #[test]
    fn numbers_that_continue_those_above() {
        for (rows, expected) in [
            // Rows and, for each row, whether it holds only a number that continues.
            ("1|BUDI/2|SITI/3|/4|", "..nn"),
            ("1|/2|", "nn"),
            ("BUDI|1/SITI|2/|3", "..n"),
            ("1.|BUDI/2.|", ".n"),
            ("1|BUDI/|SITI/2|", "..n"),
            // An id, a gap, a number with something beside it.
            ("10021|BUDI/10022|", ".."),
            ("1|BUDI/3|", ".."),
            ("1|BUDI/2|x", ".."),
            ("1|BUDI/5|SITI/6|/1|/2|", "...nn"),
            ("1|BUDI/12345678|", ".."),
            ("a|b/", ".."),
            ("||||1", "."),
        ] {
            let mut numbering = Numbering::default();
            let found: String = rows
                .split('/')
                .map(
                    |row| if numbering.next(row.split('|').map(str::as_bytes)) { 'n' } else { '.' },
                )
                .collect();
            assert_eq!(found, expected, "{rows}");
        }
    }
}
