//! What kind of reply an attempt drew, and what each kind means for money.
//!
//! A [`Class`] is the whole of what the rules decide on: it carries no text, only which case it is.
//! Its codes are stored in the ledger, so a code is never reused or renumbered. This file never
//! looks at HTTP or JSON: `rules::classify` makes a class out of a reply.

use super::money::Charge;

/// The vendor's `result`, as far as it is documented.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResultCode {
    /// `01`: NIK and name belong together. Charged.
    Match,
    /// `02`: they do not. Charged.
    Mismatch,
    /// `03`: not sure. Free.
    NotSure,
    /// `04`: failed. Free.
    Failed,
    /// Any other code: kept raw, never guessed. Charge unknown.
    Unknown,
}

impl ResultCode {
    /// The table of result codes and money: the only place that knows it.
    pub const fn charge(self) -> Charge {
        match self {
            Self::Match | Self::Mismatch => Charge::Charged,
            Self::NotSure | Self::Failed => Charge::Free,
            Self::Unknown => Charge::Unknown,
        }
    }
}

/// A refusal of one row: the vendor answered, but will not verify this pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// `INVALID_ARGUMENT`.
    InvalidArgument,
    /// `INVALID_ARGUMENT` whose reason says that an argument was not found: perhaps the body kind.
    ArgumentNotFound,
    /// `ABNORMAL_BEHAVIOURS_DETECTED`: asked too often; not to be asked again soon.
    Abnormal,
    /// Another 4xx, or a status that is not documented.
    Other,
    /// A 2xx with a status that is not documented: perhaps charged.
    UnknownSuccess,
}

/// "Not now": the pair is asked again after a back-off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trouble {
    /// `QUERY_FAILED`.
    QueryFailed,
    /// `INTERNAL_ERROR`.
    Internal,
    /// `SOURCE_SERVICE_UNAVAILABLE`: the population registry is down.
    SourceUnavailable,
    /// `SOURCE_SERVICE_TIMEOUT`.
    SourceTimeout,
    /// A 5xx that is not the vendor's own: a gateway may have passed the call on.
    Gateway,
}

/// The vendor, or something in front of it, refuses the account or the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AccountStop {
    /// `UNAUTHORIZED`.
    Unauthorized,
    /// `KEY_EXPIRED`.
    KeyExpired,
    /// `NO_PERMISSION`.
    NoPermission,
    /// `NOT_FOUND`, or any 404: wrong path or base URL.
    NotFound,
    /// A 3xx: never followed, it would carry the secret elsewhere.
    Redirect,
    /// 401, 403 or 407 by a proxy or gateway.
    Proxy,
}

/// Why nothing reached the vendor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NotSent {
    /// DNS, connection refused, connect time-out, an interrupted TLS handshake.
    Connect,
    /// The certificate was refused: it is not the vendor's, or not to be trusted. No outage: the run stops.
    Certificate,
    /// The address does not use TLS. No outage: the run stops.
    NoTls,
    /// The proxy refuses us: 401, 403 or 407. No outage: the run stops.
    Proxy,
    /// The request could not be built. No longer made, but ledgers may hold it.
    Unbuildable,
    /// The intent was taken back before its send (drain, pause).
    Recalled,
}

/// Why an answer was lost: the call may have been charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lost {
    /// No answer within `--timeout`.
    Timeout,
    /// The connection closed or was reset, or the body was cut.
    Cut,
    /// A 2xx whose body is not the vendor's, or too large to be.
    Unreadable,
    /// A 504 of a gateway: it met the read time-out for us.
    GatewayTimeout,
    /// The answer that came was an earlier call's, given again.
    Repeated,
    /// We stopped at once while the call was in flight.
    Interrupted,
    /// The process died between sending and recording.
    Killed,
}

/// What kind of reply an attempt drew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// A result code came back.
    Answered(ResultCode),
    /// The vendor refused this row.
    Refused(Refusal),
    /// Not now: retry with back-off.
    Retry(Trouble),
    /// Slower, please: the whole run slows down.
    Throttled,
    /// The account or the address is refused: stop.
    Account(AccountStop),
    /// `OUT_OF_QUOTA`: stop.
    OutOfQuota,
    /// Nothing was sent.
    NotSent(NotSent),
    /// Sent, and no whole answer.
    InDoubt(Lost),
}

/// How a pair's history ends. A pair without an end is still to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    /// The vendor gave a result code.
    Answered(ResultCode),
    /// The vendor refused the row.
    Refused,
    /// The vendor refused the row for having been asked too often.
    Abnormal,
    /// A success with a status that is not documented: shown as refused, and perhaps charged.
    UnknownSuccess,
    /// An answer was lost: may have been charged.
    InDoubt,
    /// Attempts used up, each answered "not now". Never stored: derived from the attempts.
    Unavailable,
}

