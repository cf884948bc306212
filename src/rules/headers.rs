//! Headers, the names that people give to columns: how they are compared, understood and shown.
//!
//! Must hold: a header that is shown contains no personal data.
//!
//! Never: looks at the cells below a header. The column is chosen in `columns`.

mod meaning;
mod words;

use meaning::speaks_of_a_person;
pub use meaning::{IdHeader, Meaning, NameHeader, may_be_one_person, roles_of};
use unicode_normalization::UnicodeNormalization;

use super::nik::{clean_nik, look_of};
use crate::model::characters::is_unsafe_for_terminal;
use crate::model::mask::{mask_cell, mask_digits};

/// Number of digits from which on a header is taken for data: a NIK, or the rest of one.
const DATA_DIGITS: usize = 12;
/// Number of digits from which on a header may be personal data, such as a date of birth.
const PERSONAL_DIGITS: usize = 6;
/// Number of characters of a header that are shown.
const SHOWN_CHARS: usize = 40;

/// Keys of the headers of family-card numbers, which have 16 digits too.
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
    /// Returns the key of a header.
    pub fn of(header: &str) -> Self {
        Self(header.nfkc().flat_map(char::to_lowercase).filter(|c| c.is_alphanumeric()).collect())
    }

    /// Returns `true` if the header has no letter and no digit, so that there is
    /// nothing to compare.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns `true` if `text` has this key, apart from NFKC. Fast enough for every row: the first
    /// letter nearly always decides. An empty key is the key of no text.
    pub fn is_of(&self, text: &str) -> bool {
        let letters = text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase);
        !self.0.is_empty() && letters.eq(self.0.chars())
    }

    /// Returns `true` if the header says that the column holds family-card numbers (Nomor
    /// Kartu Keluarga).
    pub fn is_family_card(&self) -> bool {
        self.is_in(FAMILY_CARD)
    }

    /// Returns `true` if another key is a part of this one.
    pub(super) fn has_part(&self, part: &Self) -> bool {
        self.0.contains(&part.0)
    }

    /// Returns `true` if this key is in `list`.
    pub(super) fn is_in(&self, list: &[&str]) -> bool {
        list.contains(&self.0.as_str())
    }
}

/// Returns a header in a form that is fit to be shown: masked, on one line, and not too long.
pub fn shown(header: &str) -> String {
    // A number with separators between its digits is still one number.
    if header.chars().filter(char::is_ascii_digit).count() >= DATA_DIGITS {
        return mask_cell(header);
    }
    let line: String = header
        .chars()
        .map(|c| if is_unsafe_for_terminal(c) { ' ' } else { c })
        .take(SHOWN_CHARS)
        .collect();
    mask_digits(line.trim()).into_owned()
}

/// Words of headers. A first row with other words may be a customer's.
const HEADER_WORDS: &str = "\
    nik ktp kk npwp nama name identitas identity id no nomor nomer number alamat address tanggal tgl \
    date lahir birth tempat place telepon telp tlp phone hp handphone mobile email mail kode code \
    cabang branch kota city kabupaten kecamatan kelurahan provinsi province rt rw pos postal status \
    plafon amount customer nasabah rekening rek account bank kartu keluarga lengkap full first last \
    jenis type kelamin gender agama pekerjaan umur usia age ibu kandung ayah pasangan mother produk \
    product pinjaman loan limit tenor gaji saldo balance jumlah nominal keterangan catatan remark \
    remarks notes";
/// Keys of headers that also occur as cells of customers: kinds of IDs, customers,
/// places or products.
const VALUES_TOO: &[&str] = &[
    "ktp", "kk", "npwp", "customer", "nasabah", "kota", "pinjaman", "loan", "bank", "mobile",
    "email", "phone", "telepon", "gaji", "id", "no", "ibu", "ayah", "mother", "pasangan", "status",
];

/// Returns the headers in a form that is fit to be shown.
///
/// If `certain`, the record certainly is a header. Then each cell is shown in clear, except for
/// those that look like personal data. Otherwise the record may be a customer's row. Then a known
/// header is shown in clear, and so are the cells beside several known headers that make up half of
/// the filled cells or more. All other cells are shown only as their shape. If any cell is a NIK or
/// another long number, no cell is shown in clear.
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

/// Counts the cells that are known headers and rarely occur in a customer's row.
fn known_headers<'a>(cells: impl Iterator<Item = &'a str>) -> usize {
    cells.filter(|cell| is_known(cell) && !is_value_too(cell)).count()
}

/// Counts the cells that speak of a NIK or a name and do not occur in a customer's row.
pub(super) fn telling_headers<'a>(cells: impl Iterator<Item = &'a str>) -> usize {
    cells.filter(|cell| speaks_of_a_person(cell) && !is_value_too(cell)).count()
}

/// Returns `true` if a known header also occurs as a cell of customers.
fn is_value_too(cell: &str) -> bool {
    HeaderKey::of(cell).is_in(VALUES_TOO)
}

/// Returns `true` if a header may be personal data: a long number, a date, an e-mail address.
fn is_personal(header: &str) -> bool {
    let digits = header.chars().filter(|c| c.is_numeric()).count();
    digits >= PERSONAL_DIGITS || header.contains('@')
}

/// Returns `true` if a cell is a known header, as a whole or word by word.
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

/// Returns `true` if a cell cannot be a header: a NIK, a NIK that a spreadsheet damaged, or
/// another long number.
pub fn is_data(cell: &str) -> bool {
    let cleaned = clean_nik(cell);
    look_of(cell).like_nik()
        || (cleaned.len() >= DATA_DIGITS && cleaned.bytes().all(|b| b.is_ascii_digit()))
}

/// Returns `true` if a record looks like a header: among its cells are a known NIK header and a
/// known name header.
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
