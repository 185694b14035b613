//! An engine over a real folder: numbers, receipts, what a start finds, what is refused.

use std::error::Error as _;
use std::time::{Duration, Instant};

use crate::support::{
    all_time, distinct, distinct_batch, enqueue, ephemeral, held, open, options, question, submit,
    until, wait,
};
use poh_holdmetrics_rust::core::{EventBatch, Micros, Window};
use poh_holdmetrics_rust::engine::{
    Condition, Durability, OpenError, Receipt, Start, SubmitError, WhenFull,
};

#[test]
fn events_are_numbered_from_one_in_the_order_of_their_admission() {
    let folder = tempfile::tempdir().expect("a folder");
    let engine = open(options(folder.path())).expect("an empty store");
    assert_eq!(
        (engine.sequence(), engine.durability()),
        (0, Durability::Durable)
    );
    let pendings: Vec<_> = (0..20)
        .map(|number| enqueue(&engine, distinct_batch("h", number * 10, 3)).expect("room"))
        .collect();
    for (first, pending) in (1..).step_by(3).zip(pendings) {
        let receipt = wait(pending).expect("acknowledged");
        let expected = Receipt {
            first,
            last: first + 2,
            durability: Durability::Durable,
        };
        assert_eq!(receipt, expected);
        assert!(
            engine.sequence() >= receipt.last,
            "what is acknowledged is applied"
        );
    }
    assert_eq!(held(&engine, "h"), 60);
    assert_eq!(engine.condition(), Condition::Ready);
}

#[test]
fn an_ephemeral_engine_says_buffered_and_keeps_nothing() {
    let engine = open(ephemeral()).expect("nothing to open");
    let receipt = submit(&engine, distinct_batch("h", 0, 5)).expect("acknowledged");
    assert_eq!(
        receipt,
        Receipt {
            first: 1,
            last: 5,
            durability: Durability::Buffered
        }
    );
    assert_eq!(held(&engine, "h"), 5);
    engine.close();
    assert_eq!(
        submit(&engine, distinct_batch("h", 9, 1)),
        Err(SubmitError::Closing)
    );
}

#[test]
fn d2_a_start_finds_everything_with_and_without_a_state() {
    let folder = tempfile::tempdir().expect("a folder");
    for round in 0..4 {
        let engine = open(options(folder.path())).expect("what was closed in order");
        assert_eq!(engine.sequence(), round * 500, "round {round}");
        let number = i64::try_from(round * 500).expect("small");
        submit(&engine, distinct_batch("h", number, 500)).expect("acknowledged");
        assert_eq!(held(&engine, "h"), u128::from((round + 1) * 500));
        engine.close();
        assert!(
            folder.path().join("state.redb").exists(),
            "the end writes the state"
        );
        if round == 1 {
            // Without its state, a store whose first segment is gone must not open as if all was well.
            let state = std::fs::read(folder.path().join("state.redb")).expect("a state");
            std::fs::remove_file(folder.path().join("state.redb")).expect("removed");
            let gap = open(options(folder.path())).err().expect("a gap");
            assert!(matches!(gap, OpenError::Gap { applied: 0, .. }), "{gap}");
            std::fs::write(folder.path().join("state.redb"), state).expect("put back");
        }
    }
}

#[test]
fn a_store_that_went_on_over_a_gap_opens_again_without_a_state() {
    let folder = tempfile::tempdir().expect("a folder");
    for round in 0..2 {
        let engine = open(options(folder.path())).expect("what was closed in order");
        submit(&engine, distinct_batch("h", round * 500, 500)).expect("acknowledged");
        engine.close();
    }
    let state = folder.path().join("state.redb");
    std::fs::remove_file(&state).expect("removed");
    let mut salvaging = options(folder.path());
    salvaging.salvages = true;
    let engine = open(salvaging).expect("salvaged");
    assert_eq!(engine.sequence(), 1_000);
    // What a machine leaves that stops before the state is written.
    let copy = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(copy.path().join("journal")).expect("made");
    for file in std::fs::read_dir(folder.path().join("journal")).expect("listed") {
        let file = file.expect("listed");
        let to = copy.path().join("journal").join(file.file_name());
        std::fs::copy(file.path(), to).expect("copied");
    }
    let identity = |folder: &tempfile::TempDir| folder.path().join("identity");
    std::fs::copy(identity(&folder), identity(&copy)).expect("copied");
    let engine = open(options(copy.path())).expect("the gap is noted in the journal");
    assert_eq!(engine.sequence(), 1_000);
}