/// Every class with its stored code and its stable name: codes are for ever.
const CODES: &[(u8, Class, &str)] = &[
    (1, Class::Answered(ResultCode::Match), "match"),
    (2, Class::Answered(ResultCode::Mismatch), "mismatch"),
    (3, Class::Answered(ResultCode::NotSure), "not_sure"),
    (4, Class::Answered(ResultCode::Failed), "failed"),
    (5, Class::Answered(ResultCode::Unknown), "unknown_code"),
    (10, Class::Refused(Refusal::InvalidArgument), "invalid_argument"),
    (11, Class::Refused(Refusal::ArgumentNotFound), "argument_not_found"),
    (12, Class::Refused(Refusal::Abnormal), "abnormal_behaviours"),
    (13, Class::Refused(Refusal::Other), "refused"),
    (14, Class::Refused(Refusal::UnknownSuccess), "unknown_status"),
    (20, Class::Retry(Trouble::QueryFailed), "query_failed"),
    (21, Class::Retry(Trouble::Internal), "internal_error"),
    (22, Class::Retry(Trouble::SourceUnavailable), "source_unavailable"),
    (23, Class::Retry(Trouble::SourceTimeout), "source_timeout"),
    (24, Class::Retry(Trouble::Gateway), "gateway_error"),
    (30, Class::Throttled, "rate_limited"),
    (40, Class::Account(AccountStop::Unauthorized), "unauthorized"),
    (41, Class::Account(AccountStop::KeyExpired), "key_expired"),
    (42, Class::Account(AccountStop::NoPermission), "no_permission"),
    (43, Class::Account(AccountStop::NotFound), "not_found"),
    (44, Class::Account(AccountStop::Redirect), "redirect"),
    (45, Class::Account(AccountStop::Proxy), "proxy_refused"),
    (50, Class::OutOfQuota, "out_of_quota"),
    (60, Class::NotSent(NotSent::Connect), "not_sent_connect"),
    (61, Class::NotSent(NotSent::Unbuildable), "not_sent_unbuildable"),
    (62, Class::NotSent(NotSent::Recalled), "not_sent_recalled"),
    (63, Class::NotSent(NotSent::Certificate), "not_sent_certificate"),
    (64, Class::NotSent(NotSent::NoTls), "not_sent_no_tls"),
    (65, Class::NotSent(NotSent::Proxy), "not_sent_proxy"),
    (70, Class::InDoubt(Lost::Timeout), "lost_timeout"),
    (71, Class::InDoubt(Lost::Cut), "lost_connection"),
    (72, Class::InDoubt(Lost::Unreadable), "lost_unreadable"),
    (73, Class::InDoubt(Lost::GatewayTimeout), "lost_gateway_timeout"),
    (74, Class::InDoubt(Lost::Interrupted), "lost_interrupted"),
    (75, Class::InDoubt(Lost::Killed), "lost_killed"),
    (76, Class::InDoubt(Lost::Repeated), "lost_repeated"),
];

impl Class {
    /// Every class, in the order of its code.
    pub fn all() -> impl Iterator<Item = Self> {
        CODES.iter().map(|row| row.1)
    }

    /// The code that the ledger stores.
    pub fn code(self) -> u8 {
        CODES.iter().find(|row| row.1 == self).map_or(0, |row| row.0)
    }

    /// The class of a stored code; `None` for a code of a later version.
    pub fn from_code(code: u8) -> Option<Self> {
        CODES.iter().find(|row| row.0 == code).map(|row| row.1)
    }

    /// A stable name for output and logs.
    pub fn name(self) -> &'static str {
        CODES.iter().find(|row| row.1 == self).map_or("", |row| row.2)
    }

    /// Whether a request left for the vendor.
    pub const fn was_sent(self) -> bool {
        !matches!(self, Self::NotSent(_))
    }

    /// Whether the attempt counts against `--max-attempts`: a throttle, a stop and a recall say
    /// nothing about the row.
    pub const fn is_failed_try(self) -> bool {
        matches!(self, Self::Retry(_) | Self::NotSent(NotSent::Connect | NotSent::Unbuildable))
    }

    /// The end that this reply alone gives its pair, if it does.
    pub const fn end(self) -> Option<End> {
        match self {
            Self::Answered(code) => Some(End::Answered(code)),
            Self::Refused(Refusal::Abnormal) => Some(End::Abnormal),
            Self::Refused(Refusal::UnknownSuccess) => Some(End::UnknownSuccess),
            Self::Refused(_) => Some(End::Refused),
            Self::InDoubt(_) => Some(End::InDoubt),
            Self::Retry(_)
            | Self::Throttled
            | Self::Account(_)
            | Self::OutOfQuota
            | Self::NotSent(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_names_are_unique_and_come_back() {
        let mut codes: Vec<u8> = CODES.iter().map(|row| row.0).collect();
        let mut names: Vec<&str> = CODES.iter().map(|row| row.2).collect();
        codes.dedup();
        names.sort_unstable();
        names.dedup();
        assert_eq!((codes.len(), names.len()), (CODES.len(), CODES.len()));
        for class in Class::all() {
            assert_eq!(Class::from_code(class.code()), Some(class));
        }
        assert_eq!(Class::from_code(0), None);
    }
}
