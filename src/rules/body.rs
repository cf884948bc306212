//! The body kind of requests: JSON or form. The vendor does not document which kind it accepts, so
//! `--body auto` finds out.
//!
//! Until a kind is proved, only one call is in flight at a time. An `INVALID_ARGUMENT` whose reason
//! says that an argument was not found sends the same row once more, in the other kind. An answer
//! that judges the content of the request, such as a result code, proves the kind that was sent.
//!
//! Must hold: a proved kind never changes within a run.

use crate::model::class::{Class, Refusal, Trouble};

/// Format of a request's body, which carries the NIK and the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyKind {
    /// `application/json`.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
}

impl BodyKind {
    /// Returns the other kind.
    pub const fn other(self) -> Self {
        match self {
            Self::Json => Self::Form,
            Self::Form => Self::Json,
        }
    }

    /// Returns the stable name, as the flag and the ledger write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Form => "form",
        }
    }

    /// Returns the kind with this stable name; `None` if there is no such kind.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Json, Self::Form].into_iter().find(|kind| kind.name() == name)
    }
}

/// Knowledge of the body kind that the vendor accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyTrial {
    /// The user chose this kind, or an answer proved it.
    Proved(BodyKind),
    /// No kind is proved yet. Each row is sent in this kind first, and only one call is in
    /// flight at a time.
    Trying(BodyKind),
}

impl BodyTrial {
    /// Begins a trial with the kind that worked last time, or with JSON if none is remembered.
    pub fn auto(remembered: Option<BodyKind>) -> Self {
        Self::Trying(remembered.unwrap_or(BodyKind::Json))
    }

    /// Returns the kind in which to send a row: the proved kind, if there is one. `refused_in` is
    /// the kind in which the vendor has refused this row before, if it has.
    pub const fn kind(self, refused_in: Option<BodyKind>) -> BodyKind {
        match (self, refused_in) {
            (Self::Trying(_), Some(refused)) => refused.other(),
            (Self::Proved(kind) | Self::Trying(kind), _) => kind,
        }
    }

    /// Checks whether a kind is proved, so that many calls may be in flight.
    pub const fn is_proved(self) -> bool {
        matches!(self, Self::Proved(_))
    }

    /// Takes into account the kind that another worker has proved.
    pub fn hear(&mut self, proved: Option<BodyKind>) {
        if let (Self::Trying(_), Some(kind)) = (*self, proved) {
            *self = Self::Proved(kind);
        }
    }

    /// Learns from the answer to a row that was sent in the kind `sent`. `refused_in` is the kind
    /// in which the vendor has refused this row before, if it has. Returns `true` if the row has to
    /// be sent once more at once, in the other kind.
    pub fn answered(&mut self, class: Class, sent: BodyKind, refused_in: Option<BodyKind>) -> bool {
        match class {
            // Another worker may have proved the other kind while this call was in flight.
            Class::Refused(Refusal::ArgumentNotFound) if *self == Self::Proved(sent.other()) => {
                refused_in.is_none()
            }
            _ if self.is_proved() => false,
            Class::Refused(Refusal::ArgumentNotFound) => refused_in.is_none(),
            // The vendor judged the content, so it could read the body.
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
            // Anything else (a rate limit, an account error, a proxy, a lost answer) says nothing
            // about the body.
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
    fn what_another_worker_has_proved_counts() {
        let mut trial = BodyTrial::auto(None);
        trial.hear(None);
        assert_eq!(trial, BodyTrial::Trying(Json));
        trial.hear(Some(Form));
        trial.hear(Some(Json));
        assert_eq!(trial, BodyTrial::Proved(Form));
        assert!(trial.answered(NOT_FOUND, Json, None), "it was in flight: once more, as a form");
        assert!(!trial.answered(NOT_FOUND, Form, Some(Json)), "a refusal of its own");
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
