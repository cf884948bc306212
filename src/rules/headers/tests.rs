//! Tests of headers: comparing them, telling them from data, and showing them.

use super::*;

#[test]
fn headers_are_compared_without_case_and_punctuation() {
    for (header, key) in [
        ("NIK", "nik"),
        (" No. KTP ", "noktp"),
        ("no_ktp", "noktp"),
        ("Nama\u{A0}Lengkap", "namalengkap"),
        ("ＮＩＫ", "nik"),
        ("\u{FEFF}Nama-KTP*", "namaktp"),
        ("№ KTP", "noktp"),
        ("***", ""),
    ] {
        assert_eq!(HeaderKey::of(header).0, key, "{header:?}");
    }
}

#[test]
fn tells_data_from_headers() {
    for (cell, data) in [
        ("NIK", false),
        ("2024", false),
        ("01012024", false),
        ("BUDI SANTOSO", false),
        ("", false),
        ("3275014101900001", true),
        ("'3275 0141 0190 0001", true),
        ("327501410190000", true),
        ("3.27501E+15", true),
        ("9175014101900001.0", true),
    ] {
        assert_eq!(is_data(cell), data, "{cell:?}");
    }
}

#[test]
fn shows_headers_safely() {
    assert_eq!(shown(" NIK \n3275014101900001"), "xxx ?################");
    assert_eq!(shown("\u{FEFF}NIK\u{202E}\u{2066}x"), "NIK  x");
    assert_eq!(shown(&"x".repeat(100)).len(), SHOWN_CHARS);
}

#[test]
fn a_customers_row_is_shown_as_its_shapes() {
    for (row, expected) in [
        ("No. KTP|Alamat Email|Tgl Lahir|Cabang", "No. KTP|Alamat Email|Tgl Lahir|Cabang"),
        ("no_hp|Nama Lengkap|Hobi|Rek 1234567", "no_hp|Nama Lengkap|Hobi|Rek ******"),
        ("customer_id|NIK|ck_outcome||Hobi", "customer_id|NIK|ck_outcome||Hobi"),
        ("NIK|Hobi", "NIK|xxxx"),
        ("SITI|3275014107900001|Jl No 6|Kota", "xxxx|327501******0001|xx xx #|xxxx"),
        ("NIK|Nama|3275.0141.0790.0001", "xxx|xxxx|####.####.####.####"),
        ("BUDI SANTOSO||Jl Melati No 5|Kota Bandung", "xxxx xxxxxxx||xx xxxxxx xx #|xxxx xxxxxxx"),
        ("BUDI SANTOSO||KTP|Nasabah|Status", "xxxx xxxxxxx||KTP|Nasabah|Status"),
        ("BUDI SANTOSO|", "xxxx xxxxxxx|"),
        ("|BUDI SANTOSO|Pinjaman|Mobile", "|xxxx xxxxxxx|Pinjaman|Mobile"),
        ("NIK|Tgl Lahir|BUDI SANTOSO|Jl Melati|Hobi", "NIK|Tgl Lahir|xxxx xxxxxxx|xx xxxxxx|xxxx"),
        ("No. Kartu Keluarga|NIK Nasabah|Hobi|", "No. Kartu Keluarga|NIK Nasabah|Hobi|"),
        ("ck_odd thing|Kota|Hobi", "ck_odd thing|Kota|xxxx"),
        ("--|Hobi", "--|xxxx"),
        ("NKK|Hobi", "NKK|xxxx"),
        ("National ID|Hobi", "National ID|xxxx"),
        ("Nama di KTP|Hobi", "Nama di KTP|xxxx"),
        ("Tgl Lahir|Alamat|Cabang|Hobi|Ukuran|Warna", "Tgl Lahir|Alamat|Cabang|Hobi|Ukuran|Warna"),
        ("Tgl Lahir|Alamat|Hobi|Ukuran|Warna", "Tgl Lahir|Alamat|xxxx|xxxxxx|xxxxx"),
    ] {
        let row: Vec<_> = row.split('|').map(str::to_owned).collect();
        assert_eq!(shown_all(&row, false).join("|"), expected);
    }
}

#[test]
fn a_certain_header_is_shown_in_clear() {
    for (row, expected) in [
        ("Pertanyaan 1 (1)|Nama KRT (12)|Hobi", "Pertanyaan 1 (1)|Nama KRT (12)|Hobi"),
        ("NIK|Lahir 31/12/1990|budi@example.com", "NIK|xxxxx ##/##/####|xxxx@xxxxxxx.xxx"),
        ("NIK|3275014107900001|Hobi", "NIK|327501******0001|Hobi"),
        ("NIK|\u{1B}[2JHobi", "NIK|[2JHobi"),
    ] {
        let row: Vec<_> = row.split('|').map(str::to_owned).collect();
        assert_eq!(shown_all(&row, true).join("|"), expected);
    }
}

#[test]
fn a_header_names_both() {
    assert!(is_header(["No", "NIK", "Nama"].into_iter()));
    assert!(!is_header(["No", "NIK", "Alamat"].into_iter()));
    assert!(!is_header(["Data nasabah"].into_iter()));
}
