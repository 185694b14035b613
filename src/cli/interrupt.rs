//! The signals that end `send`, `feed` and `load` early: Ctrl-C, and SIGTERM on Unix.
//!
//! They end the run with 130 after its progress is saved. `serve` handles more signals itself; see its
//! `signals`.

/// Resolves at the first SIGINT or SIGTERM; never if no handler can be installed, because then the
/// system ends the process.
#[cfg(unix)]
pub(super) async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let interrupt = signal(SignalKind::interrupt());
    let terminate = signal(SignalKind::terminate());
    let (Ok(mut interrupt), Ok(mut terminate)) = (interrupt, terminate) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

/// Resolves at Ctrl-C.
#[cfg(not(unix))]
pub(super) async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}
