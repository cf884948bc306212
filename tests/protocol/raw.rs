//! A server on a raw socket, with a thread for each connection: it can do things that no HTTP
//! server would do.
//!
//! It counts every connection, and keeps every request that it has read completely.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

/// The reaction to a request.
pub(crate) enum Act {
    /// Sends these bytes, and keeps the connection open.
    Send(Vec<u8>),
    /// Sends these bytes, and closes the connection.
    SendAndClose(Vec<u8>),
    /// Sends nothing for this time, then closes the connection.
    Wait(Duration),
}

/// Connections and requests so far.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) connections: usize,
    /// Head and body of each request.
    pub(crate) requests: Vec<(String, String)>,
    /// Number of bytes that were written, also to a client that may have closed the connection.
    pub(crate) written: usize,
}

pub(crate) struct RawServer {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
}

impl RawServer {
    /// Starts a server that reads requests. `act` decides by the number of the request, from 0,
    /// over all connections.
    pub(crate) fn answering(act: impl Fn(usize) -> Act + Send + Sync + 'static) -> Self {
        Self::on_connection(move |mut stream, seen| {
            while let Some(request) = read_request(&mut stream) {
                let number = {
                    let mut seen = seen.lock().unwrap();
                    seen.requests.push(request);
                    seen.requests.len() - 1
                };
                match act(number) {
                    Act::Send(bytes) => stream.write_all(&bytes).unwrap(),
                    Act::SendAndClose(bytes) => return stream.write_all(&bytes).unwrap(),
                    Act::Wait(time) => return thread::sleep(time),
                }
            }
        })
    }

    /// Starts a server that calls `serve` with each connection.
    pub(crate) fn on_connection(
        serve: impl Fn(TcpStream, &Mutex<Seen>) + Send + Sync + 'static,
    ) -> Self {
        Self::at("127.0.0.1", serve)
    }

    /// Starts such a server at another address of this machine.
    pub(crate) fn at(
        ip: &str,
        serve: impl Fn(TcpStream, &Mutex<Seen>) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((ip, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (serve, all) = (Arc::new(serve), Arc::clone(&seen));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                all.lock().unwrap().connections += 1;
                let (serve, seen) = (Arc::clone(&serve), Arc::clone(&all));
                thread::spawn(move || serve(stream, &seen));
            }
        });
        Self { address, seen }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }
}

/// Reads one request: head and body. Returns `None` if the other side closed the connection.
pub(crate) fn read_request(stream: &mut impl Read) -> Option<(String, String)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let mut body = vec![0; header(&head, "content-length").map_or(0, |n| n.parse().unwrap())];
    stream.read_exact(&mut body).ok()?;
    Some((head, String::from_utf8(body).unwrap()))
}

/// Returns the value of a header in the head of a request.
pub(crate) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

/// Returns a complete answer with HTTP 200 and this body.
pub(crate) fn ok(body: &str) -> Vec<u8> {
    let length = body.len();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json";
    format!("{head}\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes()
}

/// Returns a complete answer with a match. Each has a new request id.
pub(crate) fn a_match() -> Vec<u8> {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    let id = NEXT.fetch_add(1, Ordering::Relaxed);
    let result = r#"{"order_no":"O1","result":"01","remark":"MATCH"}"#;
    ok(&format!(r#"{{"status":"OK","result":{result},"request_id":"TID{id}"}}"#))
}
