//! What a salvage keeps of a damaged journal, what it says is lost, and what it leaves.

use std::sync::Arc;

use crate::contents::{folder, numbered, open, replayed, segments};
use crate::disk::{cut, disk, each_zeroed_sector, opened_holders};
use crate::faulty::FaultyVfs;
use crate::journal_writer::{batch, options, submit, writer};
use poh_holdmetrics_rust::journal::{
    Defect, EventFrame, JournalError, LostEvents, Vfs, read_damaged, salvage,
};

/// Salvages, and checks that what is left is all but the lost ranges, under its own numbers.
fn salvaged(vfs: &FaultyVfs, acknowledged: &[String]) -> Vec<LostEvents> {
    let shared: Arc<dyn Vfs> = Arc::new(vfs.clone());
    let mut readable = Vec::new();
    let visit = |frame: EventFrame<'_>| {
        numbered(&frame, &mut readable);
        Ok::<_, JournalError>(())
    };
    read_damaged(vfs, &folder(), 0, visit).unwrap();
    let before: Vec<_> = segments(&vfs.paths(), &folder())
        .iter()
        .map(|path| vfs.bytes(path))
        .collect();
    let done = salvage(&shared, &folder(), &options(), 0).unwrap();
    let moved = segments(&vfs.paths(), &done.moved_to);
    let after: Vec<_> = moved.iter().map(|path| vfs.bytes(path)).collect();
    assert!(before == after, "the damaged journal is kept as it was");

    let is_lost = |number: u64| {
        done.report
            .lost
            .iter()
            .any(|lost| lost.first <= number && lost.last.is_none_or(|last| number <= last))
    };
    let kept: Vec<_> = (1..)
        .zip(acknowledged.iter().cloned())
        .filter(|(number, _)| !is_lost(*number))
        .collect();
    assert_eq!(readable, kept);
    let opened = open(vfs, options()).unwrap();
    assert_eq!(replayed(&opened.journal, 1), kept);
    let (writer, outcomes) = writer(opened);
    let next = submit(&writer, &outcomes, 0, batch(9_999, 1, 0)).unwrap();
    assert!(next > kept.last().map_or(0, |(number, _)| *number));
    done.report.lost
}

#[test]
fn d4_what_is_damaged_is_salvaged_on_both_sides() {
    let (vfs, acknowledged) = disk(true);
    let mut with_both_sides = 0;
    each_zeroed_sector(&vfs, |path, sector, image| {
        if opened_holders(&image.image()).is_ok() {
            return;
        }
        let lost = salvaged(image, &acknowledged);
        if sector < 2 {
            assert_eq!(
                lost,
                [],
                "{}: the other copy of the header serves",
                path.display()
            );
        } else {
            let lost_events = |lost: &LostEvents| lost.last.map(|last| last - lost.first + 1);
            let count: Option<u64> = lost.iter().map(lost_events).sum();
            assert!(
                count.is_some_and(|count| (1..=4).contains(&count)),
                "{lost:?}"
            );
            with_both_sides += 1;
        }
    });
    assert!(with_both_sides > 3);
}

/// Salvages a closed journal after `harm` to its first segment; what is lost of it, by number.
fn lost_of_the_first_segment(harm: impl Fn(&mut Vec<u8>)) -> (LostEvents, Vec<Defect>) {
    let (vfs, acknowledged) = disk(true);
    let path = &segments(&vfs.paths(), &folder())[0];
    vfs.change(path, harm);
    let readable = read_damaged(&vfs, &folder(), 0, |_| Ok::<_, JournalError>(())).unwrap();
    let lost = salvaged(&vfs, &acknowledged);
    assert_eq!((lost.len(), &readable.lost), (1, &lost));
    let opened = open(&vfs, options()).unwrap();
    assert_eq!(opened.journal.size().first_sequence, 1);
    let defects = readable.damages.into_iter().map(|damage| damage.defect);
    (lost[0], defects.collect())
}

#[test]
fn a_segment_that_ends_too_early_is_damage_and_its_events_are_lost() {
    // The first frame holds one event and has one sector; the second is emptied, or cut off.
    let harms: [fn(&mut Vec<u8>); 3] = [
        |bytes| bytes[1_536..].fill(0),
        |bytes| bytes.truncate(1_536),
        |bytes| bytes[1_536..2_048].fill(0),
    ];
    for harm in harms {
        let (lost, defects) = lost_of_the_first_segment(harm);
        assert_eq!(lost.first, 2);
        assert!(lost.last.is_some());
        assert_eq!(defects.len(), 1, "{defects:?}");
    }
}

