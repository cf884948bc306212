//! Headers: the names that people give to the NIK and name columns.
//!
//! Must hold: no list has a header of another number that looks alike (family card, tax, employee or phone number) or of
//! another person's name (mother, spouse, bank).
//! Never: looks at cells; which column to take is for `columns`.

use super::nik::{clean_nik, look_of};
use crate::model::subject::{mask_cell, mask_digits};
use crate::model::text::is_unfit;
use unicode_normalization::UnicodeNormalization;

/// The first of the columns that our output adds. A file that has it was written by us.
pub const OUTCOME_HEADER: &str = "ck_outcome";

/// A header with this many digits is no header but data: a NIK or what is left of one.
const DATA_DIGITS: usize = 12;
/// Headers are shown up to this many characters.
const SHOWN_CHARS: usize = 40;

/// Headers that say outright that the column is the national ID.
pub(super) const ID_EXPLICIT: &[&str] = &[
    "noktp",
    "nomorktp",
    "nomerktp",
    "nikktp",
    "ktpnik",
    "nonikktp",
    "nomornikktp",
    "noktpnik",
    "niknoktp",
    "ktp",
    "idktp",
    "ktpno",
    "ktpnumber",
    "noektp",
    "nomorindukkependudukan",
    "niknomorindukkependudukan",
    "nationalid",
    "nationalidnumber",
    "nationalidno",
    "nikkaryawanktp",
];
/// Headers that are mostly the national ID.
pub(super) const ID_USUAL: &[&str] = &[
    "nik",
    "nonik",
    "nomornik",
    "nomernik",
    "niknumber",
    "nikno",
    "niknasabah",
    "nikdebitur",
    "nikpemohon",
    "nikpelanggan",
    "nikpeserta",
    "nikpenerima",
    "nikcustomer",
    "nikkonsumen",
    "nikanggota",
];
/// Headers of some identity number, perhaps this one.
pub(super) const ID_VAGUE: &[&str] = &[
    "noidentitas",
    "nomoridentitas",
    "nomeridentitas",
    "identitas",
    "idnumber",
    "idno",
    "identitynumber",
    "identityno",
    "idcard",
    "idcardnumber",
    "idcardno",
];

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

/// Headers that say outright that the name is the one on the card.
pub(super) const NAME_EXPLICIT: &[&str] = &[
    "namaktp",
    "namasesuaiktp",
    "namadiktp",
    "namapadaktp",
    "namalengkapktp",
    "namalengkapsesuaiktp",
    "namaktplengkap",
];
/// Headers of a whole name.
pub(super) const NAME_FULL: &[&str] = &["namalengkap", "fullname", "namapanjang", "completename"];
/// Headers of a name alone.
pub(super) const NAME_BARE: &[&str] = &["nama", "name", "nm"];
/// Headers of the name of somebody in a role. The same roles stand behind `nik` in `ID_USUAL`.
pub(super) const NAME_ROLE: &[&str] = &[
    "namanasabah",
    "namadebitur",
    "namapemohon",
    "namakaryawan",
    "namapelanggan",
    "namapeserta",
    "namapenerima",
    "namacustomer",
    "namakonsumen",
    "namaanggota",
    "customername",
    "membername",
];

/// A header, normalised for comparison: NFKC, lower case, letters and digits only.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HeaderKey(pub(super) String);

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
    "email", "phone", "telepon", "gaji",
];

/// The headers fit to be shown. One that is known for one is shown in clear, and the others beside several of them; of
/// all else, since it may be a customer's row, only the shapes.
pub fn shown_all(headers: &[String]) -> Vec<String> {
    let holds_data = headers.iter().any(|header| is_data(header));
    let known = headers.iter().filter(|header| is_known(header));
    let known = known.filter(|header| !HeaderKey::of(header).is_in(VALUES_TOO)).count();
    let filled = headers.iter().filter(|header| !header.trim().is_empty()).count();
    let is_header = known > 1 && known * 2 >= filled;
    let is_shown = |header: &str| !holds_data && (is_header || is_known(header));
    headers.iter().map(|h| if is_shown(h) { shown(h) } else { mask_cell(h) }).collect()
}

/// Whether a cell is known for a header, as a whole or word by word.
fn is_known(cell: &str) -> bool {
    let key = HeaderKey::of(cell);
    let is_word =
        |word: &str| HEADER_WORDS.split(' ').any(|known| known.eq_ignore_ascii_case(word));
    let mut words = cell.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    is_id_header(&key)
        || is_name_header(&key)
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

/// Whether a cell is a known header of a NIK column.
pub(super) fn is_id_header(key: &HeaderKey) -> bool {
    [ID_EXPLICIT, ID_USUAL, ID_VAGUE].iter().any(|list| key.is_in(list))
}

/// Whether a cell is a known header of a name column.
pub(super) fn is_name_header(key: &HeaderKey) -> bool {
    [NAME_EXPLICIT, NAME_FULL, NAME_BARE, NAME_ROLE].iter().any(|list| key.is_in(list))
}

/// Whether a record is a header by the look of it: among its cells are a known NIK header and a known name header.
pub fn is_header<'a>(cells: impl Iterator<Item = &'a str>) -> bool {
    let (mut id, mut name) = (false, false);
    for key in cells.map(HeaderKey::of) {
        id |= is_id_header(&key);
        name |= is_name_header(&key);
    }
    id && name
}

#[cfg(test)]
mod tests;
