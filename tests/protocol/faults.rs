//! Faults on the wire: each is reported correctly as "not sent" or "in doubt", and no call is ever
//! sent twice.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use ceknik::api::{ClientOptions, HttpVerifier, Verifier};
use ceknik::model::class::{Class, Lost, NotSent};
use ceknik::model::reply::{Body, Reply, Response};
use ceknik::rules::body::BodyKind;
use ceknik::rules::classify::classify;

use crate::raw::{Act, RawServer, a_match, ok, read_request};
use crate::requests::{MATCH, call, client, options, subject};
use crate::support::closed_port;

const NOT_SENT: Class = Class::NotSent(NotSent::Connect);
const TIMEOUT: Class = Class::InDoubt(Lost::Timeout);
const CUT: Class = Class::InDoubt(Lost::Cut);
const UNREADABLE: Class = Class::InDoubt(Lost::Unreadable);
/// Size of the largest body that the client reads, in bytes.
const LARGEST: usize = 256 * 1024;

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Returns a client with these time limits for a whole call and for its connection.
fn hasty(url: &str, timeout: Duration, connect_timeout: Duration) -> HttpVerifier {
    HttpVerifier::new(&ClientOptions { timeout, connect_timeout, ..options(url) }).unwrap()
}

#[tokio::test]
async fn a_refused_connection_is_not_sent() {
    let (_held, address) = closed_port();
    assert_eq!(classify(&call(&client(&format!("http://{address}"))).await), NOT_SENT);
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_not_sent() {
    let client = hasty("https://nowhere.invalid", ms(2000), ms(2000));
    assert_eq!(classify(&call(&client).await), NOT_SENT);
}

#[tokio::test]
async fn a_connection_that_is_not_made_in_time_is_not_sent() {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let _full = fill(address);
    // The limits also hold where the whole call has less time than its connection.
    for (timeout, connect_timeout) in [(ms(60_000), ms(200)), (ms(200), ms(60_000))] {
        let began = Instant::now();
        let client = hasty(&format!("http://{address}"), timeout, connect_timeout);
        assert_eq!(classify(&call(&client).await), NOT_SENT);
        assert!(began.elapsed() < ms(20_000), "{:?}", began.elapsed());
    }
}

/// Fills the backlog of a listener until no more connections are accepted.
fn fill(address: SocketAddr) -> Vec<TcpStream> {
    let full: Vec<TcpStream> =
        (0..64).map_while(|_| TcpStream::connect_timeout(&address, ms(100)).ok()).collect();
    assert!(full.len() < 64, "the backlog has no end");
    full
}

#[tokio::test]
async fn a_failed_or_silent_tls_handshake_is_not_sent() {
    let closing = RawServer::on_connection(|_, _| {});
    let silent = RawServer::on_connection(|mut stream, _| {
        let _ = stream.read_to_end(&mut Vec::new());
    });
    for server in [closing, silent] {
        let client = hasty(&format!("https://{}", server.address), ms(5000), ms(300));
        assert_eq!(classify(&call(&client).await), NOT_SENT);
    }
}

#[tokio::test]
async fn an_answer_that_is_late_is_in_doubt() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n".to_vec();
    let acts: [fn(&[u8]) -> Act; 2] =
        [|_| Act::Wait(ms(60_000)), |head: &[u8]| Act::Send([head, b"{\"status\":"].concat())];
    for act in acts {
        let head = head.clone();
        let server = RawServer::answering(move |_| act(&head));
        let client = hasty(&server.url(), ms(300), ms(60_000));
        let began = Instant::now();
        assert_eq!(classify(&call(&client).await), TIMEOUT);
        assert!(began.elapsed() < ms(20_000), "{:?}", began.elapsed());
        assert_eq!(server.seen().requests.len(), 1);
    }
}

