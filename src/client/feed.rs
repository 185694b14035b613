//! The feed of acknowledged events: pages of events in, acknowledged positions out.
//!
//! A page is processed by the caller, who then acknowledges its last number. Only the latest acknowledgement waits to
//! be sent, so acknowledging never waits.

use futures_util::{Stream, StreamExt as _};
use prost_types::Timestamp;
use tokio::sync::watch;
use tokio_stream::wrappers::WatchStream;
use tonic::{Status, Streaming};

use super::ClientError;
use crate::core::{Delta, Draft, Event, Micros, Wad};
use crate::net::pb;
use crate::net::pb::feed_request::Request;
use crate::net::pb::feed_start::Begin;

/// Where a feed begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Beginning {
    /// After the last event.
    #[default]
    Now,
    /// With the event of this number.
    Sequence(u64),
    /// With the facts in force.
    Facts,
}

/// Which events are wanted.
#[derive(Clone, Debug, Default)]
pub struct FeedOptions {
    /// The name whose position the server keeps.
    pub consumer: Option<String>,
    /// Where to begin if the consumer has no position yet.
    pub beginning: Beginning,
    /// A pattern with `*` and `?`.
    pub token: Option<String>,
    /// A pattern with `*` and `?`.
    pub holder: Option<String>,
}

/// The requests of a call, and where the positions that they acknowledge come from.
pub(super) fn requests(
    options: FeedOptions,
) -> (
    watch::Sender<u64>,
    impl Stream<Item = pb::FeedRequest> + Send + 'static,
) {
    let start = pb::FeedStart {
        consumer: options.consumer.unwrap_or_default(),
        begin: match options.beginning {
            Beginning::Now => None,
            Beginning::Sequence(sequence) => Some(Begin::FromSequence(sequence)),
            Beginning::Facts => Some(Begin::FromBeginning(true)),
        },
        token: options.token.unwrap_or_default(),
        holder: options.holder.unwrap_or_default(),
        events_max: 0,
    };
    let (positions, changes) = watch::channel(0);
    let first = futures_util::stream::iter([Request::Start(start)]);
    let requests = first.chain(WatchStream::from_changes(changes).map(Request::Acknowledge));
    let requests = requests.map(|request| pb::FeedRequest {
        request: Some(request),
    });
    (positions, requests)
}

/// An open feed.
pub struct FeedStream {
    positions: watch::Sender<u64>,
    responses: Streaming<pb::FeedBatch>,
    /// What comes next is the event after this number.
    pub position: u64,
    /// Number of the last event of the store when the feed was opened.
    pub newest: u64,
    /// Whether it begins with facts, because the events behind them no longer exist or were not asked for.
    pub starts_from_facts: bool,
}

impl FeedStream {
    pub(super) async fn open(
        positions: watch::Sender<u64>,
        mut responses: Streaming<pb::FeedBatch>,
    ) -> Result<Self, ClientError> {
        let opening = responses.message().await?;
        let opening =
            opening.ok_or_else(|| ClientError::ended("the server ended the feed at once"))?;
        Ok(Self {
            positions,
            responses,
            position: opening.last_sequence,
            newest: opening.newest_sequence,
            starts_from_facts: opening.starts_from_facts,
        })
    }

    /// The next page; waits for it.
    pub async fn next(&mut self) -> Result<FeedPage, ClientError> {
        let page = self.responses.message().await?;
        page.map(FeedPage)
            .ok_or_else(|| ClientError::ended("the server ended the feed"))
    }

    /// Tells the server that everything up to `position` is processed.
    pub fn acknowledge(&self, position: u64) {
        self.positions.send_replace(position);
    }

    /// Ends the feed; returns when the last acknowledged position is durable.
    pub async fn finish(self) -> Result<(), ClientError> {
        let Self {
            positions,
            mut responses,
            ..
        } = self;
        drop(positions);
        while responses.message().await?.is_some() {}
        Ok(())
    }
}

/// Some events, and how far they reach.
pub struct FeedPage(pb::FeedBatch);

impl FeedPage {
    /// The number to acknowledge once the page is processed.
    #[must_use]
    pub const fn last(&self) -> u64 {
        self.0.last_sequence
    }

    /// Each event with its number.
    ///
    /// # Errors
    /// If the server sent something other than an event.
    pub fn events(&self) -> impl Iterator<Item = Result<(u64, Event<'_>), ClientError>> {
        self.0.events.iter().map(|numbered| {
            let message = numbered.event.as_ref();
            let event = message.map(event).transpose();
            let event = event.map_err(|reason| invalid(numbered.sequence, &reason))?;
            let event = event.ok_or_else(|| invalid(numbered.sequence, &"event: missing"))?;
            Ok((numbered.sequence, event))
        })
    }
}

fn invalid(sequence: u64, reason: &dyn std::fmt::Display) -> ClientError {
    Status::data_loss(format!(
        "the server sent {sequence}, which is not a valid event: {reason}"
    ))
    .into()
}

fn event(message: &pb::HoldMsg) -> Result<Event<'_>, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let instant = |time: &Option<Timestamp>| time.as_ref().map(instant).transpose();
    let weight = message.weight_text.as_deref().map(Wad::parse).transpose();
    let delta = message.delta_text.as_deref().map(Delta::parse).transpose();
    let draft = Draft {
        token_id: &message.token_id,
        holder_id: &message.holder_id,
        start: instant(&message.start)?,
        end: instant(&message.end)?,
        weight: weight.map_err(|error| text(&error))?,
        event_id: message.event_id.as_deref(),
        revision: message.revision,
        retract: message.retract,
        at: instant(&message.at)?,
        delta: delta.map_err(|error| text(&error))?,
        seq: message.seq,
        ..Draft::default()
    };
    draft.check().map_err(|refusal| text(&refusal))
}

fn instant(time: &Timestamp) -> Result<Micros, String> {
    let micros = time
        .seconds
        .checked_mul(1_000_000)
        .and_then(|micros| micros.checked_add(i64::from(time.nanos / 1_000)));
    let micros = micros.ok_or("a time is out of range")?;
    Micros::new(micros).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Message;

    #[test]
    fn what_is_sent_as_an_event_is_read_as_the_same() {
        let at = |micros| Micros::new(micros).ok();
        let base = Draft {
            token_id: "T",
            holder_id: "h",
            ..Draft::default()
        };
        for draft in [
            Draft {
                start: at(-1),
                end: at(5),
                weight: Wad::parse("0.1").ok(),
                ..base
            },
            Draft {
                start: at(7),
                seq: 3,
                ..base
            },
            Draft {
                at: at(7),
                delta: Delta::parse("-2.5").ok(),
                event_id: Some("e"),
                revision: 2,
                ..base
            },
            Draft {
                retract: true,
                event_id: Some("e"),
                ..base
            },
        ] {
            let expected = draft.check().unwrap();
            let Message(message) = Message::from(&expected);
            assert_eq!(event(&message), Ok(expected));
        }
    }

    #[test]
    fn what_is_no_event_is_blamed_on_the_server() {
        let page = FeedPage(pb::FeedBatch {
            events: vec![pb::FeedEvent {
                sequence: 9,
                event: Some(pb::HoldMsg::default()),
            }],
            ..pb::FeedBatch::default()
        });
        let error = page.events().next().unwrap().unwrap_err().to_string();
        assert!(
            error.contains("the server sent 9, which is not a valid event: token_id"),
            "{error}"
        );
    }
}
