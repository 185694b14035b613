//! Serves both protocols, from the first connection to the last response.
//!
//! Files are read and checked before, see [`super::credentials`]. [`Server::run`] serves until the stop signal
//! and then waits, at most [`Settings::drain_wait_max`], for open calls to end.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use super::access::Access;
use super::address_limit::AddressLimit;
use super::administration::Administration;
use super::byte_account::Account;
use super::connection::Mode;
use super::context::ServerContext;
use super::credentials::Credentials;
use super::listener::accept;
use super::query_pool::QueryPool;
use super::request_id::RequestIds;
use super::settings::Settings;
use super::{grpc, http};
use crate::engine::{Condition, Engine};
use crate::telemetry::metrics::Metrics;

/// How often changed files are looked for and idle callers are dropped from the rate limiter.
const REFRESH: Duration = Duration::from_secs(1);
/// How often the condition of the engine is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// Bound sockets; a protocol without a socket is not served.
#[derive(Debug, Default)]
pub struct Listeners {
    /// For gRPC.
    pub grpc: Option<TcpListener>,
    /// For HTTP/1.1 and HTTP/2.
    pub http: Option<TcpListener>,
}

/// Serves an engine to the network.
///
/// A server on a free port, and a client that sends it an event:
/// ```
/// use std::sync::Arc;
///
/// use poh_holdmetrics_rust::client::{Client, Message, Target};
/// use poh_holdmetrics_rust::core::{Draft, Micros};
/// use poh_holdmetrics_rust::engine::{Engine, Options, SystemClock};
/// use poh_holdmetrics_rust::net::{Credentials, Listeners, Server, Settings};
/// use poh_holdmetrics_rust::telemetry::Metrics;
/// use tokio::net::TcpListener;
/// use tokio_util::sync::CancellationToken;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let metrics = Arc::new(Metrics::new("0.1.0", ""));
/// let settings = Settings::default();
/// let credentials = Credentials::read(&settings, &metrics)?;
/// let engine = Arc::new(Engine::open(Options::in_memory(), Arc::new(SystemClock))?);
/// let server = Server::new(Arc::clone(&engine), settings, credentials, metrics);
/// let socket = TcpListener::bind("127.0.0.1:0").await?;
/// let url = format!("http://{}", socket.local_addr()?);
/// let listeners = Listeners { grpc: Some(socket), http: None };
/// let stop = CancellationToken::new();
/// let serving = tokio::spawn(server.run(listeners, stop.clone()));
///
/// let mut client = Client::connect(&Target { url, ..Target::default() }).await?;
/// let draft = Draft {
///     token_id: "gold",
///     holder_id: "ann",
///     start: Some(Micros::new(0)?),
///     ..Draft::default()
/// };
/// let ack = client.record(Message::from(&draft.check()?)).await?;
/// assert_eq!((ack.sequence, ack.is_durable), (1, false), "this engine is in memory");
///
/// drop(client);
/// stop.cancel();
/// serving.await?;
/// # Ok(())
/// # }
/// ```
pub struct Server {
    engine: Arc<Engine>,
    metrics: Arc<Metrics>,
    settings: Settings,
    credentials: Credentials,
    administration: Option<Arc<dyn Administration>>,
}

