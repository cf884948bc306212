//! Defines the origin that a ledger belongs to: the address that the calls are sent to.
//!
//! Must hold: answers of one origin are never used for another origin. Live calls use `https`,
//! except to a loopback address.

use url::{Host, Url};

use super::ApiError;
use crate::rules::pair_key::{ENDPOINT, SANDBOX};

/// The destination of calls: a vendor's base URL, or the sandbox of this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

impl Origin {
    /// Returns the origin of the sandbox in this process, whatever its port.
    pub fn sandbox() -> Self {
        Self(SANDBOX.to_owned())
    }

    /// Returns the origin of a base URL: its scheme, host, port and path.
    pub fn of(base: &BaseUrl) -> Self {
        let url = &base.0;
        let host = url.host_str().unwrap_or_default();
        let port = url.port_or_known_default().unwrap_or_default();
        let path = url.path().trim_end_matches('/');
        Self(format!("{}://{host}:{port}{path}", url.scheme()))
    }

    /// Returns the name that is stored in the ledger.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// Returns the name as part of a file name: only ASCII letters and digits, `.` and `_`.
    pub fn slug(&self) -> String {
        self.0.replace(|c: char| !c.is_ascii_alphanumeric() && c != '.', "_")
    }
}

/// A base URL that calls may be sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl(Url);

impl BaseUrl {
    /// Parses a base URL.
    ///
    /// # Errors
    /// [`ApiError::BaseUrl`] if the text is not a URL, contains a user, a password, a query or a
    /// fragment, names no host, or has a scheme other than `https`. The scheme `http` is accepted
    /// for a loopback host only, because it would send secrets unencrypted.
    pub fn parse(text: &str) -> Result<Self, ApiError> {
        let refuse = |why: &str| Err(ApiError::BaseUrl(why.to_owned()));
        let Ok(url) = Url::parse(text) else {
            return refuse("it is not a URL such as https://host/path");
        };
        if !url.username().is_empty() || url.password().is_some() {
            return refuse(
                "it contains a user or password; set secrets in CEKNIK_API_ID and CEKNIK_API_SECRET",
            );
        }
        if url.query().is_some() || url.fragment().is_some() {
            return refuse("it contains a query (?) or a fragment (#)");
        }
        match (url.scheme(), url.host()) {
            (_, None) => refuse("it has no host"),
            ("https", _) => Ok(Self(url)),
            ("http", Some(host)) if is_loopback(&host) => Ok(Self(url)),
            ("http", _) => refuse(
                "http:// would send the secret unencrypted, and is for this machine only; use https://",
            ),
            _ => refuse("it must begin with https://"),
        }
    }

    /// Checks whether calls to this URL stay on this machine.
    pub fn is_loopback(&self) -> bool {
        self.0.host().is_some_and(|host| is_loopback(&host))
    }

    /// Returns the address that subjects are posted to.
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
