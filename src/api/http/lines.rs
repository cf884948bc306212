//! Lines to the vendor: a client with one connection each, for one call at a time.
//!
//! HTTP/1.1 ties an answer to its call by nothing but the order on the connection. A server, or a gateway before it, that
//! answers one call twice shifts all that follow: each row would get the verdict of the row before. So a line is used
//! again only after an answer that was its call's own: one with a request id that no earlier answer had.
//!
//! Must hold: a line never has two calls under way; one whose answer is lost, is not the vendor's, or came before is
//! closed; one that idles is not used again when its server may close it. Never: sends anything by itself.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hyper_util::client::legacy::connect::HttpInfo;
use reqwest::{Client, Request, Response};
use tokio::task::yield_now;

use super::clients::Clients;
use super::keeping::{Keeping, Tick, Trust};
use super::{ApiError, Options, causes};

/// A line that was idle for so long is not used again where its server says nothing: one that closes it in the moment of
/// a send would make a doubt.
const IDLE: Duration = Duration::from_millis(800);
/// No server's word makes it longer than this.
const LONGEST_IDLE: Duration = Duration::from_secs(4);
/// A line that was used this lately is taken as it is.
const FRESH: Duration = Duration::from_millis(1);
/// A connection that ended so soon after an answer ended because of it.
const SOON: Duration = Duration::from_secs(1);
/// A line rests so long before it is used again, while more of them may be made: an answer that nobody asked for comes
/// meanwhile, and closes it.
const REST: Duration = Duration::from_millis(100);
/// Request ids that are remembered: an answer that comes again does so soon.
const REMEMBERED: usize = 16_384;

/// All lines that are not in use.
pub(super) struct Lines {
    pub(super) clients: Clients,
    /// Its connections serve one call each.
    single: Client,
    state: Mutex<State>,
    begun: Instant,
    /// Each line has a share in it: their number is known.
    share: Arc<()>,
    most: usize,
}

struct State {
    /// By when they were put back. The first of them is taken first.
    idle: VecDeque<Line>,
    recent: Recent,
    keeping: Keeping,
    /// Lines of an earlier age are not used again.
    age: u64,
}

/// A client for one call at a time.
pub(super) struct Line {
    client: Client,
    /// Its share in the count of lines; `None`: its connection serves this call alone.
    share: Option<Arc<()>>,
    age: u64,
    /// Its last answer, where one came.
    last: Option<Last>,
    /// The moment at which it was taken for its call.
    taken: Instant,
}

/// The last answer on a line.
struct Last {
    connection: Option<SocketAddr>,
    at: Instant,
    /// The line is not used again once it was idle for so long.
    idle: Duration,
}

/// The time for which a server keeps a connection after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeptFor {
    /// It says nothing.
    Unsaid,
    /// `Keep-Alive: timeout=`.
    Said(Duration),
    /// It closes it now.
    Closed,
}

impl KeptFor {
    /// The longest time for which the line may be idle.
    fn idle(self) -> Duration {
        match self {
            Self::Unsaid => IDLE,
            // Its clock began when it sent, and our next call takes its time to get there.
            Self::Said(timeout) => (timeout / 2).min(LONGEST_IDLE),
            Self::Closed => Duration::ZERO,
        }
    }
}

/// Whose answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// For all that can be told, the call's own.
    Own,
    /// An earlier call's: it came before.
    Earlier,
}

impl Line {
    /// Sends a call.
    pub(super) async fn ask(&self, call: Request) -> Result<Response, reqwest::Error> {
        self.client.execute(call).await
    }

    /// True if its connection serves other calls after this one.
    pub(super) const fn is_kept(&self) -> bool {
        self.share.is_some()
    }

    /// For how long nothing was asked on it; `None` where nothing ever was.
    fn idle(&self, now: Instant) -> Option<(Duration, &Last)> {
        self.last.as_ref().map(|last| (now.saturating_duration_since(last.at), last))
    }

    fn is_worn(&self, now: Instant) -> bool {
        self.idle(now).is_some_and(|(idle, last)| idle >= last.idle)
    }

    fn is_rested(&self, now: Instant) -> bool {
        self.idle(now).is_none_or(|(idle, last)| idle >= REST.min(last.idle / 2))
    }
}

