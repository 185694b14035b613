//! The signals that stop the service, and SIGHUP, which reloads certificates and keys.
//!
//! `timeout` and the job control of shells often deliver a signal twice, to the process and to its group:
//! a repeat within a moment counts as the same signal, so that it does not cut the shutdown short.

#[cfg(unix)]
use std::time::Duration;

#[cfg(unix)]
use anyhow::Context;
#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};
#[cfg(unix)]
use tokio::time::Instant;

/// Signals closer together than this count as one.
#[cfg(unix)]
const REPEAT_WITHIN: Duration = Duration::from_millis(250);

/// Handled from [`Signals::register`] on; none is lost between two waits.
#[cfg(unix)]
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
    /// When the last signal to stop was reported.
    reported: Option<Instant>,
}

#[cfg(unix)]
impl Signals {
    /// Replaces the default action of SIGINT, SIGTERM and SIGHUP.
    pub(super) fn register() -> anyhow::Result<Self> {
        let caught = |kind| signal(kind).context("a signal cannot be handled");
        Ok(Self {
            interrupt: caught(SignalKind::interrupt())?,
            terminate: caught(SignalKind::terminate())?,
            hang_up: caught(SignalKind::hangup())?,
            reported: None,
        })
    }

    /// Resolves at the next SIGINT or SIGTERM that is not a repeat; calls `reload` at each SIGHUP before.
    pub(super) async fn ended(&mut self, reload: impl Fn()) {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => {}
                _ = self.terminate.recv() => {}
                _ = self.hang_up.recv() => {
                    reload();
                    continue;
                }
            }
            if self
                .reported
                .is_none_or(|reported| reported.elapsed() >= REPEAT_WITHIN)
            {
                self.reported = Some(Instant::now());
                return;
            }
        }
    }
}

/// Only Ctrl-C.
#[cfg(not(unix))]
pub(super) struct Signals;

#[cfg(not(unix))]
impl Signals {
    pub(super) fn register() -> anyhow::Result<Self> {
        Ok(Self)
    }

    pub(super) async fn ended(&mut self, _reload: impl Fn()) {
        if tokio::signal::ctrl_c().await.is_err() {
            // No handler can be installed: the system ends the process.
            std::future::pending().await
        }
    }
}
