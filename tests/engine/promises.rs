//! The promises of an acknowledgement, on a disk that loses what was not synced, fails and runs full.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::arbitrary;
use crate::faulty::FaultyVfs;
use crate::naive::{self, Sent};
use crate::support::{batch, distinct_batch, held, scores, submit, until, wait};
use poh_holdmetrics_rust::core::{EventBatch, Window};
use poh_holdmetrics_rust::engine::{Condition, Engine, OpenError, Options, SubmitError};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

fn options(vfs: &FaultyVfs) -> Options {
    Options {
        vfs: Arc::new(vfs.clone()),
        ..crate::support::options(Path::new("/data"))
    }
}

fn open(vfs: &FaultyVfs) -> Result<Engine, OpenError> {
    crate::support::open(options(vfs))
}

fn window() -> Window {
    Window::until(naive::micros(34))
}

fn expected(sent: &[Sent]) -> BTreeMap<String, (u128, u128)> {
    naive::scores(sent, &window())
}

fn encoded(sent: &[Sent]) -> EventBatch {
    batch(sent.iter().map(Sent::event))
}

/// Sends all of `sent` in batches of up to `size`, `at_once` of them on their way together, until
/// one is refused; returns the number of events acknowledged.
fn send(engine: &Engine, sent: &[Sent], size: usize, at_once: usize) -> u64 {
    let batches: Vec<_> = sent.chunks(size).map(encoded).collect();
    let mut acknowledged = 0;
    for batches in batches.chunks(at_once) {
        let receipts = wait(async {
            let mut pendings = Vec::new();
            for batch in batches {
                match engine.submit(batch.clone()).await {
                    Ok(pending) => pendings.push(pending),
                    Err(_) => break,
                }
            }
            let mut receipts = Vec::new();
            for pending in pendings {
                receipts.push(pending.await);
            }
            receipts
        });
        let is_whole = receipts.len() == batches.len() && receipts.iter().all(Result::is_ok);
        acknowledged = receipts
            .iter()
            .flatten()
            .map(|receipt| receipt.last)
            .fold(acknowledged, u64::max);
        if !is_whole {
            break;
        }
    }
    acknowledged
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Lives of one store, each ended by a loss of power at some sync; what a life finds is exactly
    /// the first events that were sent, with all that were acknowledged among them.
    #[test]
    fn d1_d2_after_a_loss_of_power_every_acknowledged_event_is_there_and_none_that_was_not_sent(
        sent in arbitrary::events(60..160),
        lives in proptest::collection::vec((1_u64..40, 1_usize..9, 1_usize..4), 1..5),
        seed: u64,
        is_state_busy: bool,
    ) {
        let mut random = Pcg64Mcg::seed_from_u64(seed);
        let mut vfs = FaultyVfs::default();
        let mut done = 0;
        for (stop, size, at_once) in lives {
            let mut options = options(&vfs);
            if is_state_busy {
                options.store.state_lag_bytes_max = 256;
            }
            vfs.stop_at_sync(stop);
            let mut acknowledged = done as u64;
            if let Ok(engine) = crate::support::open(options) {
                prop_assert!(engine.sequence() >= acknowledged);
                let known = usize::try_from(engine.sequence()).expect("small");
                prop_assert_eq!(scores(&engine, window()), expected(&sent[..known]));
                acknowledged = acknowledged.max(send(&engine, &sent[known..], size, at_once));
                engine.close();
            }
            vfs = vfs.crash(&mut |possibilities| random.random_range(0..possibilities));
            let engine = open(&vfs);
            prop_assert!(engine.is_ok(), "{}", engine.err().map(|error| error.to_string()).unwrap_or_default());
            let engine = engine.expect("checked");
            done = usize::try_from(engine.sequence()).expect("small");
            prop_assert!(done as u64 >= acknowledged, "{} of {} acknowledged", done, acknowledged);
            prop_assert!(done <= sent.len());
            prop_assert_eq!(scores(&engine, window()), expected(&sent[..done]));
            // Without an orderly end: what this life has read must be found by the next one too.
            vfs = vfs.crash(&mut |possibilities| random.random_range(0..possibilities));
        }
    }

    #[test]
    fn d3_sending_again_any_part_in_any_order_leaves_the_state_equal(
        (sent, again) in arbitrary::events(1..50).prop_flat_map(|sent| {
            let again = [sent.clone(), sent.clone()].concat();
            let length = again.len();
            (Just(sent), (Just(again).prop_shuffle(), 0..=length).prop_map(|(mut again, kept)| { again.truncate(kept); again }))
        }),
        size in 1_usize..20,
        restarts_between: bool,
    ) {
        let vfs = FaultyVfs::default();
        let mut engine = open(&vfs).expect("an empty store");
        send(&engine, &sent, size, 3);
        let before = scores(&engine, window());
        prop_assert_eq!(&before, &expected(&sent));
        if restarts_between {
            drop(engine);
            engine = open(&vfs).expect("closed in order");
        }
        send(&engine, &again, size, 3);
        prop_assert_eq!(&scores(&engine, window()), &before);
        drop(engine);
        let engine = open(&vfs).expect("closed in order");
        prop_assert_eq!(engine.sequence(), (sent.len() + again.len()) as u64);
        prop_assert_eq!(&scores(&engine, window()), &before);
    }
}