impl Lines {
    pub(super) fn new(options: &Options) -> Result<Self, ApiError> {
        let clients = Clients::new(options)?;
        let single = clients.for_single_calls();
        let single = single.map_err(|error| ApiError::Client(causes(&error)))?;
        let keeping = Keeping::new(options.keep_alive);
        let state = State { idle: VecDeque::new(), recent: Recent::default(), keeping, age: 0 };
        let (begun, share) = (Instant::now(), Arc::default());
        Ok(Self { clients, single, state: Mutex::new(state), begun, share, most: options.lines })
    }

    /// A line that nobody uses. Who drops it closes it.
    pub(super) async fn take(&self) -> Result<Line, reqwest::Error> {
        let now = Instant::now();
        let (choice, age) = {
            let mut state = self.state();
            // The count holds one share more than there are lines.
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
                    // What came unasked meanwhile closes the connection, once the runtime has looked at its socket and
                    // its task has run: it must not pass for the answer to this call.
                    yield_now().await;
                    yield_now().await;
                }
                Ok(Line { taken: now, ..line })
            }
        }
    }

    /// An answer began to come on this line. Where its connection is not the one of the answer before, that one has ended,
    /// though nobody had announced it: then no other line is trusted any more, and all are closed. Says which connection
    /// this is.
    pub(super) fn answered(&self, line: &mut Line, answer: &Response) -> Option<SocketAddr> {
        let connection = answer.extensions().get::<HttpInfo>().map(HttpInfo::local_addr);
        if let Some((idle, last)) = line.idle(line.taken)
            && last.connection != connection
            && idle < SOON
        {
            let mut state = self.state();
            state.keeping.ended_unannounced(self.begun.elapsed());
            state.age += 1;
            state.idle.clear();
            // Its own connection is a new one.
            line.age = state.age;
        }
        connection
    }

    /// True if no earlier answer had this request id.
    pub(super) fn is_new(&self, id: &str) -> bool {
        let is_new = self.state().recent.is_new(id);
        if !is_new {
            tracing::warn!(
                "an answer has the request id of an earlier one, so it is not its call's: the connection is closed"
            );
        }
        is_new
    }

    /// Gives a line back after an answer with this request id, or closes it.
    pub(super) fn put_back(
        &self,
        line: Line,
        connection: Option<SocketAddr>,
        kept_for: KeptFor,
        id: Option<&str>,
    ) -> Whose {
        // Nothing tells whose it is; then the next would be guessed.
        let Some(id) = id else { return Whose::Own };
        if !self.is_new(id) {
            return Whose::Earlier;
        }
        let idle = kept_for.idle();
        // The client has its connection back: the connection's task, and the one that hands it back, run before the one that
        // waits for the answer. Else it would make a second one for the next call.
        if line.is_kept() && !idle.is_zero() {
            let last = Some(Last { connection, at: Instant::now(), idle });
            let mut state = self.state();
            if line.age == state.age {
                state.idle.push_back(Line { last, ..line });
            }
        }
        Whose::Own
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The line for a call.
enum Choice {
    /// One that is idle.
    Idle(Line),
    /// A new one.
    New,
    /// None: a connection for this call alone.
    Single,
}

impl State {
    /// Chooses the line that was idle for longest, if it has rested. Those that were idle for too long are closed.
    fn choose(&mut self, now: Instant, tick: Tick, may_be_more: bool) -> Choice {
        let trust = self.keeping.trust(tick);
        if trust == Trust::None {
            self.idle.clear();
            return Choice::Single;
        }
        while self.idle.front().is_some_and(|line| line.is_worn(now)) {
            self.idle.pop_front();
        }
        let is_rested = self.idle.front().is_some_and(|line| line.is_rested(now));
        let takes_idle = is_rested || !may_be_more && trust == Trust::All;
        let line = if takes_idle { self.idle.pop_front() } else { None };
        match line {
            Some(line) => Choice::Idle(line),
            None if may_be_more || trust == Trust::All => Choice::New,
            None => {
                // It takes the room of one that has not rested.
                self.idle.pop_front();
                Choice::Single
            }
        }
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
    /// True if an id was not seen lately; then it is remembered.
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

    #[test]
    fn a_line_is_idle_for_less_than_its_server_says() {
        for (said, idle) in [
            (KeptFor::Unsaid, 800),
            (KeptFor::Said(Duration::from_secs(1)), 500),
            (KeptFor::Said(Duration::from_secs(5)), 2500),
            (KeptFor::Said(Duration::from_secs(75)), 4000),
            (KeptFor::Said(Duration::ZERO), 0),
            (KeptFor::Closed, 0),
        ] {
            assert_eq!(said.idle(), Duration::from_millis(idle), "{said:?}");
        }
    }
}
