//! Why a run stopped before its end.

use super::class::AccountStop;
use super::exit_code::ExitCode;

/// Which limit would have been passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BudgetLimit {
    /// `--max-charges` or `--max-cost`: charged calls of the run.
    Charges,
    /// `--limit`: calls of this start.
    Calls,
}

/// The signal that asked us to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT, Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
    /// SIGHUP: the terminal is gone.
    HangUp,
}

/// Why a run stopped before its end. All of them can be resumed by the same command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// The vendor refused the account or the address.
    Account(AccountStop),
    /// `OUT_OF_QUOTA`.
    OutOfQuota,
    /// The next call could pass a limit.
    Budget(BudgetLimit),
    /// `--deadline`.
    Deadline,
    /// The source was down for `--max-outage`.
    SourceDown,
    /// The vendor could not be reached for `--max-outage`.
    Unreachable,
    /// The certificate of the vendor, or of the proxy, was refused.
    Certificate,
    /// The address does not use TLS.
    NoTls,
    /// The vendor refused every call because of the rate, or asked to wait, for longer than the run
    /// waits.
    Throttled,
    /// Twenty refusals without a verdict between them.
    RefusalsInRow,
    /// Too many answers lost.
    LostAnswers,
    /// Too many of the first verdicts are mismatches (`--stop-if-mismatch-over`).
    Mismatches,
    /// A signal.
    Interrupted(Signal),
    /// The input is not what was surveyed.
    InputChanged,
    /// The input can no longer be read.
    InputUnreadable,
    /// Another start has taken the ledger over.
    TakenOver,
    /// The ledger cannot record.
    Storage,
    /// A part of this program ended before its work was done.
    Defect,
}

/// The workers that a reason to stop concerns, on a ledger that several workers write to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Only the worker that found it: its network, its secret, its machine.
    Worker,
    /// All workers of the run.
    Run,
    /// All workers that use the account.
    Account,
}

impl StopReason {
    /// Returns the reason that others were told, by its stable name; `None` for a reason that
    /// concerns one worker alone, or an unknown name.
    pub fn told(name: &str) -> Option<Self> {
        Self::of_name(name).filter(|reason| reason.reach() != Reach::Worker)
    }

    /// Returns the reason with this stable name; `None` if a later version stored it.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }

    /// All reasons.
    const ALL: [Self; 26] = [
        Self::Defect,
        Self::InputChanged,
        Self::InputUnreadable,
        Self::Certificate,
        Self::NoTls,
        Self::Account(AccountStop::Unauthorized),
        Self::Account(AccountStop::KeyExpired),
        Self::Account(AccountStop::NoPermission),
        Self::Account(AccountStop::NotFound),
        Self::Account(AccountStop::Redirect),
        Self::Account(AccountStop::Proxy),
        Self::Budget(BudgetLimit::Charges),
        Self::Budget(BudgetLimit::Calls),
        Self::OutOfQuota,
        Self::Deadline,
        Self::SourceDown,
        Self::Unreachable,
        Self::Throttled,
        Self::RefusalsInRow,
        Self::LostAnswers,
        Self::Mismatches,
        Self::TakenOver,
        Self::Storage,
        Self::Interrupted(Signal::HangUp),
        Self::Interrupted(Signal::Interrupt),
        Self::Interrupted(Signal::Terminate),
    ];

    /// Describes for people how a start ended, by the stable name of the reason.
    pub fn in_words(name: &str) -> String {
        match name {
            "source_down" => "vendor down".to_owned(),
            "throttled" => "refused as too fast".to_owned(),
            "mismatches" => "too many mismatches".to_owned(),
            "storage" => "ledger not writable".to_owned(),
            name => name.replace('_', " "),
        }
    }

    /// Returns the workers that the reason concerns.
    pub const fn reach(self) -> Reach {
        match self {
            Self::OutOfQuota | Self::Account(AccountStop::KeyExpired) => Reach::Account,
            Self::RefusalsInRow | Self::Mismatches => Reach::Run,
            _ => Reach::Worker,
        }
    }

