//! The origin that a ledger belongs to: where the calls go.
//!
//! Must hold: answers of one origin are never lent to another, and live calls use `https`, but
//! for loopback.

use url::{Host, Url};

use super::ApiError;
use crate::rules::pair::ENDPOINT;

/// Where calls go: a vendor's base URL, or the sandbox of this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

impl Origin {
    /// The in-process sandbox, whatever its port.
    pub fn sandbox() -> Self {
        Self("sandbox".to_owned())
    }

    /// The origin of a base URL: scheme, host, port and path.
    pub fn of(base: &BaseUrl) -> Self {
        let url = &base.0;
        let host = url.host_str().unwrap_or_default();
        let port = url.port_or_known_default().unwrap_or_default();
        let path = url.path().trim_end_matches('/');
        Self(format!("{}://{host}:{port}{path}", url.scheme()))
    }

    /// The name that the ledger is stamped with.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// The name as part of a file name.
    pub fn slug(&self) -> String {
        self.0.replace(|c: char| !c.is_ascii_alphanumeric() && c != '.', "_")
    }
}

/// A base URL that calls may go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl(Url);

impl BaseUrl {
    /// Parses a base URL.
    ///
    /// # Errors
    /// [`ApiError::BaseUrl`] where it is no URL, holds a user, a query or a fragment, or would
    /// send secrets in clear to anything but loopback.
    pub fn parse(text: &str) -> Result<Self, ApiError> {
        let refuse = |why: &str| Err(ApiError::BaseUrl(why.to_owned()));
        let Ok(url) = Url::parse(text) else {
            return refuse("it is not a URL such as https://host/path");
        };
        if !url.username().is_empty() || url.password().is_some() {
            return refuse("it holds a user or password; give secrets by CEKNIK_API_ID/_SECRET");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return refuse("it holds a query or a fragment");
        }
        match (url.scheme(), url.host()) {
            (_, None) => refuse("it names no host"),
            ("https", _) => Ok(Self(url)),
            ("http", Some(host)) if is_loopback(&host) => Ok(Self(url)),
            ("http", _) => {
                refuse("http:// would send the secret in clear; it is for loopback only, use https")
            }
            _ => refuse("it must begin with https://"),
        }
    }

    /// Tells if calls to it stay on this machine.
    pub fn is_loopback(&self) -> bool {
        self.0.host().is_some_and(|host| is_loopback(&host))
    }

    /// The address that subjects are posted to.
    pub fn endpoint(&self) -> Url {
        let mut url = self.0.clone();
        url.set_path(&format!("{}{ENDPOINT}", self.0.path().trim_end_matches('/')));
        url
    }
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(ip) => ip.is_loopback(),
        Host::Ipv6(ip) => ip.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_base_urls_may_be_called_and_what_origin_they_are() {
        for (text, origin) in [
            ("https://api.example.com", Some("https://api.example.com:443")),
            ("https://API.example.com:443/", Some("https://api.example.com:443")),
            ("https://api.example.com/v2/", Some("https://api.example.com:443/v2")),
            ("http://127.0.0.1:8080", Some("http://127.0.0.1:8080")),
            ("http://localhost:1", Some("http://localhost:1")),
            ("http://[::1]:1", Some("http://[::1]:1")),
            ("http://api.example.com", None),
            ("http://127.0.0.1.example.com", None),
            ("ftp://127.0.0.1", None),
            ("https://user:pass@api.example.com", None),
            ("https://api.example.com?x=1", None),
            ("api.example.com", None),
            ("", None),
        ] {
            let found = BaseUrl::parse(text).ok().map(|base| Origin::of(&base).name().to_owned());
            assert_eq!(found.as_deref(), origin, "{text}");
        }
        let base = BaseUrl::parse("https://api.example.com/v2/").unwrap();
        assert_eq!(base.endpoint().as_str(), "https://api.example.com/v2/verify/id_name");
        assert_eq!(Origin::of(&base).slug(), "https___api.example.com_443_v2");
    }
}
