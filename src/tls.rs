//! The TLS configuration of a client: decides which certificates are trusted.
//!
//! Must hold: only the system's root certificates, and those that the user names, are trusted.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;

use crate::fs::trusted::{open_without_waiting, read_bounded};
use crate::model::mask::mask_path;

/// Maximum size of a PEM file, in bytes. All root certificates of a system together are a fifth of
/// this size.
const LARGEST_PEM: u64 = 1 << 20;

/// The reason why no TLS configuration could be made.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The user's CA file cannot be used.
    #[error("the CA file {path} cannot be used: {why}")]
    CaCert {
        /// Path of the file, fit to be shown.
        path: String,
        /// The reason why the file cannot be used.
        why: String,
    },
    /// The library or the system's certificates cannot be used.
    #[error(transparent)]
    Library(#[from] rustls::Error),
}

/// Returns the configuration for unencrypted connections. It reads no certificate and would trust
/// none.
pub(crate) fn trusting_nobody() -> Result<ClientConfig, TlsError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

/// Returns the configuration for encrypted connections. It trusts the system's root certificates
/// and those in `more`.
pub(crate) fn trusting_the_system_and(
    more: Vec<CertificateDer<'static>>,
) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Verifier::new_with_extra_roots(more, Arc::clone(&provider))?;
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions()?;
    let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
    Ok(builder.with_no_client_auth())
}

/// Reads the certificates of the user's CA file. Returns none if the user named no file.
pub(crate) fn certificates(path: Option<&Path>) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let Some(path) = path else { return Ok(Vec::new()) };
    let refuse = |why: String| TlsError::CaCert { path: mask_path(path), why };
    let pem = open_without_waiting(path).and_then(|file| read_bounded(&file, LARGEST_PEM));
    let pem = pem.map_err(|e| refuse(e.to_string()))?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let found = found.map_err(|e| refuse(e.to_string()))?;
    for der in &found {
        // Each certificate is checked here, where an error can still name the file.
        RootCertStore::empty().add(der.clone()).map_err(|e| refuse(e.to_string()))?;
    }
    if found.is_empty() {
        return Err(refuse("it contains no PEM certificate".to_owned()));
    }
    Ok(found)
}

/// Checks whether a handshake failed because of what the other side presented, and not because of
/// the network.
pub(crate) fn is_refusal(error: &(dyn std::error::Error + 'static)) -> bool {
    let io = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    io.is_some_and(|inner| inner.is::<rustls::Error>())
}
