//! `kill -9` under load with a consumer of the feed: over all lives it gets every event that the service has,
//! and always the same under one number.
//!
//! The load and the check of what the service has are those of `kill`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use crate::kill::{check, client, event_second, restless, under_load};
use crate::support::Service;
use poh_holdmetrics_rust::client::{Beginning, FeedOptions, FeedStream};
use tempfile::tempdir;

/// What the consumer has processed: holder and second, by number.
type Processed = Arc<Mutex<BTreeMap<u64, (String, u64)>>>;

async fn open(service: &Service) -> FeedStream {
    let options = FeedOptions {
        consumer: Some("archive".into()),
        beginning: Beginning::Sequence(1),
        ..FeedOptions::default()
    };
    client(service).await.feed(options).await.expect("it opens")
}

/// Processes pages and acknowledges them, up to event `last`, or until the process dies.
async fn consume(mut feed: FeedStream, processed: Processed, last: u64) {
    assert!(!feed.starts_from_facts, "the journal is kept for it");
    let known = processed
        .lock()
        .unwrap()
        .last_key_value()
        .map(|(number, _)| *number);
    let mut position = feed.position;
    assert!(
        position <= known.unwrap_or(0),
        "{position} was never processed"
    );
    while position < last
        && let Ok(page) = feed.next().await
    {
        for event in page.events() {
            let (number, event) = event.expect("an event");
            position += 1;
            assert_eq!(number, position, "in order, without gaps");
            let event = (event.holder_id.to_owned(), event_second(&event));
            let before = processed.lock().unwrap().insert(number, event.clone());
            assert!(
                before.is_none_or(|before| before == event),
                "event {number} differs"
            );
        }
        feed.acknowledge(page.last());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_kill_9_a_consumer_gets_every_event_at_least_once_and_in_order() {
    let folder = tempdir().expect("a folder");
    let processed = Processed::default();
    let mut streams = Vec::new();
    for round in 0..8 {
        let service = restless(folder.path());
        check(&service, &streams).await;
        let consumer = consume(open(&service).await, Arc::clone(&processed), u64::MAX);
        let consumer = tokio::spawn(consumer);
        let (more, tasks) = under_load(&service, round).await;
        service.kill();
        for task in tasks.into_iter().chain([consumer]) {
            task.await.expect("it sees the end of its stream");
        }
        streams.extend(more);
    }
    let service = restless(folder.path());
    check(&service, &streams).await;
    let feed = open(&service).await;
    let last = feed.newest;
    consume(feed, Arc::clone(&processed), last).await;
    let processed = processed.lock().unwrap();
    assert!(processed.keys().copied().eq(1..=last), "every number once");
    let mut seconds: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
    for (holder, second) in processed.values() {
        assert!(seconds.entry(holder).or_default().insert(*second));
    }
    for stream in &streams {
        let found = stream.found();
        let seconds = seconds.remove(stream.holder()).unwrap_or_default();
        assert!(seconds.into_iter().eq(0..found), "{}", stream.holder());
    }
    assert!(last > 8, "the rounds were under load");
}
