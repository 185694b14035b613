//! One connection: TLS handshake, requests, idle timeouts, graceful shutdown.
//!
//! Every wait for the client has a limit: the handshake, the headers, the next call, the reading of responses.
//! `activity` tells what the connection is waiting for. Requests are handled by the service that is passed in;
//! see `grpc` and `http`.

use std::future::{Future, pending};
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
use tracing::{debug, info};

use super::activity::{Activity, OpenCall, TrackedBody, Wait};
use super::answer_budget::{AnswerBudget, BodyBudget, Counted};
use super::byte_account::Account;
use super::certificates::Certificates;
use super::observed_io::ObservedIo;
use super::unparsed::UnparsedIo;
use crate::config::Limits;
use crate::error_line::error_line;
use crate::telemetry::metrics::Metrics;

/// HTTP/2 flow control: unread bytes of one call, and of all calls of a connection.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 4 << 20;
/// The smallest buffer that hyper accepts for HTTP/1 headers.
const HEADER_BUFFER_BYTES_MIN: usize = 8 << 10;
/// A request may have this many header lines, whatever their length.
pub(super) const HEADERS_MAX: usize = 100;
/// How long an idle connection may take to close after it was asked to.
const IDLE_CLOSE_MAX: Duration = Duration::from_secs(1);

/// One connection may have this part of the bytes of bodies that are read whole.
const BODIES_SHARE: usize = 4;

/// The address of the client; an extension of every request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) SocketAddr);

/// How the connections of one listener are served.
#[derive(Clone)]
pub(super) struct Mode {
    /// `None` serves without TLS.
    pub(super) certificates: Option<Arc<Certificates>>,
    /// Refuses HTTP/1, which gRPC does not use.
    pub(super) is_http2_only: bool,
    /// Limits and timeouts.
    pub(super) limits: Arc<Limits>,
    /// Counts connections.
    pub(super) metrics: Arc<Metrics>,
    /// What the answers of all connections may take.
    pub(super) answers: Arc<Account>,
    /// What the bodies of all connections may take that are read whole.
    pub(super) bodies: Arc<Account>,
    /// Shuts open connections down gracefully.
    pub(super) stop: CancellationToken,
    /// Closes them at once.
    pub(super) halt: CancellationToken,
}

/// Serves one connection until it ends.
pub(super) async fn serve<S, B>(stream: TcpStream, peer: SocketAddr, mode: Mode, service: S)
where
    S: Service<Request<Incoming>, Response = Response<B>> + Send + Sync + 'static,
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
    B: Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let _open = OpenConnection::count(&mode.metrics);
    // Small responses are sent at once; a failure only costs speed.
    let _ = stream.set_nodelay(true);
    let Some(certificates) = &mode.certificates else {
        return exchange(stream, peer, &mode, pending(), service).await;
    };
    let tls = certificates.acceptor(mode.is_http2_only);
    let handshake = tokio::time::timeout(mode.limits.handshake_wait_max, tls.accept(stream));
    let accepted = tokio::select! {
        accepted = handshake => accepted,
        () = mode.stop.cancelled() => return,
    };
    match accepted.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
        Ok(stream) => {
            let (_, session) = stream.get_ref();
            let chain = session.peer_certificates().unwrap_or_default().to_vec();
            let distrusted = certificates.distrusted(&chain);
            exchange(stream, peer, &mode, distrusted, service).await;
        }
        Err(error) => {
            mode.metrics.connection_refused("handshake");
            debug!(%peer, error = %error_line(&error), "A TLS handshake failed.");
        }
    }
}

/// Serves the requests of a connection until it ends, or until its client is `distrusted`.
async fn exchange<I, S, B>(
    stream: I,
    peer: SocketAddr,
    mode: &Mode,
    distrusted: impl Future<Output = ()>,
    service: S,
) where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>> + Send + Sync + 'static,
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
    B: Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let limits = &mode.limits;
    let activity = Arc::new(Activity::new());
    let bytes_max = limits.connection_answer_bytes_max;
    let budget = AnswerBudget::new(bytes_max, Arc::clone(&mode.answers));
    let bodies_max = (limits.bodies_bytes_max / BODIES_SHARE).max(limits.message_bytes_max);
    let bodies = BodyBudget(AnswerBudget::new(bodies_max, Arc::clone(&mode.bodies)));
    let service = {
        let (activity, budget) = (Arc::clone(&activity), budget.clone());
        service_fn(move |mut request: Request<Incoming>| {
            let call = OpenCall::begin(Arc::clone(&activity), request.version());
            request.extensions_mut().insert(Peer(peer));
            request.extensions_mut().insert(budget.clone());
            request.extensions_mut().insert(bodies.clone());
            let response = service.call(request);
            let budget = budget.clone();
            async move {
                let mut response = response.await?;
                let counted = response.extensions_mut().remove::<Counted>();
                Ok::<_, S::Error>(
                    response.map(|body| TrackedBody::new(body, call, counted, &budget)),
                )
            }
        })
    };
    let builder = builder(mode);
    let stream = UnparsedIo::new(stream, Arc::clone(&activity), limits.header_bytes_max);
    let stream = TokioIo::new(ObservedIo::new(stream, Arc::clone(&activity)));
    let mut connection = pin!(builder.serve_connection(stream, service));
    let mut distrusted = pin!(distrusted);
    // A wait that begins after this look lasts at least as long.
    let poll_after = limits
        .idle_wait_max
        .min(limits.header_wait_max)
        .min(limits.unread_wait_max);
    let mut is_closing = false;
    loop {
        let pause = match activity.wait(limits, budget.is_scarce()) {
            Some((_, left)) if left.is_zero() => IDLE_CLOSE_MAX,
            Some((_, left)) => left.min(poll_after),
            None => poll_after,
        };
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    debug!(%peer, error = %error_line(&*error), "A connection failed.");
                }
                return;
            }
            () = mode.halt.cancelled() => return,
            () = distrusted.as_mut() => {
                info!(%peer, "Closed a connection: no authority accepts its client any more.");
                return;
            }
            () = mode.stop.cancelled(), if !is_closing => {
                is_closing = true;
                connection.as_mut().graceful_shutdown();
            }
            () = tokio::time::sleep(pause) => {
                let wait = activity.wait(limits, budget.is_scarce());
                let Some((wait, _)) = wait.filter(|(_, left)| left.is_zero()) else {
                    continue;
                };
                match wait {
                    Wait::Idle if !is_closing => {
                        is_closing = true;
                        connection.as_mut().graceful_shutdown();
                        continue;
                    }
                    Wait::First => mode.metrics.connection_refused("silent"),
                    Wait::Headers | Wait::Reading | Wait::Idle => {}
                }
                debug!(%peer, ?wait, "Closed a connection: its client took too long.");
                return;
            }
        }
    }
}

fn builder(mode: &Mode) -> Builder<TokioExecutor> {
    let limits = &mode.limits;
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        // Hyper's timeout would also run between two requests; `activity` times headers alone.
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
    if mode.is_http2_only {
        builder.http2_only()
    } else {
        builder
    }
}

/// Counts a connection as open until it is dropped.
struct OpenConnection(IntGauge);

impl OpenConnection {
    fn count(metrics: &Metrics) -> Self {
        metrics.connections.inc();
        Self(metrics.connections.clone())
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// A boxed future that owns its data and may move between threads.
pub(super) type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;
