//! Ways in which the sandbox can answer, and the properties of each: its label, its HTTP code, its
//! charge and the shape of its body. All of them are in one table.
//!
//! Must hold: `charged` is what the sandbox bills, and the stats and the calls log take it from
//! here alone. The vendor's contract leaves the charge of an unknown result code open. The sandbox
//! bills it, so that a client that does not count it as possible is found out.
//!
//! Never: decides when an answer is given. The endings and the world decide that.

/// Shape of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// A 200 with a result.
    Verdict { code: &'static str, remark: &'static str },
    /// A 200 with a match whose remark repeats the NIK and the name.
    Echo,
    /// A 200 with only half of its body.
    CutBody,
    /// The vendor's error JSON. Its status is the label.
    Refusal { reason: &'static str },
    /// An HTML page of a proxy.
    Page,
    /// The connection ends without an answer.
    Cut,
    /// No answer comes, and the connection stays open.
    Hang,
}

/// Properties of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Terms {
    /// Name in the stats and in the calls log.
    pub(super) label: &'static str,
    /// HTTP code. 0 if no HTTP answer comes.
    pub(super) http: u16,
    pub(super) charged: bool,
    pub(super) shape: Shape,
}

/// Defines the answers from their table, and a list of all answers for the tests.
macro_rules! answers {
    ($( $(#[$doc:meta])* $answer:ident = $terms:expr; )+) => {
        /// A way to answer.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Answer {
            $( $(#[$doc])* $answer, )+
        }

        impl Answer {
            /// All answers, in the order of declaration. `answer as usize` is the place in this
            /// list.
            #[cfg(test)]
            pub(super) const ALL: [Self; [$( stringify!($answer) ),+].len()] = [$( Self::$answer ),+];

            /// Returns the properties of this answer.
            pub(super) const fn terms(self) -> Terms {
                match self {
                    $( Self::$answer => $terms, )+
                }
            }
        }
    };
}

const INVALID: &str = "INVALID_ARGUMENT";
const LIMIT: &str = "RATE_LIMIT_EXCEEDED";

answers! {
    Match = verdict("01", true, "MATCH");
    Mismatch = verdict("02", true, "MISMATCH");
    NotSure = verdict("03", false, "NOT SURE");
    Failed = verdict("04", false, "UNKNOW");
    /// A result code that the vendor does not document.
    UnknownCode = verdict("77", true, "A CODE OF THE FUTURE");
    /// A match whose remark repeats the NIK and the name.
    Echo = terms("01", 200, true, Shape::Echo);
    // The reason must not say that an argument is missing. A client would conclude that its kind of
    // body is not understood.
    InvalidId = refusal(400, INVALID, "id_number is invalid");
    MissingId = refusal(400, INVALID, "argument id_number not found");
    MissingName = refusal(400, INVALID, "argument name not found");
    BadBody = refusal(400, INVALID, "body cannot be read");
    TooLarge = refusal(413, INVALID, "body is too large");
    QueryFailed = refusal(400, "QUERY_FAILED", "query failed, try again");
    Abnormal = refusal(
        400,
        "ABNORMAL_BEHAVIOURS_DETECTED",
        "same parameters repeated more than amount of times",
    );
    Unauthorized = refusal(401, "UNAUTHORIZED", "unknown id or wrong secret");
    KeyExpired = refusal(401, "KEY_EXPIRED", "the key has expired");
    NoPermission = refusal(403, "NO_PERMISSION", "no permission for this service");
    OutOfQuota = refusal(403, "OUT_OF_QUOTA", "the quota is used up");
    RateLimited = refusal(403, LIMIT, "too many requests");
    /// `RATE_LIMIT_EXCEEDED` with `Retry-After: 1`.
    RateLimitedRetryAfter = refusal(403, LIMIT, "too many requests, wait a second");
    Internal = refusal(500, "INTERNAL_ERROR", "internal error");
    SourceUnavailable = refusal(512, "SOURCE_SERVICE_UNAVAILABLE", "source service unavailable");
    SourceTimeout = refusal(513, "SOURCE_SERVICE_TIMEOUT", "source service timed out");
    Html502 = terms("html502", 502, false, Shape::Page);
    // A gateway gave up waiting, while the vendor went on and charged.
    Html504 = terms("html504", 504, true, Shape::Page);
    Hang = terms("hang", 0, true, Shape::Hang);
    /// Charged as a match, but then the connection is cut without an answer.
    Cut = terms("cut", 0, true, Shape::Cut);
    /// The connection is cut before anything is charged.
    CutBefore = terms("cut_before", 0, false, Shape::Cut);
    /// A 200 whose body stops in its middle.
    CutBody = terms("cut_body", 200, true, Shape::CutBody);
}

const fn terms(label: &'static str, http: u16, charged: bool, shape: Shape) -> Terms {
    Terms { label, http, charged, shape }
}

const fn verdict(code: &'static str, charged: bool, remark: &'static str) -> Terms {
    terms(code, 200, charged, Shape::Verdict { code, remark })
}

const fn refusal(http: u16, status: &'static str, reason: &'static str) -> Terms {
    terms(status, http, false, Shape::Refusal { reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_stands_at_its_own_place() {
        for (place, answer) in Answer::ALL.into_iter().enumerate() {
            assert_eq!(answer as usize, place, "{answer:?}");
        }
    }

    #[test]
    fn what_is_charged_is_this_list_and_no_more() {
        let charged: Vec<&str> = Answer::ALL
            .into_iter()
            .filter(|answer| answer.terms().charged)
            .map(|answer| answer.terms().label)
            .collect();
        assert_eq!(charged, ["01", "02", "77", "01", "html504", "hang", "cut", "cut_body"]);
    }

    #[test]
    fn an_invalid_argument_never_reads_as_a_missing_one() {
        let Shape::Refusal { reason } = Answer::InvalidId.terms().shape else {
            panic!("not a refusal");
        };
        for word in ["not found", "missing", "required"] {
            assert!(!reason.contains(word), "{reason:?} says {word:?}");
        }
    }
}
