//! Certificates from PEM files into what a handshake needs, for both sides.
//!
//! TLS 1.2 and 1.3 with the suites of `ring`. Holds no socket; see `connection`.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::client::verify_server_cert_signed_by_trust_anchor;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use tokio_rustls::rustls::server::{ParsedCertificate, VerifierBuilderError, WebPkiClientVerifier};
use tokio_rustls::rustls::{self, CertificateError, RootCertStore, ServerConfig};

use crate::config::TlsFiles;

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
    #[error("{file}: holds no certificate", file = file.display())]
    Empty {
        /// Its path.
        file: PathBuf,
    },
    /// The key is not that of the certificate, or either is of no use.
    #[error("{certificate}, {key}: not a certificate and its key",
        certificate = certificate.display(), key = key.display())]
    Pair {
        /// Path of the chain.
        certificate: PathBuf,
        /// Path of the key.
        key: PathBuf,
        /// What rustls says.
        source: rustls::Error,
    },
    /// An authority is of no use.
    #[error("{file}: not the certificate of an authority", file = file.display())]
    Authority {
        /// Its path.
        file: PathBuf,
        /// What rustls says.
        source: rustls::Error,
    },
    /// No verifier can be made of the authorities.
    #[error("{file}: cannot verify clients", file = file.display())]
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
            source: match error {
                // Its words alone: the reader would put "I/O error" before them.
                pem::Error::Io(source) => source.into(),
                other => other.into(),
            },
        }
    }
}

/// What a server shows and asks for. Both protocols share all of it but what they offer (ALPN).
pub(super) struct ServerSide {
    /// HTTP/2 alone.
    pub(super) grpc: TlsAcceptor,
    /// HTTP/2 and HTTP/1.1.
    pub(super) http: TlsAcceptor,
    /// When the server's own certificate expires, in seconds since 1970; 0 where that cannot be read.
    pub(super) expiry_seconds: i64,
}

/// The server's side, from its files. It remembers sessions of its own alone: one that an older side began would
/// let in a caller whose authority is no longer one.
pub(super) fn server_side(settings: &TlsFiles) -> Result<ServerSide, TlsError> {
    let provider = provider();
    let chain = certificates(&settings.certificate)?;
    let expiry_seconds = expiry_seconds(&chain[0], &provider);
    let key = PrivateKeyDer::from_pem_file(&settings.key).map_err(TlsError::pem(&settings.key))?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("ring has suites for TLS 1.2 and 1.3");
    let builder = match &settings.client_ca {
        None => builder.with_no_client_auth(),
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
            builder.with_client_cert_verifier(verifier)
        }
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
    Ok(ServerSide {
        grpc: offering(&[b"h2"]),
        http: offering(&[b"h2", b"http/1.1"]),
        expiry_seconds,
    })
}

/// At the end of all time every certificate has expired, and the verifier, which looks at times before
/// anything else, says since when.
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

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain: Vec<_> = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect)
        .map_err(TlsError::pem(file))?;
    if chain.is_empty() {
        return Err(TlsError::Empty {
            file: file.to_owned(),
        });
    }
    Ok(chain)
}
