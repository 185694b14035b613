//! The three ways of gRPC: events in a stream, batches in a stream, a call for each event.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;

use futures_util::StreamExt;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio_stream::wrappers::ReceiverStream;

use super::plan::{Plan, Tally, Turn};
use super::supply::Supply;
use crate::net::client::{Acks, Client, ClientError};

/// Messages that are made and wait for the connection.
const MADE_AHEAD: usize = 64;

/// One call at a time.
pub(super) async fn unary(
    mut client: Client,
    plan: &Plan,
    mut supply: Supply,
    tally: &mut Tally,
) -> Result<(), ClientError> {
    let mut number = 0;
    while let Some(turn) = plan.turn(supply.connection(), number).await {
        number += 1;
        let ack = client.record(supply.message()).await?;
        tally.answered(turn.due, 1, ack.accepted);
    }
    Ok(())
}

/// Events one by one in a stream.
pub(super) async fn stream(
    mut client: Client,
    plan: &Arc<Plan>,
    supply: Supply,
    ack_every: u32,
    in_flight: u32,
    tally: &mut Tally,
) -> Result<(), ClientError> {
    let (out, outgoing) = mpsc::channel(MADE_AHEAD);
    let sent = spawn_sender(plan, supply, in_flight, out, |supply, _| supply.message());
    let acks = client.broadcast(ReceiverStream::new(outgoing), ack_every);
    count(acks.await?, sent, tally).await
}

/// Batches in a stream.
pub(super) async fn batches(
    mut client: Client,
    plan: &Arc<Plan>,
    supply: Supply,
    in_flight: u32,
    tally: &mut Tally,
) -> Result<(), ClientError> {
    // One made ahead is enough: it is a thousand events.
    let (out, outgoing) = mpsc::channel(1);
    let sent = spawn_sender(plan, supply, in_flight, out, Supply::batch);
    let acks = client.broadcast_batch(ReceiverStream::new(outgoing));
    count(acks.await?, sent, tally).await
}

/// Sends as the plan says and tells of each message when it was due. The bound of what it tells is
/// the bound of what is in flight, for only an acknowledgement takes it up.
fn spawn_sender<T: Send + 'static>(
    plan: &Arc<Plan>,
    mut supply: Supply,
    in_flight: u32,
    out: Sender<T>,
    make: fn(&mut Supply, u32) -> T,
) -> Receiver<Turn> {
    let (told, turns) = mpsc::channel(in_flight as usize);
    let plan = Arc::clone(plan);
    tokio::spawn(async move {
        let mut number = 0;
        while let Some(turn) = plan.turn(supply.connection(), number).await {
            number += 1;
            let message = make(&mut supply, turn.events);
            // Where nobody listens any more, the stream has failed and says why by itself.
            if told.send(turn).await.is_err() || out.send(message).await.is_err() {
                return;
            }
        }
    });
    turns
}

/// Takes acknowledgements until all that was sent has one.
async fn count(
    acks: Acks,
    mut turns: Receiver<Turn>,
    tally: &mut Tally,
) -> Result<(), ClientError> {
    let mut acks = pin!(acks);
    let mut taken = 0;
    let mut waiting = VecDeque::new();
    while let Some(ack) = acks.next().await {
        let ack = ack?;
        let messages = usize::try_from(ack.index + 1 - taken).expect("a count of messages");
        taken = ack.index + 1;
        while waiting.len() < messages {
            waiting.push_back(turns.recv().await.expect("it was told before it was sent"));
        }
        let covered: Vec<Turn> = waiting.drain(..messages).collect();
        let events: u64 = covered.iter().map(|turn| u64::from(turn.events)).sum();
        let mut refused = events.saturating_sub(ack.accepted);
        for turn in covered {
            let events = u64::from(turn.events);
            let mine = refused.min(events);
            refused -= mine;
            tally.answered(turn.due, events, events - mine);
        }
    }
    // The server ends the stream after ours has ended; what is left then has no answer.
    match turns.recv().await {
        None => Ok(()),
        Some(_) => Err(ClientError::ended("the server ended the stream too early")),
    }
}
