//! A faulty network between the whole program and the stand-in vendor.
//!
//! Must hold: whatever happens to a call on its way, its charge is confirmed or possible, no pair
//! is sent twice, and no row ever gets the answer of another row. The vendor's call log shows what
//! was sent and charged.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread::{self, sleep};
use std::time::Duration;

use tokio::net::TcpSocket;

use crate::raw::{RawServer, read_request};
use crate::support::money::Charges;
use crate::support::{Row, Vendor, Workspace, billed, bought_once, many_people, run_arguments};

const ROWS: usize = 60;
/// Distance between two faults, in requests.
const EVERY: usize = 7;
const CONCURRENCY: usize = 4;
/// Time that a call may take: `--timeout`.
const TIMEOUT: Duration = Duration::from_millis(600);
/// Size of a huge body, in bytes.
const HUGE: usize = 100 << 20;

/// The fault that a request or its answer meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// The request is read and not passed on. Nothing more comes.
    Stalled,
    /// The request is read and not passed on. The connection is closed.
    ClosedBefore,
    /// The request is read and not passed on. The connection is reset.
    ResetBefore,
    /// The vendor answers, and the answer is not passed on. The connection is closed.
    ClosedAfter,
    /// The vendor answers, and the answer is not passed on. The connection is reset.
    ResetAfter,
    /// Half of the answer's head comes, then the connection is closed.
    HalfHead,
    /// The head and half of the body come, then the connection is closed.
    HalfBody,
    /// The answer comes after the timeout.
    Late,
    /// The answer comes so slowly that it is not complete before the timeout.
    Dripping,
    /// Bytes that are not HTTP come instead of the answer.
    Garbage,
    /// The login page of a gateway comes instead of the answer.
    Login,
    /// A body of [`HUGE`] bytes comes instead of the answer.
    Huge,
    /// The answer comes twice. Nothing is lost.
    Twice,
    /// The answer comes twice, the second time a little later. Nothing is lost.
    TwiceLater,
    /// Garbage comes after the answer. Nothing is lost.
    GarbageBehind,
    /// The answer comes in single bytes. Nothing is lost.
    InBytes,
    /// The connection is closed after the answer. Nothing is lost.
    ClosedBehind,
}

use Fault::{
    ClosedAfter, ClosedBefore, ClosedBehind, Dripping, Garbage, GarbageBehind, HalfBody, HalfHead,
    Huge, InBytes, Late, Login, ResetAfter, ResetBefore, Stalled, Twice, TwiceLater,
};

/// Faults that lose the answer; `true` if the vendor gets the request all the same.
const LOSE_THE_ANSWER: [(Fault, bool); 12] = [
    (Stalled, false),
    (ClosedBefore, false),
    (ResetBefore, false),
    (ClosedAfter, true),
    (ResetAfter, true),
    (HalfHead, true),
    (HalfBody, true),
    (Late, true),
    (Dripping, true),
    (Garbage, true),
    (Login, true),
    (Huge, true),
];
const HARMLESS: [Fault; 5] = [Twice, TwiceLater, GarbageBehind, InBytes, ClosedBehind];

/// Starts a proxy in front of the vendor. Every [`EVERY`]th request meets the fault.
fn proxy(vendor: &str, fault: Fault) -> RawServer {
    let vendor = vendor.strip_prefix("http://").unwrap().to_owned();
    RawServer::on_connection(move |mut client, seen| {
        let mut line = TcpStream::connect(&vendor).unwrap();
        while let Some((head, body)) = read_request(&mut client) {
            let number = {
                let mut seen = seen.lock().unwrap();
                seen.requests.push((head.clone(), body.clone()));
                seen.requests.len()
            };
            let fault = number.is_multiple_of(EVERY).then_some(fault);
            if let Some(Stalled | ClosedBefore | ResetBefore) = fault {
                return end(&client, fault);
            }
            line.write_all((head + &body).as_bytes()).unwrap();
            let Some(answer) = read_answer(&mut line) else { return };
            let Some(fault) = fault else {
                // The program may have closed the connection.
                if client.write_all(&answer).is_err() {
                    return;
                }
                continue;
            };
            let written = give(&mut client, fault, &answer);
            seen.lock().unwrap().written += written;
            if !matches!(fault, Twice | TwiceLater | GarbageBehind | InBytes) {
                return end(&client, Some(fault));
            }
        }
    })
}

/// Ends a connection in the way of the fault.
fn end(client: &TcpStream, fault: Option<Fault>) {
    match fault {
        Some(Stalled) => sleep(TIMEOUT * 2),
        Some(ResetBefore | ResetAfter) => {
            // Closing the socket now resets the connection.
            let socket = TcpSocket::from_std_stream(client.try_clone().unwrap());
            socket.set_zero_linger().unwrap();
        }
        _ => {}
    }
}

/// Sends the program as much of an answer as the fault lets through. Returns the number of bytes
/// sent.
fn give(client: &mut TcpStream, fault: Fault, answer: &[u8]) -> usize {
    let head = answer.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
    let ok = |length: usize| format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
    let mut send = |bytes: &[u8]| client.write_all(bytes).map_or(0, |()| bytes.len());
    match fault {
        HalfHead => send(&answer[..head / 2]),
        HalfBody => send(&answer[..(head + answer.len()) / 2]),
        Late => {
            sleep(TIMEOUT * 2);
            send(answer)
        }
        Dripping => {
            let pause = TIMEOUT * 2 / answer.len() as u32;
            answer.iter().map(|byte| (sleep(pause), send(&[*byte])).1).sum()
        }
        InBytes => {
            answer.iter().map(|byte| (sleep(Duration::from_micros(300)), send(&[*byte])).1).sum()
        }
        Garbage => send(&[0x5a; 512]),
        Login => {
            let page = "<html>Please log in: <form>...</form></html>";
            send((ok(page.len()) + page).as_bytes())
        }
        Huge => {
            let (mut given, chunk) = (send(ok(HUGE).as_bytes()), vec![b' '; 1 << 16]);
            while given < HUGE && send(&chunk) > 0 {
                given += chunk.len();
            }
            given
        }
        Twice => send(&[answer, answer].concat()),
        TwiceLater => {
            let given = send(answer);
            // The next call on this connection is on its way at that moment, or about to be sent.
            sleep(Duration::from_millis(3));
            given + send(answer)
        }
        GarbageBehind => send(&[answer, &[0x5a; 64]].concat()),
        ClosedBehind => send(answer),
        Stalled | ClosedBefore | ResetBefore | ClosedAfter | ResetAfter => 0,
    }
}

