//! The vendor over HTTP: the only place with an HTTP client.
//!
//! Must hold: one call leaves at most once (no redirect is followed, no hidden retry is made),
//! a fault says truthfully whether it may have left, no call gets the answer of another, and bodies are bounded. The
//! credentials are marked so that they cannot print, leave in clear for nothing but this machine itself, and are taken out
//! of what comes back.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::pin::pin;
use std::time::{Duration, SystemTime};

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{
    ACCEPT, CONTENT_TYPE, DATE, HOST, HeaderMap, HeaderValue, RETRY_AFTER, USER_AGENT,
};
use hyper::{Method, Request, Uri};
use tokio::time::{Instant, timeout, timeout_at};
use url::{Position, Url};

mod dial;
mod lines;
mod tls;

use lines::{Call, Lines, Whose};

use super::origin::BaseUrl;
use super::{ApiError, Verifier, wire};
use crate::model::class::Lost;
use crate::model::reply::{Body, Fault, Reply, Response};
use crate::model::subject::Subject;
use crate::rules::body::BodyKind;

/// What we call ourselves.
const AGENT: &str = concat!("ceknik/", env!("CARGO_PKG_VERSION"));
/// A response body is read up to here; a larger one is not the vendor's.
const LARGEST_BODY: usize = 256 * 1024;
/// A timer that fires this late may have stood still along with the whole process.
const LATE: Duration = Duration::from_millis(50);
/// How long an answer may still take that came while the process was stopped: it waits in its socket.
const LAST_LOOK: Duration = Duration::from_secs(2);
/// What is shorter is no secret, and may be any word.
const SHORTEST_SECRET: usize = 6;

/// The account's id and secret. They never print.
#[derive(Clone)]
pub struct Credentials {
    /// `X-DF-API-ID`.
    pub id: String,
    /// `X-DF-API-SECRET`.
    pub secret: String,
}

impl Credentials {
    /// Takes them out of the texts of whoever says them again. Not where the customer is called so: a NIK or name with
    /// a hole in it would not be known for one, and the rest be kept.
    fn hide_in(&self, body: &mut Body, subject: &Subject) {
        let Body::Vendor(body) = body else { return };
        let name = subject.name.as_str().to_lowercase();
        let is_secret = |secret: &&str| {
            secret.len() >= SHORTEST_SECRET
                && !subject.nik.as_str().contains(secret)
                && !name.contains(&secret.to_lowercase())
        };
        let secrets = [self.secret.as_str(), self.id.as_str()];
        for text in body.texts.each_mut().into_iter().flatten() {
            for secret in secrets.into_iter().filter(is_secret) {
                if text.contains(secret) {
                    *text = text.replace(secret, "(hidden)");
                }
            }
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(hidden)")
    }
}

/// What the client needs to know.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the calls go.
    pub base: BaseUrl,
    /// The account.
    pub credentials: Credentials,
    /// The longest a call may take, from connecting to the body's end.
    pub timeout: Duration,
    /// The longest a connection may take to stand.
    pub connect_timeout: Duration,
    /// A PEM file of further root certificates.
    pub ca_cert: Option<PathBuf>,
    /// Whether the proxies of the environment are used.
    pub proxies: bool,
}

/// The vendor over HTTP.
pub struct HttpVerifier {
    lines: Lines,
    path: Uri,
    headers: HeaderMap,
    credentials: Credentials,
    timeout: Duration,
}

impl HttpVerifier {
    /// A client that has sent nothing yet.
    ///
    /// # Errors
    /// [`ApiError`] where an option cannot be used.
    pub fn new(options: &Options) -> Result<Self, ApiError> {
        let (url, lines) = (options.base.endpoint(), Lines::new(options)?);
        let path = url.path().parse().map_err(|e| ApiError::Client(causes(&e)))?;
        let headers = headers(&url, &options.credentials)?;
        let (credentials, timeout) = (options.credentials.clone(), options.timeout);
        Ok(Self { lines, path, headers, credentials, timeout })
    }

