//! Consumers that are not current: they read the journal while it is written, and one that lags too far
//! behind starts again from the facts.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use poh_holdmetrics_rust::aggregator::HoldAggregator;
use poh_holdmetrics_rust::engine::{
    Consumer, Engine, FeedBatch, FeedError, Options, Origin, Start, WhenFull,
};
use proptest::prelude::*;

use crate::support::{all_time, distinct_batch, ephemeral, open, submit, until, wait};

/// Few bytes in memory, small segments, and a state that is written often.
fn restless(folder: &Path) -> Options {
    let mut options = Options {
        recent_bytes_max: 2 << 10,
        ..crate::support::options(folder)
    };
    options.store.state_lag_bytes_max = 16 << 10;
    options
}

fn next(consumer: &mut Consumer) -> FeedBatch {
    wait(consumer.next(1 << 10)).expect("the engine is open")
}

fn commit(consumer: &Consumer, position: u64) {
    wait(consumer.commit(position, "p", Vec::new())).expect("written");
}

fn numbers(batch: &FeedBatch) -> Vec<u64> {
    batch.events().map(|(number, _)| number).collect()
}

/// What a consumer knows that only takes what it gets.
struct Twin {
    aggregator: HoldAggregator,
    last: u64,
}

impl Twin {
    fn new() -> Self {
        Self {
            aggregator: HoldAggregator::new(),
            last: 0,
        }
    }

    fn take(&mut self, batch: &FeedBatch) {
        for (_, event) in batch.events() {
            self.aggregator.record(&event);
        }
        self.last = batch.last;
    }

    fn is_equal_to(&self, engine: &Engine) -> bool {
        let ours = self.aggregator.snapshot(&all_time());
        let question = crate::support::question(all_time());
        let theirs = engine.page(&question, None, usize::MAX);
        let theirs = theirs.holders.iter().map(|row| &row.holder);
        ours.holders().iter().eq(theirs)
    }
}

/// Takes and commits everything up to event `last`.
fn follow_to(consumer: &mut Consumer, twin: &mut Twin, last: u64) -> Vec<FeedBatch> {
    let mut batches = Vec::new();
    while twin.last < last {
        let batch = next(consumer);
        twin.take(&batch);
        commit(consumer, batch.last);
        batches.push(batch);
    }
    batches
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Each consumer reads while events come in and segments are removed, pauses where it likes, and gets
    /// every number once, in order, with the event of that number.
    #[test]
    fn every_consumer_gets_exactly_what_was_acknowledged_in_order_while_it_is_acknowledged(
        sizes in proptest::collection::vec(1_i64..60, 20..120),
        recent_bytes_max in 0_usize..20_000,
        asked in proptest::collection::vec((1_usize..40_000, any::<bool>()), 1..6),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let options = Options { recent_bytes_max, ..restless(folder.path()) };
        let engine = open(options).unwrap();
        let last = sizes.iter().sum::<i64>().unsigned_abs();
        let consumers: Vec<_> = asked.iter().enumerate().map(|(place, asked)| {
            let name = format!("c{place}");
            let consumer = engine.feed().open(&name, Start::Now, WhenFull::Lag).unwrap();
            (consumer, *asked)
        }).collect();
        std::thread::scope(|scope| {
            let readers: Vec<_> = consumers.into_iter().map(|(mut consumer, (bytes_max, pauses))| {
                scope.spawn(move || {
                    let mut found = Vec::new();
                    while found.len() < usize::try_from(last).unwrap() {
                        let batch = wait(consumer.next(bytes_max)).expect("the engine is open");
                        assert_eq!(batch.origin, Origin::Journal);
                        for (number, event) in batch.events() {
                            found.push((number, event.claim.instant().unwrap().get()));
                        }
                        if pauses {
                            std::thread::sleep(Duration::from_millis(3));
                            commit(&consumer, batch.last);
                        } else {
                            drop(consumer.commit(batch.last, "p", Vec::new()));
                        }
                    }
                    found
                })
            }).collect();
            let mut first = 0;
            for size in &sizes {
                let _ = submit(&engine, distinct_batch("h", first, *size)).unwrap();
                first += size;
            }
            for reader in readers {
                let found = reader.join().unwrap();
                let expected: Vec<_> = (0..i64::try_from(last).unwrap())
                    .map(|place| (place.unsigned_abs() + 1, place * 1_000))
                    .collect();
                assert_eq!(found, expected);
            }
        });
    }
}

