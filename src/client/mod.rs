//! A client of the gRPC contract, used by `send`, `feed`, `load`, `airdrop` and tests.
//!
//! It hides the generated code, adds the API key, and tells errors that may pass from those that will not.
//! Whether and when to retry is the caller's choice.

mod ack;
mod batch;
mod error;
mod feed;
mod scores;
mod tls;
mod transfers;

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt};
use serde::{Deserialize, Serialize};
use tokio_rustls::rustls;
use tonic::metadata::errors::InvalidMetadataValue;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tonic::{Request, Response, Status};

pub use ack::{Ack, RefusedRow};
pub use batch::{Batch, Message};
pub use error::ClientError;
pub(crate) use error::innermost;
pub use feed::{Beginning, FeedOptions, FeedPage, FeedStream};
pub use scores::Scores;
pub use transfers::Transfers;

use self::error::is_transport;
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

/// The acknowledgements of a stream of events, in order.
pub type Acks = BoxStream<'static, Result<Ack, ClientError>>;

/// An open stream of events.
pub struct Upload {
    /// The store that takes them; servers of older versions do not say it.
    pub store: Option<StorePosition>,
    /// In order.
    pub acks: Acks,
}

/// Which store a server has, and how far it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StorePosition {
    /// The identity of the store.
    pub id: String,
    /// The sequence number of its last event.
    pub sequence: u64,
}

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
            let roots = match &target.authority {
                Some(authority) => tls::roots_in(authority)?,
                None => tls::system_roots()?,
            };
            endpoint = endpoint
                .tls_config(ClientTlsConfig::new().trust_anchors(roots))
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
    ) -> Result<Upload, ClientError> {
        let mut request = self.request(messages.map(|message| message.0));
        request
            .metadata_mut()
            .insert("ack-every", MetadataValue::from(ack_every));
        match self.calls.broadcast(request).await {
            Ok(response) => Ok(upload(response)),
            Err(status) => Err(self.failed(status).await),
        }
    }

    /// Sends batches as they come; each has its own acknowledgement.
    pub async fn broadcast_batch(
        &mut self,
        batches: impl Stream<Item = Batch> + Send + 'static,
    ) -> Result<Upload, ClientError> {
        let request = self.request(batches.map(Batch::into_wire));
        match self.calls.broadcast_batch(request).await {
            Ok(response) => Ok(upload(response)),
            Err(status) => Err(self.failed(status).await),
        }
    }

    /// Sends batches of transfers as they come; each has its own acknowledgement.
    pub async fn broadcast_transfer_batch(
        &mut self,
        batches: impl Stream<Item = Transfers> + Send + 'static,
    ) -> Result<Upload, ClientError> {
        let request = self.request(batches.map(Transfers::into_wire));
        match self.calls.broadcast_transfer_batch(request).await {
            Ok(response) => Ok(upload(response)),
            Err(status) => Err(self.failed(status).await),
        }
    }

    /// Opens the feed of acknowledged events.
    pub async fn feed(&mut self, options: FeedOptions) -> Result<FeedStream, ClientError> {
        let (positions, requests) = feed::requests(options);
        let request = self.request(requests);
        match self.calls.feed(request).await {
            Ok(responses) => FeedStream::open(positions, responses.into_inner()).await,
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

fn upload(response: Response<tonic::Streaming<pb::HoldAck>>) -> Upload {
    let text = |name| response.metadata().get(name)?.to_str().ok();
    let position = || {
        Some(StorePosition {
            id: text("store-id")?.to_owned(),
            sequence: text("store-sequence")?.parse().ok()?,
        })
    };
    Upload {
        store: position(),
        acks: response.into_inner().map(|ack| Ok(ack?.into())).boxed(),
    }
}
