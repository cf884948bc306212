//! A proxy between a worker and its server that cuts the worker off at a chosen point, until it is
//! told to let the worker back.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

/// Point at which the worker is cut off.
#[derive(Debug, Clone, Copy)]
pub enum Point {
    /// When the worker makes its connection of this number, from 0.
    Connection(usize),
    /// Before these bytes reach the server, at their occurrence of this number, from 0.
    Before(&'static str, usize),
    /// After half of the message with these bytes has reached the server.
    Within(&'static str, usize),
    /// After these bytes have reached the server, and before its answer comes back.
    BeforeTheAnswer(&'static str, usize),
}

/// What the threads of a proxy share.
struct State {
    point: Point,
    /// Number of connections, or of occurrences, so far.
    seen: usize,
    severed_at: Option<Instant>,
    lets_back: bool,
    streams: Vec<TcpStream>,
}

impl State {
    fn is_severed(&self) -> bool {
        self.severed_at.is_some() && !self.lets_back
    }

    fn sever(&mut self) {
        self.severed_at = Some(Instant::now());
        for stream in self.streams.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Returns the number of bytes of a message that go on to the server, and whether the worker is
    /// cut off afterwards.
    fn judge(&mut self, message: &[u8]) -> (usize, bool) {
        let (text, wanted) = match self.point {
            Point::Connection(_) => return (message.len(), false),
            Point::Before(text, n) | Point::Within(text, n) | Point::BeforeTheAnswer(text, n) => {
                (text, n)
            }
        };
        let found = message.windows(text.len()).any(|part| part == text.as_bytes());
        if !found || self.severed_at.is_some() {
            return (message.len(), false);
        }
        self.seen += 1;
        if self.seen <= wanted {
            return (message.len(), false);
        }
        match self.point {
            Point::Within(..) => (message.len() / 2, true),
            Point::BeforeTheAnswer(..) => (message.len(), true),
            Point::Before(..) | Point::Connection(_) => (0, true),
        }
    }
}

/// A running proxy. Its threads end with the test process.
pub struct SeveringProxy {
    pub port: u16,
    state: Arc<Mutex<State>>,
}

impl SeveringProxy {
    /// Starts a proxy to a port of loopback.
    pub fn start(to: u16, point: Point) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state =
            State { point, seen: 0, severed_at: None, lets_back: false, streams: Vec::new() };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(client) = client else { return };
                let mut now = shared.lock().unwrap();
                if let (Point::Connection(wanted), None) = (now.point, now.severed_at) {
                    now.seen += 1;
                    if now.seen > wanted {
                        now.sever();
                    }
                }
                if now.is_severed() {
                    continue;
                }
                let Ok(server) = TcpStream::connect(("127.0.0.1", to)) else { continue };
                now.streams.extend([client.try_clone().unwrap(), server.try_clone().unwrap()]);
                drop(now);
                pass_on(client, server, &shared);
            }
        });
        Self { port, state }
    }

    /// Returns the moment at which the worker was cut off.
    pub fn severed_at(&self) -> Option<Instant> {
        self.state.lock().unwrap().severed_at
    }

    /// Lets the worker connect again.
    pub fn let_back(&self) {
        self.state.lock().unwrap().lets_back = true;
    }
}

fn pass_on(client: TcpStream, server: TcpStream, state: &Arc<Mutex<State>>) {
    let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let state = Arc::clone(state);
    thread::spawn(move || {
        copy(from, to, |to, message| {
            let (passed, severs) = state.lock().unwrap().judge(message);
            let is_sent = to.write_all(&message[..passed]).is_ok();
            if severs {
                state.lock().unwrap().sever();
            }
            is_sent && !severs
        });
    });
    thread::spawn(move || copy(server, client, |to, message| to.write_all(message).is_ok()));
}

/// Reads messages until one side ends, or until `pass_on` returns `false`.
fn copy(
    mut from: TcpStream,
    mut to: TcpStream,
    mut pass_on: impl FnMut(&mut TcpStream, &[u8]) -> bool,
) {
    let mut chunk = [0; 65_536];
    while let Ok(bytes @ 1..) = from.read(&mut chunk) {
        if !pass_on(&mut to, &chunk[..bytes]) {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