#[test]
fn a_consumer_reads_old_events_from_the_journal_and_goes_over_to_memory() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(restless(folder.path())).unwrap();
    let feed = engine.feed();
    let keeper = feed
        .open("keeps the journal", Start::Sequence(1), WhenFull::Lag)
        .unwrap();
    for number in 0..200 {
        submit(&engine, distinct_batch("h", number * 5, 5)).unwrap();
    }
    assert_eq!(keeper.position(), 0);
    for from in [1, 2, 499, 996, 1_000] {
        let opened = feed.open("c", Start::Sequence(from), WhenFull::Shed);
        let mut consumer = opened.unwrap();
        let mut found = Vec::new();
        let mut read_to = |last: u64| {
            while found.last() != Some(&last) {
                found.extend(numbers(&next(&mut consumer)));
            }
        };
        read_to(engine.sequence());
        submit(&engine, distinct_batch("other", 0, 1)).unwrap();
        read_to(engine.sequence());
        assert_eq!(found, (from..=engine.sequence()).collect::<Vec<_>>());
    }
}

#[test]
fn the_journal_is_kept_for_a_consumer_and_removed_once_it_has_passed() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(restless(folder.path())).unwrap();
    let mut consumer = engine.feed().open("c", Start::Now, WhenFull::Lag).unwrap();
    let fill = |from: i64| {
        for number in from..from + 400 {
            submit(&engine, distinct_batch("h", number * 5, 5)).unwrap();
        }
    };
    fill(0);
    until(|| engine.gauges().state_lag_events < 1_000);
    let kept = engine.gauges().segments;
    assert!(kept > 10, "{kept} segments");
    let mut twin = Twin::new();
    let batches = follow_to(&mut consumer, &mut twin, engine.sequence());
    assert!(batches.iter().all(|batch| batch.origin == Origin::Journal));
    // Without another event: the state has nothing to write, and the segments go all the same.
    until(|| engine.gauges().segments < kept / 2);
    fill(1_000);
    let batches = follow_to(&mut consumer, &mut twin, engine.sequence());
    assert!(batches.iter().all(|batch| batch.origin == Origin::Journal));
}

#[test]
fn a_consumer_beyond_the_bound_is_detached_the_disk_does_not_grow_and_it_gets_equal_facts() {
    let folder = tempfile::tempdir().unwrap();
    let lag_bytes_max = 64 << 10;
    let options = || Options {
        lag_bytes_max,
        ..restless(folder.path())
    };
    let options_used = options();
    let metrics = std::sync::Arc::clone(&options_used.metrics);
    let engine = open(options_used).unwrap();
    let mut stuck = engine
        .feed()
        .open("stuck", Start::Now, WhenFull::Lag)
        .unwrap();
    let mut current = engine
        .feed()
        .open("current", Start::Now, WhenFull::Lag)
        .unwrap();
    submit(&engine, distinct_batch("h", 0, 5)).unwrap();
    let mut twin = Twin::new();
    twin.take(&next(&mut stuck));
    commit(&stuck, 5);
    let mut other = Twin::new();
    let mut most = 0;
    for number in 1..2_000 {
        let holder = format!("h{}", number % 50);
        submit(&engine, distinct_batch(&holder, number * 5, 5)).unwrap();
        let _ = follow_to(&mut current, &mut other, engine.sequence());
        most = most.max(engine.gauges().journal_bytes);
    }
    // What is kept for the consumer, what the state does not cover yet, and segments that are not full.
    assert!(most < 4 * lag_bytes_max, "{most} bytes");
    let report = |name: &str| {
        let reports = engine.feed().consumers();
        reports
            .into_iter()
            .find(|report| report.name == name)
            .unwrap()
    };
    assert!(report("stuck").is_detached);
    assert_eq!(metrics.feed.detachments.get(), 1);
    assert!(!report("current").is_detached);
    assert_eq!(report("stuck").lag_events, engine.sequence() - 5);
    let batch = next(&mut stuck);
    let sequence = engine.sequence();
    assert_eq!((batch.origin, batch.first), (Origin::Facts, sequence));
    assert!(batch.events().all(|(number, _)| number == sequence));
    assert!(report("stuck").is_reading_facts);
    // Nothing of the facts is processed before their end is committed.
    assert_eq!(report("stuck").position, sequence);
    assert_eq!(report("stuck").lag_events, sequence);
    assert!(report("stuck").lag_seconds > 0.0);
    submit(&engine, distinct_batch("later", 0, 5)).unwrap();
    let mut twin = Twin::new();
    twin.take(&batch);
    let batches = follow_to(&mut stuck, &mut twin, engine.sequence());
    assert!(twin.is_equal_to(&engine) && !other.is_equal_to(&engine));
    let origins: Vec<_> = batches.iter().map(|batch| batch.origin).collect();
    let facts = origins
        .iter()
        .take_while(|origin| **origin == Origin::Facts);
    assert!(facts.count() > 3, "{origins:?}");
    assert_eq!(origins.last(), Some(&Origin::Journal));
    assert!(!report("stuck").is_reading_facts && !report("stuck").is_detached);
    assert_eq!(report("stuck").lag_events, 0);
    drop((stuck, current));
    engine.close();
    // The end of the copy is durable.
    let engine = open(options()).unwrap();
    let consumer = engine
        .feed()
        .open("stuck", Start::Beginning, WhenFull::Lag)
        .unwrap();
    assert_eq!(consumer.position(), engine.sequence());
}

