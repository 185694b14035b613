//! `journal cursors`: the positions of consumers, listed and removed.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use poh_holdmetrics_rust::engine::{Engine, Options, Start, SystemClock, WhenFull};

use crate::journal::{contents, journal};
use crate::journal_writer::batch;
use crate::support::Folder;

/// A store of 60 events in several segments with the cursors of two consumers.
fn consumed(folder: &Folder) -> PathBuf {
    let data = folder.path("data");
    let mut options = Options::in_folder(&data);
    options.store.segment_bytes = 4_096;
    let engine = Engine::open(options, Arc::new(SystemClock)).expect("an empty store");
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.build().expect("a runtime");
    runtime.block_on(async {
        let open = |name: &str| engine.feed().open(name, Start::Now, WhenFull::Lag);
        let (archive, _gone) = (open("tiers/archive").unwrap(), open("gone/events").unwrap());
        for number in 0..30 {
            let pending = engine.submit(batch(number, 2, 300)).await.unwrap();
            pending.await.unwrap();
        }
        archive.commit(58, "tiers", Vec::new()).await.unwrap();
    });
    engine.close();
    data
}

#[test]
fn cursors_are_listed_with_what_they_keep_and_removed_by_name() {
    let folder = Folder::new();
    let data = consumed(&folder);
    let shown = journal("cursors", &data, &["--json"]).json();
    let cursors = shown["cursors"].as_array().expect("a list");
    let [gone, archive] = &cursors[..] else {
        panic!("{shown}")
    };
    assert_eq!(gone["consumer"], "gone/events");
    assert_eq!(
        (&gone["position"], &gone["lag_events"]),
        (&0.into(), &60.into())
    );
    assert_eq!(archive["position"], 58);
    assert!(gone["kept_bytes"].as_u64() > archive["kept_bytes"].as_u64());
    assert_eq!(archive["state"], "following");
    let text = journal("cursors", &data, &[]).text();
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0].starts_with("consumer"), "{text}");
    assert!(
        lines[2].starts_with("tiers/archive        58       2"),
        "{text}"
    );
    let before = contents(&data);
    let unknown = journal("cursors", &data, &["--remove", "other"]);
    let said = unknown.error(2);
    assert!(said.contains(r#"there is no cursor of "other""#), "{said}");
    assert!(contents(&data) == before, "a file was changed");
    let text = journal("cursors", &data, &["--remove", "gone/events"]).text();
    assert_eq!(text, "removed the cursor of gone/events\n");
    let left = journal("cursors", &data, &["--json"]).json();
    assert_eq!(left["cursors"].as_array().map(Vec::len), Some(1));
    journal("verify", &data, &[]).text();
}

#[test]
fn a_damaged_file_of_cursors_is_named_and_nothing_is_changed() {
    let folder = Folder::new();
    let data = consumed(&folder);
    let path = data.join("cursors.redb");
    let mut bytes = fs::read(&path).expect("cursors");
    let name = b"tiers/archive";
    let place = bytes.windows(name.len()).rposition(|text| text == name);
    bytes[place.expect("the name")] ^= 1;
    fs::write(&path, bytes).expect("cursors");
    let before = contents(&data);
    for verb in ["cursors", "verify"] {
        let answer = journal(verb, &data, &[]);
        let said = answer.error(1);
        assert!(said.contains("the file of cursors is damaged ("), "{said}");
        assert!(said.contains("serve --salvage"), "{said}");
    }
    assert!(contents(&data) == before, "a file was changed");
}
