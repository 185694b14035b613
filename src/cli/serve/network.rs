//! Settings of the service as those of the network room, and whether they can be served with.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use tracing::warn;

use crate::cli::failure::Failure;
use crate::config::{self, Config};
use crate::net::{Credentials, Limits, Settings, TlsSettings};
use crate::telemetry::Metrics;

/// What the network room is told.
pub(super) fn settings(config: &Config) -> Settings {
    let config::Tls {
        cert,
        key,
        client_ca,
    } = &config.tls;
    Settings {
        limits: limits(&config.limits),
        tls: cert
            .clone()
            .zip(key.clone())
            .map(|(certificate, key)| TlsSettings {
                certificate,
                key,
                client_ca: client_ca.clone(),
            }),
        api_keys: config.keys.file.clone(),
        cors_origins: config.http.cors_origins.clone(),
        drain_max: config.server.drain_wait_max,
    }
}

/// Refuses addresses that others could listen in on.
pub(super) fn check_addresses(config: &Config, settings: &Settings) -> Result<(), Failure> {
    for address in addresses(config) {
        settings
            .may_bind(address, config.server.insecure_bind)
            .map_err(|error| Failure::Usage(error.to_string()))?;
    }
    Ok(())
}

/// Certificates and keys; refuses files that cannot be used.
pub(super) fn credentials(
    settings: &Settings,
    metrics: &Arc<Metrics>,
) -> Result<Credentials, Failure> {
    Credentials::read(settings, metrics).map_err(|error| Failure::Usage(error.to_string()))
}

/// Says once what an address outside loopback leaves to something else.
pub(super) fn warn_of_strangers(config: &Config, settings: &Settings) {
    if let Some((address, sentence)) = left_open(config, settings) {
        warn!(%address, "{sentence}");
    }
}

/// The first address that other machines reach, and what does not protect it.
fn left_open(config: &Config, settings: &Settings) -> Option<(SocketAddr, &'static str)> {
    let is_reachable = |address: &SocketAddr| !address.ip().to_canonical().is_loopback();
    let address = addresses(config).into_iter().find(is_reachable)?;
    let tls = settings.tls.as_ref();
    let asks_who = settings.api_keys.is_some() || tls.is_some_and(|tls| tls.client_ca.is_some());
    let sentence = match (tls.is_some(), asks_who) {
        (true, true) => return None,
        (true, false) => {
            "Other machines can call without an API key: whoever reaches it may do everything."
        }
        (false, true) => {
            "Other machines can call without TLS: keys and events travel in the clear."
        }
        (false, false) => {
            "Other machines can call without TLS and without an API key: whoever reaches it may do \
             everything."
        }
    };
    Some((address, sentence))
}

fn addresses(config: &Config) -> [SocketAddr; 2] {
    [config.grpc.address, config.http_address()]
}

fn limits(limits: &config::Limits) -> Limits {
    Limits {
        message_bytes_max: count(limits.message_bytes_max),
        line_bytes_max: count(limits.line_bytes_max),
        stream_bytes_max: limits.stream_bytes_max,
        batch_events_max: count(limits.batch_events_max),
        refused_listed_max: count(limits.refused_listed_max),
        connections_max: count(limits.connections_max),
        connections_per_address_max: count(limits.connections_per_address_max),
        streams_per_connection_max: small(limits.streams_per_connection_max),
        header_bytes_max: small(limits.header_bytes_max),
        header_wait_max: limits.header_wait_max,
        handshake_wait_max: limits.handshake_wait_max,
        idle_max: limits.idle_wait_max,
        ping_every: limits.ping_interval,
        ping_wait_max: limits.ping_wait_max,
        request_wait_max: limits.request_wait_max,
        requests_per_second_max: NonZeroU32::new(small(limits.requests_per_second_max)),
    }
}

/// Never cut: the bounds of the settings lie below.
fn count(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// Never cut: the bounds of the settings lie below.
fn small(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_settings_leave_open_is_what_the_network_room_takes_by_itself() {
        let ours = settings(&Config::default());
        let theirs = Settings::default();
        assert_eq!(ours.limits, theirs.limits);
        assert_eq!(ours.drain_max, theirs.drain_max);
        assert_eq!(ours.cors_origins, theirs.cors_origins);
        assert_eq!((ours.tls, ours.api_keys), (theirs.tls, theirs.api_keys));
    }

    #[test]
    fn an_address_outside_loopback_is_warned_of_unless_tls_and_keys_protect_it() {
        let mut config = Config::default();
        let sentence = |config: &Config| left_open(config, &settings(config)).map(|(_, said)| said);
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
