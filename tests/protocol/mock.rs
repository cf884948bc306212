//! The vendor as a mock: it follows a script of answers, and notes when each request came.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

/// One answer of the mock.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    http: u16,
    body: String,
    headers: Vec<(&'static str, String)>,
    delay: Duration,
}

/// Returns an answer with this body, byte for byte.
pub(crate) fn answer(http: u16, body: impl Into<String>) -> Answer {
    Answer { http, body: body.into(), headers: Vec::new(), delay: Duration::ZERO }
}

/// Placeholder for the request's own id in the body of an answer.
pub(crate) const ID: &str = "TID-OF-REQUEST";

/// Returns a success with this result code, in the documented form.
pub(crate) fn code(result: &str) -> Answer {
    let result = format!(
        r#"{{"order_no":"O1","handle_time":"2025-07-01 10:12:20","result":"{result}","remark":"R"}}"#
    );
    answer(200, format!(r#"{{"status":"OK","result":{result},"request_id":"{ID}"}}"#))
}

/// Returns a failure with this status, in the documented form.
pub(crate) fn fails(http: u16, status: &str, reason: &str) -> Answer {
    answer(http, format!(r#"{{"status":"{status}","reason":"{reason}","request_id":"{ID}"}}"#))
}

/// Returns an HTML page, as proxies and gateways send it.
pub(crate) fn page(http: u16) -> Answer {
    answer(http, "<html><body>not the vendor</body></html>")
}

impl Answer {
    pub(crate) fn with(mut self, header: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((header, value.into()));
        self
    }

    pub(crate) fn after(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    /// Returns the response to the n-th request.
    fn template(&self, n: usize) -> ResponseTemplate {
        let template = ResponseTemplate::new(self.http).set_delay(self.delay);
        let body = self.body.replace(ID, &format!("TID{n}"));
        let template = match body.as_bytes() {
            [] => template,
            body => template.set_body_bytes(body),
        };
        let add = |t: ResponseTemplate, (name, value): &(&'static str, String)| {
            t.insert_header(*name, value.as_str())
        };
        self.headers.iter().fold(template, add)
    }
}

/// One request that the mock got.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) at: Instant,
    pub(crate) wall: SystemTime,
    pub(crate) content_type: String,
    pub(crate) body: String,
}

/// The mock, with all requests that it got.
pub(crate) struct Vendor {
    pub(crate) server: MockServer,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Vendor {
    /// Starts a mock that chooses its answer by the number of the request, from 0, and by the
    /// request.
    pub(crate) async fn by(
        answer: impl Fn(usize, &Received) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let server = MockServer::start().await;
        let received = Arc::new(Mutex::new(Vec::new()));
        let script = Script { answer, received: Arc::clone(&received) };
        Mock::given(method("POST"))
            .and(path("/verify/id_name"))
            .respond_with(script)
            .mount(&server)
            .await;
        Self { server, received }
    }

    /// Starts a mock that gives these answers in order, and repeats the last.
    pub(crate) async fn answering(answers: &[Answer]) -> Self {
        let answers = answers.to_vec();
        Self::by(move |n, _| answers[n.min(answers.len() - 1)].clone()).await
    }

    pub(crate) fn url(&self) -> String {
        self.server.uri()
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// Returns the number of requests, to any path.
    pub(crate) async fn count(&self) -> usize {
        // A task that never waits uses up its budget of steps. Then the mock, which waits for its
        // own lock when it is dropped, would wait for ever.
        tokio::task::yield_now().await;
        self.server.received_requests().await.unwrap().len()
    }
}

struct Script<F> {
    answer: F,
    received: Arc<Mutex<Vec<Received>>>,
}

impl<F: Fn(usize, &Received) -> Answer + Send + Sync> Respond for Script<F> {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let content_type = request.headers.get("content-type");
        let received = Received {
            at: Instant::now(),
            wall: SystemTime::now(),
            content_type: content_type.map_or("", |v| v.to_str().unwrap()).to_owned(),
            body: String::from_utf8(request.body.clone()).unwrap(),
        };
        let mut all = self.received.lock().unwrap();
        let n = all.len();
        let answer = (self.answer)(n, &received);
        all.push(received);
        answer.template(n)
    }
}
