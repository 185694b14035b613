//! Settings that contradict each other although each is valid by itself.

use std::path::PathBuf;

use super::error::ConfigError;
use super::settings::{Config, Keys, Pipelines, Tls};

/// The files of a server with TLS, all in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate chain, its own certificate first.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Authorities that sign the certificates of clients; `None` asks for no certificate.
    pub client_ca: Option<PathBuf>,
}

impl Tls {
    /// The files; `None` without TLS.
    ///
    /// # Errors
    /// If one of them is missing.
    pub fn files(&self) -> Result<Option<TlsFiles>, ConfigError> {
        let Self {
            cert,
            key,
            client_ca,
        } = self;
        let sentence = match (cert, key, client_ca) {
            (Some(certificate), Some(key), client_ca) => {
                return Ok(Some(TlsFiles {
                    certificate: certificate.clone(),
                    key: key.clone(),
                    client_ca: client_ca.clone(),
                }));
            }
            (None, None, None) => return Ok(None),
            (Some(_), None, _) => {
                "tls.cert is set without tls.key: name the private key of the certificate"
            }
            (None, Some(_), _) => {
                "tls.key is set without tls.cert: name the certificate of the private key"
            }
            (None, None, Some(_)) => {
                "tls.client_ca is set without tls.cert and tls.key: clients can only be checked over TLS"
            }
        };
        Err(ConfigError::Contradiction(sentence))
    }
}

impl Config {
    /// Refuses settings that contradict each other.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        self.tls.files()?;
        if self.grpc.address() == self.http.address() && self.http.port != 0 {
            return Err(ConfigError::Contradiction(
                "grpc.address and http.address are the same: give one of them another port",
            ));
        }
        let Keys { file, anonymous } = &self.keys;
        if file.is_none() && !anonymous.is_empty() {
            return Err(ConfigError::Contradiction(
                "keys.anonymous is set without keys.file: without API keys every caller may do \
                 everything; remove it, or name a file of keys",
            ));
        }
        self.pipelines.check()
    }
}

impl Pipelines {
    /// Refuses limits of which a later one comes before an earlier one.
    fn check(&self) -> Result<(), ConfigError> {
        if self.hard_limit < self.soft_limit {
            return Err(ConfigError::Contradiction(
                "pipelines.hard_limit is below pipelines.soft_limit: give it a longer time",
            ));
        }
        if !self.fatal_limit.is_zero() && self.fatal_limit < self.hard_limit {
            return Err(ConfigError::Contradiction(
                "pipelines.fatal_limit is below pipelines.hard_limit: give it a longer time, or 0 for none",
            ));
        }
        Ok(())
    }
}