/// A store with a state, covered and uncovered segments: its disk, and what it answers.
fn small_store() -> (FaultyVfs, u64, BTreeMap<String, (u128, u128)>) {
    let vfs = FaultyVfs::default();
    let engine = open(&vfs).expect("an empty store");
    for number in 0..6 {
        submit(&engine, distinct_batch("alice", number * 20, 15)).expect("acknowledged");
    }
    // An orderly end writes the state.
    drop(engine);
    let engine = open(&vfs).expect("closed in order");
    assert_eq!(engine.gauges().state_lag_events, 0);
    // These stay in the journal alone: the machine loses power, and the state is not written again.
    for number in 6..8 {
        submit(&engine, distinct_batch("bob", number * 20, 15)).expect("acknowledged");
    }
    let image = vfs.image();
    let answer = scores(&engine, crate::support::all_time());
    (image, engine.sequence(), answer)
}

/// Opens a changed disk: what is answered is right, or it is refused with one line that names what.
fn is_detected_or_harmless(
    vfs: &FaultyVfs,
    what: &str,
    sequence: u64,
    answer: &BTreeMap<String, (u128, u128)>,
) -> bool {
    match open(vfs) {
        Err(error) => {
            let told = error.to_string();
            assert!(
                !told.contains('\n') && told.contains("/data"),
                "{what}: {told}"
            );
            true
        }
        Ok(engine) => {
            let found = scores(&engine, crate::support::all_time());
            assert_eq!(engine.sequence(), sequence, "{what}: events are gone");
            assert_eq!(&found, answer, "{what}: served a wrong answer");
            drop(engine);
            // Whatever the change was in, it must not come out later either.
            if let Ok(engine) = open(vfs) {
                assert_eq!(
                    &scores(&engine, crate::support::all_time()),
                    answer,
                    "{what}: later"
                );
            }
            false
        }
    }
}

fn stored_files(vfs: &FaultyVfs) -> Vec<PathBuf> {
    let is_stored = |path: &PathBuf| !path.ends_with("lock");
    vfs.paths().into_iter().filter(is_stored).collect()
}

#[test]
fn d4_a_flipped_bit_anywhere_is_detected_or_changes_no_answer() {
    let (vfs, sequence, answer) = small_store();
    let mut random = Pcg64Mcg::seed_from_u64(4);
    for path in stored_files(&vfs) {
        let bytes = vfs.bytes(&path);
        let used: Vec<_> = (0..bytes.len()).filter(|at| bytes[*at] != 0).collect();
        let mut detected = 0;
        let trials = 120;
        for trial in 0..trials {
            // Mostly where something is written, sometimes anywhere.
            let at = if trial % 5 > 0 && !used.is_empty() {
                used[random.random_range(0..used.len())]
            } else {
                random.random_range(0..bytes.len())
            };
            let bit = random.random_range(0..8);
            let image = vfs.image();
            image.change(&path, |bytes| bytes[at] ^= 1 << bit);
            let what = format!("{} byte {at} bit {bit}", path.display());
            detected += u32::from(is_detected_or_harmless(&image, &what, sequence, &answer));
        }
        // A damaged copy of the identity is detected, and the other one serves.
        if !path.ends_with("identity") && bytes.len() > used.len() / 2 && !used.is_empty() {
            assert!(
                detected > 0,
                "{}: nothing was ever detected",
                path.display()
            );
        }
    }
}

#[test]
fn d4_a_zeroed_sector_in_the_state_is_detected_or_changes_no_answer() {
    let (vfs, sequence, answer) = small_store();
    let path = Path::new("/data/state.redb");
    let bytes = vfs.bytes(path);
    let mut detected = 0;
    let sectors = bytes.chunks(512).enumerate();
    for (sector, _) in sectors.filter(|(_, bytes)| bytes.iter().any(|byte| *byte != 0)) {
        let image = vfs.image();
        image.change(path, |bytes| bytes[sector * 512..][..512].fill(0));
        let what = format!("sector {sector}");
        detected += u32::from(is_detected_or_harmless(&image, &what, sequence, &answer));
    }
    assert!(detected > 0, "no sector mattered");
}

