//! The ways in which the sandbox can answer, and what each of them is: its label, its HTTP code,
//! its charge and the shape of its body. One table.
//!
//! Must hold: `charged` is what the stand-in vendor bills, and the stats and the calls log take
//! it from here alone. The vendor's contract leaves the charge of an unknown result code open;
//! the sandbox bills it, so that a client that doesn't count it as possible is found out.
//! It never says when an answer is given: that is for the endings and the world.

/// What an answer is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// 200 with a result.
    Verdict { code: &'static str, remark: &'static str },
    /// 200 with a match whose remark repeats what was sent.
    Echo,
    /// A 200 of which half the body comes.
    CutBody,
    /// The vendor's error JSON; the label is its status.
    Refusal { reason: &'static str },
    /// A proxy's HTML page.
    Page,
    /// The connection ends without an answer.
    Cut,
    /// No answer, and the connection stays.
    Hang,
}

/// The facts about an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Terms {
    /// As the stats and the calls log name it.
    pub(super) label: &'static str,
    /// 0 where no HTTP answer comes.
    pub(super) http: u16,
    pub(super) charged: bool,
    pub(super) shape: Shape,
}

/// Defines the answers from their table, and for the tests the list of all.
macro_rules! answers {
    ($( $(#[$doc:meta])* $answer:ident = $terms:expr; )+) => {
        /// A way to answer.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Answer {
            $( $(#[$doc])* $answer, )+
        }

        impl Answer {
            /// Every answer, in the order of the declaration: `answer as usize` is its place here.
            #[cfg(test)]
            pub(super) const ALL: [Self; [$( stringify!($answer) ),+].len()] = [$( Self::$answer ),+];

            /// The facts about it.
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
    /// A result code that api.md doesn't know.
    UnknownCode = verdict("77", true, "A CODE OF THE FUTURE");
    /// A match whose remark repeats the NIK and the name.
    Echo = terms("01", 200, true, Shape::Echo);
    // Must not read as if an argument were missing: that is how a client tells that its kind of body isn't understood.
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
    /// That refusal with `Retry-After: 1`.
    RateLimitedRetryAfter = refusal(403, LIMIT, "too many requests, wait a second");
    Internal = refusal(500, "INTERNAL_ERROR", "internal error");
    SourceUnavailable = refusal(512, "SOURCE_SERVICE_UNAVAILABLE", "source service unavailable");
    SourceTimeout = refusal(513, "SOURCE_SERVICE_TIMEOUT", "source service timed out");
    Html502 = terms("html502", 502, false, Shape::Page);
    // A gateway lost patience while the vendor went on and charged.
    Html504 = terms("html504", 504, true, Shape::Page);
    Hang = terms("hang", 0, true, Shape::Hang);
    /// Charged as a match, then the connection is cut with no answer.
    Cut = terms("cut", 0, true, Shape::Cut);
    /// Cut before anything was charged.
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