/// Reads a whole answer of the vendor.
fn read_answer(line: &mut TcpStream) -> Option<Vec<u8>> {
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        line.read_exact(&mut byte).ok()?;
        answer.push(byte[0]);
    }
    let head = String::from_utf8(answer.clone()).unwrap();
    let length = crate::raw::header(&head, "content-length").unwrap().parse().unwrap();
    let mut body = vec![0; length];
    line.read_exact(&mut body).ok()?;
    answer.extend(body);
    Some(answer)
}

/// Result of a run through the faulty network: its rows, its doubts and the vendor's calls.
struct FaultyRun {
    rows: Vec<Row>,
    in_doubt: u64,
    calls: usize,
    /// Number of faults that happened.
    faults: usize,
    /// Number of bytes that the proxy sent of answers with a fault.
    written: usize,
}

fn run_with(fault: Fault) -> FaultyRun {
    let place = Workspace::new();
    place.write("in.csv", many_people(ROWS as u32));
    let vendor = Vendor::start(&place, &["--latency", "2ms"]);
    let proxy = proxy(&vendor.base_url, fault);
    let (url, timeout) = (proxy.url(), format!("{}ms", TIMEOUT.as_millis()));
    let concurrency = CONCURRENCY.to_string();
    let more =
        ["-o", "out.csv", "--timeout", &timeout, "--concurrency", &concurrency, "--body", "json"];
    let arguments = run_arguments("in.csv", &url, &more);
    let ended = place.ceknik(&arguments);
    assert!(matches!(ended.code, Some(0 | 3)), "{fault:?}: {}", ended.stderr);
    let faults = proxy.seen().requests.len() / EVERY;

    // A pair whose answer was lost is not sent again.
    let before = vendor.calls().len();
    place.ceknik(&arguments);
    let calls = vendor.end();
    assert_eq!(calls.len(), before, "{fault:?}");
    bought_once(&calls);
    let summary = place.summary("out.csv");
    assert_eq!(summary["rows"], ROWS);
    let written = proxy.seen().written;
    let charges = Charges::of_first_run(&place.status(&["--base-url", &url]));
    let billed = billed(&calls);
    assert!(charges.covers(billed), "{fault:?}: {billed} billed, but {charges:?}");
    let (rows, in_doubt) = (place.rows("out.csv"), charges.possible);
    FaultyRun { rows, in_doubt, calls: calls.len(), faults, written }
}

/// Returns outcome and order number of each row, or `None` for a row in doubt.
fn answers(rows: &[Row]) -> Vec<Option<(&str, &str)>> {
    let answer = |row: &'_ Row| (row["ck_outcome"] != "in_doubt").then_some(());
    rows.iter()
        .map(|row| answer(row).map(|()| (row["ck_outcome"].as_str(), row["ck_order_no"].as_str())))
        .collect()
}

#[test]
fn charges_and_answers_are_right_whatever_the_network_does() {
    let all = LOSE_THE_ANSWER.map(|(fault, _)| fault).into_iter().chain(HARMLESS);
    let runs: Vec<_> = all.map(|fault| (fault, thread::spawn(move || run_with(fault)))).collect();
    let calm = run_with(InBytes);
    let truth = answers(&calm.rows);
    assert!(truth.iter().all(Option::is_some));
    let mut ended: Vec<(Fault, FaultyRun)> = Vec::new();
    for (fault, run) in runs {
        ended.push((fault, run.join().unwrap()));
    }
    for (fault, run) in &ended {
        let found = answers(&run.rows);
        println!("{fault:?}: {} in doubt, {} calls", run.in_doubt, run.calls);
        for (row, (found, truth)) in found.iter().zip(&truth).enumerate() {
            assert!(
                found.is_none() || found == truth,
                "{fault:?}, row {row}: {found:?} for {truth:?}"
            );
        }
        let doubts = found.iter().filter(|answer| answer.is_none()).count() as u64;
        assert_eq!(doubts, run.in_doubt, "{fault:?}");
        match LOSE_THE_ANSWER.iter().find(|(losing, _)| losing == fault) {
            Some((_, is_asked)) => {
                assert_eq!(doubts, run.faults as u64, "{fault:?}");
                // A slow machine may add requests, and so faults.
                assert!(run.faults >= ROWS / EVERY, "{fault:?}: {} faults", run.faults);
                let unasked = if *is_asked { 0 } else { run.faults };
                assert_eq!(run.calls, ROWS - unasked, "{fault:?}");
            }
            // The connection can no longer be trusted, and the next call on it may be lost too.
            None => assert!(doubts <= run.faults as u64, "{fault:?}: {doubts} in doubt"),
        }
    }
    let (_, huge) = ended.iter().find(|(fault, _)| *fault == Huge).unwrap();
    let each = huge.written / huge.faults;
    assert!(each < 16 << 20, "{each} bytes of a huge body were taken");
}
