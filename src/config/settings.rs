//! The values themselves, in sections, and their one default.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Everything that may be chosen; [`Config::default`] is what runs where nothing is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// The gRPC server.
    pub grpc: Grpc,
    /// The HTTP server.
    pub http: Http,
    /// What holds for both.
    pub server: Server,
    /// Where events are kept.
    pub store: Store,
    /// Which events come in.
    pub intake: Intake,
    /// What one sender may take.
    pub limits: Limits,
    /// Encryption.
    pub tls: Tls,
    /// Who may call.
    pub keys: Keys,
    /// What is logged.
    pub log: Log,
    /// Where traces and metrics are sent.
    pub otlp: Otlp,
}

/// The gRPC server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grpc {
    /// Where it listens; port 0 takes any that is free.
    pub address: SocketAddr,
}

/// The HTTP server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// Where it listens.
    pub host: IpAddr,
    /// Port 0 takes any that is free.
    pub port: u16,
    /// Origins whose pages may call; none switches CORS off, `*` means all.
    pub cors_origins: Vec<String>,
}

/// What holds for both servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Allows an address outside loopback without TLS.
    pub insecure_bind: bool,
    /// How long a shutdown waits for calls that are under way.
    pub drain_wait_max: Duration,
}

/// Where events are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// Journal and state lie below this folder.
    pub data_dir: PathBuf,
    /// Keeps all in memory alone.
    pub ephemeral: bool,
    /// Bytes of events that may wait to be acknowledged; senders wait beyond that.
    pub queue_bytes_max: u64,
    /// One file of the journal.
    pub segment_bytes: u64,
    /// The state is written once it does not cover so many bytes of the journal.
    pub state_lag_bytes_max: u64,
    /// The state is written once it does not cover an event of this age.
    pub state_lag_max: Duration,
}

/// Which events come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intake {
    /// How far a start may lie ahead of the clock.
    pub max_future: Duration,
    /// Longest id.
    pub id_bytes_max: u64,
}

/// What one sender may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections open at once, on both addresses together.
    pub connections_max: u64,
    /// Connections open at once from one remote address.
    pub connections_per_address_max: u64,
    /// Calls open at once in one connection.
    pub streams_per_connection_max: u64,
    /// One gRPC message, or one HTTP body that is not streamed, unpacked.
    pub message_bytes_max: u64,
    /// One line of a streamed HTTP body, unpacked.
    pub line_bytes_max: u64,
    /// One streamed HTTP body, unpacked.
    pub stream_bytes_max: u64,
    /// Names and values of the headers of one request.
    pub header_bytes_max: u64,
    /// Events of one batch or array.
    pub batch_events_max: u64,
    /// Refused lines that one HTTP answer lists.
    pub refused_listed_max: u64,
    /// A TLS handshake.
    pub handshake_wait_max: Duration,
    /// The head of a request.
    pub header_wait_max: Duration,
    /// One HTTP request that is not streamed.
    pub request_wait_max: Duration,
    /// A connection on which nothing happens.
    pub idle_wait_max: Duration,
    /// Between two signs of life that a connection with a call is asked for.
    pub ping_interval: Duration,
    /// For the answer to that.
    pub ping_wait_max: Duration,
    /// Requests of one API key in a second, or of one address where there are no keys; 0 sets no bound.
    pub requests_per_second_max: u64,
}

/// Encryption.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// Certificate chain, PEM.
    pub cert: Option<PathBuf>,
    /// Its private key, PEM.
    pub key: Option<PathBuf>,
    /// Who signs certificates of clients, PEM; clients without one are then turned away.
    pub client_ca: Option<PathBuf>,
}

/// Who may call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// The file of API keys; without one nobody is asked for a key.
    pub file: Option<PathBuf>,
}

/// What is logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// A level, or targets with levels.
    pub level: String,
    /// The form of a line.
    pub format: LogFormat,
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Where traces and metrics are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Otlp {
    /// An OTLP receiver that speaks gRPC; none sends nothing.
    pub endpoint: Option<String>,
    /// Between two exports of metrics.
    pub metrics_interval: Duration,
}

impl Default for Grpc {
    fn default() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 60_051)),
        }
    }
}

impl Default for Http {
    fn default() -> Self {
        Self {
            host: Ipv4Addr::LOCALHOST.into(),
            port: 8_000,
            cors_origins: Vec::new(),
        }
    }
}

impl Default for Server {
    fn default() -> Self {
        Self {
            insecure_bind: false,
            drain_wait_max: Duration::from_secs(4),
        }
    }
}

impl Default for Store {
    fn default() -> Self {
        Self {
            data_dir: "./data".into(),
            ephemeral: false,
            queue_bytes_max: 64 << 20,
            segment_bytes: 64 << 20,
            state_lag_bytes_max: 256 << 20,
            state_lag_max: Duration::from_secs(30),
        }
    }
}

impl Default for Intake {
    fn default() -> Self {
        Self {
            max_future: Duration::from_secs(300),
            id_bytes_max: 256,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 1_024,
            connections_per_address_max: 512,
            streams_per_connection_max: 128,
            message_bytes_max: 4 << 20,
            line_bytes_max: 64 << 10,
            stream_bytes_max: 4 << 30,
            header_bytes_max: 16 << 10,
            batch_events_max: 65_536,
            refused_listed_max: 1_000,
            handshake_wait_max: Duration::from_secs(10),
            header_wait_max: Duration::from_secs(10),
            request_wait_max: Duration::from_secs(30),
            idle_wait_max: Duration::from_secs(300),
            ping_interval: Duration::from_secs(30),
            ping_wait_max: Duration::from_secs(20),
            requests_per_second_max: 0,
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self {
            level: "info".into(),
            format: LogFormat::Text,
        }
    }
}

impl Default for Otlp {
    fn default() -> Self {
        Self {
            endpoint: None,
            metrics_interval: Duration::from_secs(60),
        }
    }
}

impl Config {
    /// What contradicts what, in one sentence; the values each stand within their bounds.
    pub(super) fn contradiction(&self) -> Option<&'static str> {
        let Tls {
            cert,
            key,
            client_ca,
        } = &self.tls;
        if self.grpc.address == self.http_address() && self.http.port != 0 {
            return Some(
                "grpc.address and http.host with http.port are the same address: give one of them \
                 another port",
            );
        }
        match (cert, key, client_ca) {
            (Some(_), None, _) => {
                Some("tls.cert is set without tls.key: name the private key of the certificate")
            }
            (None, Some(_), _) => {
                Some("tls.key is set without tls.cert: name the certificate of the private key")
            }
            (None, None, Some(_)) => Some(
                "tls.client_ca is set without tls.cert and tls.key: clients can only be checked over TLS",
            ),
            (Some(_), Some(_), _) | (None, None, None) => None,
        }
    }

    /// Where HTTP listens.
    #[must_use]
    pub fn http_address(&self) -> SocketAddr {
        SocketAddr::from((self.http.host, self.http.port))
    }
}
