//! Certificates and API keys, read from their files: all that can be wrong before a socket is bound.
//!
//! Read before the store is opened, so that a wrong path costs no replay, and by `config check`; read again
//! while the server runs. What they let in is judged in `access`; see `certificates` and `key_ring` for each.

use std::sync::Arc;

use tracing::info;

use super::certificates::Certificates;
use super::key_ring::KeyRing;
use super::keys::KeyFileError;
use super::settings::Settings;
use super::tls::TlsError;
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

/// What the server shows and asks for; either may be absent. All clones are one.
#[derive(Clone)]
pub struct Credentials {
    pub(super) certificates: Option<Arc<Certificates>>,
    pub(super) keys: Option<Arc<KeyRing>>,
}

impl Credentials {
    /// Reads the files that `settings` name; `metrics` count when they are read again.
    ///
    /// # Errors
    /// Where certificates or keys cannot be used.
    pub fn read(settings: &Settings, metrics: &Arc<Metrics>) -> Result<Self, CredentialsError> {
        let certificates = match &settings.tls {
            None => None,
            Some(tls) => Some(Arc::new(Certificates::open(tls, Arc::clone(metrics))?)),
        };
        let keys = match &settings.keys.file {
            None => None,
            Some(file) => Some(Arc::new(KeyRing::open(file, Arc::clone(metrics))?)),
        };
        Ok(Self { certificates, keys })
    }

    /// Reads all files again, because someone asks for it. What is wrong with one is logged, and what was in
    /// force stays.
    pub fn reload(&self) {
        if self.certificates.is_none() && self.keys.is_none() {
            info!("There are no certificates and no API keys to read again.");
        }
        if let Some(certificates) = &self.certificates {
            certificates.reload();
        }
        if let Some(keys) = &self.keys {
            keys.reload();
        }
    }

    /// Reads the files again that have changed.
    pub(super) fn reload_if_changed(&self) {
        if let Some(certificates) = &self.certificates {
            certificates.reload_if_changed();
        }
        if let Some(keys) = &self.keys {
            keys.reload_if_changed();
        }
    }
}
