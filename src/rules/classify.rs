//! Classification of replies: the vendor's contract in one place.
//!
//! The `status` in the vendor's body decides first. The HTTP status code decides for redirects, for
//! a status that is not documented, and for a body that is not the vendor's. The test in this file
//! repeats the whole table, written out by hand.
//!
//! Never: retries, waits or counts.

use crate::model::class::{AccountStop, Class, Lost, Refusal, ResultCode, Trouble};
use crate::model::money::Charge;
use crate::model::reply::{Body, Fault, Reply, Response};
use crate::model::texts::{Text, Texts};

/// Returns the class of a reply.
///
/// ```
/// use ceknik::model::class::{Class, Lost, ResultCode};
/// use ceknik::model::money::Charge;
/// use ceknik::model::reply::{Body, Fault, Reply, Response};
/// use ceknik::model::texts::{Text, Texts};
/// use ceknik::rules::classify::{charge, classify};
///
/// let texts = Texts::from([(Text::Status, "OK"), (Text::Result, "02")]);
/// let body = Body::Vendor(Box::new(texts));
/// let mismatch = classify(&Reply::Response(Response { http: 200, retry_after: None, body }));
/// assert_eq!(mismatch, Class::Answered(ResultCode::Mismatch));
/// assert_eq!(charge(mismatch), Charge::Charged);
///
/// // No answer came in time: nobody knows whether the call is on the invoice.
/// let lost = classify(&Reply::Fault(Fault::lost(Lost::Timeout)));
/// assert_eq!(lost, Class::InDoubt(Lost::Timeout));
/// assert_eq!(charge(lost), Charge::Unknown);
/// ```
pub fn classify(reply: &Reply) -> Class {
    match reply {
        Reply::Fault(Fault::NotSent(why, _)) => Class::NotSent(*why),
        Reply::Fault(Fault::InDoubt(why, _)) => Class::InDoubt(*why),
        // A redirect is never followed, whatever its body says: it would send the secret elsewhere.
        Reply::Response(Response { http: 300..=399, .. }) => Class::Account(AccountStop::Redirect),
        Reply::Response(Response { http, body: Body::Vendor(body), .. }) => by_status(*http, body),
        Reply::Response(Response { http, body: Body::Foreign(_), .. }) => by_http(*http),
    }
}

/// Returns the charge of an attempt of this class.
pub const fn charge(class: Class) -> Charge {
    match class {
        Class::Answered(code) => code.charge(),
        Class::InDoubt(_)
        | Class::Retry(Trouble::Gateway)
        | Class::Refused(Refusal::UnknownSuccess) => Charge::Unknown,
        // An assumption: only 01 and 02 are documented as charged. The tally counts the error
        // answers among these attempts separately.
        Class::Refused(_)
        | Class::Retry(_)
        | Class::Throttled
        | Class::Account(_)
        | Class::OutOfQuota
        | Class::NotSent(_) => Charge::Free,
    }
}

/// Status of a pair that was sent too often.
pub const SENT_TOO_OFTEN: &str = "ABNORMAL_BEHAVIOURS_DETECTED";

/// Converts the text of the vendor's `result` to a result code.
pub fn result_code(raw: &str) -> ResultCode {
    match raw {
        "01" => ResultCode::Match,
        "02" => ResultCode::Mismatch,
        "03" => ResultCode::NotSure,
        "04" => ResultCode::Failed,
        _ => ResultCode::Unknown,
    }
}

fn by_status(http: u16, texts: &Texts) -> Class {
    match texts.get(Text::Status).unwrap_or_default() {
        "OK" => match texts.get(Text::Result) {
            Some(raw) => Class::Answered(result_code(raw)),
            None => Class::InDoubt(Lost::Unreadable),
        },
        "INVALID_ARGUMENT" if names_a_missing_argument(texts) => {
            Class::Refused(Refusal::ArgumentNotFound)
        }
        "INVALID_ARGUMENT" => Class::Refused(Refusal::InvalidArgument),
        SENT_TOO_OFTEN => Class::Refused(Refusal::Abnormal),
        "QUERY_FAILED" => Class::Retry(Trouble::QueryFailed),
        "INTERNAL_ERROR" => Class::Retry(Trouble::Internal),
        "SOURCE_SERVICE_UNAVAILABLE" => Class::Retry(Trouble::SourceUnavailable),
        "SOURCE_SERVICE_TIMEOUT" => Class::Retry(Trouble::SourceTimeout),
        "RATE_LIMIT_EXCEEDED" => Class::Throttled,
        "UNAUTHORIZED" => Class::Account(AccountStop::Unauthorized),
        "KEY_EXPIRED" => Class::Account(AccountStop::KeyExpired),
        "NO_PERMISSION" => Class::Account(AccountStop::NoPermission),
        "NOT_FOUND" => Class::Account(AccountStop::NotFound),
        "OUT_OF_QUOTA" => Class::OutOfQuota,
        _ => by_unknown_status(http),
    }
}

