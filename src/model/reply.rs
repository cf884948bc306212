//! What came back of one send: a whole response, or a fault.
//!
//! Plain data, as the wire had it. The meaning is given by `rules::classify`.

use std::fmt;
use std::time::Duration;

use super::class::{Lost, NotSent};

/// What came back of one send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// A whole HTTP response.
    Response(Response),
    /// Nothing was sent, or no whole answer came.
    Fault(Fault),
}

/// No whole answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing left for the vendor.
    NotSent(NotSent),
    /// It left, and the answer is lost.
    InDoubt(Lost),
}

/// A whole HTTP response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The HTTP status code.
    pub http: u16,
    /// How long the server asks us to wait, from now.
    pub retry_after: Option<Duration>,
    /// What the body was.
    pub body: Body,
}

/// A response's body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// A JSON object with a `status` string: the vendor's.
    Vendor(Box<VendorBody>),
    /// Anything else: a proxy's page, an empty body, other JSON.
    Foreign,
}

/// The vendor's texts, byte for byte. They may echo a NIK or a name: `Debug` shows none of them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Texts {
    /// `status`.
    pub status: Option<String>,
    /// `result.result`, raw.
    pub result: Option<String>,
    /// `result.order_no`.
    pub order_no: Option<String>,
    /// `result.handle_time`, without a zone.
    pub handle_time: Option<String>,
    /// `result.remark`.
    pub remark: Option<String>,
    /// `request_id`.
    pub request_id: Option<String>,
    /// `reason`.
    pub reason: Option<String>,
}

impl Texts {
    /// All of them, one by one.
    pub const fn each(&self) -> [&Option<String>; 7] {
        let Self { status, result, order_no, handle_time, remark, request_id, reason } = self;
        [status, result, order_no, handle_time, remark, request_id, reason]
    }

    /// All of them, to be replaced one by one.
    pub fn each_mut(&mut self) -> [&mut Option<String>; 7] {
        let Self { status, result, order_no, handle_time, remark, request_id, reason } = self;
        [status, result, order_no, handle_time, remark, request_id, reason]
    }
}

impl fmt::Debug for Texts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Texts(…)")
    }
}

/// A body that is the vendor's: the status is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VendorBody {
    /// All its texts; `status` is always set.
    pub texts: Texts,
}

impl VendorBody {
    /// The status string.
    pub fn status(&self) -> &str {
        self.texts.status.as_deref().unwrap_or_default()
    }
}