impl Server {
    /// A server of `engine` with the `credentials` that were read as `settings` say.
    #[must_use]
    pub fn new(
        engine: Arc<Engine>,
        settings: Settings,
        credentials: Credentials,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            engine,
            metrics,
            settings,
            credentials,
            administration: None,
        }
    }

    /// Answers `/admin/*` with `administration`; without it these routes say that there are no pipelines.
    #[must_use]
    pub fn administered_by(self, administration: Arc<dyn Administration>) -> Self {
        Self {
            administration: Some(administration),
            ..self
        }
    }

    /// Serves until `stop`. Then it accepts no connections and reads no events any more, acknowledges the events
    /// that were read, and returns when every connection is closed or the drain time is over.
    pub async fn run(self, listeners: Listeners, stop: CancellationToken) {
        let sites = http::Sites::new(&self.settings);
        let limits = Arc::new(self.settings.limits);
        let context = ServerContext {
            engine: Arc::clone(&self.engine),
            metrics: Arc::clone(&self.metrics),
            queries: QueryPool::new(
                Arc::clone(&self.engine),
                Arc::clone(&self.metrics),
                limits.request_wait_max,
            ),
            access: Access::new(
                self.credentials.keys.clone(),
                &self.settings.keys.anonymous,
                &limits,
            ),
            administration: self.administration,
            request_ids: Arc::new(RequestIds::new()),
            limits: Arc::clone(&limits),
            sites: Arc::new(sites),
            stop: stop.clone(),
        };
        let (dispatcher, health) = grpc::dispatcher(&context);
        let router = http::router(&context);

        let halt = CancellationToken::new();
        let answers = Account::new(limits.answer_bytes_max);
        let bodies = Account::new(limits.bodies_bytes_max.max(limits.message_bytes_max));
        let mode = |is_http2_only: bool| Mode {
            certificates: self.credentials.certificates.clone(),
            is_http2_only,
            limits: Arc::clone(&limits),
            metrics: Arc::clone(&self.metrics),
            answers: Arc::clone(&answers),
            bodies: Arc::clone(&bodies),
            stop: stop.clone(),
            halt: halt.clone(),
        };
        let permits = Arc::new(Semaphore::new(limits.connections_max));
        let addresses = Arc::new(AddressLimit::new(limits.connections_per_address_max));
        let tasks = TaskTracker::new();
        if let Some(socket) = listeners.grpc {
            let mode = mode(true);
            let (permits, addresses) = (Arc::clone(&permits), Arc::clone(&addresses));
            let accepting = accept(socket, permits, addresses, tasks.clone(), mode, dispatcher);
            tasks.spawn(accepting);
        }
        if let Some(socket) = listeners.http {
            let mode = mode(false);
            let service = TowerToHyperService::new(router);
            let tracker = tasks.clone();
            let accepting = accept::<_, Body>(socket, permits, addresses, tracker, mode, service);
            tasks.spawn(accepting);
        }
        tasks.close();

        maintain(&context, &self.credentials, &health).await;
        let drained = tokio::time::timeout(self.settings.drain_wait_max, tasks.wait()).await;
        if drained.is_err() {
            warn!(
                connections = tasks.len(),
                "Closing connections that did not end within the drain time."
            );
            halt.cancel();
            tasks.wait().await;
        }
    }
}

/// Reloads changed files and updates the reported health until the stop signal. Neither waits for the other: a disk that
/// does not answer must be reported, too.
async fn maintain(context: &ServerContext, credentials: &Credentials, health: &grpc::Health) {
    tokio::join!(
        report_health(context, health),
        refresh_files(context, credentials)
    );
}

/// Updates the reported health until the stop signal, and logs what stands still.
async fn report_health(context: &ServerContext, health: &grpc::Health) {
    let mut ticks = tokio::time::interval(LOOK);
    let mut reported = None;
    let mut stalled = None;
    loop {
        let condition = context.engine.condition();
        let takes_events = match condition {
            Condition::Ready | Condition::DiskFull => true,
            Condition::Stalled(_) | Condition::Poisoned(_) | Condition::Closing => false,
        };
        let stall = match condition {
            Condition::Stalled(stall) => Some(stall),
            Condition::Ready
            | Condition::DiskFull
            | Condition::Poisoned(_)
            | Condition::Closing => None,
        };
        if let Some(before) = std::mem::replace(&mut stalled, stall).filter(|_| stall.is_none()) {
            info!(code = before.code(), "What stood still goes on.");
        } else if let Some(stall) = stall.filter(|_| reported != Some(false)) {
            warn!(code = stall.code(), "Not ready: {stall}.");
        }
        // Only a change is reported: each report is sent to every watcher.
        if reported.replace(takes_events) != Some(takes_events) {
            health.set_serving(takes_events).await;
        }
        tokio::select! {
            () = context.stop.cancelled() => break,
            _ = context.engine.poisoned(), if takes_events => {}
            _ = ticks.tick() => {}
        }
    }
    health.set_serving(false).await;
}

/// Reloads changed files until the stop signal.
async fn refresh_files(context: &ServerContext, credentials: &Credentials) {
    let mut ticks = tokio::time::interval(REFRESH);
    loop {
        tokio::select! {
            () = context.stop.cancelled() => break,
            _ = ticks.tick() => {}
        }
        context.engine.release_pages();
        let (access, credentials) = (context.access.clone(), credentials.clone());
        // File reads block, so they run outside of the runtime's workers.
        let refreshed = tokio::task::spawn_blocking(move || {
            access.forget_callers();
            credentials.reload_if_changed();
        });
        // A disk that does not answer must not hold the shutdown up.
        tokio::select! {
            () = context.stop.cancelled() => break,
            refreshed = refreshed => {
                refreshed.unwrap_or_else(|error| warn!(%error, "Cannot look for changed files."));
            }
        }
    }
}
