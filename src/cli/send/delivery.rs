//! Parcels to the server: some in flight, all kept until acknowledged, tried again after a break.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use tokio::sync::mpsc::{self, Receiver};
use tokio::time::{Instant, sleep, timeout_at};
use tokio_stream::wrappers::ReceiverStream;

use super::ledger::Ledger;
use super::reader::Parcel;
use crate::cli::exit::Exit;
use crate::cli::interrupt::interrupted;
use crate::client::{Ack, Batch, Client, ClientError, Target};

/// Parcels that wait for their acknowledgement.
const IN_FLIGHT_MAX: usize = 32;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// What the last try has at least, however little patience is left.
const LAST_TRY_WAIT: Duration = Duration::from_secs(1);

/// One run of `send`.
pub(super) struct Delivery<'a> {
    target: Target,
    parcels: Receiver<Parcel>,
    is_read: bool,
    /// In order; the front is acknowledged next.
    kept: VecDeque<Parcel>,
    ledger: &'a mut Ledger,
    patience: Duration,
    heard: Instant,
}

/// Why a stream is over.
enum Break {
    Call(ClientError),
    Final(anyhow::Error),
}

impl<'a> Delivery<'a> {
    pub(super) fn new(
        target: Target,
        parcels: Receiver<Parcel>,
        ledger: &'a mut Ledger,
        patience: Duration,
    ) -> Self {
        Self {
            target,
            parcels,
            is_read: false,
            kept: VecDeque::new(),
            ledger,
            patience,
            heard: Instant::now(),
        }
    }

    /// Sends until all is acknowledged, a signal ends it, or the server is away too long.
    pub(super) async fn run(&mut self) -> anyhow::Result<()> {
        tokio::select! {
            delivered = self.deliver() => delivered,
            () = interrupted() => Err(Exit::Interrupted.into()),
        }
    }

    async fn deliver(&mut self) -> anyhow::Result<()> {
        // Nobody asks a server for nothing: files that cannot be read are told by themselves.
        self.take_parcel().await;
        let mut pause = FIRST_PAUSE;
        loop {
            let before = self.heard;
            let error = match self.stream().await {
                Ok(()) => return Ok(()),
                Err(Break::Final(error)) => return Err(error),
                Err(Break::Call(error)) => error,
            };
            if self.heard > before {
                pause = FIRST_PAUSE;
            }
            let Some(wanted) = error.retry() else {
                return Err(error.into());
            };
            let silent = self.heard.elapsed();
            let Some(left) = self
                .patience
                .checked_sub(silent)
                .filter(|left| !left.is_zero())
            else {
                let given_up = format!("gave up after {} s", silent.as_secs());
                return Err(anyhow::Error::from(error).context(given_up));
            };
            // Shorter where patience ends before, so that the last try is at its end.
            sleep(
                wanted
                    .unwrap_or(pause)
                    .clamp(pause, LONGEST_PAUSE)
                    .min(left),
            )
            .await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// One stream: what is kept again, then what comes, until all is acknowledged.
    async fn stream(&mut self) -> Result<(), Break> {
        let mut sent = 0;
        self.settle_empty(&mut sent)?;
        if self.is_read && self.kept.is_empty() {
            return Ok(());
        }
        let silent_until = (self.heard + self.patience).max(Instant::now() + LAST_TRY_WAIT);
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
            if self.is_read && self.kept.is_empty() {
                return Ok(());
            }
            let silent_until = Instant::now() + self.patience;
            tokio::select! {
                biased;
                ack = next(&mut acks, silent_until), if sent > 0 => {
                    let ack = ack.map_err(Break::Call)?;
                    self.heard = Instant::now();
                    let parcel = self.kept.pop_front().expect("one was sent for each ack");
                    sent -= 1;
                    self.ledger.settle(parcel, Some(ack)).map_err(Break::Final)?;
                }
                slot = out.reserve(), if sent < self.kept.len() => match slot {
                    Ok(slot) => {
                        slot.send(self.kept[sent].batch.clone());
                        sent += 1;
                    }
                    // The server ended the stream; why stands in the next item.
                    Err(_) => {
                        next(&mut acks, silent_until).await.map_err(Break::Call)?;
                    }
                },
                () = self.take_parcel(), if !self.is_read && sent == self.kept.len()
                    && sent < IN_FLIGHT_MAX => {}
            }
        }
    }

    /// Waits for what is read next.
    async fn take_parcel(&mut self) {
        match self.parcels.recv().await {
            Some(parcel) => {
                if self.kept.is_empty() {
                    // Until now the server had nothing to answer.
                    self.heard = Instant::now();
                }
                self.kept.push_back(parcel);
            }
            None => self.is_read = true,
        }
    }

    /// What is wrong with a server that takes connections and says nothing.
    fn silence(&self) -> ClientError {
        ClientError::ended(&format!("the server at {} is silent", self.target.url))
    }

    /// Parcels that hold nothing but refused lines are not sent; they are done with once all before
    /// them are.
    fn settle_empty(&mut self, sent: &mut usize) -> Result<(), Break> {
        while self
            .kept
            .get(*sent)
            .is_some_and(|parcel| parcel.batch.is_empty())
        {
            *sent += 1;
        }
        while *sent > 0 && self.kept[0].batch.is_empty() {
            let parcel = self.kept.pop_front().expect("it was looked at");
            *sent -= 1;
            self.ledger.settle(parcel, None).map_err(Break::Final)?;
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
