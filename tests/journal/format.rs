//! The bytes on disk: journals of each version stay readable, and are what the documentation draws.
//!
//! `fixture/v1` was written once, by the first version that had a journal, `fixture/v2` by the first that took
//! changes of balance, `fixture/v3` by the first that named its store. They are never written anew; a version 4 gets
//! a folder of its own.
//! `HOLDMETRICS_NEW_FIXTURE=1` writes one where there is none.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::contents::replayed;
use crate::journal_writer::{batch, options, submit, writer};
use poh_holdmetrics_rust::core::{Delta, Draft, EventBatch, Micros, Wad, encoding};
use poh_holdmetrics_rust::journal::{EventFrame, Journal, JournalError, RealVfs, read_damaged};
use poh_holdmetrics_rust::output::write_event;
use tempfile::TempDir;

/// The version that is written.
const CURRENT: u32 = 3;

fn fixture(version: u32) -> PathBuf {
    let name = format!("tests/journal/fixture/v{version}");
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The fixture in a data folder of its own.
fn copied_fixture(version: u32) -> TempDir {
    let copy = tempfile::tempdir().expect("a temporary folder");
    let journal = journal(&copy);
    fs::create_dir(&journal).expect("room");
    for path in segments(&fixture(version).join("journal")) {
        fs::copy(&path, journal.join(path.file_name().expect("a name"))).expect("room");
    }
    let identity = fixture(version).join("identity");
    assert_eq!(identity.exists(), version > 2);
    if identity.exists() {
        fs::copy(identity, copy.path().join("identity")).expect("room");
    }
    copy
}

/// The folder of the journal in a data folder.
fn journal(data: &TempDir) -> PathBuf {
    data.path().join("journal")
}

/// The files of a closed journal, by name.
fn segments(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("it is there");
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    paths
}

/// Writes batches into the journal in `folder` and closes it.
fn write(folder: &Path, batches: impl IntoIterator<Item = EventBatch>) {
    let opened = Journal::open(Arc::new(RealVfs), folder, options());
    let (writer, outcomes) = writer(opened.expect("a whole journal"));
    for (tag, batch) in (0..).zip(batches) {
        submit(&writer, &outcomes, tag, batch).expect("a disk with room");
    }
    writer.close();
}

/// Events of every kind that this version has, in batches.
fn batches(version: u32) -> Vec<EventBatch> {
    let at = |text| Some(Micros::parse(text).expect("an instant"));
    let weight = |text| Some(Wad::parse(text).expect("a weight"));
    let nul = "\0".repeat(600);
    let closed = Draft {
        token_id: "punk/1",
        holder_id: "höl\"der",
        start: at("2025-07-21T00:00:00Z"),
        end: at("2025-07-21T00:00:10.000001Z"),
        ..Draft::default()
    };
    let mut drafts = vec![
        closed,
        Draft {
            weight: weight("340282366920938463463.374607431768211455"),
            ..closed
        },
        Draft {
            end: None,
            weight: weight("0.000000000000000001"),
            ..closed
        },
        Draft {
            start: None,
            end: at("9999-12-31T23:59:59.999999Z"),
            ..closed
        },
        Draft {
            event_id: Some("0xabc:7"),
            revision: 3,
            start: at("0001-01-01T00:00:00Z"),
            weight: weight("0"),
            ..closed
        },
        Draft {
            event_id: Some("0xabc:7"),
            revision: u64::try_from(i64::MAX).expect("it is positive"),
            retract: true,
            start: None,
            end: None,
            ..closed
        },
        Draft {
            token_id: &nul,
            holder_id: &nul,
            ..closed
        },
    ];
    if version > 1 {
        let change = Draft {
            token_id: "punk/1",
            holder_id: "höl\"der",
            at: at("2025-07-21T00:00:00Z"),
            event_id: Some("0xabc:8"),
            ..Draft::default()
        };
        let delta = |text| Some(Delta::parse(text).expect("a delta"));
        drafts.extend([
            Draft {
                delta: delta("0.5"),
                ..change
            },
            Draft {
                delta: delta("-1"),
                revision: 1,
                ..change
            },
            Draft {
                end: None,
                seq: 5,
                weight: weight("2"),
                ..closed
            },
            Draft {
                start: None,
                seq: u64::try_from(i64::MAX).expect("it is positive"),
                ..closed
            },
        ]);
    }
    // One batch of each, then all at once, then enough for some segments.
    let mut batches = Vec::new();
    for draft in &drafts {
        let mut batch = EventBatch::default();
        batch.push(&draft.check().expect("a valid event"));
        batches.push(batch);
    }
    let mut all = EventBatch::default();
    for draft in &drafts {
        all.push(&draft.check().expect("a valid event"));
    }
    batches.push(all);
    batches.extend((0..8).map(|number| batch(number, 3, 150)));
    batches
}

fn lines(batches: &[EventBatch]) -> String {
    let mut text = Vec::new();
    for event in batches
        .iter()
        .flat_map(|batch| encoding::events(batch.bytes()))
    {
        write_event(&event.expect("whole events"), &mut text).expect("memory takes it");
    }
    String::from_utf8(text).expect("JSON is text")
}

#[test]
fn a_journal_of_each_version_opens_and_holds_what_it_held() {
    for version in 1..=CURRENT {
        let folder = fixture(version);
        let batches = batches(version);
        if std::env::var_os("HOLDMETRICS_NEW_FIXTURE").is_some() && !folder.exists() {
            write(&folder.join("journal"), batches.clone());
            fs::write(folder.join("events.jsonl"), lines(&batches)).expect("a disk with room");
        }
        let expected = fs::read_to_string(folder.join("events.jsonl")).expect("it is committed");
        assert_eq!(expected, lines(&batches));

        let copy = copied_fixture(version);
        let opened = Journal::open(Arc::new(RealVfs), &journal(&copy), options());
        let opened = opened.expect("it is whole");
        assert!(opened.report.was_closed && opened.report.segments > 2);
        assert_eq!(replayed(&opened.journal, 1).len(), expected.lines().count());
        let mut text = Vec::new();
        let visit = |frame: EventFrame<'_>| {
            for event in encoding::events(frame.payload) {
                write_event(&event.expect("whole events"), &mut text).expect("memory takes it");
            }
            Ok::<_, JournalError>(())
        };
        read_damaged(&RealVfs, &journal(&copy), 0, visit).expect("it is whole");
        assert_eq!(String::from_utf8(text).expect("JSON is text"), expected);
    }
}

