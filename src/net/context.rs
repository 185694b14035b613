//! What the handlers of both protocols share.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::access::Access;
use super::administration::Administration;
use super::http::Sites;
use super::query_pool::QueryPool;
use super::request_id::RequestIds;
use crate::config::Limits;
use crate::engine::Engine;
use crate::telemetry::metrics::Metrics;

/// Shared by all connections; cloning it is cheap.
#[derive(Clone)]
pub(super) struct ServerContext {
    pub(super) engine: Arc<Engine>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) queries: QueryPool,
    pub(super) access: Access,
    /// What operates the pipelines, if the service has any.
    pub(super) administration: Option<Arc<dyn Administration>>,
    pub(super) request_ids: Arc<RequestIds>,
    pub(super) limits: Arc<Limits>,
    /// Which pages may call over HTTP, and by which names.
    pub(super) sites: Arc<Sites>,
    /// Cancelled when the server begins to shut down.
    pub(super) stop: CancellationToken,
}
