//! The search for the header among the first records of a file: the record that names both columns,
//! or else the record whose words are above the NIKs.
//!
//! Must hold: no record that holds a NIK is dropped as a title.
//!
//! Never: shows a cell.

use super::table::{ColumnSpec, Wanted};
use crate::model::column::Column;
use crate::rules::headers::{HeaderKey, Meaning, is_data, telling_headers};
use crate::rules::nik::look_of;

/// Position of the header. If the file has no header, the record at this position is data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderRow {
    /// Index among the records, from 0. The records before it are titles.
    pub at: usize,
    /// `true` if the record certainly is a header: it has words above the NIKs, and a cell that
    /// speaks of a NIK or a name; or it is the header of our own output. Otherwise the record may
    /// be a customer's row.
    pub certain: bool,
}

/// Finds the header among the first records.
pub fn find_header<T: AsRef<str>>(rows: &[Vec<T>], wanted: Wanted<'_>) -> HeaderRow {
    let block = nik_block(rows, wanted);
    let above = rows.get(..block.map_or(rows.len(), |block| block.row)).unwrap_or_default();
    let named = above.iter().position(|row| wanted.is_header(row.iter().map(AsRef::as_ref)));
    let is_ours = |cell: &T| Column::of_header(cell.as_ref()) == Some(Column::Outcome);
    let ours = rows.iter().position(|row| row.iter().any(is_ours));
    let found = match (named, block) {
        _ if ours.is_some() => HeaderRow { at: ours.unwrap_or(0), certain: true },
        (Some(at), block) => {
            let certain =
                block.is_some_and(|block| above.get(at).is_some_and(|row| block.is_headed_by(row)));
            HeaderRow { at, certain }
        }
        (None, Some(block)) => words_above(rows, above, block),
        (None, None) => HeaderRow { at: first_wide_enough(rows, wanted), certain: false },
    };
    let titles = rows.get(..found.at).unwrap_or_default();
    match titles.iter().flatten().any(|cell| is_data(cell.as_ref())) {
        true => HeaderRow { at: 0, certain: false },
        false => found,
    }
}

impl Wanted<'_> {
    /// Returns `true` if a record names both columns: by the header that the user gave, or by a
    /// known header.
    pub fn is_header<'c>(self, cells: impl Iterator<Item = &'c str>) -> bool {
        let (mut id, mut name) = (false, false);
        for cell in cells {
            let asked = |spec: Option<&ColumnSpec>| match spec {
                Some(ColumnSpec::Name(asked)) => Some(HeaderKey::of(asked) == HeaderKey::of(cell)),
                _ => None,
            };
            let meaning = Meaning::of(cell);
            id |= asked(self.id).unwrap_or_else(|| meaning.is_id());
            name |= asked(self.name).unwrap_or_else(|| meaning.is_name());
        }
        id && name
    }
}

/// Position of the first NIK.
#[derive(Clone, Copy)]
struct NikBlock {
    row: usize,
    column: usize,
    /// Number of filled cells in the first row with a NIK.
    filled: usize,
}

impl NikBlock {
    /// Returns `true` if a record has words above the NIKs.
    fn is_headed_by<T: AsRef<str>>(self, row: &[T]) -> bool {
        let above = row.get(self.column).map(AsRef::as_ref).unwrap_or_default();
        above.chars().any(char::is_alphabetic) && !is_data(above)
    }
}

/// Returns the column with the most cells that look like NIKs, and the first row with such a cell.
/// A column that the user gave by number and that has such a cell is preferred.
fn nik_block<T: AsRef<str>>(rows: &[Vec<T>], wanted: Wanted<'_>) -> Option<NikBlock> {
    let width = rows.iter().map(Vec::len).max().unwrap_or(0);
    let is_nik = |row: &Vec<T>, column: usize| {
        row.get(column).is_some_and(|cell| look_of(cell.as_ref()).like_nik())
    };
    let count = |column: usize| rows.iter().filter(|row| is_nik(row, column)).count();
    let asked = match wanted.id {
        Some(ColumnSpec::Index(index)) => index.checked_sub(1).filter(|column| count(*column) > 0),
        _ => None,
    };
    let fullest = || {
        let counted = (0..width).map(|column| (count(column), std::cmp::Reverse(column)));
        counted.max().filter(|(niks, _)| *niks > 0).map(|(_, column)| column.0)
    };
    let column = asked.or_else(fullest)?;
    let row = rows.iter().position(|row| is_nik(row, column))?;
    Some(NikBlock { row, column, filled: rows.get(row).map_or(0, |row| filled(row)) })
}

