//! Classes of replies: the kind of reply that an attempt got, and its meaning for money.
//!
//! Must hold: a [`Class`] carries no text, only the case that the rules decide on. The ledger
//! stores the code of a class, so a code is never reused or renumbered.
//!
//! Never: looks at HTTP or JSON. `rules::classify` converts a reply to a class.

use super::money::Charge;

/// Result code of the vendor (`result`), as far as it is documented.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResultCode {
    /// `01`: NIK and name belong together. Charged.
    Match,
    /// `02`: NIK and name do not belong together. Charged.
    Mismatch,
    /// `03`: not sure. Free.
    NotSure,
    /// `04`: failed. Free.
    Failed,
    /// Any other code. The code is kept as it came and never interpreted. The charge is unknown.
    Unknown,
}

impl ResultCode {
    /// Returns the charge for a result code. This function is the only place that knows which
    /// result codes are charged.
    pub const fn charge(self) -> Charge {
        match self {
            Self::Match | Self::Mismatch => Charge::Charged,
            Self::NotSure | Self::Failed => Charge::Free,
            Self::Unknown => Charge::Unknown,
        }
    }
}

/// Refusal of one row: the vendor answered, but will not verify this pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// `INVALID_ARGUMENT`, unless its reason is a missing argument.
    InvalidArgument,
    /// `INVALID_ARGUMENT` with the reason that an argument was not found. The body kind may be
    /// wrong.
    ArgumentNotFound,
    /// `ABNORMAL_BEHAVIOURS_DETECTED`: the pair was asked about too often. It must not be asked
    /// about again soon.
    Abnormal,
    /// Another 4xx, with a status that is not documented or a body that is not the vendor's.
    Other,
    /// A 2xx with a status that is not documented. The call may have been charged.
    UnknownSuccess,
}

/// Temporary failure. The pair is asked about again after a backoff.
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
    /// A 5xx that is not the vendor's own, or a 421 or 425 of a gateway. The gateway may have
    /// passed the call on, so the charge is unknown.
    Gateway,
}

/// Refusal of the account or of the address, by the vendor or by something in front of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AccountStop {
    /// `UNAUTHORIZED`.
    Unauthorized,
    /// `KEY_EXPIRED`.
    KeyExpired,
    /// `NO_PERMISSION`.
    NoPermission,
    /// `NOT_FOUND`, or a 404 whose body is not the vendor's: the path or the base URL is wrong.
    NotFound,
    /// A 3xx. Redirects are never followed, because they would carry the secret to another address.
    Redirect,
    /// A 401, 403 or 407 of a proxy or gateway.
    Proxy,
}

/// Reason why nothing reached the vendor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NotSent {
    /// No connection: DNS failed, the connection was refused or timed out, or the TLS handshake was
    /// interrupted.
    Connect,
    /// The certificate was refused: it does not belong to the vendor, or it is not trusted. This is
    /// not an outage, so the run stops.
    Certificate,
    /// The address does not use TLS. This is not an outage, so the run stops.
    NoTls,
    /// The proxy refused us with 401, 403 or 407. This is not an outage, so the run stops.
    Proxy,
    /// The request could not be built. This version does not record it, but older ledgers may hold
    /// it.
    Unbuildable,
    /// The intent was recalled before its call was sent, because of a drain or a pause.
    Recalled,
}

/// Reason why an answer was lost. The call may have been charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lost {
    /// No answer came within `--timeout`.
    Timeout,
    /// The connection was closed or reset, or the body of the answer was cut.
    Cut,
    /// A 2xx whose body is too large or not the vendor's, or an `OK` without a result code.
    Unreadable,
    /// A 504 or 408 of a gateway, which gave up waiting for the vendor's answer.
    GatewayTimeout,
    /// The answer has the request id of an earlier answer, so it belongs to another call.
    Repeated,
    /// The run stopped at once while the call was in flight.
    Interrupted,
    /// The process died after the intent was recorded and before the settlement was.
    Killed,
}

/// Kind of reply that an attempt got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// The vendor returned a result code.
    Answered(ResultCode),
    /// The vendor refused this row.
    Refused(Refusal),
    /// Temporary failure: the row is retried after a backoff.
    Retry(Trouble),
    /// The vendor's rate limit was exceeded: the whole run slows down.
    Throttled,
    /// The account or the address was refused: the run stops.
    Account(AccountStop),
    /// `OUT_OF_QUOTA`: the run stops.
    OutOfQuota,
    /// Nothing was sent.
    NotSent(NotSent),
    /// The call was sent, but its answer did not come, or not as a whole.
    InDoubt(Lost),
}

/// Final state of a pair. A pair without an end is still to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    /// The vendor returned a result code.
    Answered(ResultCode),
    /// The vendor refused the row.
    Refused,
    /// The vendor refused the row because the pair was asked about too often.
    Abnormal,
    /// A 2xx with a status that is not documented. The row is shown as refused and may have been
    /// charged.
    UnknownSuccess,
    /// The answer was lost. The call may have been charged.
    InDoubt,
    /// The attempts were used up before another end came. This end is never stored: it is derived
    /// from the attempts.
    Unavailable,
    /// The answer was removed by a purge since. This end is never stored: it is that of a pair of a
    /// finished run of which nothing is known.
    Removed,
}

/// Every class with its stored code and its stable name. A code never changes.
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
    /// Returns every class, in the order of the codes.
    pub fn all() -> impl Iterator<Item = Self> {
        CODES.iter().map(|row| row.1)
    }

    /// Returns the code that the ledger stores.
    pub fn code(self) -> u8 {
        CODES.iter().find(|row| row.1 == self).map_or(0, |row| row.0)
    }

    /// Returns the class of a stored code, or `None` if the code is not known (a later version may
    /// have stored it).
    pub fn from_code(code: u8) -> Option<Self> {
        CODES.iter().find(|row| row.0 == code).map(|row| row.1)
    }

    /// Returns the stable name for output and logs.
    pub fn name(self) -> &'static str {
        CODES.iter().find(|row| row.1 == self).map_or("", |row| row.2)
    }

    /// Checks whether the call was sent to the vendor.
    pub const fn was_sent(self) -> bool {
        !matches!(self, Self::NotSent(_))
    }

    /// Checks whether the call was sent and answered, whatever the answer was.
    pub const fn was_answered(self) -> bool {
        self.was_sent() && !matches!(self, Self::InDoubt(_))
    }

    /// Checks whether the attempt counts against `--max-attempts`. A rate limit, a stop and a
    /// recall say nothing about the row, so they do not count.
    pub const fn is_failed_try(self) -> bool {
        matches!(self, Self::Retry(_) | Self::NotSent(NotSent::Connect | NotSent::Unbuildable))
    }

    /// Returns the end that this reply alone gives to its pair. Returns `None` if the pair may be
    /// sent again.
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
