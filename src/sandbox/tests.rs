//! Tests of the whole server over loopback, with clients that write and read plain bytes.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::*;

const JSON: &str = "application/json";

fn connect(sandbox: &Running) -> TcpStream {
    let stream = TcpStream::connect(sandbox.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

fn request(kind: &str, id: &str, body: &str) -> String {
    format!(
        "POST /verify/id_name HTTP/1.1\r\nhost: x\r\nx-df-api-id: {id}\r\nx-df-api-secret: s\r\n\
         content-type: {kind}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn json(ending: &str) -> String {
    let body = format!(r#"{{"id_number":"327501010190{ending}","name":"SITI"}}"#);
    request(JSON, "a", &body)
}

/// Reads one answer: its head, and as much of its body as comes.
fn read(stream: &mut TcpStream) -> (String, String) {
    let mut bytes = Vec::new();
    let mut wanted = usize::MAX;
    let mut split = 0;
    while bytes.len() < wanted {
        let mut byte = [0; 1];
        match stream.read(&mut byte) {
            Ok(1) => bytes.push(byte[0]),
            _ => break,
        }
        if split == 0 && bytes.ends_with(b"\r\n\r\n") {
            split = bytes.len();
            let head = String::from_utf8_lossy(&bytes).to_lowercase();
            let (_, length) = head.split_once("content-length: ").unwrap();
            let (length, _) = length.split_once('\r').unwrap();
            wanted = split + length.parse::<usize>().unwrap();
        }
    }
    let body = bytes.split_off(split);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(bytes), text(body))
}

fn ask(stream: &mut TcpStream, request: &str) -> (u16, String) {
    stream.write_all(request.as_bytes()).unwrap();
    let (head, body) = read(stream);
    let code = head.get(9..12).map_or(0, |code| code.parse().unwrap());
    (code, body)
}

#[test]
fn one_connection_serves_many_kinds() {
    let sandbox = spawn(SandboxOptions::default()).unwrap();
    let mut stream = connect(&sandbox);
    let form = "application/x-www-form-urlencoded";
    for (text, code, part) in [
        (json("0001"), 200, r#""result":"01""#),
        (json("0002"), 200, r#""order_no":"SANDBOX-"#),
        (request(form, "a", "id_number=3275010101900003&name=A+B"), 200, r#""result":"03""#),
        (request(JSON, "a", "{}"), 400, "argument id_number not found"),
        (request(JSON, "expired", "{}"), 401, "KEY_EXPIRED"),
        (request(JSON, "forbidden", "{}"), 403, "NO_PERMISSION"),
        (request(JSON, "", "{}"), 401, "UNAUTHORIZED"),
        (json("0009"), 512, "SOURCE_SERVICE_UNAVAILABLE"),
        (json("0010"), 513, "SOURCE_SERVICE_TIMEOUT"),
        (json("0014"), 502, "<html>"),
        (json("0018"), 200, "3275010101900018 SITI"),
        (json("0001").replace("id_name ", "other "), 404, "NOT_FOUND"),
        (json("0001").replace("POST", "PUT"), 404, "NOT_FOUND"),
        (request(JSON, "a", &"x".repeat(70_000)), 413, "INVALID_ARGUMENT"),
        ("GET /stats HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(), 200, r#""requests":12,"charged":3"#),
    ] {
        let (found, body) = ask(&mut stream, &text);
        assert_eq!(found, code, "{body}");
        assert!(body.contains(part), "{body} lacks {part}");
    }
    assert_eq!(sandbox.stop().requests, 12);
}

#[test]
fn a_form_vendor_finds_no_arguments_in_json() {
    let accepts = Accepts::Form;
    let sandbox = spawn(SandboxOptions { accepts, ..SandboxOptions::default() }).unwrap();
    let (code, body) = ask(&mut connect(&sandbox), &json("0001"));
    assert_eq!(code, 400);
    assert!(body.contains("argument id_number not found"), "{body}");
}

#[test]
fn a_refusal_for_rate_says_when_to_come_back() {
    let sandbox = spawn(SandboxOptions::default()).unwrap();
    let mut stream = connect(&sandbox);
    stream.write_all(json("0019").as_bytes()).unwrap();
    let (head, _) = read(&mut stream);
    assert!(head.contains("403") && head.contains("retry-after: 1\r\n"), "{head}");
    assert_eq!(ask(&mut stream, &json("0019")).0, 200);
}

#[test]
fn a_cut_gives_nothing_and_is_charged() {
    let sandbox = spawn(SandboxOptions::default()).unwrap();
    let (code, body) = ask(&mut connect(&sandbox), &json("0012"));
    assert_eq!((code, body.as_str()), (0, ""));
    assert_eq!(sandbox.stop().charged, 1);
}

#[test]
fn a_cut_body_stops_in_its_middle() {
    let sandbox = spawn(SandboxOptions::default()).unwrap();
    let (code, body) = ask(&mut connect(&sandbox), &json("0017"));
    assert_eq!(code, 200);
    assert!(body.starts_with(r#"{"status":"OK","#), "{body}");
    assert!(serde_json::from_str::<serde_json::Value>(&body).is_err(), "{body}");
    assert_eq!(sandbox.stop().charged, 1);
}

#[test]
fn a_hang_lasts_until_the_stop_which_is_prompt() {
    let sandbox = spawn(SandboxOptions::default()).unwrap();
    let mut stream = connect(&sandbox);
    stream.write_all(json("0011").as_bytes()).unwrap();
    while sandbox.stats().charged == 0 {
        thread::sleep(Duration::from_millis(1));
    }
    let short = Some(Duration::from_millis(50));
    stream.set_read_timeout(short).unwrap();
    assert!(stream.read(&mut [0; 1]).is_err(), "something was answered");
    let stopping = Instant::now();
    assert_eq!(sandbox.stop().answers["hang"], 1);
    assert!(stopping.elapsed() < Duration::from_secs(5));
    assert_eq!(stream.read(&mut [0; 1]).unwrap_or(0), 0);
}

#[test]
fn latency_is_waited_but_charged_before() {
    let latency = Duration::from_millis(100);
    let sandbox = spawn(SandboxOptions { latency, ..SandboxOptions::default() }).unwrap();
    let mut stream = connect(&sandbox);
    let sent = Instant::now();
    assert_eq!(ask(&mut stream, &json("0001")).0, 200);
    assert!(sent.elapsed() >= latency);
    // A client that leaves at once is charged all the same.
    stream.write_all(json("0001").as_bytes()).unwrap();
    while sandbox.stats().charged < 2 {
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn the_calls_log_has_a_line_for_each_request() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("calls");
    let calls = Some(path.clone());
    let sandbox = spawn(SandboxOptions { calls, ..SandboxOptions::default() }).unwrap();
    let mut stream = connect(&sandbox);
    for ending in ["0001", "0008", "0008", "0014"] {
        ask(&mut stream, &json(ending));
    }
    ask(&mut stream, &request(JSON, "a", "{}"));
    sandbox.stop();
    let text = std::fs::read_to_string(path).unwrap();
    assert!(!text.contains("327501") && !text.contains("SITI"), "{text}");
    let fields: Vec<(String, bool, u64)> = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|line| {
            let answer = line["answer"].as_str().unwrap().to_owned();
            (answer, line["charged"].as_bool().unwrap(), line["n"].as_u64().unwrap())
        })
        .collect();
    let expected = [
        ("01", true, 1),
        ("INTERNAL_ERROR", false, 1),
        ("01", true, 2),
        ("html502", false, 1),
        ("INVALID_ARGUMENT", false, 0),
    ];
    assert_eq!(fields, expected.map(|(answer, charged, n)| (answer.to_owned(), charged, n)));
}

#[test]
fn a_taken_port_is_an_error_and_dropping_frees_it() {
    let first = spawn(SandboxOptions::default()).unwrap();
    let port = first.address().port();
    let again = || spawn(SandboxOptions { port, ..SandboxOptions::default() });
    assert!(matches!(again(), Err(SandboxError::Listen { .. })));
    drop(first);
    assert_eq!(again().unwrap().address().port(), port);
}

#[test]
fn senseless_options_are_an_error() {
    let options = SandboxOptions { chaos: 2.0, ..SandboxOptions::default() };
    assert!(matches!(spawn(options), Err(SandboxError::SandboxOptions(_))));
}
