//! A client of the gRPC contract, used by `send`, `load` and tests.
//!
//! It hides the generated code, adds the API key, and tells errors that may pass from those that will not.
//! Whether and when to retry is the caller's choice.

mod ack;
mod batch;
mod tls;

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt};
use tokio_rustls::rustls;
use tonic::metadata::errors::InvalidMetadataValue;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

pub use ack::{Ack, RefusedRow};
pub use batch::{Batch, Message};

use crate::net::code_name::code_name;
use crate::net::pb;
use crate::net::pb::hold_metrics_client::HoldMetricsClient;

const CONNECT_WAIT_MAX: Duration = Duration::from_secs(5);
/// A lost connection is noticed within twice this time.
const PING_EVERY: Duration = Duration::from_secs(10);
/// Bytes of acknowledgements that may be in flight.
const WINDOW_BYTES: u32 = 1 << 20;

/// The address of a server, and the credentials for it.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// As in `http://127.0.0.1:60051` or `https://example.org:60051`.
    pub url: String,
    /// Certificates in PEM, one of which signed that of an `https` server; `None` means the root
    /// certificates of the system.
    pub authority: Option<Vec<u8>>,
    /// The API key.
    pub key: Option<String>,
}

impl Target {
    /// Whether the connection is encrypted.
    #[must_use]
    pub fn has_tls(&self) -> bool {
        self.url.starts_with("https:")
    }
}

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address, the certificate or the key cannot be used.
    #[error("the {what} cannot be used")]
    Target {
        /// "address of the server", "certificate" or "API key".
        what: &'static str,
        /// What is wrong with it.
        source: Box<dyn Error + Send + Sync>,
    },
    /// Nothing answers there.
    #[error("{url}: no server answers")]
    Connect {
        /// The server.
        url: String,
        /// What the system says.
        source: io::Error,
    },
    /// The server expects TLS, and the address begins with `http:`.
    #[error("{url}: the server speaks TLS: use https://{}", after_scheme(url))]
    NeedsTls {
        /// The server.
        url: String,
    },
    /// The server does not speak TLS, and the address begins with `https:`.
    #[error(
        "{url}: the server does not speak TLS: use http://{}",
        after_scheme(url)
    )]
    NoTls {
        /// The server.
        url: String,
    },
    /// The certificate of the server is not signed by a known authority, has expired or is for
    /// another name.
    #[error("{url}: the certificate of the server is not trusted")]
    Untrusted {
        /// The server.
        url: String,
        /// What is wrong with it.
        source: rustls::Error,
    },
    /// The server answered in HTTP without gRPC.
    #[error("the server speaks HTTP, not gRPC; name its gRPC address, by default port 60051")]
    NotGrpc,
    /// The server answered with an error, or the connection broke.
    #[error("{}: {}", code_name(status.code()), status.message())]
    Call {
        /// The status that the server or the transport reported.
        status: Box<Status>,
    },
}

impl From<Status> for ClientError {
    fn from(status: Status) -> Self {
        if is_plain_http(&status) {
            return Self::NotGrpc;
        }
        Self::Call {
            status: Box::new(status),
        }
    }
}

impl ClientError {
    /// A stream ended without an error, but too early.
    #[must_use]
    pub fn ended(what: &str) -> Self {
        Status::unavailable(what).into()
    }

    /// `None` if the same call would fail again; else when to retry, if the server says so.
    #[must_use]
    pub fn retry(&self) -> Option<Option<Duration>> {
        match self {
            Self::Target { .. }
            | Self::NeedsTls { .. }
            | Self::NoTls { .. }
            | Self::Untrusted { .. }
            | Self::NotGrpc => None,
            Self::Connect { .. } => Some(None),
            Self::Call { status } => match status.code() {
                Code::Unavailable | Code::Aborted | Code::Cancelled | Code::DeadlineExceeded => {
                    Some(None)
                }
                Code::ResourceExhausted => {
                    let details = status.get_error_details();
                    Some(details.retry_info().and_then(|info| info.retry_delay))
                }
                // How tonic reports a broken connection.
                Code::Unknown | Code::Internal if is_transport(status) => Some(None),
                _ => None,
            },
        }
    }
}

/// A gRPC server answers an unknown method with HTTP status 200; only other HTTP servers answer 404.
fn is_plain_http(status: &Status) -> bool {
    status.message().ends_with("status: 404 Not Found")
}

fn is_transport(status: &Status) -> bool {
    status.source().is_some()
}

/// The acknowledgements of a stream of events, in order.
pub type Acks = BoxStream<'static, Result<Ack, ClientError>>;

