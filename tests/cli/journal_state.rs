//! `journal verify|export|salvage` over a store whose state covers the journal, or should.

use std::fs;
use std::path::Path;

use crate::journal::{journal, served, write};
use crate::journal_writer::batch;
use crate::support::{Answer, Folder, command, holders, score};

#[test]
fn the_state_is_verified_and_exported_with_the_journal() {
    let folder = Folder::new();
    let data = served(&folder);
    let verdict = journal("verify", &data, &["--json"]).json();
    assert_eq!(verdict["state"]["keys"], 18);
    assert_eq!(verdict["state"]["applied_sequence"], 18);
    let text = journal("verify", &data, &[]).text();
    assert!(
        text.contains("18 keys, covers the events up to 18"),
        "{text}"
    );
    // Only the last segment is left of the journal, and still every event is there.
    assert!(verdict["segments"].as_u64().unwrap() < 3);
    let out = folder.path("out.jsonl");
    let path = out.to_str().expect("a path that is text");
    assert_eq!(journal("export", &data, &["--output", path]).text(), "");
    let scored = score(&out, &[]).json();
    assert_eq!(holders(&scored).len(), 18);
    assert_eq!(
        scored["read"], 18,
        "what the state covers is not written twice"
    );
}

#[test]
fn a_journal_that_does_not_belong_to_its_state_is_named() {
    let folder = Folder::new();
    let data = served(&folder);
    let other = folder.path("other");
    write(&other, [batch(1, 1, 0)]);
    fs::remove_dir_all(data.join("journal")).unwrap();
    fs::rename(other.join("journal"), data.join("journal")).unwrap();
    let refused = |file: &str| {
        for verb in ["verify", "salvage"] {
            let refused = journal(verb, &data, &[]);
            let sentence = refused.error(1);
            assert!(sentence.contains(file), "{sentence}");
            assert!(sentence.contains("belongs to store"), "{sentence}");
        }
    };
    refused("00000000000000000001.log");
    fs::rename(other.join("identity"), data.join("identity")).unwrap();
    refused("state.redb");
}

#[test]
fn a_state_without_its_journal_is_named_and_exported() {
    let folder = Folder::new();
    let data = served(&folder);
    fs::remove_dir_all(data.join("journal")).unwrap();
    let verified = journal("verify", &data, &[]);
    let sentence = verified.error(1);
    assert!(sentence.contains("the segment is missing"), "{sentence}");
    assert!(sentence.contains("serve --salvage"), "{sentence}");
    let exported = journal("export", &data, &[]);
    assert_eq!(exported.code, 1);
    assert!(
        exported.stderr.contains("lost: from event 19 on"),
        "{}",
        exported.stderr
    );
    assert_eq!(
        String::from_utf8(exported.stdout).unwrap().lines().count(),
        18
    );
}

#[test]
fn a_damaged_state_keeps_nothing_else_back() {
    let folder = Folder::new();
    let data = served(&folder);
    write(&data, [batch(99, 1, 0)]);
    let state = data.join("state.redb");
    let mut bytes = fs::read(&state).unwrap();
    let places: Vec<_> = (0..bytes.len())
        .filter(|at| bytes[*at..].starts_with(b"5/1/"))
        .collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at] ^= 1;
    }
    fs::write(&state, bytes).unwrap();
    let refused = journal("verify", &data, &[]);
    assert!(
        refused.error(1).contains("state.redb"),
        "{}",
        refused.stderr
    );
    let exported = journal("export", &data, &[]);
    assert_eq!(exported.code, 1);
    assert!(
        exported.stderr.contains("state.redb"),
        "{}",
        exported.stderr
    );
    let lines = String::from_utf8(exported.stdout).unwrap();
    assert!(lines.contains("99/0/"), "{lines}");
    // Two of the keys are damaged, and maybe others on their pages; the rest is written.
    assert!(lines.contains("0/0/"), "{lines}");
    assert!(
        exported.stderr.contains("of its keys are written"),
        "{}",
        exported.stderr
    );
    let salvaged = journal("salvage", &data, &[]);
    let sentence = salvaged.error(1);
    assert!(sentence.contains("state.redb"), "{sentence}");
    assert!(sentence.contains("--salvage"), "{sentence}");
}

#[cfg(unix)]
#[test]
fn the_state_is_read_from_a_copy_which_is_then_removed() {
    let folder = Folder::new();
    let data = served(&folder);
    let temporary = folder.path("temporary");
    fs::create_dir(&temporary).unwrap();
    let data_dir = data.to_str().expect("a path that is text");
    let verify = |temporary: &Path| {
        let mut verify = command(["journal", "verify", "--data-dir", data_dir]);
        let output = verify.env("TMPDIR", temporary).output();
        Answer::from(output.expect("the binary ends"))
    };
    assert!(verify(&temporary).text().contains("state: 18 keys"));
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0);
    let refused = verify(&folder.path("nowhere"));
    let sentence = refused.error(1);
    assert!(
        sentence.contains("state.redb: cannot be copied to "),
        "{sentence}"
    );
}
