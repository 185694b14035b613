//! The writer: groups, bounds, a failing sync, a full disk.

use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use crate::contents::{folder, open, replayed, segments};
use crate::faulty::FaultyVfs;
use crate::journal_writer::{Outcome, batch, options, submit, writer};
use poh_holdmetrics_rust::core::Micros;
use poh_holdmetrics_rust::journal::{
    CommitHandler, CommittedFrame, FolderLock, JournalError, JournalOptions, Submission,
    WriteError, Writer, WriterCondition,
};

#[test]
fn d1_what_is_acknowledged_is_on_disk_before() {
    let vfs = FaultyVfs::default();
    let opened = open(&vfs, options()).unwrap();
    let (writer, outcomes) = writer(opened);
    for number in 0..30 {
        let first = submit(&writer, &outcomes, number, batch(number, 1, 100)).unwrap();
        assert_eq!(first, number + 1);
        // Power is lost at this very moment, and nothing that was not synced survives.
        let found = open(&vfs.crash(&mut |_| 0), options()).unwrap();
        assert_eq!(found.journal.last_sequence(), number + 1);
    }
}

/// Lets each frame through only when the test says so.
struct Gated {
    go: std::sync::mpsc::Receiver<()>,
    told: std::sync::mpsc::Sender<Vec<u64>>,
}

impl CommitHandler<u64> for Gated {
    fn committed(&mut self, frame: CommittedFrame<u64>) {
        let tags = frame.submissions.iter().map(|one| one.tag).collect();
        self.told.send(tags).expect("the test listens");
        self.go.recv().expect("the test lets it go");
    }

    fn failed(&mut self, _: Vec<Submission<u64>>, reason: &WriteError) {
        panic!("nothing is refused here: {reason}");
    }
}

#[test]
fn what_waits_during_a_write_is_one_frame_in_order_and_within_bounds() {
    let vfs = FaultyVfs::default();
    let options = JournalOptions {
        segment_bytes: 8 << 20,
        ..options()
    };
    let opened = open(&vfs, options).unwrap();
    let (let_go, go) = sync_channel(16);
    let (told, frames) = std::sync::mpsc::channel();
    let writer = Writer::start(opened.appender, Gated { go, told }).unwrap();
    let next = || {
        frames
            .recv_timeout(Duration::from_secs(30))
            .expect("a frame")
    };
    let send = |tag, count, padding| writer.submit(batch(tag, count, padding), tag).unwrap();
    send(0, 1, 0);
    assert_eq!(next(), [0]);
    // While the first is held up: three that go together, then one that alone is larger than a
    // frame may be, then as many events as a frame may have, and one more.
    send(1, 1, 0);
    send(2, 5, 0);
    send(3, 1, 0);
    send(4, 2, 600 << 10);
    send(5, 8_192, 0);
    send(6, 1, 0);
    for expected in [&[1, 2, 3][..], &[4], &[5], &[6]] {
        let_go.send(()).unwrap();
        assert_eq!(next(), expected);
    }
    let_go.send(()).unwrap();
    writer.close();
}

#[test]
fn a_closed_writer_returns_the_batch() {
    let vfs = FaultyVfs::default();
    let (writer, _outcomes) = writer(open(&vfs, options()).unwrap());
    writer.close();
    let (reason, back) = writer.submit(batch(3, 1, 0), 3).unwrap_err();
    assert_eq!(
        (reason, back.tag, back.batch),
        (WriteError::Closed, 3, batch(3, 1, 0))
    );
}

#[test]
fn d5_a_failed_sync_poisons_for_good() {
    for sync in 1..20 {
        let vfs = FaultyVfs::default();
        let opened = open(&vfs, options()).unwrap();
        let (writer, outcomes) = writer(opened);
        vfs.fail_at_sync(sync);
        let mut acknowledged = 0;
        let reason = loop {
            match submit(
                &writer,
                &outcomes,
                acknowledged,
                batch(acknowledged, 1, 700),
            ) {
                Ok(_) => acknowledged += 1,
                Err(reason) => break reason,
            }
        };
        let WriteError::Poisoned(reason) = reason else {
            panic!("{reason:?}");
        };
        assert!(reason.contains("cannot be"), "{reason}");
        assert_eq!(
            writer.condition(),
            WriterCondition::Poisoned(reason.clone())
        );
        // The next syncs would do, and are not tried.
        for more in 0..3 {
            let (refused, _) = writer.submit(batch(more, 1, 0), more).unwrap_err();
            assert_eq!(refused, WriteError::Poisoned(reason.clone()));
        }
        let before = vfs.syncs();
        writer.close();
        assert_eq!(
            vfs.syncs(),
            before,
            "nothing is sealed over what is not known"
        );
        let again = open(&vfs.crash(&mut |_| 0), options()).unwrap();
        assert!(again.journal.last_sequence() >= acknowledged);
    }
}

