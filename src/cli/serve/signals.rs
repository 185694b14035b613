//! Signals that end the service, and the one that reads keys anew.

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::failure::Failure;

/// Caught from [`Signals::register`] on; none is lost between two waits.
#[cfg(unix)]
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

#[cfg(unix)]
impl Signals {
    /// Takes SIGINT, SIGTERM and SIGHUP away from their default.
    pub(super) fn register() -> Result<Self, Failure> {
        let caught = |kind| {
            signal(kind).map_err(|error| Failure::Other(format!("no signal handler ({error})")))
        };
        Ok(Self {
            interrupt: caught(SignalKind::interrupt())?,
            terminate: caught(SignalKind::terminate())?,
            hang_up: caught(SignalKind::hangup())?,
        })
    }

    /// Resolves at the next signal that asks to end; SIGHUP calls `reload` meanwhile.
    pub(super) async fn ended(&mut self, reload: impl Fn()) {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return,
                _ = self.terminate.recv() => return,
                _ = self.hang_up.recv() => reload(),
            }
        }
    }
}

/// Ctrl-C alone.
#[cfg(not(unix))]
pub(super) struct Signals;

#[cfg(not(unix))]
impl Signals {
    pub(super) fn register() -> Result<Self, Failure> {
        Ok(Self)
    }

    pub(super) async fn ended(&mut self, _reload: impl Fn()) {
        if tokio::signal::ctrl_c().await.is_err() {
            // Nothing can be caught: the system ends the process.
            std::future::pending().await
        }
    }
}