/// A journal with room for events in its only segment, as a program that knew only version 1 left it.
fn empty_journal_of_version_1() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write(&journal(&folder), []);
    fs::remove_file(folder.path().join("identity")).expect("version 1 had none");
    let path = &segments(&journal(&folder))[0];
    let mut bytes = fs::read(path).expect("a segment");
    for copy in [0, 512] {
        bytes[copy + 8..copy + 12].copy_from_slice(&1_u32.to_le_bytes());
        bytes[copy + 44..copy + 60].fill(0);
        let checksum = checksum(0, &bytes[copy..copy + 508]);
        bytes[copy + 508..copy + 512].copy_from_slice(&checksum.to_le_bytes());
    }
    fs::write(path, bytes).expect("a disk with room");
    folder
}

/// An older program must find the version in the header before it finds an event that it does not know.
#[test]
fn a_journal_of_an_older_version_goes_on_in_segments_of_the_current_version() {
    for (folder, held, version) in [
        (copied_fixture(1), batches(1), 1),
        (empty_journal_of_version_1(), Vec::new(), 1),
        (copied_fixture(2), batches(2), 2),
    ] {
        let journal = journal(&folder);
        let contents = || -> Vec<Vec<u8>> {
            let paths = segments(&journal).into_iter();
            paths
                .map(|path| fs::read(path).expect("a segment"))
                .collect()
        };
        let before = contents();
        write(&journal, []);
        let identity = || fs::read(folder.path().join("identity")).expect("it was made");
        let named = identity()[16..32].to_vec();
        assert!(contents() == before, "there was nothing to write");
        let more = 8;
        write(
            &journal,
            (100..100 + more).map(|number| batch(number, 1, 20)),
        );
        let after = contents();
        let (old, new) = after.split_at(before.len());
        assert!(old == before && !new.is_empty());
        assert!(old.iter().all(|segment| u32_at(segment, 8) == version));
        assert!(new.iter().all(|segment| u32_at(segment, 8) == CURRENT));
        assert!(new.iter().all(|segment| segment[44..60] == named));
        assert_eq!(identity()[16..32], named);
        let opened = Journal::open(Arc::new(RealVfs), &journal, options());
        let events: u64 = held.iter().map(|batch| u64::from(batch.count())).sum();
        let opened = opened.expect("it is whole").journal;
        assert_eq!(replayed(&opened, 1).len() as u64, events + more);
    }
}

/// CRC-32C a bit at a time, begun with `seed`.
fn checksum(seed: u32, bytes: &[u8]) -> u32 {
    let step = |sum: u32| (sum >> 1) ^ (0x82f6_3b78 & (sum & 1).wrapping_neg());
    !bytes.iter().fold(!seed, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| step(sum))
    })
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

