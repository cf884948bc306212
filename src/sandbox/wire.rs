//! Bodies of the answers, byte for byte as the vendor documents them. Pure.
//!
//! Must hold: an order number begins with `SANDBOX-` and depends only on the pair and its draw. A
//! body contains the NIK and the name only if the ending is meant to repeat them.
//!
//! Never: decides anything.

use jiff::Timestamp;
use jiff::tz::Offset;

use super::answer::{Answer, Shape};
use super::endings::mix;
use super::request::Subject;

const NO_MOMENT: &str = "1970-01-01 00:00:00";

/// Text of the latest second that was formatted. Many answers share one second, and formatting is
/// expensive.
#[derive(Debug)]
pub(super) struct Stamp {
    second: i64,
    text: String,
}

impl Stamp {
    pub(super) fn new() -> Self {
        Self { second: 0, text: NO_MOMENT.to_owned() }
    }

    /// Formats a second since the epoch as the vendor does, in Jakarta's time:
    /// `2025-07-01 10:12:20`.
    pub(super) fn at(&mut self, second: i64) -> String {
        if second != self.second {
            self.second = second;
            self.text = match Timestamp::from_second(second) {
                Ok(at) => {
                    Offset::constant(7).to_datetime(at).strftime("%Y-%m-%d %H:%M:%S").to_string()
                }
                Err(_) => NO_MOMENT.to_owned(),
            };
        }
        self.text.clone()
    }
}

/// Values that make one answer different from the next.
#[derive(Debug, Clone)]
pub(super) struct Marks {
    pub(super) request_id: u128,
    pub(super) draw: u32,
    pub(super) handle_time: String,
}

/// Returns the body of an answer, which is empty for an answer that has none.
pub(super) fn body(answer: Answer, subject: Option<&Subject>, marks: &Marks) -> Vec<u8> {
    let terms = answer.terms();
    match terms.shape {
        // Our own texts contain nothing that needs an escape.
        Shape::Verdict { code, remark } => verdict(code, &format!("\"{remark}\""), subject, marks),
        Shape::CutBody => verdict("01", "\"MATCH\"", subject, marks),
        Shape::Echo => {
            let (nik, name) = subject.map_or(("", ""), |s| (s.nik.as_str(), s.name.as_str()));
            let remark = serde_json::Value::from(format!("MATCH {nik} {name}"));
            verdict("01", &remark.to_string(), subject, marks)
        }
        Shape::Refusal { reason } => refusal(terms.label, reason, marks),
        Shape::Page => page(terms.http),
        Shape::Cut | Shape::Hang => Vec::new(),
    }
}

/// Returns the error body for a path other than the endpoint's.
pub(super) fn not_found(marks: &Marks) -> Vec<u8> {
    refusal("NOT_FOUND", "no such service", marks)
}

/// Returns the body of a verdict. `remark` is JSON.
fn verdict(code: &str, remark: &str, subject: Option<&Subject>, marks: &Marks) -> Vec<u8> {
    let pair = subject.map_or(0, |subject| subject.pair);
    let order = mix(mix(pair).wrapping_add(u64::from(marks.draw)));
    let Marks { request_id, handle_time, .. } = marks;
    format!(
        r#"{{"status":"OK","result":{{"order_no":"SANDBOX-{order:016x}","handle_time":"{handle_time}","result":"{code}","remark":{remark}}},"request_id":"TID{request_id:032x}"}}"#
    )
    .into_bytes()
}

fn refusal(status: &str, reason: &str, marks: &Marks) -> Vec<u8> {
    let id = marks.request_id;
    format!(r#"{{"status":"{status}","reason":"{reason}","request_id":"TID{id:032x}"}}"#)
        .into_bytes()
}

fn page(http: u16) -> Vec<u8> {
    let title = if http == 504 { "504 Gateway Time-out" } else { "502 Bad Gateway" };
    format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n\
         <hr><center>proxy</center>\r\n</body>\r\n</html>\r\n"
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(answer: Answer, draw: u32) -> String {
        let subject =
            Subject { nik: "3275010101900018".to_owned(), name: "SITI \"A\"".to_owned(), pair: 7 };
        let marks = Marks {
            request_id: 0x07ec_f996_45e8_4520_87c3_8252_d1fc_cdca,
            draw,
            handle_time: Stamp::new().at(1_751_339_540),
        };
        String::from_utf8(body(answer, Some(&subject), &marks)).unwrap()
    }

    #[test]
    fn a_verdict_is_written_as_the_vendor_writes_it() {
        assert_eq!(
            text(Answer::Failed, 1),
            r#"{"status":"OK","result":{"order_no":"SANDBOX-ORDER","handle_time":"2025-07-01 10:12:20","result":"04","remark":"UNKNOW"},"request_id":"TID07ecf99645e8452087c38252d1fccdca"}"#
                .replace("ORDER", &format!("{:016x}", mix(mix(7) + 1)))
        );
        assert_ne!(text(Answer::Match, 1), text(Answer::Match, 2));
    }

    #[test]
    fn a_refusal_is_written_as_the_vendor_writes_it() {
        assert_eq!(
            text(Answer::MissingId, 1),
            r#"{"status":"INVALID_ARGUMENT","reason":"argument id_number not found","request_id":"TID07ecf99645e8452087c38252d1fccdca"}"#
        );
    }

    #[test]
    fn only_the_echo_repeats_what_was_sent() {
        for answer in Answer::ALL {
            let text = text(answer, 1);
            let repeats = text.contains("3275010101900018") || text.contains("SITI");
            assert_eq!(repeats, answer == Answer::Echo, "{text}");
        }
        assert!(text(Answer::Echo, 1).contains(r#""MATCH 3275010101900018 SITI \"A\"""#));
    }

    #[test]
    fn every_json_body_is_json() {
        for answer in Answer::ALL {
            let text = text(answer, 1);
            match answer.terms().shape {
                Shape::Page => assert!(text.starts_with("<html>")),
                Shape::Cut | Shape::Hang => assert_eq!(text, ""),
                _ => drop(serde_json::from_str::<serde_json::Value>(&text).unwrap()),
            }
        }
    }
}
