//! What was acknowledged, as other processes read it over gRPC.

use futures_util::StreamExt as _;
use poh_holdmetrics_rust::net::pb::feed_request::Request;
use poh_holdmetrics_rust::net::pb::feed_start::Begin;
use poh_holdmetrics_rust::net::pb::{FeedBatch, FeedRequest, FeedStart, HoldMsg};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};
use tonic_types::StatusExt as _;

use crate::support::{Service, at, hold, within};

/// One call of the feed.
struct Feed {
    requests: mpsc::Sender<FeedRequest>,
    responses: Streaming<FeedBatch>,
    opening: FeedBatch,
}

impl Feed {
    async fn open(service: &Service, start: FeedStart) -> Result<Self, Status> {
        let (requests, outgoing) = mpsc::channel(8);
        let first = FeedRequest {
            request: Some(Request::Start(start)),
        };
        requests.send(first).await.unwrap();
        let mut client = service.client().await;
        let call = within(client.feed(ReceiverStream::new(outgoing))).await?;
        let mut responses = call.into_inner();
        let opening = within(responses.message()).await?.expect("it opens");
        assert!(opening.events.is_empty(), "{opening:?}");
        Ok(Self {
            requests,
            responses,
            opening,
        })
    }

    async fn next(&mut self) -> Result<FeedBatch, Status> {
        let response = within(self.responses.message()).await?;
        Ok(response.expect("the feed goes on"))
    }

    /// The events up to number `last`, from responses of which each begins after the one before.
    async fn read_to(&mut self, last: u64) -> Vec<(u64, HoldMsg)> {
        let mut events = Vec::new();
        let mut covered = None;
        while covered != Some(last) {
            let batch = self.next().await.expect("a response");
            let before = covered.unwrap_or(batch.first_sequence - 1);
            assert_eq!(before + 1, batch.first_sequence);
            assert!(batch.newest_sequence >= batch.last_sequence);
            covered = Some(batch.last_sequence);
            let numbered = batch.events.into_iter();
            events.extend(numbered.map(|event| (event.sequence, event.event.expect("an event"))));
        }
        events
    }

    async fn acknowledge(&self, position: u64) {
        let request = FeedRequest {
            request: Some(Request::Acknowledge(position)),
        };
        self.requests.send(request).await.expect("the call is open");
    }

    /// Ends the requests, and waits for the end of the call.
    async fn end(self) {
        let Self {
            requests,
            mut responses,
            ..
        } = self;
        drop(requests);
        within(async { while responses.message().await.expect("no error").is_some() {} }).await;
    }
}

fn from(sequence: u64) -> FeedStart {
    FeedStart {
        begin: Some(Begin::FromSequence(sequence)),
        ..FeedStart::default()
    }
}

fn named(consumer: &str) -> FeedStart {
    FeedStart {
        consumer: consumer.to_owned(),
        ..from(1)
    }
}

async fn record(service: &Service, event: HoldMsg) -> u64 {
    let mut client = service.client().await;
    let stored = within(client.record(event)).await.expect("it is stored");
    stored.into_inner().sequence
}

/// One event of each kind, as it is stored.
fn kinds() -> Vec<HoldMsg> {
    let named = |event_id: &str| HoldMsg {
        token_id: "T".to_owned(),
        holder_id: "a".to_owned(),
        event_id: Some(event_id.to_owned()),
        ..HoldMsg::default()
    };
    vec![
        hold("T", "a", 1, 9),
        HoldMsg {
            weight_text: Some("0.000000000000000001".to_owned()),
            revision: 3,
            start: Some(at(-5)),
            end: Some(at(5)),
            ..named("closed")
        },
        HoldMsg {
            start: Some(at(7)),
            seq: 4,
            ..hold("T", "b", 7, 0)
        },
        HoldMsg {
            at: Some(at(8)),
            delta_text: Some("-2.5".to_owned()),
            ..named("change")
        },
        HoldMsg {
            retract: true,
            revision: 1,
            ..named("gone")
        },
    ]
    .into_iter()
    .map(|event| HoldMsg {
        end: event.end.filter(|end| end.seconds != 0),
        ..event
    })
    .collect()
}

#[tokio::test]
async fn every_event_comes_back_as_it_was_sent_and_new_ones_follow() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::stored_in(folder.path()).await;
    let mut feed = Feed::open(&service, from(1)).await.expect("it opens");
    assert_eq!(feed.opening.acknowledged, 0);
    let sent = kinds();
    for event in &sent {
        record(&service, event.clone()).await;
    }
    let last = sent.len() as u64;
    let numbered: Vec<_> = (1..).zip(sent).collect();
    assert_eq!(feed.read_to(last).await, numbered);
    // Sent again, they state the same: the consumer sees each time.
    let sequence = record(&service, numbered[1].1.clone()).await;
    let again = feed.read_to(sequence).await;
    assert_eq!(again, [(sequence, numbered[1].1.clone())]);
    // A caller without a name has nothing to acknowledge, and may end its requests.
    let Feed {
        requests,
        mut responses,
        ..
    } = feed;
    drop(requests);
    let sequence = record(&service, hold("T", "z", 0, 1)).await;
    let batch = within(responses.message())
        .await
        .unwrap()
        .expect("it goes on");
    assert_eq!(batch.last_sequence, sequence);
    service.end().await;
}

