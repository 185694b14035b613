//! Every setting: its key in files, its variable, its bounds and what it is for.

use super::settings::Config;
use super::slot::Slot;

/// A setting that may be chosen.
pub struct Key {
    /// Section and name, as in `limits.message_bytes_max`.
    pub name: &'static str,
    /// The variable of the environment that sets it.
    pub variable: &'static str,
    /// One sentence.
    pub help: &'static str,
    pub(super) slot: fn(&mut Config) -> Slot<'_>,
}

const SECOND: u64 = 1_000;
const HOUR: u64 = 3_600 * SECOND;
const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// All settings, in the order in which they are printed.
pub static KEYS: &[Key] = &[
    Key {
        name: "grpc.address",
        variable: "GRPC_ADDRESS",
        help: "Where gRPC listens; port 0 takes any that is free.",
        slot: |config| Slot::Address(&mut config.grpc.address),
    },
    Key {
        name: "http.host",
        variable: "HTTP_HOST",
        help: "Where HTTP listens.",
        slot: |config| Slot::Host(&mut config.http.host),
    },
    Key {
        name: "http.port",
        variable: "HTTP_PORT",
        help: "The port of HTTP; 0 takes any that is free.",
        slot: |config| Slot::Port(&mut config.http.port),
    },
    Key {
        name: "http.cors_origins",
        variable: "HOLDMETRICS_HTTP_CORS_ORIGINS",
        help: "Origins whose pages may call; empty switches CORS off, * means all.",
        slot: |config| Slot::Origins(&mut config.http.cors_origins),
    },
    Key {
        name: "server.insecure_bind",
        variable: "HOLDMETRICS_SERVER_INSECURE_BIND",
        help: "Allows an address outside loopback without TLS.",
        slot: |config| Slot::Switch(&mut config.server.insecure_bind),
    },
    Key {
        name: "server.drain_wait_max",
        variable: "HOLDMETRICS_SERVER_DRAIN_WAIT_MAX",
        help: "How long a shutdown waits for calls that are under way; all of it ends within 9s.",
        slot: |config| Slot::Time(&mut config.server.drain_wait_max, 0..=6 * SECOND),
    },
    Key {
        name: "store.data_dir",
        variable: "HOLDMETRICS_STORE_DATA_DIR",
        help: "Journal and state lie below this folder.",
        slot: |config| Slot::Folder(&mut config.store.data_dir),
    },
    Key {
        name: "store.ephemeral",
        variable: "HOLDMETRICS_STORE_EPHEMERAL",
        help: "Keeps all in memory alone; it ends with the process.",
        slot: |config| Slot::Switch(&mut config.store.ephemeral),
    },
    Key {
        name: "store.queue_bytes_max",
        variable: "HOLDMETRICS_STORE_QUEUE_BYTES_MAX",
        help: "Bytes of events that may wait to be acknowledged; beyond that, senders wait.",
        slot: |config| Slot::Size(&mut config.store.queue_bytes_max, MIB..=GIB),
    },
    Key {
        name: "store.segment_bytes",
        variable: "HOLDMETRICS_STORE_SEGMENT_BYTES",
        help: "One file of the journal, allocated ahead.",
        slot: |config| Slot::Size(&mut config.store.segment_bytes, MIB..=GIB),
    },
    Key {
        name: "store.state_lag_bytes_max",
        variable: "HOLDMETRICS_STORE_STATE_LAG_BYTES_MAX",
        help: "The state is written once it does not cover so many bytes of the journal.",
        slot: |config| Slot::Size(&mut config.store.state_lag_bytes_max, MIB..=64 * GIB),
    },
    Key {
        name: "store.state_lag_max",
        variable: "HOLDMETRICS_STORE_STATE_LAG_MAX",
        help: "The state is written once it does not cover an event of this age.",
        slot: |config| Slot::Time(&mut config.store.state_lag_max, 100..=24 * HOUR),
    },
    Key {
        name: "intake.max_future",
        variable: "HOLDMETRICS_INTAKE_MAX_FUTURE",
        help: "How far ahead of the clock a start may lie.",
        slot: |config| Slot::Time(&mut config.intake.max_future, 0..=87_600 * HOUR),
    },
    Key {
        name: "intake.id_bytes_max",
        variable: "HOLDMETRICS_INTAKE_ID_BYTES_MAX",
        help: "Longest token_id, holder_id or event_id.",
        slot: |config| Slot::Size(&mut config.intake.id_bytes_max, 1..=64 * KIB),
    },
    Key {
        name: "limits.connections_max",
        variable: "HOLDMETRICS_LIMITS_CONNECTIONS_MAX",
        help: "Connections open at once, on both addresses together; more wait to be accepted.",
        slot: |config| Slot::Count(&mut config.limits.connections_max, 1..=1_000_000),
    },
    Key {
        name: "limits.connections_per_address_max",
        variable: "HOLDMETRICS_LIMITS_CONNECTIONS_PER_ADDRESS_MAX",
        help: "Connections open at once from one remote address, loopback included; more are closed at once.",
        slot: |config| {
            Slot::Count(
                &mut config.limits.connections_per_address_max,
                1..=1_000_000,
            )
        },
    },
    Key {
        name: "limits.streams_per_connection_max",
        variable: "HOLDMETRICS_LIMITS_STREAMS_PER_CONNECTION_MAX",
        help: "Calls open at once in one connection.",
        slot: |config| Slot::Count(&mut config.limits.streams_per_connection_max, 1..=100_000),
    },
    Key {
        name: "limits.message_bytes_max",
        variable: "HOLDMETRICS_LIMITS_MESSAGE_BYTES_MAX",
        help: "One gRPC message, or one HTTP body that is not streamed, unpacked.",
        slot: |config| Slot::Size(&mut config.limits.message_bytes_max, KIB..=256 * MIB),
    },
    Key {
        name: "limits.line_bytes_max",
        variable: "HOLDMETRICS_LIMITS_LINE_BYTES_MAX",
        help: "One line of a streamed HTTP body, unpacked.",
        slot: |config| Slot::Size(&mut config.limits.line_bytes_max, KIB..=16 * MIB),
    },
    Key {
        name: "limits.stream_bytes_max",
        variable: "HOLDMETRICS_LIMITS_STREAM_BYTES_MAX",
        help: "One streamed HTTP body, unpacked.",
        slot: |config| Slot::Size(&mut config.limits.stream_bytes_max, MIB..=1_024 * GIB),
    },
    Key {
        name: "limits.header_bytes_max",
        variable: "HOLDMETRICS_LIMITS_HEADER_BYTES_MAX",
        help: "Names and values of the headers of one request.",
        slot: |config| Slot::Size(&mut config.limits.header_bytes_max, KIB..=MIB),
    },
    Key {
        name: "limits.batch_events_max",
        variable: "HOLDMETRICS_LIMITS_BATCH_EVENTS_MAX",
        help: "Events of one batch or array.",
        slot: |config| Slot::Count(&mut config.limits.batch_events_max, 1..=1_000_000),
    },
    Key {
        name: "limits.refused_listed_max",
        variable: "HOLDMETRICS_LIMITS_REFUSED_LISTED_MAX",
        help: "Refused lines that one HTTP answer lists; the others are counted.",
        slot: |config| Slot::Count(&mut config.limits.refused_listed_max, 0..=1_000_000),
    },
    Key {
        name: "limits.handshake_wait_max",
        variable: "HOLDMETRICS_LIMITS_HANDSHAKE_WAIT_MAX",
        help: "A TLS handshake.",
        slot: |config| Slot::Time(&mut config.limits.handshake_wait_max, 100..=60 * SECOND),
    },
    Key {
        name: "limits.header_wait_max",
        variable: "HOLDMETRICS_LIMITS_HEADER_WAIT_MAX",
        help: "From the connection, or the first byte of a further request, to the last header of a request.",
        slot: |config| Slot::Time(&mut config.limits.header_wait_max, 100..=60 * SECOND),
    },
    Key {
        name: "limits.request_wait_max",
        variable: "HOLDMETRICS_LIMITS_REQUEST_WAIT_MAX",
        help: "One HTTP request that is not streamed.",
        slot: |config| Slot::Time(&mut config.limits.request_wait_max, 100..=HOUR),
    },
    Key {
        name: "limits.idle_wait_max",
        variable: "HOLDMETRICS_LIMITS_IDLE_WAIT_MAX",
        help: "A connection without a call, or whose caller takes nothing of its answers; and one watch of the health.",
        slot: |config| Slot::Time(&mut config.limits.idle_wait_max, SECOND..=24 * HOUR),
    },
    Key {
        name: "limits.ping_interval",
        variable: "HOLDMETRICS_LIMITS_PING_INTERVAL",
        help: "Between two signs of life that a connection with a call is asked for.",
        slot: |config| Slot::Time(&mut config.limits.ping_interval, SECOND..=HOUR),
    },
    Key {
        name: "limits.ping_wait_max",
        variable: "HOLDMETRICS_LIMITS_PING_WAIT_MAX",
        help: "For the answer to that; without one the connection is closed.",
        slot: |config| Slot::Time(&mut config.limits.ping_wait_max, SECOND..=HOUR),
    },
    Key {
        name: "limits.requests_per_second_max",
        variable: "HOLDMETRICS_LIMITS_REQUESTS_PER_SECOND_MAX",
        help: "Requests of one API key in a second, or of one address where there are no keys; 0 sets no bound.",
        slot: |config| Slot::Count(&mut config.limits.requests_per_second_max, 0..=1_000_000),
    },
    Key {
        name: "tls.cert",
        variable: "HOLDMETRICS_TLS_CERT",
        help: "Certificate chain, PEM; switches TLS on.",
        slot: |config| Slot::File(&mut config.tls.cert),
    },
    Key {
        name: "tls.key",
        variable: "HOLDMETRICS_TLS_KEY",
        help: "Private key of the certificate, PEM.",
        slot: |config| Slot::File(&mut config.tls.key),
    },
    Key {
        name: "tls.client_ca",
        variable: "HOLDMETRICS_TLS_CLIENT_CA",
        help: "Who signs certificates of clients, PEM; others are then turned away.",
        slot: |config| Slot::File(&mut config.tls.client_ca),
    },
    Key {
        name: "keys.file",
        variable: "HOLDMETRICS_KEYS_FILE",
        help: "The file of API keys; without one nobody is asked for a key.",
        slot: |config| Slot::File(&mut config.keys.file),
    },
    Key {
        name: "log.level",
        variable: "LOG_LEVEL",
        help: "What is logged: error, warn, info, debug, trace, or targets with levels.",
        slot: |config| Slot::Level(&mut config.log.level),
    },
    Key {
        name: "log.format",
        variable: "HOLDMETRICS_LOG_FORMAT",
        help: "text for people, json for machines.",
        slot: |config| Slot::Format(&mut config.log.format),
    },
    Key {
        name: "otlp.endpoint",
        variable: "OTEL_EXPORTER_OTLP_ENDPOINT",
        help: "An OTLP receiver that speaks gRPC; traces and metrics are sent there.",
        slot: |config| Slot::Url(&mut config.otlp.endpoint),
    },
    Key {
        name: "otlp.metrics_interval",
        variable: "HOLDMETRICS_OTLP_METRICS_INTERVAL",
        help: "Between two exports of metrics.",
        slot: |config| Slot::Time(&mut config.otlp.metrics_interval, 100..=HOUR),
    },
];

