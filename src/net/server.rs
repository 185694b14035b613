//! Both protocols over one accept loop, from the first connection to the last answer.
//!
//! What can be wrong is read before, see [`super::credentials`]; [`Server::run`] serves until the stop signal
//! and then waits, at most [`Settings::drain_wait_max`], for open calls to end.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

use super::access::Access;
use super::addresses::Addresses;
use super::connection::Manner;
use super::credentials::Credentials;
use super::house::House;
use super::listener::accept;
use super::questions::Questions;
use super::request_id::RequestIds;
use super::settings::Settings;
use super::{grpc, http};
use crate::engine::{Condition, Engine};
use crate::telemetry::metrics::Metrics;

/// How often changed files are looked for, and callers forgotten.
const REFRESH: Duration = Duration::from_secs(1);

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
    credentials: Credentials,
}

impl Server {
    /// Serves `engine` as `settings` say, with the `credentials` that were read from them.
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
        }
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
            access: Access::new(
                self.credentials.keys.clone(),
                &self.settings.keys.anonymous,
                &limits,
            ),
            request_ids: Arc::new(RequestIds::new()),
            limits: Arc::clone(&limits),
            cors_origins: self.settings.cors_origins.into(),
            stop: stop.clone(),
        };
        let (door, health) = grpc::door(&house);
        let router = http::router(&house);

        let halt = CancellationToken::new();
        let manner = |is_http2_only: bool| Manner {
            certificates: self.credentials.certificates.clone(),
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
            let manner = manner(true);
            let (permits, addresses) = (Arc::clone(&permits), Arc::clone(&addresses));
            let accepting = accept(socket, permits, addresses, tasks.clone(), manner, door);
            tasks.spawn(accepting);
        }
        if let Some(socket) = listeners.http {
            let manner = manner(false);
            let service = TowerToHyperService::new(router);
            let tracker = tasks.clone();
            let accepting = accept::<_, Body>(socket, permits, addresses, tracker, manner, service);
            tasks.spawn(accepting);
        }
        tasks.close();

        attend(&house, &self.credentials, &health).await;
        let drained = tokio::time::timeout(self.settings.drain_wait_max, tasks.wait()).await;
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
async fn attend(house: &House, credentials: &Credentials, health: &grpc::Health) {
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
        let (access, credentials) = (house.access.clone(), credentials.clone());
        // Files are read where waiting for a disk holds nobody up.
        let refreshed = tokio::task::spawn_blocking(move || {
            access.forget_callers();
            credentials.reload_if_changed();
        })
        .await;
        refreshed.unwrap_or_else(|error| warn!(%error, "Looking for changed files failed."));
    }
    health.set_serving(false).await;
}