#[test]
fn d4_a_damaged_state_is_salvaged_and_what_is_lost_is_no_secret() {
    let (vfs, sequence, answer) = small_store();
    let path = Path::new("/data/state.redb");
    let refused = |vfs: &FaultyVfs| match open(vfs) {
        Err(OpenError::State(error)) => error.to_string().contains("--salvage"),
        _ => false,
    };
    let mut random = Pcg64Mcg::seed_from_u64(5);
    let used: Vec<_> = {
        let bytes = vfs.bytes(path);
        (0..bytes.len()).filter(|at| bytes[*at] != 0).collect()
    };
    let mut salvaged = 0;
    while salvaged < 10 {
        let image = vfs.image();
        let at = used[random.random_range(0..used.len())];
        image.change(path, |bytes| bytes[at] ^= 1);
        if !refused(&image) {
            continue;
        }
        salvaged += 1;
        let mut options = options(&image);
        options.salvages = true;
        let engine = crate::support::open(options).expect("salvaged");
        assert_eq!(engine.sequence(), sequence, "no number is given twice");
        for (holder, found) in scores(&engine, crate::support::all_time()) {
            assert!(found <= answer[&holder], "{holder} gained by a salvage");
        }
        assert_eq!(held(&engine, "bob"), 30, "the journal is untouched");
        drop(engine);
        let engine = open(&image).expect("whole again");
        submit(&engine, distinct_batch("carol", 1, 1)).expect("writes go on");
        let aside = |path: &PathBuf| path.to_string_lossy().contains("state.redb.damaged-");
        assert!(image.paths().iter().any(aside), "the damaged file is kept");
    }
}

#[test]
fn d5_after_a_failed_fsync_no_acknowledgement_leaves_and_reads_go_on() {
    for fails_at in 1..4 {
        let vfs = FaultyVfs::default();
        let engine = open(&vfs).expect("an empty store");
        submit(&engine, distinct_batch("h", 0, 5)).expect("acknowledged");
        vfs.fail_at_sync(fails_at);
        let mut acknowledged = 5;
        let refusal = loop {
            let number = i64::try_from(acknowledged).expect("small");
            match submit(&engine, distinct_batch("h", number, 1)) {
                Ok(receipt) => acknowledged = receipt.last,
                Err(refusal) => break refusal,
            }
            assert!(acknowledged < 100, "the sync never failed");
        };
        assert!(matches!(refusal, SubmitError::Poisoned { .. }), "{refusal}");
        for number in 200..220 {
            let refusal = submit(&engine, distinct_batch("h", number, 1)).expect_err("poisoned");
            assert!(matches!(refusal, SubmitError::Poisoned { .. }), "{refusal}");
        }
        let Condition::Poisoned(reason) = engine.condition() else {
            panic!("{:?}", engine.condition())
        };
        assert_eq!(wait(engine.poisoned()), reason);
        assert_eq!(held(&engine, "h"), u128::from(acknowledged), "reads go on");
        engine.close();
        assert!(
            matches!(engine.condition(), Condition::Poisoned(_)),
            "for good"
        );
        let restarted = open(&vfs.crash(&mut |_| 0)).expect("a restart recovers");
        assert!(restarted.sequence() >= acknowledged);
        assert!(held(&restarted, "h") >= u128::from(acknowledged));
        submit(&restarted, distinct_batch("h", 300, 1)).expect("writes go on");
    }
}

#[test]
fn d6_with_a_full_disk_reads_go_on_and_writes_resume_when_there_is_space() {
    let vfs = FaultyVfs::default();
    let engine = open(&vfs).expect("an empty store");
    submit(&engine, distinct_batch("h", 0, 5)).expect("acknowledged");
    for room in [0, 1, 511, 700, 2_000] {
        vfs.set_room(Some(room));
        let before = engine.sequence();
        let mut number = i64::try_from(before).expect("small");
        let refusal = loop {
            match submit(&engine, distinct_batch("h", number, 10)) {
                Ok(receipt) => number = i64::try_from(receipt.last).expect("small"),
                Err(refusal) => break refusal,
            }
        };
        assert!(matches!(refusal, SubmitError::DiskFull { .. }), "{refusal}");
        assert_eq!(engine.condition(), Condition::DiskFull);
        assert_eq!(
            held(&engine, "h"),
            u128::from(engine.sequence()),
            "reads go on"
        );
        vfs.set_room(None);
        let last = engine.sequence();
        until(|| submit(&engine, distinct_batch("h", number, 10)).is_ok());
        assert_eq!(
            engine.sequence(),
            last + 10,
            "no number was lost to what was refused"
        );
        assert_eq!(engine.condition(), Condition::Ready);
    }
    let sequence = engine.sequence();
    drop(engine);
    let engine = open(&vfs.crash(&mut |_| 0)).expect("closed in order");
    assert_eq!(
        (engine.sequence(), held(&engine, "h")),
        (sequence, sequence.into())
    );
}

#[test]
fn d6_a_full_disk_makes_the_state_lag_and_no_more() {
    let vfs = FaultyVfs::default();
    let mut options = options(&vfs);
    options.store.state_lag_max = Duration::from_millis(20);
    let metrics = Arc::clone(&options.metrics);
    let engine = crate::support::open(options).expect("an empty store");
    submit(&engine, distinct_batch("h", 0, 50)).expect("acknowledged");
    vfs.set_room(Some(0));
    until(|| metrics.state_flush_failures.get() >= 2);
    assert_eq!(held(&engine, "h"), 50, "reads go on");
    assert_eq!(engine.gauges().state_lag_events, 50);
    vfs.set_room(None);
    until(|| engine.gauges().state_lag_events == 0);
    drop(engine);
    let engine = open(&vfs).expect("closed in order");
    assert_eq!((engine.sequence(), held(&engine, "h")), (50, 50));
}
