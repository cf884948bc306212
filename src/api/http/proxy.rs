//! Finds the proxy that the environment names, and the reason why a proxy refuses a connection.
//!
//! Must hold: a variable that cannot be used is an error, and never a reason to go around the
//! proxy. No output shows a proxy's user name or password. The variables are read as curl reads
//! them.

use std::ffi::OsString;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use reqwest::header::{HeaderMap, HeaderValue, PROXY_AUTHORIZATION, USER_AGENT};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use url::{Host, Url};

use super::options::AGENT;
use crate::api::error::ApiError;

/// Variables that may name the proxy for `https`. The first variable that is set counts.
const VARIABLES: [&str; 4] = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
/// Variables that may list hosts without a proxy. The first variable that is set counts.
const EXCEPTIONS: [&str; 2] = ["no_proxy", "NO_PROXY"];
/// Maximum length of the status line of a proxy's answer, in bytes.
const LONGEST_STATUS_LINE: usize = 512;

/// A proxy that calls go through.
pub(super) struct Proxy {
    url: Url,
    /// Value of the header `Proxy-Authorization`, if the proxy needs credentials.
    authorization: Option<HeaderValue>,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proxy(hidden)")
    }
}

impl Proxy {
    /// Returns the proxy that the environment names for this address. Returns `None` if no variable
    /// is set, or if the address is in the list of hosts without a proxy.
    ///
    /// # Errors
    /// [`ApiError::Proxy`] if the variable does not contain the address of an `http` or `https`
    /// proxy.
    pub(super) fn of(
        target: &Url,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Option<Self>, ApiError> {
        let set = |name: &'static str| {
            variable(name).filter(|value| !value.is_empty()).map(|value| (name, value))
        };
        let Some((name, value)) = VARIABLES.into_iter().find_map(set) else { return Ok(None) };
        let exceptions = EXCEPTIONS.into_iter().find_map(set);
        let is_exception = exceptions.is_some_and(|(_, list)| {
            target.host().is_some_and(|host| is_listed(&host, &list.to_string_lossy()))
        });
        if is_exception {
            return Ok(None);
        }
        let url = value.to_str().and_then(address).ok_or(ApiError::Proxy(name))?;
        let authorization = intercept(&url, target).ok_or(ApiError::Proxy(name))?;
        let authorization = authorization.basic_auth().cloned();
        Ok(Some(Self { url, authorization }))
    }

    /// Converts the proxy to the type that the HTTP client accepts.
    pub(super) fn for_client(&self) -> Result<reqwest::Proxy, reqwest::Error> {
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        if let Some(value) = &self.authorization {
            headers.insert(PROXY_AUTHORIZATION, value.clone());
        }
        let mut url = self.url.clone();
        // The header contains the credentials already.
        let _ = (url.set_username(""), url.set_password(None));
        Ok(reqwest::Proxy::all(url)?.headers(headers))
    }

    /// Sends a `CONNECT` request and returns the status of the proxy's answer, because the HTTP
    /// client does not report that status. Returns `None` if there is no answer in time.
    pub(super) async fn status(
        &self,
        target: &Url,
        tls: &ClientConfig,
        limit: Duration,
    ) -> Option<u16> {
        timeout(limit, self.ask(target, tls)).await.ok().flatten()
    }

    async fn ask(&self, target: &Url, tls: &ClientConfig) -> Option<u16> {
        let host = self.url.host_str()?.trim_matches(['[', ']']);
        let tcp = TcpStream::connect((host, self.url.port_or_known_default()?)).await.ok()?;
        if self.url.scheme() == "http" {
            return self.connect_over(tcp, target).await;
        }
        let mut tls = tls.clone();
        tls.alpn_protocols.clear();
        let name = ServerName::try_from(host.to_owned()).ok()?;
        let stream = TlsConnector::from(Arc::new(tls)).connect(name, tcp).await.ok()?;
        self.connect_over(stream, target).await
    }

