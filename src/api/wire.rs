//! Defines the vendor's wire format: writes request bodies and reads response bodies.
//!
//! Reading is lenient: extra fields, a missing `remark`, a numeric `result` and numbers of any
//! length are accepted. Texts are kept as they came, and numbers digit by digit. A body without a
//! `status` string is not the vendor's.
//!
//! Never: judges an answer.

use std::borrow::Cow;
use std::fmt;
use std::time::{Duration, SystemTime};

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::model::reply::Remains;
use crate::model::subject::Subject;
use crate::model::texts::{Text, Texts};
use crate::rules::body::BodyKind;

/// Maximum wait that a `Retry-After` header can ask for. A longer wait makes no difference, because
/// the run is given up long before.
const LONGEST_WAIT: Duration = Duration::from_secs(10 * 365 * 86_400);
/// Maximum number of places at which the name of a member is tried in an incomplete answer.
const MOST_PLACES: usize = 16;

#[derive(Serialize)]
struct Request<'a> {
    id_number: &'a str,
    name: &'a str,
}

/// Returns the content type of this kind of body.
pub const fn content_type(kind: BodyKind) -> &'static str {
    match kind {
        BodyKind::Json => "application/json",
        BodyKind::Form => "application/x-www-form-urlencoded",
    }
}

/// Returns the request body for a subject.
pub fn request(subject: &Subject, kind: BodyKind) -> Vec<u8> {
    let (id_number, name) = (subject.nik.as_str(), subject.name.as_str());
    match kind {
        // Two strings can always be serialized. The vendor would refuse an empty body free of
        // charge.
        BodyKind::Json => serde_json::to_vec(&Request { id_number, name }).unwrap_or_default(),
        BodyKind::Form => {
            let mut form = url::form_urlencoded::Serializer::new(String::new());
            form.append_pair("id_number", id_number).append_pair("name", name);
            form.finish().into_bytes()
        }
    }
}

/// Parses a text as an answer of the vendor. Returns `None` if the text is not such an answer.
pub fn answer(text: &str) -> Option<Texts> {
    let names = Text::ALL.map(Text::name);
    let outer = members(text, names)?;
    // In a success, `result` is an object. Another type means that the answer is not a success.
    let inner = outer[Text::Result as usize].and_then(|result| members(result, names));
    let inner = inner.unwrap_or_default();
    let is_string = outer[Text::Status as usize].is_some_and(|raw| raw.starts_with('"'));
    let texts = Texts::collect(|text| match text {
        Text::Result => inner[text as usize].and_then(code),
        _ if text.is_in_result() => inner[text as usize].and_then(token),
        _ => outer[text as usize].and_then(token),
    });
    let has_status = is_string && texts.get(Text::Status).is_some_and(|status| !status.is_empty());
    has_status.then_some(texts)
}

/// Returns the members of a JSON object with these names, each as it was written. Returns `None` if
/// the text is not an object. If a name occurs twice, the last member counts, as in a browser.
fn members<'a, const N: usize>(text: &'a str, names: [&str; N]) -> Option<[Option<&'a str>; N]> {
    let mut json = serde_json::Deserializer::from_str(text);
    let found = json.deserialize_map(Members { names }).ok()?;
    json.end().ok()?;
    Some(found)
}

/// A visitor that picks the members with these names.
struct Members<'n, const N: usize> {
    names: [&'n str; N],
}

impl<'de, const N: usize> Visitor<'de> for Members<'_, N> {
    type Value = [Option<&'de str>; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = [None; N];
        while let Some((LossyText(name), value)) = map.next_entry::<_, &RawValue>()? {
            let place = self.names.iter().position(|wanted| *wanted == name);
            if let Some(place) = place.and_then(|at| found.get_mut(at)) {
                *place = Some(value.get());
            }
        }
        Ok(found)
    }
}

