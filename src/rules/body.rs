//! Which body kind the vendor takes: it is not documented, so `auto` finds out.
//!
//! Until a kind is proved, one call at a time is sent; an `INVALID_ARGUMENT` that says an argument
//! was not found makes the same row go once more in the other kind. Whatever other answer the vendor gives
//! proves the kind that was sent. A proved kind is never changed within a run.

use crate::model::class::{Class, Refusal, Trouble};

/// How NIK and name are written into a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyKind {
    /// `application/json`.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
}

impl BodyKind {
    /// The other one.
    pub const fn other(self) -> Self {
        match self {
            Self::Json => Self::Form,
            Self::Form => Self::Json,
        }
    }

    /// The stable name, as the flag and the ledger have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Form => "form",
        }
    }

    /// The kind of a stable name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Json, Self::Form].into_iter().find(|kind| kind.name() == name)
    }
}

/// What is known of the body kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyTrial {
    /// The user said so, or an answer proved it.
    Proved(BodyKind),
    /// Each row begins with this kind, one call at a time.
    Trying(BodyKind),
}

impl BodyTrial {
    /// A trial that begins with what worked last time, or with JSON.
    pub fn auto(remembered: Option<BodyKind>) -> Self {
        Self::Trying(remembered.unwrap_or(BodyKind::Json))
    }

    /// The kind in which a row goes that was `refused_in` another, if it was.
    pub const fn kind(self, refused_in: Option<BodyKind>) -> BodyKind {
        match (self, refused_in) {
            (Self::Trying(_), Some(refused)) => refused.other(),
            (Self::Proved(kind) | Self::Trying(kind), _) => kind,
        }
    }

    /// Whether a kind is proved, so that many calls may be in flight.
    pub const fn is_proved(self) -> bool {
        matches!(self, Self::Proved(_))
    }

    /// Takes into account what a row drew that went in the kind `sent`, and was `refused_in`
    /// another before, if it was. True when it is to be sent once more at once, in the other kind.
    pub fn answered(&mut self, class: Class, sent: BodyKind, refused_in: Option<BodyKind>) -> bool {
        match class {
            _ if self.is_proved() => false,
            Class::Refused(Refusal::ArgumentNotFound) => refused_in.is_none(),
            // The vendor's own word on the content: the body was read.
            Class::Answered(_)
            | Class::Refused(Refusal::InvalidArgument | Refusal::Abnormal)
            | Class::Retry(
                Trouble::QueryFailed
                | Trouble::Internal
                | Trouble::SourceUnavailable
                | Trouble::SourceTimeout,
            ) => {
                *self = Self::Proved(sent);
                false
            }
            // A limiter, a proxy or a lost answer says nothing of the body.
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::BodyKind::{Form, Json};
    use super::*;
    use crate::model::class::{Lost, ResultCode};

    const MATCH: Class = Class::Answered(ResultCode::Match);
    const NOT_FOUND: Class = Class::Refused(Refusal::ArgumentNotFound);

    #[test]
    fn kinds_have_stable_names() {
        for (name, kind) in
            [("json", Some(BodyKind::Json)), ("form", Some(BodyKind::Form)), ("xml", None)]
        {
            assert_eq!(BodyKind::from_name(name), kind);
            assert!(kind.is_none_or(|kind| kind.name() == name));
        }
    }

    #[test]
    fn the_row_goes_once_more_in_the_other_kind() {
        let mut trial = BodyTrial::auto(None);
        assert_eq!(trial.kind(None), Json);
        assert!(trial.answered(NOT_FOUND, Json, None));
        assert_eq!(trial.kind(Some(Json)), Form);
        assert!(!trial.answered(Class::Throttled, Form, Some(Json)));
        assert_eq!(trial.kind(Some(Json)), Form, "a throttled retry keeps its kind");
        assert_eq!(trial.kind(None), Json, "the trial of one row is not that of another");
        assert!(!trial.answered(MATCH, Form, Some(Json)));
        assert_eq!(trial, BodyTrial::Proved(Form));
        assert!(!trial.answered(NOT_FOUND, Form, None), "proved: a refusal is the row's own");
        assert_eq!(trial.kind(Some(Form)), Form, "proved: no other kind is tried");
    }

    #[test]
    fn refused_in_both_kinds_is_refused_and_the_next_row_tries_again() {
        let mut trial = BodyTrial::auto(Some(Form));
        assert!(trial.answered(NOT_FOUND, Form, None));
        assert!(!trial.answered(NOT_FOUND, Json, Some(Form)));
        assert_eq!((trial.kind(None), trial.is_proved()), (Form, false));
    }

    #[test]
    fn what_says_nothing_of_the_body_proves_nothing() {
        let mut trial = BodyTrial::auto(None);
        for class in [Class::Throttled, Class::Retry(Trouble::Gateway), Class::InDoubt(Lost::Cut)] {
            assert!(!trial.answered(class, Json, None));
            assert!(!trial.is_proved());
        }
    }
}
