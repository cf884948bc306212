//! HTTP edge of the sandbox: reads a request, asks the world for a decision, waits, and answers.
//!
//! Must hold: a request is decided, counted and logged before any part of its answer leaves. So a
//! client that goes away has been charged all the same, as at the real vendor.
//!
//! Never: keeps more than 64 KiB of a body, or logs the content of a request.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::{Method, Request, Response, StatusCode};

use super::answer::{Answer, Shape};
use super::calls::{CallLog, Record};
use super::endings::mix;
use super::options::{Accepts, SandboxOptions};
use super::request::{self, Account, Subject};
use super::wire::{self, Marks, Stamp};
use super::world::{Decision, Stats, World};

const ENDPOINT: &str = "/verify/id_name";
const JSON: &str = "application/json";
/// Largest body that is kept, in bytes.
const MAX_BODY: usize = 64 * 1024;
/// Largest body that is read to its end, in bytes. For a larger body the connection is cut.
const MAX_DISCARDED: usize = 1024 * 1024;
const API_ID: HeaderName = HeaderName::from_static("x-df-api-id");
const API_SECRET: HeaderName = HeaderName::from_static("x-df-api-secret");

/// State of the server, shared by its connections.
pub(super) struct Shared {
    state: Mutex<State>,
    started: Instant,
    /// Time of the start, since the epoch. Later times are counted from it.
    epoch: Duration,
    latency: Duration,
    accepts: Accepts,
}

struct State {
    world: World,
    stamp: Stamp,
    log: Option<CallLog>,
    not_found: u64,
}