/// A JSON string. Half of a surrogate pair, which browsers accept, becomes replacement characters.
struct LossyText<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for LossyText<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl<'de> Visitor<'de> for Bytes {
            type Value = LossyText<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<LossyText<'de>, E> {
                Ok(LossyText(String::from_utf8_lossy(bytes)))
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<LossyText<'de>, E> {
                Ok(LossyText(String::from_utf8_lossy(bytes).into_owned().into()))
            }
        }
        from.deserialize_bytes(Bytes)
    }
}

/// Returns the content of a JSON string, or the digits of a JSON number as they were written.
/// Returns `None` for any other value.
fn token(raw: &str) -> Option<String> {
    match raw.as_bytes().first()? {
        // The common case: nothing is escaped. `raw` is known to be a string.
        b'"' if !raw.contains('\\') => raw.get(1..raw.len() - 1).map(str::to_owned),
        b'"' => serde_json::from_str(raw).ok().map(|LossyText(text)| text.into_owned()),
        b'-' | b'0'..=b'9' => Some(raw.to_owned()),
        _ => None,
    }
}

/// Returns a result code. A number gets the two digits that the vendor uses.
fn code(raw: &str) -> Option<String> {
    if raw.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(format!("{raw:0>2}"));
    }
    token(raw)
}

/// Returns the texts of an incomplete or unreadable answer by which the vendor can find the call.
/// Never returns the result of the call, nor a text that is not complete.
pub fn remains(text: &str) -> Remains {
    let find = |name| member(text, name);
    Remains {
        order_no: find("\"order_no\""),
        handle_time: find("\"handle_time\""),
        request_id: find("\"request_id\""),
        description: None,
    }
}

/// Returns the first complete value of a member with this quoted name, wherever the member is in
/// the text.
fn member(text: &str, quoted: &str) -> Option<String> {
    text.match_indices(quoted).take(MOST_PLACES).find_map(|(at, _)| {
        let rest = text[at + quoted.len()..].trim_start().strip_prefix(':')?.trim_start();
        let length = match rest.as_bytes().first()? {
            b'"' => 1 + end_of_string(&rest[1..])?,
            // A number at the end of the text does not count: more digits may have been cut off.
            _ => rest.find(|c: char| !c.is_ascii_digit())?,
        };
        rest.get(..length).and_then(token)
    })
}

/// Returns the length of a JSON string after its opening quotation mark, including its closing one.
/// Returns `None` if the closing quotation mark is missing.
fn end_of_string(rest: &str) -> Option<usize> {
    let mut is_escaped = false;
    let end = rest.bytes().position(|byte| {
        let is_end = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        is_end
    })?;
    Some(end + 1)
}

/// Parses a `Retry-After` header and returns the wait from `now`. The value is a date, or a number
/// of seconds or of another unit, which is rounded up to whole seconds.
pub fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim().trim_matches('"').trim();
    if value.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return wait(value);
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default().min(LONGEST_WAIT))
}