#[tokio::test]
async fn a_consumer_continues_after_what_it_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::stored_in(folder.path()).await;
    let mut feed = Feed::open(&service, named("billing")).await.unwrap();
    for number in 0..5 {
        record(&service, hold("T", "a", number, 9)).await;
    }
    feed.read_to(5).await;
    feed.acknowledge(2).await;
    feed.acknowledge(3).await;
    // An older one changes nothing.
    feed.acknowledge(1).await;
    let busy = Feed::open(&service, named("billing")).await.err();
    let busy = busy.expect("one call at a time");
    assert_eq!(busy.code(), Code::FailedPrecondition);
    let details = busy.get_details_error_info().expect("an ErrorInfo");
    assert_eq!(details.reason, "CONSUMER_IN_USE");
    feed.end().await;

    let mut feed = Feed::open(&service, named("billing")).await.unwrap();
    let opening = &feed.opening;
    assert_eq!((opening.acknowledged, opening.first_sequence), (3, 4));
    assert_eq!(opening.newest_sequence, 5);
    assert!(!opening.starts_from_facts);
    let numbers: Vec<_> = feed.read_to(5).await.iter().map(|event| event.0).collect();
    assert_eq!(numbers, [4, 5]);
    // A call that ends without an acknowledgement leaves the position where it was.
    drop(feed);
    let reopened = within(async {
        loop {
            match Feed::open(&service, named("billing")).await {
                Ok(feed) => return feed,
                Err(status) => assert_eq!(status.code(), Code::FailedPrecondition),
            }
        }
    })
    .await;
    assert_eq!(reopened.opening.acknowledged, 3);
    drop(reopened);
    service.end().await;
}

#[tokio::test]
async fn a_filter_leaves_events_out_and_the_position_passes_them() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::stored_in(folder.path()).await;
    let start = FeedStart {
        token: "punk/*".to_owned(),
        holder: "0x??".to_owned(),
        ..named("punks")
    };
    let mut feed = Feed::open(&service, start.clone()).await.unwrap();
    for (token, holder) in [
        ("punk/1", "0xaa"),
        ("punk/1", "0xaaa"),
        ("ape/1", "0xaa"),
        ("punk/2", "0xbb"),
        ("punk", "0xaa"),
        ("punk/", "0x"),
    ] {
        record(&service, hold(token, holder, 0, 9)).await;
    }
    let wanted = feed.read_to(6).await;
    let wanted: Vec<_> = wanted
        .iter()
        .map(|(number, event)| (*number, &*event.token_id))
        .collect();
    assert_eq!(wanted, [(1, "punk/1"), (4, "punk/2")]);
    feed.acknowledge(6).await;
    feed.end().await;
    let feed = Feed::open(&service, start).await.unwrap();
    assert_eq!(feed.opening.acknowledged, 6);
    drop(feed);
    service.end().await;
}

#[tokio::test]
async fn responses_have_at_most_as_many_events_as_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::stored_in(folder.path()).await;
    let start = FeedStart {
        events_max: 7,
        ..named("small")
    };
    let mut feed = Feed::open(&service, start).await.unwrap();
    let lines: String = (1..=50)
        .map(|n| crate::support::line(&format!("h{n}"), n) + "\n")
        .collect();
    let stored = service.post("application/x-ndjson", lines).await;
    assert_eq!(stored.json()["accepted"], 50);
    let mut numbers = Vec::new();
    while numbers.last() != Some(&50) {
        let batch = feed.next().await.expect("a response");
        assert!(batch.events.len() <= 7, "{}", batch.events.len());
        assert_eq!(
            batch.events.first().map(|event| event.sequence),
            Some(batch.first_sequence)
        );
        numbers.extend(batch.events.iter().map(|event| event.sequence));
        assert_eq!(numbers.last(), Some(&batch.last_sequence));
        // What was sent may be acknowledged, in the middle of what was stored at once, too.
        feed.acknowledge(batch.last_sequence).await;
    }
    assert_eq!(numbers, (1..=50).collect::<Vec<_>>());
    feed.end().await;
    service.end().await;
}

#[tokio::test]
async fn a_caller_that_does_not_read_delays_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::stored_in(folder.path()).await;
    let mut feed = Feed::open(&service, named("slow")).await.unwrap();
    // Far more than the buffers of a connection hold.
    let holder = "h".repeat(200);
    let body = |first: u64| -> String {
        let lines =
            (first..first + 5_000).map(|n| crate::support::line(&format!("{holder}{n}"), 1) + "\n");
        lines.collect()
    };
    for first in [0, 5_000, 10_000, 15_000] {
        let stored = service.post("application/x-ndjson", body(first)).await;
        assert_eq!(stored.json()["accepted"], 5_000);
    }
    let events = feed.read_to(20_000).await;
    let numbers: Vec<_> = events.iter().map(|event| event.0).collect();
    assert_eq!(numbers, (1..=20_000).collect::<Vec<_>>());
    service.end().await;
}

