//! A simulated vendor for tests: the words that it can say, and the reply that each word becomes on
//! the wire.

use std::time::Duration;

use crate::model::attempt::Tick;
use crate::model::class::{Class, Lost, NotSent};
use crate::model::reply::{Body, Fault, Reply, Response};
use crate::model::texts::Text;
use crate::rules::body::BodyKind;
use crate::rules::classify::classify;

/// A reaction of the vendor, or of the network, to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// A result code.
    Code(&'static str),
    /// An HTTP status code, and a status of the vendor.
    Status(u16, &'static str),
    /// `INVALID_ARGUMENT`, because an argument was not found.
    NotFound,
    /// An HTTP status code, with a body that is not the vendor's.
    Foreign(u16),
    /// The call was not sent.
    Unsent(NotSent),
    /// The call was sent, and its answer was lost.
    Lost(Lost),
}

pub(super) const MATCH: Word = Word::Code("01");
pub(super) const MISMATCH: Word = Word::Code("02");
pub(super) const INVALID: Word = Word::Status(400, "INVALID_ARGUMENT");
pub(super) const ABNORMAL: Word = Word::Status(400, "ABNORMAL_BEHAVIOURS_DETECTED");
pub(super) const QUERY_FAILED: Word = Word::Status(400, "QUERY_FAILED");
pub(super) const SLOWER: Word = Word::Status(403, "RATE_LIMIT_EXCEEDED");
pub(super) const DOWN: Word = Word::Status(512, "SOURCE_SERVICE_UNAVAILABLE");
pub(super) const INTERNAL: Word = Word::Status(500, "INTERNAL_ERROR");
pub(super) const REFUSED: Word = Word::Unsent(NotSent::Connect);
pub(super) const CUT: Word = Word::Lost(Lost::Cut);

/// Statuses of server errors that the vendor documents.
const DOCUMENTED: &[&str] =
    &["INTERNAL_ERROR", "SOURCE_SERVICE_UNAVAILABLE", "SOURCE_SERVICE_TIMEOUT"];

/// Words that ask for a retry.
pub(super) const TROUBLES: &[Word] = &[
    QUERY_FAILED,
    INTERNAL,
    DOWN,
    Word::Status(513, "SOURCE_SERVICE_TIMEOUT"),
    Word::Foreign(502),
    Word::Foreign(429),
    SLOWER,
    SLOWER,
    REFUSED,
];

/// Words that end a pair.
pub(super) const LASTS: &[Word] = &[
    MATCH,
    MATCH,
    MATCH,
    MISMATCH,
    MISMATCH,
    Word::Code("03"),
    Word::Code("04"),
    Word::Code("77"),
    INVALID,
    Word::NotFound,
    ABNORMAL,
    Word::Status(418, "NEW"),
    Word::Status(200, "NEW"),
    CUT,
    Word::Lost(Lost::Timeout),
    Word::Foreign(504),
];

/// A call as the vendor sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    pub(super) pair: u64,
    /// Number of this call among the calls of its pair, from 1.
    pub(super) nth: usize,
    pub(super) body: BodyKind,
    pub(super) at: Tick,
}

/// The charge of a call on the vendor's invoice. The table of [`Word::bill`] is separate from the
/// table of `rules`, so that a mistake in one table is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bill {
    Charged,
    Free,
    /// The call may be charged or not: the reply does not show it.
    Open,
}

/// A reply on its way, and the charge on the vendor's invoice.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) reply: Reply,
    pub(super) after: Duration,
    pub(super) bill: Bill,
    /// True if the call is charged, in the case of [`Bill::Open`].
    pub(super) charged: bool,
}

impl Word {
    pub(super) fn reply(self) -> Reply {
        let (http, status, result, reason) = match self {
            Self::Code(code) => (200, "OK", Some(code), None),
            Self::Status(http, status) => (http, status, None, None),
            Self::NotFound => (400, "INVALID_ARGUMENT", None, Some("argument not found")),
            Self::Foreign(http) => {
                let body = Body::Foreign(Box::default());
                return Reply::Response(Response { http, retry_after: None, body });
            }
            Self::Unsent(why) => return Reply::Fault(Fault::NotSent(why, "a cause".to_owned())),
            Self::Lost(why) => return Reply::Fault(Fault::lost(why)),
        };
        let texts = [(Text::Status, Some(status)), (Text::Result, result), (Text::Reason, reason)];
        let body = Body::Vendor(Box::new(texts.into()));
        Reply::Response(Response { http, retry_after: None, body })
    }

    pub(super) fn class(self) -> Class {
        classify(&self.reply())
    }

    /// Returns the charge of this word. Only 01 and 02 are documented as charged. A word that is
    /// not documented, or that did not arrive, is open.
    pub(super) fn bill(self) -> Bill {
        match self {
            Self::Code("01" | "02") => Bill::Charged,
            Self::Code("03" | "04") | Self::Unsent(_) | Self::NotFound => Bill::Free,
            Self::Code(_) | Self::Lost(_) | Self::Foreign(200 | 500..) => Bill::Open,
            Self::Status(200..300, _) => Bill::Open,
            Self::Status(500.., status) if !DOCUMENTED.contains(&status) => Bill::Open,
            Self::Status(..) | Self::Foreign(_) => Bill::Free,
        }
    }
}

impl Answer {
    /// Creates an answer with this word, which arrives after 50 ms.
    pub(super) fn say(word: Word) -> Self {
        let after = Duration::from_millis(50);
        Self { reply: word.reply(), after, bill: word.bill(), charged: true }
    }

    /// Checks whether the call is charged on the invoice.
    pub(super) fn is_billed(&self) -> bool {
        match self.bill {
            Bill::Charged => true,
            Bill::Free => false,
            Bill::Open => self.charged,
        }
    }

    pub(super) fn after(self, ms: u64) -> Self {
        Self { after: Duration::from_millis(ms), ..self }
    }

    /// Adds a `Retry-After` header.
    pub(super) fn wait(mut self, seconds: u64) -> Self {
        if let Reply::Response(response) = &mut self.reply {
            response.retry_after = Some(Duration::from_secs(seconds));
        }
        self
    }
}
