//! Settings of the service as those of the network room, and whether they can be served with.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

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
}
