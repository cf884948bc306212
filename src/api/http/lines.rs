//! Manages the lines to the vendor. A line is a client with one connection, for one call at a time.
//!
//! HTTP/1.1 ties an answer to its call only by the order on the connection. If a server, or a
//! gateway in front of it, answers one call twice, all later answers are shifted: each row would
//! get the verdict of the row before. Therefore a line is used again only after an answer that
//! belonged to its call, which means an answer with a request id that no earlier answer had.
//!
//! Must hold: a line never has two calls under way. A line is closed if its answer is lost, is not
//! the vendor's, has no request id, or came before. A line that was idle for so long that its
//! server may close it is not used again.
//!
//! Never: sends anything by itself.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hyper_util::client::legacy::connect::HttpInfo;
use reqwest::{Client, Request, Response};
use tokio::task::yield_now;

use super::clients::Clients;
use super::keeping::{KeepAlivePolicy, Trust, Uptime};
use super::options::ClientOptions;
use crate::api::error::ApiError;

/// Idle time after which a line is not used again, if its server announces no time. A server that
/// closes the connection at the moment of a send would put the call in doubt.
const IDLE: Duration = Duration::from_millis(800);
/// Maximum idle time, whatever the server announces.
const LONGEST_IDLE: Duration = Duration::from_secs(4);
/// Idle time up to which a line is used again without a look at its socket.
const FRESH: Duration = Duration::from_millis(1);
/// Time after an answer within which the end of the connection is attributed to that answer.
const BLAME_WINDOW: Duration = Duration::from_secs(1);
/// Time that a line rests before it is used again, as long as more lines may be made. If an answer
/// that nobody asked for comes meanwhile, the line is closed.
const REST: Duration = Duration::from_millis(100);
/// Number of request ids that are remembered. An answer that is repeated comes soon after the
/// first.
const REMEMBERED: usize = 16_384;

/// The lines that are not in use, and the means to make more.
pub(super) struct Lines {
    pub(super) clients: Clients,
    /// Client whose connections serve one call each.
    single: Client,
    state: Mutex<State>,
    begun: Instant,
    /// Shared with each line that is kept, so that its strong count shows the number of such lines.
    share: Arc<()>,
    most: usize,
}

struct State {
    /// Idle lines, in the order in which they were put back. The first one is used first.
    idle: VecDeque<Line>,
    recent: Recent,
    keeping: KeepAlivePolicy,
    /// Current age. Lines of an earlier age are not used again.
    age: u64,
}

/// A client for one call at a time.
pub(super) struct Line {
    client: Client,
    /// This line's share in the count of lines; `None` if the connection serves this call alone.
    share: Option<Arc<()>>,
    age: u64,
    /// The last answer on this line, if there was one.
    last: Option<Last>,
    /// Time at which the line was taken for its current call.
    taken: Instant,
}

/// The last answer on a line.
struct Last {
    connection: Option<SocketAddr>,
    at: Instant,
    /// Idle time after which the line is not used again.
    idle: Duration,
}

/// The time for which a server keeps a connection after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeepAlive {
    /// The server announces no time.
    Unspecified,
    /// The server announces this time with `Keep-Alive: timeout=`.
    Timeout(Duration),
    /// The server closes the connection now.
    Close,
}

impl KeepAlive {
    /// Returns the longest time for which the line may be idle.
    fn idle(self) -> Duration {
        match self {
            Self::Unspecified => IDLE,
            // Only half of the time counts: the server's clock started when it sent the answer, and
            // the next call needs time to get there.
            Self::Timeout(timeout) => (timeout / 2).min(LONGEST_IDLE),
            Self::Close => Duration::ZERO,
        }
    }
}

/// The call that an answer belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AnswerOwner {
    /// The answer belongs to its own call, as far as can be known.
    ThisCall,
    /// The answer belongs to an earlier call, because its request id came before.
    EarlierCall,
}

impl Line {
    /// Sends a call and waits for the head of its answer.
    pub(super) async fn ask(&self, call: Request) -> Result<Response, reqwest::Error> {
        self.client.execute(call).await
    }

    /// Checks whether the connection serves other calls after this one.
    pub(super) const fn is_kept(&self) -> bool {
        self.share.is_some()
    }

    /// Returns the time since the last answer on this line, and that answer. Returns `None` if
    /// there was no answer yet.
    fn idle(&self, now: Instant) -> Option<(Duration, &Last)> {
        self.last.as_ref().map(|last| (now.saturating_duration_since(last.at), last))
    }

    fn is_expired(&self, now: Instant) -> bool {
        self.idle(now).is_some_and(|(idle, last)| idle >= last.idle)
    }

    fn is_rested(&self, now: Instant) -> bool {
        self.idle(now).is_none_or(|(idle, last)| idle >= REST.min(last.idle / 2))
    }
}

impl Lines {
    pub(super) fn new(options: &ClientOptions) -> Result<Self, ApiError> {
        let clients = Clients::new(options)?;
        let single = clients.for_single_calls();
        let single = single.map_err(|error| ApiError::client(&error))?;
        let keeping = KeepAlivePolicy::new(options.keep_alive);
        let state = State { idle: VecDeque::new(), recent: Recent::default(), keeping, age: 0 };
        let (begun, share) = (Instant::now(), Arc::default());
        Ok(Self { clients, single, state: Mutex::new(state), begun, share, most: options.lines })
    }

