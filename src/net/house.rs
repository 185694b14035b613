//! What every call of both protocols has at hand.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::access::Access;
use super::questions::Questions;
use super::request_id::RequestIds;
use crate::config::Limits;
use crate::engine::Engine;
use crate::telemetry::metrics::Metrics;

/// Shared by all connections.
#[derive(Clone)]
pub(super) struct House {
    pub(super) engine: Arc<Engine>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) questions: Questions,
    pub(super) access: Access,
    pub(super) request_ids: Arc<RequestIds>,
    pub(super) limits: Arc<Limits>,
    pub(super) cors_origins: Arc<[String]>,
    /// Fires when the server begins to end.
    pub(super) stop: CancellationToken,
}
