//! The error that ends a command: a message, a hint for the user, and the exit code.
//!
//! Never: holds a NIK, a name or a secret. The errors that are converted to it do not hold any
//! either.

pub(crate) mod hints;

use std::fmt;

use crate::api::ApiError;
use crate::input::{InputError, Problem};
use crate::ledger::LedgerError;
use crate::model::exit_code::ExitCode;
use crate::model::mask::mask_niks;
use crate::passes::PassError;
use crate::sandbox::SandboxError;

/// The error that ends a command.
#[derive(Debug)]
pub struct Error {
    /// Exit code of the command.
    pub code: ExitCode,
    /// Description of what happened, and where.
    pub message: String,
    /// Advice on what to do; `None` if there is none.
    pub hint: Option<String>,
    /// Long flag whose value is at fault, such as `--rate`; `None` if no single flag is at fault.
    pub flag: Option<&'static str>,
}

impl Error {
    /// Creates an error with a hint.
    pub fn new(code: ExitCode, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: Some(hint.into()), flag: None }
    }

    /// Creates an error without a hint.
    pub fn plain(code: ExitCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None, flag: None }
    }

    /// Returns this error, marked as caused by the value of `flag`, a long flag such as `--rate`.
    pub fn of_flag(self, flag: &'static str) -> Self {
        Self { flag: Some(flag), ..self }
    }

    /// Creates the error for a configuration or secrets that are missing or wrong (exit code 11).
    pub fn config(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(ExitCode::Config, message, hint)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

impl From<InputError> for Error {
    fn from(error: InputError) -> Self {
        let hint = hints::of_input(error.problem());
        let code = match error.problem() {
            // The file may be all right: there is no room to unpack it.
            Problem::Spool(..) => ExitCode::Storage,
            _ => ExitCode::Input,
        };
        Self { code, message: error.to_string(), hint, flag: None }
    }
}

impl From<LedgerError> for Error {
    fn from(error: LedgerError) -> Self {
        Self::new(error.exit_code(), error.to_string(), hints::of_ledger(&error))
    }
}

impl From<ApiError> for Error {
    fn from(error: ApiError) -> Self {
        let hint = match &error {
            ApiError::BaseUrl(_) => "give the vendor's address with --base-url https://…",
            ApiError::Secret(_) => {
                "look for a line break or an unusual character in the secret, and remove it"
            }
            ApiError::CaCert { .. } => "give --ca-cert a file with PEM certificates",
            ApiError::Proxy(_) => "correct this variable, or add the vendor's host to NO_PROXY",
            ApiError::Client(_) => "check the proxy variables and the system's certificates",
        };
        let flag = matches!(error, ApiError::CaCert { .. }).then_some("--ca-cert");
        Self { flag, ..Self::config(error.to_string(), hint) }
    }
}

impl From<SandboxError> for Error {
    fn from(error: SandboxError) -> Self {
        // The path of its log may contain a NIK.
        Self::config(mask_niks(&error.to_string()), "see `ceknik sandbox --help`")
    }
}

impl From<PassError> for Error {
    fn from(error: PassError) -> Self {
        let (code, hint) = match error {
            PassError::Input(error) => return error.into(),
            PassError::Ledger(error) => return error.into(),
            PassError::Interrupted => {
                return Self::plain(ExitCode::Interrupted, "interrupted");
            }
            PassError::Output(_) => (
                ExitCode::Storage,
                "Check the folder and its free space. The answers are safe in the ledger, and nothing is paid twice",
            ),
            PassError::Removed(_) => (
                ExitCode::Storage,
                "The output of this run cannot be made again. To check the file again and pay again, give --once another name, or leave it out",
            ),
            PassError::Changed => (
                ExitCode::Input,
                "No output was replaced. When the file is complete, run the same command again. Rows \
                 that have an answer are not paid again",
            ),
            PassError::Inconsistent(_) | PassError::Broken(_) => (
                ExitCode::Internal,
                "This is a defect of ceknik. Please report it. The ledger is right: see `ceknik status`",
            ),
        };
        Self::new(code, error.to_string(), hint)
    }
}