    async fn connect_over(
        &self,
        mut stream: impl AsyncRead + AsyncWrite + Unpin,
        target: &Url,
    ) -> Option<u16> {
        let (host, port) = (target.host_str()?, target.port_or_known_default()?);
        let mut request = format!(
            "CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\nUser-Agent: {AGENT}\r\n"
        )
        .into_bytes();
        if let Some(value) = &self.authorization {
            request.extend_from_slice(b"Proxy-Authorization: ");
            request.extend_from_slice(value.as_bytes());
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"\r\n");
        stream.write_all(&request).await.ok()?;
        let mut answer = Vec::new();
        let mut some = [0; LONGEST_STATUS_LINE];
        while answer.len() < LONGEST_STATUS_LINE && !answer.contains(&b'\n') {
            let read = stream.read(&mut some).await.ok().filter(|read| *read > 0)?;
            answer.extend_from_slice(some.get(..read)?);
        }
        status_of(&answer)
    }
}

/// Parses the status code of a status line: `HTTP/1.1 403 Forbidden` returns 403.
fn status_of(answer: &[u8]) -> Option<u16> {
    let line = answer.strip_prefix(b"HTTP/1.")?.get(1..)?.trim_ascii_start();
    let code = std::str::from_utf8(line.get(..3)?).ok()?;
    code.parse().ok().filter(|code| (100..600).contains(code))
}

/// Parses the address of a proxy. An address without a scheme is an `http` address.
fn address(value: &str) -> Option<Url> {
    let value = value.trim();
    let whole = if value.contains("://") { value.to_owned() } else { format!("http://{value}") };
    let url = Url::parse(&whole).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.has_host()).then_some(url)
}

/// Parses the proxy with the library's own rules, which convert its credentials to a header value.
fn intercept(proxy: &Url, target: &Url) -> Option<Intercept> {
    let target = target.as_str().parse().ok()?;
    Matcher::builder().all(proxy.as_str()).build().intercept(&target)
}

/// Checks whether a host is in a list of hosts without a proxy. The entries are separated by
/// commas, spaces or tabs. An entry is a name, which includes all names below it, an address, or a
/// network. The list `*` contains all hosts.
fn is_listed(host: &Host<&str>, list: &str) -> bool {
    if list.trim() == "*" {
        return true;
    }
    let mut entries = list.split([',', ' ', '\t']).filter(|entry| !entry.is_empty());
    match host {
        Host::Domain(name) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            entries.any(|entry| {
                let entry = entry.strip_prefix('.').unwrap_or(entry);
                let entry = entry.strip_suffix('.').unwrap_or(entry).to_ascii_lowercase();
                let before = name.strip_suffix(&entry).filter(|_| !entry.is_empty());
                before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
            })
        }
        Host::Ipv4(ip) => entries.any(|entry| is_in_network((*ip).into(), entry)),
        Host::Ipv6(ip) => entries.any(|entry| is_in_network((*ip).into(), entry)),
    }
}

