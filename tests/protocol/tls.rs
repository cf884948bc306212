//! TLS with the user's own certificate authority: it is trusted only if it is given.
//!
//! The authority and the server's certificates under `certs` are made up. The key of the authority
//! was deleted.

use std::io::Write;
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use ceknik::api::{ClientOptions, HttpVerifier};
use ceknik::model::class::NotSent;
use ceknik::model::reply::{Fault, Reply};
use ceknik::rules::classify::classify;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::raw::{RawServer, Seen, a_match, read_request};
use crate::requests::{MATCH, call, options};

pub(crate) fn file(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/protocol/certs")).join(name)
}

/// Starts a TLS server with this certificate that answers every request with a match.
pub(crate) fn server(certificate: &str) -> RawServer {
    answering(certificate, a_match)
}

/// Starts such a server at another address of this machine.
fn server_at(ip: &str, certificate: &str) -> RawServer {
    let config = config(certificate);
    RawServer::at(ip, move |stream, seen| serve(stream, seen, &config, a_match))
}

/// Starts a TLS server with this certificate that gets each of its answers from `answer`.
pub(crate) fn answering(certificate: &str, answer: fn() -> Vec<u8>) -> RawServer {
    let config = config(certificate);
    RawServer::on_connection(move |stream, seen| serve(stream, seen, &config, answer))
}

fn config(certificate: &str) -> Arc<ServerConfig> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let chain = vec![CertificateDer::from_pem_file(file(certificate)).unwrap()];
    let key = PrivateKeyDer::from_pem_file(file("server.key.pem")).unwrap();
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key);
    Arc::new(config.unwrap())
}

fn serve(
    stream: TcpStream,
    seen: &Mutex<Seen>,
    config: &Arc<ServerConfig>,
    answer: fn() -> Vec<u8>,
) {
    let connection = ServerConnection::new(Arc::clone(config)).unwrap();
    let mut stream = StreamOwned::new(connection, stream);
    while let Some(request) = read_request(&mut stream) {
        seen.lock().unwrap().requests.push(request);
        stream.write_all(&answer()).unwrap();
    }
}

fn client(url: &str, ca_cert: Option<&str>) -> HttpVerifier {
    HttpVerifier::new(&ClientOptions { ca_cert: ca_cert.map(file), ..options(url) }).unwrap()
}

#[tokio::test]
async fn an_authority_that_is_given_is_trusted() {
    let server = server("server.pem");
    let client = client(&format!("https://{}", server.address), Some("ca.pem"));
    for _ in 0..3 {
        assert_eq!(classify(&call(&client).await), MATCH);
    }
    let seen = server.seen();
    assert_eq!((seen.connections, seen.requests.len()), (1, 3));
}

#[tokio::test]
async fn a_certificate_that_is_not_right_is_sent_nothing() {
    for (certificate, host, ca_cert, word) in [
        ("server.pem", "127.0.0.1", None, "its issuer is not trusted on this machine"),
        ("server.pem", "127.0.0.2", Some("ca.pem"), "another name"),
        ("expired.pem", "127.0.0.1", Some("ca.pem"), "expired"),
    ] {
        let server = server_at(host, certificate);
        let port = server.address.port();
        let client = client(&format!("https://{host}:{port}"), ca_cert);
        let Reply::Fault(Fault::NotSent(NotSent::Certificate, cause)) = call(&client).await else {
            panic!("{certificate} of {host}")
        };
        assert!(cause.contains(word), "{certificate} of {host}: {cause}");
        assert_eq!(server.seen().requests.len(), 0);
    }
}
