//! Files that are removed, cut or replaced while an engine uses them: it stops, and acknowledges nothing into nothing.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::support::{distinct_batch, held, open, options, submit, until};
use poh_holdmetrics_rust::engine::{Condition, Engine, Start, SubmitError, WhenFull};
use tempfile::TempDir;

/// An engine over some segments, a state and cursors.
fn engine() -> (TempDir, Engine) {
    let folder = tempfile::tempdir().expect("a folder");
    let engine = open(options(folder.path())).expect("an empty store");
    let consumer = engine.feed().open("reader", Start::Now, WhenFull::Lag);
    drop(consumer.expect("a consumer"));
    submit(&engine, distinct_batch("h", 0, 10)).expect("acknowledged");
    engine.close();
    drop(engine);
    let engine = open(options(folder.path())).expect("closed in order");
    for number in 1..40 {
        submit(&engine, distinct_batch("h", number * 20, 20)).expect("acknowledged");
    }
    assert!(engine.gauges().segments > 2);
    (folder, engine)
}

fn segments(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder.join("journal")).expect("listed");
    let paths = entries.map(|entry| entry.expect("listed").path());
    let is_segment = |path: &PathBuf| path.extension().is_some_and(|suffix| suffix == "log");
    let mut segments: Vec<_> = paths.filter(is_segment).collect();
    segments.sort();
    segments
}

fn cut(path: &Path, bytes: u64) {
    let file = File::options().write(true).open(path);
    file.and_then(|file| file.set_len(bytes)).expect("cut");
}

/// Another file with the same bytes takes the name.
fn replace(path: &Path) {
    let copy = path.with_extension("copy");
    fs::copy(path, &copy).expect("copied");
    fs::rename(copy, path).expect("renamed");
}

/// The next event is refused, and the engine says why.
fn refused_at_the_next_frame(harm: impl Fn(&Path), said: &str) {
    let (folder, engine) = engine();
    let newest = segments(folder.path()).pop().expect("a segment");
    harm(&newest);
    let refusal = submit(&engine, distinct_batch("x", 0, 1)).expect_err("it would be lost");
    let SubmitError::Poisoned { reason } = &refusal else {
        panic!("{refusal}");
    };
    let expected = format!("{}: the file {said}", newest.display());
    assert!(reason.starts_with(&expected), "{reason}");
    assert!(matches!(engine.condition(), Condition::Poisoned(_)));
}

#[test]
#[cfg(unix)]
fn a_segment_that_was_removed_or_cut_is_noticed_with_the_next_frame() {
    refused_at_the_next_frame(
        |path| fs::remove_file(path).expect("removed"),
        "was removed",
    );
    refused_at_the_next_frame(replace, "was removed");
    refused_at_the_next_frame(|path| cut(path, 0), "was cut to");
}

/// Chooses a file of a folder.
type Chosen = Box<dyn Fn(&Path) -> PathBuf>;
/// A name, what it does to a file, and what is said of it.
type Harm<'a> = (&'a str, &'a dyn Fn(&Path), &'a str);

/// Nothing is written meanwhile.
#[test]
fn what_happens_to_any_file_is_noticed_without_a_frame() {
    let first = |folder: &Path| segments(folder)[0].clone();
    let newest = |folder: &Path| segments(folder).pop().expect("a segment");
    let named = |name: &'static str| move |folder: &Path| folder.join(name);
    let remove = |path: &Path| fs::remove_file(path).expect("removed");
    let rename = |path: &Path| fs::rename(path, path.with_extension("old")).expect("renamed");
    let halve = |path: &Path| cut(path, fs::metadata(path).expect("a size").len() / 2);
    let overwrite = |path: &Path| {
        let bytes = fs::metadata(path).expect("a size").len();
        cut(path, 0);
        cut(path, bytes);
    };
    let files: [(&str, Chosen, &[Harm<'_>]); 6] = [
        (
            "the newest segment",
            Box::new(newest),
            &[
                ("removed", &remove, "was removed"),
                ("cut", &halve, "was cut"),
                ("overwritten", &overwrite, "was "),
            ],
        ),
        (
            "an older segment",
            Box::new(first),
            &[
                ("removed", &remove, "was removed"),
                ("cut", &halve, "was cut"),
            ],
        ),
        (
            "the folder of the journal",
            Box::new(named("journal")),
            &[("renamed", &rename, "was removed")],
        ),
        (
            "the state",
            Box::new(named("state.redb")),
            &[
                ("removed", &remove, "was removed"),
                ("replaced", &replace, "was replaced"),
                ("cut", &halve, "was cut"),
            ],
        ),
        (
            "the cursors",
            Box::new(named("cursors.redb")),
            &[("removed", &remove, "was removed")],
        ),
        (
            "the identity",
            Box::new(named("identity")),
            &[("removed", &remove, "was removed")],
        ),
    ];
    for (what, file, harms) in files {
        for (harm, apply, said) in harms {
            if cfg!(not(unix)) && *harm == "replaced" {
                continue;
            }
            let (folder, engine) = engine();
            apply(&file(folder.path()));
            let began = Instant::now();
            until(|| matches!(engine.condition(), Condition::Poisoned(_)));
            // A second, on a machine that does nothing else.
            assert!(began.elapsed() < Duration::from_secs(5), "{what} {harm}");
            let Condition::Poisoned(reason) = engine.condition() else {
                panic!("{what} {harm}: {:?}", engine.condition());
            };
            assert!(reason.contains(said), "{what} {harm}: {reason}");
            let refused = submit(&engine, distinct_batch("x", 0, 1));
            assert!(refused.is_err(), "{what} {harm}");
        }
    }
}

/// A lock on a name would let the second one in.
#[test]
#[cfg(unix)]
fn a_lock_file_that_was_removed_lets_no_second_engine_in_and_stops_the_first() {
    let (folder, engine) = engine();
    fs::remove_file(folder.path().join("lock")).expect("removed");
    let refusal = open(options(folder.path())).err().expect("refused");
    assert!(refusal.to_string().contains("in use by"), "{refusal}");
    until(|| matches!(engine.condition(), Condition::Poisoned(_)));
    drop(engine);
    open(options(folder.path())).expect("free again");
}

/// A state that was written to a file without a name covers nothing: its segments must stay.
#[test]
fn segments_stay_if_the_state_is_not_where_a_start_finds_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut options = options(folder.path());
    options.store.state_lag_bytes_max = 16 << 10;
    let engine = open(options.clone()).expect("an empty store");
    submit(&engine, distinct_batch("h", 0, 10)).expect("acknowledged");
    engine.close();
    drop(engine);
    let engine = open(options.clone()).expect("closed in order");
    fs::remove_file(folder.path().join("state.redb")).expect("removed");
    let mut acknowledged = 10;
    while acknowledged < 100_000 {
        match submit(&engine, distinct_batch("h", acknowledged, 20)) {
            Ok(_) => acknowledged += 20,
            Err(SubmitError::Poisoned { .. }) => break,
            Err(other) => panic!("{other}"),
        }
    }
    engine.close();
    drop(engine);
    // Without its state it begins with the first event, which is still there.
    let engine = open(options).expect("all is in the journal");
    assert!(engine.sequence() >= u64::try_from(acknowledged).expect("positive"));
    let held = held(&engine, "h");
    assert!(
        held >= u128::try_from(acknowledged).expect("positive"),
        "{held}"
    );
}
