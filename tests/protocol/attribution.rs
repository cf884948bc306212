//! Each row gets the answer of its own call, or none, whether connections are reset or cut or a
//! gateway answers calls twice.

use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ceknik::api::{ClientOptions, HttpVerifier, Verifier};
use ceknik::model::class::Lost;
use ceknik::model::reply::{Body, Fault, Reply, Response};
use ceknik::model::subject::Subject;
use ceknik::model::texts::Text;
use ceknik::rules::body::BodyKind;
use ceknik::rules::classify::classify;
use futures_util::stream::{self, StreamExt};
use tokio::net::TcpSocket;

use crate::raw::{Act, RawServer, header, ok, read_request};
use crate::requests::{options, subject};

/// Returns a made-up person for each number.
fn person(n: usize) -> Subject {
    subject(&format!("32750141079{:05}", n % 9999 + 1), &crate::support::name(n as u32))
}

/// Returns the answer to a call. Its order number names the customer, so that the answer can belong
/// to no other call.
fn answer_to(body: &str, id: usize) -> Vec<u8> {
    let asked: serde_json::Value = serde_json::from_str(body).unwrap();
    let order = format!("{}-{}", asked["id_number"], asked["name"]).replace('"', "");
    let result = if order.len().is_multiple_of(2) { "01" } else { "02" };
    ok(&format!(
        r#"{{"status":"OK","result":{{"order_no":"{order}","result":"{result}"}},"request_id":"TID{id}"}}"#
    ))
}

/// Returns `true` if the reply is the customer's own answer, and `None` if there is no answer.
fn is_own(reply: &Reply, subject: &Subject) -> Option<bool> {
    match reply {
        Reply::Response(Response { body: Body::Vendor(texts), .. }) => {
            let own = format!("{}-{}", subject.nik.as_str(), subject.name.as_str());
            Some(texts.get(Text::OrderNo) == Some(&*own))
        }
        Reply::Fault(Fault::InDoubt(..)) => None,
        other => panic!("{other:?}"),
    }
}

/// Distance between two faults, in calls. The kinds of faults take turns.
const EVERY: usize = 25;

/// Starts a vendor that resets, cuts and closes connections in turn.
fn faulty() -> RawServer {
    let calls = AtomicUsize::new(0);
    RawServer::on_connection(move |mut stream, _| {
        stream.set_nodelay(true).unwrap();
        while let Some((_, body)) = read_request(&mut stream) {
            let n = calls.fetch_add(1, Ordering::Relaxed);
            let answer = answer_to(&body, n);
            let fault = if n % EVERY == EVERY - 1 { n / EVERY % 6 } else { usize::MAX };
            let sent = match fault {
                // Reset before the answer; reset in the middle of the answer; closed before the
                // answer; closed before the last byte; closed after the answer without an
                // announcement.
                0 => return reset(stream),
                1 => stream.write_all(&answer[..answer.len() / 2]).map(|()| reset(stream)),
                2 => return,
                3 => return stream.write_all(&answer[..answer.len() - 1]).unwrap_or_default(),
                4 => return stream.write_all(&answer).unwrap_or_default(),
                // Garbage after the answer, where the next answer on this connection would begin.
                5 => {
                    return stream
                        .write_all(&[&answer[..], b"HTTP/1.1 "].concat())
                        .unwrap_or_default();
                }
                _ => {
                    if stream.write_all(&answer).is_err() {
                        return;
                    }
                    continue;
                }
            };
            return sent.unwrap_or_default();
        }
    })
}

fn reset(stream: TcpStream) {
    let _ = TcpSocket::from_std_stream(stream).set_zero_linger();
}

/// Returns the number of rows with another call's answer, and the number of rows without an answer.
async fn verify_all(client: &HttpVerifier, calls: usize, in_flight: usize) -> (usize, usize) {
    let replies = stream::iter(0..calls).map(|n| async move {
        let person = person(n);
        is_own(&client.verify(&person, BodyKind::Json).await, &person)
    });
    let owns: Vec<Option<bool>> = replies.buffer_unordered(in_flight).collect().await;
    let count = |wanted: Option<bool>| owns.iter().filter(|own| **own == wanted).count();
    (count(Some(false)), count(None))
}

/// Number of calls for each client; `CEKNIK_TEST_CALLS=50000` makes more of them.
fn calls() -> usize {
    std::env::var("CEKNIK_TEST_CALLS").map_or(6000, |calls| calls.parse().unwrap())
}

#[tokio::test]
async fn no_row_gets_the_answer_of_another_through_resets_and_cuts() {
    for in_flight in [1, 64, 256] {
        for keep_alive in [true, false] {
            let server = faulty();
            let options = ClientOptions { lines: in_flight, keep_alive, ..options(&server.url()) };
            let client = HttpVerifier::new(&options).unwrap();
            let (begun, calls) = (Instant::now(), calls());
            let (wrong, none) = verify_all(&client, calls, in_flight).await;
            println!(
                "{calls} calls, {in_flight} in flight, keep-alive {keep_alive}: {wrong} wrong, {none} in doubt, {:?}",
                begun.elapsed()
            );
            assert_eq!(wrong, 0, "{in_flight} in flight");
            // Four of the six kinds of faults lose their answer.
            let lost = calls / EVERY * 4 / 6;
            assert!(none >= lost && none <= lost + calls / EVERY, "{none} in doubt, not {lost}");
        }
    }
}

