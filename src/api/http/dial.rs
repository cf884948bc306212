//! Dialling: how a connection to the vendor comes to stand.
//!
//! Must hold: calls without TLS go to this machine itself, to no proxy, and by no other's word for where that is; with
//! it, nothing is said before the certificate holds. Never: sends a call.

use std::error::Error;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hyper::header::HeaderValue;
use hyper::rt::{Read, Write};
use hyper::{HeaderMap, Uri, header};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tower_service::Service;
use url::{Host, Url};

use super::{AGENT, ApiError, Options, causes, tls};

/// Asks a silent connection this often whether its other end is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// So many times, before it is taken for cut.
const KEEP_ALIVE_PROBES: u32 = 3;

/// Makes connections, all alike.
pub(super) struct Dialer {
    way: Way,
    uri: Uri,
    /// The longest it may take, with a proxy's and TLS's greetings.
    limit: Duration,
}

/// By which way a connection is made: the same for all calls of a run.
enum Way {
    /// In clear, to this machine itself.
    Loopback(Vec<SocketAddr>),
    /// By TLS.
    Direct(HttpsConnector<HttpConnector>),
    /// By TLS through a proxy, which may want TLS itself.
    Proxy(Box<HttpsConnector<Tunnel<HttpsConnector<HttpConnector>>>>),
}

/// A connection that stands.
pub(super) trait Io: Read + Write + Unpin + Send {}

impl<T: Read + Write + Unpin + Send> Io for T {}

type BoxError = Box<dyn Error + Send + Sync>;

impl Dialer {
    pub(super) fn new(options: &Options) -> Result<Self, ApiError> {
        let url = options.base.endpoint();
        let uri = Uri::try_from(url.as_str()).map_err(|e| ApiError::Client(causes(&e)))?;
        // Looked at in any case: a file that cannot be used is told.
        let roots = tls::certificates(options)?;
        // A time-out of the whole call that strikes while connecting would look like a doubt: connecting is kept
        // the shorter of the two.
        let limit = options.connect_timeout.min(options.timeout.mul_f64(0.9));
        let way = match loopback(&url) {
            Some(addresses) => Way::Loopback(addresses),
            None => {
                let proxy = options.proxies.then(Matcher::from_system);
                let proxy = proxy.and_then(|proxies| proxies.intercept(&uri));
                by_tls(tls::trusting_the_system_and(roots)?, proxy, limit)?
            }
        };
        Ok(Self { way, uri, limit })
    }

    /// A new connection.
    pub(super) async fn dial(&self) -> Result<Box<dyn Io>, BoxError> {
        timeout(self.limit, self.connect()).await?
    }

    async fn connect(&self) -> Result<Box<dyn Io>, BoxError> {
        Ok(match &self.way {
            Way::Loopback(addresses) => {
                let stream = TcpStream::connect(addresses.as_slice()).await?;
                stream.set_nodelay(true)?;
                Box::new(TokioIo::new(stream))
            }
            Way::Direct(connector) => Box::new(connector.clone().call(self.uri.clone()).await?),
            Way::Proxy(connector) => Box::new(connector.clone().call(self.uri.clone()).await?),
        })
    }
}

/// The addresses of this machine that a URL without TLS names. Nobody is asked what `localhost` is.
fn loopback(url: &Url) -> Option<Vec<SocketAddr>> {
    if url.scheme() != "http" {
        return None;
    }
    let port = url.port_or_known_default()?;
    let addresses = match url.host()? {
        Host::Ipv4(ip) => vec![ip.into()],
        Host::Ipv6(ip) => vec![ip.into()],
        Host::Domain(_) => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
    };
    Some(addresses.into_iter().map(|ip| SocketAddr::new(ip, port)).collect())
}

fn by_tls(tls: ClientConfig, proxy: Option<Intercept>, limit: Duration) -> Result<Way, ApiError> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_keepalive(Some(KEEP_ALIVE));
    tcp.set_keepalive_interval(Some(KEEP_ALIVE));
    tcp.set_keepalive_retries(Some(KEEP_ALIVE_PROBES));
    // Of one address: a host may have more.
    tcp.set_connect_timeout(Some(limit));
    let direct = HttpsConnector::from((tcp, tls.clone()));
    let Some(proxy) = proxy else { return Ok(Way::Direct(direct)) };
    if !matches!(proxy.uri().scheme_str(), Some("http" | "https")) {
        return Err(ApiError::Proxy);
    }
    let mut headers = HeaderMap::new();
    headers.insert(header::USER_AGENT, HeaderValue::from_static(AGENT));
    let mut tunnel = Tunnel::new(proxy.uri().clone(), direct).with_headers(headers);
    if let Some(secret) = proxy.basic_auth() {
        tunnel = tunnel.with_auth(secret.clone());
    }
    Ok(Way::Proxy(Box::new(HttpsConnector::from((tunnel, tls)))))
}
