//! Lines to the vendor: one connection each, for one call at a time.
//!
//! HTTP/1.1 ties an answer to its call by nothing but the order on the connection. A server, or a gateway before it, that
//! answers one call twice shifts all that follow: each row would get the verdict of the row before. So a line is used
//! again only after an answer that was its call's own: one with a request id that no earlier answer had.
//!
//! What must hold: a line never has two calls under way; one whose answer is lost, is not the vendor's, or came before is
//! closed. Never: sends anything by itself.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use reqwest::{Client, redirect, retry};
use rustls::ClientConfig;

use super::{ApiError, Options, causes, tls};

/// Idle connections are dropped early: a server that closes one in the moment of a send would make
/// a doubt.
const IDLE: Duration = Duration::from_secs(4);
/// A line that was used this lately is taken as it is.
const FRESH: Duration = Duration::from_millis(1);
/// Request ids that are remembered: an answer that comes again does so soon.
const REMEMBERED: usize = 16_384;

/// All lines that are not in use.
pub(super) struct Lines {
    maker: Maker,
    state: Mutex<State>,
}

struct State {
    /// The last one put back is the first to be taken: as few as needed are kept warm.
    idle: Vec<Line>,
    recent: Recent,
}

/// A client that keeps one connection at most.
pub(super) struct Line {
    client: Client,
    /// Since when nothing is asked on it.
    idle: Instant,
}

impl Line {
    pub(super) const fn client(&self) -> &Client {
        &self.client
    }
}

/// Whose answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sequel {
    /// For all that can be told, the call's own.
    Own,
    /// One that came before.
    Repeated,
}

impl Lines {
    /// The first line is made here, so that an option that cannot be used is told.
    pub(super) fn new(options: &Options) -> Result<Self, ApiError> {
        let maker = Maker::new(options)?;
        let idle = vec![maker.make().map_err(|e| ApiError::Client(causes(&e.without_url())))?];
        Ok(Self { maker, state: Mutex::new(State { idle, recent: Recent::default() }) })
    }

    /// A line for one call. Who drops it closes it.
    pub(super) async fn take(&self) -> Option<Line> {
        let idle = self.state().idle.pop();
        if idle.as_ref().is_some_and(|line| line.idle.elapsed() > FRESH) {
            // What came unasked meanwhile closes the connection, once the runtime has looked at its socket and its task
            // has run: it must not pass for the answer to this call.
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
        }
        idle.or_else(|| self.maker.make().ok())
    }

    /// Gives a line back after an answer with this request id, or closes it.
    pub(super) fn put_back(&self, line: Line, id: Option<&str>) -> Sequel {
        let mut state = self.state();
        match id {
            // Nothing tells whose it is; then the next would be guessed.
            None => Sequel::Own,
            Some(id) if state.recent.is_new(id) => {
                state.idle.push(Line { idle: Instant::now(), ..line });
                Sequel::Own
            }
            Some(_) => {
                tracing::warn!(
                    "an answer has the request id of an earlier one, so it is not its call's: the connection is closed"
                );
                Sequel::Repeated
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The ids of the latest answers.
#[derive(Default)]
struct Recent {
    order: VecDeque<u64>,
    known: HashSet<u64>,
    hasher: RandomState,
}

impl Recent {
    /// Whether an id was not seen lately; then it is remembered.
    fn is_new(&mut self, id: &str) -> bool {
        let hash = self.hasher.hash_one(id);
        if !self.known.insert(hash) {
            return false;
        }
        self.order.push_back(hash);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

/// Makes lines, all alike.
struct Maker {
    tls: ClientConfig,
    connect_timeout: Duration,
    is_plain: bool,
    proxies: bool,
}

impl Maker {
    fn new(options: &Options) -> Result<Self, ApiError> {
        // Without TLS, calls go to this machine itself: to no proxy, and by no other's word for where that is.
        let is_plain = options.base.endpoint().scheme() == "http";
        let more = tls::certificates(options)?;
        let tls =
            if is_plain { tls::trusting_nobody() } else { tls::trusting_the_system_and(more) };
        Ok(Self {
            tls: tls?,
            // A time-out of the whole call that strikes while connecting would look like a doubt: keep
            // connecting the shorter of the two.
            connect_timeout: options.connect_timeout.min(options.timeout.mul_f64(0.9)),
            is_plain,
            proxies: options.proxies,
        })
    }

    fn make(&self) -> reqwest::Result<Line> {
        let mut builder = Client::builder()
            .http1_only()
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .connect_timeout(self.connect_timeout)
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(1)
            .tls_backend_preconfigured(self.tls.clone())
            .user_agent(concat!("ceknik/", env!("CARGO_PKG_VERSION")));
        if self.is_plain || !self.proxies {
            builder = builder.no_proxy();
        }
        if self.is_plain {
            let loopback = [(Ipv4Addr::LOCALHOST, 0).into(), (Ipv6Addr::LOCALHOST, 0).into()];
            builder = builder.resolve_to_addrs("localhost", &loopback);
        }
        Ok(Line { client: builder.build()?, idle: Instant::now() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_of_its_own_keeps_a_line() {
        let mut recent = Recent::default();
        for (id, is_new) in [("TID1", true), ("TID2", true), ("TID1", false), ("TID2", false)] {
            assert_eq!(recent.is_new(id), is_new, "{id}");
        }
        for n in 0..REMEMBERED {
            assert!(recent.is_new(&format!("another {n}")));
        }
        assert!(recent.is_new("TID1"), "what is long past is forgotten");
        assert_eq!(recent.known.len(), REMEMBERED);
    }
}