/// Returns the record above the NIKs that looks most like a header: the record with the most cells
/// that speak of a NIK or a name, or else the first record with enough words. Among equals the
/// first record wins, since a later one may be a customer's row, and records before the header are
/// dropped as titles.
fn words_above<T: AsRef<str>>(rows: &[Vec<T>], above: &[Vec<T>], block: NikBlock) -> HeaderRow {
    let known = |row: &[T]| telling_headers(row.iter().map(AsRef::as_ref));
    let fits = |row: &&Vec<T>| {
        let cells = filled(row);
        cells * 2 >= block.filled && (cells > 1 || block.filled == 1) && block.is_headed_by(row)
    };
    let fitting = above.iter().enumerate().filter(|(_, row)| fits(row));
    let best = fitting.max_by_key(|(at, row)| (known(row), std::cmp::Reverse(*at)));
    match best {
        Some((at, row)) => HeaderRow { at, certain: known(row) > 0 },
        // No record has words above the NIKs: the header is found by its words, or there is none.
        None => {
            let several = above.iter().position(|row| known(row) > 0);
            let first = above.iter().position(|row| filled(row) > 1);
            let at = several.or(first).unwrap_or(0).min(rows.len());
            HeaderRow { at, certain: false }
        }
    }
}

/// Returns the index of the first record that has more than one filled cell and the columns which
/// the user gave by number; 0 if there is none.
fn first_wide_enough<T: AsRef<str>>(rows: &[Vec<T>], wanted: Wanted<'_>) -> usize {
    let index = |spec: Option<&ColumnSpec>| match spec {
        Some(ColumnSpec::Index(index)) => *index,
        _ => 0,
    };
    let widest = index(wanted.id).max(index(wanted.name));
    let fits = |row: &Vec<T>| row.len() >= widest && filled(row) > 1;
    rows.iter().position(fits).unwrap_or(0)
}

fn filled<T: AsRef<str>>(row: &[T]) -> usize {
    row.iter().filter(|cell| !cell.as_ref().trim().is_empty()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(rows: &str, id: Option<&str>, name: Option<&str>) -> (usize, bool) {
        let rows: Vec<Vec<&str>> = rows.split('/').map(|row| row.split('|').collect()).collect();
        let (id, name) = (id.map(ColumnSpec::from), name.map(ColumnSpec::from));
        let header = find_header(&rows, Wanted { id: id.as_ref(), name: name.as_ref() });
        (header.at, header.certain)
    }

    #[test]
    fn the_header_is_found_by_its_words_or_its_place() {
        const NIK: &str = "3275014107900001";
        for (rows, id, name, header) in [
            ("No|NIK|Nama/1|#|BUDI", None, None, (0, true)),
            ("Laporan||/||/No|NIK|Nama/1|#|BUDI", None, None, (2, true)),
            ("PT X||/Oktober||/No.|NO. KTP YBS|Nama Xyz/1|#|BUDI", None, None, (2, true)),
            ("PT X||/Kolom A|Kolom B|Kolom C/1|#|BUDI", None, None, (1, false)),
            // A first customer without a NIK is neither taken for a header nor dropped as a title.
            ("a|b|c/1|belum ada|BUDI/2|#|SITI", None, None, (0, false)),
            ("1|belum ada|BUDI/2|#|SITI", None, None, (0, false)),
            ("1||BUDI/2|#|SITI", None, None, (0, false)),
            ("hilang|SRI HANDAYANI|ID/#|BUDI|ID", None, None, (0, false)),
            (
                "Sapaan|Nama|No KTP YBS|Negara/Ibu|SRI|belum ada|ID/Bapak|BUDI|#|ID",
                None,
                None,
                (0, true),
            ),
            // Our own results, whatever the cells hold.
            ("no|nik|Result (ck_outcome)/1|belum ada|Rejected/2|#|Match", None, None, (0, true)),
            ("No|No Induk YBS|Nama/1|belum ada|BUDI/2|#|SITI", None, None, (0, true)),
            // Columns that the user gave: by header, by number, by letter.
            ("x|y|z/a|bb|c/1|#|BUDI", Some("bb"), Some("c"), (1, true)),
            ("Laporan data||/No|Kode|Orang/1|#|BUDI", Some("2"), Some("3"), (1, false)),
            ("Laporan data||/No|Kode|Orang/1|#|BUDI", Some("B"), Some("3"), (1, false)),
            ("No|NIK YBS|Orang/1|#|BUDI", None, None, (0, true)),
            // Without a header.
            ("1|#|BUDI/2|#|SITI", None, None, (0, false)),
            ("Laporan||/1|#|BUDI", None, None, (0, false)),
            // Without a NIK.
            ("Laporan||/No|NIK|Nama", None, None, (1, false)),
            ("Laporan||/Kolom A|Kolom B|Kolom C/1|2|3", Some("2"), Some("3"), (1, false)),
            ("nik|nama", None, None, (0, false)),
            ("", None, None, (0, false)),
            // A record above the header that holds data is not a title.
            ("1|#|BUDI/No|NIK|Nama/2|#|SITI", None, None, (0, false)),
        ] {
            let rows = rows.replace('#', NIK);
            assert_eq!(found(&rows, id, name), header, "{rows} {id:?} {name:?}");
        }
    }
}
