//! Both protocols over one accept loop, from the first connection to the last answer.
//!
//! [`Server::new`] reads what can be wrong before a socket is bound; [`Server::run`] serves until the stop
//! signal and then waits, at most [`Settings::drain_max`], for open calls to end.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

use super::access::Access;
use super::addresses::Addresses;
use super::connection::Manner;
use super::house::House;
use super::key_ring::KeyRing;
use super::keys::KeyFileError;
use super::listener::accept;
use super::questions::Questions;
use super::request_id::RequestIds;
use super::settings::Settings;
use super::tls::{TlsError, server_config};
use super::{grpc, http};
use crate::engine::{Condition, Engine};
use crate::telemetry::metrics::Metrics;

/// How often changed files are looked for, and callers forgotten.
const REFRESH: Duration = Duration::from_secs(1);

/// Why the service cannot be served, in one sentence that names the file.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The certificates.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The API keys.
    #[error(transparent)]
    Keys(#[from] KeyFileError),
}

/// Bound sockets; a protocol without one is not served.
#[derive(Debug, Default)]
pub struct Listeners {
    /// For gRPC.
    pub grpc: Option<TcpListener>,
    /// For HTTP/1.1 and HTTP/2.
    pub http: Option<TcpListener>,
}

/// Serves an engine to the network.
pub struct Server {
    engine: Arc<Engine>,
    metrics: Arc<Metrics>,
    settings: Settings,
    tls: Option<(TlsAcceptor, TlsAcceptor)>,
    keys: Option<Arc<KeyRing>>,
}

impl Server {
    /// Serves `engine` as `settings` say.
    ///
    /// # Errors
    /// Where certificates or keys cannot be used.
    pub fn new(
        engine: Arc<Engine>,
        settings: Settings,
        metrics: Arc<Metrics>,
    ) -> Result<Self, ServeError> {
        let tls = match &settings.tls {
            None => None,
            Some(tls) => Some((
                server_config(tls, &[b"h2"])?.into(),
                server_config(tls, &[b"h2", b"http/1.1"])?.into(),
            )),
        };
        let keys = match &settings.api_keys {
            None => None,
            Some(file) => Some(Arc::new(KeyRing::open(file, Arc::clone(&metrics))?)),
        };
        Ok(Self {
            engine,
            metrics,
            settings,
            tls,
            keys,
        })
    }

    /// The keys in force, for who wants them to be read again; `None` where there are none.
    #[must_use]
    pub fn keys(&self) -> Option<Arc<KeyRing>> {
        self.keys.clone()
    }

    /// Serves until `stop`, then ends: accepts nothing more, reads no further events, acknowledges those that
    /// were read, and returns once every connection is closed or the drain time is over.
    pub async fn run(self, listeners: Listeners, stop: CancellationToken) {
        let limits = Arc::new(self.settings.limits);
        let house = House {
            engine: Arc::clone(&self.engine),
            metrics: Arc::clone(&self.metrics),
            questions: Questions::new(
                Arc::clone(&self.engine),
                Arc::clone(&self.metrics),
                limits.request_wait_max,
            ),
            access: Access::new(self.keys, &limits),
            request_ids: Arc::new(RequestIds::new()),
            limits: Arc::clone(&limits),
            cors_origins: self.settings.cors_origins.into(),
            stop: stop.clone(),
        };
        let (door, health) = grpc::door(&house);
        let router = http::router(&house);

        let halt = CancellationToken::new();
        let (grpc_tls, http_tls) = self.tls.unzip();
        let manner = |tls: Option<TlsAcceptor>, is_http2_only: bool| Manner {
            tls,
            is_http2_only,
            limits: Arc::clone(&limits),
            metrics: Arc::clone(&self.metrics),
            stop: stop.clone(),
            halt: halt.clone(),
        };
        let permits = Arc::new(Semaphore::new(limits.connections_max));
        let addresses = Arc::new(Addresses::new(limits.connections_per_address_max));
        let tasks = TaskTracker::new();
        if let Some(socket) = listeners.grpc {
            let manner = manner(grpc_tls, true);
            let (permits, addresses) = (Arc::clone(&permits), Arc::clone(&addresses));
            let accepting = accept(socket, permits, addresses, tasks.clone(), manner, door);
            tasks.spawn(accepting);
        }
        if let Some(socket) = listeners.http {
            let manner = manner(http_tls, false);
            let service = TowerToHyperService::new(router);
            let tracker = tasks.clone();
            let accepting = accept::<_, Body>(socket, permits, addresses, tracker, manner, service);
            tasks.spawn(accepting);
        }
        tasks.close();

        attend(&house, &health).await;
        let drained = tokio::time::timeout(self.settings.drain_max, tasks.wait()).await;
        if drained.is_err() {
            warn!(
                connections = tasks.len(),
                "Closing connections that did not end in time."
            );
            halt.cancel();
            tasks.wait().await;
        }
    }
}

/// Looks after files, callers and the reported health until the stop signal.
async fn attend(house: &House, health: &grpc::Health) {
    let mut ticks = tokio::time::interval(REFRESH);
    let mut told = None;
    loop {
        let takes_events = match house.engine.condition() {
            Condition::Ready | Condition::DiskFull => true,
            Condition::Poisoned(_) | Condition::Closing => false,
        };
        // Those who watch the health are told of changes alone.
        if told.replace(takes_events) != Some(takes_events) {
            health.set_serving(takes_events).await;
        }
        tokio::select! {
            () = house.stop.cancelled() => break,
            _ = house.engine.poisoned(), if takes_events => continue,
            _ = ticks.tick() => {}
        }
        let access = house.access.clone();
        // Files are read where waiting for a disk holds nobody up.
        let refreshed = tokio::task::spawn_blocking(move || access.refresh()).await;
        refreshed.unwrap_or_else(|error| warn!(%error, "Looking for changed files failed."));
    }
    health.set_serving(false).await;
}