#[test]
fn a_state_without_its_journal_is_refused_and_goes_on_where_salvage_is_asked_for() {
    for is_folder_there in [false, true] {
        let folder = tempfile::tempdir().expect("a folder");
        let engine = open(options(folder.path())).expect("an empty store");
        submit(&engine, distinct_batch("h", 0, 50)).expect("acknowledged");
        engine.close();
        drop(engine);
        let journal = folder.path().join("journal");
        std::fs::remove_dir_all(&journal).expect("removed");
        if is_folder_there {
            std::fs::create_dir(&journal).expect("made");
        }
        let refusal = open(options(folder.path())).err().expect("refused");
        assert!(
            matches!(refusal, OpenError::Missing { applied: 50, .. }),
            "{refusal}"
        );
        assert!(refusal.to_string().contains("--salvage"), "{refusal}");
        assert_eq!(journal.exists(), is_folder_there, "nothing was changed");
        let mut salvaging = options(folder.path());
        salvaging.salvages = true;
        let engine = open(salvaging).expect("the state is whole");
        assert_eq!((engine.sequence(), held(&engine, "h")), (50, 50));
        let receipt = submit(&engine, distinct_batch("h", 50, 1)).expect("acknowledged");
        assert_eq!(receipt.first, 51);
        engine.close();
        drop(engine);
        open(options(folder.path())).expect("a store like any other");
    }
}

#[test]
fn a_file_in_the_place_of_the_folder_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    std::fs::write(&file, "x").expect("written");
    let refusal = open(options(&file)).err().expect("refused").to_string();
    assert!(refusal.contains("is a file"), "{refusal}");
    assert!(!refusal.contains("os error"), "{refusal}");
}

#[test]
fn what_the_system_refuses_is_the_source_of_an_error_that_names_the_file() {
    for name in ["lock", "state.redb", "journal/00000000000000000001.log"] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(name);
        // A folder cannot be opened for writing, or read as a file.
        std::fs::create_dir_all(&path).expect("made");
        let refusal = open(options(folder.path())).err().expect("refused");
        let cause = refusal.source().expect("what the system says");
        assert!(cause.is::<std::io::Error>(), "{cause:?}");
        let place = format!("{}: cannot be ", path.display());
        let refusal = refusal.to_string();
        assert!(refusal.starts_with(&place), "{refusal}");
        assert!(!refusal.contains(&cause.to_string()), "{refusal}");
    }
}

#[test]
fn the_state_follows_and_covered_segments_go() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut options = options(folder.path());
    options.store.state_lag_bytes_max = 64 << 10;
    let engine = open(options).expect("an empty store");
    for number in 0..400 {
        submit(&engine, distinct_batch("h", number * 20, 20)).expect("acknowledged");
    }
    // 8,000 events are over 200 KiB: without a state they would fill 25 segments or more.
    until(|| engine.gauges().segments < 15);
    let figures = engine.gauges();
    assert!(figures.state_lag_events < 8_000, "{figures:?}");
    assert_eq!(
        (figures.sequence, figures.holders, figures.keys),
        (8_000, 1, 1)
    );
}

