//! Records that are no rows: without a filled cell, the footer that adds the others up, or rows that were numbered before
//! anybody was entered in them.
//!
//! Must hold: only a record of which nothing could be sent is skipped; what is skipped is counted and shown.
//! Never: skips a record for one cell alone, but for a number that continues those above.

use super::headers::HeaderKey;
use crate::model::text::is_invisible;

/// Why a record is no row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skip {
    /// No cell is filled.
    Blank,
    /// A footer: TOTAL, and figures.
    Total,
}

/// First cells of a footer.
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

/// Why a record that our own checks refused is no row at all. A footer's first filled cell says so, and behind it stand
/// figures at the most: a customer by that name has more to show.
pub fn skip_of<'a>(cells: impl Iterator<Item = &'a str>) -> Option<Skip> {
    let filled = |cell: &&str| cell.chars().any(|c| !c.is_whitespace() && !is_invisible(c));
    let mut cells = cells.filter(filled);
    let Some(first) = cells.next() else { return Some(Skip::Blank) };
    let (word, rest) = split_figures(first);
    let mut cells = cells.peekable();
    let is_total = HeaderKey::of(word).is_in(TOTALS);
    (is_total && is_figure(rest) && cells.all(is_figure)).then_some(Skip::Total)
}

/// Columns in which rows are numbered: the first ones.
const NUMBERED: usize = 4;
/// Digits of the longest number of a row.
const ROW_DIGITS: usize = 7;

/// Follows the numbers that rows have in their first columns: 1, 2, 3 …
#[derive(Clone, Debug, Default)]
pub struct Numbering {
    /// The latest number of each column, as long as all of them continued those above.
    latest: [Option<u32>; NUMBERED],
}

impl Numbering {
    /// Looks at a record. True: it holds nothing but a number, and that continues those above.
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

/// `Total: 300` in one cell.
fn split_figures(cell: &str) -> (&str, &str) {
    let at = cell.find(|c: char| c.is_ascii_digit()).unwrap_or(cell.len());
    cell.split_at_checked(at).unwrap_or((cell, ""))
}

/// A figure with its marks and perhaps a unit of one short word (`Rp 1.500.000`, `300 orang`).
fn is_figure(cell: &str) -> bool {
    let letters = cell.chars().filter(|c| c.is_alphabetic()).count();
    let digits = cell.chars().filter(char::is_ascii_digit).count();
    // As many digits as a NIK has, or what is left of one, are no figure.
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
            // A customer without a NIK, whatever the name.
            (&["", "JUMLAH SARI"], None),
            (&["", "TOTAL", "JL. MELATI NO. 3"], None),
            (&["TOTAL", "3275014101900001"], None),
            (&["x", "", ""], None),
            (&["TOTAL", "BUDI"], None),
            (&["61", "", ""], None),
            (&["", "JUMLAH", "327501410190000"], None),
        ] {
            assert_eq!(skip_of(cells.iter().copied()), skip, "{cells:?}");
        }
    }

    #[test]
    fn numbers_that_continue_those_above() {
        for (rows, expected) in [
            // Rows and, for each, whether it is a number alone that continues.
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
