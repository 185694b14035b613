//! A segment of any bytes: opening it, reading around damage and salvaging never panics, never
//! invents an event, and what a salvage leaves opens.
#![no_main]

#[path = "../../tests/support/crash.rs"]
#[allow(dead_code, reason = "no disk of this target stops")]
mod crash;
#[path = "../../tests/support/faulty.rs"]
#[allow(dead_code, reason = "no disk of this target is full or fails")]
mod faulty;
#[path = "../../tests/support/journal_writer.rs"]
mod journal_writer;

use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use faulty::FaultyVfs;
use journal_writer::{batch, options, submit, writer};
use libfuzzer_sys::fuzz_target;
use poh_holdmetrics_rust::journal::{
    EventFrame, Journal, JournalError, OpenedJournal, Vfs, read_damaged, salvage,
};

/// One segment with some frames, the payloads in it, and the identity of its store before the first frame.
static WHOLE: LazyLock<(Vec<u8>, Vec<Vec<u8>>, Vec<u8>)> = LazyLock::new(|| {
    let vfs = FaultyVfs::default();
    let (writer, outcomes) = writer(open(&vfs).expect("a new journal"));
    let identity = vfs.bytes(&identity());
    for number in 0..4 {
        let count = number % 3 + 1;
        let padding = usize::try_from(number * 90).expect("a small number");
        submit(&writer, &outcomes, number, batch(number, count, padding)).expect("room");
    }
    writer.close();
    (vfs.bytes(&segment()), payloads(&vfs), identity)
});

fn folder() -> PathBuf {
    PathBuf::from("/data/journal")
}

fn open(vfs: &FaultyVfs) -> Result<OpenedJournal, JournalError> {
    Journal::open(Arc::new(vfs.clone()), &folder(), options())
}

fn identity() -> PathBuf {
    PathBuf::from("/data/identity")
}

fn segment() -> PathBuf {
    folder().join("00000000000000000001.log")
}

/// The payloads that can be read, in order.
fn payloads(vfs: &FaultyVfs) -> Vec<Vec<u8>> {
    let mut payloads = Vec::new();
    let visit = |frame: EventFrame<'_>| {
        payloads.push(frame.payload.to_vec());
        Ok::<_, JournalError>(())
    };
    read_damaged(vfs, &folder(), 0, visit).expect("a disk that can be read");
    payloads
}

/// A disk with this as the one segment.
fn disk(bytes: &[u8]) -> FaultyVfs {
    let vfs = FaultyVfs::default();
    vfs.create_folder(&folder()).expect("a folder");
    for (path, bytes) in [(segment(), bytes), (identity(), &WHOLE.2)] {
        drop(vfs.create(&path).expect("a file"));
        vfs.change(&path, |content| content.extend_from_slice(bytes));
    }
    vfs.image()
}

/// Four bytes each: where to change which bits.
fn mutated(changes: &[u8]) -> Vec<u8> {
    let mut bytes = WHOLE.0.clone();
    for [low, high, bits, length] in changes.as_chunks::<4>().0 {
        let at = usize::from(u16::from_le_bytes([*low, *high])) % bytes.len();
        let end = bytes.len().min(at + usize::from(*length) + 1);
        if *bits == 0 {
            bytes[at..end].fill(0);
        } else {
            bytes[at] ^= bits;
        }
    }
    bytes
}

/// Frames with right checksums and whatever the input says in them.
fn forged(mut input: &[u8]) -> Vec<u8> {
    let salt = u32::from_le_bytes(WHOLE.0[12..16].try_into().expect("four bytes"));
    let mut bytes = WHOLE.0[..1_024].to_vec();
    let mut chain = u32::from_le_bytes(bytes[508..512].try_into().expect("four bytes"));
    let mut next = 1_u64;
    while let Some((&[mark, payload, count, jump, flags], rest)) = input.split_first_chunk::<5>() {
        let (payload, rest) = rest.split_at(rest.len().min(payload.into()));
        input = rest;
        let extent = (32 + payload.len() + 4).next_multiple_of(512);
        let mut frame = vec![0; extent];
        frame[..4].copy_from_slice([b"hold", b"seal", b"lost", b"none"][usize::from(mark % 4)]);
        let stated = payload.len() as u32 + u32::from(flags & 1);
        frame[4..8].copy_from_slice(&stated.to_le_bytes());
        frame[8..12].copy_from_slice(&u32::from(count).to_le_bytes());
        frame[12..20].copy_from_slice(&(next + u64::from(jump)).to_le_bytes());
        frame[20..24].copy_from_slice(&chain.wrapping_add((flags >> 1 & 1).into()).to_le_bytes());
        frame[32..32 + payload.len()].copy_from_slice(payload);
        frame[extent - 4..].copy_from_slice(b"done");
        let body = crc32c::crc32c_append(salt, &frame[32..]).wrapping_add((flags >> 2 & 1).into());
        frame[24..28].copy_from_slice(&body.to_le_bytes());
        chain = crc32c::crc32c_append(salt, &frame[..28]);
        frame[28..32].copy_from_slice(&chain.to_le_bytes());
        next += u64::from(jump) + u64::from(count);
        bytes.extend(frame);
    }
    // At least as long as its header says, for a shorter one is refused at once.
    let length = (bytes.len() + 2_048).next_multiple_of(512);
    bytes.resize(length.max(WHOLE.0.len()), 0);
    bytes
}

fuzz_target!(|input: &[u8]| {
    let Some((mode, rest)) = input.split_first() else {
        return;
    };
    let is_ours = mode % 3 == 1;
    let vfs = match mode % 3 {
        0 => disk(rest),
        1 => disk(&mutated(rest)),
        _ => disk(&forged(rest)),
    };
    let readable = payloads(&vfs);
    if is_ours {
        // In order, and nothing that was not written; a changed payload passes one time in 2^32.
        let mut written = WHOLE.1.iter();
        assert!(
            readable
                .iter()
                .all(|payload| written.any(|known| known == payload))
        );
    }
    let before = vfs.image();
    match open(&vfs) {
        Ok(opened) => {
            let mut replayed = Vec::new();
            let read = opened
                .journal
                .replay(1, |frame| replayed.push(frame.payload.to_vec()));
            read.expect("it was checked when it was opened");
            assert!(replayed == readable);
            if is_ours {
                assert!(WHOLE.1.starts_with(&replayed), "a hole was not seen");
            }
        }
        Err(JournalError::Damaged { .. }) => {
            let shared: Arc<dyn Vfs> = Arc::new(before.clone());
            salvage(&shared, &folder(), &options(), 0).expect("a disk with room");
            let opened = open(&before).expect("what is salvaged opens");
            let mut kept = Vec::new();
            let read = opened
                .journal
                .replay(1, |frame| kept.extend_from_slice(frame.payload));
            read.expect("it was checked when it was opened");
            assert!(kept == readable.concat());
        }
        Err(JournalError::Version { .. }) => {}
        Err(other) => panic!("{other}"),
    }
});
