//! Sentences for people about the result of a row.
//!
//! Must hold: the code follows its sentence, so that both can be searched for.
//!
//! Never: shows a code alone.

use std::borrow::Cow;

use super::overview::in_words;
use crate::model::class::{AccountStop, Class, Lost, NotSent, Refusal, ResultCode, Trouble};
use crate::model::outcome::Outcome;
use crate::model::row::Rejection;
use crate::model::texts::Text;
use crate::rules::classify::SENT_TOO_OFTEN;
use crate::rules::row_result::{PURGED, RowResult};

/// Returns the reason for a row's result. The text is empty if the result says everything.
pub(super) fn sentence<'a>(result: &'a RowResult<'_>) -> Cow<'a, str> {
    let reason = result.reason.as_ref();
    if let Some(why) = rejection(result) {
        return Cow::Owned(format!("{} ({})", why.explain(), why.code()));
    }
    if reason == PURGED {
        return Cow::Owned(format!("the answer was removed later by `ceknik purge` ({PURGED})"));
    }
    // Our own description may follow the name of a class.
    let (code, detail) = reason.split_once(": ").unwrap_or((reason, ""));
    match Class::all().find(|class| class.name() == code) {
        Some(class) if detail.is_empty() => Cow::Owned(format!("{} ({code})", explain(class))),
        Some(class) => Cow::Owned(format!("{} ({code}): {detail}", explain(class))),
        None if result.outcome == Outcome::Refused && !reason.is_empty() => {
            Cow::Owned(format!("the vendor refused the row: {reason}"))
        }
        None if reason.is_empty() && result.outcome != Outcome::Match => {
            Cow::Borrowed(in_words(result.outcome).1)
        }
        None => Cow::Borrowed(reason),
    }
}

