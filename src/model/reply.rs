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
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Nothing left for the vendor, and the cause in our words.
    NotSent(NotSent, String),
    /// It left, and the answer is lost, but for what could be read of it.
    InDoubt(Lost, Box<Remains>),
}

impl Fault {
    /// The answer is lost, and nothing of it came.
    pub fn lost(why: Lost) -> Self {
        Self::InDoubt(why, Box::default())
    }
}

/// The remains of an answer that came cut or cannot be read. Its result is never among them; its order number will settle
/// a doubt when the bill comes. They may echo a NIK or a name: `Debug` shows none of them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Remains {
    /// `result.order_no`.
    pub order_no: Option<String>,
    /// `result.handle_time`, without a zone.
    pub handle_time: Option<String>,
    /// `request_id`.
    pub request_id: Option<String>,
    /// A description of what came in place of an answer, in our words.
    pub description: Option<String>,
}

impl Remains {
    /// All of them, to be replaced one by one.
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
    Foreign(Box<Remains>),
}

/// A longer text is cut after so many bytes,
const LONGEST_TEXT: usize = 4096;
/// and says so.
const CUT: &str = "…[cut]";

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
    /// `reason`; where there is no status, so that the vendor said nothing, our own description of what happened.
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

    /// Cuts those that no vendor would write, so that a hostile one cannot fill the disk. Only for texts that are
    /// concealed already: of an echo that is cut in two nothing could be recognised.
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