#[test]
fn d5_all_that_waits_is_told_why() {
    let vfs = FaultyVfs::default();
    let opened = open(&vfs, options()).unwrap();
    let (writer, outcomes) = writer(opened);
    vfs.fail_at_sync(1);
    let mut taken = 0;
    for number in 0..200 {
        match writer.submit(batch(number, 1, 200), number) {
            Ok(()) => taken += 1,
            Err((WriteError::Poisoned(_), _)) => {}
            Err((other, _)) => panic!("{other}"),
        }
    }
    writer.close();
    let told: Vec<_> = outcomes.iter().collect();
    assert_eq!(told.len(), taken);
    assert!(
        told.iter()
            .all(|(_, outcome)| matches!(outcome, Outcome::Refused(WriteError::Poisoned(_))))
    );
}

#[test]
fn d6_a_full_disk_refuses_and_writing_goes_on_when_there_is_room() {
    // Each amount of room meets the full disk at another place: in a frame, in the middle of a new
    // segment's zeros, in its header.
    for room in (0..9_000).step_by(97) {
        let vfs = FaultyVfs::default();
        let opened = open(&vfs, options()).unwrap();
        let journal = opened.journal.clone();
        let (writer, outcomes) = writer(opened);
        vfs.set_room(Some(room));
        let mut accepted = Vec::new();
        let mut is_full = false;
        for number in 0..12 {
            // Ever shorter, so that what a cut write left would show behind the next one.
            let padding = 1_700 - 100 * usize::try_from(number).unwrap();
            match submit(&writer, &outcomes, number, batch(number, 1, padding)) {
                Ok(first) => {
                    accepted.push(number);
                    assert_eq!(first, accepted.len() as u64, "no number is used up");
                }
                Err(WriteError::DiskFull) => {
                    is_full = true;
                    assert_eq!(writer.condition(), WriterCondition::DiskFull);
                    assert_eq!(replayed(&journal, 1).len(), accepted.len(), "reads go on");
                    if number > 6 {
                        vfs.set_room(None);
                    }
                }
                Err(other) => panic!("{other}"),
            }
        }
        assert!(is_full && accepted.len() > 3, "room {room}: {accepted:?}");
        assert_eq!(writer.condition(), WriterCondition::Writing);
        writer.close();
        let leftovers: Vec<_> = vfs
            .paths()
            .into_iter()
            .filter(|path| path.extension().is_some_and(|suffix| suffix == "new"))
            .collect();
        assert_eq!(leftovers.len(), 0);
        let again = open(&vfs.crash(&mut |_| 0), options()).unwrap();
        let holders: Vec<_> = replayed(&again.journal, 1)
            .into_iter()
            .map(|(_, holder)| holder)
            .collect();
        let starts: Vec<_> = accepted.iter().map(|number| format!("{number}/")).collect();
        assert_eq!(holders.len(), starts.len());
        assert!(
            holders
                .iter()
                .zip(&starts)
                .all(|(holder, start)| holder.starts_with(start))
        );
    }
}

#[test]
fn d6_a_full_disk_is_not_tried_again_at_once() {
    let vfs = FaultyVfs::default();
    let options = JournalOptions {
        retry_after: Duration::from_secs(3_600),
        ..options()
    };
    let opened = open(&vfs, options).unwrap();
    let (writer, outcomes) = writer(opened);
    vfs.set_room(Some(0));
    assert_eq!(
        submit(&writer, &outcomes, 0, batch(0, 1, 0)),
        Err(WriteError::DiskFull)
    );
    vfs.set_room(None);
    assert_eq!(
        submit(&writer, &outcomes, 1, batch(1, 1, 0)),
        Err(WriteError::DiskFull)
    );
}

#[test]
fn where_too_many_files_are_open_nothing_is_taken_and_writing_goes_on_when_one_can_be_opened() {
    let vfs = FaultyVfs::default();
    let (writer, outcomes) = writer(open(&vfs, options()).unwrap());
    vfs.set_opening(false);
    let mut accepted = 0;
    while submit(&writer, &outcomes, accepted, batch(accepted, 1, 500)).is_ok() {
        accepted += 1;
    }
    assert!(accepted > 0, "the segment that is open has room");
    let again = submit(&writer, &outcomes, accepted, batch(accepted, 1, 500));
    assert_eq!(again, Err(WriteError::NoDescriptors));
    assert_eq!(writer.condition(), WriterCondition::Writing);
    vfs.set_opening(true);
    let first = submit(&writer, &outcomes, accepted, batch(accepted, 1, 500)).unwrap();
    assert_eq!(first, accepted + 1, "no number is used up");
    writer.close();
    let opened = open(&vfs.crash(&mut |_| 0), options()).unwrap();
    assert_eq!(replayed(&opened.journal, 1).len() as u64, accepted + 1);
}