/// Parses a wait such as `7`, `2.5`, `3s`, `1.5 minutes` or `500ms`.
fn wait(value: &str) -> Option<Duration> {
    let end = value.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(value.len());
    let (number, unit) = value.split_at(end);
    let unit = match unit.trim().trim_end_matches('.').to_ascii_lowercase().as_str() {
        "" | "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
        "ms" | "msec" | "millis" | "millisecond" | "milliseconds" => 0.001,
        "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3600.0,
        _ => return None,
    };
    let seconds = (number.parse::<f64>().ok()? * unit).ceil();
    Some(Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::testing::subject;

    #[test]
    fn a_success_as_documented() {
        let read = answer(
            r#"{"status":"OK","result":{"order_no":"SFBw1","handle_time":"2025-07-01 10:12:20",
                "result":"04","remark":"UNKNOW"},"request_id":"TID1"}"#,
        )
        .unwrap();
        let found: Vec<_> = read.all().map(Option::unwrap_or_default).collect();
        assert_eq!(found, ["OK", "04", "SFBw1", "2025-07-01 10:12:20", "UNKNOW", "TID1", ""]);
    }

    #[test]
    fn only_a_complete_answer_of_the_vendor_is_read() {
        for (result, code) in [
            (r#"{"result":1},"x":[1]"#, Some("01")),
            (r#"{"result":77}"#, Some("77")),
            (r#"{"result":null}"#, None),
            (r#""01""#, None),
            (r#"[],"reason":{}"#, None),
        ] {
            let read = answer(&format!(r#"{{"status":"OK","result":{result}}}"#));
            assert_eq!(read.unwrap().get(Text::Result), code, "{result}");
        }
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
            assert!(answer(foreign).is_none(), "{foreign}");
        }
    }

    #[test]
    fn numbers_are_kept_as_they_were_written() {
        for number in ["20261128130414000001", "1e400", "-0.10", "9007199254740993"] {
            let read = answer(&format!(
                r#"{{"status":"OK","result":{{"order_no":{number},"result":"01"}},"request_id": {number} }}"#
            ));
            let read = read.unwrap();
            let numbers = [read.get(Text::OrderNo), read.get(Text::RequestId)];
            assert_eq!(numbers, [Some(number); 2]);
        }
    }

    #[test]
    fn json_is_read_as_a_browser_reads_it() {
        let deep = format!(r#"{{"x":{}1{},"status":"A"}}"#, "[".repeat(5000), "]".repeat(5000));
        for (json, status) in [
            (r#"{"status":"A","status":"B"}"#, "B"),
            (r#"{"status":"A","x":"\ud83d"}"#, "A"),
            (r#"{"status":"\ud83dA","\udc00":1}"#, "\u{FFFD}\u{FFFD}\u{FFFD}A"),
            (r#"{"st\u0061tus":"A"}"#, "A"),
            (" \r\n\t{\"status\":\"A\"}\n", "A"),
            (&deep, "A"),
        ] {
            let read = answer(json).unwrap();
            assert_eq!(read.get(Text::Status), Some(status), "{json:.60}");
        }
    }

    #[test]
    fn what_remains_of_an_answer_is_whole_and_never_its_result() {
        let whole = r#"{"status":"OK","result":{"order_no":"SF\"1","handle_time":"2025-07-01 10:12:20","result":"01"},"request_id":42}"#;
        let all = remains(whole);
        assert_eq!(
            [all.order_no, all.handle_time, all.request_id].map(Option::unwrap),
            ["SF\"1", "2025-07-01 10:12:20", "42"]
        );
        for (text, order_no) in [
            (r#"{"result":{"order_no" : "A1","ha"#, Some("A1")),
            (r#"{"order_no":"A1"#, None),
            (r#"{"order_no":"A1\""#, None),
            (r#"{"order_no":"#, None),
            (r#"{"order_no":123"#, None),
            (r#"{"order_no":123,"#, Some("123")),
            (r#"{"order_no":null,"x":{"order_no":"B"}}"#, Some("B")),
            (r#"{"order_no":"\q","x"#, None),
            ("<html>", None),
            ("", None),
        ] {
            assert_eq!(remains(text).order_no.as_deref(), order_no, "{text}");
        }
    }

    #[test]
    fn both_bodies() {
        let subject = subject("3275014107900001", "SITI & \"O'HARA\"");
        let json = request(&subject, BodyKind::Json);
        assert_eq!(json, br#"{"id_number":"3275014107900001","name":"SITI & \"O'HARA\""}"#);
        let form = request(&subject, BodyKind::Form);
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
            ("2.5", Some(3)),
            ("2.0", Some(2)),
            ("3s", Some(3)),
            ("0.2", Some(1)),
            ("2 seconds", Some(2)),
            ("1.5 min", Some(90)),
            ("1500ms", Some(2)),
            ("1h", Some(3600)),
            ("\"4\"", Some(4)),
            ("2..5", None),
            ("3 parsecs", None),
            (".", None),
            ("-1", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(retry_after(value, now).map(|d| d.as_secs()), seconds, "{value}");
        }
    }
}
