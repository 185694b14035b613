//! One connection from its first byte to its last: handshake, requests, idleness, graceful end.
//!
//! Every wait for a caller is bounded here: the handshake, the headers, the next call, the taking of answers.
//! `activity` says what is waited for. What a request means is decided by the service that is handed in; see
//! `grpc` and `http`.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use axum::http::{Request, Response};
use bytes::Bytes;
use hyper::body::{Body, Incoming};
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use prometheus::IntGauge;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::activity::{Activity, Call, Held, Wait};
use super::certificates::Certificates;
use super::watched::Watched;
use crate::config::Limits;
use crate::error_line::error_line;
use crate::telemetry::metrics::Metrics;

/// Bytes of one call, and of all calls of a connection, that may be on their way unread.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 4 << 20;
/// The least that hyper reads HTTP/1 headers into.
const HEADER_BUFFER_BYTES_MIN: usize = 8 << 10;
/// More header lines than that are refused, whatever their length.
const HEADERS_MAX: usize = 100;
/// An idle connection that was told of its end has so long to take leave.
const FAREWELL: Duration = Duration::from_secs(1);

/// Who is on the other end; every request carries it as an extension.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) SocketAddr);

/// How connections of one address are spoken with.
#[derive(Clone)]
pub(super) struct Manner {
    /// `None` in the clear.
    pub(super) certificates: Option<Arc<Certificates>>,
    /// Whether HTTP/1 is refused, as gRPC asks.
    pub(super) is_http2_only: bool,
    /// The bounds.
    pub(super) limits: Arc<Limits>,
    /// Counts connections.
    pub(super) metrics: Arc<Metrics>,
    /// Ends open connections gracefully.
    pub(super) stop: CancellationToken,
    /// Ends them at once.
    pub(super) halt: CancellationToken,
}

/// Serves one connection until it ends.
pub(super) async fn serve<S, B>(stream: TcpStream, peer: SocketAddr, manner: Manner, service: S)
where
    S: Service<Request<Incoming>, Response = Response<B>> + Send + Sync + 'static,
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
    B: Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let _open = Open::begin(&manner.metrics);
    // Small answers leave at once; a failure only costs speed.
    let _ = stream.set_nodelay(true);
    let Some(certificates) = &manner.certificates else {
        return exchange(stream, peer, &manner, service).await;
    };
    let tls = certificates.acceptor(manner.is_http2_only);
    let handshake = tokio::time::timeout(manner.limits.handshake_wait_max, tls.accept(stream));
    let shaken = tokio::select! {
        shaken = handshake => shaken,
        () = manner.stop.cancelled() => return,
    };
    match shaken.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
        Ok(stream) => exchange(stream, peer, &manner, service).await,
        Err(error) => {
            manner.metrics.connection_refused("handshake");
            debug!(%peer, error = %error_line(&error), "A TLS handshake failed.");
        }
    }
}

async fn exchange<I, S, B>(stream: I, peer: SocketAddr, manner: &Manner, service: S)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>> + Send + Sync + 'static,
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
    B: Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let limits = &manner.limits;
    let activity = Arc::new(Activity::new());
    let service = {
        let activity = Arc::clone(&activity);
        service_fn(move |mut request: Request<Incoming>| {
            let call = Call::begin(Arc::clone(&activity), request.version());
            request.extensions_mut().insert(Peer(peer));
            let answer = service.call(request);
            async move {
                let answer = answer.await?;
                Ok::<_, S::Error>(answer.map(|body| Held::new(body, call)))
            }
        })
    };
    let builder = builder(manner);
    let stream = TokioIo::new(Watched::new(stream, Arc::clone(&activity)));
    let mut connection = pin!(builder.serve_connection(stream, service));
    // Whatever begins to be waited for meanwhile may last longer than this.
    let look_again = limits.idle_wait_max.min(limits.header_wait_max);
    let mut is_ending = false;
    loop {
        let rest = match activity.wait(limits) {
            Some((_, left)) if left.is_zero() => FAREWELL,
            Some((_, left)) => left.min(look_again),
            None => look_again,
        };
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    debug!(%peer, error = %error_line(&*error), "A connection broke.");
                }
                return;
            }
            () = manner.halt.cancelled() => return,
            () = manner.stop.cancelled(), if !is_ending => {
                is_ending = true;
                connection.as_mut().graceful_shutdown();
            }
            () = tokio::time::sleep(rest) => {
                let Some((wait, _)) = activity.wait(limits).filter(|(_, left)| left.is_zero())
                else {
                    continue;
                };
                match wait {
                    Wait::Idle if !is_ending => {
                        is_ending = true;
                        connection.as_mut().graceful_shutdown();
                        continue;
                    }
                    Wait::First => manner.metrics.connection_refused("silent"),
                    Wait::Head | Wait::Taking | Wait::Idle => {}
                }
                debug!(%peer, ?wait, "A connection was closed: its caller was waited for too long.");
                return;
            }
        }
    }
}

fn builder(manner: &Manner) -> Builder<TokioExecutor> {
    let limits = &manner.limits;
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        // It would also run between two requests; headers are timed by `activity`.
        .header_read_timeout(None)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEADER_BUFFER_BYTES_MIN.max(limits.header_bytes_max as usize));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams_per_connection_max)
        .max_header_list_size(limits.header_bytes_max)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .keep_alive_interval(limits.ping_interval)
        .keep_alive_timeout(limits.ping_wait_max);
    if manner.is_http2_only {
        builder.http2_only()
    } else {
        builder
    }
}

/// A connection that is counted as open.
struct Open(IntGauge);

impl Open {
    fn begin(metrics: &Metrics) -> Self {
        metrics.connections.inc();
        Self(metrics.connections.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// A future that is sent to another thread and owns what it needs.
pub(super) type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;
