//! Which of a file's first records is the header: the one that names both columns, or else the one whose words stand
//! above the NIKs.
//!
//! Must hold: no record that holds a NIK is passed over as a title. Never: shows a cell.

use super::{ColumnSpec, Wanted};
use crate::rules::headers::{
    HeaderKey, Meaning, OUTCOME_HEADER, column_of_ours, is_data, telling_headers,
};
use crate::rules::nik::look_of;

/// Where the header is, if there is one: else the first record is data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderRow {
    /// Its place among the records, from 0. What stands above is titles.
    pub at: usize,
    /// It is certain that it is a header: words stand above the NIKs, and some cell speaks of a NIK or a name. Else it may be
    /// a customer's row.
    pub certain: bool,
}

/// Finds the header among the first records.
pub fn find_header<T: AsRef<str>>(rows: &[Vec<T>], wanted: Wanted<'_>) -> HeaderRow {
    let block = nik_block(rows, wanted);
    let above = rows.get(..block.map_or(rows.len(), |block| block.row)).unwrap_or_default();
    let named = above.iter().position(|row| wanted.is_header(row.iter().map(AsRef::as_ref)));
    let is_ours = |cell: &T| column_of_ours(cell.as_ref()) == Some(OUTCOME_HEADER);
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
    /// Returns `true` if a record names each column: as the user gave it, or as it is known.
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

/// Where the NIKs begin.
#[derive(Clone, Copy)]
struct NikBlock {
    row: usize,
    column: usize,
    /// Filled cells of its first row.
    filled: usize,
}

impl NikBlock {
    /// Returns `true` if a record has words above the NIKs.
    fn is_headed_by<T: AsRef<str>>(self, row: &[T]) -> bool {
        let above = row.get(self.column).map(AsRef::as_ref).unwrap_or_default();
        above.chars().any(char::is_alphabetic) && !is_data(above)
    }
}

/// The column with the most cells that look like NIKs, and the first of them. The column that the user gave by number
/// goes first.
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

/// The record above the NIKs that looks most like a header: the one whose cells speak most of a NIK or a name, else the first
/// whose words fill it. What stands below the first may be a customer: it is no title.
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
        // Nothing stands above the NIKs: the headers are told by their words, or there are none.
        None => {
            let several = above.iter().position(|row| known(row) > 0);
            let first = above.iter().position(|row| filled(row) > 1);
            let at = several.or(first).unwrap_or(0).min(rows.len());
            HeaderRow { at, certain: false }
        }
    }
}

/// The first filled record that has the columns that were given by number.
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
            // A first customer whose NIK is missing is no header, and is not lost above one.
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
            // Our own results, whatever stands in them.
            ("no|nik|Result (ck_outcome)/1|belum ada|Rejected/2|#|Match", None, None, (0, true)),
            ("No|No Induk YBS|Nama/1|belum ada|BUDI/2|#|SITI", None, None, (0, true)),
            // By name, of the user's; by number, by what stands above.
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
            // What stands above a header and holds data is no title.
            ("1|#|BUDI/No|NIK|Nama/2|#|SITI", None, None, (0, false)),
        ] {
            let rows = rows.replace('#', NIK);
            assert_eq!(found(&rows, id, name), header, "{rows} {id:?} {name:?}");
        }
    }
}
