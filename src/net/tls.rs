//! Certificates from PEM files into what a handshake needs, for both sides.
//!
//! TLS 1.2 and 1.3 with the suites of `ring`. Holds no socket; see `connection`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use tokio_rustls::rustls::{self, RootCertStore, ServerConfig};

use super::settings::TlsSettings;

/// Why certificates cannot be used; each text is one sentence that names the file.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file cannot be read, or is no PEM.
    #[error("{file}: no PEM file that can be read ({cause})", file = file.display())]
    Pem {
        /// Its path.
        file: PathBuf,
        /// What the reader says.
        cause: pem::Error,
    },
    /// A PEM file without a certificate.
    #[error("{file}: holds no certificate", file = file.display())]
    Empty {
        /// Its path.
        file: PathBuf,
    },
    /// The key is not that of the certificate, or either is of no use.
    #[error("{certificate}, {key}: not a certificate and its key ({cause})",
        certificate = certificate.display(), key = key.display())]
    Pair {
        /// Path of the chain.
        certificate: PathBuf,
        /// Path of the key.
        key: PathBuf,
        /// What rustls says.
        cause: rustls::Error,
    },
    /// An authority is of no use.
    #[error("{file}: not the certificate of an authority ({cause})", file = file.display())]
    Authority {
        /// Its path.
        file: PathBuf,
        /// What rustls says.
        cause: rustls::Error,
    },
    /// No verifier can be made of the authorities.
    #[error("{file}: cannot verify clients ({cause})", file = file.display())]
    Verifier {
        /// Path of the authorities.
        file: PathBuf,
        /// What rustls says.
        cause: VerifierBuilderError,
    },
}

/// The server's side, offering `protocols` (ALPN) in this order.
pub(super) fn server_config(
    settings: &TlsSettings,
    protocols: &[&[u8]],
) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = provider();
    let chain = certificates(&settings.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&settings.key).map_err(|cause| TlsError::Pem {
        file: settings.key.clone(),
        cause,
    })?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("ring has suites for TLS 1.2 and 1.3");
    let builder = match &settings.client_ca {
        None => builder.with_no_client_auth(),
        Some(file) => {
            let mut roots = RootCertStore::empty();
            for authority in certificates(file)? {
                roots.add(authority).map_err(|cause| TlsError::Authority {
                    file: file.clone(),
                    cause,
                })?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider)
                .build()
                .map_err(|cause| TlsError::Verifier {
                    file: file.clone(),
                    cause,
                })?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|cause| TlsError::Pair {
            certificate: settings.certificate.clone(),
            key: settings.key.clone(),
            cause,
        })?;
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Ok(Arc::new(config))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain: Vec<_> = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect)
        .map_err(|cause| TlsError::Pem {
            file: file.to_owned(),
            cause,
        })?;
    if chain.is_empty() {
        return Err(TlsError::Empty {
            file: file.to_owned(),
        });
    }
    Ok(chain)
}
