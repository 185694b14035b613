//! The shutdown of the service: in order, within nine seconds, and at once on a second signal.
//!
//! A shutdown that is cut short loses nothing acknowledged, which was on disk before its acknowledgement
//! was sent. A state that is not fully written costs time at the next start, no data.

use std::process;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::pipelines::Pipelines;
use super::signals::{Request, Signals};
use crate::cli::exit::INTERRUPTED;
use crate::engine::Engine;
use crate::telemetry::Otlp;

/// Time for the whole shutdown: one second less than `docker stop` waits.
const SHUTDOWN_MAX: Duration = Duration::from_secs(9);
/// The part of it that is reserved for the last spans and metrics.
const TELEMETRY_WAIT_MAX: Duration = Duration::from_secs(1);
/// The part of it that is reserved for the last write of the state.
const CLOSE_WAIT: Duration = Duration::from_secs(1);
/// How long reads are still served and `/readyz` fails after the journal has failed, so that load
/// balancers notice before the process ends.
const POISONED_WAIT: Duration = Duration::from_secs(2);

/// The parts that are shut down.
pub(super) struct Shutdown {
    stop: CancellationToken,
    engine: Arc<Engine>,
    pipelines: Pipelines,
    otlp: Option<Otlp>,
}

impl Shutdown {
    pub(super) fn new(
        stop: CancellationToken,
        engine: Arc<Engine>,
        pipelines: Pipelines,
        otlp: Option<Otlp>,
    ) -> Self {
        Self {
            stop,
            engine,
            pipelines,
            otlp,
        }
    }

    /// Waits a moment after the journal has failed; a signal ends the wait.
    pub(super) async fn poisoned(&self, reason: Arc<str>, signals: &mut Signals) -> Arc<str> {
        info!(wait = ?POISONED_WAIT, "Stopping, because the journal failed.");
        let _ = timeout(POISONED_WAIT, signals.ended(Request::ignore)).await;
        reason
    }

    /// Stops accepting calls, waits for the open ones, then for what pipelines have begun; writes the state, sends
    /// telemetry.
    pub(super) async fn finish(
        self,
        serving: JoinHandle<()>,
        mut signals: Signals,
    ) -> anyhow::Result<()> {
        let deadline = Instant::now() + SHUTDOWN_MAX;
        tokio::spawn(async move {
            signals.ended(Request::ignore).await;
            eprintln!("a second signal: stopping at once; everything acknowledged is on disk");
            process::exit(INTERRUPTED.into());
        });
        self.stop.cancel();
        let engine = self.engine;
        let closed = async {
            // The servers drain their connections and close those that do not end in time.
            let served = serving.await;
            // After the last call, which a pipeline may have to check, and before the engine, to which handlers
            // submit what they emit.
            self.pipelines
                .stop(deadline - TELEMETRY_WAIT_MAX - CLOSE_WAIT)
                .await;
            let closed = tokio::task::spawn_blocking(move || engine.close()).await;
            served.and(closed)
        };
        let is_closed = match timeout_at(deadline - TELEMETRY_WAIT_MAX, closed).await {
            Ok(Ok(())) => true,
            Ok(Err(panic)) => {
                error!(%panic, "A task of the service panicked during the shutdown.");
                false
            }
            Err(_) => {
                warn!(
                    "The state was not fully written in time: the next start replays more of the journal."
                );
                true
            }
        };
        if let Some(otlp) = self.otlp {
            otlp.finish(TELEMETRY_WAIT_MAX).await;
        }
        if !is_closed {
            bail!("the service did not stop cleanly");
        }
        info!("Stopped.");
        Ok(())
    }
}