    /// One call on a line of its own. The line is kept for the next one only where its answer was this call's.
    async fn call(&self, subject: &Subject, kind: BodyKind) -> Reply {
        let (line, answer) = match self.lines.ask(self.request(subject, kind)).await {
            Ok(answered) => answered,
            Err(fault) => return Reply::Fault(fault),
        };
        let Ok(mut response) = read(answer).await else {
            return Reply::Fault(Fault::InDoubt(Lost::Cut));
        };
        match self.lines.put_back(line, id_of(&response)) {
            Whose::Own => {
                self.credentials.hide_in(&mut response.body, subject);
                Reply::Response(response)
            }
            Whose::Earlier => Reply::Fault(Fault::InDoubt(Lost::Repeated)),
        }
    }

    fn request(&self, subject: &Subject, kind: BodyKind) -> Call {
        let (body, content_type) = wire::request(subject, kind);
        let mut request = Request::new(body.into());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.path.clone();
        request.headers_mut().clone_from(&self.headers);
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        request
    }
}

impl Verifier for HttpVerifier {
    async fn verify(&self, subject: &Subject, kind: BodyKind) -> Reply {
        let reply = within(self.timeout, self.call(subject, kind)).await;
        reply.unwrap_or(Reply::Fault(Fault::InDoubt(Lost::Timeout)))
    }
}

/// Waits so long for a call, and looks once more where the time passed while the whole process was stopped (SIGSTOP, a
/// frozen container): its answer may have come.
async fn within<T>(limit: Duration, call: impl Future<Output = T>) -> Option<T> {
    let mut call = pin!(call);
    let due = Instant::now() + limit;
    if let Ok(done) = timeout_at(due, &mut call).await {
        return Some(done);
    }
    if Instant::now() < due + LATE {
        return None;
    }
    timeout(LAST_LOOK, call).await.ok()
}

async fn read(answer: hyper::Response<Incoming>) -> Result<Response, hyper::Error> {
    let http = answer.status().as_u16();
    let header = |name| answer.headers().get(name).and_then(|value| value.to_str().ok());
    // A date is meant by the server's own clock: ours may be off.
    let now = header(DATE).and_then(|date| httpdate::parse_http_date(date).ok());
    let now = now.unwrap_or_else(SystemTime::now);
    let retry_after = header(RETRY_AFTER).and_then(|value| wire::retry_after(value, now));
    let body = read_bounded(answer.into_body()).await?;
    Ok(Response { http, retry_after, body })
}

/// By what the vendor tells its answers apart. What is the same for all, such as an empty text or "N/A", is no id.
fn id_of(response: &Response) -> Option<&str> {
    let Body::Vendor(body) = &response.body else { return None };
    body.texts.request_id.as_deref().filter(|id| id.bytes().any(|b| b.is_ascii_digit()))
}

/// The whole body, or [`Body::Foreign`] where it is too large to be the vendor's.
async fn read_bounded(mut body: Incoming) -> Result<Body, hyper::Error> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        // A frame without data is a trailer.
        let Ok(chunk) = frame?.into_data() else { continue };
        if bytes.len() + chunk.len() > LARGEST_BODY {
            return Ok(Body::Foreign);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(wire::body(&bytes))
}

/// What all calls say alike.
fn headers(url: &Url, credentials: &Credentials) -> Result<HeaderMap, ApiError> {
    let secret = |text: &str, variable| {
        let mut value = HeaderValue::from_str(text).map_err(|_| ApiError::Secret(variable))?;
        value.set_sensitive(true);
        Ok(value)
    };
    let host = HeaderValue::from_str(&url[Position::BeforeHost..Position::AfterPort]);
    let mut headers = HeaderMap::new();
    headers.insert(HOST, host.map_err(|error| ApiError::Client(causes(&error)))?);
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert("x-df-api-id", secret(&credentials.id, "CEKNIK_API_ID")?);
    headers.insert("x-df-api-secret", secret(&credentials.secret, "CEKNIK_API_SECRET")?);
    Ok(headers)
}

/// An error with all that caused it: the HTTP client's own words alone say little.
fn causes(error: &dyn Error) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}
