//! What the network room is told: limits, certificates, keys, origins. Plain values with one default.
//!
//! Reads no file and no variable; who starts the service fills this in.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

/// How the service meets its callers.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What one caller may take.
    pub limits: Limits,
    /// Certificates; without them everything travels in the clear.
    pub tls: Option<TlsSettings>,
    /// File of API keys; without it every caller may do everything.
    pub api_keys: Option<PathBuf>,
    /// Origins that browsers may ask from, such as `https://example.org`; none switches CORS off, `*` means all.
    pub cors_origins: Vec<String>,
    /// After the stop signal, how long open calls may take to end.
    pub drain_max: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            tls: None,
            api_keys: None,
            cors_origins: Vec::new(),
            drain_max: Duration::from_secs(4),
        }
    }
}

/// Certificates, as PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    /// The server's chain, its own certificate first.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Authorities of which every client must show a certificate; `None` asks for none.
    pub client_ca: Option<PathBuf>,
}

/// Bounds of what one connection, call or caller may take. All of them hold before a key is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// One gRPC message, or one HTTP body that is not streamed, unpacked.
    pub message_bytes_max: usize,
    /// One line of a streamed HTTP body, unpacked.
    pub line_bytes_max: usize,
    /// One streamed HTTP body, unpacked.
    pub stream_bytes_max: u64,
    /// Events of one batch or array.
    pub batch_events_max: usize,
    /// Refused lines that one HTTP answer lists; the others are counted.
    pub refused_listed_max: usize,
    /// Open connections, on all addresses together. Further ones wait to be accepted.
    pub connections_max: usize,
    /// Open connections of one address, loopback included, on all addresses of ours together. Further ones are
    /// closed at once. Callers behind one proxy share an address.
    pub connections_per_address_max: usize,
    /// Calls that are open on one connection.
    pub streams_per_connection_max: u32,
    /// Names and values of the headers of one request.
    pub header_bytes_max: u32,
    /// From the connection, or from the first byte of a further request, to the last header of a request.
    pub header_wait_max: Duration,
    /// The TLS handshake.
    pub handshake_wait_max: Duration,
    /// A connection without a call, one that takes nothing of its answers, or a streamed HTTP body without a
    /// byte. Health checking and server reflection end after so long; who watches the health asks again.
    pub idle_max: Duration,
    /// A connection with a call is asked for a sign of life this often, ...
    pub ping_every: Duration,
    /// ... and closed where none comes within this.
    pub ping_wait_max: Duration,
    /// One HTTP request that is not streamed.
    pub request_wait_max: Duration,
    /// Calls a second of one API key, or of one address where there are no keys; `None` bounds them not.
    pub requests_per_second_max: Option<NonZeroU32>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes_max: 4 << 20,
            line_bytes_max: 64 << 10,
            stream_bytes_max: 4 << 30,
            batch_events_max: 65_536,
            refused_listed_max: 1_000,
            connections_max: 1_024,
            connections_per_address_max: 512,
            streams_per_connection_max: 128,
            header_bytes_max: 16 << 10,
            header_wait_max: Duration::from_secs(10),
            handshake_wait_max: Duration::from_secs(10),
            idle_max: Duration::from_secs(300),
            ping_every: Duration::from_secs(30),
            ping_wait_max: Duration::from_secs(20),
            request_wait_max: Duration::from_secs(30),
            requests_per_second_max: None,
        }
    }
}

/// An address that others could listen in on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{address} can be reached from other machines and has no TLS: give --tls-cert and --tls-key, bind to \
     127.0.0.1, or say --insecure-bind"
)]
pub struct InsecureBind {
    /// What was to be bound.
    pub address: SocketAddr,
}

impl Settings {
    /// Whether `address` may be bound: one outside loopback only with TLS, or where that was asked for.
    pub fn may_bind(
        &self,
        address: SocketAddr,
        is_insecure_allowed: bool,
    ) -> Result<(), InsecureBind> {
        // An IPv4 address in the clothes of IPv6 (`::ffff:127.0.0.1`) is judged as what it is.
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
            tls: Some(TlsSettings {
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