/// Starts a gateway that gives each answer twice. The second copy comes a little later and has a
/// new request id.
fn doubling(latency: Duration, later: Duration) -> RawServer {
    let calls = AtomicUsize::new(0);
    RawServer::on_connection(move |mut stream, seen| {
        while let Some((head, body)) = read_request(&mut stream) {
            let n = calls.fetch_add(2, Ordering::Relaxed);
            seen.lock().unwrap().requests.push((head, body.clone()));
            thread::sleep(latency);
            if stream.write_all(&answer_to(&body, n)).is_err() {
                return;
            }
            let mut stream = stream.try_clone().unwrap();
            thread::spawn(move || {
                thread::sleep(later);
                let _ = stream.write_all(&answer_to(&body, n + 1));
            });
        }
    })
}

#[tokio::test]
async fn an_answer_that_came_before_is_not_its_calls() {
    // On the same connection, and on a new connection.
    for connections in [1, 2] {
        let server = RawServer::on_connection(move |mut stream, _| {
            while let Some((_, body)) = read_request(&mut stream) {
                stream.write_all(&answer_to(&body, 7)).unwrap();
                if connections == 2 {
                    return;
                }
            }
        });
        let client = HttpVerifier::new(&options(&server.url())).unwrap();
        let first = client.verify(&person(1), BodyKind::Json).await;
        assert_eq!(is_own(&first, &person(1)), Some(true));
        // The client must notice the end of the connection before the next call, which would be
        // lost.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let second = client.verify(&person(2), BodyKind::Json).await;
        assert_eq!(second, Reply::Fault(Fault::lost(Lost::Repeated)), "{connections}");
        assert_eq!(server.seen().connections, connections);
    }
}

#[tokio::test]
async fn what_remains_of_another_calls_answer_is_not_this_calls() {
    let server = RawServer::on_connection(|mut stream, _| {
        let mut answer: Option<Vec<u8>> = None;
        while let Some((_, body)) = read_request(&mut stream) {
            // The answer to the first call comes again, without its last byte.
            let whole = answer.get_or_insert_with(|| answer_to(&body, 7));
            stream.write_all(whole).unwrap();
            whole.truncate(whole.len() - 1);
        }
    });
    let hasty = ClientOptions { timeout: Duration::from_millis(300), ..options(&server.url()) };
    let client = HttpVerifier::new(&hasty).unwrap();
    assert_eq!(is_own(&client.verify(&person(1), BodyKind::Json).await, &person(1)), Some(true));
    let second = client.verify(&person(2), BodyKind::Json).await;
    assert_eq!(second, Reply::Fault(Fault::lost(Lost::Repeated)));
}

#[tokio::test]
async fn a_gateway_whose_pages_have_one_id_is_understood_by_its_status() {
    for (http, class) in [(503, "gateway_error"), (429, "rate_limited"), (403, "proxy_refused")] {
        let page = r#"{"error":"no","request_id":"gw-1","order_no":"A1"}"#;
        let length = page.len();
        let answer = format!("HTTP/1.1 {http} No\r\ncontent-length: {length}\r\n\r\n{page}");
        let server = RawServer::answering(move |_| Act::Send(answer.clone().into()));
        let client = HttpVerifier::new(&options(&server.url())).unwrap();
        for order in [Some("A1"), None] {
            let reply = client.verify(&person(1), BodyKind::Json).await;
            assert_eq!(classify(&reply).name(), class);
            let Reply::Response(Response { body: Body::Foreign(remains), .. }) = reply else {
                panic!("{reply:?}")
            };
            // A request id that came before belongs to another call.
            assert_eq!(remains.order_no.as_deref(), order, "{http}");
        }
    }
}

#[tokio::test]
async fn where_calls_are_answered_twice_each_gets_a_connection_of_its_own() {
    let server = doubling(Duration::ZERO, Duration::from_millis(30));
    let options = ClientOptions { lines: 64, ..options(&server.url()) };
    let client = HttpVerifier::new(&options).unwrap();
    for n in 0..28 {
        let person = person(n);
        let reply = client.verify(&person, BodyKind::Json).await;
        assert_eq!(is_own(&reply, &person), Some(true), "call {n}");
        tokio::time::sleep(Duration::from_millis(120)).await;
    }
    // Three such ends in three different seconds are enough.
    let heads: Vec<String> = server.seen().requests.iter().map(|(head, _)| head.clone()).collect();
    let is_single = |head: &String| header(head, "connection") == Some("close");
    assert!(heads[..16].iter().all(|head| !is_single(head)), "too soon");
    assert!(heads[22..].iter().all(is_single), "too late");
    let (connections, requests) = (server.seen().connections, heads.len());
    assert_eq!(connections, requests, "what came unasked closes a connection");
}

#[tokio::test]
async fn unannounced_ends_of_connections_are_noticed_with_a_slow_vendor_too() {
    let server = doubling(Duration::from_millis(1100), Duration::from_millis(30));
    let client = HttpVerifier::new(&options(&server.url())).unwrap();
    for n in 0..5 {
        assert_eq!(
            is_own(&client.verify(&person(n), BodyKind::Json).await, &person(n)),
            Some(true)
        );
        tokio::time::sleep(Duration::from_millis(120)).await;
    }
    let heads: Vec<String> = server.seen().requests.iter().map(|(head, _)| head.clone()).collect();
    assert_eq!(header(&heads[4], "connection"), Some("close"), "three ends were noticed");
}

#[tokio::test]
async fn without_keep_alive_each_call_has_its_own_connection_from_the_start() {
    let server = doubling(Duration::ZERO, Duration::ZERO);
    let options = ClientOptions { lines: 64, keep_alive: false, ..options(&server.url()) };
    let client = HttpVerifier::new(&options).unwrap();
    let (wrong, none) = verify_all(&client, 200, 16).await;
    assert_eq!((wrong, none), (0, 0));
    assert_eq!(server.seen().connections, 200);
}
