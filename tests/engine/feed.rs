//! The feed: consumers get what was acknowledged, in order, however fast they are.

use std::time::Duration;

use poh_holdmetrics_rust::engine::{
    Consumer, Engine, FeedBatch, FeedError, Place, Start, WhenFull,
};

use crate::support::{distinct_batch, ephemeral, open, options, submit, wait};

/// The next batch of a consumer that has one.
fn next(consumer: &mut Consumer, bytes_max: usize) -> FeedBatch {
    wait(consumer.next(bytes_max)).expect("the engine is open")
}

/// The numbers of the next events, up to `last`.
fn numbers_to(consumer: &mut Consumer, last: u64, bytes_max: usize) -> Vec<u64> {
    let mut numbers = Vec::new();
    while numbers.last() != Some(&last) {
        let batch = next(consumer, bytes_max);
        let before = numbers.len();
        numbers.extend(batch.events().map(|(number, _)| number));
        assert_eq!(numbers.len() - before, batch.count());
        assert_eq!(batch.first, numbers[before]);
        assert_eq!(Some(&batch.last), numbers.last());
    }
    numbers
}

fn follow(engine: &Engine, name: &str) -> Consumer {
    let opened = engine.feed().open(name, Start::Now, WhenFull::Lag);
    opened.expect("the name is free")
}

#[test]
fn consumers_of_different_speed_get_every_event_once_and_in_order() {
    let folder = tempfile::tempdir().unwrap();
    for options in [ephemeral(), options(folder.path())] {
        let engine = open(options).unwrap();
        let _ = submit(&engine, distinct_batch("before", 0, 5)).unwrap();
        let (mut quick, mut slow) = (follow(&engine, "quick"), follow(&engine, "slow"));
        let mut last = 0;
        for number in 0..20 {
            let receipt = submit(&engine, distinct_batch("h", number * 3, 3)).unwrap();
            last = receipt.last;
            let numbers = numbers_to(&mut quick, last, 1);
            assert_eq!(numbers, (receipt.first..=last).collect::<Vec<_>>());
        }
        let numbers = numbers_to(&mut slow, last, 100);
        assert_eq!(numbers, (6..=last).collect::<Vec<_>>());
    }
}

#[test]
fn small_frames_are_joined_up_to_the_asked_size_and_a_large_one_exceeds_it() {
    let engine = open(ephemeral()).unwrap();
    let mut consumer = follow(&engine, "c");
    for number in 0..10 {
        submit(&engine, distinct_batch("h", number, 1)).unwrap();
    }
    let bytes = distinct_batch("h", 0, 1).bytes().len();
    assert_eq!(next(&mut consumer, bytes * 4).count(), 4);
    assert_eq!(next(&mut consumer, bytes * 5 - 1).count(), 4);
    submit(&engine, distinct_batch("h", 100, 50)).unwrap();
    assert_eq!(next(&mut consumer, 1).count(), 1);
    assert_eq!(next(&mut consumer, 1).count(), 1);
    assert_eq!(next(&mut consumer, 1).count(), 50);
}

#[test]
fn a_consumer_begins_where_it_asks_to() {
    let engine = open(ephemeral()).unwrap();
    let _reader = follow(&engine, "keeps the frames in memory");
    submit(&engine, distinct_batch("h", 0, 10)).unwrap();
    let feed = engine.feed();
    let mut fourth = feed.open("4", Start::Sequence(4), WhenFull::Lag).unwrap();
    let batch = next(&mut fourth, 1 << 20);
    let numbers: Vec<_> = batch.events().map(|(number, _)| number).collect();
    assert_eq!(numbers, (4..=10).collect::<Vec<_>>());
    // A reader that pauses goes on where it was.
    let mut place = Place::default();
    let mut one_by_one = Vec::new();
    while let Some((number, event)) = batch.next_event(&mut place) {
        one_by_one.push((number, event));
        let mut other = place;
        let ahead = batch.next_event(&mut other);
        assert_eq!(
            ahead.map(|(next, _)| next),
            (number < 10).then(|| number + 1)
        );
    }
    assert_eq!(one_by_one, batch.events().collect::<Vec<_>>());
    assert_eq!((batch.first, batch.last, batch.count()), (4, 10, 7));
    let ahead = feed.open("12", Start::Sequence(12), WhenFull::Lag).err();
    let (sequence, last) = (12, 10);
    assert_eq!(ahead, Some(FeedError::Ahead { sequence, last }));
}

#[test]
fn a_name_has_one_open_handle_and_its_position_stays() {
    let engine = open(ephemeral()).unwrap();
    let feed = engine.feed();
    let first = follow(&engine, "pipeline/events");
    submit(&engine, distinct_batch("h", 0, 3)).unwrap();
    let again = feed.open("pipeline/events", Start::Now, WhenFull::Lag);
    let name = "pipeline/events".to_owned();
    assert_eq!(again.err(), Some(FeedError::InUse { name }));
    wait(first.commit(2, "pipeline", vec![("k".into(), Some("1".into()))])).unwrap();
    assert_eq!(first.position(), 2);
    drop(first);
    let second = follow(&engine, "pipeline/events");
    assert_eq!(second.position(), 2);
    assert_eq!(feed.state("pipeline").unwrap(), [("k".into(), "1".into())]);
    let ahead = wait(second.commit(4, "pipeline", Vec::new()));
    let (sequence, last) = (4, 3);
    assert_eq!(ahead, Err(FeedError::Ahead { sequence, last }));
}

#[test]
fn what_cannot_be_a_name_is_refused_with_the_text() {
    let engine = open(ephemeral()).unwrap();
    for name in ["", "a\nb", &"x".repeat(257)] {
        let refused = engine.feed().open(name, Start::Now, WhenFull::Lag).err();
        let text = refused.expect("it is refused").to_string();
        assert!(text.starts_with("consumer: \""), "{text}");
    }
}

#[test]
fn a_closed_engine_ends_the_wait_of_a_consumer() {
    let engine = open(ephemeral()).unwrap();
    let mut consumer = follow(&engine, "c");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| wait(consumer.next(1)).is_none());
        std::thread::sleep(Duration::from_millis(20));
        engine.close();
        assert!(waiting.join().unwrap());
    });
    let refused = engine.feed().open("late", Start::Now, WhenFull::Lag);
    assert_eq!(refused.err(), Some(FeedError::Closed));
}
