//! Headers: the names that people give to columns, compared, understood, and shown.
//!
//! Must hold: what is shown is no person's data.
//! Never: looks at cells below; which column to take is for `columns`.

mod meaning;
mod words;

use meaning::speaks_of_a_person;
pub use meaning::{IdHeader, Meaning, NameHeader, may_be_one_person, roles_of};

use super::nik::{clean_nik, look_of};
use crate::model::subject::{mask_cell, mask_digits};
use crate::model::text::is_unfit;
use unicode_normalization::UnicodeNormalization;

/// The first of the columns that our output adds. A file that has it was written by us.
pub const OUTCOME_HEADER: &str = "ck_outcome";
/// The columns that our output adds, in the order of a CSV.
pub const OUR_COLUMNS: [&str; 12] = [
    OUTCOME_HEADER,
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

/// The column of ours that a header names: `ck_outcome` in a CSV, `Result (ck_outcome)` in a workbook.
pub fn column_of_ours(header: &str) -> Option<&'static str> {
    let header = header.trim();
    let inner =
        header.strip_suffix(')').and_then(|rest| rest.rsplit_once('(')).map(|(_, name)| name);
    let name = inner.unwrap_or(header);
    OUR_COLUMNS.into_iter().find(|column| *column == name)
}

/// A header with this many digits is no header but data: a NIK or what is left of one.
const DATA_DIGITS: usize = 12;
/// A header with this many digits may hold a person's data, such as a date of birth.
const PERSONAL_DIGITS: usize = 6;
/// Headers are shown up to this many characters.
const SHOWN_CHARS: usize = 40;

/// Headers of family-card numbers, which have 16 digits too.
const FAMILY_CARD: &[&str] = &[
    "kk",
    "nokk",
    "nomorkk",
    "nomerkk",
    "nkk",
    "kknumber",
    "nokartukeluarga",
    "nomorkartukeluarga",
    "kartukeluarga",
    "familycardnumber",
    "familycardno",
];

/// A header, normalised for comparison: NFKC, lower case, letters and digits only.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HeaderKey(String);

impl HeaderKey {
    /// The key of a header.
    pub fn of(header: &str) -> Self {
        Self(header.nfkc().flat_map(char::to_lowercase).filter(|c| c.is_alphanumeric()).collect())
    }

    /// Whether nothing is left to compare.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `text` has this key, NFKC aside. For text in bulk: nearly always settled by its first letter.
    pub fn is_of(&self, text: &str) -> bool {
        let letters = text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase);
        !self.0.is_empty() && letters.eq(self.0.chars())
    }

    /// Whether the header says that the column holds family-card numbers (Nomor Kartu Keluarga).
    pub fn is_family_card(&self) -> bool {
        self.is_in(FAMILY_CARD)
    }

    /// Returns `true` if another key is a part of this one.
    pub(super) fn has_part(&self, part: &Self) -> bool {
        self.0.contains(&part.0)
    }

    /// Returns `true` if it is in a list of keys.
    pub(super) fn is_in(&self, list: &[&str]) -> bool {
        list.contains(&self.0.as_str())
    }
}

/// A header fit to be shown: masked, on one line, not too long.
pub fn shown(header: &str) -> String {
    // Separators inside a number do not make it another.
    if header.chars().filter(char::is_ascii_digit).count() >= DATA_DIGITS {
        return mask_cell(header);
    }
    let line: String =
        header.chars().map(|c| if is_unfit(c) { ' ' } else { c }).take(SHOWN_CHARS).collect();
    mask_digits(line.trim()).into_owned()
}

