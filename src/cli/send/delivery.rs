//! Batches to the server: some in flight, each kept until it is acknowledged, sent again after a break.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, timeout_at};

use super::calls::{Call, Calls, Kind};
use super::ledger::Ledger;
use super::reader::{Part, RowBatch};
use crate::cli::exit::Exit;
use crate::cli::interrupt::interrupted;
use crate::cli::patience::Patience;
use crate::client::{Ack, Client, ClientError, Target};

/// Messages that may wait for their acknowledgement.
const IN_FLIGHT_MAX: usize = 32;

/// One run of `send`.
pub(super) struct Delivery<'a> {
    target: Target,
    batches: Receiver<RowBatch>,
    is_read: bool,
    /// In order; the front is acknowledged next.
    unacknowledged: VecDeque<RowBatch>,
    ledger: &'a mut Ledger,
    patience: Patience,
}

/// Why a connection ended.
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
            patience: Patience::new(patience),
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
        loop {
            let error = match self.connection().await {
                Ok(()) => return Ok(()),
                Err(Break::Final(error)) => return Err(error),
                Err(Break::Call(error)) => error,
            };
            let Some(retry_delay) = error.retry() else {
                return Err(error.into());
            };
            self.patience.pause(error, retry_delay).await?;
        }
    }

    /// One connection: first what is unacknowledged, then what is read, until everything is acknowledged.
    async fn connection(&mut self) -> Result<(), Break> {
        self.settle_acknowledged()?;
        if self.is_read && self.unacknowledged.is_empty() && !self.ledger.awaits_store() {
            return Ok(());
        }
        let silent_until = self.patience.end();
        let connected = timeout_at(silent_until, Client::connect(&self.target)).await;
        let client = connected.unwrap_or_else(|_| Err(self.silence()));
        let mut calls = Calls::new(client.map_err(Break::Call)?);
        let mut silent_until = silent_until;
        // Parts that were sent by this connection and are not acknowledged.
        let mut sent = 0;
        loop {
            self.settle_acknowledged()?;
            let is_done = self.is_read && self.unacknowledged.is_empty();
            let next = self
                .unacknowledged_parts()
                .nth(sent)
                .map(|part| part.kind());
            // Also without anything to send: the store may not have what it acknowledged before.
            let asked = (is_done && self.ledger.awaits_store()).then_some(Kind::Events);
            if let Some(kind) = next.or(asked) {
                let opened = timeout_at(silent_until, calls.open(kind)).await;
                let opened = opened.unwrap_or_else(|_| Err(self.silence()));
                let store = opened.map_err(Break::Call)?;
                self.ledger
                    .meet(store)
                    .map_err(|other| Break::Final(other.into()))?;
            }
            if is_done {
                return Ok(());
            }
            silent_until = self.patience.wait_from_now();
            let out = next.and_then(|kind| calls.get(kind).map(|call| call.out.clone()));
            let first = self.unacknowledged_parts().next().map(|part| part.kind());
            let first = first.and_then(|kind| calls.get(kind));
            tokio::select! {
                biased;
                ack = async { next_ack(first.expect("a part was sent by it"), silent_until).await }, if sent > 0 => {
                    let ack = ack.map_err(Break::Call)?;
                    self.patience.heard();
                    sent -= 1;
                    let waiting = self.unacknowledged.iter_mut().find(|batch| !batch.is_acknowledged());
                    waiting.expect("a part was sent for each acknowledgement").acks.push(ack);
                }
                slot = async { out.as_ref().expect("there is a part for it").reserve().await }, if out.is_some() => {
                    let part = self.unacknowledged_parts().nth(sent).expect("it was there");
                    if let Ok(slot) = slot {
                        slot.send(part.message());
                        sent += 1;
                    } else {
                        // The server ended the stream; the next item says why.
                        let call = calls.get(part.kind()).expect("it was opened");
                        next_ack(call, silent_until).await.map_err(Break::Call)?;
                    }
                }
                () = self.take_batch(), if !self.is_read && next.is_none() && sent < IN_FLIGHT_MAX => {}
            }
        }
    }

    /// What is not acknowledged, in the order in which it is sent.
    fn unacknowledged_parts(&self) -> impl Iterator<Item = Part<'_>> {
        let batches = self.unacknowledged.iter();
        batches.flat_map(|batch| batch.parts().skip(batch.acks.len()))
    }

    /// Waits for the next batch.
    async fn take_batch(&mut self) {
        match self.batches.recv().await {
            Some(batch) => {
                if self.unacknowledged.is_empty() {
                    // Until now there was nothing to acknowledge.
                    self.patience.heard();
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

    /// Settles the batches at the front whose parts are acknowledged; a batch of refused lines has none.
    fn settle_acknowledged(&mut self) -> Result<(), Break> {
        while self
            .unacknowledged
            .front()
            .is_some_and(RowBatch::is_acknowledged)
        {
            let batch = self.unacknowledged.pop_front().expect("it is the front");
            self.ledger.settle(batch).map_err(Break::Final)?;
        }
        Ok(())
    }
}

async fn next_ack(call: &mut Call, silent_until: Instant) -> Result<Ack, ClientError> {
    match timeout_at(silent_until, call.acks.next()).await {
        Ok(Some(ack)) => ack,
        Ok(None) => Err(ClientError::ended("the server ended the stream")),
        Err(_) => Err(ClientError::ended("the server is silent")),
    }
}
