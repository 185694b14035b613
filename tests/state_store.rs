//! The state alone, over bytes in memory: what is written comes back, and what was changed is told.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use poh_holdmetrics_rust::state::{self, Entry, StateError, StorageBackend, Store};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// Bytes that outlive the store that wrote them.
#[derive(Clone, Debug, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Memory {
    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes of its own, with one change.
    fn changed(&self, change: impl FnOnce(&mut [u8])) -> Self {
        let mut bytes = self.bytes().clone();
        change(&mut bytes);
        Self(Arc::new(Mutex::new(bytes)))
    }
}

fn index(bytes: u64) -> usize {
    usize::try_from(bytes).expect("small")
}

impl StorageBackend for Memory {
    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let bytes = self.bytes();
        let found = bytes.get(index(offset)..index(offset) + out.len());
        out.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.bytes().resize(index(len), 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.bytes()[index(offset)..][..data.len()].copy_from_slice(data);
        Ok(())
    }
}

type Known = BTreeMap<(String, String), Vec<u8>>;

fn open(memory: &Memory) -> Result<Store, StateError> {
    Store::open(memory.clone(), Path::new("/data/state.redb"))
}

fn entries(known: &Known) -> impl Iterator<Item = Entry<'_>> {
    known.iter().map(|((holder_id, token_id), claims)| Entry {
        holder_id,
        token_id,
        claims,
    })
}

fn loaded(store: &Store) -> Result<Known, StateError> {
    let known = Mutex::new(Known::new());
    store.load(|| {
        |entry: Entry<'_>| {
            let key = (entry.holder_id.to_owned(), entry.token_id.to_owned());
            let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
            known.insert(key, entry.claims.to_vec());
        }
    })?;
    Ok(known.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// 300 keys of 100 holders, with claims of any length.
fn many(seed: u64) -> Known {
    let mut random = Pcg64Mcg::seed_from_u64(seed);
    let key = |number: usize| {
        (
            format!("holder-{}", number % 100),
            format!("token-{number}"),
        )
    };
    (0..300)
        .map(|number| {
            let length = random.random_range(0..60);
            let claims = (0..length).map(|_| random.random()).collect();
            (key(number), claims)
        })
        .collect()
}

#[test]
fn what_was_written_comes_back_and_the_latest_of_a_key_counts() {
    let memory = Memory::default();
    let (first, second) = (many(1), many(2));
    let mut store = open(&memory).expect("an empty state");
    assert_eq!(
        (store.contents().entries, store.contents().applied_sequence),
        (0, 0)
    );
    store.write(entries(&first), Some(70)).expect("written");
    let some: Known = second.into_iter().step_by(3).collect();
    store.write(entries(&some), None).expect("written");
    assert_eq!(store.contents().applied_sequence, 70, "as it was");
    drop(store);
    let store = open(&memory).expect("whole");
    let mut expected = first;
    expected.extend(some);
    assert_eq!(loaded(&store).expect("whole"), expected);
    let mut in_order = Vec::new();
    let each = |entry: Entry<'_>| in_order.push(entry.holder_id.to_owned());
    store.for_each(each).expect("whole");
    let runs = in_order.chunk_by(|a, b| a == b).count();
    assert_eq!(runs, 100, "the keys of a holder lie together");
    assert_eq!(store.verify().expect("whole").entries, 300);
}

#[test]
fn d4_changed_bytes_of_a_state_are_told_or_change_nothing() {
    let memory = Memory::default();
    let known = many(3);
    let mut store = open(&memory).expect("an empty state");
    store.write(entries(&known), Some(9)).expect("written");
    drop(store);
    let mut random = Pcg64Mcg::seed_from_u64(6);
    let written: Vec<usize> = {
        let bytes = memory.bytes();
        (0..bytes.len()).filter(|at| bytes[*at] != 0).collect()
    };
    let mut told = 0;
    let stride = written.len() / 1_500 + 1;
    for at in written.iter().step_by(stride) {
        let bit = random.random_range(0..8);
        let changed = memory.changed(|bytes| bytes[*at] ^= 1 << bit);
        match open(&changed).and_then(|store| Ok((loaded(&store)?, store.contents()))) {
            Ok((found, contents)) => {
                assert_eq!(contents.applied_sequence, 9, "byte {at} bit {bit}");
                assert_eq!(found, known, "byte {at} bit {bit}");
            }
            Err(error) => {
                let sentence = error.to_string();
                assert!(sentence.starts_with("/data/state.redb: "), "{sentence}");
                told += 1;
            }
        }
    }
    // Not every byte that was written is in use, and some are made anew by opening.
    assert!(told > 200, "only {told} were told");
}

#[test]
fn a_salvage_keeps_whole_entries_and_counts_the_others() {
    let memory = Memory::default();
    let known = many(4);
    let mut store = open(&memory).expect("an empty state");
    store.write(entries(&known), Some(9)).expect("written");
    drop(store);
    // In the middle of an entry: the page's checksum is wrong, and the other entries are whole.
    let needle = b"holder-42";
    let place = {
        let bytes = memory.bytes();
        let found = bytes
            .windows(needle.len())
            .position(|bytes| bytes == needle);
        found.expect("ids lie there as they are")
    };
    let damaged = memory.changed(|bytes| bytes[place] ^= 0x20);
    assert!(matches!(open(&damaged), Err(StateError::Damaged { .. })));
    let fresh = Memory::default();
    let path = Path::new("/data/state.redb");
    let salvaged = state::salvage(damaged, fresh.clone(), path).expect("most of it");
    assert_eq!(salvaged.applied_sequence, 9);
    assert_eq!(salvaged.kept + salvaged.lost.expect("known"), 300);
    assert!(
        (1..=3).contains(&salvaged.lost.expect("known")),
        "{salvaged:?}"
    );
    let found = loaded(&open(&fresh).expect("whole")).expect("whole");
    assert!(found.iter().all(|(key, claims)| known[key] == *claims));
    assert_eq!(found.len() as u64, salvaged.kept);
}