/// A connection to a server; calls may share a clone of it.
#[derive(Clone)]
pub struct Client {
    calls: HoldMetricsClient<Channel>,
    key: Option<MetadataValue<Ascii>>,
    url: Arc<str>,
}

impl Client {
    /// Connects, for at most five seconds.
    pub async fn connect(target: &Target) -> Result<Self, ClientError> {
        let unusable = |what| {
            move |error: tonic::transport::Error| ClientError::Target {
                what,
                source: error.into(),
            }
        };
        let mut endpoint = Endpoint::from_shared(target.url.clone())
            .map_err(unusable("address of the server"))?
            .connect_timeout(CONNECT_WAIT_MAX)
            .http2_keep_alive_interval(PING_EVERY)
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(4 * WINDOW_BYTES);
        if target.has_tls() {
            let trusted = match &target.authority {
                Some(authority) => {
                    ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authority))
                }
                None => ClientTlsConfig::new().trust_anchors(tls::system_roots()?),
            };
            endpoint = endpoint
                .tls_config(trusted)
                .map_err(unusable("certificate"))?;
        }
        let key = target
            .key
            .as_ref()
            .map(|key| format!("Bearer {key}").parse());
        let key = key
            .transpose()
            .map_err(|error: InvalidMetadataValue| ClientError::Target {
                what: "API key",
                source: error.into(),
            })?;
        let channel = endpoint.connect().await;
        let channel = channel.map_err(|error| {
            let url = target.url.clone();
            match tls::refusal(&error) {
                Some(rustls::Error::InvalidMessage(_)) => ClientError::NoTls { url },
                Some(source) => ClientError::Untrusted { url, source },
                None => ClientError::Connect {
                    url,
                    source: innermost(&error),
                },
            }
        })?;
        Ok(Self {
            calls: HoldMetricsClient::new(channel),
            key,
            url: target.url.as_str().into(),
        })
    }

    /// Sends one event and waits for its acknowledgement, which also reports a refusal.
    pub async fn record(&mut self, message: Message) -> Result<Ack, ClientError> {
        let request = self.request(message.0);
        match self.calls.record(request).await {
            Ok(ack) => Ok(ack.into_inner().into()),
            Err(status) => Err(self.failed(status).await),
        }
    }

    /// Sends events as they come; one acknowledgement covers up to `ack_every` of them.
    pub async fn broadcast(
        &mut self,
        messages: impl Stream<Item = Message> + Send + 'static,
        ack_every: u32,
    ) -> Result<Acks, ClientError> {
        let mut request = self.request(messages.map(|message| message.0));
        request
            .metadata_mut()
            .insert("ack-every", MetadataValue::from(ack_every));
        match self.calls.broadcast(request).await {
            Ok(stream) => Ok(acks(stream.into_inner())),
            Err(status) => Err(self.failed(status).await),
        }
    }

    /// Sends batches as they come; each has its own acknowledgement.
    pub async fn broadcast_batch(
        &mut self,
        batches: impl Stream<Item = Batch> + Send + 'static,
    ) -> Result<Acks, ClientError> {
        let request = self.request(batches.map(Batch::into_wire));
        match self.calls.broadcast_batch(request).await {
            Ok(stream) => Ok(acks(stream.into_inner())),
            Err(status) => Err(self.failed(status).await),
        }
    }

    /// Why a call failed. A TLS server closes a connection without TLS before it answers, which looks
    /// like a server that has just ended; a TLS handshake tells the two apart.
    async fn failed(&self, status: Status) -> ClientError {
        if is_transport(&status)
            && let Some(authority) = self.url.strip_prefix("http://")
            && tls::is_spoken_at(authority).await
        {
            return ClientError::NeedsTls {
                url: self.url.to_string(),
            };
        }
        status.into()
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(key) = &self.key {
            request.metadata_mut().insert("authorization", key.clone());
        }
        request
    }
}

fn after_scheme(url: &str) -> &str {
    url.split_once("://").map_or(url, |(_, rest)| rest)
}

fn acks(stream: tonic::Streaming<pb::HoldAck>) -> Acks {
    stream.map(|ack| Ok(ack?.into())).boxed()
}

/// The innermost cause of a connection that failed: the others say "transport error" or the like.
pub(crate) fn innermost(error: &(dyn Error + 'static)) -> io::Error {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let code = innermost.downcast_ref().and_then(io::Error::raw_os_error);
    code.map_or_else(
        || io::Error::other(innermost.to_string()),
        io::Error::from_raw_os_error,
    )
}
