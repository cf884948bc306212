//! Sends calls to the vendor over HTTP. This is the only module with an HTTP client.
//!
//! Must hold:
//! - a call leaves this machine at most once: no redirect is followed, and there is no hidden
//!   retry;
//! - a fault states truthfully whether its call may have left;
//! - no call gets the answer of another call;
//! - the size of a body is bounded;
//! - credentials are never printed, leave unencrypted only to this machine itself, and are removed
//!   from the texts that come back.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::{Duration, SystemTime};

use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, DATE,
    HOST, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, TRANSFER_ENCODING, USER_AGENT,
};
use reqwest::{Method, Request, Version};
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use url::{Position, Url};

mod clients;
mod failure;
mod keeping;
mod lines;
mod options;
mod proxy;

use lines::{AnswerOwner, KeepAlive, Lines};
use options::AGENT;
pub use options::ClientOptions;

use super::credentials::Credentials;
use super::error::ApiError;
use super::text::{self, Form};
use super::{Verifier, describe, wire};
use crate::model::class::{Lost, NotSent};
use crate::model::reply::{Body, Fault, Remains, Reply, Response};
use crate::model::subject::Subject;
use crate::model::texts::Text;
use crate::rules::body::BodyKind;

/// A timer that fires this late suggests that the whole process was stopped meanwhile.
const LATE: Duration = Duration::from_millis(50);
/// Extra time for an answer that came while the process was stopped. Such an answer is already
/// waiting in its socket.
const GRACE_AFTER_STOP: Duration = Duration::from_secs(2);
/// The [`Verifier`] that calls the vendor over HTTP.
pub struct HttpVerifier {
    lines: Lines,
    /// Headers of a call with a JSON body, and of a call with a form body.
    headers: [HeaderMap; 2],
    credentials: Credentials,
    timeout: Duration,
}

impl HttpVerifier {
    /// Creates a verifier. Nothing is sent yet.
    ///
    /// # Errors
    /// - [`ApiError::Secret`]: an HTTP header cannot carry one of the credentials.
    /// - [`ApiError::CaCert`]: the CA file cannot be read, or contains no usable certificate.
    /// - [`ApiError::Proxy`]: a proxy variable does not contain a usable address.
    /// - [`ApiError::Client`]: the HTTP client cannot be built.
    pub fn new(options: &ClientOptions) -> Result<Self, ApiError> {
        let (lines, url) = (Lines::new(options)?, options.base.endpoint());
        let headers = |kind| headers(&url, &options.credentials, kind);
        let headers = [headers(BodyKind::Json)?, headers(BodyKind::Form)?];
        let (credentials, timeout) = (options.credentials.clone(), options.timeout);
        Ok(Self { lines, headers, credentials, timeout })
    }

    /// Sends one call on a line that no other call uses. The line is kept for the next call only if
    /// the answer belonged to this call.
    async fn call(&self, subject: &Subject, kind: BodyKind) -> Reply {
        let timer = pin!(sleep_until(Instant::now() + self.timeout));
        let mut due = CallDeadline(timer);
        let Ok(mut line) = self.lines.take().await else {
            let cause = "the HTTP client could not be made".to_owned();
            return Reply::Fault(Fault::NotSent(NotSent::Connect, cause));
        };
        let request = self.request(subject, kind, line.is_kept());
        let mut answer = match due.wait(pin!(line.ask(request))).await {
            Some(Ok(answer)) => answer,
            // This future is boxed because it is rarely needed and larger than all the others.
            Some(Err(error)) => {
                return Reply::Fault(Box::pin(self.lines.clients.fault(&error)).await);
            }
            None => return Reply::Fault(Fault::lost(Lost::Timeout)),
        };
        let connection = self.lines.answered(&mut line, &answer);
        let head = Head::of(&mut answer);
        let mut bytes = Vec::new();
        let came = due.wait(pin!(read(&mut answer, &mut bytes))).await;
        // After a complete answer, nothing keeps its connection busy any more.
        drop(answer);
        let mut response = match came {
            Some(Ok(Size::Whole)) => self.complete_response(&head, &bytes, subject),
            Some(Ok(Size::TooLarge)) => self.foreign_response(&head, None, subject),
            Some(Err(_)) => {
                return Reply::Fault(self.broken_off_fault(Lost::Cut, &head, &bytes, subject));
            }
            None => {
                return Reply::Fault(self.broken_off_fault(Lost::Timeout, &head, &bytes, subject));
            }
        };
        // An answer that is not the vendor's closes its line: the line is dropped on return.
        let Body::Vendor(texts) = &mut response.body else { return Reply::Response(response) };
        let id = distinguishing_id(texts.get(Text::RequestId));
        match self.lines.put_back(line, connection, head.kept_for(), id) {
            AnswerOwner::ThisCall => {
                self.credentials.hide_in(texts.present_mut(), subject);
                Reply::Response(response)
            }
            AnswerOwner::EarlierCall => Reply::Fault(Fault::lost(Lost::Repeated)),
        }
    }

