//! Exit codes: the one list of the numbers that the program ends with.
//!
//! Must hold: a number keeps its meaning for ever, since scripts and schedulers depend on it. The help, the
//! manual page and docs/exit-codes.md are checked against this list.

use serde::{Serialize, Serializer};

/// An exit code of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// Every row has a verdict.
    Complete = 0,
    /// A defect of this program.
    Internal = 1,
    /// The command line, a variable or the configuration file cannot be understood.
    Usage = 2,
    /// The run finished, but some rows have no verdict.
    SomeWithoutVerdict = 3,
    /// The input cannot be used.
    Input = 10,
    /// Configuration or secrets are missing or wrong.
    Config = 11,
    /// The vendor refused the account or the address.
    Account = 12,
    /// The budget is used up, or a question was not answered with yes.
    Budget = 13,
    /// The account's quota is used up.
    Quota = 14,
    /// The deadline has passed.
    Deadline = 15,
    /// The vendor is down or throttles, or its answers are lost, refused or suspicious in a row.
    Source = 16,
    /// Another run holds the ledger.
    LedgerBusy = 17,
    /// The ledger, the output or another file cannot be read or written.
    Storage = 18,
    /// Ended by SIGHUP: 128 + 1.
    HungUp = 129,
    /// Ended by SIGINT: 128 + 2.
    Interrupted = 130,
    /// Ended by SIGTERM: 128 + 15.
    Terminated = 143,
}

impl ExitCode {
    /// All exit codes, in rising order.
    pub const ALL: [Self; 16] = [
        Self::Complete,
        Self::Internal,
        Self::Usage,
        Self::SomeWithoutVerdict,
        Self::Input,
        Self::Config,
        Self::Account,
        Self::Budget,
        Self::Quota,
        Self::Deadline,
        Self::Source,
        Self::LedgerBusy,
        Self::Storage,
        Self::HungUp,
        Self::Interrupted,
        Self::Terminated,
    ];

    /// The number that the system sees.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The meaning in a few words, for the help.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Complete => "every row has a result",
            Self::Internal => "internal error: a defect of ceknik",
            Self::Usage => "the command line or a setting cannot be used",
            Self::SomeWithoutVerdict => "finished, but some rows have no result",
            Self::Input => "the input cannot be used, or looks damaged",
            Self::Config => "a setting, a secret or an output file cannot be used",
            Self::Account => "the account or the address was refused",
            Self::Budget => {
                "the budget or --limit is reached, or a question was not answered with yes"
            }
            Self::Quota => "the quota of the account is used up",
            Self::Deadline => "the deadline has passed",
            Self::Source => {
                "the vendor is down or refuses calls, answers are lost, or there are too many mismatches"
            }
            Self::LedgerBusy => "another command is using the ledger",
            Self::Storage => "the disk or the ledger failed",
            Self::HungUp => "the terminal was closed (SIGHUP)",
            Self::Interrupted => "interrupted (Ctrl-C)",
            Self::Terminated => "terminated (SIGTERM)",
        }
    }

    /// Returns `true` if the same command goes on from where the run stopped.
    pub const fn can_go_on(self) -> bool {
        self.number() >= Self::Account.number()
    }
}

/// In JSON an exit code is its number.
impl Serialize for ExitCode {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u8(self.number())
    }
}

#[cfg(test)]
mod tests {
    use super::ExitCode;

    /// The contract, written out by hand.
    #[test]
    fn numbers_never_change() {
        let numbers = ExitCode::ALL.map(ExitCode::number);
        assert_eq!(numbers, [0, 1, 2, 3, 10, 11, 12, 13, 14, 15, 16, 17, 18, 129, 130, 143]);
        let go_on = ExitCode::ALL.into_iter().filter(|code| code.can_go_on());
        let numbers: Vec<u8> = go_on.map(ExitCode::number).collect();
        assert_eq!(numbers, [12, 13, 14, 15, 16, 17, 18, 129, 130, 143]);
    }
}