#[test]
fn a_journal_with_a_cut_segment_is_salvaged_up_to_the_cut_and_behind_it() {
    let (vfs, acknowledged) = disk(true);
    let all = segments(&vfs.paths(), &folder());
    for path in &all {
        let is_last = path == all.last().unwrap();
        for length in (0..vfs.bytes(path).len()).step_by(256) {
            let image = cut(&vfs, path, length);
            let visit = |_: EventFrame<'_>| Ok::<_, JournalError>(());
            let readable = read_damaged(&image, &folder(), 0, visit).unwrap();
            let told = readable.damages.iter().any(|damage| {
                damage.offset == length as u64
                    && matches!(damage.defect, Defect::SegmentLength { .. })
            });
            assert_eq!(told, length >= 512, "{:?}", readable.damages);
            let lost = salvaged(&image, &acknowledged);
            if is_last {
                // Nobody can tell how much there was.
                assert_eq!(lost.last().unwrap().last, None);
            } else {
                assert!(lost.len() <= 1 && lost.iter().all(|lost| lost.last.is_some()));
            }
        }
    }
}

#[test]
fn a_first_segment_without_a_header_is_lost_and_the_salvaged_journal_begins_with_event_one() {
    let (lost, defects) = lost_of_the_first_segment(|bytes| {
        bytes[20] ^= 1;
        bytes[532] ^= 1;
    });
    assert_eq!(lost.first, 1);
    assert!(defects.contains(&Defect::SegmentHeader), "{defects:?}");
}

#[test]
fn a_salvage_that_crashes_at_any_sync_loses_nothing() {
    let (vfs, acknowledged) = disk(true);
    let path = &segments(&vfs.paths(), &folder())[0];
    // In the second frame, which holds three events.
    vfs.change(path, |bytes| bytes[1_600] ^= 1);
    let options = options();
    for stop in 1.. {
        let image = vfs.image();
        image.stop_at_sync(stop);
        let shared: Arc<dyn Vfs> = Arc::new(image.clone());
        let done = salvage(&shared, &folder(), &options, 0);
        for kept in [0, 1, usize::MAX] {
            let crashed = image.crash(&mut |possibilities| kept.min(possibilities - 1));
            match open(&crashed, options.clone()) {
                Ok(opened) => {
                    assert_eq!(replayed(&opened.journal, 1).len(), acknowledged.len() - 3);
                }
                Err(JournalError::Damaged { .. }) => {
                    assert_eq!(salvaged(&crashed, &acknowledged).len(), 1);
                }
                Err(other) => panic!("{other}"),
            }
        }
        if done.is_ok() {
            assert!(stop > 5);
            return;
        }
    }
}

#[test]
fn a_salvage_without_room_removes_its_copy_and_says_how_much_it_needs() {
    let (vfs, acknowledged) = disk(true);
    let path = &segments(&vfs.paths(), &folder())[0];
    vfs.change(path, |bytes| bytes[1_600] ^= 1);
    let before = vfs.paths();
    let sizes = segments(&before, &folder());
    let sizes = sizes.iter().map(|path| vfs.bytes(path).len() as u64);
    let needed = sizes.sum::<u64>() + options().segment_bytes;
    let shared: Arc<dyn Vfs> = Arc::new(vfs.clone());
    for room in [0, 600, 5_000] {
        vfs.set_room(Some(room));
        let error = salvage(&shared, &folder(), &options(), 0).unwrap_err();
        assert!(
            matches!(error, JournalError::NoSpace { bytes, .. } if bytes == needed),
            "{error}"
        );
        assert_eq!(vfs.paths(), before);
        let names = vfs.list(folder().parent().unwrap()).unwrap();
        assert_eq!(names, ["identity", "journal"]);
    }
    vfs.set_room(None);
    assert_eq!(salvaged(&vfs, &acknowledged).len(), 1);
}

#[test]
fn a_salvage_never_gives_a_number_again_that_the_state_has_seen() {
    let (vfs, acknowledged) = disk(true);
    let last = segments(&vfs.paths(), &folder()).pop().unwrap();
    vfs.change(&last, |bytes| bytes[..2_048].fill(0));
    let shared: Arc<dyn Vfs> = Arc::new(vfs.clone());
    let seen = acknowledged.len() as u64;
    let done = salvage(&shared, &folder(), &options(), seen).unwrap();
    assert_eq!(done.report.lost.last().unwrap().last, None);
    let opened = open(&vfs, options()).unwrap();
    assert_eq!(opened.journal.last_sequence(), seen);
    let (writer, outcomes) = writer(opened);
    assert_eq!(submit(&writer, &outcomes, 1, batch(1, 1, 0)), Ok(seen + 1));
}
