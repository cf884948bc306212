//! The bare loop: the same HTTP client, with the same settings, posting the same bodies, and nothing else. No CSV while it
//! runs, no ledger, no checks, no limits: the yardstick for what the rest of `ceknik run` costs.
//!
//! `cargo bench --bench bare_loop -- URL FILE CONCURRENCY` prints the calls per second.

use std::cell::RefCell;
use std::error::Error;
use std::time::Instant;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1::handshake;
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST, USER_AGENT};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use url::{Position, Url};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let [url, file, concurrency] = arguments.as_slice() else {
        eprintln!("usage: bare_loop URL FILE CONCURRENCY");
        return Ok(());
    };
    let bodies = bodies(file)?;
    let (calls, concurrency) = (bodies.len(), concurrency.parse()?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let started = Instant::now();
    runtime.block_on(post_all(url, bodies, concurrency))?;
    let seconds = started.elapsed().as_secs_f64();
    println!("{:.0}", calls as f64 / seconds);
    Ok(())
}

/// One body a row of `id,nik,nama`.
fn bodies(file: &str) -> Result<Vec<String>, Box<dyn Error>> {
    let mut reader = csv::Reader::from_path(file)?;
    let body =
        |row: csv::StringRecord| format!(r#"{{"id_number":"{}","name":"{}"}}"#, &row[1], &row[2]);
    Ok(reader.records().map(|row| row.map(body)).collect::<Result<_, _>>()?)
}

/// As many connections as calls may be in flight; each takes the next body.
async fn post_all(url: &str, bodies: Vec<String>, tasks: usize) -> Result<(), Box<dyn Error>> {
    let url = Url::parse(&format!("{url}/verify/id_name"))?;
    let address = &url[Position::BeforeHost..Position::AfterPort];
    let rest = RefCell::new(bodies.into_iter());
    let mut running: FuturesUnordered<_> = (0..tasks)
        .map(|_| async {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
            tokio::spawn(connection);
            loop {
                let Some(body) = rest.borrow_mut().next() else { return Ok(()) };
                let request = Request::post(url.path())
                    .header(HOST, address)
                    .header(USER_AGENT, "bare-loop")
                    .header("X-DF-API-ID", "bench")
                    .header("X-DF-API-SECRET", "bench")
                    .header(ACCEPT, "application/json")
                    .header(CONTENT_TYPE, "application/json")
                    .body(Full::<Bytes>::from(body))?;
                sender.ready().await?;
                sender.send_request(request).await?.into_body().collect().await?;
            }
        })
        .collect();
    while let Some(ended) = running.next().await {
        let ended: Result<(), Box<dyn Error>> = ended;
        ended?;
    }
    Ok(())
}