/// Checks whether an address is equal to the entry, or is in the network of the entry, such as
/// `10.0.0.0/8`.
fn is_in_network(ip: IpAddr, entry: &str) -> bool {
    let (address, bits) = match entry.split_once('/') {
        Some((address, bits)) => (address, bits.parse::<u32>().ok()),
        None => (entry, Some(u32::MAX)),
    };
    let address = address.trim_matches(['[', ']']).parse::<IpAddr>().ok();
    let (Some(address), Some(bits)) = (address, bits) else { return false };
    let differs = |ip: u128, address: u128, length: u32| {
        (ip ^ address).checked_shr(length.saturating_sub(bits)).unwrap_or_default() != 0
    };
    match (ip, address) {
        (IpAddr::V4(ip), IpAddr::V4(address)) => {
            !differs(u128::from(ip.to_bits()), u128::from(address.to_bits()), 32)
        }
        (IpAddr::V6(ip), IpAddr::V6(address)) => !differs(ip.to_bits(), address.to_bits(), 128),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(target: &str, variables: &[(&str, &str)]) -> Result<Option<String>, String> {
        let value = |name: &str| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value))
        };
        Proxy::of(&Url::parse(target).unwrap(), value)
            .map(|proxy| proxy.map(|proxy| proxy.url.to_string()))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_first_variable_that_is_set_names_the_proxy() {
        let target = "https://vendor.example";
        for (variables, proxy) in [
            (&[][..], None),
            (&[("HTTPS_PROXY", "http://a:1")], Some("http://a:1/")),
            (&[("https_proxy", "http://a:1"), ("HTTPS_PROXY", "http://b:1")], Some("http://a:1/")),
            (&[("HTTPS_PROXY", ""), ("ALL_PROXY", "a:1")], Some("http://a:1/")),
            (&[("https_proxy", "a.example:3128")], Some("http://a.example:3128/")),
            (&[("all_proxy", "https://u:p@a")], Some("https://u:p@a/")),
            (&[("HTTP_PROXY", "http://a:1")], None),
        ] {
            assert_eq!(of(target, variables), Ok(proxy.map(str::to_owned)), "{variables:?}");
        }
    }

    #[test]
    fn a_variable_that_cannot_be_used_is_named_and_not_shown() {
        let target = "https://vendor.example";
        for value in [
            "ftp://x",
            "http://",
            "http://[",
            "socks5://u:secret@x:1",
            "http://x:99999",
            "://x",
            "a b",
        ] {
            let error = of(target, &[("HTTPS_PROXY", value)]).unwrap_err();
            assert!(error.contains("HTTPS_PROXY") && !error.contains("secret"), "{error}");
            // A host without a proxy does not need a variable that can be used.
            assert_eq!(of(target, &[("HTTPS_PROXY", value), ("NO_PROXY", "*")]), Ok(None));
        }
    }

    #[test]
    fn no_proxy_is_read_as_curl_reads_it() {
        for (target, list, is_listed) in [
            ("https://vendor.example", "vendor.example", true),
            ("https://VENDOR.example.", "vendor.EXAMPLE", true),
            ("https://api.vendor.example", "vendor.example", true),
            ("https://api.vendor.example", ".vendor.example", true),
            ("https://vendor.example", ".vendor.example.", true),
            ("https://notvendor.example", "vendor.example", false),
            ("https://vendor.example", "a.example b.example vendor.example", true),
            ("https://vendor.example", "a.example,,vendor.example , c.example", true),
            ("https://vendor.example", "*", true),
            ("https://127.0.0.9", "*", true),
            ("https://vendor.example", "*.example", false),
            ("https://vendor.example", ".", false),
            ("https://localhost", "localhost.", true),
            ("https://localhost.", "localhost", true),
            ("https://10.1.2.3", "10.0.0.0/8", true),
            ("https://11.1.2.3", "10.0.0.0/8", false),
            ("https://10.1.2.3", "10.1.2.3", true),
            ("https://10.1.2.3", "10.1.2.3/32", true),
            ("https://10.1.2.3", "10.1.2", false),
            ("https://10.1.2.3", "10.0.0.0/x", false),
            ("https://[fd00::1]", "fd00::/8", true),
            ("https://[fd00::1]", "[fd00::1]", true),
            ("https://[fd00::1]", "fd00::2", false),
            ("https://[fd00::1]", "10.0.0.0/8", false),
        ] {
            let variables = [("HTTPS_PROXY", "http://a:1"), ("NO_PROXY", list)];
            let is_direct = of(target, &variables) == Ok(None);
            assert_eq!(is_direct, is_listed, "{target} in {list:?}");
        }
    }

    #[test]
    fn a_status_line_is_read() {
        for (answer, status) in [
            (&b"HTTP/1.1 403 Forbidden\r\n"[..], Some(403)),
            (b"HTTP/1.0  407\r\n", Some(407)),
            (b"HTTP/1.1 99 X\r\n", None),
            (b"HTTP/1.1 4\xff3\r\n", None),
            (b"SSH-2.0", None),
            (b"HTTP/1.", None),
        ] {
            assert_eq!(status_of(answer), status);
        }
    }
}
