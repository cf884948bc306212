//! Replies to calls: a whole HTTP response, or a fault.
//!
//! Never: says what a reply means. This is plain data as it came over the wire, and
//! `rules::classify` interprets it.

use std::fmt;
use std::time::Duration;

use super::class::{Lost, NotSent};
use super::texts::{Text, Texts};

/// Reply to one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// A whole HTTP response.
    Response(Response),
    /// Nothing was sent, or no whole answer came.
    Fault(Fault),
}

/// Reason why there is no whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Nothing was sent to the vendor. The text is the cause, in our own words.
    NotSent(NotSent, String),
    /// The call was sent, but the answer is lost, except for the remains that could be read.
    InDoubt(Lost, Box<Remains>),
}

impl Fault {
    /// Returns the fault of an answer that is lost without any remains.
    pub fn lost(why: Lost) -> Self {
        Self::InDoubt(why, Box::default())
    }
}

/// Remains of an answer that came cut or cannot be read. The result code is never among them. The
/// order number will settle the doubt when the invoice comes. The texts may echo a NIK or a name,
/// so `Debug` shows none of them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Remains {
    /// `result.order_no`.
    pub order_no: Option<String>,
    /// `result.handle_time`, without a zone.
    pub handle_time: Option<String>,
    /// `request_id`.
    pub request_id: Option<String>,
    /// Description of what came in place of an answer, in our own words.
    pub description: Option<String>,
}

impl Remains {
    /// Returns all texts, so that each can be replaced.
    pub fn each_mut(&mut self) -> [&mut Option<String>; 4] {
        let Self { order_no, handle_time, request_id, description } = self;
        [order_no, handle_time, request_id, description]
    }
}

impl From<Remains> for Texts {
    fn from(remains: Remains) -> Self {
        let Remains { order_no, handle_time, request_id, description } = remains;
        let mut texts = Self::default();
        texts.set(Text::OrderNo, order_no);
        texts.set(Text::HandleTime, handle_time);
        texts.set(Text::RequestId, request_id);
        texts.set(Text::Reason, description);
        texts
    }
}

impl fmt::Debug for Remains {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Remains(…)")
    }
}

/// A whole HTTP response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// HTTP status code.
    pub http: u16,
    /// Time for which the server asks us to wait, counted from now.
    pub retry_after: Option<Duration>,
    /// Body of the response.
    pub body: Body,
}

/// Body of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// The texts of the vendor's body: a JSON object with a `status` string.
    Vendor(Box<Texts>),
    /// Any other body: a proxy's page, an empty body, other JSON.
    Foreign(Box<Remains>),
}
