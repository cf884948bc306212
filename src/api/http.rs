//! The vendor over HTTP: the only place with an HTTP client.
//!
//! What must hold: one call leaves at most once (no redirect is followed, no hidden retry is made),
//! a fault says truthfully whether it may have left, no call gets the answer of another, and bodies are bounded. The credentials are marked
//! so that they cannot print, leave in clear for nothing but this machine itself, and are taken out of what comes back.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::pin::pin;
use std::time::{Duration, SystemTime};

use reqwest::header::{ACCEPT, CONTENT_TYPE, DATE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Method, Request};
use tokio::time::{Instant, timeout, timeout_at};
use url::Url;

mod lines;
mod tls;

use lines::{Lines, Sequel};

use super::origin::BaseUrl;
use super::{ApiError, Verifier, wire};
use crate::model::class::{Lost, NotSent};
use crate::model::reply::{Body, Fault, Reply, Response};
use crate::model::subject::Subject;
use crate::rules::body::BodyKind;

/// A response body is read up to here; a larger one is not the vendor's.
const LARGEST_BODY: usize = 256 * 1024;
/// A timer that fires this late was stopped along with the whole process.
const STOPPED: Duration = Duration::from_secs(1);
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
    /// Takes them out of the texts of whoever says them again.
    fn hide_in(&self, body: &mut Body) {
        let Body::Vendor(body) = body else { return };
        let secrets = [self.secret.as_str(), self.id.as_str()];
        for text in body.texts.each_mut().into_iter().flatten() {
            for secret in secrets.into_iter().filter(|secret| secret.len() >= SHORTEST_SECRET) {
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
    /// Most calls in flight: as many idle connections are kept.
    pub concurrency: usize,
    /// A PEM file of further root certificates.
    pub ca_cert: Option<PathBuf>,
    /// Whether the proxies of the environment are used.
    pub proxies: bool,
}

/// The vendor over HTTP.
pub struct HttpVerifier {
    lines: Lines,
    url: Url,
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
        let (url, headers) = (options.base.endpoint(), headers(&options.credentials)?);
        let lines = Lines::new(options)?;
        let (credentials, timeout) = (options.credentials.clone(), options.timeout);
        Ok(Self { lines, url, headers, credentials, timeout })
    }

    /// One call on a line of its own. The line is kept for the next one only where its answer was this call's.
    async fn call(&self, subject: &Subject, kind: BodyKind) -> Reply {
        let Some(line) = self.lines.take().await else {
            return Reply::Fault(Fault::NotSent(NotSent::Unbuildable));
        };
        match exchange(line.client(), self.request(subject, kind)).await {
            Ok(mut response) => match self.lines.put_back(line, id_of(&response)) {
                Sequel::Own => {
                    self.credentials.hide_in(&mut response.body);
                    Reply::Response(response)
                }
                Sequel::Repeated => Reply::Fault(Fault::InDoubt(Lost::Repeated)),
            },
            Err(error) => Reply::Fault(fault(&error)),
        }
    }

    fn request(&self, subject: &Subject, kind: BodyKind) -> Request {
        let (body, content_type) = wire::request(subject, kind);
        let mut request = Request::new(Method::POST, self.url.clone());
        request.headers_mut().clone_from(&self.headers);
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        *request.body_mut() = Some(body.into());
        request
    }
}

impl Verifier for HttpVerifier {
    async fn verify(&self, subject: &Subject, kind: BodyKind) -> Reply {
        let reply = within(self.timeout, self.call(subject, kind)).await;
        reply.unwrap_or(Reply::Fault(Fault::InDoubt(Lost::Timeout)))
    }
}

/// Waits so long for a call, and a little longer where the time passed while the whole process was stopped (SIGSTOP, a
/// frozen container): its answer may have come.
async fn within<T>(limit: Duration, call: impl Future<Output = T>) -> Option<T> {
    let mut call = pin!(call);
    let due = Instant::now() + limit;
    if let Ok(done) = timeout_at(due, &mut call).await {
        return Some(done);
    }
    if Instant::now() < due + STOPPED {
        return None;
    }
    timeout(LAST_LOOK, call).await.ok()
}

async fn exchange(client: &Client, request: Request) -> Result<Response, reqwest::Error> {
    let mut response = client.execute(request).await?;
    let http = response.status().as_u16();
    let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
    // A date is meant by the server's own clock: ours may be off.
    let now = header(DATE).and_then(|date| httpdate::parse_http_date(date).ok());
    let now = now.unwrap_or_else(SystemTime::now);
    let retry_after = header(RETRY_AFTER).and_then(|value| wire::retry_after(value, now));
    let body = read_bounded(&mut response).await?;
    Ok(Response { http, retry_after, body })
}

/// By what the vendor tells its answers apart.
fn id_of(response: &Response) -> Option<&str> {
    match &response.body {
        Body::Vendor(body) => body.texts.request_id.as_deref(),
        Body::Foreign => None,
    }
}

/// The whole body, or [`Body::Foreign`] where it is too large to be the vendor's.
async fn read_bounded(response: &mut reqwest::Response) -> Result<Body, reqwest::Error> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if bytes.len() + chunk.len() > LARGEST_BODY {
            return Ok(Body::Foreign);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(wire::body(&bytes))
}

/// Whether a failed call may have left.
fn fault(error: &reqwest::Error) -> Fault {
    if error.is_connect() {
        Fault::NotSent(NotSent::Connect)
    } else if error.is_builder() {
        Fault::NotSent(NotSent::Unbuildable)
    } else {
        Fault::InDoubt(Lost::Cut)
    }
}

fn headers(credentials: &Credentials) -> Result<HeaderMap, ApiError> {
    let secret = |text: &str, variable| {
        let mut value = HeaderValue::from_str(text).map_err(|_| ApiError::Secret(variable))?;
        value.set_sensitive(true);
        Ok(value)
    };
    let mut headers = HeaderMap::new();
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
