//! The vendor's wire format: request bodies out, response bodies in.
//!
//! Read leniently: extra fields, a missing `remark` and a numeric `result` are fine; texts are kept
//! byte for byte. A body without a `status` string is not the vendor's. Nothing is judged here.

use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::model::reply::{Body, Texts, VendorBody};
use crate::model::subject::Subject;
use crate::rules::body::BodyKind;

/// A longer wait is as good as this one: the run is given up long before.
const LONGEST_WAIT: Duration = Duration::from_secs(10 * 365 * 86_400);

#[derive(Serialize)]
struct Request<'a> {
    id_number: &'a str,
    name: &'a str,
}

/// The request body for a subject, with its content type.
pub fn request(subject: &Subject, kind: BodyKind) -> (Vec<u8>, &'static str) {
    let (id_number, name) = (subject.nik.as_str(), subject.name.as_str());
    match kind {
        // Two strings always serialise; an empty body would be refused free of charge.
        BodyKind::Json => {
            let body = serde_json::to_vec(&Request { id_number, name }).unwrap_or_default();
            (body, "application/json")
        }
        BodyKind::Form => {
            let mut form = form_urlencoded::Serializer::new(String::new());
            form.append_pair("id_number", id_number).append_pair("name", name);
            (form.finish().into_bytes(), "application/x-www-form-urlencoded")
        }
    }
}

/// What a response body is.
pub fn body(bytes: &[u8]) -> Body {
    let Ok(Value::Object(mut answer)) = serde_json::from_slice(bytes) else { return Body::Foreign };
    let Some(Value::String(status)) = answer.remove("status") else { return Body::Foreign };
    if status.is_empty() {
        return Body::Foreign;
    }
    // `result` is an object in a success; another shape is no success.
    let mut result = match answer.remove("result") {
        Some(Value::Object(result)) => result,
        _ => Map::new(),
    };
    let texts = Texts {
        status: Some(status),
        result: result.remove("result").and_then(code),
        order_no: result.remove("order_no").and_then(text),
        handle_time: result.remove("handle_time").and_then(text),
        remark: result.remove("remark").and_then(text),
        request_id: answer.remove("request_id").and_then(text),
        reason: answer.remove("reason").and_then(text),
    };
    Body::Vendor(Box::new(VendorBody { texts }))
}

/// A text that may come as a number; anything else is none.
fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A result code: a number is written with the two digits that the vendor uses.
fn code(value: Value) -> Option<String> {
    match value {
        Value::Number(number) => Some(format!("{:0>2}", number.to_string())),
        other => text(other),
    }
}

/// The wait that a `Retry-After` header asks for, in seconds or as a date, from `now`.
pub fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|digit| digit.is_ascii_digit()) {
        let seconds = value.parse().map_or(LONGEST_WAIT, Duration::from_secs);
        return Some(seconds.min(LONGEST_WAIT));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default().min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::testing::subject;

    fn texts(json: &str) -> Option<Texts> {
        match body(json.as_bytes()) {
            Body::Vendor(body) => Some(body.texts),
            Body::Foreign => None,
        }
    }

    #[test]
    fn a_success_as_documented() {
        let read = texts(
            r#"{"status":"OK","result":{"order_no":"SFBw1","handle_time":"2025-07-01 10:12:20",
                "result":"04","remark":"UNKNOW"},"request_id":"TID1"}"#,
        )
        .unwrap();
        let of = |text: &Option<String>| text.clone().unwrap_or_default();
        assert_eq!(
            [&read.status, &read.order_no, &read.handle_time, &read.result, &read.remark].map(of),
            ["OK", "SFBw1", "2025-07-01 10:12:20", "04", "UNKNOW"]
        );
        assert_eq!(read.request_id.as_deref(), Some("TID1"));
    }

    #[test]
    fn lenient_where_it_may_be_and_strict_where_it_must() {
        let result = |json: &str| texts(json).and_then(|t| t.result);
        assert_eq!(
            result(r#"{"status":"OK","result":{"result":1},"x":[1]}"#).as_deref(),
            Some("01")
        );
        assert_eq!(result(r#"{"status":"OK","result":{"result":77}}"#).as_deref(), Some("77"));
        assert_eq!(result(r#"{"status":"OK","result":{"result":null}}"#), None);
        assert_eq!(result(r#"{"status":"OK","result":"01"}"#), None);
        assert_eq!(result(r#"{"status":"OK","result":[],"reason":{}}"#), None);
        for foreign in [
            "",
            "<html>",
            "{}",
            "[]",
            r#"["OK",null,null,{"result":"01"}]"#,
            r#"{"status":503}"#,
            r#"{"status":""}"#,
            r#"{"status":"OK","result":{"result":"01"}"#,
        ] {
            assert!(texts(foreign).is_none(), "{foreign}");
        }
    }

    #[test]
    fn both_bodies() {
        let subject = subject("3275014107900001", "SITI & \"O'HARA\"");
        let (json, _) = request(&subject, BodyKind::Json);
        assert_eq!(json, br#"{"id_number":"3275014107900001","name":"SITI & \"O'HARA\""}"#);
        let (form, _) = request(&subject, BodyKind::Form);
        assert_eq!(form, b"id_number=3275014107900001&name=SITI+%26+%22O%27HARA%22");
    }

    #[test]
    fn retry_after_both_ways() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_770);
        for (value, seconds) in [
            ("7", Some(7)),
            (" 0 ", Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(7)),
            ("Sun, 06 Nov 1994 08:49:00 GMT", Some(0)),
            ("99999999999999999999999", Some(315_360_000)),
            ("-1", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(retry_after(value, now).map(|d| d.as_secs()), seconds, "{value}");
        }
    }
}
