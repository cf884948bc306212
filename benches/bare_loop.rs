//! The bare loop: ceknik's HTTP client posts the same subjects, without CSV, ledger, engine or
//! limits. The difference to `ceknik run` is the cost of everything else.
//!
//! `cargo bench --bench bare_loop -- URL FILE CONCURRENCY` prints the calls per second.

use std::cell::RefCell;
use std::error::Error;
use std::time::{Duration, Instant};

use ceknik::api::origin::BaseUrl;
use ceknik::api::{ClientOptions, Credentials, HttpVerifier, Verifier};
use ceknik::model::reply::Reply;
use ceknik::model::subject::Subject;
use ceknik::rules::body::BodyKind;
use ceknik::rules::name::check_name;
use ceknik::rules::nik::{NikPolicy, check_nik};
use futures_util::future::try_join_all;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let [url, file, concurrency] = arguments.as_slice() else {
        eprintln!("usage: bare_loop URL FILE CONCURRENCY");
        return Ok(());
    };
    let subjects = subjects(file)?;
    let (calls, concurrency) = (subjects.len(), concurrency.parse()?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let started = Instant::now();
    runtime.block_on(post_all(url, subjects, concurrency))?;
    let seconds = started.elapsed().as_secs_f64();
    println!("{:.0}", calls as f64 / seconds);
    Ok(())
}

/// Reads one subject from each row of `id,nik,nama`.
fn subjects(file: &str) -> Result<Vec<Subject>, Box<dyn Error>> {
    let subject = |row: csv::StringRecord| {
        let (nik, _) = check_nik(&row[1], &NikPolicy::default()).map_err(|_| "not a NIK")?;
        Ok(Subject { nik, name: check_name(&row[2], None).map_err(|_| "not a name")?.name })
    };
    csv::Reader::from_path(file)?.into_records().map(|row| subject(row?)).collect()
}

/// Sends all subjects. There are as many tasks as calls may be in flight, and each task takes the
/// next subject.
async fn post_all(url: &str, subjects: Vec<Subject>, tasks: usize) -> Result<(), Box<dyn Error>> {
    let client = HttpVerifier::new(&ClientOptions {
        base: BaseUrl::parse(url)?,
        credentials: Credentials { id: "bench".to_owned(), secret: "bench".to_owned() },
        timeout: Duration::from_secs(60),
        connect_timeout: Duration::from_secs(5),
        ca_cert: None,
        proxies: false,
        keep_alive: true,
        lines: tasks,
    })?;
    let rest = RefCell::new(subjects.into_iter());
    let task = || async {
        loop {
            let Some(subject) = rest.borrow_mut().next() else { return Ok(()) };
            if let Reply::Fault(fault) = client.verify(&subject, BodyKind::Json).await {
                return Err(format!("{fault:?}"));
            }
        }
    };
    try_join_all((0..tasks).map(|_| task())).await?;
    Ok(())
}
