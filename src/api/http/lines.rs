//! Lines to the vendor: one connection each, for one call at a time.
//!
//! HTTP/1.1 ties an answer to its call by nothing but the order on the connection. A server, or a gateway before it, that
//! answers one call twice shifts all that follow: each row would get the verdict of the row before. So a line is used
//! again only after an answer that was its call's own: one with a request id that no earlier answer had.
//!
//! Must hold: a line never has two calls under way; one whose answer is lost, is not the vendor's, or came before is
//! closed. Never: sends anything by itself.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, Response};

use super::dial::Dialer;
use super::{ApiError, Options, causes};
use crate::model::class::{Lost, NotSent};
use crate::model::reply::Fault;

/// Idle connections are dropped early: a server that closes one in the moment of a send would make
/// a doubt.
const IDLE: Duration = Duration::from_secs(4);
/// A line that was used this lately is taken as it is.
const FRESH: Duration = Duration::from_millis(1);
/// Request ids that are remembered: an answer that comes again does so soon.
const REMEMBERED: usize = 16_384;

/// What is sent: its body is whole in memory.
pub(super) type Call = Request<Full<Bytes>>;

/// All lines that are not in use.
pub(super) struct Lines {
    dialer: Dialer,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By how long they are idle. The last one put back is the first to be taken: as few as needed are kept warm.
    idle: VecDeque<Line>,
    recent: Recent,
}

/// One connection.
pub(super) struct Line {
    sender: SendRequest<Full<Bytes>>,
    /// Since when nothing is asked on it.
    idle: Instant,
}

/// Why a line gave no answer.
enum Silent {
    /// It closed before anything of the call was written: here it is again.
    Unsent(Box<Call>),
    /// The call may have left.
    Cut,
}

impl Line {
    async fn ask(&mut self, call: Call) -> Result<Response<Incoming>, Silent> {
        self.sender.try_send_request(call).await.map_err(|mut error| match error.take_message() {
            Some(call) => Silent::Unsent(Box::new(call)),
            None => Silent::Cut,
        })
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

impl Lines {
    pub(super) fn new(options: &Options) -> Result<Self, ApiError> {
        Ok(Self { dialer: Dialer::new(options)?, state: Mutex::default() })
    }

    /// One call on a line of its own, and that line. Who drops it closes it.
    pub(super) async fn ask(&self, mut call: Call) -> Result<(Line, Response<Incoming>), Fault> {
        // Each that fails is gone.
        while let Some(mut line) = self.take().await {
            match line.ask(call).await {
                Ok(answer) => return Ok((line, answer)),
                Err(Silent::Unsent(back)) => call = *back,
                Err(Silent::Cut) => return Err(Fault::InDoubt(Lost::Cut)),
            }
        }
        let mut line = self.connect().await.ok_or(Fault::NotSent(NotSent::Connect))?;
        match line.ask(call).await {
            Ok(answer) => Ok((line, answer)),
            Err(Silent::Unsent(_)) => Err(Fault::NotSent(NotSent::Connect)),
            Err(Silent::Cut) => Err(Fault::InDoubt(Lost::Cut)),
        }
    }

    /// An idle line that still stands.
    async fn take(&self) -> Option<Line> {
        loop {
            let line = self.state().take()?;
            if line.idle.elapsed() > FRESH || !line.sender.is_ready() {
                // What came unasked meanwhile closes the connection, once the runtime has looked at its socket and its
                // task has run: it must not pass for the answer to this call.
                tokio::task::yield_now().await;
                tokio::task::yield_now().await;
            }
            if line.sender.is_ready() {
                return Some(line);
            }
        }
    }

    async fn connect(&self) -> Option<Line> {
        let refused = |error: &dyn std::error::Error| {
            tracing::debug!(error = causes(error), "no connection to the vendor");
        };
        let io = self.dialer.dial().await.map_err(|error| refused(&*error)).ok()?;
        let (sender, connection) = handshake(io).await.map_err(|error| refused(&error)).ok()?;
        // It ends with its line. What goes wrong is told to whoever waits for an answer.
        tokio::spawn(connection);
        Some(Line { sender, idle: Instant::now() })
    }

    /// Gives a line back after an answer with this request id, or closes it.
    pub(super) fn put_back(&self, line: Line, id: Option<&str>) -> Whose {
        let mut state = self.state();
        match id {
            // Nothing tells whose it is; then the next would be guessed.
            None => Whose::Own,
            Some(id) if state.recent.is_new(id) => {
                state.idle.push_back(Line { idle: Instant::now(), ..line });
                Whose::Own
            }
            Some(_) => {
                tracing::warn!(
                    "an answer has the request id of an earlier one, so it is not its call's: the connection is closed"
                );
                Whose::Earlier
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The line that was put back last; those that idle for long are closed.
    fn take(&mut self) -> Option<Line> {
        while self.idle.front().is_some_and(|line| line.idle.elapsed() > IDLE) {
            self.idle.pop_front();
        }
        self.idle.pop_back()
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
