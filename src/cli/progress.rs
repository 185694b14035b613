//! Progress bars on standard error for long runs; none if standard error is not a terminal.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::input::Progress;

/// A run that ends sooner shows no bar.
const SHOW_AFTER: Duration = Duration::from_millis(500);
const REFRESH: Duration = Duration::from_millis(100);
const BYTES: &str = "{wide_bar} {bytes}/{total_bytes} {binary_bytes_per_sec} {msg}";
const BYTES_OF_UNKNOWN: &str = "{spinner} {elapsed} {msg}";
const COUNT: &str = "{wide_bar} {human_pos}/{human_len} {per_sec} {eta} left";

/// Shows how much of the input has been read, until it is dropped.
pub(super) struct ReadingBar {
    watcher: Option<(Sender<()>, JoinHandle<()>)>,
}

impl ReadingBar {
    /// Starts the bar if standard error is a terminal; `after` names the work that follows the
    /// reading.
    pub(super) fn watch(progress: &Arc<Progress>, after: &'static str) -> Self {
        if !io::stderr().is_terminal() {
            return Self { watcher: None };
        }
        let (stop, stopped) = channel();
        let progress = Arc::clone(progress);
        let watcher = thread::spawn(move || {
            if stopped.recv_timeout(SHOW_AFTER) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            let total = progress.total();
            let bar = ProgressBar::new(total);
            bar.set_style(style(if total == 0 { BYTES_OF_UNKNOWN } else { BYTES }));
            while stopped.recv_timeout(REFRESH) == Err(RecvTimeoutError::Timeout) {
                let done = progress.done();
                bar.set_position(done.min(total));
                bar.set_message(if done < total || total == 0 {
                    "reading"
                } else {
                    after
                });
                bar.tick();
            }
            bar.finish_and_clear();
        });
        Self {
            watcher: Some((stop, watcher)),
        }
    }
}

impl Drop for ReadingBar {
    fn drop(&mut self) {
        if let Some((stop, watcher)) = self.watcher.take() {
            drop(stop);
            // A bar that cannot be drawn must not fail the run.
            let _ = watcher.join();
        }
    }
}

/// Shows how many of a known number of items are done, until it is dropped.
pub(super) struct CountingBar {
    bar: ProgressBar,
    started: Instant,
}

impl CountingBar {
    pub(super) fn new(total: u64) -> Self {
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::hidden());
        bar.set_style(style(COUNT));
        Self {
            bar,
            started: Instant::now(),
        }
    }

    /// Adds `count` items that are done.
    pub(super) fn advance(&self, count: u64) {
        self.bar.inc(count);
        let is_long = self.started.elapsed() > SHOW_AFTER;
        if is_long && self.bar.is_hidden() && io::stderr().is_terminal() {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }
}

impl Drop for CountingBar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates of this file are valid")
}
