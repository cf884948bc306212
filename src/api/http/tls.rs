//! Builds the TLS configuration: decides which certificates are trusted.
//!
//! Must hold: only the system's root certificates, and those that the user names, are trusted.

use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;

use super::options::ClientOptions;
use crate::api::error::ApiError;
use crate::fs::trusted::{open_without_waiting, read_bounded};

/// Maximum size of a PEM file, in bytes. All root certificates of a system together are a fifth of
/// this size.
const LARGEST_PEM: u64 = 1 << 20;

/// Returns the configuration for unencrypted connections. It reads no certificate and would trust
/// none.
pub(super) fn trusting_nobody() -> Result<ClientConfig, ApiError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| ApiError::client(&error))?;
    Ok(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

/// Returns the configuration for `https`. It trusts the system's root certificates and those in
/// `more`.
pub(super) fn trusting_the_system_and(
    more: Vec<CertificateDer<'static>>,
) -> Result<ClientConfig, ApiError> {
    let client = |error: rustls::Error| ApiError::client(&error);
    let provider = Arc::new(ring::default_provider());
    let verifier = Verifier::new_with_extra_roots(more, Arc::clone(&provider));
    let verifier = Arc::new(verifier.map_err(client)?);
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().map_err(client)?;
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
    let mut config = builder.with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Reads the certificates of the user's CA file. Returns none if the user named no file.
pub(super) fn certificates(
    options: &ClientOptions,
) -> Result<Vec<CertificateDer<'static>>, ApiError> {
    let Some(path) = &options.ca_cert else { return Ok(Vec::new()) };
    let refuse = |why: String| ApiError::CaCert { path: path.display().to_string(), why };
    let pem = open_without_waiting(path).and_then(|file| read_bounded(&file, LARGEST_PEM));
    let pem = pem.map_err(|e| refuse(e.to_string()))?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let found = found.map_err(|e| refuse(e.to_string()))?;
    for der in &found {
        // Each certificate is checked here, where an error can still name the file.
        RootCertStore::empty().add(der.clone()).map_err(|e| refuse(e.to_string()))?;
    }
    if found.is_empty() {
        return Err(refuse("no PEM certificate is in it".to_owned()));
    }
    Ok(found)
}
