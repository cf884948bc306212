//! The way to the vendor, with the whole program: proxies from the environment, certificates of the
//! system, and the messages about a call on its way.

use std::io::Write;
use std::net::{Ipv4Addr, TcpStream};
use std::thread;
use std::time::Duration;

use crate::raw::{Act, RawServer, a_match, header, read_request};
use crate::support::{
    Finished, Running, Workspace, closed_port, closed_port_at, name, nik, people_csv, run_arguments,
};
use crate::tls;

/// Address of this machine that is not `localhost`.
const OTHER_ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);

/// Runs one made-up person against an address, with these environment variables.
fn run(place: &Workspace, base_url: &str, variables: &[(&str, &str)], more: &[&str]) -> Finished {
    place.write("in.csv", people_csv([1001]));
    let mut command = place.command(&run_arguments("in.csv", base_url, more));
    command.envs(variables.iter().copied());
    Running::start(command).end()
}

#[test]
fn a_proxy_of_the_environment_is_used_for_tls_and_for_nothing_else() {
    for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "HTTP_PROXY", "http_proxy"] {
        let (place, vendor) = (Workspace::new(), RawServer::answering(|_| Act::Send(a_match())));
        let proxy = RawServer::answering(|_| Act::SendAndClose(Vec::new()));
        // The address is on this machine and uses no TLS, so the proxy is not used: the secret goes
        // to nobody else.
        run(&place, &vendor.url(), &[(variable, &proxy.url())], &[]).exits(0);
        assert_eq!((vendor.seen().connections, proxy.seen().connections), (1, 0), "{variable}");

        if variable.to_lowercase() != "http_proxy" {
            let (_held, closed) = closed_port_at(OTHER_ADDRESS);
            let (base, more) = (format!("https://{closed}"), ["--max-attempts", "1"]);
            run(&place, &base, &[(variable, &proxy.url())], &more).exits(3);
            let line = proxy.seen().requests[0].0.lines().next().map(str::to_owned);
            assert_eq!(line, Some(format!("CONNECT {closed} HTTP/1.1")), "{variable}");
        }
    }
}

/// Starts a proxy that connects to the address of its `CONNECT` and passes on all bytes.
fn tunnel() -> RawServer {
    RawServer::on_connection(|mut stream, seen| {
        let Some(request) = read_request(&mut stream) else { return };
        let mut vendor = TcpStream::connect(request.0.split(' ').nth(1).unwrap()).unwrap();
        seen.lock().unwrap().requests.push(request);
        stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").unwrap();
        let (mut back, mut to) = (stream.try_clone().unwrap(), vendor.try_clone().unwrap());
        thread::spawn(move || std::io::copy(&mut vendor, &mut back));
        let _ = std::io::copy(&mut stream, &mut to);
    })
}

#[test]
fn calls_go_through_the_tunnel_of_a_proxy() {
    let (place, vendor, proxy) = (Workspace::new(), tls::server("server.pem"), tunnel());
    let ca = tls::file("ca.pem").display().to_string();
    let url = format!("http://a-user:a-word@{}", proxy.address);
    let base = format!("https://{}", vendor.address);
    let ended = run(&place, &base, &[("HTTPS_PROXY", &url)], &["--ca-cert", &ca, "-vv"]).exits(0);
    assert!(!ended.stderr.contains("a-word"), "{}", ended.stderr);
    let (head, _) = proxy.seen().requests[0].clone();
    assert_eq!(head.lines().next(), Some(&*format!("CONNECT {} HTTP/1.1", vendor.address)));
    assert_eq!(header(&head, "proxy-authorization"), Some("Basic YS11c2VyOmEtd29yZA=="));
    assert!(header(&head, "user-agent").unwrap().starts_with("ceknik/"));
    assert!(header(&head, "x-df-api-id").is_none(), "the account is the vendor's to know");
    let (head, _) = vendor.seen().requests[0].clone();
    assert_eq!(header(&head, "x-df-api-id"), Some("test-account-id"));
    assert!(header(&head, "proxy-authorization").is_none(), "and the proxy's the proxy's");
}

#[test]
fn a_proxy_may_want_tls_itself() {
    let no = || b"HTTP/1.1 403 No\r\ncontent-length: 0\r\n\r\n".to_vec();
    let (place, proxy) = (Workspace::new(), tls::answering("server.pem", no));
    let ca = tls::file("ca.pem").display().to_string();
    let url = format!("https://{}", proxy.address);
    let more = ["--ca-cert", &ca];
    let ended = run(&place, "https://vendor.invalid", &[("HTTPS_PROXY", &url)], &more).exits(12);
    assert!(ended.stderr.contains("the proxy refuses the connection (403)"), "{}", ended.stderr);
    for (head, _) in &proxy.seen().requests {
        assert!(head.starts_with("CONNECT vendor.invalid:443 HTTP/1.1\r\n"), "{head}");
    }
    // The certificate of a proxy is verified too.
    let ended = run(&place, "https://vendor.invalid", &[("HTTPS_PROXY", &url)], &[]).exits(11);
    assert!(ended.stderr.contains("the proxy: the certificate was refused"), "{}", ended.stderr);
}

