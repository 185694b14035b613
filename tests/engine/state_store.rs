//! The state alone, over bytes in memory: what is written comes back, and what was changed is told.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use poh_holdmetrics_rust::core::encoding::push_key;
use poh_holdmetrics_rust::state::{self, Entry, EntryKeys, StateError, StorageBackend, Store};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use rayon::prelude::*;

/// What copies of a memory share until one of them changes it.
type Page = [u8; PAGE];
const PAGE: usize = 4096;

/// Bytes that outlive the store that wrote them.
#[derive(Clone, Debug, Default)]
struct Memory(Arc<Mutex<Content>>);

#[derive(Clone, Debug, Default)]
struct Content {
    pages: Vec<Arc<Page>>,
    /// Whether a page was read.
    is_read: Vec<bool>,
    length: usize,
}

impl Memory {
    fn pages(&self) -> MutexGuard<'_, Content> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bytes(&self) -> Vec<u8> {
        let pages = self.pages();
        let bytes = pages.pages.iter().flat_map(|page| page.iter().copied());
        bytes.take(pages.length).collect()
    }

    /// The same bytes, of which nothing was read yet.
    fn copied(&self) -> Self {
        let mut copy = self.pages().clone();
        copy.is_read.fill(false);
        Self(Arc::new(Mutex::new(copy)))
    }

    /// The same bytes but for one.
    fn changed(&self, at: usize, change: impl FnOnce(&mut u8)) -> Self {
        let copy = self.copied();
        change(&mut Arc::make_mut(&mut copy.pages().pages[at / PAGE])[at % PAGE]);
        copy
    }
}

impl StorageBackend for Memory {
    fn len(&self) -> io::Result<u64> {
        Ok(self.pages().length as u64)
    }

    fn read(&self, offset: u64, mut out: &mut [u8]) -> io::Result<()> {
        let mut pages = self.pages();
        let mut at = index(offset);
        if at + out.len() > pages.length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        while !out.is_empty() {
            let (page, within) = (at / PAGE, at % PAGE);
            let (now, later) = out.split_at_mut((PAGE - within).min(out.len()));
            now.copy_from_slice(&pages.pages[page][within..within + now.len()]);
            pages.is_read[page] = true;
            at += now.len();
            out = later;
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let (mut pages, length) = (self.pages(), index(len));
        if length < pages.length && !length.is_multiple_of(PAGE) {
            Arc::make_mut(&mut pages.pages[length / PAGE])[length % PAGE..].fill(0);
        }
        pages.length = length;
        pages
            .pages
            .resize(length.div_ceil(PAGE), Arc::new([0; PAGE]));
        pages.is_read.resize(length.div_ceil(PAGE), false);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, mut data: &[u8]) -> io::Result<()> {
        let mut pages = self.pages();
        let mut at = index(offset);
        while !data.is_empty() {
            let (page, within) = (at / PAGE, at % PAGE);
            let (now, later) = data.split_at((PAGE - within).min(data.len()));
            Arc::make_mut(&mut pages.pages[page])[within..within + now.len()].copy_from_slice(now);
            at += now.len();
            data = later;
        }
        Ok(())
    }
}

fn index(bytes: u64) -> usize {
    usize::try_from(bytes).expect("small")
}

type Known = BTreeMap<(String, String), Vec<u8>>;

fn open(memory: &Memory) -> Result<Store, StateError> {
    Store::open(memory.clone(), Path::new("/data/state.redb"))
}

/// Each key in an entry of its own.
fn apart(known: &Known) -> impl Iterator<Item = Entry<'_>> {
    known.iter().map(|((holder_id, token_id), claims)| Entry {
        holder_id,
        keys: EntryKeys::One { token_id, claims },
    })
}

/// The keys of each holder, as one entry holds them.
fn together(known: &Known) -> BTreeMap<&str, Vec<u8>> {
    let mut all = BTreeMap::<_, Vec<u8>>::new();
    for ((holder_id, token_id), claims) in known {
        push_key(all.entry(holder_id.as_str()).or_default(), token_id, claims);
    }
    all
}

fn several<'a>(together: &'a BTreeMap<&str, Vec<u8>>) -> impl Iterator<Item = Entry<'a>> {
    together.iter().map(|(holder_id, keys)| Entry {
        holder_id,
        keys: EntryKeys::Several(keys),
    })
}

