//! What the client knows of TLS: which certificates the system trusts, what a failed handshake says,
//! and whether a server expects TLS at all.
//!
//! The connection itself is made by tonic.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::Uri;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, TrustAnchor};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

use super::ClientError;

const PROBE_WAIT_MAX: Duration = Duration::from_secs(5);

/// The root certificates that this system trusts, or those of `SSL_CERT_FILE` and `SSL_CERT_DIR`.
pub(super) fn system_roots() -> Result<Vec<TrustAnchor<'static>>, ClientError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if !roots.is_empty() {
        return Ok(roots.roots);
    }
    let source = found.errors.into_iter().next();
    Err(ClientError::Target {
        what: "root certificates of this system",
        source: source.map_or_else(|| "there are none".into(), Into::into),
    })
}

/// The certificates in `pem`.
pub(super) fn roots_in(pem: &[u8]) -> Result<Vec<TrustAnchor<'static>>, ClientError> {
    let unusable = |source: Box<dyn Error + Send + Sync>| ClientError::Target {
        what: "file of certificate authorities",
        source,
    };
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let certificates = certificates.map_err(|error| unusable(error.into()))?;
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots
            .add(certificate)
            .map_err(|error| unusable(error.into()))?;
    }
    if roots.is_empty() {
        return Err(unusable("it holds no certificate".into()));
    }
    Ok(roots.roots)
}

/// What rustls says of a connection that failed because of it.
pub(super) fn refusal(error: &(dyn Error + 'static)) -> Option<rustls::Error> {
    let mut next = Some(error);
    while let Some(cause) = next {
        // What an `io::Error` carries is not its source.
        let carried = cause.downcast_ref().and_then(io::Error::get_ref);
        if let Some(refusal) = carried.and_then(|carried| carried.downcast_ref()) {
            return Some(rustls::Error::clone(refusal));
        }
        next = cause.source();
    }
    None
}

/// Whether a server at `authority` answers a TLS handshake. It sends nothing else, trusts nobody, and
/// so ends every handshake that gets as far as the certificate.
pub(super) async fn is_spoken_at(authority: &str) -> bool {
    let handshake = async {
        let uri: Uri = authority.parse().ok()?;
        let host = uri.host()?.trim_matches(['[', ']']);
        let name = ServerName::try_from(host.to_owned()).ok()?;
        let stream = TcpStream::connect((host, uri.port_u16()?)).await.ok()?;
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring has suites for TLS 1.2 and 1.3")
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        let connector = TlsConnector::from(Arc::new(config));
        connector.connect(name, stream).await.err()
    };
    match timeout(PROBE_WAIT_MAX, handshake).await {
        Ok(Some(error)) => matches!(
            refusal(&error),
            Some(rustls::Error::InvalidCertificate(_) | rustls::Error::AlertReceived(_))
        ),
        Ok(None) | Err(_) => false,
    }
}
