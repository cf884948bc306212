//! The meaning of a header: the content of a column, as the words of its header tell.
//!
//! Must hold: a header with a word for another person or another thing is never taken for that of
//! the NIK or the name.
//!
//! Never: looks at cells.

use unicode_normalization::UnicodeNormalization;

use super::words::{FIRST_SIDE_OF_A_DEAL, Word, words_of};

/// Content of a column, as its header tells.
///
/// ```
/// use ceknik::rules::headers::{IdHeader, Meaning, NameHeader, roles_of};
///
/// assert_eq!(Meaning::of("No. KTP"), Meaning::Id(IdHeader::Card, vec![]));
/// assert_eq!(Meaning::of("namaLengkap"), Meaning::Name(NameHeader::Whole, vec![]));
/// // Another person's number, and the number of another card.
/// assert_eq!(Meaning::of("NIK Pasangan"), Meaning::Other);
/// assert_eq!(Meaning::of("No. Kartu Keluarga"), Meaning::Other);
/// // Words for one role are equal in both languages.
/// assert_eq!(roles_of("borrower_nik"), roles_of("Nama Peminjam"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// An identity number, how plainly the header says so, and the roles of its owner.
    Id(IdHeader, Vec<u8>),
    /// A name, how plainly the header says so, and the roles of its owner.
    Name(NameHeader, Vec<u8>),
    /// Something else: another person, another thing, or a part of a name.
    Other,
    /// Unknown: the header says nothing that we know.
    Unknown,
}

/// Kinds of headers of a NIK, the plainest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum IdHeader {
    /// The number of the national card.
    Card,
    /// "NIK", which can also mean an employee number.
    Nik,
    /// The number of some identity.
    Vague,
}

impl IdHeader {
    /// All kinds, the plainest first.
    pub const ALL: [Self; 3] = [Self::Card, Self::Nik, Self::Vague];
}

/// Kinds of headers of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameHeader {
    /// The name on the card.
    Card,
    /// A full name.
    Whole,
    /// A name.
    Plain,
    /// A name, with a word that we do not know.
    Odd,
}

/// Returns the roles that a header names, whatever else it says: sorted, each once.
pub fn roles_of(header: &str) -> Vec<u8> {
    let header: String = header.nfkc().collect();
    roles_in(&words_of(&header))
}

/// Returns `true` if headers that name these roles may speak of one person: one of them names no
/// role, both name equal roles, or all roles are such that one person may have them together.
pub fn may_be_one_person(one: &[u8], other: &[u8]) -> bool {
    let is_common = |roles: &[u8]| roles.iter().all(|role| *role < FIRST_SIDE_OF_A_DEAL);
    one == other || (is_common(one) && is_common(other)) || one.is_empty() || other.is_empty()
}

/// Returns `true` if a header has a word for a NIK, its card, or a name, whatever else it says.
pub(super) fn speaks_of_a_person(header: &str) -> bool {
    let header: String = header.nfkc().collect();
    let speaks = |word: &Option<Word>| matches!(word, Some(Word::Nik | Word::Card | Word::Name));
    words_of(&header).iter().any(speaks)
}

fn roles_in(words: &[Option<Word>]) -> Vec<u8> {
    let role = |word: &Option<Word>| match word {
        Some(Word::Role(role)) => Some(*role),
        _ => None,
    };
    let mut roles: Vec<_> = words.iter().filter_map(role).collect();
    roles.sort_unstable();
    roles.dedup();
    roles
}

impl Meaning {
    /// Returns the meaning of a header.
    pub fn of(header: &str) -> Self {
        let header: String = header.nfkc().collect();
        let found = words_of(&header);
        let has = |word| found.contains(&Some(word));
        if [Word::OtherPerson, Word::OtherThing, Word::PartOfName].into_iter().any(has) {
            return Self::Other;
        }
        let roles = roles_in(&found);
        let is_known = !found.contains(&None);
        let is_card = has(Word::Card) || has(Word::Nik);
        if has(Word::Name) {
            let kind = match () {
                () if !is_known => NameHeader::Odd,
                () if is_card || has(Word::Identity) => NameHeader::Card,
                () if has(Word::Whole) => NameHeader::Whole,
                () => NameHeader::Plain,
            };
            return Self::Name(kind, roles);
        }
        let is_national = has(Word::National) && (has(Word::Identity) || has(Word::Number));
        let is_identity = has(Word::Identity) && (roles.is_empty() || has(Word::Number));
        // `ID` alone is the number of a row.
        let is_alone = found.len() == 1 && header.trim().eq_ignore_ascii_case("id");
        let kind = match () {
            () if !is_known => return Self::Unknown,
            () if has(Word::Card) || is_national => IdHeader::Card,
            () if has(Word::Nik) => IdHeader::Nik,
            () if is_identity && !is_alone => IdHeader::Vague,
            () => return Self::Unknown,
        };
        Self::Id(kind, roles)
    }

    /// Returns `true` if the header is that of a NIK.
    pub fn is_id(&self) -> bool {
        matches!(self, Self::Id(..))
    }

