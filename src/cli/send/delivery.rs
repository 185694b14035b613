//! Batches to the server: some in flight, each kept until it is acknowledged, sent again after a break.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use tokio::sync::mpsc::{self, Receiver};
use tokio::time::{Instant, sleep, timeout_at};
use tokio_stream::wrappers::ReceiverStream;

use super::ledger::Ledger;
use super::reader::RowBatch;
use crate::cli::exit::Exit;
use crate::cli::interrupt::interrupted;
use crate::client::{Ack, Batch, Client, ClientError, Target};

/// Batches that may wait for their acknowledgement.
const IN_FLIGHT_MAX: usize = 32;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// The last attempt gets at least this long, however little patience is left.
const LAST_TRY_WAIT: Duration = Duration::from_secs(1);

/// One run of `send`.
pub(super) struct Delivery<'a> {
    target: Target,
    batches: Receiver<RowBatch>,
    is_read: bool,
    /// In order; the front is acknowledged next.
    unacknowledged: VecDeque<RowBatch>,
    ledger: &'a mut Ledger,
    patience: Duration,
    last_heard: Instant,
}

/// Why a stream ended.
enum Break {
    /// A call failed; another attempt may succeed.
    Call(ClientError),
    /// Something failed on our side.
    Final(anyhow::Error),
}

impl<'a> Delivery<'a> {
    pub(super) fn new(
        target: Target,
        batches: Receiver<RowBatch>,
        ledger: &'a mut Ledger,
        patience: Duration,
    ) -> Self {
        Self {
            target,
            batches,
            is_read: false,
            unacknowledged: VecDeque::new(),
            ledger,
            patience,
            last_heard: Instant::now(),
        }
    }

    /// Sends until everything is acknowledged, a signal ends it, or the server is away too long.
    pub(super) async fn run(&mut self) -> anyhow::Result<()> {
        tokio::select! {
            delivered = self.deliver() => delivered,
            () = interrupted() => Err(Exit::Interrupted.into()),
        }
    }

    async fn deliver(&mut self) -> anyhow::Result<()> {
        // Connect only once there is something to send: files that cannot be read are reported first.
        self.take_batch().await;
        let mut pause = FIRST_PAUSE;
        loop {
            let before = self.last_heard;
            let error = match self.stream().await {
                Ok(()) => return Ok(()),
                Err(Break::Final(error)) => return Err(error),
                Err(Break::Call(error)) => error,
            };
            if self.last_heard > before {
                pause = FIRST_PAUSE;
            }
            let Some(retry_delay) = error.retry() else {
                return Err(error.into());
            };
            let silent = self.last_heard.elapsed();
            let Some(left) = self
                .patience
                .checked_sub(silent)
                .filter(|left| !left.is_zero())
            else {
                let given_up = format!("gave up after {} s", silent.as_secs());
                return Err(anyhow::Error::from(error).context(given_up));
            };
            // Not longer than patience lasts, so that the last attempt is made at its end.
            sleep(
                retry_delay
                    .unwrap_or(pause)
                    .clamp(pause, LONGEST_PAUSE)
                    .min(left),
            )
            .await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// One stream: first what is unacknowledged, then what is read, until everything is acknowledged.
    async fn stream(&mut self) -> Result<(), Break> {
        let mut sent = 0;
        self.settle_empty(&mut sent)?;
        if self.is_read && self.unacknowledged.is_empty() {
            return Ok(());
        }
        let silent_until = (self.last_heard + self.patience).max(Instant::now() + LAST_TRY_WAIT);
        let (out, outgoing) = mpsc::channel::<Batch>(1);
        let opened = timeout_at(silent_until, async {
            let mut client = Client::connect(&self.target).await?;
            let acks = client
                .broadcast_batch(ReceiverStream::new(outgoing))
                .await?;
            Ok((client, acks))
        });
        let opened = opened.await.unwrap_or_else(|_| Err(self.silence()));
        let (_client, acks) = opened.map_err(Break::Call)?;
        let mut acks = std::pin::pin!(acks);
        loop {
            self.settle_empty(&mut sent)?;
            if self.is_read && self.unacknowledged.is_empty() {
                return Ok(());
            }
            let silent_until = Instant::now() + self.patience;
            tokio::select! {
                biased;
                ack = next(&mut acks, silent_until), if sent > 0 => {
                    let ack = ack.map_err(Break::Call)?;
                    self.last_heard = Instant::now();
                    let batch = self.unacknowledged.pop_front().expect("a batch was sent for each acknowledgement");
                    sent -= 1;
                    self.ledger.settle(batch, Some(ack)).map_err(Break::Final)?;
                }
                slot = out.reserve(), if sent < self.unacknowledged.len() => match slot {
                    Ok(slot) => {
                        slot.send(self.unacknowledged[sent].events.clone());
                        sent += 1;
                    }
                    // The server ended the stream; the next item says why.
                    Err(_) => {
                        next(&mut acks, silent_until).await.map_err(Break::Call)?;
                    }
                },
                () = self.take_batch(), if !self.is_read && sent == self.unacknowledged.len()
                    && sent < IN_FLIGHT_MAX => {}
            }
        }
    }

    /// Waits for the next batch.
    async fn take_batch(&mut self) {
        match self.batches.recv().await {
            Some(batch) => {
                if self.unacknowledged.is_empty() {
                    // Until now there was nothing to acknowledge.
                    self.last_heard = Instant::now();
                }
                self.unacknowledged.push_back(batch);
            }
            None => self.is_read = true,
        }
    }

    /// The server accepts connections but does not answer.
    fn silence(&self) -> ClientError {
        ClientError::ended(&format!("the server at {} is silent", self.target.url))
    }

    /// Batches without events are not sent; they are done once all batches before them are.
    fn settle_empty(&mut self, sent: &mut usize) -> Result<(), Break> {
        while self
            .unacknowledged
            .get(*sent)
            .is_some_and(|batch| batch.events.is_empty())
        {
            *sent += 1;
        }
        while *sent > 0 && self.unacknowledged[0].events.is_empty() {
            let batch = self.unacknowledged.pop_front().expect("it is not empty");
            *sent -= 1;
            self.ledger.settle(batch, None).map_err(Break::Final)?;
        }
        Ok(())
    }
}

async fn next<S>(acks: &mut S, silent_until: Instant) -> Result<Ack, ClientError>
where
    S: Stream<Item = Result<Ack, ClientError>> + Unpin,
{
    match timeout_at(silent_until, acks.next()).await {
        Ok(Some(ack)) => ack,
        Ok(None) => Err(ClientError::ended("the server ended the stream")),
        Err(_) => Err(ClientError::ended("the server is silent")),
    }
}
