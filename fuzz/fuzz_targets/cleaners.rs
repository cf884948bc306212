//! The cleaners of NIKs and names: any text is cleaned without a panic, once is enough, and what passes
//! is what was cleaned.

#![no_main]

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
        assert_eq!(check_nik(&text, &policy), check_nik(&nik, &policy), "checked before or after");
    }

    let name = clean_name(&text);
    assert_eq!(clean_name(&name), name, "cleaning a name twice");
    if let Ok(reading) = check_name(&text, None) {
        assert_eq!(reading.changed, *name != *text);
        let again = check_name(&name, None);
        assert!(again.is_ok_and(|again| !again.changed && again.name == reading.name));
    }
});
