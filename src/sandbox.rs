//! The sandbox: a server on loopback that speaks the vendor's API. It is for trials without an
//! account, for tests and for benchmarks.
//!
//! Reading order: `options` (the settings), `answer` (the ways to answer, in one table), `endings`
//! (the answer for each pair; [`ENDINGS_HELP`] is the table for people), `chaos`, `limiter`,
//! `world` (the order of the checks, and the counts), `request` and `wire` (bytes in, bytes out),
//! `http` (the edge), `calls` (the log).
//!
//! Must hold: decisions, charges, log and counts agree. `GET /stats` shows the counts. With default
//! options and accepted credentials, the answer depends only on the pair and on how often the pair
//! has reached its ending.
//!
//! Never: listens beyond loopback, keeps a NIK or a name, or passes for the real vendor. Its order
//! numbers begin with `SANDBOX-`.

mod answer;
mod calls;
mod chaos;
mod endings;
mod http;
mod limiter;
mod options;
mod request;
mod wire;
mod world;

#[cfg(test)]
mod tests;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use calls::CallLog;
pub use endings::ENDINGS_HELP;
use http::Shared;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
pub use options::{Accepts, SandboxOptions};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
pub use world::Stats;

/// Most open connections. Further ones wait in the queue of the system.
const MAX_CONNECTIONS: usize = 4_096;

/// Most connections that the system keeps until they are accepted. Many clients start at once.
const BACKLOG: u32 = 1_024;

/// Reason why a sandbox cannot run.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// An option has a value that makes no sense.
    #[error("{0}")]
    SandboxOptions(String),
    /// The port cannot be opened.
    #[error("cannot listen on 127.0.0.1:{port}: {source}")]
    Listen {
        /// Port that was asked for.
        port: u16,
        /// Error of the system.
        source: io::Error,
    },
    /// The calls log cannot be opened or written.
    #[error("cannot write the calls log {}: {source}", path.display())]
    Calls {
        /// File of the log.
        path: PathBuf,
        /// Error of the system.
        source: io::Error,
    },
    /// The thread or its runtime cannot be started.
    #[error("cannot start the sandbox's thread: {0}")]
    Thread(#[from] io::Error),
}

/// A sandbox that listens but does not answer yet.
pub struct Sandbox {
    listener: TcpListener,
    address: SocketAddr,
    shared: Arc<Shared>,
    calls: Option<PathBuf>,
}

impl Sandbox {
    /// Opens the port and the calls log. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`SandboxError::SandboxOptions`], [`SandboxError::Listen`] or [`SandboxError::Calls`].
    pub async fn bind(options: SandboxOptions) -> Result<Self, SandboxError> {
        options.check().map_err(SandboxError::SandboxOptions)?;
        let listen = |port| -> io::Result<_> {
            let socket = TcpSocket::new_v4()?;
            // A sandbox that is started again gets its port back at once.
            socket.set_reuseaddr(true)?;
            socket.bind((Ipv4Addr::LOCALHOST, port).into())?;
            let listener = socket.listen(BACKLOG)?;
            let address = listener.local_addr()?;
            Ok((listener, address))
        };
        let port = options.port;
        let (listener, address) =
            listen(port).map_err(|source| SandboxError::Listen { port, source })?;
        let log = match &options.calls {
            Some(path) => Some(CallLog::open(path).map_err(calls_error(path))?),
            None => None,
        };
        Ok(Self {
            listener,
            address,
            shared: Arc::new(Shared::new(&options, log)),
            calls: options.calls,
        })
    }

    /// Returns the address on which the sandbox listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` is done, and then stops at once. Open connections are closed, even if
    /// their answer has not left. The calls log is written to its end.
    ///
    /// # Errors
    /// [`SandboxError::Calls`] if the calls log could not be written.
    pub async fn serve(self, stop: impl Future<Output = ()>) -> Result<Stats, SandboxError> {
        let mut connections = JoinSet::new();
        tokio::select! {
            () = stop => {}
            () = accept(&self.listener, &self.shared, &mut connections) => {}
        }
        connections.shutdown().await;
        let stats = self.shared.stats();
        if let (Some(log), Some(path)) = (self.shared.take_log(), self.calls) {
            log.finish().map_err(calls_error(&path))?;
        }
        Ok(stats)
    }
}

fn calls_error(path: &std::path::Path) -> impl FnOnce(io::Error) -> SandboxError {
    let path = path.to_owned();
    |source| SandboxError::Calls { path, source }
}

/// Accepts connections without an end.
async fn accept(listener: &TcpListener, shared: &Arc<Shared>, connections: &mut JoinSet<()>) {
    loop {
        while connections.len() >= MAX_CONNECTIONS {
            connections.join_next().await;
        }
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(connections.spawn(connection(stream, Arc::clone(shared)))),
                // The process is most likely out of file descriptors. Let some connections end.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    // A failure here only makes answers slower.
    drop(stream.set_nodelay(true));
    let service = service_fn(move |request| http::handle(Arc::clone(&shared), request));
    // It does not matter here how a connection ends, by a cut or by the client.
    drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
}

/// A sandbox on a thread of its own. The sandbox stops when this value is dropped.
pub struct Running {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<Stats, SandboxError>>>,
}

/// Starts a sandbox on a thread of its own, with a current-thread runtime. The sandbox listens when
/// this function returns.
///
/// # Errors
/// The errors of [`Sandbox::bind`], or [`SandboxError::Thread`] if the thread or its runtime cannot
/// be started.
pub fn spawn(options: SandboxOptions) -> Result<Running, SandboxError> {
    let (stop, stopped) = oneshot::channel::<()>();
    let (ready, bound) = mpsc::sync_channel(1);
    let thread = thread::Builder::new().name("sandbox".to_owned()).spawn(move || {
        tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
            let sandbox = Sandbox::bind(options).await?;
            // The other thread waits for this message and for nothing else.
            drop(ready.send((sandbox.address, Arc::clone(&sandbox.shared))));
            let stop = async { drop(stopped.await) };
            sandbox.serve(stop).await
        })
    })?;
    match bound.recv() {
        Ok((address, shared)) => {
            Ok(Running { address, shared, stop: Some(stop), thread: Some(thread) })
        }
        Err(mpsc::RecvError) => Err(match thread.join() {
            Ok(Err(error)) => error,
            Ok(Ok(_)) | Err(_) => io::Error::other("it ended before it listened").into(),
        }),
    }
}

impl Running {
    /// Returns the address on which the sandbox listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the counts so far.
    pub fn stats(&self) -> Stats {
        self.shared.stats()
    }

    /// Stops the sandbox at once, waits for its end and returns the counts. If the calls log could
    /// not be written, a log line has reported that by then.
    pub fn stop(mut self) -> Stats {
        match self.end() {
            Some(Ok(Ok(stats))) => stats,
            _ => self.shared.stats(),
        }
    }

    fn end(&mut self) -> Option<thread::Result<Result<Stats, SandboxError>>> {
        // Dropping the sender tells the sandbox to stop.
        drop(self.stop.take());
        self.thread.take().map(JoinHandle::join)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.end());
    }
}
