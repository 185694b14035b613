//! The end of the service: in order, within nine seconds, and at once on a second signal.
//!
//! Whatever is cut short, nothing acknowledged is lost: it was on disk before its acknowledgement
//! left. What is not finished here (the state) costs the next start time, no data.

use std::process;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::signals::Signals;
use crate::engine::Engine;
use crate::telemetry::Otlp;

/// From the signal to the end, one second less than `docker stop` waits.
const END_WITHIN: Duration = Duration::from_secs(9);
/// Of that, what is kept for the last spans and figures.
const TELEMETRY_WAIT_MAX: Duration = Duration::from_secs(1);
/// Reads go on and `/readyz` fails for this long after the journal has failed, so that whoever
/// sends traffic here sees it before the process ends.
const POISONED_WAIT: Duration = Duration::from_secs(2);
/// Ended by a second signal, as a shell counts SIGINT.
const INTERRUPTED: i32 = 130;

/// What is to be ended.
pub(super) struct Ending {
    stop: CancellationToken,
    engine: Arc<Engine>,
    otlp: Option<Otlp>,
}

impl Ending {
    pub(super) fn new(stop: CancellationToken, engine: Arc<Engine>, otlp: Option<Otlp>) -> Self {
        Self { stop, engine, otlp }
    }

    /// Leaves time to see what the engine has logged; a signal shortens that.
    pub(super) async fn poisoned(&self, reason: Arc<str>, signals: &mut Signals) -> Arc<str> {
        info!(wait = ?POISONED_WAIT, "Ending, because the journal failed.");
        let _ = timeout(POISONED_WAIT, signals.ended(|| ())).await;
        reason
    }

    /// Stops accepting, waits for acknowledgements under way, writes the state, sends telemetry.
    pub(super) async fn finish(
        self,
        serving: JoinHandle<()>,
        mut signals: Signals,
    ) -> anyhow::Result<()> {
        let deadline = Instant::now() + END_WITHIN;
        tokio::spawn(async move {
            signals.ended(|| ()).await;
            eprintln!("a second signal: ending at once; all that was acknowledged is on disk");
            process::exit(INTERRUPTED);
        });
        self.stop.cancel();
        let engine = self.engine;
        let closed = async {
            // Whoever serves ends by itself, and closes what does not.
            let served = serving.await;
            let closed = tokio::task::spawn_blocking(move || engine.close()).await;
            served.and(closed)
        };
        let is_closed = match timeout_at(deadline - TELEMETRY_WAIT_MAX, closed).await {
            Ok(Ok(())) => true,
            Ok(Err(panic)) => {
                error!(%panic, "A part of the service broke while it ended.");
                false
            }
            Err(_) => {
                warn!("Not all of the state was written in time: the next start replays more.");
                true
            }
        };
        if let Some(otlp) = self.otlp {
            otlp.finish(TELEMETRY_WAIT_MAX).await;
        }
        if !is_closed {
            bail!("the service did not end cleanly");
        }
        info!("Stopped.");
        Ok(())
    }
}