fn loaded(store: &Store) -> Result<Known, StateError> {
    let known = Mutex::new(Known::new());
    store.load(|| {
        |entry: Entry<'_>| {
            let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
            for (token_id, claims) in entry.keys() {
                let key = (entry.holder_id.to_owned(), token_id.to_owned());
                known.insert(key, claims.to_vec());
            }
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
        (store.contents().keys, store.contents().applied_sequence),
        (0, 0)
    );
    store.write(apart(&first), Some(70)).expect("written");
    let some: Known = second.into_iter().step_by(3).collect();
    store.write(apart(&some), None).expect("written");
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
    assert_eq!(store.verify().expect("whole").keys, 300);
}

#[test]
fn the_keys_of_a_holder_in_one_entry_replace_the_last_ones_and_leave_single_ones_alone() {
    let memory = Memory::default();
    let (first, second) = (many(1), many(2));
    let mut store = open(&memory).expect("an empty state");
    let few = first.iter().take(6);
    let few: Known = few
        .map(|(key, claims)| (key.clone(), claims.clone()))
        .collect();
    let single: Known = [(("holder-1".into(), "token-new".into()), vec![1, 2, 3])].into();
    store
        .write(several(&together(&first)), Some(1))
        .expect("written");
    assert_eq!(store.contents().keys, 300);
    store.write(apart(&single), Some(2)).expect("written");
    store
        .write(several(&together(&second)), Some(3))
        .expect("written");
    assert_eq!(store.contents().keys, 301);
    // Now with fewer keys in each entry than before.
    store
        .write(several(&together(&few)), Some(4))
        .expect("written");
    let holders: BTreeSet<_> = few.keys().map(|(holder_id, _)| holder_id.clone()).collect();
    let mut expected = second;
    expected.retain(|(holder_id, _), _| !holders.contains(holder_id));
    expected.extend(few);
    expected.extend(single);
    assert_eq!(store.contents().keys, expected.len() as u64);
    drop(store);
    assert_eq!(
        loaded(&open(&memory).expect("whole")).expect("whole"),
        expected
    );
}

/// Two lives of a state: it is read, written to, and read again. What was found in each, with the
/// number that it covers, or the sentence in which it is refused.
fn lives(memory: &Memory, more: &Known) -> Result<[(Known, u64); 2], StateError> {
    let mut store = open(memory)?;
    let first = (loaded(&store)?, store.contents().applied_sequence);
    store.write(several(&together(more)), Some(12))?;
    drop(store);
    let store = open(memory)?;
    Ok([first, (loaded(&store)?, store.contents().applied_sequence)])
}

/// How many bits of a small state are flipped; `make soak` flips all.
const FLIPS: usize = 4_000;
const ALL_FLIPS_VARIABLE: &str = "HOLDMETRICS_ALL_FLIPS";

/// A bit that nobody reads changes nothing, so only those are flipped that lie in a page which one
/// of two lives reads.
#[test]
fn d4_a_flipped_bit_of_a_state_is_told_or_changes_nothing() {
    let memory = Memory::default();
    let known: Known = many(3).into_iter().take(60).collect();
    let more: Known = many(5).into_iter().skip(250).collect();
    let mut store = open(&memory).expect("an empty state");
    store
        .write(several(&together(&known)), Some(7))
        .expect("written");
    let few: Known = known
        .iter()
        .take(9)
        .map(|(key, _)| (key.clone(), Vec::new()))
        .collect();
    store.write(apart(&few), Some(9)).expect("written");
    drop(store);
    let copy = memory.copied();
    let expected = lives(&copy, &more).expect("whole");
    assert_eq!((expected[0].1, expected[1].1), (9, 12));
    let read: Vec<usize> = {
        let is_read = &copy.pages().is_read;
        let before = memory.pages().pages.len();
        (0..before).filter(|page| is_read[*page]).collect()
    };
    let bits = read.len() * PAGE * 8;
    let step = if std::env::var_os(ALL_FLIPS_VARIABLE).is_some() {
        1
    } else {
        // Prime to the bits of a byte, so that each of them has its turn.
        (bits / FLIPS) | 1
    };
    let numbers: Vec<usize> = (0..bits).step_by(step).collect();
    let told = numbers.par_iter().filter(|number| {
        let (page, bit) = (read[**number / (PAGE * 8)], **number % (PAGE * 8));
        let at = page * PAGE + bit / 8;
        match lives(&memory.changed(at, |byte| *byte ^= 1 << (bit % 8)), &more) {
            Ok(found) => {
                assert!(
                    found == expected,
                    "byte {at} bit {}: a wrong answer",
                    bit % 8
                );
                false
            }
            Err(error) => {
                let sentence = error.to_string();
                assert!(sentence.starts_with("/data/state.redb: "), "{sentence}");
                assert!(!sentence.contains('\n'), "{sentence}");
                true
            }
        }
    });
    let told = told.count();
    println!(
        "{} of {bits} bits flipped in {} pages, {told} told",
        numbers.len(),
        read.len()
    );
    // Much of a page is free, and some pages are made anew by opening.
    assert!(
        told > numbers.len() / 20,
        "only {told} of {} were told",
        numbers.len()
    );
}

#[test]
fn a_salvage_keeps_whole_entries_and_counts_the_others() {
    let memory = Memory::default();
    let known = many(4);
    let mut store = open(&memory).expect("an empty state");
    let mut half = known.clone();
    let other = half.split_off(&("holder-5".into(), String::new()));
    store.write(apart(&half), Some(8)).expect("written");
    store
        .write(several(&together(&other)), Some(9))
        .expect("written");
    drop(store);
    // In the middle of an entry: the page's checksum is wrong, and the other entries are whole.
    let needle = b"holder-42";
    let bytes = memory.bytes();
    let place = bytes
        .windows(needle.len())
        .position(|bytes| bytes == needle);
    let place = place.expect("ids lie there as they are");
    let damaged = memory.changed(place, |byte| *byte ^= 0x20);
    assert!(matches!(open(&damaged), Err(StateError::Damaged { .. })));
    let fresh = Memory::default();
    let path = Path::new("/data/state.redb");
    let salvaged = state::salvage(damaged, fresh.clone(), path).expect("most of it");
    assert_eq!(salvaged.applied_sequence, 9);
    assert_eq!(salvaged.kept + salvaged.lost.expect("known"), 300);
    assert!(
        (1..=6).contains(&salvaged.lost.expect("known")),
        "{salvaged:?}"
    );
    let found = loaded(&open(&fresh).expect("whole")).expect("whole");
    assert!(found.iter().all(|(key, claims)| known[key] == *claims));
    assert_eq!(found.len() as u64, salvaged.kept);
}
