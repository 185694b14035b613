//! The settings that the network obeys: sections of [`crate::config`], each with its defaults there.
//!
//! Reads no file and no variable; the caller loads the configuration.

use std::net::SocketAddr;
use std::time::Duration;

use crate::config::{Config, ConfigError, Keys, Limits, TlsFiles};

/// How the service treats its callers.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What one caller may take.
    pub limits: Limits,
    /// Certificates; without them nothing is encrypted.
    pub tls: Option<TlsFiles>,
    /// API keys; without a file every caller may do everything.
    pub keys: Keys,
    /// Origins whose pages may call, such as `https://example.org`; `*` means all.
    pub cors_origins: Vec<String>,
    /// Names by which a service without keys may be addressed over HTTP, beside addresses and `localhost`; `*` means
    /// all.
    pub allowed_hosts: Vec<String>,
    /// How long open calls may take to end after the stop signal.
    pub drain_wait_max: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self::new(&Config::default()).expect("defaults are valid")
    }
}

/// An address outside loopback without TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{address} can be reached from other machines and has no TLS: give --tls-cert and --tls-key, bind to \
     127.0.0.1, or allow it with --insecure-bind"
)]
pub struct InsecureBind {
    /// The address that was refused.
    pub address: SocketAddr,
}

impl Settings {
    /// Those of `config`.
    ///
    /// # Errors
    /// If `config` names only some of the files that TLS needs.
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        Ok(Self {
            limits: config.limits.clone(),
            tls: config.tls.files()?,
            keys: config.keys.clone(),
            cors_origins: config.http.cors_origins.clone(),
            allowed_hosts: config.http.allowed_hosts.clone(),
            drain_wait_max: config.server.drain_wait_max,
        })
    }

    /// Refuses to bind an address outside loopback without TLS, unless `is_insecure_allowed`.
    pub fn may_bind(
        &self,
        address: SocketAddr,
        is_insecure_allowed: bool,
    ) -> Result<(), InsecureBind> {
        // An IPv4 address that is mapped to IPv6 (`::ffff:127.0.0.1`) counts as IPv4.
        let is_private = address.ip().to_canonical().is_loopback();
        if is_private || self.tls.is_some() || is_insecure_allowed {
            return Ok(());
        }
        Err(InsecureBind { address })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_loopback_nothing_is_bound_without_tls_unless_asked_for() {
        let open = Settings::default();
        let closed = Settings {
            tls: Some(TlsFiles {
                certificate: "c.pem".into(),
                key: "k.pem".into(),
                client_ca: None,
            }),
            ..Settings::default()
        };
        for (address, is_private) in [
            ("127.0.0.1:1", true),
            ("127.9.9.9:1", true),
            ("[::1]:1", true),
            ("[::ffff:127.0.0.1]:1", true),
            ("0.0.0.0:1", false),
            ("[::]:1", false),
            ("10.0.0.1:1", false),
            ("[::ffff:10.0.0.1]:1", false),
        ] {
            let address = address.parse().unwrap();
            assert_eq!(
                open.may_bind(address, false).is_ok(),
                is_private,
                "{address}"
            );
            assert_eq!(open.may_bind(address, true), Ok(()), "{address}");
            assert_eq!(closed.may_bind(address, false), Ok(()), "{address}");
        }
    }
}
