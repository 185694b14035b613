//! Reads certificates from PEM files and configures TLS with them.
//!
//! TLS 1.2 and 1.3 with the suites of `ring`. Handshakes are in `connection`.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::client::verify_server_cert_signed_by_trust_anchor;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::server::{ParsedCertificate, VerifierBuilderError, WebPkiClientVerifier};
use tokio_rustls::rustls::{self, CertificateError, RootCertStore, ServerConfig};

use crate::config::TlsFiles;
use crate::plain_file::read_plain_file;

/// Why certificates cannot be used; each text names the file.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file cannot be read, or is not PEM.
    #[error("{file}: cannot be read as PEM", file = file.display())]
    Pem {
        /// Its path.
        file: PathBuf,
        /// What the system or the reader says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A PEM file without a certificate.
    #[error("{file}: contains no certificate", file = file.display())]
    Empty {
        /// Its path.
        file: PathBuf,
    },
    /// The key does not belong to the certificate, or one of them is invalid.
    #[error("{certificate}, {key}: not a certificate and its private key",
        certificate = certificate.display(), key = key.display())]
    Pair {
        /// Path of the chain.
        certificate: PathBuf,
        /// Path of the key.
        key: PathBuf,
        /// What rustls says.
        source: rustls::Error,
    },
    /// The certificate of an authority is invalid.
    #[error("{file}: not a valid certificate of an authority", file = file.display())]
    Authority {
        /// Its path.
        file: PathBuf,
        /// What rustls says.
        source: rustls::Error,
    },
    /// The authorities cannot verify clients.
    #[error("{file}: cannot be used to verify clients", file = file.display())]
    Verifier {
        /// Path of the authorities.
        file: PathBuf,
        /// What rustls says.
        source: VerifierBuilderError,
    },
}

impl TlsError {
    fn pem(file: &Path) -> impl FnOnce(pem::Error) -> Self {
        |error| Self::Pem {
            file: file.to_owned(),
            source: error.into(),
        }
    }
}

/// The TLS configuration of a server. The protocols differ only in the versions of HTTP that they offer (ALPN).
pub(super) struct Acceptors {
    /// Offers HTTP/2 only.
    pub(super) grpc: TlsAcceptor,
    /// Offers HTTP/2 and HTTP/1.1.
    pub(super) http: TlsAcceptor,
    /// What verifies the certificates of clients; `None` if they need none.
    clients: Option<Arc<dyn ClientCertVerifier>>,
    /// When the server's own certificate expires, in seconds since 1970; 0 if that cannot be read.
    pub(super) expiry_seconds: i64,
}

impl Acceptors {
    /// Whether a client with this chain would be accepted now.
    pub(super) fn accepts(&self, chain: &[CertificateDer<'static>]) -> bool {
        let Some(verifier) = &self.clients else {
            return true;
        };
        chain.split_first().is_some_and(|(own, others)| {
            let now = UnixTime::now();
            verifier.verify_client_cert(own, others, now).is_ok()
        })
    }
}

/// Reads the files. Sessions are resumed only with the acceptors that began them: otherwise a client could connect
/// whose authority was removed since.
pub(super) fn acceptors(settings: &TlsFiles) -> Result<Acceptors, TlsError> {
    let provider = provider();
    let chain = certificates(&settings.certificate)?;
    let expiry_seconds = expiry_seconds(&chain[0], &provider);
    let key = PrivateKeyDer::from_pem_slice(&pem_bytes(&settings.key)?)
        .map_err(TlsError::pem(&settings.key))?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("ring has suites for TLS 1.2 and 1.3");
    let clients: Option<Arc<dyn ClientCertVerifier>> = match &settings.client_ca {
        None => None,
        Some(file) => {
            let mut roots = RootCertStore::empty();
            for authority in certificates(file)? {
                roots.add(authority).map_err(|source| TlsError::Authority {
                    file: file.clone(),
                    source,
                })?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider)
                .build()
                .map_err(|source| TlsError::Verifier {
                    file: file.clone(),
                    source,
                })?;
            Some(verifier)
        }
    };
    let builder = match &clients {
        None => builder.with_no_client_auth(),
        Some(verifier) => builder.with_client_cert_verifier(Arc::clone(verifier)),
    };
    let config = builder
        .with_single_cert(chain, key)
        .map_err(|source| TlsError::Pair {
            certificate: settings.certificate.clone(),
            key: settings.key.clone(),
            source,
        })?;
    let offering = |protocols: &[&[u8]]| {
        let mut config = config.clone();
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    };
    Ok(Acceptors {
        grpc: offering(&[b"h2"]),
        http: offering(&[b"h2", b"http/1.1"]),
        clients,
        expiry_seconds,
    })
}

/// Verifies the certificate at the end of time: the verifier checks times first, and its error says when the
/// certificate expired.
fn expiry_seconds(certificate: &CertificateDer<'_>, provider: &CryptoProvider) -> i64 {
    let verified = ParsedCertificate::try_from(certificate).and_then(|certificate| {
        verify_server_cert_signed_by_trust_anchor(
            &certificate,
            &RootCertStore::empty(),
            &[],
            UnixTime::since_unix_epoch(Duration::MAX),
            provider.signature_verification_algorithms.all,
        )
    });
    match verified {
        Err(rustls::Error::InvalidCertificate(CertificateError::ExpiredContext {
            not_after,
            ..
        })) => i64::try_from(not_after.as_secs()).unwrap_or(i64::MAX),
        Ok(()) | Err(_) => 0,
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn pem_bytes(file: &Path) -> Result<Vec<u8>, TlsError> {
    read_plain_file(file).map_err(|source| TlsError::Pem {
        file: file.to_owned(),
        source: source.into(),
    })
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&pem_bytes(file)?)
        .collect::<Result<_, _>>()
        .map_err(TlsError::pem(file))?;
    if chain.is_empty() {
        return Err(TlsError::Empty {
            file: file.to_owned(),
        });
    }
    Ok(chain)
}
