//! The cleaners of NIKs and names.
//!
//! Must hold: any text is cleaned without a panic, cleaning twice changes nothing more, and a text
//! that passes the checks passes in its cleaned form.

#![no_main]

use ceknik::model::mask::mask_cell;
use ceknik::rules::name::{check_name, clean_name};
use ceknik::rules::nik::{NikPolicy, check_nik, clean_nik};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let nik = clean_nik(&text);
    assert_eq!(clean_nik(&nik), nik, "cleaning a NIK twice");
    for policy in [NikPolicy::default(), NikPolicy { send_truncated: true, send_odd_dates: true }] {
        if check_nik(&text, &policy).is_ok() {
            assert_eq!(clean_nik(&nik), nik);
            assert!(nik.len() == 16 && nik.bytes().all(|byte| byte.is_ascii_digit()));
        }
        // Warnings are not compared: a cleaned NIK no longer shows that it was a number.
        let checked = |text: &str| check_nik(text, &policy).map(|(nik, _)| nik);
        assert_eq!(checked(&text), checked(&nik), "checked before or after");
    }

    // Of a NIK at most ten digits are shown, those of place and serial.
    let shown = mask_cell(&text).chars().filter(char::is_ascii_digit).count();
    assert!(shown == 0 || shown == 10, "masked");

    let name = clean_name(&text);
    assert_eq!(clean_name(&name), name, "cleaning a name twice");
    if let Ok(reading) = check_name(&text, None) {
        assert_eq!(reading.changed, *name != *text);
        let again = check_name(&name, None);
        assert!(again.is_ok_and(|again| !again.changed && again.name == reading.name));
    }
});