    /// Converts a complete answer to a response. The first reading of the body that is the vendor's
    /// answer is used.
    fn complete_response(&self, head: &Head, bytes: &[u8], subject: &Subject) -> Response {
        let readings = text::readings(bytes, head.form());
        match readings.iter().find_map(|text| wire::answer(text)) {
            Some(body) => {
                let body = Body::Vendor(Box::new(body));
                Response { http: head.http, retry_after: head.retry_after(), body }
            }
            None => self.foreign_response(head, readings.first().map(AsRef::as_ref), subject),
        }
    }

    /// Converts an answer that is not the vendor's, or that cannot be read, to a response.
    fn foreign_response(&self, head: &Head, text: Option<&str>, subject: &Subject) -> Response {
        let kind = head.form().content_type;
        let told = describe::description(head.http, kind, text, subject, &self.credentials);
        let remains = text.map(|text| self.remains(text, subject)).unwrap_or_default();
        // If the texts belong to another call, they are dropped. The HTTP status is still used.
        let remains = if self.claims_repeated_id(&remains) { Remains::default() } else { remains };
        let remains = Remains { description: Some(told), ..remains };
        let body = Body::Foreign(Box::new(remains));
        Response { http: head.http, retry_after: head.retry_after(), body }
    }

    /// Converts an answer that broke off to a fault.
    fn broken_off_fault(&self, why: Lost, head: &Head, bytes: &[u8], subject: &Subject) -> Fault {
        let readings = text::readings(bytes, head.form());
        let remains = readings.first().map(|text| self.remains(text, subject)).unwrap_or_default();
        match self.claims_repeated_id(&remains) {
            true => Fault::lost(Lost::Repeated),
            false => Fault::InDoubt(why, Box::new(remains)),
        }
    }

    /// Checks whether an earlier answer had the same request id. A new id is remembered.
    fn claims_repeated_id(&self, remains: &Remains) -> bool {
        distinguishing_id(remains.request_id.as_deref())
            .is_some_and(|id| !self.lines.remember_if_new(id))
    }

    fn remains(&self, text: &str, subject: &Subject) -> Remains {
        let mut remains = wire::remains(text);
        self.credentials.hide_in(remains.each_mut().into_iter().flatten(), subject);
        remains
    }

    fn request(&self, subject: &Subject, kind: BodyKind, is_line_kept: bool) -> Request {
        let [json, form] = &self.headers;
        let headers = match kind {
            BodyKind::Json => json,
            BodyKind::Form => form,
        };
        let mut request = Request::new(Method::POST, self.lines.clients.url.clone());
        *request.body_mut() = Some(wire::request(subject, kind).into());
        request.headers_mut().clone_from(headers);
        if !is_line_kept {
            request.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        request
    }
}

impl Verifier for HttpVerifier {
    async fn verify(&self, subject: &Subject, kind: BodyKind) -> Reply {
        self.call(subject, kind).await
    }
}

/// The deadline of a call.
struct CallDeadline<'a>(Pin<&'a mut Sleep>);

impl CallDeadline<'_> {
    /// Waits for a part of the call until the deadline, and returns `None` after it. If the
    /// deadline passed while the whole process was stopped (SIGSTOP, a frozen container), the
    /// answer may have come meanwhile. In that case the part gets a little more time.
    async fn wait<T>(&mut self, mut part: Pin<&mut impl Future<Output = T>>) -> Option<T> {
        let in_time = poll_fn(|cx| match part.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending => self.0.as_mut().poll(cx).map(|()| None),
        });
        if let Some(done) = in_time.await {
            return Some(done);
        }
        if Instant::now() < self.0.deadline() + LATE {
            return None;
        }
        timeout(GRACE_AFTER_STOP, part).await.ok()
    }
}

