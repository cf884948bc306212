//! Builds the HTTP clients: all have the same settings, and each is for one connection.
//!
//! Must hold: a client follows no redirect and sends nothing again by itself, except a call of
//! which nothing had left. It accepts the headers of an answer that curl accepts, as far as hyper's
//! parser does. An unencrypted connection goes only to this machine itself, through no proxy and
//! without a DNS lookup.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use reqwest::{Client, ClientBuilder, redirect, retry};
use rustls::ClientConfig;
use url::{Host, Url};

use super::options::ClientOptions;
use super::proxy::Proxy;

use crate::api::error::ApiError;
use crate::tls;

/// Maximum number of headers in an answer. Browsers limit only the total size, but no gateway sends
/// more headers than this.
const MOST_HEADERS: usize = 1000;

/// Route by which connections are made. All calls of a run use the same route.
#[derive(Debug)]
pub(super) enum Route {
    /// Unencrypted, to this machine itself.
    Loopback,
    /// With TLS, directly to the vendor.
    Direct,
    /// With TLS, through the tunnel of a proxy.
    Proxy(Proxy),
}

/// A factory of HTTP clients.
pub(super) struct Clients {
    pub(super) route: Route,
    /// Address that the calls are sent to.
    pub(super) url: Url,
    /// Longest time that opening a connection may take, including the handshakes of a proxy and of
    /// TLS.
    pub(super) limit: Duration,
    pub(super) tls: ClientConfig,
}

impl Clients {
    pub(super) fn new(options: &ClientOptions) -> Result<Self, ApiError> {
        let url = options.base.endpoint();
        // The file is read even if TLS is not used, so that an unusable file is always reported.
        let roots = tls::certificates(options.ca_cert.as_deref())?;
        let (route, tls) = if url.scheme() == "http" {
            (Route::Loopback, tls::trusting_nobody()?)
        } else {
            let variable = |name: &str| std::env::var_os(name);
            let proxy = if options.proxies { Proxy::of(&url, variable)? } else { None };
            let route = proxy.map_or(Route::Direct, Route::Proxy);
            let mut tls = tls::trusting_the_system_and(roots)?;
            tls.alpn_protocols = vec![b"http/1.1".to_vec()];
            (route, tls)
        };
        // If the timeout of the whole call came while connecting, the call would look like a doubt.
        // Therefore the timeout for connecting is kept shorter than that of the call.
        let limit = options.connect_timeout.min(options.timeout.mul_f64(0.9));
        Ok(Self { route, url, limit, tls })
    }

    /// Builds a client that keeps its connection for the next call.
    pub(super) fn keeping(&self) -> Result<Client, reqwest::Error> {
        self.builder()?.pool_max_idle_per_host(1).build()
    }

    /// Builds a client that opens a new connection for each call.
    pub(super) fn for_single_calls(&self) -> Result<Client, reqwest::Error> {
        self.builder()?.pool_max_idle_per_host(0).build()
    }

    fn builder(&self) -> Result<ClientBuilder, reqwest::Error> {
        let builder = ClientBuilder::new()
            .http1_only()
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .referer(false)
            // `lines` drops a line that was idle for too long, together with its client.
            .pool_idle_timeout(None)
            .connect_timeout(self.limit)
            .tls_backend_preconfigured(self.tls.clone())
            .http1_max_headers(MOST_HEADERS)
            .http1_allow_spaces_after_header_name_in_responses(true)
            .http1_allow_obsolete_multiline_headers_in_responses(true)
            .http1_ignore_invalid_headers_in_responses(true)
            // `Proxy::of` has read the proxy variables of the environment already.
            .no_proxy();
        Ok(match &self.route {
            Route::Direct => builder,
            Route::Proxy(proxy) => builder.proxy(proxy.for_client()?),
            Route::Loopback => match self.url.host() {
                // `localhost` is resolved here, so that no name server is asked.
                Some(Host::Domain(name)) => builder.resolve_to_addrs(name, &self.loopback()),
                _ => builder,
            },
        })
    }

    fn loopback(&self) -> [SocketAddr; 2] {
        let port = self.url.port_or_known_default().unwrap_or_default();
        [(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()]
    }
}
