//! Explains why a call got no answer: whether the call may have left this machine, and the cause.
//!
//! Must hold: a fault is "not sent" only if no part of the call can have left. The cause is in the
//! program's own words: it contains no secret and no text that another machine sent.

use std::error::Error;
use std::io;

use reqwest::Error as ClientError;
use rustls::{AlertDescription, CertificateError, Error as TlsError};

use super::clients::{Clients, Route};
use crate::api::error::causes;
use crate::model::class::{Lost, NotSent};
use crate::model::reply::Fault;

/// Beginning of the HTTP client's error text when a proxy did not open the tunnel.
const TUNNEL: &str = "tunnel error: ";

impl Clients {
    /// Converts an error of the HTTP client to a fault.
    pub(super) async fn fault(&self, error: &ClientError) -> Fault {
        if error.is_connect() {
            return self.not_connected(error).await;
        }
        // The connection handed the call back before any part of the call was written.
        if find::<hyper::Error>(error).is_some_and(hyper::Error::is_canceled) {
            let cause = "the connection was closed before the call could begin";
            return Fault::NotSent(NotSent::Connect, cause.to_owned());
        }
        if error.is_builder() {
            let cause = "the call could not be built";
            return Fault::NotSent(NotSent::Connect, cause.to_owned());
        }
        Fault::lost(Lost::Cut)
    }

    async fn not_connected(&self, error: &ClientError) -> Fault {
        let Route::Proxy(proxy) = &self.route else {
            let (why, cause) = cause(error);
            return Fault::NotSent(why, cause);
        };
        let tunnel = words(error, TUNNEL);
        let status = match tunnel.as_deref() {
            Some("proxy authorization required") => Some(407),
            Some("unsuccessful") => proxy.status(&self.url, &self.tls, self.limit).await,
            // The connection to the proxy failed, or the tunnel itself.
            Some(_) => {
                let (why, cause) = cause(error);
                return Fault::NotSent(why, format!("the proxy: {cause}"));
            }
            None => {
                let (why, cause) = cause(error);
                return Fault::NotSent(why, format!("through the proxy: {cause}"));
            }
        };
        let why = match status {
            Some(401 | 403 | 407) => NotSent::Proxy,
            _ => NotSent::Connect,
        };
        let cause = match status {
            Some(407) => "the proxy needs a user name and password, or those given are wrong (407)"
                .to_owned(),
            Some(200..300) | None => "the proxy did not open a connection".to_owned(),
            Some(status) => format!("the proxy refuses the connection ({status})"),
        };
        Fault::NotSent(why, cause)
    }
}

/// Returns the kind and the cause of a connection that could not be made.
fn cause(error: &ClientError) -> (NotSent, String) {
    if let Some(error) = find::<TlsError>(error) {
        return tls_cause(error);
    }
    let text = if error.is_dns() {
        "the server's address could not be looked up (DNS)"
    } else if error.is_timeout() {
        "no connection was made in time"
    } else {
        return (NotSent::Connect, find::<io::Error>(error).map_or_else(unclear, io_cause));
    };
    (NotSent::Connect, text.to_owned())
}

fn unclear() -> String {
    "no connection could be made".to_owned()
}

fn io_cause(error: &io::Error) -> String {
    use io::ErrorKind::{
        ConnectionAborted, ConnectionRefused, ConnectionReset, HostUnreachable, NetworkDown,
        NetworkUnreachable, PermissionDenied, TimedOut, UnexpectedEof,
    };
    let text = match error.kind() {
        ConnectionRefused => "the connection was refused",
        TimedOut => "no connection was made in time",
        HostUnreachable | NetworkUnreachable => "there is no route to its address",
        NetworkDown => "this machine's network is down",
        PermissionDenied => "this machine forbids the connection",
        ConnectionReset | ConnectionAborted | UnexpectedEof => {
            "the connection was closed while it was being made"
        }
        _ => {
            return error.raw_os_error().map_or_else(unclear, |code| {
                let error = io::Error::from_raw_os_error(code);
                format!("no connection could be made ({error})")
            });
        }
    };
    text.to_owned()
}

fn tls_cause(error: &TlsError) -> (NotSent, String) {
    let (why, text) = match error {
        TlsError::InvalidCertificate(fault) => (NotSent::Certificate, certificate_fault(fault)),
        TlsError::NoCertificatesPresented => (NotSent::Certificate, "the server sent none"),
        TlsError::InvalidMessage(_) => {
            return (NotSent::NoTls, "this address does not use TLS (https)".to_owned());
        }
        TlsError::PeerIncompatible(_)
        | TlsError::AlertReceived(
            AlertDescription::HandshakeFailure | AlertDescription::ProtocolVersion,
        ) => {
            return (
                NotSent::Connect,
                "both sides have no TLS version or cipher in common".to_owned(),
            );
        }
        _ => return (NotSent::Connect, "the TLS connection failed".to_owned()),
    };
    (why, format!("the certificate was refused: {text}"))
}

fn certificate_fault(fault: &CertificateError) -> &'static str {
    match fault {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet; check the clock of this machine"
        }
        CertificateError::Revoked => "it was revoked",
        CertificateError::UnknownIssuer => {
            "its issuer is not trusted on this machine (see --ca-cert)"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it is for another name"
        }
        CertificateError::BadSignature => "its signature is wrong",
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "it is not a certificate for servers"
        }
        _ => "it cannot be checked",
    }
}

/// Returns the first error of type `T` among an error and its causes.
fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    causes(error).find_map(|error| error.downcast_ref())
}

/// Searches an error and its causes for a text that begins with `begin`, and returns the rest of
/// that text.
fn words(error: &ClientError, begin: &str) -> Option<String> {
    causes(error).find_map(|error| error.to_string().strip_prefix(begin).map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_of_a_certificate_stops_and_has_its_words() {
        for (fault, word) in [
            (CertificateError::Expired, "expired"),
            (CertificateError::NotValidYet, "clock"),
            (CertificateError::UnknownIssuer, "--ca-cert"),
            (CertificateError::NotValidForName, "another name"),
            (CertificateError::Revoked, "revoked"),
            (CertificateError::BadEncoding, "cannot be checked"),
        ] {
            let (why, text) = tls_cause(&TlsError::InvalidCertificate(fault));
            assert_eq!(why, NotSent::Certificate);
            assert!(text.starts_with("the certificate was refused: ") && text.contains(word));
        }
    }

    #[test]
    fn temporary_connection_errors_count_as_an_outage() {
        for error in [
            TlsError::AlertReceived(AlertDescription::InternalError),
            TlsError::HandshakeNotComplete,
            TlsError::General("anything".to_owned()),
        ] {
            assert_eq!(tls_cause(&error).0, NotSent::Connect, "{error}");
        }
        for kind in [io::ErrorKind::ConnectionRefused, io::ErrorKind::UnexpectedEof] {
            assert!(!io_cause(&io::Error::from(kind)).is_empty());
        }
    }
}