/// Words of headers. A first row of others may be a customer's.
const HEADER_WORDS: &str = "\
    nik ktp kk npwp nama name identitas identity id no nomor nomer number alamat address tanggal tgl \
    date lahir birth tempat place telepon telp tlp phone hp handphone mobile email mail kode code \
    cabang branch kota city kabupaten kecamatan kelurahan provinsi province rt rw pos postal status \
    plafon amount customer nasabah rekening rek account bank kartu keluarga lengkap full first last \
    jenis type kelamin gender agama pekerjaan umur usia age ibu kandung ayah pasangan mother produk \
    product pinjaman loan limit tenor gaji saldo balance jumlah nominal keterangan catatan remark \
    remarks notes";
/// Headers that stand in the cells of customers too: the kind of an ID, of a customer, of a place, of a product.
const VALUES_TOO: &[&str] = &[
    "ktp", "kk", "npwp", "customer", "nasabah", "kota", "pinjaman", "loan", "bank", "mobile",
    "email", "phone", "telepon", "gaji", "id", "no", "ibu", "ayah", "mother", "pasangan", "status",
];

/// The headers fit to be shown. Where it is certain that they are headers (`certain`), each in clear but what looks like a
/// person's data. Else it may be a customer's row: one that is known for a header is shown in clear, and the others beside
/// several of them; of all else only the shapes.
pub fn shown_all(headers: &[String], certain: bool) -> Vec<String> {
    let holds_data = headers.iter().any(|header| is_data(header));
    let known = known_headers(headers.iter().map(String::as_str));
    let filled = headers.iter().filter(|header| !header.trim().is_empty()).count();
    let is_header = known > 1 && known * 2 >= filled;
    let is_shown = |header: &str| match certain {
        true => !is_personal(header),
        false => !holds_data && (is_header || is_known(header)),
    };
    headers.iter().map(|h| if is_shown(h) { shown(h) } else { mask_cell(h) }).collect()
}

/// Counts the cells that are known for headers, and seldom stand in a customer's row.
fn known_headers<'a>(cells: impl Iterator<Item = &'a str>) -> usize {
    cells.filter(|cell| is_known(cell) && !is_value_too(cell)).count()
}

/// Counts the cells that speak of a NIK or a name, and never stand in a customer's row.
pub(super) fn telling_headers<'a>(cells: impl Iterator<Item = &'a str>) -> usize {
    cells.filter(|cell| speaks_of_a_person(cell) && !is_value_too(cell)).count()
}

/// Returns `true` if a cell that is known for a header stands in the cells of customers too.
fn is_value_too(cell: &str) -> bool {
    HeaderKey::of(cell).is_in(VALUES_TOO)
}

/// Returns `true` if a header may be a person's data: a long number, a date, an address of a mailbox.
fn is_personal(header: &str) -> bool {
    let digits = header.chars().filter(|c| c.is_numeric()).count();
    digits >= PERSONAL_DIGITS || header.contains('@')
}

/// Whether a cell is known for a header, as a whole or word by word.
fn is_known(cell: &str) -> bool {
    let key = HeaderKey::of(cell);
    let is_word =
        |word: &str| HEADER_WORDS.split(' ').any(|known| known.eq_ignore_ascii_case(word));
    let mut words = cell.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let meaning = Meaning::of(cell);
    meaning.is_id()
        || meaning.is_name()
        || key.is_family_card()
        || cell.starts_with("ck_")
        || (!key.is_empty() && words.all(is_word))
}

/// Whether a cell can't be a header: a NIK, one that a spreadsheet damaged, or another long number.
pub fn is_data(cell: &str) -> bool {
    let cleaned = clean_nik(cell);
    look_of(cell).like_nik()
        || (cleaned.len() >= DATA_DIGITS && cleaned.bytes().all(|b| b.is_ascii_digit()))
}

/// Whether a record is a header by the look of it: among its cells are a known NIK header and a known name header.
pub fn is_header<'a>(cells: impl Iterator<Item = &'a str>) -> bool {
    let (mut id, mut name) = (false, false);
    for meaning in cells.map(Meaning::of) {
        id |= meaning.is_id();
        name |= meaning.is_name();
    }
    id && name
}

#[cfg(test)]
mod tests;