/// Reads a closed journal by `docs/journal-format.md` alone, with nothing of the journal's own code;
/// the payloads in it, one after the other.
fn payloads_by_the_documentation(folder: &Path, version: u32) -> Vec<u8> {
    let store = (version > 2).then(|| store_by_the_documentation(&folder.join("../identity")));
    let mut next = 1;
    let mut chain = 0;
    let mut payloads = Vec::new();
    for (index, path) in (1..).zip(&segments(folder)) {
        assert_eq!(
            path.file_name().unwrap().to_str().unwrap(),
            format!("{index:020}.log")
        );
        let bytes = fs::read(path).expect("a file");
        assert_eq!(bytes.len() % 512, 0);
        assert_eq!(
            bytes[..512],
            bytes[512..1024],
            "the header stands there twice"
        );
        assert_eq!(&bytes[..8], b"holdjrnl");
        assert_eq!(u32_at(&bytes, 8), version);
        let salt = u32_at(&bytes, 12);
        assert_eq!(u64_at(&bytes, 16), index);
        assert_eq!(u64_at(&bytes, 24), next);
        assert_eq!(u32_at(&bytes, 32), chain);
        let length = if version > 1 { bytes.len() } else { 0 };
        assert_eq!(u64_at(&bytes, 36), length as u64);
        assert_eq!(bytes[44..60], store.unwrap_or_default());
        assert!(bytes[60..508].iter().all(|byte| *byte == 0));
        chain = u32_at(&bytes, 508);
        assert_eq!(checksum(0, &bytes[..508]), chain);
        let mut at = 1024;
        while at < bytes.len() && bytes[at] != 0 {
            let frame = &bytes[at..];
            let payload = u32_at(frame, 4) as usize;
            let count = u32_at(frame, 8);
            let extent = (32 + payload + 4).next_multiple_of(512);
            assert_eq!(u64_at(frame, 12), next);
            assert_eq!(u32_at(frame, 20), chain);
            assert_eq!(u32_at(frame, 24), checksum(salt, &frame[32..extent]));
            chain = u32_at(frame, 28);
            assert_eq!(checksum(salt, &frame[..28]), chain);
            assert!(
                frame[32 + payload..extent - 4]
                    .iter()
                    .all(|byte| *byte == 0)
            );
            assert_eq!(&frame[extent - 4..extent], b"done");
            match &frame[..4] {
                b"hold" => payloads.extend(frame[32..32 + payload].iter().map(|byte| !byte)),
                b"seal" => assert_eq!(count, 0),
                other => panic!("{other:?}"),
            }
            next += u64::from(count);
            at += extent;
        }
        assert!(bytes[at..].iter().all(|byte| *byte == 0));
    }
    payloads
}

/// Reads the identity of a closed store by `docs/journal-format.md` alone; the bytes of its number.
fn store_by_the_documentation(path: &Path) -> [u8; 16] {
    let bytes = fs::read(path).expect("a file");
    let copies = [&bytes[..512], &bytes[4_096..4_608]];
    for copy in copies {
        assert_eq!(&copy[..8], b"holdstor");
        assert_eq!(u32_at(copy, 8), 1);
        assert_eq!(u32_at(copy, 508), checksum(0, &copy[..508]));
        assert!(
            copy[12..16]
                .iter()
                .chain(&copy[56..508])
                .all(|byte| *byte == 0)
        );
    }
    let newest = copies
        .into_iter()
        .max_by_key(|copy| u64_at(copy, 32))
        .expect("two");
    let segments = segments(&path.with_file_name("journal"));
    assert_eq!(u64_at(newest, 40), segments.len() as u64);
    let last = fs::read(segments.last().expect("a segment")).expect("a file");
    assert!(u64_at(newest, 48) > u64_at(&last, 24));
    newest[16..32].try_into().expect("16 bytes")
}

#[test]
fn the_bytes_are_those_that_the_documentation_draws() {
    let written = |version| -> Vec<u8> {
        let batches = batches(version);
        batches
            .iter()
            .flat_map(EventBatch::bytes)
            .copied()
            .collect()
    };
    for version in 1..=CURRENT {
        let journal = fixture(version).join("journal");
        assert!(payloads_by_the_documentation(&journal, version) == written(version));
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    write(&journal(&folder), batches(CURRENT));
    assert!(payloads_by_the_documentation(&journal(&folder), CURRENT) == written(CURRENT));
}
