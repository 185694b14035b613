//! Which store the files belong to, and how far its journal reached although files are missing.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::contents::{folder, open, replayed, segments};
use crate::disk::{disk, holders_of, opened_holders, write};
use crate::faulty::FaultyVfs;
use crate::journal_writer::{batch, options, submit, writer};
use poh_holdmetrics_rust::journal::{
    Defect, Journal, JournalError, JournalOptions, LostEvents, Vfs, salvage,
};

const IDENTITY: &str = "/data/identity";

fn all_segments(vfs: &FaultyVfs) -> Vec<PathBuf> {
    segments(&vfs.paths(), &folder())
}

fn refusal(vfs: &FaultyVfs) -> JournalError {
    let before = vfs.paths();
    let refusal = opened_holders(vfs).expect_err("it is refused");
    assert_eq!(vfs.paths(), before, "nothing was changed");
    assert_eq!(refusal.to_string().lines().count(), 1);
    refusal
}

fn salvaged(vfs: &FaultyVfs) -> Vec<LostEvents> {
    let shared: Arc<dyn Vfs> = Arc::new(vfs.clone());
    salvage(&shared, &folder(), &options(), 0)
        .expect("a disk with room")
        .report
        .lost
}

/// Before segments named their store, a segment of another store could only be told by its chain, and one
/// in the first place not at all.
#[test]
fn a_segment_of_another_store_is_refused() {
    for (place, offender) in [(0, 0), (1, 1)] {
        let (vfs, _) = disk(true);
        let (other, _) = disk(true);
        let path = all_segments(&vfs)[place].clone();
        let foreign = other.bytes(&path);
        vfs.change(&path, |bytes| *bytes = foreign);
        let refusal = refusal(&vfs);
        let JournalError::OtherStore { path, .. } = &refusal else {
            panic!("{refusal}");
        };
        assert_eq!(*path, all_segments(&vfs)[offender], "{refusal}");
        let shared: Arc<dyn Vfs> = Arc::new(vfs.clone());
        let kept = salvage(&shared, &folder(), &options(), 0);
        assert!(
            matches!(kept, Err(JournalError::OtherStore { .. })),
            "a salvage would mix the events of two stores"
        );
    }
}

#[test]
fn a_file_beside_the_journal_that_names_another_store_is_refused() {
    let (vfs, _) = disk(true);
    let own = open(&vfs, options()).unwrap().journal.store();
    let (other, _) = disk(true);
    let foreign = open(&other, options()).unwrap().journal.store();
    let with = |store| {
        let siblings = vec![(PathBuf::from("/data/state.redb"), store)];
        open(
            &vfs,
            JournalOptions {
                siblings,
                ..options()
            },
        )
    };
    assert!(with(own).is_ok());
    let refusal = with(foreign).err().expect("it is refused").to_string();
    let expected = format!(
        "/data/state.redb: belongs to store {foreign}, and the folder to store {own}: files of two stores are \
         mixed"
    );
    assert!(refusal.starts_with(&expected), "{refusal}");
}

/// The header of a segment was all that told of the segment before: nothing told of the last one, and a
/// store without any was new.
#[test]
fn missing_newest_segments_are_refused_and_their_numbers_are_not_given_again() {
    let all = all_segments(&disk(true).0).len();
    assert!(all > 2);
    for missing in 1..=all {
        let (vfs, acknowledged) = disk(true);
        let paths = all_segments(&vfs);
        for path in &paths[all - missing..] {
            vfs.remove(path).unwrap();
        }
        let refusal = refusal(&vfs);
        let JournalError::Damaged { damage, .. } = &refusal else {
            panic!("{refusal}");
        };
        let reached = acknowledged.len() as u64;
        assert_eq!(damage.defect, Defect::NewestMissing { reached });
        assert_eq!(
            damage.segment,
            if missing == all {
                all
            } else {
                all - missing + 1
            } as u64
        );
        assert!(refusal.to_string().contains("--salvage"), "{refusal}");
        let lost = salvaged(&vfs);
        assert_eq!(lost.len(), 1, "{lost:?}");
        let opened = open(&vfs, options()).expect("a store like any other");
        let kept = replayed(&opened.journal, 1);
        assert_eq!(kept.len() as u64, lost[0].first - 1);
        let (writer, outcomes) = writer(opened);
        let next = submit(&writer, &outcomes, 1, batch(1, 1, 0)).expect("writing goes on");
        assert_eq!(next, reached + 1);
    }
}

#[test]
fn a_segment_that_was_replaced_by_an_older_copy_of_itself_is_refused() {
    let (vfs, acknowledged) = disk(true);
    let path = all_segments(&vfs).pop().unwrap();
    let older = vfs.bytes(&path);
    let now = write(&vfs, &[(1, 0)], true);
    assert_eq!(
        all_segments(&vfs).pop(),
        Some(path.clone()),
        "no new segment"
    );
    vfs.change(&path, |bytes| *bytes = older);
    let refusal = refusal(&vfs);
    let JournalError::Damaged { damage, .. } = &refusal else {
        panic!("{refusal}");
    };
    let expected = Defect::EndMissing {
        found: acknowledged.len() as u64,
        reached: now.len() as u64,
    };
    assert_eq!(damage.defect, expected);
    let first = now.len() as u64;
    assert_eq!(salvaged(&vfs), [LostEvents { first, last: None }]);
    assert_eq!(
        open(&vfs, options()).unwrap().journal.last_sequence(),
        now.len() as u64
    );
}