impl Key {
    /// The setting of this name.
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.name == name)
    }

    /// What stands before the dot.
    #[must_use]
    pub fn section(&self) -> &'static str {
        self.name.split_once('.').map_or("", |(section, _)| section)
    }

    /// The value in `config`, as it is written in a file or a variable; empty where there is none.
    #[must_use]
    pub fn text(&self, config: &Config) -> String {
        (self.slot)(&mut config.clone()).text()
    }

    /// What a value must be, in words.
    #[must_use]
    pub fn form(&self) -> String {
        (self.slot)(&mut Config::default()).form()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_stands_within_its_own_bounds() {
        for key in KEYS {
            let text = key.text(&Config::default());
            let mut config = Config::default();
            assert_eq!(
                (key.slot)(&mut config).read(&text),
                Some(()),
                "{}",
                key.name
            );
            assert_eq!(config, Config::default(), "{}", key.name);
        }
    }

    #[test]
    fn variables_are_the_published_ones_or_tell_section_and_name() {
        let published = [
            "GRPC_ADDRESS",
            "HTTP_HOST",
            "HTTP_PORT",
            "LOG_LEVEL",
            "OTEL_EXPORTER_OTLP_ENDPOINT",
        ];
        for key in KEYS {
            let derived = key.name.replace('.', "_").to_uppercase();
            assert!(
                published.contains(&key.variable)
                    || key.variable == format!("HOLDMETRICS_{derived}"),
                "{}: {}",
                key.name,
                key.variable
            );
        }
    }
}
