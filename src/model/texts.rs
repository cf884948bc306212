//! The texts of an answer that are kept: one table for the vendor's JSON, the ledger and the output.
//!
//! Must hold: the order of [`Text::ALL`] never changes, because the checksums of stored answers
//! depend on it. `Debug` shows no text, since each may echo a NIK or a name.
//!
//! Never: decides what a text means.

use std::fmt;

/// Longest text that is kept, in bytes. A longer text is cut at a character boundary, and [`CUT`]
/// is appended.
const LONGEST_TEXT: usize = 4096;
/// Mark at the end of a text that was cut.
const CUT: &str = "…[cut]";

/// A text of an answer that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Text {
    /// `status`.
    Status,
    /// `result.result`, raw.
    Result,
    /// `result.order_no`.
    OrderNo,
    /// `result.handle_time`, without a zone.
    HandleTime,
    /// `result.remark`.
    Remark,
    /// `request_id`.
    RequestId,
    /// `reason`. Without a `status` the vendor gave no reason, and this is our own description of
    /// what happened.
    Reason,
}

impl Text {
    /// All texts, in the order in which the ledger stores them.
    pub const ALL: [Self; 7] = [
        Self::Status,
        Self::Result,
        Self::OrderNo,
        Self::HandleTime,
        Self::Remark,
        Self::RequestId,
        Self::Reason,
    ];

    /// Returns the name of the text: the member of the vendor's JSON, and the column of the
    /// ledger.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Result => "result",
            Self::OrderNo => "order_no",
            Self::HandleTime => "handle_time",
            Self::Remark => "remark",
            Self::RequestId => "request_id",
            Self::Reason => "reason",
        }
    }

    /// Returns `true` if the text is a member of the answer's `result` object, and `false` if it is
    /// a member of the answer itself.
    pub const fn is_in_result(self) -> bool {
        matches!(self, Self::Result | Self::OrderNo | Self::HandleTime | Self::Remark)
    }
}

/// The texts of an answer, byte for byte.
///
/// ```
/// use ceknik::model::texts::{Text, Texts};
///
/// let texts = Texts::from([(Text::Status, "OK"), (Text::OrderNo, "A1")]);
/// assert_eq!(texts.get(Text::OrderNo), Some("A1"));
/// assert_eq!(texts.get(Text::Remark), None);
/// assert_eq!(format!("{texts:?}"), "Texts(…)");
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Texts([Option<String>; Text::ALL.len()]);

impl Texts {
    /// Collects the texts that `text` returns.
    pub fn collect(text: impl FnMut(Text) -> Option<String>) -> Self {
        Self(Text::ALL.map(text))
    }

    /// Collects the texts that `text` returns, up to its first error.
    ///
    /// # Errors
    /// The first error of `text`.
    pub fn try_collect<E>(
        mut text: impl FnMut(Text) -> Result<Option<String>, E>,
    ) -> Result<Self, E> {
        let mut texts = Self::default();
        for (place, which) in texts.0.iter_mut().zip(Text::ALL) {
            *place = text(which)?;
        }
        Ok(texts)
    }

    /// Returns a text, if the answer has it.
    pub fn get(&self, text: Text) -> Option<&str> {
        self.0[text as usize].as_deref()
    }

    /// Replaces a text.
    pub fn set(&mut self, text: Text, value: Option<String>) {
        self.0[text as usize] = value;
    }

    /// Returns all texts, in the order of [`Text::ALL`].
    pub fn all(&self) -> impl Iterator<Item = Option<&str>> {
        self.0.iter().map(Option::as_deref)
    }

    /// Returns all texts that the answer has, so that each can be changed.
    pub fn present_mut(&mut self) -> impl Iterator<Item = &mut String> {
        self.0.iter_mut().flatten()
    }

    /// Cuts texts that are longer than any vendor would write, so that a hostile vendor cannot fill
    /// the disk. To be called only after concealing: an echo of a NIK or a name that was cut in two
    /// could no longer be recognized.
    pub fn cut_long(&mut self) {
        for text in self.present_mut().filter(|text| text.len() > LONGEST_TEXT) {
            let end = (0..LONGEST_TEXT + 1).rev().find(|at| text.is_char_boundary(*at));
            text.truncate(end.unwrap_or(0));
            text.push_str(CUT);
        }
    }
}

impl<'a, V: Into<Option<&'a str>>, const N: usize> From<[(Text, V); N]> for Texts {
    fn from(texts: [(Text, V); N]) -> Self {
        let mut all = Self::default();
        for (text, value) in texts {
            all.set(text, value.into().map(str::to_owned));
        }
        all
    }
}

impl fmt::Debug for Texts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Texts(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_long_text_is_cut_and_says_so() {
        let [digits, accents, reason, order] =
            [("0", 4097), ("é", 3000), ("x", 4096), ("€", 87_000)].map(|(text, n)| text.repeat(n));
        let mut texts = Texts::from([
            (Text::Result, &*digits),
            (Text::Remark, &accents),
            (Text::Reason, &reason),
            (Text::Status, "OK"),
            (Text::OrderNo, &order),
        ]);
        texts.cut_long();
        let cut = |text: &str, times: usize| text.repeat(times) + "…[cut]";
        assert_eq!(texts.get(Text::Result), Some(&*cut("0", 4096)));
        assert_eq!(texts.get(Text::Remark), Some(&*cut("é", 2048)));
        assert_eq!(texts.get(Text::Reason), Some(&*reason));
        assert_eq!(texts.get(Text::Status), Some("OK"));
        assert_eq!(texts.get(Text::OrderNo), Some(&*cut("€", 1365)), "at a character boundary");
    }

    /// The ledger and its checksums depend on this order.
    #[test]
    fn each_text_is_found_at_its_place() {
        assert!(Text::ALL.into_iter().enumerate().all(|(at, text)| text as usize == at));
        let names =
            ["status", "result", "order_no", "handle_time", "remark", "request_id", "reason"];
        assert_eq!(Text::ALL.map(Text::name), names);
    }
}
