//! Certificates and API keys, read from their files: all that can be wrong before a socket is bound.
//!
//! Read before the store is opened, so that a wrong path costs no replay, and by `config check`. What
//! they let in is judged in `access`; see `tls` and `key_ring` for the files.

use std::sync::Arc;

use tokio_rustls::TlsAcceptor;

use super::key_ring::KeyRing;
use super::keys::KeyFileError;
use super::settings::Settings;
use super::tls::{TlsError, server_config};
use crate::telemetry::metrics::Metrics;

/// Why the files cannot be used, in one sentence that names the file.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// The certificates.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The API keys.
    #[error(transparent)]
    Keys(#[from] KeyFileError),
}

/// What the server shows and asks for; either may be absent.
pub struct Credentials {
    /// For gRPC and for HTTP, which offer different protocols.
    pub(super) tls: Option<(TlsAcceptor, TlsAcceptor)>,
    pub(super) keys: Option<Arc<KeyRing>>,
}

impl Credentials {
    /// Reads the files that `settings` name; `metrics` count when the keys are read again.
    ///
    /// # Errors
    /// Where certificates or keys cannot be used.
    pub fn read(settings: &Settings, metrics: &Arc<Metrics>) -> Result<Self, CredentialsError> {
        let tls = match &settings.tls {
            None => None,
            Some(tls) => Some((
                server_config(tls, &[b"h2"])?.into(),
                server_config(tls, &[b"h2", b"http/1.1"])?.into(),
            )),
        };
        let keys = match &settings.api_keys {
            None => None,
            Some(file) => Some(Arc::new(KeyRing::open(file, Arc::clone(metrics))?)),
        };
        Ok(Self { tls, keys })
    }

    /// The keys in force, for who wants them to be read again; `None` where there are none.
    #[must_use]
    pub fn keys(&self) -> Option<Arc<KeyRing>> {
        self.keys.clone()
    }
}