/// Also without an orderly end: a segment is known before it holds an event.
#[test]
fn a_segment_is_known_before_it_holds_an_event() {
    let (vfs, _) = disk(false);
    let newest = all_segments(&vfs).pop().unwrap();
    vfs.remove(&newest).unwrap();
    let refusal = refusal(&vfs);
    assert!(
        matches!(&refusal, JournalError::Damaged { damage, .. }
            if matches!(damage.defect, Defect::NewestMissing { .. })),
        "{refusal}"
    );
}

#[test]
fn an_identity_that_is_missing_or_damaged_is_refused_and_made_anew_by_a_salvage() {
    for is_damaged in [false, true] {
        let (vfs, acknowledged) = disk(true);
        let store = open(&vfs, options()).unwrap().journal.store();
        if is_damaged {
            vfs.change(Path::new(IDENTITY), |bytes| {
                bytes[40] ^= 1;
                bytes[4_096 + 48] ^= 1;
            });
        } else {
            vfs.remove(Path::new(IDENTITY)).unwrap();
        }
        let refusal = refusal(&vfs).to_string();
        assert!(
            refusal.starts_with(IDENTITY) && refusal.contains("--salvage"),
            "{refusal}"
        );
        assert_eq!(salvaged(&vfs), []);
        let opened = open(&vfs, options()).expect("a store like any other");
        assert_eq!(opened.journal.store(), store);
        assert_eq!(holders_of(&opened.journal), acknowledged);
        let aside = Path::new("/data/identity.damaged-1");
        assert_eq!(vfs.paths().iter().any(|path| path == aside), is_damaged);
    }
}

#[test]
fn one_damaged_copy_of_the_identity_is_reported_and_the_other_serves() {
    for offset in [0, 4_096] {
        let (vfs, acknowledged) = disk(true);
        let store = open(&vfs, options()).unwrap().journal.store();
        for (round, is_reported) in [(0, true), (1, false)] {
            if round == 0 {
                vfs.change(Path::new(IDENTITY), |bytes| bytes[offset + 20] ^= 1);
            }
            let opened = open(&vfs, options()).unwrap();
            assert_eq!(opened.report.has_damaged_identity, is_reported, "{offset}");
            assert_eq!(opened.journal.store(), store);
            assert_eq!(holders_of(&opened.journal), acknowledged);
        }
    }
}

/// A file system may number a file anew once nothing has it open. The last segment is always open.
#[test]
fn an_older_segment_may_be_a_copy_of_itself_and_nothing_else() {
    let (vfs, _) = disk(true);
    let paths = all_segments(&vfs);
    let copied = |from: &Path, to: &Path| {
        let bytes = vfs.bytes(from);
        vfs.remove(to).unwrap();
        vfs.create(to).unwrap().write_at(&bytes, 0).unwrap();
    };
    let changed =
        |path: &Path| format!("{}: the file was replaced by another file", path.display());
    let opened = open(&vfs, options()).unwrap();
    let newest = paths.last().unwrap();
    copied(&paths[0], &paths[0]);
    opened.journal.check_place().expect("the same segment");
    copied(&paths[1], &paths[0]);
    let other = opened.journal.check_place().expect_err("another segment");
    assert!(
        other.to_string().starts_with(&changed(&paths[0])),
        "{other}"
    );
    let again = disk(true).0;
    vfs.change(&paths[0], |bytes| *bytes = again.bytes(&paths[0]));
    let foreign = opened.journal.check_place().expect_err("of another store");
    assert!(
        foreign.to_string().starts_with(&changed(&paths[0])),
        "{foreign}"
    );
    drop(opened);

    let (vfs, _) = disk(true);
    let opened = open(&vfs, options()).unwrap();
    let bytes = vfs.bytes(newest);
    vfs.remove(newest).unwrap();
    vfs.create(newest).unwrap().write_at(&bytes, 0).unwrap();
    let lost = opened
        .journal
        .check_place()
        .expect_err("what is written goes elsewhere");
    assert!(lost.to_string().starts_with(&changed(newest)), "{lost}");
}

#[test]
fn every_new_folder_gets_an_identity_of_its_own_that_stays() {
    let ids: Vec<_> = (0..2)
        .map(|_| {
            let vfs = FaultyVfs::default();
            let id = |vfs: &FaultyVfs| open(vfs, options()).unwrap().journal.store();
            let first = id(&vfs);
            assert_eq!(id(&vfs), first);
            first
        })
        .collect();
    assert_ne!(ids[0], ids[1]);
}

/// From time to time, the reach is recorded while events are written.
#[test]
fn the_reach_is_recorded_at_every_call() {
    let vfs = FaultyVfs::default();
    let opened = open(&vfs, options()).unwrap();
    let journal: Arc<Journal> = Arc::clone(&opened.journal);
    let empty = vfs.bytes(&all_segments(&vfs)[0]);
    let (writer, outcomes) = writer(opened);
    submit(&writer, &outcomes, 1, batch(1, 2, 0)).unwrap();
    journal.record_reach().unwrap();
    let image = vfs.crash(&mut |_| 0);
    image.change(&all_segments(&image)[0], |bytes| *bytes = empty);
    let JournalError::Damaged { damage, .. } = refusal(&image) else {
        panic!("it is damaged");
    };
    let expected = Defect::EndMissing {
        found: 0,
        reached: 2,
    };
    assert_eq!(damage.defect, expected);
}