/// Returns advice on what to do about a row without a verdict. The text is empty if the row has a
/// verdict.
pub(super) fn advice(result: &RowResult<'_>) -> &'static str {
    match result.outcome {
        // The sentence about a rejection already says how to correct the row.
        Outcome::Rejected => "Correct the row in your file, and run the file again.",
        Outcome::Refused if result.possible > 0 => {
            "Ask the vendor what happened and whether the call was charged."
        }
        Outcome::Refused if is_sent_too_often(result) => {
            "Nothing is wrong with the row: it was sent too often. Wait some days before you send it again."
        }
        Outcome::Refused => "Compare the row with the card, correct it, and run the file again.",
        Outcome::Unavailable if result.possible > 0 => {
            "The calls may have been charged. Ask the vendor. The same command sends this row again, and you may pay \
             twice."
        }
        Outcome::Unavailable => "Run the same command again. It sends this row again.",
        Outcome::InDoubt => {
            "The call may have been charged. Ask the vendor. ceknik does not send the row again unless you \
             ask for it with --in-doubt resend."
        }
        Outcome::NotSent if result.reason == PURGED => {
            "The answer is only in the output that was made at that time."
        }
        Outcome::NotSent => "Run the same command again. It continues with this row.",
        Outcome::Unknown => "Ask the vendor what this result code means.",
        Outcome::Match | Outcome::Mismatch | Outcome::NotSure | Outcome::Failed => "",
    }
}

fn is_sent_too_often(result: &RowResult<'_>) -> bool {
    result.texts.get(Text::Status) == Some(SENT_TOO_OFTEN)
}

fn rejection(result: &RowResult<'_>) -> Option<Rejection> {
    let is_rejected = result.outcome == Outcome::Rejected;
    let known = || Rejection::ALL.iter().find(|why| why.code() == result.reason);
    if is_rejected { known().copied() } else { None }
}

/// Describes a reply in words for people.
pub const fn explain(class: Class) -> &'static str {
    match class {
        Class::Answered(ResultCode::Match) => "NIK and name belong together",
        Class::Answered(ResultCode::Mismatch) => "NIK and name do not belong together",
        Class::Answered(ResultCode::NotSure) => "the vendor is not sure",
        Class::Answered(ResultCode::Failed) => "the vendor could not check the row",
        Class::Answered(ResultCode::Unknown) => "the result code is not documented",
        Class::Refused(Refusal::InvalidArgument) => {
            "the vendor says that the NIK or the name is invalid"
        }
        Class::Refused(Refusal::ArgumentNotFound) => {
            "the vendor says that a part of the request is missing"
        }
        Class::Refused(Refusal::Abnormal) => "the vendor says that this row was sent too often",
        Class::Refused(Refusal::Other) => "the vendor refused the row",
        Class::Refused(Refusal::UnknownSuccess) => {
            "the vendor answered with a status that is not documented; it may have been charged"
        }
        Class::Retry(Trouble::QueryFailed) => "the vendor could not query its registry",
        Class::Retry(Trouble::Internal) => "the vendor had an internal error",
        Class::Retry(Trouble::SourceUnavailable) => "the vendor's registry was not available",
        Class::Retry(Trouble::SourceTimeout) => "the vendor's registry did not answer in time",
        Class::Retry(Trouble::Gateway) => {
            "a gateway answered with an error; the vendor may have received the row and charged it"
        }
        Class::Throttled => "the vendor asked to slow down",
        Class::Account(AccountStop::Proxy) => "a proxy or gateway refused the call",
        Class::Account(_) => "the vendor refused the account or the address",
        Class::OutOfQuota => "the account's quota was used up",
        Class::NotSent(NotSent::Connect) => "not sent: no connection could be made",
        Class::NotSent(NotSent::Certificate) => "not sent: the server's certificate was refused",
        Class::NotSent(NotSent::NoTls) => "not sent: the address does not use TLS",
        Class::NotSent(NotSent::Proxy) => "not sent: a proxy refused the connection",
        Class::NotSent(NotSent::Unbuildable) => "not sent: the request could not be made",
        Class::NotSent(NotSent::Recalled) => "not sent: the run stopped first",
        Class::InDoubt(Lost::Timeout) => "no answer came in time",
        Class::InDoubt(Lost::Cut) => "no answer: the connection was cut after sending",
        Class::InDoubt(Lost::Unreadable) => "an answer came, but it cannot be read",
        Class::InDoubt(Lost::GatewayTimeout) => "no answer: a gateway waited too long for it",
        Class::InDoubt(Lost::Repeated) => "the answer belonged to another row",
        Class::InDoubt(Lost::Interrupted) => "no answer: the run was stopped while it waited",
        Class::InDoubt(Lost::Killed) => "no answer: the program was killed while it waited",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::texts::Texts;

    #[test]
    fn a_reason_is_a_sentence_and_its_code() {
        let rejected = |why| RowResult::rejected(why);
        for (outcome, reason, expected) in [
            (Outcome::Match, "", ""),
            (Outcome::Match, "sent as: SITI AMINAH", "sent as: SITI AMINAH"),
            (Outcome::Mismatch, "", "NIK and name do not belong together"),
            (Outcome::NotSure, "", "the vendor is not sure"),
            (
                Outcome::InDoubt,
                "lost_connection",
                "no answer: the connection was cut after sending (lost_connection)",
            ),
            (
                Outcome::InDoubt,
                "lost_unreadable: HTTP 200, text/html",
                "an answer came, but it cannot be read (lost_unreadable): HTTP 200, text/html",
            ),
            (Outcome::Refused, "in its words", "the vendor refused the row: in its words"),
            (Outcome::Failed, "in its words", "in its words"),
            (Outcome::NotSent, "", "the run stopped first; the same command continues"),
        ] {
            let texts = Cow::Owned(Texts::default());
            let result = RowResult {
                outcome,
                reason: reason.into(),
                texts,
                ..rejected(Rejection::NikEmpty)
            };
            assert_eq!(sentence(&result), expected, "{reason}");
        }
        assert_eq!(
            sentence(&rejected(Rejection::NameEmpty)),
            "the name cell is empty: fill it in (name_empty)"
        );
    }

    #[test]
    fn every_row_without_a_result_has_advice() {
        for outcome in Outcome::ALL {
            let result = RowResult { outcome, ..RowResult::rejected(Rejection::NikDate) };
            assert_eq!(advice(&result).is_empty(), outcome.has_verdict(), "{outcome:?}");
        }
    }

    #[test]
    fn sentences_differ() {
        let all: std::collections::HashSet<_> = Class::all().map(explain).collect();
        // Five kinds of refusal of the account or the address share one sentence.
        assert_eq!(all.len(), Class::all().count() - 4);
    }
}
