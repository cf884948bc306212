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
    /// Each new row begins with this kind, one call at a time.
    Trying {
        /// The kind that a row begins with.
        first: BodyKind,
        /// Whether the row under way already goes in the other kind.
        swapped: bool,
    },
}

impl BodyTrial {
    /// A trial that begins with what worked last time, or with JSON.
    pub fn auto(remembered: Option<BodyKind>) -> Self {
        Self::Trying { first: remembered.unwrap_or(BodyKind::Json), swapped: false }
    }

    /// The kind of the next send.
    pub const fn kind(self) -> BodyKind {
        match self {
            Self::Proved(kind) | Self::Trying { first: kind, swapped: false } => kind,
            Self::Trying { first, swapped: true } => first.other(),
        }
    }

    /// Whether a kind is proved, so that many calls may be in flight.
    pub const fn is_proved(self) -> bool {
        matches!(self, Self::Proved(_))
    }

    /// Takes an answer into account. True when the same row is to be sent once more at once, in
    /// the other kind.
    pub fn answered(&mut self, class: Class) -> bool {
        let Self::Trying { first, swapped } = *self else { return false };
        match class {
            Class::Refused(Refusal::ArgumentNotFound) => {
                *self = Self::Trying { first, swapped: !swapped };
                !swapped
            }
            // The vendor's own word on the content: the body was read.
            Class::Answered(_)
            | Class::Refused(Refusal::InvalidArgument | Refusal::Abnormal)
            | Class::Retry(
                Trouble::QueryFailed
                | Trouble::Internal
                | Trouble::SourceUnavailable
                | Trouble::SourceTimeout,
            ) => {
                *self = Self::Proved(self.kind());
                false
            }
            // A limiter, a proxy or a lost answer says nothing of the body.
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::class::{Lost, ResultCode};

    const MATCH: Class = Class::Answered(ResultCode::Match);
    const NOT_FOUND: Class = Class::Refused(Refusal::ArgumentNotFound);

    #[test]
    fn the_row_goes_once_more_in_the_other_kind() {
        let mut trial = BodyTrial::auto(None);
        assert_eq!(trial.kind(), BodyKind::Json);
        assert!(trial.answered(NOT_FOUND));
        assert_eq!(trial.kind(), BodyKind::Form);
        assert!(!trial.answered(Class::Throttled));
        assert_eq!(trial.kind(), BodyKind::Form, "a throttled retry keeps the kind under trial");
        assert!(!trial.answered(MATCH));
        assert_eq!(trial, BodyTrial::Proved(BodyKind::Form));
        assert!(!trial.answered(NOT_FOUND), "proved: a refusal is the row's own");
    }

    #[test]
    fn refused_in_both_kinds_is_refused_and_the_next_row_tries_again() {
        let mut trial = BodyTrial::auto(Some(BodyKind::Form));
        assert!(trial.answered(NOT_FOUND));
        assert_eq!(trial.kind(), BodyKind::Json);
        assert!(!trial.answered(NOT_FOUND));
        assert_eq!((trial.kind(), trial.is_proved()), (BodyKind::Form, false));
    }

    #[test]
    fn what_says_nothing_of_the_body_proves_nothing() {
        let mut trial = BodyTrial::auto(None);
        for class in [Class::Throttled, Class::Retry(Trouble::Gateway), Class::InDoubt(Lost::Cut)] {
            assert!(!trial.answered(class));
            assert!(!trial.is_proved());
        }
    }
}
