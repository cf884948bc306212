//! Replies to calls: a whole HTTP response, or a fault.
//!
//! Never: says what a reply means. This is plain data as it came over the wire, and
//! `rules::classify` interprets it.

use std::fmt;
use std::time::Duration;

use super::class::{Lost, NotSent};

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
        let Remains { order_no, handle_time, request_id, description: reason } = remains;
        Self { order_no, handle_time, request_id, reason, ..Self::default() }
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
    /// The vendor's body: a JSON object with a `status` string.
    Vendor(Box<VendorBody>),
    /// Any other body: a proxy's page, an empty body, other JSON.
    Foreign(Box<Remains>),
}

/// Longest text that is kept, in bytes. A longer text is cut at a character boundary, and [`CUT`]
/// is appended.
const LONGEST_TEXT: usize = 4096;
/// Mark at the end of a text that was cut.
const CUT: &str = "…[cut]";

/// Texts of the vendor, byte for byte. They may echo a NIK or a name, so `Debug` shows none of
/// them.
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
    /// `reason`. Without a `status` the vendor gave no reason, and this is our own description of
    /// what happened.
    pub reason: Option<String>,
}

impl Texts {
    /// Returns all texts.
    pub const fn each(&self) -> [&Option<String>; 7] {
        let Self { status, result, order_no, handle_time, remark, request_id, reason } = self;
        [status, result, order_no, handle_time, remark, request_id, reason]
    }

    /// Returns all texts, so that each can be replaced.
    pub fn each_mut(&mut self) -> [&mut Option<String>; 7] {
        let Self { status, result, order_no, handle_time, remark, request_id, reason } = self;
        [status, result, order_no, handle_time, remark, request_id, reason]
    }

    /// Cuts texts that are longer than any vendor would write, so that a hostile vendor cannot fill
    /// the disk. To be called only after concealing: an echo of a NIK or a name that was cut in two
    /// could no longer be recognized.
    pub fn cut_long(&mut self) {
        for text in self.each_mut().into_iter().flatten().filter(|text| text.len() > LONGEST_TEXT) {
            let end = (0..LONGEST_TEXT + 1).rev().find(|at| text.is_char_boundary(*at));
            text.truncate(end.unwrap_or(0));
            text.push_str(CUT);
        }
    }
}

impl fmt::Debug for Texts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Texts(…)")
    }
}

/// The vendor's body. Its status is always there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VendorBody {
    /// All texts of the body. `status` is always set.
    pub texts: Texts,
}

impl VendorBody {
    /// Returns the status string.
    pub fn status(&self) -> &str {
        self.texts.status.as_deref().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_vendor_says_is_not_printed() {
        let texts = Texts { remark: Some("SITI AMINAH".to_owned()), ..Texts::default() };
        assert_eq!(format!("{texts:?}"), "Texts(…)");
    }

    #[test]
    fn only_a_long_text_is_cut_and_says_so() {
        let long = |text: &str, times: usize| Some(text.repeat(times));
        let mut texts = Texts {
            result: long("0", 4097),
            remark: long("é", 3000),
            reason: long("x", 4096),
            status: Some("OK".to_owned()),
            order_no: long("€", 87_000),
            ..Texts::default()
        };
        texts.cut_long();
        let cut = |text: &str, times: usize| Some(text.repeat(times) + "…[cut]");
        assert!(texts.result == cut("0", 4096) && texts.remark == cut("é", 2048));
        assert!(texts.reason == long("x", 4096) && texts.status.as_deref() == Some("OK"));
        assert!(texts.order_no == cut("€", 1365), "on a character's boundary");
    }
}
