//! Sending over gRPC: events in a stream, batches in a stream, or one call per event.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;

use futures_util::StreamExt;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio_stream::wrappers::ReceiverStream;

use super::random_holds::RandomHolds;
use super::schedule::{Counts, Schedule, Turn};
use crate::client::{Acks, Client, ClientError};

/// Messages that are made before the connection takes them.
const MADE_AHEAD: usize = 64;

/// One call at a time.
pub(super) async fn unary(
    mut client: Client,
    schedule: &Schedule,
    mut holds: RandomHolds,
    counts: &mut Counts,
) -> Result<(), ClientError> {
    let mut number = 0;
    while let Some(turn) = schedule.turn(holds.connection(), number).await {
        number += 1;
        let ack = client.record(holds.message()).await?;
        counts.answered(turn.due, 1, ack.accepted);
    }
    Ok(())
}

/// Events one by one in a stream.
pub(super) async fn stream(
    mut client: Client,
    schedule: &Arc<Schedule>,
    holds: RandomHolds,
    ack_every: u32,
    in_flight: u32,
    counts: &mut Counts,
) -> Result<(), ClientError> {
    let (out, outgoing) = mpsc::channel(MADE_AHEAD);
    let sent = spawn_sender(schedule, holds, in_flight, out, |holds, _| holds.message());
    let acks = client.broadcast(ReceiverStream::new(outgoing), ack_every);
    count(acks.await?.acks, sent, counts).await
}

/// Batches in a stream.
pub(super) async fn batches(
    mut client: Client,
    schedule: &Arc<Schedule>,
    holds: RandomHolds,
    in_flight: u32,
    counts: &mut Counts,
) -> Result<(), ClientError> {
    // One message ahead is enough: it holds a thousand events.
    let (out, outgoing) = mpsc::channel(1);
    let sent = spawn_sender(schedule, holds, in_flight, out, RandomHolds::batch);
    let acks = client.broadcast_batch(ReceiverStream::new(outgoing));
    count(acks.await?.acks, sent, counts).await
}

/// Sends as the schedule says and reports the turn of each message. The bound of the returned channel
/// limits what is in flight, because turns are received only for acknowledgements.
fn spawn_sender<T: Send + 'static>(
    schedule: &Arc<Schedule>,
    mut holds: RandomHolds,
    in_flight: u32,
    out: Sender<T>,
    make: fn(&mut RandomHolds, u32) -> T,
) -> Receiver<Turn> {
    let (turn_sender, turns) = mpsc::channel(in_flight as usize);
    let schedule = Arc::clone(schedule);
    tokio::spawn(async move {
        let mut number = 0;
        while let Some(turn) = schedule.turn(holds.connection(), number).await {
            number += 1;
            let message = make(&mut holds, turn.events);
            // If nobody receives any more, the stream has failed and reports why itself.
            if turn_sender.send(turn).await.is_err() || out.send(message).await.is_err() {
                return;
            }
        }
    });
    turns
}

/// Receives acknowledgements until everything sent has one.
async fn count(
    acks: Acks,
    mut turns: Receiver<Turn>,
    counts: &mut Counts,
) -> Result<(), ClientError> {
    let mut acks = pin!(acks);
    let mut taken = 0;
    let mut waiting = VecDeque::new();
    while let Some(ack) = acks.next().await {
        let ack = ack?;
        let messages = usize::try_from(ack.index + 1 - taken).expect("a count of messages");
        taken = ack.index + 1;
        while waiting.len() < messages {
            waiting.push_back(
                turns
                    .recv()
                    .await
                    .expect("a turn is reported before its message is sent"),
            );
        }
        let covered: Vec<Turn> = waiting.drain(..messages).collect();
        let events: u64 = covered.iter().map(|turn| u64::from(turn.events)).sum();
        let mut refused = events.saturating_sub(ack.accepted);
        for turn in covered {
            let events = u64::from(turn.events);
            let mine = refused.min(events);
            refused -= mine;
            counts.answered(turn.due, events, events - mine);
        }
    }
    // The server ends its stream after ours has ended; messages that are left then have no answer.
    match turns.recv().await {
        None => Ok(()),
        Some(_) => Err(ClientError::ended(
            "the server ended the stream before all events were acknowledged",
        )),
    }
}