    /// Returns a line that no other call uses. Dropping the line closes its connection.
    pub(super) async fn take(&self) -> Result<Line, reqwest::Error> {
        let now = Instant::now();
        let (choice, age) = {
            let mut state = self.state();
            // The strong count is one more than the number of lines.
            let may_be_more = Arc::strong_count(&self.share) <= self.most;
            (state.choose(now, now - self.begun, may_be_more), state.age)
        };
        match choice {
            Choice::Single => {
                let client = self.single.clone();
                Ok(Line { client, share: None, age, last: None, taken: now })
            }
            Choice::New => {
                let (client, share) = (self.clients.keeping()?, Some(Arc::clone(&self.share)));
                Ok(Line { client, share, age, last: None, taken: now })
            }
            Choice::Idle(line) => {
                if line.idle(now).is_some_and(|(idle, _)| idle > FRESH) {
                    // Bytes that came unasked must not be taken for the answer to this call. They
                    // close the connection as soon as the runtime has looked at the socket and the
                    // connection's task has run.
                    yield_now().await;
                    yield_now().await;
                }
                Ok(Line { taken: now, ..line })
            }
        }
    }

    /// Records that an answer began to come on this line, and returns the local address of its
    /// connection. If the line was idle only for a short time (`BLAME_WINDOW`) and its connection has
    /// changed, the previous connection ended unannounced. In that case no other line is trusted
    /// any more: all idle lines are closed, and lines in use are not kept.
    pub(super) fn answered(&self, line: &mut Line, answer: &Response) -> Option<SocketAddr> {
        let connection = answer.extensions().get::<HttpInfo>().map(HttpInfo::local_addr);
        if let Some((idle, last)) = line.idle(line.taken)
            && last.connection != connection
            && idle < BLAME_WINDOW
        {
            let mut state = self.state();
            state.keeping.ended_unannounced(self.begun.elapsed());
            state.age += 1;
            state.idle.clear();
            // This line's own connection is new, so the line may be kept.
            line.age = state.age;
        }
        connection
    }

    /// Checks whether no earlier answer had this request id. A new id is remembered.
    pub(super) fn remember_if_new(&self, id: &str) -> bool {
        let is_new = self.state().recent.remember_if_new(id);
        if !is_new {
            tracing::warn!(
                "an answer has the request id of an earlier answer, so it belongs to another call: the connection is closed"
            );
        }
        is_new
    }

    /// Puts a line back after an answer with this request id, or closes the line. Returns which
    /// call the answer belongs to.
    pub(super) fn put_back(
        &self,
        line: Line,
        connection: Option<SocketAddr>,
        kept_for: KeepAlive,
        id: Option<&str>,
    ) -> AnswerOwner {
        // Without an id nothing shows which call the answer belongs to. This answer counts, but the
        // line is closed, because the next answer on it could only be guessed.
        let Some(id) = id else { return AnswerOwner::ThisCall };
        if !self.remember_if_new(id) {
            return AnswerOwner::EarlierCall;
        }
        let idle = kept_for.idle();
        // The client already has its connection back: the connection's task, and the task that
        // returns the connection, run before the task that waits for the answer. Otherwise the
        // client would open a second connection for the next call.
        if line.is_kept() && !idle.is_zero() {
            let last = Some(Last { connection, at: Instant::now(), idle });
            let mut state = self.state();
            if line.age == state.age {
                state.idle.push_back(Line { last, ..line });
            }
        }
        AnswerOwner::ThisCall
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The choice of a line for a call.
enum Choice {
    /// An idle line.
    Idle(Line),
    /// A new line.
    New,
    /// No line: a connection for this call alone.
    Single,
}

impl State {
    /// Chooses the line that was idle for longest, if it has rested. Closes lines that were idle
    /// for too long.
    fn choose(&mut self, now: Instant, tick: Uptime, may_be_more: bool) -> Choice {
        let trust = self.keeping.trust(tick);
        if trust == Trust::None {
            self.idle.clear();
            return Choice::Single;
        }
        while self.idle.front().is_some_and(|line| line.is_expired(now)) {
            self.idle.pop_front();
        }
        let is_rested = self.idle.front().is_some_and(|line| line.is_rested(now));
        let takes_idle = is_rested || !may_be_more && trust == Trust::All;
        let line = if takes_idle { self.idle.pop_front() } else { None };
        match line {
            Some(line) => Choice::Idle(line),
            None if may_be_more || trust == Trust::All => Choice::New,
            None => {
                // This connection takes the place of a line that has not rested.
                self.idle.pop_front();
                Choice::Single
            }
        }
    }
}

/// The request ids of the latest answers, as hashes.
#[derive(Default)]
struct Recent {
    order: VecDeque<u64>,
    known: HashSet<u64>,
    hasher: RandomState,
}

impl Recent {
    /// Checks whether an id was not seen lately, and remembers a new id.
    fn remember_if_new(&mut self, id: &str) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_of_its_own_keeps_a_line() {
        let mut recent = Recent::default();
        for (id, is_new) in [("TID1", true), ("TID2", true), ("TID1", false), ("TID2", false)] {
            assert_eq!(recent.remember_if_new(id), is_new, "{id}");
        }
        for n in 0..REMEMBERED {
            assert!(recent.remember_if_new(&format!("another {n}")));
        }
        assert!(recent.remember_if_new("TID1"), "what is long past is forgotten");
        assert_eq!(recent.known.len(), REMEMBERED);
    }

    #[test]
    fn a_line_is_idle_for_less_than_its_server_says() {
        for (said, idle) in [
            (KeepAlive::Unspecified, 800),
            (KeepAlive::Timeout(Duration::from_secs(1)), 500),
            (KeepAlive::Timeout(Duration::from_secs(5)), 2500),
            (KeepAlive::Timeout(Duration::from_secs(75)), 4000),
            (KeepAlive::Timeout(Duration::ZERO), 0),
            (KeepAlive::Close, 0),
        ] {
            assert_eq!(said.idle(), Duration::from_millis(idle), "{said:?}");
        }
    }
}
