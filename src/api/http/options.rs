//! The settings of the HTTP client.

use std::path::PathBuf;
use std::time::Duration;

use crate::api::credentials::Credentials;
use crate::api::origin::BaseUrl;

/// Value of the `User-Agent` header.
pub(super) const AGENT: &str = concat!("ceknik/", env!("CARGO_PKG_VERSION"));

/// The settings of the HTTP client.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// Base URL that the calls are sent to.
    pub base: BaseUrl,
    /// Credentials of the account.
    pub credentials: Credentials,
    /// Longest time that a call may take, from connecting to the end of the body.
    pub timeout: Duration,
    /// Longest time that opening a connection may take.
    pub connect_timeout: Duration,
    /// PEM file with additional root certificates.
    pub ca_cert: Option<PathBuf>,
    /// True if the proxy variables of the environment are used.
    pub proxies: bool,
    /// True if connections are kept for further calls.
    pub keep_alive: bool,
    /// Maximum number of connections that are kept: the maximum number of calls in flight.
    pub lines: usize,
}