#[tokio::test]
async fn an_answer_that_never_came_whole_is_in_doubt() {
    let whole = String::from_utf8(a_match()).unwrap();
    let chunk = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    for (what, bytes) in [
        ("closed before the answer", String::new()),
        ("closed in the status line", "HTTP/1.1 20".to_owned()),
        ("closed in the head", "HTTP/1.1 200 OK\r\ncontent-le".to_owned()),
        ("closed in the body", whole[..whole.len() - 1].to_owned()),
        ("closed before the body", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n".to_owned()),
        ("closed before the first chunk", chunk.to_owned()),
        ("closed in a chunk", format!("{chunk}20\r\n{{\"status\":")),
        ("closed before the last chunk", format!("{chunk}2\r\n{{}}\r\n")),
        ("bad chunk", format!("{chunk}xyz\r\n{{}}\r\n0\r\n\r\n")),
        ("a garbage status line", "HELLO THERE\r\n\r\n".to_owned()),
        ("a garbage version", "HTTP/9.9 200 OK\r\ncontent-length: 0\r\n\r\n".to_owned()),
        ("a garbage code", "HTTP/1.1 abc OK\r\ncontent-length: 0\r\n\r\n".to_owned()),
        ("a garbage length", "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n{}".to_owned()),
        ("an error's body cut", "HTTP/1.1 400 Bad\r\ncontent-length: 9\r\n\r\n{".to_owned()),
    ] {
        let server = RawServer::answering(move |_| Act::SendAndClose(bytes.clone().into()));
        assert_eq!(classify(&call(&client(&server.url())).await), CUT, "{what}");
        let seen = server.seen();
        assert_eq!((seen.connections, seen.requests.len()), (1, 1), "{what}");
    }
}

#[tokio::test]
async fn a_reset_connection_is_in_doubt() {
    let server = RawServer::on_connection(|stream, _| {
        // Closing a socket with unread bytes resets the connection.
        stream.peek(&mut [0]).unwrap();
    });
    assert_eq!(classify(&call(&client(&server.url())).await), CUT);
    assert_eq!(server.seen().connections, 1);
}

#[tokio::test]
async fn a_body_that_ends_with_its_connection_is_whole() {
    let body = r#"{"status":"OK","result":{"result":"01"}}"#;
    let bytes = format!("HTTP/1.1 200 OK\r\n\r\n{body}");
    let server = RawServer::answering(move |_| Act::SendAndClose(bytes.clone().into()));
    assert_eq!(classify(&call(&client(&server.url())).await), MATCH);
}

#[tokio::test]
async fn interim_answers_are_passed_over_and_chunks_are_joined() {
    let parts = ["{\"status\":\"OK\",", "\"result\":{\"res", "ult\":\"01\"}}"];
    let mut bytes = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n".to_vec();
    bytes.extend(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
    for part in parts {
        bytes.extend(format!("{:x}\r\n{part}\r\n", part.len()).into_bytes());
    }
    bytes.extend(b"0\r\n\r\n");
    let server = RawServer::answering(move |_| Act::Send(bytes.clone()));
    assert_eq!(classify(&call(&client(&server.url())).await), MATCH);
}

/// Returns a success of this size.
fn of_size(bytes: usize) -> Vec<u8> {
    let (head, tail) = (r#"{"status":"OK","result":{"result":"01"},"x":""#, "\"}");
    ok(&[head, &"z".repeat(bytes - head.len() - tail.len()), tail].concat())
}

#[tokio::test]
async fn a_body_is_read_up_to_its_limit_and_no_further() {
    for (bytes, class) in [(LARGEST, MATCH), (LARGEST + 1, UNREADABLE), (2 * LARGEST, UNREADABLE)] {
        let server = RawServer::answering(move |_| Act::Send(of_size(bytes)));
        let client = client(&server.url());
        for _ in 0..5 {
            assert_eq!(classify(&call(&client).await), class, "{bytes} bytes");
        }
    }
}

#[tokio::test]
async fn a_body_without_end_is_left_early() {
    let endless = "HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n";
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    for (head, block) in
        [(endless, " ".repeat(65_536)), (chunked, format!("10000\r\n{}\r\n", " ".repeat(65_536)))]
    {
        let server = RawServer::on_connection(move |mut stream, seen| {
            crate::raw::read_request(&mut stream).unwrap();
            stream.write_all(head.as_bytes()).unwrap();
            while stream.write_all(block.as_bytes()).is_ok() {
                seen.lock().unwrap().written += block.len();
            }
        });
        assert_eq!(classify(&call(&client(&server.url())).await), UNREADABLE);
        tokio::time::sleep(ms(100)).await;
        // The limit, and the bytes that fit into the buffers of the sockets.
        let written = server.seen().written;
        assert!(written < 32 * 1024 * 1024, "{written} bytes were taken");
        tokio::time::sleep(ms(100)).await;
        assert_eq!(server.seen().written, written, "the connection is still read");
    }
}

#[tokio::test]
async fn a_date_to_wait_for_is_by_the_servers_own_clock() {
    // Our clock does not count, since the server's clock may be years off.
    let date = "date: Sun, 06 Nov 1994 08:49:30 GMT\r\nretry-after: Sun, 06 Nov 1994 08:49:37 GMT";
    let bytes = format!("HTTP/1.1 503 No\r\n{date}\r\ncontent-length: 0\r\n\r\n");
    let server = RawServer::answering(move |_| Act::Send(bytes.clone().into()));
    let Reply::Response(Response { retry_after, .. }) = call(&client(&server.url())).await else {
        panic!("no response");
    };
    assert_eq!(retry_after, Some(ms(7000)));
}

#[tokio::test]
async fn empty_and_foreign_bodies_are_responses() {
    for body in ["", "<html>", "{}", "null", r#"{"status":1}"#, "{\"status\":\"OK\""] {
        let server = RawServer::answering(move |_| Act::Send(ok(body)));
        let reply = call(&client(&server.url())).await;
        let Reply::Response(Response { http: 200, retry_after: None, body: Body::Foreign(_) }) =
            reply
        else {
            panic!("{body}: {reply:?}")
        };
    }
}

#[tokio::test]
async fn a_call_on_a_kept_connection_that_dies_is_not_sent_again() {
    // The first call is answered. The second is read and dropped. A retry of the second call would
    // be a third request.
    let server = RawServer::answering(|n| match n {
        1 => Act::SendAndClose(Vec::new()),
        _ => Act::Send(a_match()),
    });
    let client = client(&server.url());
    assert_eq!(classify(&call(&client).await), MATCH);
    assert_eq!(classify(&call(&client).await), CUT);
    assert_eq!(server.seen().requests.len(), 2);
    assert_eq!(classify(&call(&client).await), MATCH, "a new connection serves");
    assert_eq!(server.seen().requests.len(), 3);
}

#[tokio::test]
async fn an_unrequested_answer_belongs_to_no_call() {
    let server = RawServer::on_connection(|mut stream, seen| {
        while let Some(request) = read_request(&mut stream) {
            seen.lock().unwrap().requests.push(request);
            stream.write_all(&a_match()).unwrap();
            // Sends a second answer while the connection is idle.
            std::thread::sleep(ms(20));
            let refusal = r#"{"status":"INVALID_ARGUMENT","reason":"unasked","request_id":"TIDX"}"#;
            let _ = stream.write_all(&ok(refusal));
        }
    });
    let client = client(&server.url());
    for _ in 0..3 {
        assert_eq!(classify(&call(&client).await), MATCH);
        tokio::time::sleep(ms(5)).await;
        // The whole program stands still meanwhile, so that the runtime does not check its sockets.
        std::thread::sleep(ms(80));
    }
    let seen = server.seen();
    assert_eq!((seen.requests.len(), seen.connections), (3, 3));
}

#[tokio::test]
async fn a_placeholder_is_not_taken_for_a_request_id() {
    for id in ["", "-", "N/A", "null"] {
        let result = r#"{"id_number":"1","name":"A","result":"01"}"#;
        let body = format!(r#"{{"status":"OK","result":{result},"request_id":"{id}"}}"#);
        let server = RawServer::answering(move |_| Act::Send(ok(&body)));
        let client = client(&server.url());
        for _ in 0..3 {
            assert_eq!(classify(&call(&client).await), MATCH, "{id:?}");
        }
        // A placeholder does not show to which call the next answer belongs, so the connection is
        // not used again.
        assert_eq!(server.seen().connections, 3, "{id:?}");
    }
}

#[tokio::test]
async fn a_server_that_closes_right_after_accepting_is_asked_once() {
    let server = RawServer::on_connection(|_, _| {});
    // If the client notices the end of the connection before it begins the call, the call is known
    // to be not sent.
    let class = classify(&call(&client(&server.url())).await);
    assert!(matches!(class, CUT | NOT_SENT), "{class:?}");
    tokio::time::sleep(ms(50)).await;
    assert_eq!(server.seen().connections, 1);
}

#[tokio::test]
async fn a_server_that_closes_idle_connections_gets_each_call_at_most_once() {
    // The server closes connections without an announcement, at different moments around the next
    // send.
    let server = RawServer::answering(|n| match n % 3 {
        0 => Act::Send(a_match()),
        _ => Act::SendAndClose(a_match()),
    });
    let client = client(&server.url());
    let (mut answered, mut doubts) = (0, 0);
    for n in 0..300_u32 {
        let person = subject("3275014107900001", &crate::support::name(n));
        match classify(&client.verify(&person, BodyKind::Json).await) {
            MATCH => answered += 1,
            CUT => doubts += 1,
            other => panic!("{other:?}"),
        }
        if n % 7 == 0 {
            tokio::time::sleep(ms(2)).await;
        }
    }
    let seen = server.seen();
    let distinct: HashSet<&str> = seen.requests.iter().map(|r| r.1.as_str()).collect();
    assert_eq!(distinct.len(), seen.requests.len(), "a call came twice");
    assert_eq!(answered + doubts, 300);
    assert!(seen.requests.len() >= answered && answered > 100, "{answered}, {doubts} in doubt");
}

#[tokio::test]
async fn an_idle_connection_is_dropped_before_servers_do() {
    for (said, idle, connections) in [
        ("", ms(300), 1),
        ("", ms(900), 2),
        ("keep-alive: timeout=1\r\n", ms(300), 1),
        ("keep-alive: timeout=1\r\n", ms(550), 2),
        ("Keep-Alive: max=100, Timeout = 60\r\n", ms(900), 1),
        ("keep-alive: timeout=0\r\n", ms(0), 2),
        ("connection: close\r\n", ms(0), 2),
    ] {
        let server = RawServer::answering(move |_| {
            let answer = String::from_utf8(a_match()).unwrap();
            Act::Send(answer.replacen("content-length", &format!("{said}content-length"), 1).into())
        });
        let client = client(&server.url());
        assert_eq!(classify(&call(&client).await), MATCH);
        tokio::time::sleep(idle).await;
        assert_eq!(classify(&call(&client).await), MATCH);
        assert_eq!(server.seen().connections, connections, "{said:?} {idle:?}");
    }
}

#[tokio::test]
async fn a_call_that_is_abandoned_leaves_no_second_one() {
    let server = RawServer::answering(|_| Act::Wait(ms(500)));
    let client = client(&server.url());
    let cut = tokio::time::timeout(ms(200), call(&client)).await;
    assert!(cut.is_err());
    tokio::time::sleep(ms(500)).await;
    assert_eq!(server.seen().requests.len(), 1);
}
