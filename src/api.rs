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
use crate::model::subject::Subject;
use crate::rules::body::BodyKind;

pub mod credentials;
pub mod describe;
mod error;
pub mod http;
pub mod origin;
pub mod text;
pub mod wire;

pub use credentials::Credentials;
pub use error::ApiError;
pub use http::{ClientOptions, HttpVerifier};
pub use origin::Origin;

/// A service that verifies a subject: the vendor over HTTP, or a stand-in in tests.
pub trait Verifier {
    /// Sends one call, exactly once, and returns its reply. Does not fail: a failure is also a
    /// reply.
    fn verify(&self, subject: &Subject, body: BodyKind) -> impl Future<Output = Reply>;
}
