//! The vendor's answers: any body, in any compression and encoding, and any `Retry-After`.
//!
//! Must hold: no panic, no charge that is not documented, and no kept or reported text that
//! contains the customer.

#![no_main]

use std::time::SystemTime;

use ceknik::api::{Credentials, text, describe, wire};
use ceknik::model::class::{Class, ResultCode};
use ceknik::model::money::Charge;
use ceknik::model::reply::{Body, Reply, Response};
use ceknik::model::texts::{Text, Texts};
use ceknik::model::subject::Subject;
use ceknik::rules::classify::{charge, classify};
use ceknik::rules::echo::{conceal_all, reveal_all};
use ceknik::rules::name::check_name;
use ceknik::rules::nik::{NikPolicy, check_nik};
use libfuzzer_sys::fuzz_target;

const NIK: &str = "3275014107900001";

fn subject() -> Option<Subject> {
    let (nik, _) = check_nik(NIK, &NikPolicy::default()).ok()?;
    Some(Subject { nik, name: check_name("SITI AMINAH", None).ok()?.name })
}

/// Content types that the third byte of the input chooses from.
const TYPES: [Option<&str>; 6] = [
    None,
    Some("application/json"),
    Some("application/json; charset=ISO-8859-1"),
    Some("text/html;charset=\"utf-16\""),
    Some("x; charset=shift_jis"),
    Some("; charset"),
];
/// Content encodings that the third byte of the input chooses from.
const ENCODINGS: [Option<&str>; 4] = [None, Some("gzip"), Some("deflate"), Some("br")];

fuzz_target!(|bytes: &[u8]| {
    let Some(([first, second, head], body)) = bytes.split_first_chunk::<3>() else { return };
    let http = 100 + u16::from_be_bytes([*first, *second]) % 500;
    // With a third byte of 128 or more, the content type is the text before the first line feed.
    let line = body.iter().position(|byte| *byte == b'\n').filter(|_| *head >= 128);
    let (content_type, body) = match line {
        Some(end) => (std::str::from_utf8(&body[..end]).ok(), &body[end + 1..]),
        None => (TYPES[usize::from(*head) % TYPES.len()], body),
    };
    let content_encoding = ENCODINGS[usize::from(*head) / 8 % ENCODINGS.len()];
    if let Ok(value) = std::str::from_utf8(body) {
        let _ = wire::retry_after(value, SystemTime::UNIX_EPOCH);
    }
    let Some(subject) = subject() else { return };
    let readings = text::readings(body, text::Form { content_type, content_encoding });
    assert!(readings.iter().all(|text| text.len() <= 3 * text::LARGEST), "no bound");
    let secrets = Credentials { id: "an-id-0001".to_owned(), secret: "a-secret-0001".to_owned() };
    for text in &readings {
        let remains = Texts::from(wire::remains(text));
        assert!(remains.get(Text::Result).is_none() && remains.get(Text::Status).is_none());
        let told = describe::description(http, content_type, Some(text), &subject, &secrets);
        assert!(told.is_ascii() || told.ends_with("…\""), "{told:?}");
        assert!(!told.as_bytes().windows(4).any(|four| four.iter().all(u8::is_ascii_digit)));
        let upper = told.to_uppercase();
        assert!(!["SITI", "AMINAH", "A-SECRET-0001"].iter().any(|word| upper.contains(word)), "{told:?}");
    }
    let answer = readings.iter().find_map(|text| wire::answer(text)).map(Box::new);
    let body = answer.map_or_else(|| Body::Foreign(Box::default()), Body::Vendor);
    let class = classify(&Reply::Response(Response { http, retry_after: None, body: body.clone() }));
    let Body::Vendor(mut texts) = body else {
        assert!(!matches!(class, Class::Answered(_)), "a verdict that the vendor did not give");
        return;
    };
    if charge(class) == Charge::Charged {
        assert!(matches!(class, Class::Answered(ResultCode::Match | ResultCode::Mismatch)));
        assert!(matches!(texts.get(Text::Result), Some("01" | "02")));
    }
    conceal_all(&mut texts, &subject);
    for text in texts.all().flatten() {
        assert!(!text.contains(NIK) && !text.to_uppercase().contains("SITI AMINAH"), "{class:?}");
    }
    reveal_all(&mut texts, &subject);
});
