//! What is found after a crash, and what is never mistaken for one.

use crate::contents::{folder, open, replayed, segments};
use crate::disk::{cut, disk, each_zeroed_sector, holders_of, opened_holders, write};
use crate::faulty::FaultyVfs;
use crate::journal_writer::{batch, options, submit, writer};
use poh_holdmetrics_rust::journal::{Defect, JournalError, JournalOptions, Vfs};
use proptest::prelude::*;
use std::iter;

#[test]
fn what_was_closed_comes_back_whole() {
    let (vfs, acknowledged) = disk(true);
    assert!(segments(&vfs.paths(), &folder()).len() > 1);
    let opened = open(&vfs, options()).unwrap();
    assert!(opened.report.was_closed);
    assert_eq!(opened.report.torn, None);
    assert_eq!(opened.report.events, acknowledged.len() as u64);
    assert_eq!(holders_of(&opened.journal), acknowledged);
}

#[test]
fn replay_begins_with_the_frame_that_holds_the_event() {
    let (vfs, acknowledged) = disk(true);
    let opened = open(&vfs, options()).unwrap();
    for from in 1..=acknowledged.len() as u64 + 1 {
        let events = replayed(&opened.journal, from);
        let first = events.first().map_or(from, |(number, _)| *number);
        assert!(first <= from && from < first + 4);
        assert_eq!(events.len() as u64, acknowledged.len() as u64 + 1 - first);
    }
}

#[test]
fn covered_segments_are_removed_and_the_rest_opens() {
    let (vfs, acknowledged) = disk(true);
    let opened = open(&vfs, options()).unwrap();
    let before = opened.journal.size();
    assert_eq!(opened.journal.delete_covered(0).unwrap(), 0);
    let removed = opened
        .journal
        .delete_covered(acknowledged.len() as u64)
        .unwrap();
    assert_eq!(removed, before.segments - 1);
    let after = opened.journal.size();
    assert_eq!(after.segments, 1);
    assert_eq!(after.last_sequence, before.last_sequence);
    drop(opened);
    let again = open(&vfs.crash(&mut |_| 0), options()).unwrap();
    assert_eq!(
        again.journal.size().last_sequence,
        acknowledged.len() as u64
    );
    assert_eq!(again.journal.size().first_sequence, after.first_sequence);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Runs, crashes at some sync with some of the unsynced sectors kept, opens again and goes on:
    /// every acknowledged event is there in its place, and beyond them at most the batch that was
    /// being written.
    #[test]
    fn d2_after_a_crash_at_any_sync_every_acknowledged_event_is_there(
        rounds in prop::collection::vec(
            (prop::collection::vec((1..5_u64, 0..900_usize), 1..8), 1..40_u64, any::<u64>()),
            1..4,
        ),
    ) {
        let mut vfs = FaultyVfs::default();
        let mut acknowledged: Vec<String> = Vec::new();
        for (batches, stop, seed) in rounds {
            vfs.stop_at_sync(stop);
            let now = write(&vfs, &batches, true);
            if now.len() > acknowledged.len() {
                acknowledged = now;
            }
            let mut state = seed | 1;
            vfs = vfs.crash(&mut |possibilities| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                usize::try_from(state >> 33).unwrap() % possibilities
            });
            let found = opened_holders(&vfs);
            let found = found.map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert!(found.starts_with(&acknowledged), "{acknowledged:?} {found:?}");
            prop_assert!(found.len() < acknowledged.len() + 5);
            acknowledged = found;
        }
    }
}

#[test]
fn d2_a_crash_with_every_subset_of_a_frame_s_sectors_is_no_damage() {
    // A frame of four sectors, so sixteen ways to lose some of them, at every sync of the run.
    for padding in [1_500, 0] {
        for stop in 1..12 {
            for subset in 0..64_usize {
                let vfs = FaultyVfs::default();
                vfs.stop_at_sync(stop);
                let acknowledged = write(&vfs, &[(1, 10), (1, padding), (2, 30)], true);
                let mut bit = 0;
                let crashed = vfs.crash(&mut |possibilities| {
                    bit += 1;
                    if subset >> (bit % 6) & 1 == 0 {
                        0
                    } else {
                        possibilities - 1
                    }
                });
                let found = opened_holders(&crashed).unwrap();
                assert!(found.starts_with(&acknowledged), "{stop} {subset:b}");
            }
        }
    }
}

