//! The vendor: who verifies one subject, and how.
//!
//! [`Verifier`] is all that the engine knows of it. `http` is the only place with an HTTP client,
//! `text` makes text of its answers' bytes, and `wire` is the only one that knows the vendor's JSON. Nothing here retries, waits or counts: one
//! call in, one [`Reply`] out, whatever happens.

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

/// Someone who verifies a subject: the vendor over HTTP, or a stand-in in tests.
pub trait Verifier {
    /// Sends one call, once, and says what came back. Never fails: a failure is a reply.
    fn verify(&self, subject: &Subject, body: BodyKind) -> impl Future<Output = Reply>;
}

/// Why no client could be made.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The base URL cannot be used.
    #[error("the base URL cannot be used: {0}")]
    BaseUrl(String),
    /// A secret cannot stand in a header.
    #[error("{0} holds characters that an HTTP header cannot carry")]
    Secret(&'static str),
    /// The CA file cannot be used.
    #[error("the CA file {} cannot be used: {why}", mask_niks(path))]
    CaCert {
        /// The file, as given.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// A variable of the environment names a proxy that calls cannot go through.
    #[error(
        "{0} names no proxy that can be used: it must be http://host:port or https://host:port"
    )]
    Proxy(&'static str),
    /// The HTTP client cannot be built.
    #[error("the HTTP client cannot be built: {0}")]
    Client(String),
}
