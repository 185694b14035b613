//! What ends `send` and `load` early and in order: Ctrl-C, and where there is one, SIGTERM.
//!
//! Both mean the same and end with 130, after what was done is written down. The service has more
//! signals of its own; see `serve`.

/// Resolves once somebody wants this process to end; never where no signal can be caught, for then
/// the system ends it.
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

/// Resolves once somebody presses Ctrl-C.
#[cfg(not(unix))]
pub(super) async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}
