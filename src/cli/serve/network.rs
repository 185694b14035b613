//! Checks of addresses, certificates and keys before a start. Binds nothing.

use std::net::SocketAddr;
use std::sync::Arc;

use tracing::warn;

use crate::config::{Config, Scope};
use crate::net::{Credentials, Settings};
use crate::telemetry::Metrics;

/// Refuses addresses outside loopback without TLS, unless they are allowed.
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

/// The first address that other machines can reach, and a sentence on what does not protect it.
fn left_open(config: &Config, settings: &Settings) -> Option<(SocketAddr, &'static str)> {
    let is_reachable = |address: &SocketAddr| !address.ip().to_canonical().is_loopback();
    let address = addresses(config).into_iter().find(is_reachable)?;
    let tls = settings.tls.as_ref();
    let keys = &settings.keys;
    let needs_key = keys.file.is_some() && !keys.anonymous.contains(&Scope::Write);
    let authenticates = needs_key || tls.is_some_and(|tls| tls.client_ca.is_some());
    let sentence = match (tls.is_some(), authenticates) {
        (true, true) => return None,
        (true, false) => "Other machines can send events without an API key.",
        (false, true) => "Other machines can call without TLS: keys and events are not encrypted.",
        (false, false) => "Other machines can send events without TLS and without an API key.",
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
    fn an_address_outside_loopback_gets_a_warning_unless_tls_and_keys_protect_it() {
        let mut config = Config::default();
        let sentence = |config: &Config| {
            let settings = Settings::new(config).unwrap();
            left_open(config, &settings).map(|(_, sentence)| sentence)
        };
        assert_eq!(sentence(&config), None);
        config.http.host = [0, 0, 0, 0].into();
        let text = sentence(&config).unwrap();
        assert!(
            text.contains("without TLS and without an API key"),
            "{text}"
        );
        config.keys.file = Some("keys.toml".into());
        let text = sentence(&config).unwrap();
        assert!(text.contains("without TLS: keys"), "{text}");
        config.keys.anonymous = vec![Scope::Write];
        let text = sentence(&config).unwrap();
        assert!(text.contains("without TLS and"), "{text}");
        config.keys.anonymous = vec![Scope::Read];
        config.tls.cert = Some("c.pem".into());
        config.tls.key = Some("k.pem".into());
        assert_eq!(sentence(&config), None);
        config.keys.file = None;
        let text = sentence(&config).unwrap();
        assert!(text.contains("without an API key"), "{text}");
        config.tls.client_ca = Some("ca.pem".into());
        assert_eq!(sentence(&config), None);
    }
}
