//! Cursors and the states of pipelines survive what the events survive, and their file fails by itself.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use poh_holdmetrics_rust::engine::{
    Condition, Consumer, Engine, FeedError, OpenError, Options, Origin, Start, WhenFull,
};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::faulty::FaultyVfs;
use crate::support::{distinct_batch, submit, wait};

fn options(vfs: &FaultyVfs) -> Options {
    let mut options = Options {
        vfs: Arc::new(vfs.clone()),
        recent_bytes_max: 1 << 10,
        ..crate::support::options(Path::new("/data"))
    };
    options.store.state_lag_bytes_max = 4 << 10;
    options
}

fn open(vfs: &FaultyVfs) -> Result<Engine, OpenError> {
    crate::support::open(options(vfs))
}

fn consumer(engine: &Engine) -> Consumer {
    let opened = engine.feed().open("p/c", Start::Sequence(1), WhenFull::Lag);
    opened.expect("the name is free")
}

/// The number that the pipeline keeps beside the cursor.
fn kept(engine: &Engine) -> u64 {
    let values = engine.feed().state("p").unwrap();
    values.first().map_or(0, |(key, text)| {
        assert_eq!(key, "last");
        text.parse().unwrap()
    })
}

fn value(position: u64) -> Vec<(String, Option<String>)> {
    vec![("last".into(), Some(position.to_string()))]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, max_shrink_iters: 100, failure_persistence: None, ..ProptestConfig::default() })]

    /// Lives of one store, each ended by a loss of power at some sync. What a consumer committed is there with
    /// the value that it committed, and everything after it is delivered again.
    #[test]
    fn after_a_loss_of_power_cursor_and_state_agree_and_every_event_is_delivered_at_least_once(
        lives in proptest::collection::vec((1_u64..60, 1_i64..9), 1..6),
        seed: u64,
    ) {
        let mut random = Pcg64Mcg::seed_from_u64(seed);
        let mut vfs = FaultyVfs::default();
        // From then on it has a cursor, for which the journal is kept.
        let engine = open(&vfs).expect("an empty store");
        wait(consumer(&engine).commit(0, "p", Vec::new())).expect("written");
        engine.close();
        let mut processed = BTreeSet::new();
        let mut committed = 0;
        for (stop, size) in lives {
            vfs.stop_at_sync(stop);
            if let Ok(engine) = open(&vfs) {
                let mut consumer = consumer(&engine);
                prop_assert!(consumer.position() >= committed);
                prop_assert_eq!(kept(&engine), consumer.position());
                let from = i64::try_from(engine.sequence()).unwrap();
                for number in 0..30 {
                    if submit(&engine, distinct_batch("h", from + number * size, size)).is_err() {
                        break;
                    }
                    let batch = wait(consumer.next(1 << 10)).expect("the engine is open");
                    if batch.origin == Origin::Facts {
                        // The journal cannot be read any more, which is no reason to start again before.
                        prop_assert!(vfs.disk().is_stopped);
                        break;
                    }
                    processed.extend(batch.events().map(|(number, _)| number));
                    if wait(consumer.commit(batch.last, "p", value(batch.last))).is_ok() {
                        committed = batch.last;
                    }
                }
                drop(consumer);
                engine.close();
            }
            vfs = vfs.crash(&mut |possibilities| random.random_range(0..possibilities));
        }
        let engine = open(&vfs).map_err(|error| TestCaseError::fail(error.to_string()))?;
        let mut consumer = consumer(&engine);
        let position = consumer.position();
        prop_assert!(position >= committed);
        prop_assert_eq!(kept(&engine), position);
        prop_assert!((1..=position).all(|number| processed.contains(&number)));
        let mut last = position;
        while last < engine.sequence() {
            let batch = wait(consumer.next(1 << 10)).expect("the engine is open");
            prop_assert_eq!(batch.origin, Origin::Journal);
            prop_assert_eq!(batch.first, last + 1);
            last = batch.last;
        }
    }
}

#[test]
fn a_failed_commit_is_an_error_to_its_consumer_and_the_engine_goes_on() {
    let vfs = FaultyVfs::default();
    let options = options(&vfs);
    let metrics = Arc::clone(&options.metrics);
    let engine = crate::support::open(options).unwrap();
    let consumer = consumer(&engine);
    submit(&engine, distinct_batch("h", 0, 5)).unwrap();
    wait(consumer.commit(2, "p", value(2))).unwrap();
    vfs.fail_at_sync(1);
    let failed = wait(consumer.commit(4, "p", value(4)));
    assert!(
        matches!(failed, Err(FeedError::NotWritten { .. })),
        "{failed:?}"
    );
    assert_eq!((consumer.position(), kept(&engine)), (2, 2));
    assert_eq!(metrics.feed.commit_failures.get(), 1);
    assert_eq!(engine.condition(), Condition::Ready);
    submit(&engine, distinct_batch("h", 5, 5)).unwrap();
    wait(consumer.commit(5, "p", value(5))).unwrap();
    assert_eq!((consumer.position(), kept(&engine)), (5, 5));
    drop(consumer);
    engine.close();
    let engine = open(&vfs.image()).unwrap();
    assert_eq!(engine.feed().consumers()[0].position, 5);
    assert_eq!(kept(&engine), 5);
}