    /// A stable name for the ledger, the summary and logs.
    pub const fn name(self) -> &'static str {
        self.name_and_code().0
    }

    /// The exit code of a run that stopped for this.
    pub const fn exit_code(self) -> ExitCode {
        self.name_and_code().1
    }

    const fn name_and_code(self) -> (&'static str, ExitCode) {
        match self {
            Self::Defect => ("internal_error", ExitCode::Internal),
            Self::InputChanged => ("input_changed", ExitCode::Input),
            Self::InputUnreadable => ("input_unreadable", ExitCode::Input),
            Self::Certificate => ("certificate_refused", ExitCode::Config),
            Self::NoTls => ("no_tls", ExitCode::Config),
            Self::Account(AccountStop::Unauthorized) => ("unauthorized", ExitCode::Account),
            Self::Account(AccountStop::KeyExpired) => ("key_expired", ExitCode::Account),
            Self::Account(AccountStop::NoPermission) => ("no_permission", ExitCode::Account),
            Self::Account(AccountStop::NotFound) => ("not_found", ExitCode::Account),
            Self::Account(AccountStop::Redirect) => ("redirect", ExitCode::Account),
            Self::Account(AccountStop::Proxy) => ("proxy_refused", ExitCode::Account),
            Self::Budget(BudgetLimit::Charges) => ("budget", ExitCode::Budget),
            Self::Budget(BudgetLimit::Calls) => ("limit", ExitCode::Budget),
            Self::OutOfQuota => ("out_of_quota", ExitCode::Quota),
            Self::Deadline => ("deadline", ExitCode::Deadline),
            Self::SourceDown => ("source_down", ExitCode::Source),
            Self::Unreachable => ("unreachable", ExitCode::Source),
            Self::Throttled => ("throttled", ExitCode::Source),
            Self::RefusalsInRow => ("refusals_in_a_row", ExitCode::Source),
            Self::LostAnswers => ("lost_answers", ExitCode::Source),
            Self::Mismatches => ("mismatches", ExitCode::Source),
            Self::TakenOver => ("taken_over", ExitCode::LedgerBusy),
            Self::Storage => ("storage", ExitCode::Storage),
            Self::Interrupted(Signal::HangUp) => ("hung_up", ExitCode::HungUp),
            Self::Interrupted(Signal::Interrupt) => ("interrupted", ExitCode::Interrupted),
            Self::Interrupted(Signal::Terminate) => ("terminated", ExitCode::Terminated),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The contract of the exit codes, written out by hand.
    #[test]
    fn names_and_exit_codes() {
        for (reason, name, code) in [
            (StopReason::InputChanged, "input_changed", 10),
            (StopReason::InputUnreadable, "input_unreadable", 10),
            (StopReason::Certificate, "certificate_refused", 11),
            (StopReason::NoTls, "no_tls", 11),
            (StopReason::Account(AccountStop::Unauthorized), "unauthorized", 12),
            (StopReason::Account(AccountStop::KeyExpired), "key_expired", 12),
            (StopReason::Account(AccountStop::NoPermission), "no_permission", 12),
            (StopReason::Account(AccountStop::NotFound), "not_found", 12),
            (StopReason::Account(AccountStop::Redirect), "redirect", 12),
            (StopReason::Account(AccountStop::Proxy), "proxy_refused", 12),
            (StopReason::Budget(BudgetLimit::Charges), "budget", 13),
            (StopReason::Budget(BudgetLimit::Calls), "limit", 13),
            (StopReason::OutOfQuota, "out_of_quota", 14),
            (StopReason::Deadline, "deadline", 15),
            (StopReason::SourceDown, "source_down", 16),
            (StopReason::Unreachable, "unreachable", 16),
            (StopReason::Throttled, "throttled", 16),
            (StopReason::RefusalsInRow, "refusals_in_a_row", 16),
            (StopReason::LostAnswers, "lost_answers", 16),
            (StopReason::Mismatches, "mismatches", 16),
            (StopReason::TakenOver, "taken_over", 17),
            (StopReason::Storage, "storage", 18),
            (StopReason::Defect, "internal_error", 1),
            (StopReason::Interrupted(Signal::HangUp), "hung_up", 129),
            (StopReason::Interrupted(Signal::Interrupt), "interrupted", 130),
            (StopReason::Interrupted(Signal::Terminate), "terminated", 143),
        ] {
            assert_eq!((reason.name(), reason.exit_code().number()), (name, code));
            let told = (reason.reach() != Reach::Worker).then_some(reason);
            assert_eq!(StopReason::told(name), told, "{name}");
        }
    }
}