#[test]
fn the_next_segment_is_made_ahead_on_its_own_thread() {
    let vfs = FaultyVfs::default();
    let options = JournalOptions {
        preallocates: true,
        ..options()
    };
    let opened = open(&vfs, options.clone()).unwrap();
    let (writer, outcomes) = writer(opened);
    for number in 0..40 {
        submit(&writer, &outcomes, number, batch(number, 1, 500)).unwrap();
    }
    writer.close();
    let files = vfs.paths();
    assert_eq!(
        segments(&files, &folder()).len(),
        files.len() - 1,
        "beside the identity; what was made ahead is gone"
    );
    assert!(files.len() > 5);
    let again = open(&vfs, options).unwrap();
    assert_eq!(replayed(&again.journal, 1).len(), 40);
}

#[test]
fn a_batch_larger_than_a_segment_gets_one_of_its_own() {
    let vfs = FaultyVfs::default();
    let opened = open(&vfs, options()).unwrap();
    let (writer, outcomes) = writer(opened);
    for (number, padding) in [(0, 0), (1, 20_000), (2, 0), (3, 3_000)] {
        submit(&writer, &outcomes, number, batch(number, 2, padding)).unwrap();
    }
    writer.close();
    let again = open(&vfs, options()).unwrap();
    assert_eq!(replayed(&again.journal, 1).len(), 8);
}

/// A file of the store was removed while a frame was being written: that frame may be in a file that no start finds.
#[test]
fn a_writer_that_is_stopped_during_a_write_reports_neither_it_nor_what_waits_as_durable() {
    let vfs = FaultyVfs::default();
    let (writer, outcomes) = writer(open(&vfs, options()).unwrap());
    let segment = segments(&vfs.paths(), &folder())[0].clone();
    let before = vfs.bytes(&segment);
    let stop = writer.poisoner();
    vfs.disk().hangs = true;
    for number in 0..2 {
        writer.submit(batch(number, 1, 0), number).unwrap();
        while vfs.bytes(&segment) == before {
            std::thread::yield_now();
        }
    }
    stop(&"it is gone".into());
    vfs.disk().hangs = false;
    let poisoned = WriteError::Poisoned("it is gone".into());
    for number in 0..2 {
        let (tag, outcome) = outcomes.recv_timeout(Duration::from_secs(30)).unwrap();
        assert_eq!(tag, number);
        assert!(
            matches!(&outcome, Outcome::Refused(reason) if *reason == poisoned),
            "{outcome:?}"
        );
    }
    let (refused, _) = writer.submit(batch(2, 1, 0), 2).unwrap_err();
    assert_eq!(refused, poisoned);
}

/// Fails as no sink should.
struct Panicking;

impl CommitHandler<u64> for Panicking {
    fn committed(&mut self, _: CommittedFrame<u64>) {
        panic!("a sink that breaks its promise");
    }

    fn failed(&mut self, _: Vec<Submission<u64>>, _: &WriteError) {}
}

#[test]
fn a_panic_on_the_writer_s_thread_poisons() {
    let vfs = FaultyVfs::default();
    let opened = open(&vfs, options()).unwrap();
    let writer = Writer::start(opened.appender, Panicking).unwrap();
    writer.submit(batch(0, 1, 0), 0).unwrap();
    writer.close();
    assert!(matches!(writer.condition(), WriterCondition::Poisoned(_)));
    let (refused, _) = writer.submit(batch(1, 1, 0), 1).unwrap_err();
    assert!(matches!(refused, WriteError::Poisoned(_)));
}

#[test]
fn a_second_process_is_refused_by_the_name_of_the_first() {
    let vfs = FaultyVfs::default();
    let now = Micros::parse("2026-11-22T05:00:00Z").unwrap();
    let take = || FolderLock::take(Arc::new(vfs.clone()), &folder(), now);
    let first = take().unwrap();
    let Err(JournalError::Locked { holder, .. }) = take() else {
        panic!("one at a time");
    };
    assert_eq!(
        holder,
        format!("process {} since 2026-11-22T05:00:00Z", std::process::id())
    );
    drop(first);
    take().unwrap();
}
