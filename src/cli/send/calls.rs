//! The calls of one connection: batches of events and batches of transfers have one each, opened when it is needed.
//!
//! Which batch is sent when, and what an acknowledgement settles, is decided by `delivery`.

use std::future::ready;

use futures_util::StreamExt as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::client::{Acks, Batch, Client, ClientError, StorePosition, Transfers};

/// The content of one message.
#[derive(Clone, Debug)]
pub(super) enum Message {
    /// Events of one key each.
    Events(Batch),
    /// Transfers.
    Transfers(Transfers),
}

/// Which call takes a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Events,
    Transfers,
}

/// An open call.
pub(super) struct Call {
    pub(super) out: mpsc::Sender<Message>,
    pub(super) acks: Acks,
}

/// The calls that are open.
pub(super) struct Calls {
    client: Client,
    events: Option<Call>,
    transfers: Option<Call>,
}

impl Calls {
    pub(super) const fn new(client: Client) -> Self {
        Self {
            client,
            events: None,
            transfers: None,
        }
    }

    /// The call of this kind, if it is open.
    pub(super) fn get(&mut self, kind: Kind) -> Option<&mut Call> {
        match kind {
            Kind::Events => self.events.as_mut(),
            Kind::Transfers => self.transfers.as_mut(),
        }
    }

    /// Opens the call of this kind, unless it is open. Returns the store that a newly opened one sends to, if the server
    /// says it.
    pub(super) async fn open(&mut self, kind: Kind) -> Result<Option<StorePosition>, ClientError> {
        if self.get(kind).is_some() {
            return Ok(None);
        }
        let (out, outgoing) = mpsc::channel(1);
        let outgoing = ReceiverStream::new(outgoing);
        match kind {
            Kind::Events => {
                let batches = outgoing.filter_map(|message| {
                    ready(match message {
                        Message::Events(batch) => Some(batch),
                        Message::Transfers(_) => None,
                    })
                });
                let upload = self.client.broadcast_batch(batches).await?;
                let acks = upload.acks;
                self.events = Some(Call { out, acks });
                Ok(upload.store)
            }
            Kind::Transfers => {
                let batches = outgoing.filter_map(|message| {
                    ready(match message {
                        Message::Transfers(transfers) => Some(transfers),
                        Message::Events(_) => None,
                    })
                });
                let upload = self.client.broadcast_transfer_batch(batches).await?;
                let acks = upload.acks;
                self.transfers = Some(Call { out, acks });
                Ok(upload.store)
            }
        }
    }
}