#[test]
fn a_state_that_is_old_enough_is_written_without_more_events() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut options = options(folder.path());
    options.store.state_lag_max = Duration::from_millis(20);
    let engine = open(options).expect("an empty store");
    submit(&engine, distinct_batch("h", 0, 3)).expect("acknowledged");
    until(|| engine.gauges().state_lag_events == 0);
    assert!(engine.gauges().state_lag_seconds.abs() < f64::EPSILON);
}

#[test]
fn a_second_engine_is_refused_by_name_of_the_first() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = open(options(folder.path())).expect("an empty store");
    let refusal = open(options(folder.path()))
        .err()
        .expect("refused")
        .to_string();
    let own = format!("process {}", std::process::id());
    assert!(
        refusal.contains("in use by") && refusal.contains(&own),
        "{refusal}"
    );
    drop(first);
    open(options(folder.path())).expect("free again");
}

#[test]
fn an_empty_store_opens_within_a_fifth_of_a_second() {
    let folder = tempfile::tempdir().expect("a folder");
    let best = (0..5)
        .map(|round| {
            let started = Instant::now();
            let engine = open(options(&folder.path().join(round.to_string()))).expect("empty");
            let took = started.elapsed();
            engine.close();
            took
        })
        .min();
    assert!(best < Some(Duration::from_millis(200)), "{best:?}");
}

#[test]
fn a_full_queue_makes_a_sender_wait_and_a_batch_that_never_fits_is_told() {
    let mut options = ephemeral();
    options.store.queue_bytes_max = 4 << 10;
    let engine = open(options).expect("nothing to open");
    let large = distinct_batch("h", 0, 1_000);
    let bytes = large.bytes().len() + 64;
    let expected = SubmitError::TooLarge {
        bytes,
        bytes_max: 4 << 10,
    };
    assert_eq!(enqueue(&engine, large).err(), Some(expected));
    // A hundred times what fits at once gets through, because senders wait for room.
    wait(async {
        let mut last = None;
        for number in 0..300 {
            last = Some(
                engine
                    .submit(distinct_batch("h", number * 40, 40))
                    .await
                    .expect("room"),
            );
        }
        let receipt = last.expect("300 batches").await.expect("acknowledged");
        assert_eq!(receipt.last, 12_000);
    });
    until(|| engine.gauges().queue_bytes == 0);
}

#[test]
fn close_acknowledges_what_is_in_the_queue_and_refuses_the_rest() {
    let folder = tempfile::tempdir().expect("a folder");
    let engine = open(options(folder.path())).expect("an empty store");
    let pendings: Vec<_> = (0..200)
        .map(|number| enqueue(&engine, distinct_batch("h", number * 10, 10)).expect("room"))
        .collect();
    engine.close();
    for pending in pendings {
        wait(pending).expect("submitted before the end, so acknowledged");
    }
    assert_eq!(
        submit(&engine, distinct_batch("h", 0, 1)),
        Err(SubmitError::Closing)
    );
    assert_eq!(engine.condition(), Condition::Closing);
    assert_eq!(held(&engine, "h"), 2_000, "reads go on");
    drop(engine);
    assert_eq!(
        open(options(folder.path()))
            .expect("closed in order")
            .sequence(),
        2_000
    );
}

#[test]
fn events_that_changed_nothing_are_counted() {
    let engine_options = ephemeral();
    let metrics = std::sync::Arc::clone(&engine_options.metrics);
    let engine = open(engine_options).expect("nothing to open");
    for _ in 0..3 {
        submit(&engine, distinct_batch("h", 0, 7)).expect("acknowledged");
    }
    assert_eq!(metrics.events_accepted.get(), 21);
    assert_eq!(metrics.events_duplicate.get(), 14);
    assert_eq!(metrics.ack_latency.get_sample_count(), 3);
}