#[test]
fn a_proxy_that_cannot_be_used_is_never_gone_around() {
    for value in ["socks5://a-user:a-word@127.0.0.1:1", "ftp://x", "http://", "http://["] {
        for variable in ["HTTPS_PROXY", "all_proxy"] {
            let (place, vendor) = (Workspace::new(), tls::server("server.pem"));
            let base = format!("https://{}", vendor.address);
            let ended = run(&place, &base, &[(variable, value)], &[]).exits(11);
            assert!(ended.stderr.contains(variable), "{}", ended.stderr);
            assert!(!ended.stderr.contains("a-word"), "{}", ended.stderr);
            assert_eq!(vendor.seen().connections, 0, "{value}");
        }
    }
}

#[test]
fn no_proxy_is_obeyed() {
    for no_proxy in [
        ("NO_PROXY", "127.0.0.9"),
        ("no_proxy", "127.0.0.0/8"),
        ("NO_PROXY", "*"),
        ("NO_PROXY", "a.example 127.0.0.9"),
    ] {
        let (place, proxy) = (Workspace::new(), RawServer::answering(|_| Act::Send(a_match())));
        let (_held, closed) = closed_port_at(OTHER_ADDRESS);
        let variables = [no_proxy, ("HTTPS_PROXY", &proxy.url())];
        run(&place, &format!("https://{closed}"), &variables, &["--max-attempts", "1"]).exits(3);
        assert_eq!(proxy.seen().connections, 0, "{no_proxy:?}");
    }
}

