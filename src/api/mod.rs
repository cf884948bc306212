//! The interface to the vendor: sends one subject for verification and returns the reply.
//!
//! The engine knows only [`Verifier`]. `http` is the only module with an HTTP client, `text`
//! decodes the bytes of an answer to text, and `wire` is the only module that knows the vendor's
//! JSON.
//!
//! Must hold: one call produces exactly one [`Reply`], whatever happens.
//!
//! Never: retries a call, waits between calls, or counts.

use std::future::Future;

use crate::model::reply::Reply;
use crate::model::subject::{Subject, mask_niks};
use crate::rules::body::BodyKind;

pub mod http;
pub mod origin;
pub mod text;
pub mod told;
pub mod wire;

pub use http::{Credentials, HttpVerifier, Options};
pub use origin::Origin;

/// A service that verifies a subject: the vendor over HTTP, or a stand-in in tests.
pub trait Verifier {
    /// Sends one call, exactly once, and returns its reply. Does not fail: a failure is also a
    /// reply.
    fn verify(&self, subject: &Subject, body: BodyKind) -> impl Future<Output = Reply>;
}

/// The reason why no client could be made.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The base URL cannot be used, for the given reason.
    #[error("the base URL cannot be used: {0}")]
    BaseUrl(String),
    /// The credential with this name contains characters that an HTTP header cannot carry.
    #[error("{0} holds characters that an HTTP header cannot carry")]
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
    #[error(
        "{0} names no proxy that can be used: it must be http://host:port or https://host:port"
    )]
    Proxy(&'static str),
    /// The HTTP client cannot be built, for the given reason.
    #[error("the HTTP client cannot be built: {0}")]
    Client(String),
}