#[test]
fn d2_a_crash_while_a_torn_tail_is_cut_is_no_damage() {
    let vfs = FaultyVfs::default();
    let acknowledged = write(&vfs, &[(1, 10)], true);
    // The next frame has four sectors, and the machine stops before they are synced. Before it come
    // the syncs of the folder above, of the next segment's zeros, its header and its name, and of the
    // identity, which then knows of the segment.
    vfs.stop_at_sync(6);
    assert_eq!(write(&vfs, &[(1, 1_500)], true), acknowledged);
    let keep = |subset: usize| {
        let mut sector = 0;
        move |possibilities: usize| {
            sector += 1;
            let is_kept = subset >> (sector % 4) & 1 == 1;
            if is_kept { possibilities - 1 } else { 0 }
        }
    };
    let mut torn_tails = 0;
    for subset in 0..16 {
        let torn = vfs.crash(&mut keep(subset));
        let is_torn = open(&torn.image(), options())
            .unwrap()
            .report
            .torn
            .is_some();
        torn_tails += u32::from(is_torn);
        for again in 0..16 {
            let image = torn.image();
            // This time it is the sync of the cut at which the machine stops.
            image.stop_at_sync(2);
            assert!(opened_holders(&image).is_err() || !is_torn);
            let found = opened_holders(&image.crash(&mut keep(again))).unwrap();
            assert!(found.starts_with(&acknowledged));
        }
    }
    assert!(torn_tails > 8, "{torn_tails}");
}

/// Every flip is refused with a place, or the journal still holds what was acknowledged.
fn assert_flips_are_seen(is_closed: bool) {
    let (vfs, acknowledged) = disk(is_closed);
    let mut refused = 0;
    let mut harmless = 0;
    for path in segments(&vfs.paths(), &folder()) {
        let length = vfs.bytes(&path).len();
        for bit in 0..length * 8 {
            let flip = |bytes: &mut Vec<u8>| bytes[bit / 8] ^= 1 << (bit % 8);
            vfs.change(&path, flip);
            // A copy is opened, so that what opening repairs is not repaired for the next bit.
            match opened_holders(&vfs.image()) {
                Ok(found) => {
                    assert_eq!(found, acknowledged, "{} bit {bit}", path.display());
                    harmless += 1;
                }
                Err(JournalError::Damaged { .. }) => refused += 1,
                Err(other) => panic!("{} bit {bit}: {other}", path.display()),
            }
            vfs.change(&path, flip);
        }
    }
    assert!(
        refused > harmless / 20,
        "{refused} refused, {harmless} in free space"
    );
}

#[test]
fn d4_every_flipped_bit_is_detected() {
    assert_flips_are_seen(true);
}

#[test]
fn d4_every_flipped_bit_is_detected_where_nobody_closed_the_journal() {
    assert_flips_are_seen(false);
}

#[test]
fn d4_every_zeroed_sector_of_a_closed_journal_is_detected() {
    let (vfs, acknowledged) = disk(true);
    let mut refused = 0;
    each_zeroed_sector(&vfs, |path, sector, image| match opened_holders(image) {
        // The last seal: it holds nothing.
        Ok(found) => assert_eq!(found, acknowledged, "{} sector {sector}", path.display()),
        Err(JournalError::Damaged { .. }) => refused += 1,
        Err(other) => panic!("{other}"),
    });
    assert!(refused > 8, "{refused}");
}

#[test]
fn d4_a_zeroed_sector_is_cut_at_the_tail_and_refused_in_the_middle() {
    let (vfs, acknowledged) = disk(false);
    let last = segments(&vfs.paths(), &folder()).pop().unwrap();
    let (mut cut, mut refused) = (0, 0);
    each_zeroed_sector(&vfs, |path, sector, image| match open(image, options()) {
        Ok(opened) => {
            assert_eq!(path, last, "only the last frame can be torn");
            let (segment, bytes) = opened.report.torn.expect("the cut is reported");
            assert_eq!(
                path.file_stem().unwrap().to_str().unwrap(),
                format!("{segment:020}")
            );
            assert!(bytes > 0);
            let found = holders_of(&opened.journal);
            assert_eq!(
                found,
                acknowledged[..acknowledged.len() - 4],
                "sector {sector}"
            );
            cut += 1;
        }
        Err(JournalError::Damaged { damage, .. }) => {
            assert!(damage.offset / 512 <= sector, "{damage}");
            refused += 1;
        }
        Err(other) => panic!("{other}"),
    });
    assert!(cut >= 1 && refused > 5, "{cut} cut, {refused} refused");
}

#[test]
fn a_torn_tail_is_cut_and_what_follows_is_written_in_its_place() {
    let (vfs, acknowledged) = disk(false);
    let last = segments(&vfs.paths(), &folder()).pop().unwrap();
    let end = vfs
        .bytes(&last)
        .iter()
        .rposition(|byte| *byte != 0)
        .unwrap();
    vfs.change(&last, |bytes| bytes[end / 512 * 512..].fill(0));
    let found = write(&vfs, &[(2, 5)], true);
    assert_eq!(found.len(), acknowledged.len() - 4 + 2);
    assert_eq!(opened_holders(&vfs).unwrap(), found);
}

