//! The errors of the interface to the vendor. They occur before the first call.

use std::error::Error;
use std::io;

use crate::model::mask::mask_niks;
use crate::tls::TlsError;

/// The reason why no client could be made.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The base URL cannot be used, for the given reason.
    #[error("the base URL cannot be used: {0}")]
    BaseUrl(String),
    /// The credential with this name contains characters that an HTTP header cannot carry.
    #[error("{0} contains characters that an HTTP header cannot carry")]
    Secret(&'static str),
    /// The CA file cannot be used.
    #[error("the CA file {} cannot be used: {why}", mask_niks(path))]
    CaCert {
        /// Path of the file, as the user gave it.
        path: String,
        /// The reason why the file cannot be used.
        why: String,
    },
    /// The environment variable with this name does not contain a usable proxy address.
    #[error("the proxy in {0} cannot be used: it must be http://host:port or https://host:port")]
    Proxy(&'static str),
    /// The HTTP client cannot be built, for the given reason.
    #[error("the HTTP client cannot be built: {0}")]
    Client(String),
}

impl ApiError {
    /// Makes an error of an error of the HTTP client, with all its causes: the client's own text
    /// alone says little.
    pub(super) fn client(error: &(dyn Error + 'static)) -> Self {
        Self::Client(causes(error).map(ToString::to_string).collect::<Vec<_>>().join(": "))
    }
}

impl From<TlsError> for ApiError {
    fn from(error: TlsError) -> Self {
        match error {
            TlsError::CaCert { path, why } => Self::CaCert { path, why },
            TlsError::Library(error) => Self::client(&error),
        }
    }
}

/// Iterates over an error and its causes, the error itself first.
pub(super) fn causes<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error: &&'a (dyn Error + 'static)| {
        // The error inside an `io::Error` is not its source, so `source` alone would skip that
        // error.
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => error.source(),
        }
    })
}