#[test]
fn a_copy_of_facts_that_is_not_processed_to_its_end_begins_again() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(restless(folder.path())).unwrap();
    for number in 0..100 {
        submit(
            &engine,
            distinct_batch(&format!("h{number}"), number * 5, 5),
        )
        .unwrap();
    }
    let begin = |engine: &Engine| {
        let opened = engine.feed().open("c", Start::Beginning, WhenFull::Lag);
        opened.unwrap()
    };
    let mut consumer = begin(&engine);
    for _ in 0..3 {
        let batch = next(&mut consumer);
        assert_eq!((batch.origin, batch.last), (Origin::Facts, 499));
        commit(&consumer, batch.last);
    }
    drop(consumer);
    engine.close();
    drop(engine);
    let engine = open(restless(folder.path())).unwrap();
    let mut consumer = begin(&engine);
    let mut facts = BTreeSet::new();
    loop {
        let batch = next(&mut consumer);
        assert_eq!(batch.origin, Origin::Facts);
        for (_, event) in batch.events() {
            let holder = event.holder_id.to_owned();
            assert!(facts.insert((holder, event.claim.instant())));
        }
        commit(&consumer, batch.last);
        if batch.last == 500 {
            break;
        }
    }
    assert_eq!(facts.len(), 500);
    drop(consumer);
    let mut consumer = begin(&engine);
    submit(&engine, distinct_batch("h", 0, 1)).unwrap();
    let batch = next(&mut consumer);
    assert_eq!((batch.origin, batch.first), (Origin::Journal, 501));
}

#[test]
fn a_consumer_that_sheds_skips_what_left_memory_and_counts_it() {
    let folder = tempfile::tempdir().unwrap();
    for options in [ephemeral(), restless(folder.path())] {
        let engine = open(Options {
            recent_bytes_max: 1_000,
            ..options
        })
        .unwrap();
        let mut consumer = engine.feed().open("c", Start::Now, WhenFull::Shed).unwrap();
        for number in 0..300 {
            submit(&engine, distinct_batch("h", number, 1)).unwrap();
        }
        let mut found = numbers(&next(&mut consumer));
        let shed = engine.feed().consumers()[0].shed;
        assert!(shed > 200, "{shed}");
        while found.last() != Some(&300) {
            found.extend(numbers(&next(&mut consumer)));
        }
        assert_eq!(found, (shed + 1..=300).collect::<Vec<_>>());
        drop(consumer);
        assert!(engine.feed().consumers().is_empty());
    }
}

#[test]
fn in_memory_a_consumer_that_lags_starts_again_from_the_facts() {
    let engine = open(Options {
        recent_bytes_max: 1_000,
        ..ephemeral()
    })
    .unwrap();
    let mut consumer = engine.feed().open("c", Start::Now, WhenFull::Lag).unwrap();
    for number in 0..300 {
        submit(&engine, distinct_batch("h", number, 1)).unwrap();
    }
    let mut twin = Twin::new();
    let batches = follow_to(&mut consumer, &mut twin, 300);
    assert!(batches.iter().all(|batch| batch.origin == Origin::Facts));
    assert!(twin.is_equal_to(&engine));
}

#[test]
fn acknowledgements_do_not_wait_for_a_consumer_that_is_stuck() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(restless(folder.path())).unwrap();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let mut consumer = engine
            .feed()
            .open("stuck", Start::Now, WhenFull::Lag)
            .unwrap();
        let is_over = &is_over;
        scope.spawn(move || {
            let batch = next(&mut consumer);
            // A handler that never returns: it holds its batch, and asks for nothing more.
            until(|| is_over.load(Ordering::SeqCst));
            drop(batch);
        });
        let latencies = (0..500).map(|number| {
            let began = std::time::Instant::now();
            submit(&engine, distinct_batch("h", number * 5, 5)).unwrap();
            began.elapsed()
        });
        let mut latencies: Vec<_> = latencies.collect();
        is_over.store(true, Ordering::SeqCst);
        latencies.sort();
        assert!(
            latencies[250] < Duration::from_millis(250),
            "{:?}",
            latencies[250]
        );
    });
    let gauges = engine.gauges();
    let stuck = &gauges.consumers[0];
    assert!(stuck.lag_events > 2_000, "{stuck:?}");
    // Each batch has a frame of a sector, and some sectors of a segment have no frame.
    assert!(
        (500 * 512..500 * 700).contains(&stuck.lag_bytes),
        "{stuck:?}"
    );
    assert!(stuck.lag_seconds > 0.0 && !stuck.is_detached, "{stuck:?}");
}