#[test]
fn a_segment_that_was_cut_anywhere_is_refused_with_both_lengths() {
    let with_large = FaultyVfs::default();
    write(&with_large, &[(1, 0), (1, 6_000), (2, 0)], true);
    let second = &segments(&with_large.paths(), &folder())[1];
    assert!(with_large.bytes(second).len() as u64 > options().segment_bytes);
    // Of a header that ends in zero, the checksum is right without its last byte.
    let ends_in_zero = |vfs: &FaultyVfs| {
        let paths = segments(&vfs.paths(), &folder());
        paths.iter().any(|path| vfs.bytes(path)[511] == 0)
    };
    let with_zero = iter::repeat_with(|| disk(true).0).find(ends_in_zero);
    for vfs in [with_zero.unwrap(), disk(false).0, with_large] {
        for path in segments(&vfs.paths(), &folder()) {
            let expected = vfs.bytes(&path).len() as u64;
            for length in 0..vfs.bytes(&path).len() {
                let image = cut(&vfs, &path, length);
                let before = image.bytes(&path);
                let error = open(&image, options()).err().expect("it is refused");
                assert_eq!(image.bytes(&path), before);
                let JournalError::Damaged { damage, .. } = &error else {
                    panic!("{error}");
                };
                let found = length as u64;
                let defect = if length < 512 {
                    Defect::SegmentHeader
                } else {
                    Defect::SegmentLength { found, expected }
                };
                assert_eq!(damage.defect, defect);
                let sentence = error.to_string();
                assert!(sentence.starts_with(path.to_str().unwrap()), "{sentence}");
                assert!(sentence.contains("--salvage"), "{sentence}");
                let lengths = format!("has {found} bytes, its header says {expected}");
                assert_eq!(sentence.contains(&lengths), length >= 512, "{sentence}");
            }
        }
    }
}

#[test]
fn nothing_is_written_behind_the_length_that_a_header_says() {
    let (vfs, mut acknowledged) = disk(true);
    let last = segments(&vfs.paths(), &folder()).pop().unwrap();
    let length = vfs.bytes(&last).len();
    vfs.change(&last, |bytes| bytes.resize(length + 4_096, 0));
    for _ in 0..3 {
        let more = write(&vfs, &[(1, 300), (1, 700), (2, 10)], true);
        assert!(more.starts_with(&acknowledged));
        acknowledged = more;
    }
    assert!(vfs.bytes(&last)[length..].iter().all(|byte| *byte == 0));
    assert_eq!(opened_holders(&vfs).unwrap(), acknowledged);
}

#[test]
fn a_missing_segment_is_named() {
    let (vfs, _) = disk(true);
    let all = segments(&vfs.paths(), &folder());
    assert!(all.len() > 2);
    vfs.remove(&all[1]).unwrap();
    let Err(JournalError::Damaged { damage, .. }) = open(&vfs, options()) else {
        panic!("it is refused");
    };
    assert_eq!((damage.segment, damage.defect), (2, Defect::SegmentMissing));
}

#[test]
fn segments_of_another_journal_are_refused() {
    let (vfs, _) = disk(true);
    let other = vfs.image();
    // Two copies of one store went on by themselves.
    write(&vfs, &[(4, 300), (4, 300), (4, 300)], true);
    write(&other, &[(4, 310), (4, 310), (4, 310)], true);
    let path = segments(&vfs.paths(), &folder()).pop().unwrap();
    let foreign = other.bytes(&path);
    vfs.change(&path, |bytes| *bytes = foreign);
    let Err(JournalError::Damaged { damage, .. }) = open(&vfs, options()) else {
        panic!("it is refused");
    };
    assert_eq!(damage.defect, Defect::SegmentChain);
}

#[test]
fn a_later_version_is_refused_by_name() {
    let (vfs, _) = disk(true);
    let path = &segments(&vfs.paths(), &folder())[0];
    vfs.change(path, |bytes| {
        for copy in [0, 512] {
            bytes[copy + 8] = 4;
            let checksum = crc32c::crc32c(&bytes[copy..copy + 508]);
            bytes[copy + 508..copy + 512].copy_from_slice(&checksum.to_le_bytes());
        }
    });
    let error = open(&vfs, options()).err().expect("it is refused");
    let expected = "segment 1 has format version 4, and this program reads versions up to 3: use";
    assert!(error.to_string().contains(expected), "{error}");
}

#[test]
fn a_new_journal_may_begin_after_what_the_state_has_seen() {
    let vfs = FaultyVfs::default();
    let options = JournalOptions {
        first_sequence: 501,
        ..options()
    };
    let opened = open(&vfs, options).unwrap();
    assert_eq!(opened.journal.last_sequence(), 500);
    let (writer, outcomes) = writer(opened);
    assert_eq!(submit(&writer, &outcomes, 1, batch(1, 2, 0)), Ok(501));
    assert_eq!(submit(&writer, &outcomes, 2, batch(2, 1, 0)), Ok(503));
}