    /// Returns `true` if the header is that of a name and has no unknown word.
    pub fn is_name(&self) -> bool {
        matches!(self, Self::Name(kind, _) if *kind != NameHeader::Odd)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_niks() {
        for (kind, headers) in [
            (
                IdHeader::Card,
                "No KTP|No. KTP|Nomor KTP|nomer ktp|NIK KTP|KTP|e-KTP|NIK e-KTP|KTP Pemohon|No KTP Nasabah|NIK Sesuai KTP|\
                 Nomor Identitas (KTP)|ID Card Number (KTP)|No. Identitas/KTP|NO. KTP / NIK|NIK Karyawan (KTP)|National ID|\
                 National ID Number|Nomor Induk Kependudukan|Nomor Penduduk (13)|noktp|nikkaryawanktp|nomorindukkependudukan|\
                 no_ektp|KTP-el|NOMOR KTP ELEKTRONIK|idktp|ktp_number",
            ),
            (
                IdHeader::Nik,
                "NIK|nik|N I K NIK|No NIK|nomornik|NIK Nasabah|NIK Debitur|NIK Pemohon|NIK Peminjam|NIK Calon Debitur|\
                 NIK Pegawai|NIK (16 digit)|borrower_nik|customer_nik|nik_peminjam|nikPelanggan|NIK*|NIK Penerima Manfaat|\
                 NIK Mitra|NIK Karyawan|nik_customer|NIK Anggota|NIK (wajib diisi)",
            ),
            (
                IdHeader::Vague,
                "No Identitas|Nomor Identitas|ID Number|ID No|Identity Number|No.Identitas Debitur|identitas|ID Card|idcardno|\
                 Kartu Identitas|No. ID Nasabah",
            ),
        ] {
            for header in headers.split('|') {
                let found = Meaning::of(header);
                assert!(matches!(found, Meaning::Id(k, _) if k == kind), "{header}: {found:?}");
            }
        }
    }

    #[test]
    fn headers_of_names() {
        for (kind, headers) in [
            (
                NameHeader::Card,
                "Nama KTP|Nama (sesuai KTP)|Nama di KTP|name_ktp|Nama Identitas|Nama Lengkap Nasabah (sesuai KTP)|\
                 namalengkapsesuaiktp|Name as per ID Card|Nama Sesuai NIK|Nama pada e-KTP",
            ),
            (
                NameHeader::Whole,
                "Nama Lengkap|Full Name|fullName|Legal Name|Nama Lengkap Nasabah|Nama Lengkap Debitur|\
                 Nama Lengkap Pemohon|Nama Lengkap (tanpa gelar)|Nama Panjang|namalengkap|NAMA LENGKAP*",
            ),
            (
                NameHeader::Plain,
                "Nama|name|NAMA|nm|Nama Nasabah|Nama Debitur|Nama Calon Debitur|Nama Peminjam|Nama Pegawai|Nama Mitra|\
                 Nama Driver|Nama Siswa|Nama Pengguna|Nama Calon Nasabah|Borrower Name|Client Name|customer_name|\
                 nama_peminjam|Nama Tertanggung|Nama Penerima Manfaat|Nama Nasabah/Debitur|Member Name|Nama Pemegang Polis|\
                 Nama Karyawan|applicantName|Nama Warga",
            ),
            (NameHeader::Odd, "Nama KRT (12)|Nama Xyz"),
        ] {
            for header in headers.split('|') {
                let found = Meaning::of(header);
                assert!(matches!(found, Meaning::Name(k, _) if k == kind), "{header}: {found:?}");
            }
        }
    }

    #[test]
    fn other_persons_and_things_are_told_apart() {
        let others = "NIK Pasangan|NIK Suami|NIK Ibu|NIK Ayah|nikibu|NIK Penjamin|NIK Kepala Keluarga|No KK|Nomor KK|KK|\
                      No. Kartu Keluarga|nokk|NPWP|NIP|NISN|No Rek|No. HP|Alamat KTP|Foto KTP|Tanggal KTP|Jenis Identitas|\
                      Nama Ibu|Nama Ibu Kandung|Nama Ayah|Nama Pasangan|Spouse Name|Partner Name|Mother's Maiden Name|\
                      Nama Bank|Nama Cabang|Nama Produk|Nama Usaha|Nama Perusahaan|Company Name|Nama KC|Nama Marketing|\
                      First Name|Last Name|Nama Depan|Nama Panggilan|username|Nama Rekening|Nama Ahli Waris|Alamat|\
                      Virtual Account|Nomor Kartu Kredit|ck_outcome|Result (ck_outcome)|Status KTP|Hasil Verifikasi NIK";
        for header in others.split('|') {
            assert_eq!(Meaning::of(header), Meaning::Other, "{header}");
        }
        let unknown = "No|ID|id|Customer ID|Nomor Induk Karyawan|Employee ID|Pertanyaan 1 (1)|NIK Xyz|Data nasabah||---|16";
        for header in unknown.split('|') {
            assert_eq!(Meaning::of(header), Meaning::Unknown, "{header}");
        }
    }

    #[test]
    fn roles_go_together_or_not() {
        for (one, other, together) in [
            ("NIK Nasabah", "Nama Karyawan", true),
            ("NIK", "Nama Penjual", true),
            ("NIK Penjual", "Nama Penjual", true),
            ("NIK Pemilik Rumah", "Nama Penyewa", false),
            ("NIK Nasabah", "Nama Penjual", false),
        ] {
            assert_eq!(
                may_be_one_person(&roles_of(one), &roles_of(other)),
                together,
                "{one} {other}"
            );
        }
    }

    #[test]
    fn words_for_one_role_are_one() {
        let roles = |header| match Meaning::of(header) {
            Meaning::Id(_, roles) | Meaning::Name(_, roles) => roles,
            other => panic!("{other:?}"),
        };
        assert_eq!(roles("borrower_nik"), roles("Nama Peminjam"));
        assert_ne!(roles("NIK Nasabah"), roles("Nama Karyawan"));
    }
}
