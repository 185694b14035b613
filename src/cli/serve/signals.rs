//! The signals that stop the service, those that ask it for something, and those that mean nothing to it.
//!
//! `timeout` and the job control of shells often deliver a signal twice, to the process and to its group:
//! a repeat within a moment counts as the same signal, so that it does not cut the shutdown short.
//! On Windows they are the events of the console and the requests of the service manager.

use std::time::Duration;

use anyhow::Context;
#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;
use tracing::warn;

#[cfg(windows)]
use super::service;

/// Signals closer together than this count as one.
const REPEAT_WITHIN: Duration = Duration::from_millis(250);

/// Handled from [`Signals::register`] on; none is lost between two waits.
pub(super) struct Signals {
    sources: Sources,
    /// When the last signal to stop was reported.
    reported: Option<Instant>,
}

/// What a signal asks for.
enum Asked {
    Stop,
    Request(Request),
}

/// What a signal asks of a service that goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// SIGHUP: read certificates, keys, pipelines and policies again.
    Reload,
    /// SIGUSR1: write the stacks of Python for `py stack`.
    #[cfg(unix)]
    StacksForReader,
    /// SIGUSR2: write them to standard error.
    #[cfg(unix)]
    StacksForLog,
}

impl Request {
    /// Logs that nothing was done.
    pub(super) fn ignore(self) {
        ignored(match self {
            Self::Reload => "SIGHUP",
            #[cfg(unix)]
            Self::StacksForReader => "SIGUSR1",
            #[cfg(unix)]
            Self::StacksForLog => "SIGUSR2",
        });
    }
}

fn ignored(signal: &str) {
    warn!(
        signal,
        "Ignored a signal: SIGTERM stops the service, SIGHUP reloads its files."
    );
}

impl Signals {
    /// Replaces the default actions.
    pub(super) fn register() -> anyhow::Result<Self> {
        Ok(Self {
            sources: Sources::register().context("a signal cannot be handled")?,
            reported: None,
        })
    }

    /// Resolves at the next signal to stop that is not a repeat; passes on each other request before.
    pub(super) async fn ended(&mut self, request: impl Fn(Request)) {
        loop {
            match self.sources.next().await {
                Asked::Request(asked) => request(asked),
                Asked::Stop => {
                    let before = self.reported;
                    if before.is_none_or(|reported| reported.elapsed() >= REPEAT_WITHIN) {
                        self.reported = Some(Instant::now());
                        return;
                    }
                }
            }
        }
    }
}

/// The same number on Linux, macOS and the BSDs.
#[cfg(unix)]
const SIGXCPU: i32 = 24;
/// As above.
#[cfg(unix)]
const SIGXFSZ: i32 = 25;

/// All signals that end a process unless they are handled.
#[cfg(unix)]
struct Sources {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
    quit: Signal,
    /// The process has used the time of processors that it may use, and the system ends it soon.
    processor_time: Signal,
    user1: Signal,
    user2: Signal,
    alarm: Signal,
    /// A write was refused because the file may not be longer. It fails as on a full disk, and that is reported.
    _file_size: Signal,
}

#[cfg(unix)]
impl Sources {
    fn register() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            quit: signal(SignalKind::quit())?,
            processor_time: signal(SignalKind::from_raw(SIGXCPU))?,
            user1: signal(SignalKind::user_defined1())?,
            user2: signal(SignalKind::user_defined2())?,
            alarm: signal(SignalKind::alarm())?,
            _file_size: signal(SignalKind::from_raw(SIGXFSZ))?,
        })
    }

    async fn next(&mut self) -> Asked {
        loop {
            let signal = tokio::select! {
                _ = self.interrupt.recv() => return Asked::Stop,
                _ = self.terminate.recv() => return Asked::Stop,
                _ = self.quit.recv() => return Asked::Stop,
                _ = self.hang_up.recv() => return Asked::Request(Request::Reload),
                _ = self.processor_time.recv() => {
                    warn!("The limit of processor time is reached (SIGXCPU, ulimit -t).");
                    return Asked::Stop;
                }
                _ = self.user1.recv() => return Asked::Request(Request::StacksForReader),
                _ = self.user2.recv() => return Asked::Request(Request::StacksForLog),
                _ = self.alarm.recv() => "SIGALRM",
            };
            ignored(signal);
        }
    }
}

/// Ctrl-C, Ctrl-Break, the end of the console, of the session or of the system, and the service manager.
#[cfg(windows)]
struct Sources {
    interrupt: tokio::signal::windows::CtrlC,
    broken: tokio::signal::windows::CtrlBreak,
    closed: tokio::signal::windows::CtrlClose,
    logged_off: tokio::signal::windows::CtrlLogoff,
    shut_down: tokio::signal::windows::CtrlShutdown,
}

#[cfg(windows)]
impl Sources {
    fn register() -> std::io::Result<Self> {
        use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_logoff, ctrl_shutdown};

        Ok(Self {
            interrupt: ctrl_c()?,
            broken: ctrl_break()?,
            closed: ctrl_close()?,
            logged_off: ctrl_logoff()?,
            shut_down: ctrl_shutdown()?,
        })
    }

    async fn next(&mut self) -> Asked {
        // A service goes on when a user logs off.
        let may_log_off = !service::is_managed();
        tokio::select! {
            _ = self.interrupt.recv() => Asked::Stop,
            _ = self.broken.recv() => Asked::Stop,
            _ = self.closed.recv() => Asked::Stop,
            _ = self.logged_off.recv(), if may_log_off => Asked::Stop,
            _ = self.shut_down.recv() => Asked::Stop,
            () = service::stop_asked() => Asked::Stop,
            () = service::reload_asked() => Asked::Request(Request::Reload),
        }
    }
}
