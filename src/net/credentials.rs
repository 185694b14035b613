//! Certificates and API keys, loaded from their files.
//!
//! Loaded before the store is opened, so that an invalid file is refused before the replay, and by
//! `config check`; reloaded while the server runs. See `certificates` and `key_ring` for each of them.

use std::sync::Arc;

use tracing::info;

use super::certificates::Certificates;
use super::key_ring::KeyRing;
use super::keys::KeyFileError;
use super::settings::Settings;
use super::tls::TlsError;
use crate::telemetry::metrics::Metrics;

/// Why certificates or keys are invalid; the text names the file.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// The certificates.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The API keys.
    #[error(transparent)]
    Keys(#[from] KeyFileError),
}

/// The certificates and the API keys of a server, if it has them. Clones share them.
#[derive(Clone)]
pub struct Credentials {
    pub(super) certificates: Option<Arc<Certificates>>,
    pub(super) keys: Option<Arc<KeyRing>>,
}

impl Credentials {
    /// Loads the files that `settings` name; `metrics` count reloads.
    ///
    /// # Errors
    /// If a file is unreadable or invalid.
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

    /// Reloads all files. An invalid one is logged, and what it held before stays in use.
    pub fn reload(&self) {
        if self.certificates.is_none() && self.keys.is_none() {
            info!("There are no certificates and no API keys to reload.");
        }
        if let Some(certificates) = &self.certificates {
            certificates.reload();
        }
        if let Some(keys) = &self.keys {
            keys.reload();
        }
    }

    /// Reloads the files that have changed.
    pub(super) fn reload_if_changed(&self) {
        if let Some(certificates) = &self.certificates {
            certificates.reload_if_changed();
        }
        if let Some(keys) = &self.keys {
            keys.reload_if_changed();
        }
    }
}
