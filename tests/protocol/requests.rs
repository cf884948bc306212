//! The requests that are sent: method, path, headers and body are exact. One connection is kept,
//! and no redirect is followed.

use std::path::PathBuf;
use std::time::Duration;

use ceknik::api::origin::BaseUrl;
use ceknik::api::{ClientOptions, Credentials, HttpVerifier, Verifier};
use ceknik::model::class::{Class, ResultCode};
use ceknik::model::reply::{Reply, Response};
use ceknik::model::subject::Subject;
use ceknik::rules::body::BodyKind;
use ceknik::rules::classify::classify;
use ceknik::rules::name::check_name;
use ceknik::rules::nik::{NikPolicy, check_nik};

use crate::mock::{Vendor, code, page};
use crate::raw::{Act, RawServer, a_match, header};

pub(crate) const MATCH: Class = Class::Answered(ResultCode::Match);

/// Returns options for an address: ten seconds for each call, no proxies.
pub(crate) fn options(base_url: &str) -> ClientOptions {
    ClientOptions {
        base: BaseUrl::parse(base_url).unwrap(),
        credentials: Credentials { id: "an-id".to_owned(), secret: "a-secret".to_owned() },
        timeout: Duration::from_secs(10),
        connect_timeout: Duration::from_secs(5),
        ca_cert: None,
        proxies: false,
        keep_alive: true,
        lines: 1,
    }
}

pub(crate) fn client(base_url: &str) -> HttpVerifier {
    HttpVerifier::new(&options(base_url)).unwrap()
}

pub(crate) fn subject(nik: &str, name: &str) -> Subject {
    let (nik, _) = check_nik(nik, &NikPolicy::default()).unwrap();
    Subject { nik, name: check_name(name, None).unwrap().name }
}

pub(crate) fn anyone() -> Subject {
    subject("3275014107900001", "SITI AMINAH")
}

/// Sends a made-up person as JSON.
pub(crate) async fn call(client: &HttpVerifier) -> Reply {
    client.verify(&anyone(), BodyKind::Json).await
}

#[tokio::test]
async fn a_request_is_exactly_what_the_vendor_asks_for() {
    for (base, path) in [
        ("", "/verify/id_name"),
        ("/gate/v2/", "/gate/v2/verify/id_name"),
        ("/a%20b", "/a%20b/verify/id_name"),
    ] {
        let server = RawServer::answering(|_| Act::Send(a_match()));
        let client = client(&(server.url() + base));
        assert_eq!(classify(&call(&client).await), MATCH);
        let (head, _) = server.seen().requests[0].clone();
        assert_eq!(head.lines().next().unwrap(), format!("POST {path} HTTP/1.1"));
        let mut names: Vec<String> = head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(name, _)| name.to_ascii_lowercase())
            .collect();
        names.sort();
        let all = "accept accept-encoding content-length content-type host user-agent x-df-api-id x-df-api-secret";
        assert_eq!(names.join(" "), all, "nothing else goes out");
        for (name, value) in [
            ("accept", "application/json"),
            ("accept-encoding", "identity"),
            ("content-type", "application/json"),
            ("x-df-api-id", "an-id"),
            ("x-df-api-secret", "a-secret"),
            ("host", &server.address.to_string()),
        ] {
            assert_eq!(header(&head, name), Some(value), "{name}");
        }
        assert!(header(&head, "user-agent").unwrap().starts_with("ceknik/"));
    }
}

#[tokio::test]
async fn names_of_all_kinds_arrive_whole_in_both_bodies() {
    let nik = "3275014107900001";
    for (name, json, form) in [
        ("SITI AMINAH", r#""SITI AMINAH""#, "SITI+AMINAH"),
        (r#"O'HARA "ACE" & CO"#, r#""O'HARA \"ACE\" & CO""#, "O%27HARA+%22ACE%22+%26+CO"),
        ("A=B+C%20D", r#""A=B+C%20D""#, "A%3DB%2BC%2520D"),
        (r"BACK\SLASH", r#""BACK\\SLASH""#, "BACK%5CSLASH"),
        ("RENÉE ÑÚÑEZ", r#""RENÉE ÑÚÑEZ""#, "REN%C3%89E+%C3%91%C3%9A%C3%91EZ"),
        ("ꦧꦸꦢꦶ 𠮷", r#""ꦧꦸꦢꦶ 𠮷""#, "%EA%A6%A7%EA%A6%B8%EA%A6%A2%EA%A6%B6+%F0%A0%AE%B7"),
    ] {
        let server = RawServer::answering(|_| Act::Send(a_match()));
        let client = client(&server.url());
        for kind in [BodyKind::Json, BodyKind::Form] {
            assert_eq!(classify(&client.verify(&subject(nik, name), kind).await), MATCH);
        }
        let requests = server.seen().requests.clone();
        let typed = |n: usize| header(&requests[n].0, "content-type").unwrap().to_owned();
        assert_eq!(requests[0].1, format!(r#"{{"id_number":"{nik}","name":{json}}}"#));
        assert_eq!(typed(0), "application/json");
        assert_eq!(requests[1].1, format!("id_number={nik}&name={form}"));
        assert_eq!(typed(1), "application/x-www-form-urlencoded");
    }
}

#[tokio::test]
async fn calls_in_a_row_share_one_connection() {
    let server = RawServer::answering(|_| Act::Send(a_match()));
    let client = client(&server.url());
    for _ in 0..20 {
        assert_eq!(classify(&call(&client).await), MATCH);
    }
    let seen = server.seen();
    assert_eq!((seen.connections, seen.requests.len()), (1, 20));
}

#[tokio::test]
async fn no_redirect_is_followed() {
    let elsewhere = Vendor::answering(&[code("01")]).await;
    for http in [301, 302, 303, 307, 308] {
        let to = elsewhere.url() + "/verify/id_name";
        let vendor = Vendor::answering(&[page(http).with("location", to)]).await;
        let Reply::Response(Response { http: came, .. }) = call(&client(&vendor.url())).await
        else {
            panic!("no response")
        };
        assert_eq!((came, vendor.count().await), (http, 1));
    }
    assert_eq!(elsewhere.count().await, 0);
}

#[test]
fn secrets_never_print_and_odd_ones_are_named_not_shown() {
    let mut options = options("http://127.0.0.1:1");
    let shown = format!("{options:?}{:?}", options.credentials);
    assert!(!shown.contains("an-id") && !shown.contains("a-secret"), "{shown}");
    options.credentials.secret = "two\nlines".to_owned();
    let error = HttpVerifier::new(&options).err().unwrap();
    assert!(error.to_string().contains("CEKNIK_API_SECRET"), "{error}");
    assert!(!format!("{error} {error:?}").contains("lines"), "{error:?}");
}

#[test]
fn a_ca_file_that_cannot_be_used_is_named_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| -> PathBuf {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let cut = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    for path in [
        folder.path().join("missing.pem"),
        file("empty.pem", ""),
        file("text.pem", "not a certificate\n"),
        file("key.pem", "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n"),
        file("cut.pem", cut),
    ] {
        let ca_cert = Some(path.clone());
        let made = HttpVerifier::new(&ClientOptions { ca_cert, ..options("https://127.0.0.1:1") });
        let error = made.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains(path.to_str().unwrap()), "{path:?}: {error:?}");
        assert!(!error.contains("builder error"), "{path:?} says nothing: {error:?}");
    }
}
