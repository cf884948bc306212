//! The HTTP clients: made all alike, each for one connection.
//!
//! Must hold: a client follows no redirect, sends nothing a second time by itself but what had not left, and takes what
//! curl takes of an answer's head. In clear it talks to this machine itself alone, by no proxy, and asks no name server.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use reqwest::{Client, ClientBuilder, redirect, retry};
use rustls::ClientConfig;
use url::{Host, Url};

use super::proxy::Proxy;
use super::{ApiError, Options, tls};

/// A browser takes as many headers as fit into its buffer; so many are more than any gateway sends.
const MOST_HEADERS: usize = 1000;

/// The way by which connections are made: the same for all calls of a run.
#[derive(Debug)]
pub(super) enum Way {
    /// In clear, to this machine itself.
    Loopback,
    /// By TLS.
    Direct,
    /// By TLS, through the tunnel of a proxy.
    Proxy(Proxy),
}

/// Makes clients.
pub(super) struct Clients {
    pub(super) way: Way,
    /// Where calls go.
    pub(super) url: Url,
    /// The longest a connection may take to stand, with a proxy's and TLS's greetings.
    pub(super) limit: Duration,
    pub(super) tls: ClientConfig,
}

impl Clients {
    pub(super) fn new(options: &Options) -> Result<Self, ApiError> {
        let url = options.base.endpoint();
        // Looked at in any case: a file that cannot be used is told.
        let roots = tls::certificates(options)?;
        let (way, tls) = if url.scheme() == "http" {
            (Way::Loopback, tls::trusting_nobody()?)
        } else {
            let variable = |name: &str| std::env::var_os(name);
            let proxy = if options.proxies { Proxy::of(&url, variable)? } else { None };
            let way = proxy.map_or(Way::Direct, Way::Proxy);
            (way, tls::trusting_the_system_and(roots)?)
        };
        // A time-out of the whole call that strikes while connecting would look like a doubt: connecting is kept
        // the shorter of the two.
        let limit = options.connect_timeout.min(options.timeout.mul_f64(0.9));
        Ok(Self { way, url, limit, tls })
    }

    /// A client that keeps its connection for the next call.
    pub(super) fn keeping(&self) -> Result<Client, reqwest::Error> {
        self.builder()?.pool_max_idle_per_host(1).build()
    }

    /// A client that makes a connection for each call.
    pub(super) fn for_single_calls(&self) -> Result<Client, reqwest::Error> {
        self.builder()?.pool_max_idle_per_host(0).build()
    }

    fn builder(&self) -> Result<ClientBuilder, reqwest::Error> {
        let builder = ClientBuilder::new()
            .http1_only()
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .referer(false)
            // A line that idles for too long is dropped whole.
            .pool_idle_timeout(None)
            .connect_timeout(self.limit)
            .tls_backend_preconfigured(self.tls.clone())
            .http1_max_headers(MOST_HEADERS)
            .http1_allow_spaces_after_header_name_in_responses(true)
            .http1_allow_obsolete_multiline_headers_in_responses(true)
            .http1_ignore_invalid_headers_in_responses(true)
            // The proxies of the environment are read by us, once.
            .no_proxy();
        Ok(match &self.way {
            Way::Direct => builder,
            Way::Proxy(proxy) => builder.proxy(proxy.for_client()?),
            Way::Loopback => match self.url.host() {
                // Nobody is asked what `localhost` is.
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
