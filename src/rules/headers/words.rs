//! The words of headers, in Indonesian and English, and their meanings.
//!
//! Must hold: each word is in one list only.
//!
//! Never: looks at cells.

use std::collections::HashMap;
use std::sync::LazyLock;

/// Meaning of one word of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// The number itself: NIK.
    Nik,
    /// The card: KTP.
    Card,
    /// An identity of any kind.
    Identity,
    /// The nation or its residents, whose number a national one is.
    National,
    /// A name.
    Name,
    /// Full, said of a name.
    Whole,
    /// A number.
    Number,
    /// Nothing that matters here.
    Filler,
    /// Role of the person. Words with one number mean one role.
    Role(u8),
    /// Another person: mother, spouse, guarantor.
    OtherPerson,
    /// Another thing: a bank, a branch, a date, another number.
    OtherThing,
    /// A part of a name.
    PartOfName,
}

const NIK: &str = "nik";
const CARD: &str = "ktp ektp";
const IDENTITY: &str = "id identitas identity identification identifikasi";
const NATIONAL: &str = "national nasional kependudukan penduduk citizen resident";
const NAME: &str = "nama name names nm";
const WHOLE: &str = "lengkap full complete panjang legal asli resmi";
const NUMBER: &str = "no nomor nomer number num nbr angka";
const FILLER: &str = "\
    sesuai as per di pada dalam the of on in and dan atau or el elektronik electronic kartu card tanda induk digit digits \
    text teks wajib required mandatory diisi isi harus tanpa gelar without ri indonesia indonesian wni valid aktif benar \
    tertera tercantum dari from yang calon data info format kapital huruf besar capital polis policy terdaftar";
/// Words for roles, one role a line. The number of a role is its index.
const ROLES: [&str; 22] = [
    "nasabah customer cust client klien konsumen consumer pelanggan",
    "debitur debtor peminjam borrower",
    "pemohon applicant pengaju pelamar",
    "karyawan pegawai employee staf staff pekerja worker buruh tenaga kerja",
    "anggota member",
    "peserta participant",
    "penerima manfaat beneficiary recipient",
    "tertanggung insured",
    "mitra driver pengemudi kurir courier sopir rider",
    "siswa mahasiswa student murid santri pelajar",
    "pengguna user",
    "warga",
    "pasien patient",
    "donatur donor",
    "guru teacher dosen lecturer",
    "petani farmer nelayan peternak",
    "prospek prospect lead kandidat candidate responden respondent",
    "individu individual person orang pribadi perorangan",
    "penumpang passenger tamu guest jamaah jemaah pendaftar registrant subscriber deposan penabung",
    "pemilik owner holder pemegang cardholder",
    "pembeli buyer penyewa tenant",
    "penjual seller merchant pedagang investor lender pendana",
];
/// Number of the first role that is a side of a deal. One person may have several of the roles
/// before it (a customer is a debtor too). A side of a deal goes with no other role.
pub(super) const FIRST_SIDE_OF_A_DEAL: u8 = 19;
const OTHER_PERSON: &str = "\
    ibu kandung mother mothers mom bunda mama ayah bapak father fathers papa ortu tua parent parents wali guardian pasangan \
    partner spouse suami husband istri isteri wife anak child children saudara sibling kerabat relative keluarga family \
    penjamin guarantor penanggung waris ahli heir kontak contact darurat emergency referensi reference pic atasan \
    supervisor spv marketing sales petugas officer ao rm surveyor kolektor collector notaris saksi witness kuasa teman \
    friend manager manajer pimpinan admin operator approver maker checker co joint rujukan upline sponsor kepala ketua \
    camat lurah agen agent broker mertua kakak adik bpk saudari direktur director komisaris commissioner pengurus pengasuh \
    mantri pendamping paman bibi nenek kakek cucu keponakan sepupu menantu ipar sister brother uncle aunt grandmother \
    grandfather wakil perwakilan pengganti cadangan alternate kedua secondary second pengirim sender pelapor reporter \
    verifikator validator penyelia koordinator coordinator leader mentor pemberi penyalur bendahara sekretaris secretary \
    sebelumnya lama old previous former";
const OTHER_THING: &str = "\
    bank cabang branch kc kcp kantor office produk product usaha bisnis business perusahaan company pt cv sekolah school \
    kampus universitas jurusan kelas class kota city kabupaten kab kecamatan kec kelurahan kel desa dusun provinsi \
    province prov negara country jalan jl alamat address barang item toko store shop instansi lembaga institusi \
    institution file berkas login username jabatan position departemen department divisi division unit program event \
    acara project proyek paket package kelompok group grup wilayah area region regional dealer merk merek brand \
    kendaraan vehicle motor mobil car tipe type jenis kategori category akun account rekening rek domain dokumen \
    document foto photo gambar image scan selfie upload link url path tanggal tgl date tempat place lahir birth born \
    berlaku masa expiry expired terbit issued issue status hasil result verifikasi verification flag kode code nilai \
    value score skor keterangan ket note notes catatan remark remarks alasan reason kk nkk npwp tax pajak nip nrp nisn \
    nis nim nidn nuptk bpjs jkn sim paspor passport kitas kitap hp handphone phone telp telepon tlp telephone mobile wa \
    whatsapp email mail kontrak contract loan pinjaman kredit credit debit cif transaksi transaction trx invoice order \
    faktur va virtual seri serial mesin rangka polisi plat agama religion gender kelamin pekerjaan job occupation umur \
    usia age rt rw pos postal zip jumlah total plafon amount limit tenor saldo balance gaji salary nominal pin token ck";