#[test]
fn an_account_in_an_answer_is_hidden() {
    let said = "no account test-account-id with test-account-secret";
    let body = format!(r#"{{"status":"UNAUTHORIZED","reason":"{said}"}}"#);
    let head = format!("HTTP/1.1 401 No\r\ncontent-length: {}\r\n\r\n", body.len());
    let (place, vendor) =
        (Workspace::new(), RawServer::answering(move |_| Act::Send((head.clone() + &body).into())));
    run(&place, &vendor.url(), &[], &["--ledger", "my.ledger"]).exits(12);
    let reason = place.column("in.verified.partial.csv", "ck_reason");
    assert_eq!(reason, ["no account (hidden) with (hidden)"]);
    for file in ["my.ledger", "in.verified.partial.csv"] {
        let bytes = std::fs::read(place.path(file)).unwrap();
        assert!(!bytes.windows(12).any(|part| part == b"test-account"), "{file}");
    }
}

/// Runs through a proxy that gives this HTTP code to every request, and checks what the proxy was
/// asked.
fn refused_by_a_proxy(http: u16, exit: i32, more: &[&str]) -> (Workspace, Finished) {
    let place = Workspace::new();
    let proxy = RawServer::answering(move |_| {
        Act::SendAndClose(format!("HTTP/1.1 {http} No\r\ncontent-length: 0\r\n\r\n").into())
    });
    let url = format!("http://a-user:a-word@{}", proxy.address);
    let ended = run(&place, "https://vendor.invalid", &[("HTTPS_PROXY", &url)], more).exits(exit);
    assert!(!ended.stderr.contains("a-word") && !ended.stdout.contains("a-word"));
    let requests = proxy.seen().requests.clone();
    assert!(!requests.is_empty());
    for (head, body) in requests {
        assert!(head.starts_with("CONNECT vendor.invalid:443 HTTP/1.1\r\n"), "{head}");
        assert_eq!(header(&head, "proxy-authorization"), Some("Basic YS11c2VyOmEtd29yZA=="));
        assert!(header(&head, "x-df-api-id").is_none() && body.is_empty(), "{head}");
        assert!(!head.contains("test-account"), "{head}");
    }
    (place, ended)
}

#[test]
fn a_proxy_that_refuses_us_stops_the_run_at_once_and_sends_nothing() {
    for http in [401, 403, 407] {
        let (place, ended) = refused_by_a_proxy(http, 12, &[]);
        assert!(ended.stderr.contains(&format!("({http})")), "{}", ended.stderr);
        assert!(
            ended.stderr.contains("stopped: a proxy or gateway refuses the calls"),
            "{}",
            ended.stderr
        );
        let partial = "in.verified.partial.csv";
        assert_eq!(place.column(partial, "ck_outcome"), ["not_sent"], "{http}");
        assert_eq!(place.column(partial, "ck_possible"), ["0"]);
        let reason = &place.column(partial, "ck_reason")[0];
        assert!(reason.starts_with("not_sent_proxy: ") && reason.contains(&http.to_string()));
    }
}

#[test]
fn another_refusal_of_a_proxy_is_an_outage() {
    let (place, ended) = refused_by_a_proxy(502, 3, &["--max-attempts", "2"]);
    assert_eq!(place.column("in.verified.csv", "ck_outcome"), ["unavailable"]);
    assert_eq!(place.column("in.verified.csv", "ck_possible"), ["0"]);
    let reason = place.column("in.verified.csv", "ck_reason");
    assert_eq!(reason, ["not_sent_connect: the proxy refuses the connection (502)"]);
    assert!(ended.stderr.contains("to send the unavailable rows again"));
}

#[test]
fn a_refused_certificate_and_plain_text_stop_the_run_at_once() {
    let (place, vendor) = (Workspace::new(), tls::server("server.pem"));
    let ended = run(&place, &format!("https://{}", vendor.address), &[], &[]).exits(11);
    assert!(
        ended.stderr.contains("stopped: no connection to the vendor: the certificate was refused")
    );
    assert!(ended.stderr.contains("--ca-cert"), "{}", ended.stderr);
    let reason = &place.column("in.verified.partial.csv", "ck_reason")[0];
    assert!(reason.starts_with("not_sent_certificate: the certificate was refused"), "{reason}");

    let plain = RawServer::on_connection(|mut stream, _| {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
        let _ = std::io::Read::read(&mut stream, &mut [0; 4096]);
    });
    let ended = run(&place, &format!("https://{}", plain.address), &[], &[]).exits(11);
    assert!(
        ended.stderr.contains(
            "stopped: no connection to the vendor: this address does not use TLS (https)"
        )
    );
    let reason = &place.column("in.verified.partial.csv", "ck_reason")[0];
    assert_eq!(reason, "not_sent_no_tls: this address does not use TLS (https)");
}

#[test]
fn the_cause_of_a_failed_connection_is_said() {
    let (_held, closed) = closed_port();
    for (base, cause) in [
        (format!("http://{closed}"), "the connection was refused"),
        ("https://nowhere.invalid".to_owned(), "the server's address could not be looked up (DNS)"),
    ] {
        let place = Workspace::new();
        let more = ["--max-attempts", "1", "--connect-timeout", "2s"];
        let ended = run(&place, &base, &[], &more).exits(3);
        let warning = format!("WARN no connection to the vendor: {cause}");
        assert!(ended.stderr.contains(&warning), "{}", ended.stderr);
        assert!(
            ended.stderr.contains(&format!("not sent (not charged): {cause}")),
            "{}",
            ended.stderr
        );
        let reason = place.column("in.verified.csv", "ck_reason");
        assert_eq!(reason, [format!("not_sent_connect: {cause}")]);
    }
}

#[test]
fn the_sandbox_of_the_process_needs_no_proxy_and_no_certificates() {
    let place = Workspace::new();
    place.write("in.csv", people_csv([1001]));
    let mut command = place.command(&["run", "in.csv", "--sandbox"]);
    for proxy in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        command.env(proxy, "http://127.0.0.1:1");
    }
    command.env("SSL_CERT_FILE", "/nonexistent").env("SSL_CERT_DIR", "/nonexistent");
    Running::start(command).end().exits(0);
}

#[test]
fn where_the_system_has_no_certificates_the_error_says_so() {
    let place = Workspace::new();
    let variables = [("SSL_CERT_FILE", "/nonexistent"), ("SSL_CERT_DIR", "/nonexistent")];
    let ended = run(&place, "https://vendor.invalid", &variables, &[]).exits(11);
    assert!(ended.stderr.contains("CA certificates"), "{}", ended.stderr);
}

#[test]
fn nothing_that_is_printed_holds_a_secret_a_nik_or_a_name() {
    let acts: [fn() -> Act; 4] = [
        || Act::Send(a_match()),
        || Act::SendAndClose(Vec::new()),
        || Act::Wait(Duration::from_millis(1000)),
        || Act::Send(b"HTTP/1.1 401 No\r\ncontent-length: 0\r\n\r\n".to_vec()),
    ];
    let runs = acts.map(|act| {
        thread::spawn(move || {
            let (place, server) = (Workspace::new(), RawServer::answering(move |_| act()));
            let more = ["-vv", "--log", "json", "--timeout", "300ms"];
            let ended = run(&place, &server.url(), &[("RUST_LOG", "trace")], &more);
            assert_eq!(server.seen().requests.len(), 1);
            ended
        })
    });
    for run in runs {
        let Finished { stdout, stderr, .. } = run.join().unwrap();
        assert!(!stderr.is_empty());
        for word in ["test-account", &nik(0, 1001), &name(0)] {
            assert!(!stderr.contains(word) && !stdout.contains(word), "{word}: {stderr}");
        }
    }
}
