//! The signals that end `send`, `feed` and `load` early: Ctrl-C, SIGTERM on Unix, and Ctrl-Break on Windows.
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

/// Resolves at the first Ctrl-C or Ctrl-Break, or at the end of the console.
#[cfg(windows)]
pub(super) async fn interrupted() {
    use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close};
    let (Ok(mut interrupt), Ok(mut broken), Ok(mut closed)) =
        (ctrl_c(), ctrl_break(), ctrl_close())
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = broken.recv() => {}
        _ = closed.recv() => {}
    }
}