#[test]
fn a_damaged_file_of_cursors_is_refused_in_one_sentence_and_moved_aside_by_a_salvage() {
    let vfs = FaultyVfs::default();
    let engine = open(&vfs).unwrap();
    submit(&engine, distinct_batch("h", 0, 5)).unwrap();
    wait(consumer(&engine).commit(3, "p", value(3))).unwrap();
    engine.close();
    let path = Path::new("/data/cursors.redb");
    vfs.change(path, |bytes| {
        let place = bytes.windows(3).rposition(|name| name == b"p/c").unwrap();
        bytes[place + 3] ^= 1;
    });
    let vfs = vfs.image();
    let refused = open(&vfs).err().expect("it is refused").to_string();
    assert!(
        refused.starts_with("/data/cursors.redb: the file of cursors is damaged ("),
        "{refused}"
    );
    assert!(
        refused.contains("start once with `serve --salvage`"),
        "{refused}"
    );
    let salvaging = Options {
        salvages: true,
        ..options(&vfs)
    };
    crate::support::open(salvaging).unwrap().close();
    let names = vfs.paths();
    assert!(
        names.contains(&"/data/cursors.redb.damaged-1".into()),
        "{names:?}"
    );
    // Also in a later life: it may have had a cursor.
    let engine = open(&vfs).unwrap();
    assert_eq!(engine.sequence(), 5);
    let mut consumer = engine
        .feed()
        .open("p/c", Start::Now, WhenFull::Lag)
        .unwrap();
    let batch = wait(consumer.next(1 << 10)).unwrap();
    assert_eq!(
        (batch.origin, batch.count(), batch.last),
        (Origin::Facts, 5, 5)
    );
}

#[test]
fn a_salvage_that_was_interrupted_before_its_last_step_is_completed() {
    let vfs = FaultyVfs::default();
    let engine = open(&vfs).unwrap();
    submit(&engine, distinct_batch("h", 0, 5)).unwrap();
    wait(consumer(&engine).commit(3, "p", value(3))).unwrap();
    engine.close();
    let mut disk = vfs.disk();
    let file = disk.names.remove(Path::new("/data/cursors.redb")).unwrap();
    disk.names
        .insert("/data/cursors.redb.salvaged".into(), file);
    drop(disk);
    let engine = open(&vfs).unwrap();
    assert_eq!(engine.feed().consumers()[0].position, 3);
}

#[test]
fn a_cursor_beyond_the_end_of_the_journal_begins_with_the_facts() {
    let vfs = FaultyVfs::default();
    let engine = open(&vfs).unwrap();
    submit(&engine, distinct_batch("h", 0, 5)).unwrap();
    engine.close();
    let backup = vfs.image();
    let engine = open(&vfs).unwrap();
    submit(&engine, distinct_batch("h", 5, 5)).unwrap();
    wait(consumer(&engine).commit(9, "p", value(9))).unwrap();
    engine.close();
    // Everything but the cursors comes from the backup.
    let cursors = vfs.bytes(Path::new("/data/cursors.redb"));
    let engine = open(&backup).unwrap();
    wait(consumer(&engine).commit(1, "p", value(1))).unwrap();
    engine.close();
    backup.change(Path::new("/data/cursors.redb"), |bytes| *bytes = cursors);
    let engine = open(&backup).unwrap();
    assert!(engine.feed().consumers()[0].is_detached);
    let batch = wait(consumer(&engine).next(1 << 10)).unwrap();
    assert_eq!((batch.origin, batch.last), (Origin::Facts, 5));
}

#[test]
fn a_removed_cursor_is_gone_for_good_and_one_that_is_open_is_not_removed() {
    let vfs = FaultyVfs::default();
    let engine = open(&vfs).unwrap();
    let feed = engine.feed();
    let open_one = consumer(&engine);
    let name = "p/c".to_owned();
    assert_eq!(feed.remove("p/c"), Err(FeedError::InUse { name }));
    assert_eq!(feed.remove("other"), Ok(false));
    wait(open_one.commit(0, "p", value(1))).unwrap();
    drop(open_one);
    vfs.fail_at_sync(1);
    let failed = feed.remove("p/c");
    assert!(
        matches!(failed, Err(FeedError::NotWritten { .. })),
        "{failed:?}"
    );
    assert_eq!(feed.consumers().len(), 1);
    assert_eq!(feed.remove("p/c"), Ok(true));
    assert!(feed.consumers().is_empty());
    engine.close();
    let engine = open(&vfs.image()).unwrap();
    assert!(engine.feed().consumers().is_empty());
}

#[test]
fn a_consumer_that_got_an_event_and_never_committed_is_known_after_a_crash() {
    let vfs = FaultyVfs::default();
    let engine = open(&vfs).unwrap();
    submit(&engine, distinct_batch("h", 0, 5)).unwrap();
    let follow = |engine: &Engine| {
        let opened = engine.feed().open("p/c", Start::Now, WhenFull::Lag);
        opened.expect("the name is free")
    };
    let mut consumer = follow(&engine);
    submit(&engine, distinct_batch("h", 5, 5)).unwrap();
    assert_eq!(wait(consumer.next(1)).unwrap().first, 6);
    // Nothing that is not synced is left.
    let engine = open(&vfs.crash(&mut |_| 0)).unwrap();
    let batch = wait(follow(&engine).next(1 << 10)).unwrap();
    assert_eq!((batch.first, batch.last), (6, 10));
}
