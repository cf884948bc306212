//! A proxy between ceknik and a server that cuts connections at chosen bytes.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;

/// A running proxy. Its threads end with the test process.
pub struct CuttingProxy {
    pub port: u16,
    cuts: Arc<AtomicUsize>,
}

impl CuttingProxy {
    /// Starts a proxy to a port of loopback. The n-th connection is cut, in both directions, after
    /// as many bytes of the server's answers as `after` says; `None` leaves it alone.
    pub fn start(to: u16, mut after: impl FnMut(usize) -> Option<u64> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let cuts = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&cuts);
        thread::spawn(move || {
            for (n, client) in listener.incoming().enumerate() {
                let Ok(client) = client else { return };
                let Ok(server) = TcpStream::connect(("127.0.0.1", to)) else { continue };
                pass_on(client, server, after(n), &counted);
            }
        });
        Self { port, cuts }
    }

    /// Returns the number of connections that were cut.
    pub fn cuts(&self) -> usize {
        self.cuts.load(Ordering::Relaxed)
    }
}

fn pass_on(client: TcpStream, server: TcpStream, after: Option<u64>, cuts: &Arc<AtomicUsize>) {
    let left = Arc::new(AtomicU64::new(after.unwrap_or(u64::MAX)));
    let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    thread::spawn(move || copy(from, to, &AtomicU64::new(u64::MAX)));
    let cuts = Arc::clone(cuts);
    thread::spawn(move || {
        if copy(server, client, &left) {
            cuts.fetch_add(1, Ordering::Relaxed);
        }
    });
}

/// Copies until one side ends, or until `left` bytes were copied. Returns `true` for the latter.
fn copy(mut from: TcpStream, mut to: TcpStream, left: &AtomicU64) -> bool {
    let mut chunk = [0; 4096];
    let is_cut = loop {
        let Ok(bytes @ 1..) = from.read(&mut chunk) else { break false };
        let room = left.load(Ordering::Relaxed).min(bytes as u64);
        if to.write_all(&chunk[..room as usize]).is_err() {
            break false;
        }
        if left.fetch_sub(room, Ordering::Relaxed) == room {
            break true;
        }
    };
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
    is_cut
}
