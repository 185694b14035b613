//! Checks of the network before a start: addresses, certificates, keys.

use std::net::SocketAddr;
use std::sync::Arc;

use tracing::warn;

use crate::config::Config;
use crate::net::{Credentials, Settings};
use crate::telemetry::Metrics;

/// Refuses addresses on which other machines could be reached in the clear.
pub(super) fn check_addresses(config: &Config, settings: &Settings) -> anyhow::Result<()> {
    for address in addresses(config) {
        settings.may_bind(address, config.server.insecure_bind)?;
    }
    Ok(())
}

/// Certificates and keys; refuses files that cannot be used.
pub(super) fn credentials(
    settings: &Settings,
    metrics: &Arc<Metrics>,
) -> anyhow::Result<Credentials> {
    Ok(Credentials::read(settings, metrics)?)
}

/// Warns once if other machines can call without TLS or without a key.
pub(super) fn warn_of_open_addresses(config: &Config, settings: &Settings) {
    if let Some((address, sentence)) = left_open(config, settings) {
        warn!(%address, "{sentence}");
    }
}

/// The first address that other machines reach, and what does not protect it.
fn left_open(config: &Config, settings: &Settings) -> Option<(SocketAddr, &'static str)> {
    let is_reachable = |address: &SocketAddr| !address.ip().to_canonical().is_loopback();
    let address = addresses(config).into_iter().find(is_reachable)?;
    let tls = settings.tls.as_ref();
    let asks_who = settings.keys.file.is_some() || tls.is_some_and(|tls| tls.client_ca.is_some());
    let sentence = match (tls.is_some(), asks_who) {
        (true, true) => return None,
        (true, false) => {
            "Other machines can call without an API key: every caller may do everything."
        }
        (false, true) => {
            "Other machines can call without TLS: keys and events travel in the clear."
        }
        (false, false) => {
            "Other machines can call without TLS and without an API key: every caller may do everything."
        }
    };
    Some((address, sentence))
}

fn addresses(config: &Config) -> [SocketAddr; 2] {
    [config.grpc.address(), config.http.address()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_outside_loopback_is_warned_of_unless_tls_and_keys_protect_it() {
        let mut config = Config::default();
        let sentence = |config: &Config| {
            let settings = Settings::new(config).unwrap();
            left_open(config, &settings).map(|(_, sentence)| sentence)
        };
        assert_eq!(sentence(&config), None);
        config.http.host = [0, 0, 0, 0].into();
        let said = sentence(&config).unwrap();
        assert!(
            said.contains("without TLS and without an API key"),
            "{said}"
        );
        config.keys.file = Some("keys.toml".into());
        let said = sentence(&config).unwrap();
        assert!(said.contains("without TLS: keys"), "{said}");
        config.tls.cert = Some("c.pem".into());
        config.tls.key = Some("k.pem".into());
        assert_eq!(sentence(&config), None);
        config.keys.file = None;
        let said = sentence(&config).unwrap();
        assert!(said.contains("without an API key: "), "{said}");
        config.tls.client_ca = Some("ca.pem".into());
        assert_eq!(sentence(&config), None);
    }
}
