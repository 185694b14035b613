//! How long `send` and `feed` try again if the server is away, and with which pauses.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::client::ClientError;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// The last attempt gets at least this long, however little patience is left.
const LAST_TRY_WAIT: Duration = Duration::from_secs(1);

/// Time without an answer from the server, up to a limit.
pub(super) struct Patience {
    limit: Duration,
    last_heard: Instant,
    next_pause: Duration,
}

impl Patience {
    pub(super) fn new(limit: Duration) -> Self {
        Self {
            limit,
            last_heard: Instant::now(),
            next_pause: FIRST_PAUSE,
        }
    }

    /// The server has answered, or had nothing to answer until now.
    pub(super) fn heard(&mut self) {
        *self = Self::new(self.limit);
    }

    /// Until when an answer is waited for that is asked for now.
    pub(super) fn wait_from_now(&self) -> Instant {
        Instant::now() + self.limit
    }

    /// Until when the next attempt waits for an answer.
    pub(super) fn end(&self) -> Instant {
        (self.last_heard + self.limit).max(Instant::now() + LAST_TRY_WAIT)
    }

    /// Waits before the next attempt, at least as long as the server asked for if it did.
    ///
    /// # Errors
    /// With `error`, if the time is over.
    pub(super) async fn pause(
        &mut self,
        error: ClientError,
        asked: Option<Duration>,
    ) -> anyhow::Result<()> {
        let silent = self.last_heard.elapsed();
        let left = self.limit.saturating_sub(silent);
        if left.is_zero() {
            let given_up = format!("gave up after {} s", silent.as_secs());
            return Err(anyhow::Error::from(error).context(given_up));
        }
        let pause = asked.unwrap_or(self.next_pause);
        // Not longer than patience lasts, so that the last attempt is made at its end.
        sleep(pause.clamp(self.next_pause, LONGEST_PAUSE).min(left)).await;
        self.next_pause = (self.next_pause * 2).min(LONGEST_PAUSE);
        Ok(())
    }
}