#[test]
fn pages_follow_each_other_through_their_cursors() {
    let engine = open(ephemeral()).expect("nothing to open");
    let names: Vec<_> = (0..10).map(|number| format!("h{number}")).collect();
    let mut all = EventBatch::default();
    for (number, name) in (0..).zip(&names) {
        // Two of each score: ranks 1, 1, 3, 3, and so on.
        for stretch in 0..=number / 2 {
            all.push(&distinct(name, stretch));
        }
    }
    submit(&engine, all).expect("acknowledged");
    let mut rows = Vec::new();
    let mut cursor = None;
    loop {
        let page = engine.page(&question(all_time()), cursor.as_ref(), 3);
        assert_eq!((page.known, page.sequence), (10, engine.sequence()));
        rows.extend(
            page.holders
                .into_iter()
                .map(|row| (row.rank, row.holder.holder_id)),
        );
        cursor = page.next;
        match &cursor {
            Some(cursor) => assert_eq!(cursor.listed, rows.len() as u64),
            None => break,
        }
    }
    let shown: Vec<_> = rows
        .iter()
        .map(|(rank, id)| format!("{rank}:{id}"))
        .collect();
    let expected = "1:h8 1:h9 3:h6 3:h7 5:h4 5:h5 7:h2 7:h3 9:h0 9:h1";
    assert_eq!(shown.join(" "), expected);
    let until_start = Window::until(Micros::new(0).expect("in range"));
    let explained = engine
        .holder("h9", &question(until_start), 0)
        .expect("known");
    assert_eq!(
        (explained.holder.rank, explained.keys[0].segments.len()),
        (1, 5)
    );
    assert!(engine.holder("h99", &question(all_time()), 0).is_none());
}

/// A whole state or file of cursors of another store was accepted if its numbers fitted.
#[test]
fn files_of_two_stores_are_refused_together() {
    let written = || {
        let folder = tempfile::tempdir().expect("a folder");
        let engine = open(options(folder.path())).expect("an empty store");
        submit(&engine, distinct_batch("h", 0, 50)).expect("acknowledged");
        let consumer = engine.feed().open("reader", Start::Now, WhenFull::Lag);
        drop(consumer.expect("a consumer"));
        engine.close();
        folder
    };
    let folder = written();
    let other = written();
    for name in ["state.redb", "cursors.redb"] {
        let path = folder.path().join(name);
        let own = std::fs::read(&path).expect("it was written");
        std::fs::copy(other.path().join(name), &path).expect("copied");
        for salvages in [false, true] {
            let mut options = options(folder.path());
            options.salvages = salvages;
            let refusal = open(options).err().expect("refused").to_string();
            let place = format!("{}: belongs to store ", path.display());
            assert!(refusal.starts_with(&place), "{refusal}");
        }
        std::fs::write(&path, own).expect("put back");
        let engine = open(options(folder.path())).expect("files of one store");
        assert_eq!(engine.sequence(), 50);
    }
}

#[test]
fn a_folder_of_an_older_version_gets_an_identity_at_its_first_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let journal = folder.path().join("journal");
    std::fs::create_dir(&journal).expect("made");
    let fixture = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/journal/fixture/v2");
    for file in std::fs::read_dir(fixture.join("journal")).expect("committed") {
        let file = file.expect("listed");
        std::fs::copy(file.path(), journal.join(file.file_name())).expect("copied");
    }
    let identity = folder.path().join("identity");
    let engine = open(options(folder.path())).expect("a store of an older version");
    let sequence = engine.sequence();
    assert!(sequence > 20 && identity.exists());
    submit(&engine, distinct_batch("h", 0, 50)).expect("acknowledged");
    engine.close();
    let engine = open(options(folder.path())).expect("a store like any other");
    assert_eq!(engine.sequence(), sequence + 50);
    engine.close();
    std::fs::remove_file(&identity).expect("removed");
    let refusal = open(options(folder.path())).err().expect("refused");
    assert!(refusal.to_string().contains("--salvage"), "{refusal}");
    let mut salvaging = options(folder.path());
    salvaging.salvages = true;
    let engine = open(salvaging).expect("the identity is made anew");
    assert_eq!(engine.sequence(), sequence + 50);
}