impl Shared {
    pub(super) fn new(options: &SandboxOptions, log: Option<CallLog>) -> Self {
        let epoch = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            state: Mutex::new(State {
                world: World::new(options),
                stamp: Stamp::new(),
                log,
                not_found: 0,
            }),
            started: Instant::now(),
            epoch: epoch.unwrap_or_default(),
            latency: options.latency,
            accepts: options.accepts,
        }
    }

    pub(super) fn stats(&self) -> Stats {
        self.state().world.stats(self.started.elapsed())
    }

    /// Takes the log out, so that the caller can finish it. Nothing is logged after this.
    pub(super) fn take_log(&self) -> Option<CallLog> {
        self.state().log.take()
    }

    fn decide(
        &self,
        arrived: Duration,
        account: Account,
        subject: Result<&Subject, Answer>,
    ) -> (Decision, Marks) {
        let mut state = self.state();
        let decision = state.world.decide(arrived, account, subject);
        if let Some(log) = &state.log {
            let at = self.epoch + arrived;
            log.record(Record {
                at_us: u64::try_from(at.as_micros()).unwrap_or(u64::MAX),
                pair: subject.ok().map(|subject| subject.pair),
                answer: decision.answer,
                nth: decision.nth,
            });
        }
        let serial = state.world.requests();
        let marks = self.marks(&mut state, serial, decision.draw, arrived);
        (decision, marks)
    }

    fn not_found(&self) -> Marks {
        let mut state = self.state();
        state.not_found += 1;
        // Counted down from the top. The numbers of requests are counted up, so the two never meet.
        let serial = u64::MAX - state.not_found;
        self.marks(&mut state, serial, 0, self.started.elapsed())
    }

    fn marks(&self, state: &mut State, serial: u64, draw: u32, now: Duration) -> Marks {
        let high = mix(self.epoch.as_nanos() as u64 ^ serial);
        let second = (self.epoch + now).as_secs();
        Marks {
            request_id: u128::from(high) << 64 | u128::from(mix(high)),
            draw,
            handle_time: state.stamp.at(second.cast_signed()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Counters are consistent at every moment, so a panic elsewhere does not damage them.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Error that ends a connection without an answer, or without the rest of an answer.
#[derive(Debug, thiserror::Error)]
#[error("the sandbox cut the connection, as asked")]
pub(super) struct CutOff;

/// Answers one request. An error cuts the connection.
pub(super) async fn handle(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Reply>, CutOff> {
    let (http, body) = match (request.method(), request.uri().path()) {
        (&Method::POST, ENDPOINT) => return verify(&shared, request).await,
        (&Method::GET, "/stats") => (200, serde_json::to_vec(&shared.stats()).map_err(|_| CutOff)?),
        _ => (404, wire::not_found(&shared.not_found())),
    };
    Ok(response(http, JSON, Reply::whole(body)))
}

async fn verify(shared: &Shared, request: Request<Incoming>) -> Result<Response<Reply>, CutOff> {
    let arrived = shared.started.elapsed();
    let (parts, body) = request.into_parts();
    let header =
        |name: &HeaderName| parts.headers.get(name).map_or(&b""[..], HeaderValue::as_bytes);
    let account = request::account(header(&API_ID), header(&API_SECRET));
    let subject = match read(body).await? {
        Some(body) => request::subject(header(&CONTENT_TYPE), &body, shared.accepts),
        None => Err(Answer::TooLarge),
    };
    let subject = subject.as_ref().map_err(|answer| *answer);
    let (decision, marks) = shared.decide(arrived, account, subject);
    let wait = shared.latency + decision.extra;
    if !wait.is_zero() {
        tokio::time::sleep(wait).await;
    }
    answer(decision.answer, subject.ok(), &marks).await
}

async fn answer(
    answer: Answer,
    subject: Option<&Subject>,
    marks: &Marks,
) -> Result<Response<Reply>, CutOff> {
    let terms = answer.terms();
    let body = || wire::body(answer, subject, marks);
    let mut response = match terms.shape {
        Shape::Hang => return std::future::pending().await,
        Shape::Cut => return Err(CutOff),
        Shape::CutBody => response(terms.http, JSON, Reply::half(body())),
        Shape::Page => response(terms.http, "text/html", Reply::whole(body())),
        Shape::Verdict { .. } | Shape::Echo | Shape::Refusal { .. } => {
            response(terms.http, JSON, Reply::whole(body()))
        }
    };
    if answer == Answer::RateLimitedRetryAfter {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    Ok(response)
}

/// Reads a whole body. Returns `None` if the body is larger than [`MAX_BODY`], and an error if it
/// is larger than [`MAX_DISCARDED`] or breaks off.
async fn read(mut body: Incoming) -> Result<Option<Vec<u8>>, CutOff> {
    let mut bytes = Vec::new();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| CutOff)?.into_data() else {
            continue;
        };
        length += data.len();
        if length > MAX_DISCARDED {
            return Err(CutOff);
        }
        if length <= MAX_BODY {
            bytes.extend_from_slice(&data);
        }
    }
    Ok((length <= MAX_BODY).then_some(bytes))
}

fn response(http: u16, kind: &'static str, reply: Reply) -> Response<Reply> {
    let mut response = Response::new(reply);
    *response.status_mut() = StatusCode::from_u16(http).unwrap_or_default();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// Body of an answer. Its end may never come.
pub(super) struct Reply {
    bytes: Bytes,
    missing: u64,
    flushed: bool,
}

impl Reply {
    fn whole(bytes: Vec<u8>) -> Self {
        Self { bytes: bytes.into(), missing: 0, flushed: false }
    }

    /// Returns a body that announces its whole length, but breaks off after the first half.
    fn half(mut bytes: Vec<u8>) -> Self {
        let whole = bytes.len();
        bytes.truncate(whole / 2);
        Self { missing: (whole - bytes.len()) as u64, bytes: bytes.into(), flushed: false }
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = CutOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CutOff>>> {
        if !self.bytes.is_empty() {
            let bytes = std::mem::take(&mut self.bytes);
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        if self.missing == 0 {
            return Poll::Ready(None);
        }
        if !self.flushed {
            // If a body fails, hyper drops the bytes that it has buffered. A pause makes hyper
            // flush them first.
            self.flushed = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(CutOff)))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty() && self.missing == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.len() as u64 + self.missing)
    }
}
