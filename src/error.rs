//! What ends a command: what happened, what to do, and the exit code.
//!
//! Never holds a NIK, a name or a secret: the errors that it is made of don't either.

use std::fmt;

use crate::api::ApiError;
use crate::input::InputError;
use crate::ledger::LedgerError;
use crate::model::exit_code::ExitCode;
use crate::passes::PassError;
use crate::sandbox::SandboxError;

/// What ends a command.
#[derive(Debug)]
pub struct Error {
    /// The exit code of the command.
    pub code: ExitCode,
    /// What happened, and where.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// The flag whose value is at fault, if it is one.
    pub flag: Option<&'static str>,
}

impl Error {
    /// An error with a hint.
    pub fn new(code: ExitCode, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: Some(hint.into()), flag: None }
    }

    /// An error that there is no hint for.
    pub fn plain(code: ExitCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None, flag: None }
    }

    /// This error, told as the fault of this flag's value.
    pub fn of_flag(self, flag: &'static str) -> Self {
        Self { flag: Some(flag), ..self }
    }

    /// Configuration or secrets are missing or wrong.
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
        Self { code: ExitCode::Input, message: error.to_string(), hint: error.hint(), flag: None }
    }
}

impl From<LedgerError> for Error {
    fn from(error: LedgerError) -> Self {
        Self::new(error.exit_code(), error.to_string(), error.hint())
    }
}

impl From<ApiError> for Error {
    fn from(error: ApiError) -> Self {
        let hint = match &error {
            ApiError::BaseUrl(_) => "give the vendor's address with --base-url https://…",
            ApiError::Secret(_) => "look for a line break or an odd character in the secret",
            ApiError::CaCert { .. } => "--ca-cert takes a file of PEM certificates",
            ApiError::Proxy(_) => "name another one, or the vendor's host in NO_PROXY",
            ApiError::Client(_) => "look at the proxy variables and the system's certificates",
        };
        let flag = matches!(error, ApiError::CaCert { .. }).then_some("--ca-cert");
        Self { flag, ..Self::config(error.to_string(), hint) }
    }
}

impl From<SandboxError> for Error {
    fn from(error: SandboxError) -> Self {
        Self::config(error.to_string(), "see `ceknik sandbox --help`")
    }
}

impl From<PassError> for Error {
    fn from(error: PassError) -> Self {
        let (code, hint) = match error {
            PassError::Input(error) => return error.into(),
            PassError::Ledger(error) => return error.into(),
            PassError::Interrupted => {
                let message = "interrupted; nothing more was sent";
                return Self::new(
                    ExitCode::Interrupted,
                    message,
                    "the same command goes on from here",
                );
            }
            PassError::Output(_) => (
                ExitCode::Storage,
                "look at the folder and its free space; the answers are safe in the ledger, and \
                 the same command writes them without buying anything twice",
            ),
            PassError::Changed => (
                ExitCode::Input,
                "no output was replaced; when the file is whole, run the same command again: what \
                 was answered is not bought again",
            ),
            PassError::Inconsistent(_) => (
                ExitCode::Internal,
                "this is a defect of ceknik; the ledger holds the truth: see `ceknik status`",
            ),
        };
        Self::new(code, error.to_string(), hint)
    }
}
