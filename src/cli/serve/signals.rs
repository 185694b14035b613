//! Signals that end the service, and the one that reads certificates and keys anew.
//!
//! Who ends a group of processes often reaches each of them twice (`timeout`, a shell's job control):
//! a repeat within a moment is the same wish, and must not cut the end short.

#[cfg(unix)]
use std::time::Duration;

#[cfg(unix)]
use anyhow::Context;
#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};
#[cfg(unix)]
use tokio::time::Instant;

/// Signals closer to each other than this are one.
#[cfg(unix)]
const REPEAT_WITHIN: Duration = Duration::from_millis(250);

/// Caught from [`Signals::register`] on; none is lost between two waits.
#[cfg(unix)]
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
    /// When the last wish to end was told.
    told: Option<Instant>,
}

#[cfg(unix)]
impl Signals {
    /// Takes SIGINT, SIGTERM and SIGHUP away from their default.
    pub(super) fn register() -> anyhow::Result<Self> {
        let caught = |kind| signal(kind).context("a signal cannot be handled");
        Ok(Self {
            interrupt: caught(SignalKind::interrupt())?,
            terminate: caught(SignalKind::terminate())?,
            hang_up: caught(SignalKind::hangup())?,
            told: None,
        })
    }

    /// Resolves at the next signal that asks to end and is no repeat; SIGHUP calls `reload` meanwhile.
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
            if self.told.is_none_or(|told| told.elapsed() >= REPEAT_WITHIN) {
                self.told = Some(Instant::now());
                return;
            }
        }
    }
}

/// Ctrl-C alone.
#[cfg(not(unix))]
pub(super) struct Signals;

#[cfg(not(unix))]
impl Signals {
    pub(super) fn register() -> anyhow::Result<Self> {
        Ok(Self)
    }

    pub(super) async fn ended(&mut self, _reload: impl Fn()) {
        if tokio::signal::ctrl_c().await.is_err() {
            // Nothing can be caught: the system ends the process.
            std::future::pending().await
        }
    }
}