#[tokio::test]
async fn a_request_that_cannot_be_served_names_its_field() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::stored_in(folder.path()).await;
    record(&service, hold("T", "a", 0, 9)).await;
    for (start, field, reason) in [
        (from(0), "from_sequence", "from_sequence: counted from 1"),
        (
            from(3),
            "from_sequence",
            "from_sequence: 3 was not acknowledged yet, the last event is 1",
        ),
        (
            named("tiers/archive"),
            "consumer",
            "consumer: \"tiers/archive\" belongs to a pipeline",
        ),
        (
            named("a\nb"),
            "consumer",
            "consumer: \"a\\nb\" is not a name",
        ),
        (
            FeedStart {
                token: "*".repeat(257),
                ..from(1)
            },
            "token",
            "token: a pattern may have at most 256 bytes",
        ),
        (
            FeedStart {
                events_max: 10_001,
                ..from(1)
            },
            "events_max",
            "events_max: must be at most 10000",
        ),
    ] {
        let refused = Feed::open(&service, start).await.err().expect(field);
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert!(refused.message().starts_with(reason), "{refused}");
        let details = refused.get_details_bad_request().expect("a BadRequest");
        assert_eq!(details.field_violations[0].field, field);
    }
    let acknowledge = |position| FeedRequest {
        request: Some(Request::Acknowledge(position)),
    };
    let start = |start| FeedRequest {
        request: Some(Request::Start(start)),
    };
    for (requests, reason) in [
        (vec![], "start: the first request must contain it"),
        (
            vec![acknowledge(1)],
            "start: the first request must contain it",
        ),
        (
            vec![start(from(1)), start(from(1))],
            "start: only the first request may contain it",
        ),
        (
            vec![start(from(1)), acknowledge(1)],
            "acknowledge: no position is kept for a feed without a consumer",
        ),
        (
            vec![start(named("ahead")), acknowledge(2)],
            "acknowledge: 2 was not sent yet, the last is ",
        ),
        (
            vec![start(named("empty")), FeedRequest::default()],
            "request: missing",
        ),
    ] {
        let mut client = service.client().await;
        let call = within(client.feed(tokio_stream::iter(requests))).await;
        let refused = match call {
            Err(status) => status,
            Ok(responses) => {
                let ended = responses
                    .into_inner()
                    .filter_map(async |response| response.err());
                within(std::pin::pin!(ended).next()).await.expect(reason)
            }
        };
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
        assert!(refused.message().starts_with(reason), "{refused}");
    }
    service.end().await;
}

#[tokio::test]
async fn facts_come_first_if_they_are_asked_for_and_count_once_all_are_sent() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::stored_in(folder.path()).await;
    let correction = |revision| HoldMsg {
        event_id: Some("e".to_owned()),
        revision,
        ..hold("T", "a", 0, 5)
    };
    for event in [correction(1), correction(2), hold("T", "b", 1, 2)] {
        record(&service, event).await;
    }
    let start = FeedStart {
        begin: Some(Begin::FromBeginning(true)),
        events_max: 1,
        ..named("copy")
    };
    let mut feed = Feed::open(&service, start.clone()).await.unwrap();
    assert!(feed.opening.starts_from_facts);
    let opening = &feed.opening;
    assert_eq!(
        (
            opening.first_sequence,
            opening.last_sequence,
            opening.acknowledged
        ),
        (1, 0, 0)
    );
    let early = feed.next().await.unwrap();
    assert!(early.is_from_facts && early.events[0].sequence == 3);
    assert_eq!((early.first_sequence, early.last_sequence), (1, 0));
    let whole = feed.next().await.unwrap();
    assert_eq!((whole.first_sequence, whole.last_sequence), (1, 3));
    let facts = [early.events, whole.events].concat();
    let mut facts: Vec<_> = facts.into_iter().map(|fact| fact.event.unwrap()).collect();
    facts.sort_by(|one, other| one.holder_id.cmp(&other.holder_id));
    assert_eq!(facts, [correction(2), hold("T", "b", 1, 2)]);
    // What is acknowledged before the copy is whole does not count.
    feed.acknowledge(0).await;
    feed.end().await;
    let mut feed = Feed::open(&service, start.clone()).await.unwrap();
    assert!(feed.opening.starts_from_facts);
    assert_eq!(feed.read_to(3).await.len(), 2);
    feed.acknowledge(3).await;
    feed.end().await;
    let feed = Feed::open(&service, start).await.unwrap();
    assert!(!feed.opening.starts_from_facts);
    assert_eq!(feed.opening.acknowledged, 3);
    drop(feed);
    service.end().await;
}

#[tokio::test]
async fn a_feed_ends_when_the_server_stops() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::stored_in(folder.path()).await;
    let mut feed = Feed::open(&service, named("c")).await.unwrap();
    service.stop().await;
    let ended = feed.next().await.expect_err("it ends");
    assert_eq!(ended.code(), Code::Unavailable);
    let details = ended.get_details_error_info().expect("an ErrorInfo");
    assert_eq!(details.reason, "SHUTTING_DOWN");
    service.end().await;
}
