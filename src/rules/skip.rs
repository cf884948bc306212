//! Records that are no rows: without a filled cell, or the footer that adds the others up.
//!
//! Must hold: only a record of which nothing could be sent is skipped; what is skipped is counted and shown.
//! Never: skips a record for one cell alone.

use super::headers::HeaderKey;
use crate::model::text::is_invisible;

/// Why a record is no row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skip {
    /// No cell is filled, but perhaps one with the row's number.
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
    if cells.peek().is_none() && is_row_number(first) {
        return Some(Skip::Blank);
    }
    let is_total = TOTALS.contains(&HeaderKey::of(word).0.as_str());
    (is_total && is_figure(rest) && cells.all(is_figure)).then_some(Skip::Total)
}

/// A row that was numbered before anybody was entered in it.
fn is_row_number(cell: &str) -> bool {
    let cell = cell.trim();
    cell.len() <= 7 && cell.bytes().all(|byte| byte.is_ascii_digit())
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
            (&["61", "", ""], Some(Skip::Blank)),
            (&["61", "", "BUDI"], None),
            (&["12345678", "", ""], None),
            (&["", "JUMLAH", "327501410190000"], None),
        ] {
            assert_eq!(skip_of(cells.iter().copied()), skip, "{cells:?}");
        }
    }
}
