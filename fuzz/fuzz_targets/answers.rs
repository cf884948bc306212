//! The vendor's answers: any body and any `Retry-After` at all is understood or is not the vendor's. No panic, no charge
//! that is not documented, and no text that is kept holds the customer.

#![no_main]

use std::time::SystemTime;

use ceknik::api::wire;
use ceknik::model::class::{Class, ResultCode};
use ceknik::model::money::Charge;
use ceknik::model::reply::{Body, Reply, Response};
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

fuzz_target!(|bytes: &[u8]| {
    let Some((http, body)) = bytes.split_first_chunk::<2>() else { return };
    let http = 100 + u16::from_be_bytes(*http) % 500;
    if let Ok(value) = std::str::from_utf8(body) {
        let _ = wire::retry_after(value, SystemTime::UNIX_EPOCH);
    }
    let body = wire::body(body);
    let class = classify(&Reply::Response(Response { http, retry_after: None, body: body.clone() }));
    let Body::Vendor(vendor) = body else {
        assert!(!matches!(class, Class::Answered(_)), "a verdict that the vendor did not give");
        return;
    };
    let mut texts = vendor.texts;
    if charge(class) == Charge::Charged {
        assert!(matches!(class, Class::Answered(ResultCode::Match | ResultCode::Mismatch)));
        assert!(matches!(texts.result.as_deref(), Some("01" | "02")));
    }
    let Some(subject) = subject() else { return };
    conceal_all(&mut texts, &subject);
    for text in texts.each().into_iter().flatten() {
        assert!(!text.contains(NIK) && !text.to_uppercase().contains("SITI AMINAH"), "{class:?}");
    }
    reveal_all(&mut texts, &subject);
});
