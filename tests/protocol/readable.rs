//! Answers in the forms that servers and gateways really send: the program reads everything that a
//! browser could read. Of an unreadable answer it keeps the texts by which the vendor can find the
//! call.

use std::io::Write;
use std::time::{Duration, Instant};

use ceknik::api::{ClientOptions, HttpVerifier};
use ceknik::model::class::Lost;
use ceknik::model::reply::{Body, Fault, Reply, Response};
use ceknik::model::texts::{Text, Texts};
use ceknik::rules::classify::classify;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

use crate::raw::{Act, RawServer, a_match, ok};
use crate::requests::{MATCH, call, client, options};
use crate::support::{Workspace, many_people, people_csv};

const BODY: &str = r#"{"status":"OK","result":{"order_no":"O1","result":"01","remark":"Sésuai"},"request_id":"TID1"}"#;

/// Returns a complete answer with these lines in its head.
fn with(lines: &[&str], body: &[u8]) -> Vec<u8> {
    let mut head = "HTTP/1.1 200 OK\r\n".to_owned();
    for line in lines {
        head += &format!("{line}\r\n");
    }
    head += &format!("content-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

async fn reply_to(answer: Vec<u8>) -> Reply {
    let server = RawServer::answering(move |_| Act::SendAndClose(answer.clone()));
    call(&client(&server.url())).await
}

/// Asserts that the reply is a match, and returns its texts.
async fn texts_of(what: &str, answer: Vec<u8>) -> Texts {
    let reply = reply_to(answer).await;
    assert_eq!(classify(&reply), MATCH, "{what}: {reply:?}");
    match reply {
        Reply::Response(Response { body: Body::Vendor(texts), .. }) => *texts,
        other => panic!("{what}: {other:?}"),
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn packed_answers_are_unpacked() {
    let plain = BODY.as_bytes();
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
    zlib.write_all(plain).unwrap();
    let mut deflate = DeflateEncoder::new(Vec::new(), Compression::best());
    deflate.write_all(plain).unwrap();
    for (what, lines, body) in [
        ("gzip", &["content-encoding: gzip"][..], gzip(plain)),
        ("gzip, its old name", &["Content-Encoding: x-gzip"], gzip(plain)),
        ("gzip, unsaid", &[], gzip(plain)),
        ("zlib", &["content-encoding: deflate"], zlib.finish().unwrap()),
        ("deflate", &["content-encoding: deflate"], deflate.finish().unwrap()),
        ("identity", &["content-encoding: identity"], plain.to_vec()),
        ("not packed, but says so", &["content-encoding: gzip"], plain.to_vec()),
    ] {
        let texts = texts_of(what, with(lines, &body)).await;
        assert_eq!(texts.get(Text::Remark), Some("Sésuai"), "{what}");
    }
    let packed = gzip(plain);
    let head = "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n";
    let head = format!("{head}{:x}\r\n", packed.len());
    let answer = [head.as_bytes(), &packed, b"\r\n0\r\n\r\n"];
    texts_of("gzip in chunks", answer.concat()).await;
}

#[tokio::test]
async fn a_packed_body_without_end_is_left() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&vec![b' '; 100 << 20]).unwrap();
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 250_000, "{} bytes would not be read", bomb.len());
    let begun = Instant::now();
    std::io::copy(&mut GzDecoder::new(&bomb[..]), &mut std::io::sink()).unwrap();
    let whole = begun.elapsed();
    // A busy machine makes a call slower, but never faster, so one quick call of three is enough.
    let mut quickest = Duration::MAX;
    for _ in 0..3 {
        let begun = Instant::now();
        let Reply::Response(Response { body: Body::Foreign(_), .. }) =
            reply_to(with(&["content-encoding: gzip"], &bomb)).await
        else {
            panic!("it was read")
        };
        quickest = quickest.min(begun.elapsed());
    }
    assert!(quickest < whole, "{quickest:?}, and {whole:?} for all of it");
}

#[tokio::test]
async fn texts_are_decoded_by_their_charset() {
    let latin: Vec<u8> = BODY.chars().map(|c| c as u8).collect();
    let utf_16: Vec<u8> = BODY.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let marked = [b"\xef\xbb\xbf", BODY.as_bytes()].concat();
    for (what, kind, body, remark) in [
        ("a mark", "application/json", &marked, "Sésuai"),
        ("Latin-1", "application/json; charset=ISO-8859-1", &latin, "Sésuai"),
        ("Latin-1, unsaid", "application/json", &latin, "S\u{FFFD}suai"),
        ("UTF-16", "application/json; charset=utf-16le", &utf_16, "Sésuai"),
        ("UTF-16, unsaid", "text/plain", &utf_16, "Sésuai"),
    ] {
        let texts = texts_of(what, with(&[&format!("content-type: {kind}")], body)).await;
        assert_eq!(texts.get(Text::Remark), Some(remark), "{what}");
    }
}

#[test]
fn long_numbers_reach_the_output_digit_by_digit() {
    let first = 20_261_128_130_414_000_000_u128;
    let vendor = RawServer::answering(move |n| {
        let id = first + n as u128;
        Act::Send(ok(&format!(
            r#"{{"status":"OK","result":{{"order_no":{id},"result":"01"}},"request_id":{id}}}"#
        )))
    });
    let place = Workspace::new();
    place.write("in.csv", people_csv([1001, 1002, 1003]));
    place.run("in.csv", &vendor.url(), &["-o", "out.csv"]).exits(0);
    let expected: Vec<String> = (0..3).map(|n| (first + n).to_string()).collect();
    for column in ["ck_order_no", "ck_request_id"] {
        let mut found = place.column("out.csv", column);
        found.sort();
        assert_eq!(found, expected, "{column}");
    }
}

#[tokio::test]
async fn heads_that_curl_accepts_are_accepted() {
    let many: Vec<String> = (0..900).map(|n| format!("X-{n}: {n}")).collect();
    let long = format!("X-Long: {}", "x".repeat(60_000));
    for (what, line) in [
        ("no colon", "preload"),
        ("a space before the colon", "X-A : a"),
        ("a folded line", "X-A: a\r\n  b"),
        ("many headers", many.join("\r\n").as_str()),
        ("a long header", &long),
        ("no name", ": a"),
        ("a name of odd characters", "X(A)[b]: a"),
        ("a value beyond ASCII", "X-A: caf\u{e9}"),
        ("a control character in a value", "X-A: a\u{1}b"),
        ("an empty value", "X-A:"),
        ("a foreign length twice", "Content-Type: a\r\nContent-Type: b"),
        ("cookies", "Set-Cookie: a=b; Path=/\r\nSet-Cookie: c=d"),
        ("an odd keep-alive", "Keep-Alive: timeout=, max=x"),
        ("an odd wait", "Retry-After: soon"),
    ] {
        texts_of(what, with(&[line], BODY.as_bytes())).await;
    }
    let length = BODY.len();
    for (what, head) in [
        ("bare line feeds", format!("HTTP/1.1 200 OK\ncontent-length: {length}\n\n")),
        ("no reason", format!("HTTP/1.1 200\r\ncontent-length: {length}\r\n\r\n")),
        ("an old version", format!("HTTP/1.0 200 OK\r\ncontent-length: {length}\r\n\r\n")),
        ("an old version without a length", "HTTP/1.0 200 OK\r\n\r\n".to_owned()),
        ("the length twice", {
            let line = format!("content-length: {length}\r\n");
            format!("HTTP/1.1 200 OK\r\n{line}{line}\r\n")
        }),
        (
            "the length twice in a line",
            format!("HTTP/1.1 200 OK\r\ncontent-length: {length}, {length}\r\n\r\n"),
        ),
        (
            "a large head",
            format!(
                "HTTP/1.1 200 OK\r\nX: {}\r\ncontent-length: {length}\r\n\r\n",
                "x".repeat(290_000)
            ),
        ),
        ("a fold first", format!("HTTP/1.1 200 OK\r\n  x\r\ncontent-length: {length}\r\n\r\n")),
        (
            "identity encoding",
            format!(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: {length}\r\n\r\n"
            ),
        ),
        ("a line before it", format!("\r\nHTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n")),
        (
            "a reason beyond ASCII",
            format!("HTTP/1.1 200 Bér\u{e9}s\r\ncontent-length: {length}\r\n\r\n"),
        ),
    ] {
        texts_of(what, (head + BODY).into_bytes()).await;
    }
    let (head, tail) =
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n", "\r\n0\r\nX-Trailer: a\r\n\r\n");
    for more in ["", "Content-Length: 3\r\n"] {
        let answer = format!("{head}{more}\r\n{length:X};a=b\r\n{BODY}{tail}");
        texts_of("chunks with all that may be in them", answer.into_bytes()).await;
    }
}

#[tokio::test]
async fn order_number_and_request_id_of_a_cut_answer_are_kept() {
    let whole = with(&[], BODY.as_bytes());
    let (cut, text) = (&whole[..whole.len() - 1], |text: &str| Some(text.to_owned()));
    let Reply::Fault(Fault::InDoubt(_, remains)) = reply_to(cut.to_vec()).await else {
        panic!("it was taken for whole")
    };
    assert_eq!((remains.order_no, remains.request_id), (text("O1"), text("TID1")));
    let begun = cut.to_vec();
    let server = RawServer::answering(move |_| Act::Send(begun.clone()));
    let hasty = ClientOptions { timeout: Duration::from_millis(300), ..options(&server.url()) };
    let reply = call(&HttpVerifier::new(&hasty).unwrap()).await;
    let Reply::Fault(Fault::InDoubt(Lost::Timeout, remains)) = reply else { panic!("{reply:?}") };
    assert_eq!(remains.order_no, text("O1"), "also where its end never came");
    let garbled =
        with(&["content-type: text/html"], BODY.replace("\"status\"", "status").as_bytes());
    let reply = reply_to(garbled).await;
    let Reply::Response(Response { body: Body::Foreign(remains), .. }) = reply else {
        panic!("{reply:?}")
    };
    let texts = Texts::from(*remains);
    let expected = Texts::from([(Text::OrderNo, "O1"), (Text::RequestId, "TID1")]);
    assert!(
        Text::ALL
            .iter()
            .all(|text| *text == Text::Reason || texts.get(*text) == expected.get(*text))
    );
}

#[test]
fn what_remains_of_an_answer_reaches_the_output_with_the_doubt() {
    let body = r#"{"status":"OK","result":{"order_no":"SF 77","handle_time":"2026-11-28 10:00:00","result":"01"},"request_id":"TID7""#;
    let (place, vendor) = (Workspace::new(), RawServer::answering(move |_| Act::Send(ok(body))));
    place.write("in.csv", people_csv([1001]));
    place.run("in.csv", &vendor.url(), &["-o", "out.csv"]).exits(3);
    let row = &place.rows("out.csv")[0];
    for (column, value) in [
        ("ck_outcome", "in_doubt"),
        ("ck_result", ""),
        ("ck_status", ""),
        ("ck_order_no", "SF 77"),
        ("ck_handle_time", "2026-11-28 10:00:00"),
        ("ck_request_id", "TID7"),
        ("ck_possible", "1"),
        // The body is not shown, since it contains four digits in a row: those of the year.
        ("ck_reason", "lost_unreadable: HTTP 200, application/json"),
    ] {
        assert_eq!(row[column], value, "{column}");
    }
}

#[test]
fn unreadable_answers_are_reported_as_such() {
    let page = "<html>maintenance</html>";
    let vendor = RawServer::answering(move |_| {
        Act::Send(with(&["content-type: text/html"], page.as_bytes()))
    });
    let place = Workspace::new();
    place.write("in.csv", many_people(40));
    let ended =
        place.run("in.csv", &vendor.url(), &["-o", "out.csv", "--concurrency", "1"]).exits(16);
    let told = r#"HTTP 200, text/html, begins "<html>maintenance</html>""#;
    for words in [
        format!(
            "stopped: 20 answers came, but could not be read ({told}); each of these calls may have been charged"
        ),
        format!("WARN an answer came, but it cannot be read: {told}"),
        "next       first correct the cause".to_owned(),
    ] {
        assert!(ended.stderr.contains(&words), "{words}: {}", ended.stderr);
    }
    assert!(!ended.stderr.contains("--timeout"), "{}", ended.stderr);
    let reason = &place.column("out.partial.csv", "ck_reason")[0];
    assert_eq!(*reason, format!("lost_unreadable: {told}"));
}

#[test]
fn a_retry_after_with_a_fraction_is_rounded_up() {
    let limited = b"HTTP/1.1 429 No\r\nretry-after: 1.2\r\ncontent-length: 0\r\n\r\n";
    let (place, times) = (Workspace::new(), std::sync::Arc::new(std::sync::Mutex::new(Vec::new())));
    let seen = std::sync::Arc::clone(&times);
    let vendor = RawServer::answering(move |n| {
        seen.lock().unwrap().push(Instant::now());
        Act::Send(if n == 0 { limited.to_vec() } else { a_match() })
    });
    place.write("in.csv", people_csv([1001]));
    place.run("in.csv", &vendor.url(), &[]).exits(0);
    let times = times.lock().unwrap();
    assert!(times[1] - times[0] >= Duration::from_secs(2), "{:?}", times[1] - times[0]);
}