#[test]
fn a_consumer_without_a_name_keeps_nothing_and_starts_from_the_facts_if_its_events_are_gone() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(restless(folder.path())).unwrap();
    let feed = engine.feed();
    let mut slow = feed.follow(Start::Now).unwrap();
    let fill = |from: i64| {
        for number in from..from + 600 {
            submit(&engine, distinct_batch("h", number * 5, 5)).unwrap();
        }
    };
    fill(0);
    until(|| engine.gauges().state_lag_events < 1_000);
    assert!(
        engine.gauges().segments < 10,
        "{} segments",
        engine.gauges().segments
    );
    assert!(feed.consumers().is_empty());

    let last = engine.sequence();
    let ahead = feed.follow(Start::Sequence(last + 2)).err();
    assert_eq!(
        ahead,
        Some(FeedError::Ahead {
            sequence: last + 2,
            last
        })
    );
    let recent = feed.follow(Start::Sequence(last)).unwrap();
    assert!(!recent.reads_facts());
    assert_eq!(recent.position(), last - 1);
    for mut gone in [
        feed.follow(Start::Sequence(1)).unwrap(),
        feed.follow(Start::Beginning).unwrap(),
    ] {
        assert!(gone.reads_facts());
        let mut twin = Twin::new();
        while twin.last < last {
            let batch = next(&mut gone);
            assert_eq!(batch.origin, Origin::Facts);
            assert_eq!(batch.is_complete(), batch.last == last);
            twin.take(&batch);
        }
        assert!(twin.is_equal_to(&engine) && !gone.reads_facts());
    }
    // One that was opened before its events were removed finds out when it reads.
    assert_eq!(next(&mut slow).origin, Origin::Facts);
    assert!(feed.consumers().is_empty());
}

#[test]
fn a_position_is_acknowledged_without_opening_its_consumer() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(restless(folder.path())).unwrap();
    let feed = engine.feed();
    assert!(
        feed.acknowledge("c", 0).unwrap().is_none(),
        "nobody knows it"
    );
    submit(&engine, distinct_batch("h", 0, 9)).unwrap();
    let consumer = feed.open("c", Start::Sequence(1), WhenFull::Lag).unwrap();
    let busy = feed.acknowledge("c", 3).err();
    assert_eq!(
        busy,
        Some(FeedError::InUse {
            name: "c".to_owned()
        })
    );
    drop(consumer);
    let acknowledge = |position| wait(feed.acknowledge("c", position).unwrap().expect("known"));
    acknowledge(3).unwrap();
    let ahead = acknowledge(10).unwrap_err();
    assert_eq!(
        ahead,
        FeedError::Ahead {
            sequence: 10,
            last: 9
        }
    );
    engine.close();
    drop(engine);
    let engine = open(restless(folder.path())).unwrap();
    let consumer = engine.feed().open("c", Start::Now, WhenFull::Lag).unwrap();
    assert_eq!(consumer.position(), 3);
}

#[test]
fn a_cursor_that_nobody_opens_keeps_the_journal_over_a_restart_and_only_up_to_the_bound() {
    let folder = tempfile::tempdir().unwrap();
    let options = |lag_bytes_max: u64| Options {
        lag_bytes_max,
        ..restless(folder.path())
    };
    let fill = |engine: &Engine, from: i64| {
        for number in from..from + 300 {
            let _ = submit(engine, distinct_batch("h", number * 5, 5)).unwrap();
        }
        until(|| engine.gauges().state_lag_events < 500);
    };
    let open_consumer = |engine: &Engine| {
        let opened = engine.feed().open("c", Start::Now, WhenFull::Lag);
        opened.unwrap()
    };
    let engine = open(options(1 << 20)).unwrap();
    commit(&open_consumer(&engine), 0);
    fill(&engine, 0);
    engine.close();
    let engine = open(options(1 << 20)).unwrap();
    fill(&engine, 1_000);
    let batch = next(&mut open_consumer(&engine));
    assert_eq!((batch.origin, batch.first), (Origin::Journal, 1));
    engine.close();
    // The same journal with a smaller bound.
    let engine = open(options(32 << 10)).unwrap();
    fill(&engine, 2_000);
    assert!(engine.feed().consumers()[0].is_detached);
    until(|| engine.gauges().journal_bytes < 128 << 10);
    engine.close();
    let engine = open(options(32 << 10)).unwrap();
    assert!(engine.feed().consumers()[0].is_detached);
    let batch = next(&mut open_consumer(&engine));
    assert_eq!((batch.origin, batch.first), (Origin::Facts, 4_500));
}
