//! `journal verify` and `salvage` over a folder with sealed rounds.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use poh_holdmetrics_rust::core::{Draft, EventBatch, Micros, StoreId};
use poh_holdmetrics_rust::engine::{Engine, Options, RoundRequest, SystemClock};
use poh_holdmetrics_rust::journal::{Journal, JournalError, JournalOptions, RealVfs, read_damaged};

use crate::journal::{damage, journal};
use crate::support::Folder;

const ANN: &str = "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359";
const BOB: &str = "0x1111111111111111111111111111111111111111";

/// Stores a closed hold of each holder, and seals these rounds after it. Returns which store it is.
fn store(data: &Path, holders: &[&str], rounds: &[&str]) -> StoreId {
    let options = Options::in_folder(data.to_owned());
    let engine = Engine::open(options, Arc::new(SystemClock)).expect("a folder");
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    for (seconds, holder) in (1..).zip(holders) {
        let at = |seconds: i64| Micros::from_millis(seconds * 1_000).ok();
        let draft = Draft {
            token_id: "T",
            holder_id: holder,
            start: at(0),
            end: at(seconds),
            ..Draft::default()
        };
        let mut batch = EventBatch::default();
        batch.push(&draft.check().expect("a valid event"));
        runtime.as_ref().expect("a runtime").block_on(async {
            let pending = engine.submit(batch).await.expect("it is open");
            pending.await.expect("a disk with room");
        });
    }
    for id in rounds {
        let json = format!(r#"{{"id":"{id}","pool":"300","decimals":0}}"#);
        let request: RoundRequest = serde_json::from_str(&json).expect("a request");
        engine.seal_round(&request).expect("sealed");
    }
    engine.close();
    engine.store()
}

/// Two events and two rounds.
fn sealed(folder: &Folder) -> (PathBuf, StoreId) {
    let data = folder.path("data");
    let store = store(&data, &[ANN, BOB], &["one", "two"]);
    (data, store)
}

#[test]
fn sealed_rounds_are_verified_with_the_journal() {
    let folder = Folder::new();
    let (data, _) = sealed(&folder);
    assert_eq!(journal("verify", &data, &["--json"]).json()["rounds"], 2);
    let text = journal("verify", &data, &[]).text();
    assert!(text.contains("\nrounds: 2 sealed, "), "{text}");

    damage(&data.join("rounds"), 1);
    for verb in ["verify", "salvage"] {
        let refused = journal(verb, &data, &[]);
        let sentence = refused.error(1);
        let file = "rounds/journal/00000000000000000001.log: the journal of rounds is damaged";
        assert!(
            sentence.contains(file) && sentence.contains("`serve --salvage`"),
            "{sentence}"
        );
    }
    let refused = journal("verify", &data, &["--json"]);
    let found: serde_json::Value = serde_json::from_slice(&refused.stdout).expect("JSON");
    assert_eq!(found["whole"], false);
}

#[test]
fn a_salvage_of_the_journal_says_that_it_leaves_the_rounds() {
    for damages_rounds in [false, true] {
        let folder = Folder::new();
        let (data, _) = sealed(&folder);
        damage(&data, 1);
        if damages_rounds {
            damage(&data.join("rounds"), 1);
        }
        let text = journal("salvage", &data, &[]).text();
        let expected = if damages_rounds {
            "\nrounds: left as they are: "
        } else {
            "\nrounds: 2 sealed, undamaged and left as they are\n"
        };
        assert!(text.contains(expected), "{text}");
    }
}

/// An operator restores the folder from a backup, and `rounds/` from a later one.
#[test]
fn rounds_of_events_that_the_store_does_not_have_are_named() {
    let folder = Folder::new();
    let data = folder.path("data");
    store(&data, &[ANN], &[]);
    let older = folder.path("older");
    copy(&data, &older);
    store(&data, &[ANN, BOB], &["later"]);
    copy(&data.join("rounds"), &older.join("rounds"));
    let refused = journal("verify", &older, &[]);
    let sentence = refused.error(1);
    let expected =
        "round 1: it was computed from the events up to 3, and the store ends with event 1";
    assert!(sentence.contains(expected), "{sentence}");
}

/// Frames and checksums are right, and the record in them is not what was sealed.
#[test]
fn a_list_that_was_exchanged_is_told_by_its_hash() {
    let folder = Folder::new();
    let (data, store) = sealed(&folder);
    let rounds = data.join("rounds/journal");
    let mut records = Vec::new();
    read_damaged(&RealVfs, &rounds, 0, |frame| {
        records.push(String::from_utf8(frame.payload.to_vec()).expect("text"));
        Ok::<_, JournalError>(())
    })
    .expect("read");
    fs::remove_dir_all(data.join("rounds")).expect("removed");
    fs::create_dir(data.join("rounds")).expect("created");
    let options = JournalOptions {
        store: Some(store),
        preallocates: false,
        ..JournalOptions::default()
    };
    let opened = Journal::open(Arc::new(RealVfs), &rounds, options);
    let mut appender = opened.expect("a new journal").appender;
    let amount = format!("{BOB},200");
    assert!(records[1].contains(&amount), "{}", records[1]);
    records[1] = records[1].replace(&amount, &format!("{BOB},201"));
    for record in &records {
        appender.append_record(record.as_bytes()).expect("written");
    }
    drop(appender);
    let refused = journal("verify", &data, &[]);
    let sentence = refused.error(1);
    assert!(
        sentence.contains("round 2: the SHA-256 of its list is "),
        "{sentence}"
    );
}

#[test]
fn rounds_of_another_store_are_named() {
    let folder = Folder::new();
    let (data, _) = sealed(&folder);
    let other = folder.path("other");
    store(&other, &[ANN], &["theirs"]);
    fs::remove_dir_all(data.join("rounds")).expect("removed");
    copy(&other.join("rounds"), &data.join("rounds"));
    let refused = journal("verify", &data, &[]);
    let sentence = refused.error(1);
    assert!(
        sentence.contains("rounds/identity: belongs to store "),
        "{sentence}"
    );
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("created");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("copied");
        }
    }
}