const PART_OF_NAME: &str = "\
    depan belakang tengah first last middle given surname forename panggilan nick nickname alias maiden marga inisial \
    initial initials";

static WORDS: LazyLock<HashMap<&'static str, Word>> = LazyLock::new(|| {
    let lists = [
        (NIK, Word::Nik),
        (CARD, Word::Card),
        (IDENTITY, Word::Identity),
        (NATIONAL, Word::National),
        (NAME, Word::Name),
        (WHOLE, Word::Whole),
        (NUMBER, Word::Number),
        (FILLER, Word::Filler),
        (OTHER_PERSON, Word::OtherPerson),
        (OTHER_THING, Word::OtherThing),
        (PART_OF_NAME, Word::PartOfName),
    ];
    let roles = (0..).zip(ROLES).map(|(role, list)| (list, Word::Role(role)));
    let all = lists.into_iter().chain(roles);
    all.flat_map(|(list, word)| list.split_whitespace().map(move |text| (text, word))).collect()
});

/// Longest part of a header, in letters, that is searched for joined words.
const LONGEST_JOINED: usize = 60;
/// Letters of the longest word in the lists.
const LONGEST_WORD: usize = 14;

/// Returns the meanings of a header's words; `None` for a word that is not known. `NAMA-Lengkap`,
/// `namaLengkap` and `namalengkap` are two words each.
pub(super) fn words_of(header: &str) -> Vec<Option<Word>> {
    let mut words = Vec::new();
    for piece in pieces(header) {
        // A numeral, such as a question's number or the number of digits in a NIK, and a single
        // letter say nothing.
        if piece.chars().all(char::is_numeric) || piece.chars().count() == 1 {
            continue;
        }
        match WORDS.get(piece.as_str()) {
            Some(word) => words.push(Some(*word)),
            None => match joined(&piece) {
                Some(parts) => words.extend(parts.into_iter().map(Some)),
                None => words.push(None),
            },
        }
    }
    words
}

/// Cuts a header at punctuation and spaces, between letters and digits, and where a capital letter
/// follows a small one.
fn pieces(header: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let (mut was_small, mut was_digit) = (false, false);
    for letter in header.chars() {
        let cuts = !letter.is_alphanumeric()
            || (was_small && letter.is_uppercase())
            || (was_digit != letter.is_numeric());
        if cuts {
            pieces.push(String::new());
        }
        if letter.is_alphanumeric()
            && let Some(piece) = pieces.last_mut()
        {
            piece.extend(letter.to_lowercase());
        }
        (was_small, was_digit) = (letter.is_lowercase(), letter.is_numeric());
    }
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

/// Splits a piece into the known words that are joined in it; `None` if a part of it is no known
/// word. Of several ways the one with the fewest words is chosen.
fn joined(piece: &str) -> Option<Vec<Word>> {
    if !piece.is_ascii() || piece.len() > LONGEST_JOINED {
        return None;
    }
    // For each prefix of the piece that consists of known words: the number of words, and the last
    // word with its start.
    let mut ways: Vec<Option<(usize, usize, Word)>> = vec![Some((0, 0, Word::Filler))];
    for end in 1..=piece.len() {
        let last_word = |start: usize| {
            let (count, ..) = (*ways.get(start)?)?;
            let word = WORDS.get(piece.get(start..end)?)?;
            Some((count + 1, start, *word))
        };
        let starts = end.saturating_sub(LONGEST_WORD)..end;
        let best = starts.filter_map(last_word).min_by_key(|(count, ..)| *count);
        ways.push(best);
    }
    let (mut words, mut end) = (Vec::new(), piece.len());
    while end > 0 {
        let (_, start, word) = (*ways.get(end)?)?;
        words.push(word);
        end = start;
    }
    words.reverse();
    Some(words)
}

#[cfg(test)]
mod tests {
    use Word::{Card, Filler, Name, Nik, Number, OtherPerson, Role, Whole};

    use super::*;

    #[test]
    fn a_word_stands_in_one_list() {
        let lists = [
            NIK,
            CARD,
            IDENTITY,
            NATIONAL,
            NAME,
            WHOLE,
            NUMBER,
            FILLER,
            OTHER_PERSON,
            OTHER_THING,
            PART_OF_NAME,
        ];
        let words: Vec<_> =
            lists.iter().chain(&ROLES).flat_map(|list| list.split_whitespace()).collect();
        assert_eq!(words.len(), WORDS.len(), "a word stands twice");
        assert_eq!(words.iter().map(|word| word.len()).max(), Some(LONGEST_WORD));
    }

    #[test]
    fn headers_are_taken_apart() {
        for (header, words) in [
            ("NO. KTP / NIK", vec![Some(Number), Some(Card), Some(Nik)]),
            ("namaLengkap", vec![Some(Name), Some(Whole)]),
            ("namalengkapsesuaiktp", vec![Some(Name), Some(Whole), Some(Filler), Some(Card)]),
            ("NIK (16 digit)", vec![Some(Nik), Some(Filler)]),
            ("nik2", vec![Some(Nik)]),
            ("e-KTP", vec![Some(Card)]),
            ("Nama KRT (12)", vec![Some(Name), None]),
            ("borrower_nik", vec![Some(Role(1)), Some(Nik)]),
            ("niksuami", vec![Some(Nik), Some(OtherPerson)]),
            ("nikmat", vec![None]),
            ("ΝΙΚ", vec![None]),
            ("", vec![]),
        ] {
            assert_eq!(words_of(header), words, "{header}");
        }
    }
}