/// Classifies a status that is not documented, by the HTTP status code.
const fn by_unknown_status(http: u16) -> Class {
    match http {
        200..=299 => Class::Refused(Refusal::UnknownSuccess),
        429 => Class::Throttled,
        500..=599 => Class::Retry(Trouble::Gateway),
        _ => Class::Refused(Refusal::Other),
    }
}

/// Classifies a body that is not the vendor's: one of a proxy or a gateway, or one that
/// cannot be read.
const fn by_http(http: u16) -> Class {
    match http {
        200..=299 => Class::InDoubt(Lost::Unreadable),
        401 | 403 | 407 => Class::Account(AccountStop::Proxy),
        404 => Class::Account(AccountStop::NotFound),
        429 => Class::Throttled,
        // A 408 may come from a gateway that stopped waiting for the vendor, like a 504.
        408 | 504 => Class::InDoubt(Lost::GatewayTimeout),
        // 421 (wrong server) and 425 (too early): the call was not accepted, and the answer says
        // nothing about the row.
        421 | 425 | 500..=599 => Class::Retry(Trouble::Gateway),
        _ => Class::Refused(Refusal::Other),
    }
}

/// Checks whether the reason says that an argument was not found. The body kind may then be
/// the wrong one.
fn names_a_missing_argument(texts: &Texts) -> bool {
    let reason = texts.get(Text::Reason).unwrap_or_default().to_ascii_lowercase();
    ["not found", "missing", "required"].iter().any(|word| reason.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::class::NotSent;

    fn vendor(http: u16, status: &str, result: Option<&str>, reason: &str) -> Reply {
        let reason = Some(reason).filter(|reason| !reason.is_empty());
        let texts = [(Text::Status, Some(status)), (Text::Result, result), (Text::Reason, reason)];
        let body = Body::Vendor(Box::new(texts.into()));
        Reply::Response(Response { http, retry_after: None, body })
    }

    fn foreign(http: u16) -> Reply {
        Reply::Response(Response { http, retry_after: None, body: Body::Foreign(Box::default()) })
    }

    fn not_sent(why: NotSent) -> Reply {
        Reply::Fault(Fault::NotSent(why, "a cause".to_owned()))
    }

    /// The vendor's contract, written out by hand: reply, name of the class, charge.
    #[test]
    fn the_whole_table() {
        let table: &[(Reply, &str, &str)] = &[
            // result codes
            (vendor(200, "OK", Some("01"), ""), "match", "yes"),
            (vendor(200, "OK", Some("02"), ""), "mismatch", "yes"),
            (vendor(200, "OK", Some("03"), ""), "not_sure", "no"),
            (vendor(200, "OK", Some("04"), ""), "failed", "no"),
            (vendor(200, "OK", Some("05"), ""), "unknown_code", "unknown"),
            (vendor(200, "OK", Some("77"), ""), "unknown_code", "unknown"),
            (vendor(200, "OK", Some("1"), ""), "unknown_code", "unknown"),
            (vendor(200, "OK", Some(""), ""), "unknown_code", "unknown"),
            (vendor(200, "OK", None, ""), "lost_unreadable", "unknown"),
            // error codes
            (vendor(400, "INVALID_ARGUMENT", None, "bad id_number"), "invalid_argument", "no"),
            (vendor(400, "INVALID_ARGUMENT", None, ""), "invalid_argument", "no"),
            (vendor(400, "INVALID_ARGUMENT", None, "name Not Found"), "argument_not_found", "no"),
            (vendor(400, "QUERY_FAILED", None, ""), "query_failed", "no"),
            (vendor(400, "ABNORMAL_BEHAVIOURS_DETECTED", None, ""), "abnormal_behaviours", "no"),
            (vendor(401, "UNAUTHORIZED", None, ""), "unauthorized", "no"),
            (vendor(401, "KEY_EXPIRED", None, ""), "key_expired", "no"),
            (vendor(403, "NO_PERMISSION", None, ""), "no_permission", "no"),
            (vendor(403, "OUT_OF_QUOTA", None, ""), "out_of_quota", "no"),
            (vendor(403, "RATE_LIMIT_EXCEEDED", None, ""), "rate_limited", "no"),
            (vendor(404, "NOT_FOUND", None, ""), "not_found", "no"),
            (vendor(500, "INTERNAL_ERROR", None, ""), "internal_error", "no"),
            (vendor(512, "SOURCE_SERVICE_UNAVAILABLE", None, ""), "source_unavailable", "no"),
            (vendor(513, "SOURCE_SERVICE_TIMEOUT", None, ""), "source_timeout", "no"),
            // the body's status first
            (vendor(200, "RATE_LIMIT_EXCEEDED", None, ""), "rate_limited", "no"),
            (vendor(200, "UNAUTHORIZED", None, ""), "unauthorized", "no"),
            (vendor(429, "OUT_OF_QUOTA", None, ""), "out_of_quota", "no"),
            (vendor(500, "OK", Some("01"), ""), "match", "yes"),
            (vendor(504, "SOURCE_SERVICE_TIMEOUT", None, ""), "source_timeout", "no"),
            // a status that is not documented
            (vendor(400, "SOMETHING_NEW", None, ""), "refused", "no"),
            (vendor(403, "SOMETHING_NEW", None, ""), "refused", "no"),
            (vendor(429, "SOMETHING_NEW", None, ""), "rate_limited", "no"),
            (vendor(503, "SOMETHING_NEW", None, ""), "gateway_error", "unknown"),
            (vendor(504, "SOMETHING_NEW", None, ""), "gateway_error", "unknown"),
            (vendor(200, "SOMETHING_NEW", Some("01"), ""), "unknown_status", "unknown"),
            // bodies that are not the vendor's
            (foreign(200), "lost_unreadable", "unknown"),
            (foreign(204), "lost_unreadable", "unknown"),
            (foreign(400), "refused", "no"),
            (foreign(401), "proxy_refused", "no"),
            (foreign(403), "proxy_refused", "no"),
            (foreign(404), "not_found", "no"),
            (foreign(407), "proxy_refused", "no"),
            (foreign(408), "lost_gateway_timeout", "unknown"),
            (foreign(421), "gateway_error", "unknown"),
            (foreign(425), "gateway_error", "unknown"),
            (foreign(413), "refused", "no"),
            (foreign(429), "rate_limited", "no"),
            (foreign(500), "gateway_error", "unknown"),
            (foreign(502), "gateway_error", "unknown"),
            (foreign(503), "gateway_error", "unknown"),
            (foreign(504), "lost_gateway_timeout", "unknown"),
            (foreign(512), "gateway_error", "unknown"),
            // redirects, with and without a body of the vendor's
            (foreign(301), "redirect", "no"),
            (foreign(307), "redirect", "no"),
            (vendor(302, "OK", Some("01"), ""), "redirect", "no"),
            // faults
            (not_sent(NotSent::Connect), "not_sent_connect", "no"),
            (not_sent(NotSent::Certificate), "not_sent_certificate", "no"),
            (not_sent(NotSent::NoTls), "not_sent_no_tls", "no"),
            (not_sent(NotSent::Proxy), "not_sent_proxy", "no"),
            (Reply::Fault(Fault::lost(Lost::Timeout)), "lost_timeout", "unknown"),
            (Reply::Fault(Fault::lost(Lost::Cut)), "lost_connection", "unknown"),
            (Reply::Fault(Fault::lost(Lost::Unreadable)), "lost_unreadable", "unknown"),
        ];
        for (reply, name, charged) in table {
            let class = classify(reply);
            assert_eq!((class.name(), charge(class).word()), (*name, *charged), "{reply:?}");
        }
    }
}