/// The head of an answer: its status, version and headers.
struct Head {
    http: u16,
    version: Version,
    headers: HeaderMap,
}

impl Head {
    /// Takes the head out of an answer.
    fn of(answer: &mut reqwest::Response) -> Self {
        let (http, version) = (answer.status().as_u16(), answer.version());
        Self { http, version, headers: std::mem::take(answer.headers_mut()) }
    }

    fn text(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Returns the headers that describe how the body encodes its text.
    fn form(&self) -> Form<'_> {
        Form {
            content_type: self.text(CONTENT_TYPE),
            content_encoding: self.text(CONTENT_ENCODING),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        let wanted = self.text(RETRY_AFTER)?;
        // A date refers to the server's clock, and this machine's clock may differ.
        let now = self.text(DATE).and_then(|date| httpdate::parse_http_date(date).ok());
        wire::retry_after(wanted, now.unwrap_or_else(SystemTime::now))
    }

    /// Returns how long the server keeps the connection after this answer.
    fn kept_for(&self) -> KeepAlive {
        let has_end = self.headers.contains_key(CONTENT_LENGTH)
            || self.headers.contains_key(TRANSFER_ENCODING);
        let says = |wanted: &str| self.words(CONNECTION).any(|word| word == wanted);
        let is_old = self.version < Version::HTTP_11 && !says("keep-alive");
        if says("close") || is_old || !has_end {
            return KeepAlive::Close;
        }
        let seconds = self.words(HeaderName::from_static("keep-alive")).find_map(|word| {
            word.strip_prefix("timeout")?.trim().strip_prefix('=')?.trim().parse().ok()
        });
        seconds.map_or(KeepAlive::Unspecified, |seconds| {
            KeepAlive::Timeout(Duration::from_secs(seconds))
        })
    }

    /// Returns the elements of a header that is a comma-separated list, in lower case.
    fn words(&self, name: HeaderName) -> impl Iterator<Item = String> {
        let values = self.headers.get_all(name).into_iter();
        let values = values.filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).map(|word| word.trim().to_ascii_lowercase())
    }
}

/// The result of reading a body.
enum Size {
    Whole,
    /// The body has more bytes than are read.
    TooLarge,
}

/// Reads a body into `bytes`. If the body breaks off, `bytes` contains the part that came.
async fn read(answer: &mut reqwest::Response, bytes: &mut Vec<u8>) -> Result<Size, reqwest::Error> {
    while let Some(chunk) = answer.chunk().await? {
        if bytes.len() + chunk.len() > text::LARGEST {
            return Ok(Size::TooLarge);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Size::Whole)
}

/// Returns the request id if it can tell answers apart. A text without a digit, such as an empty
/// text or "N/A", may be the same in all answers.
fn distinguishing_id(id: Option<&str>) -> Option<&str> {
    id.filter(|id| id.bytes().any(|b| b.is_ascii_digit()))
}

/// Returns the headers of all calls with this kind of body.
fn headers(url: &Url, credentials: &Credentials, kind: BodyKind) -> Result<HeaderMap, ApiError> {
    let secret = |text: &str, variable| {
        let mut value = HeaderValue::from_str(text).map_err(|_| ApiError::Secret(variable))?;
        value.set_sensitive(true);
        Ok::<_, ApiError>(value)
    };
    let host = HeaderValue::from_str(&url[Position::BeforeHost..Position::AfterPort]);
    let mut headers = HeaderMap::new();
    headers.insert(HOST, host.map_err(|error| ApiError::client(&error))?);
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(wire::content_type(kind)));
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    // Without this header, the server may compress the body in any way.
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert("x-df-api-id", secret(&credentials.id, "CEKNIK_API_ID")?);
    headers.insert("x-df-api-secret", secret(&credentials.secret, "CEKNIK_API_SECRET")?);
    Ok(headers)
}
