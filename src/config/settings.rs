//! The table of all settings: each with its type, default, form, bounds, meaning, variable and flag.
//!
//! This is the only place that holds any of these. The value structs, the defaults, `config print`, the
//! flags of the command line and `docs/settings.md` come from it; see `define` for the macro and `form`
//! for how a value is read and printed.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use super::define::{AddressRow, settings};
use super::form::{
    File, Folder, Host, Hosts, LogForm, LogLevel, Origins, PipelineArguments, PipelineFiles,
    PolicyFiles, Port, Scopes, Stores, Switch, Url, WhenFull,
};
use super::measure::{Count, Instant, Size, Time};
use super::values::{EventsFull, LogFormat, Scope, StoreAddress};
use crate::core::Micros;

const SECOND: u64 = 1_000;
const HOUR: u64 = 3_600 * SECOND;
const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

settings! {
    /// The gRPC server.
    grpc: Grpc {
        /// IP address on which gRPC listens.
        host: IpAddr = Ipv4Addr::LOCALHOST.into(), Host;
        /// Port on which gRPC listens; 0 takes any free one.
        port: u16 = 60_051, Port;
    }

    /// The HTTP server.
    http: Http {
        /// IP address on which HTTP listens.
        host: IpAddr = Ipv4Addr::LOCALHOST.into(), Host, variable "HTTP_HOST";
        /// Port on which HTTP listens; 0 takes any free one.
        port: u16 = 8_000, Port, variable "HTTP_PORT";
        /// Origins whose pages may call the HTTP API (CORS); `*` allows all, empty allows none.
        cors_origins: Vec<String> = Vec::new(), Origins;
        /// Names by which callers may address the HTTP API of a service without API keys and TLS, beside IP addresses
        /// and `localhost`; `*` allows all.
        allowed_hosts: Vec<String> = Vec::new(), Hosts;
    }

    /// What applies to both servers.
    server: Server {
        /// Allow addresses outside loopback without TLS.
        insecure_bind: bool = false, Switch, flag "insecure-bind";
        /// How long a shutdown waits for open calls; the whole shutdown ends within 9s.
        drain_wait_max: Duration = Duration::from_secs(4), Time(0..=6 * SECOND);
    }

    /// Where events are stored.
    store: Store {
        /// Folder of journal and state.
        data_dir: PathBuf = "./data".into(), Folder, flag "data-dir";
        /// Keep everything in memory; it is lost when the process ends, and acknowledgements say so.
        ephemeral: bool = false, Switch, flag "ephemeral";
        /// Bytes of events that may wait for their acknowledgement; senders wait beyond that.
        queue_bytes_max: usize = 64 << 20, Size(MIB..=GIB);
        /// Size of a journal segment, which is allocated ahead.
        segment_bytes: u64 = 64 << 20, Size(MIB..=GIB);
        /// The state is written when it lags behind the journal by this many bytes.
        state_lag_bytes_max: u64 = 256 << 20, Size(MIB..=64 * GIB);
        /// The state is written when the oldest event that it lacks is this old.
        state_lag_max: Duration = Duration::from_secs(30), Time(100..=24 * HOUR);
        /// The service is not ready while the disk, or the thread that applies events, has stood still for this long.
        stall_max: Duration = Duration::from_secs(2), Time(100..=HOUR);
    }

    /// Which events are accepted.
    intake: Intake {
        /// How far a start, a change or a transfer may lie ahead of the server's clock.
        max_future: Duration = Duration::from_secs(300), Time(0..=87_600 * HOUR), flag "max-future";
        /// Instant before which no event may lie: a time with an offset, or a date; empty accepts all. Seconds that
        /// are sent as milliseconds are refused by it.
        earliest: Option<Micros> = None, Instant, flag "earliest";
        /// Length of the longest `token_id`, `holder_id`, `from_id`, `to_id` or `event_id`.
        id_bytes_max: usize = 256, Size(1..=64 * KIB);
    }

    /// Sealed rounds of airdrops.
    rounds: Rounds {
        /// Recipients of one round; so many leaves of trees are in memory for proofs, or those of one round.
        leaves_max: usize = 1_000_000, Count(1..=10_000_000);
    }

    /// What one connection, call or caller may take. All of these apply before an API key is known.
    limits: Limits {
        /// Open connections, gRPC and HTTP together; further ones wait to be accepted.
        connections_max: usize = 1_024, Count(1..=1_000_000);
        /// Open connections of one remote address, loopback included; further ones are closed at once. IPv6
        /// addresses count by their first 64 bits, and callers behind one proxy share an address.
        connections_per_address_max: usize = 512, Count(1..=1_000_000);
        /// Open calls of one connection.
        streams_per_connection_max: u32 = 128, Count(1..=100_000);
        /// One gRPC message, or one HTTP body that is not streamed, after decompression.
        message_bytes_max: usize = 4 << 20, Size(KIB..=256 * MIB);
        /// All HTTP bodies at once that are not streamed, all gRPC messages above 64 KiB, after decompression, and all
        /// windows of zstd above 64 KiB, or one of them; a connection may have a quarter of it, or one.
        bodies_bytes_max: usize = 64 << 20, Size(MIB..=64 * GIB);
        /// One line of a streamed HTTP body, after decompression.
        line_bytes_max: usize = 64 << 10, Size(KIB..=16 * MIB);
        /// One streamed HTTP body, after decompression.
        stream_bytes_max: u64 = 4 << 30, Size(MIB..=1_024 * GIB);
        /// Names and values of the headers of one request.
        header_bytes_max: u32 = 16 << 10, Size(KIB..=MIB);
        /// Events of one batch or JSON array.
        batch_events_max: usize = 65_536, Count(1..=1_000_000);
        /// Refused events that one HTTP response lists; the others are only counted.
        refused_listed_max: usize = 1_000, Count(0..=1_000_000);
        /// Duration of a TLS handshake.
        handshake_wait_max: Duration = Duration::from_secs(10), Time(100..=60 * SECOND);
        /// From the connection, or the first byte of a further request, to the last header of the request.
        header_wait_max: Duration = Duration::from_secs(10), Time(100..=60 * SECOND);
        /// Duration of a unary gRPC call, or of an HTTP request that is not streamed.
        request_wait_max: Duration = Duration::from_secs(30), Time(100..=HOUR);
        /// A connection without a call, one whose caller does not read its responses, or a streamed HTTP body
        /// of which nothing arrives; also one call of health checking or server reflection.
        idle_wait_max: Duration = Duration::from_secs(300), Time(SECOND..=24 * HOUR);
        /// Bytes of answers that callers have not taken yet, over all connections; further questions wait.
        answer_bytes_max: usize = 256 << 20, Size(MIB..=64 * GIB);
        /// The same of one connection.
        connection_answer_bytes_max: usize = 16 << 20, Size(64 * KIB..=GIB);
        /// A connection whose caller takes nothing of an answer that is there.
        unread_wait_max: Duration = Duration::from_secs(30), Time(100..=HOUR);
        /// Duration of a stream, a gRPC one or a long answer over HTTP; its caller then calls again.
        stream_age_max: Duration = Duration::from_secs(24 * 3_600), Time(SECOND..=87_600 * HOUR);
        /// Interval between two HTTP/2 pings on a connection with an open call.
        ping_interval: Duration = Duration::from_secs(30), Time(SECOND..=HOUR);
        /// Wait for the answer to a ping; without one the connection is closed.
        ping_wait_max: Duration = Duration::from_secs(20), Time(SECOND..=HOUR);
        /// Calls per second of one API key, or of one address for calls without a key; 0 means no limit.
        requests_per_second_max: Option<NonZeroU32> = None, Count(0..=1_000_000);
    }

    /// What is kept for questions that are answered page by page.
    questions: Questions {
        /// How long a leaderboard, or a list of deficits, is kept after its last page was asked for, so that all its
        /// pages are of one state.
        pages_keep: Duration = Duration::from_secs(60), Time(0..=HOUR);
        /// Bytes of all of them, about 64 a holder, 110 under a policy, and 250 a deficit; the one that was used least
        /// recently is let go for another.
        pages_bytes_max: usize = 256 << 20, Size(0..=64 * GIB);
    }

    /// TLS, for both servers.
    tls: Tls {
        /// Certificate chain in PEM; enables TLS and needs `tls.key`.
        cert: Option<PathBuf> = None, File, flag "tls-cert";
        /// Private key of the certificate in PEM.
        key: Option<PathBuf> = None, File, flag "tls-key";
        /// Certificate authorities in PEM; a client must then present a certificate that one of them signed.
        client_ca: Option<PathBuf> = None, File, flag "tls-client-ca";
    }

    /// API keys.
    keys: Keys {
        /// File of API keys; with one, callers must send one of its keys.
        file: Option<PathBuf> = None, File, flag "api-key-file" alias "api-keys";
        /// Scopes that callers without an API key have, of read, write, metrics and rounds; needs `keys.file`.
        anonymous: Vec<Scope> = Vec::new(), Scopes;
    }

    /// Operators' Python inside the service.
    pipelines: Pipelines {
        /// File of pipelines, with `:NAME` for one of them alone; a folder means all files in it.
        files: Vec<String> = Vec::new(), PipelineFiles, flag "pipeline";
        /// Argument of a pipeline; in a list, an item without `=` continues the value before it.
        arguments: Vec<String> = Vec::new(), PipelineArguments, flag "pipeline-arg";
        /// Load a pipeline again when its file, or a module beside it, has changed.
        watch: bool = false, Switch, flag "watch";
        /// Bytes of the journal that are kept for a consumer that lags; one further behind starts again from the
        /// facts in the state.
        lag_bytes_max: u64 = 4 * GIB, Size(64 * MIB..=64 * 1_024 * GIB);
        /// Bytes of events that are read ahead for each consumer.
        queue_bytes_max: usize = 16 << 20, Size(64 * KIB..=GIB);
        /// What happens to the events of slow handlers: lag keeps them in the journal, shed skips and counts them.
        events_full: EventsFull = EventsFull::Lag, WhenFull;
        /// A handler that runs longer is cancelled at its next `await`.
        soft_limit: Duration = Duration::from_secs(10), Time(1..=24 * HOUR);
        /// A handler that runs longer gets an exception, wherever it is in Python code.
        hard_limit: Duration = Duration::from_secs(30), Time(1..=24 * HOUR);
        /// A handler that blocks the interpreter longer ends the process with exit code 70; 0 means never.
        fatal_limit: Duration = Duration::from_secs(120), Time(0..=24 * HOUR);
        /// Memory of one worker process, for pipelines with `isolation="process"`.
        memory_max: u64 = 512 << 20, Size(64 * MIB..=1_024 * GIB);
        /// Processor time of one worker process, which is then replaced by a new one; 0 means no limit.
        processor_max: Duration = Duration::ZERO, Time(0..=87_600 * HOUR);
    }

    /// What `serve` does beside answering.
    serve: Serve {
        /// Storage that everything acknowledged is delivered to: `sqlite:///FILE`, `mongodb://HOST/DATABASE`, or
        /// `mongodb://` alone for the address in `MONGODB_URL`, where the list of processes does not show it.
        store: Vec<StoreAddress> = Vec::new(), Stores, flag "store";
    }

    /// Policies under which leaderboards are published.
    policies: PolicySettings {
        /// Policy by its name: a JSON document of ready steps, read again on SIGHUP.
        files: Vec<String> = Vec::new(), PolicyFiles, flag "policy";
    }

    /// The log, on standard error.
    log: Log {
        /// What is logged: error, warn, info, debug or trace, or targets with levels.
        level: String = "info".into(), LogLevel, variable "LOG_LEVEL";
        /// Form of the log lines: text or json.
        format: LogFormat = LogFormat::Text, LogForm, flag "log-format";
    }

    /// Export of traces and metrics.
    otlp: Otlp {
        /// OTLP receiver that speaks gRPC; traces and metrics are sent to it.
        endpoint: Option<String> = None, Url, variable "OTEL_EXPORTER_OTLP_ENDPOINT";
        /// Interval between two exports of metrics.
        metrics_interval: Duration = Duration::from_secs(60), Time(100..=HOUR);
    }
}

/// A name that sets the host and the port of a server at once.
pub type AddressSetting = AddressRow<Config>;

/// Names that set the host and the port of a server at once.
pub static ADDRESSES: [AddressSetting; 2] = [
    AddressRow {
        name: "grpc.address",
        help: "Where gRPC listens",
        published_variable: Some("GRPC_ADDRESS"),
        flag: "grpc-addr",
        parts: ["grpc.host", "grpc.port"],
        address: |config| config.grpc.address(),
    },
    AddressRow {
        name: "http.address",
        help: "Where HTTP listens",
        published_variable: None,
        flag: "http-addr",
        parts: ["http.host", "http.port"],
        address: |config| config.http.address(),
    },
];

impl Grpc {
    /// Where gRPC listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        SocketAddr::new(self.host, self.port)
    }
}

impl Http {
    /// Where HTTP listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        SocketAddr::new(self.host, self.port)
    }
}
