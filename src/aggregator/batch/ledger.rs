//! The holders whose balances change in one lane, numbered within their partitions.
//!
//! Holders are numbered here while events are read: a change is then 16 bytes smaller, and most holders have many.
//! Finding a number takes a read of memory that no cache holds, so the table is our own: its reads for
//! several changes can overlap, see [`Ledger::touch`], and it lies in large pages.

use memmap2::MmapMut;

use super::holder_code::{Form, HolderCode};
use super::lane::{PARTITION_BITS, PARTITIONS, partition_of};
use super::large_pages;

/// A table of holders: as many slots for each partition, one partition behind the other.
#[derive(Default)]
pub(super) struct Ledger {
    /// `None` before the first holder.
    slots: Option<MmapMut>,
    /// The logarithm of the count of slots per partition; at most three quarters of them are taken.
    width_bits: u32,
    /// How many holders each partition has; empty before the first one.
    holders: Vec<u32>,
}

/// A holder and its number, in 24 bytes; all are 0 if the slot is free.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Slot {
    words: [u64; 2],
    last: u32,
    /// The number plus one, above the bits of the form.
    number: u32,
}

const SLOT_BYTES: usize = size_of::<Slot>();
const _: () = assert!(SLOT_BYTES == 24);
/// The logarithm of the first count of slots per partition.
const WIDTH_BITS_MIN: u32 = 4;

impl Slot {
    #[expect(clippy::cast_possible_truncation, reason = "both have 32 bits")]
    fn new(code: HolderCode, number: u32) -> Self {
        let (first, middle, last) = code.words;
        assert!(
            number < u32::MAX >> Form::BITS,
            "at most 2^27 holders of a partition"
        );
        Self {
            words: [first, middle],
            last: last as u32,
            number: (number + 1) << Form::BITS | code.form.bits() as u32,
        }
    }

    #[inline]
    fn holder(&self) -> HolderCode {
        HolderCode {
            words: (self.words[0], self.words[1], self.last.into()),
            form: Form::from_bits(self.number.into()),
        }
    }

    /// `None` if it is free.
    #[inline]
    const fn number(&self) -> Option<u32> {
        (self.number >> Form::BITS).checked_sub(1)
    }
}

impl Ledger {
    /// The number of a holder in its partition; `hash` is that of `holder`, and `hash_holder` computes it for any holder.
    #[inline]
    pub(super) fn number(
        &mut self,
        holder: HolderCode,
        hash: u64,
        hash_holder: impl Fn(&HolderCode) -> u64,
    ) -> u32 {
        let partition = partition_of(hash);
        if self.is_full(partition) {
            self.grow(hash_holder);
        }
        let slots = self.slots.as_mut().expect("there are slots");
        let mut at = first_place(hash, self.width_bits);
        loop {
            let slot = slot_mut(slots, at);
            match slot.number() {
                None => {
                    let number = self.holders[partition];
                    *slot = Slot::new(holder, number);
                    self.holders[partition] += 1;
                    return number;
                }
                Some(number) if slot.holder() == holder => return number,
                Some(_) => at = next_place(at, self.width_bits),
            }
        }
    }

    /// Whether there is no room for one more holder of a partition.
    #[inline]
    fn is_full(&self, partition: usize) -> bool {
        let holders = self.holders.get(partition);
        holders.is_none_or(|holders| (*holders as usize + 1) * 4 > 3 << self.width_bits)
    }

    /// Doubles the slots of all partitions: their hashes fill them alike.
    #[cold]
    fn grow(&mut self, hash_holder: impl Fn(&HolderCode) -> u64) {
        let before = self.slots.take();
        self.width_bits = before
            .as_ref()
            .map_or(WIDTH_BITS_MIN, |_| self.width_bits + 1);
        self.holders.resize(PARTITIONS, 0);
        let mut slots = large_pages::zeros(SLOT_BYTES << (PARTITION_BITS + self.width_bits));
        for slot in before.iter().flat_map(|bytes| slots_of(bytes)) {
            if slot.number().is_some() {
                let mut at = first_place(hash_holder(&slot.holder()), self.width_bits);
                while slot_mut(&mut slots, at).number().is_some() {
                    at = next_place(at, self.width_bits);
                }
                *slot_mut(&mut slots, at) = *slot;
            }
        }
        self.slots = Some(slots);
    }

    /// Both ends of the slot where a holder with this hash probably is, which may be in two lines of the cache. Read
    /// those of several changes before you number the first one: the processor waits for all of them at once.
    #[inline]
    pub(super) fn touch(&self, hash: u64) -> u64 {
        let Some(slots) = &self.slots else {
            return 0;
        };
        let slot = slot(slots, first_place(hash, self.width_bits));
        slot.words[0] ^ u64::from(slot.number)
    }

    /// The holders of a partition that have changes, with their numbers, which are below their count.
    pub(super) fn holders(&self, partition: usize) -> impl Iterator<Item = (usize, HolderCode)> {
        let width_bytes = SLOT_BYTES << self.width_bits;
        let slots = self.slots.iter().flat_map(move |slots| {
            slots_of(&slots[partition * width_bytes..(partition + 1) * width_bytes])
        });
        slots.filter_map(|slot| Some((slot.number()? as usize, slot.holder())))
    }

    /// The number of holders of a partition that have changes.
    pub(super) fn holder_count(&self, partition: usize) -> usize {
        self.holders
            .get(partition)
            .map_or(0, |count| *count as usize)
    }
}

/// The place from which a holder with this hash is looked for, in its partition.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "below the count of slots")]
const fn first_place(hash: u64, width_bits: u32) -> usize {
    (hash >> (u64::BITS - PARTITION_BITS - width_bits)) as usize
}

/// The place after `at` in the same partition, the first one after the last.
#[inline]
const fn next_place(at: usize, width_bits: u32) -> usize {
    let mask = (1 << width_bits) - 1;
    at & !mask | (at + 1) & mask
}

fn slots_of(bytes: &[u8]) -> &[Slot] {
    bytemuck::cast_slice(bytes)
}

#[inline]
fn slot(bytes: &[u8], at: usize) -> &Slot {
    bytemuck::from_bytes(&bytes[at * SLOT_BYTES..(at + 1) * SLOT_BYTES])
}

#[inline]
fn slot_mut(bytes: &mut [u8], at: usize) -> &mut Slot {
    bytemuck::from_bytes_mut(&mut bytes[at * SLOT_BYTES..(at + 1) * SLOT_BYTES])
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::super::id_hash::IdHasher;
    use super::*;

    #[test]
    fn every_holder_keeps_its_number_whatever_the_hashes_are() {
        let ids = IdHasher::default();
        let code = |holder: u32| HolderCode::of(&format!("h{holder}"), &ids);
        // All of them in a few places of two partitions, the last one included, two each with the same hash.
        let hash_of = |holder: u32| {
            let half = u64::from(holder / 2);
            let partition = if half % 2 == 0 {
                3
            } else {
                PARTITIONS as u64 - 1
            };
            let place = [0, 7, (1 << (64 - PARTITION_BITS)) - 1][holder as usize / 2 % 3];
            partition << (64 - PARTITION_BITS) | place
        };
        let codes: Vec<_> = (0..1_000).map(code).collect();
        let hashes: HashMap<_, _> = (0_u32..)
            .zip(&codes)
            .map(|(holder, code)| (code.words, hash_of(holder)))
            .collect();
        let mut ledger = Ledger::default();
        let mut numbers = HashMap::new();
        for holder in (0..3_000_u32).map(|change| change * 7_919 % 1_000) {
            let code = codes[holder as usize];
            let hash = hashes[&code.words];
            ledger.touch(hash);
            let number = ledger.number(code, hash, |code| hashes[&code.words]);
            assert_eq!(*numbers.entry(holder).or_insert(number), number);
        }
        for (partition, half) in [(3, 0), (PARTITIONS - 1, 1)] {
            assert_eq!(ledger.holder_count(partition), 500);
            let mut known = vec![None; 500];
            for (number, code) in ledger.holders(partition) {
                assert!(known[number].replace(code).is_none());
            }
            for holder in (0..1_000).filter(|holder| holder / 2 % 2 == half) {
                let number = numbers[&holder] as usize;
                assert!(known[number] == Some(codes[holder as usize]));
            }
        }
        assert_eq!(ledger.holders(4).count(), 0);
        assert!(3 << ledger.width_bits >= 500 * 4);
    }

    #[test]
    fn an_empty_ledger_has_no_holders() {
        let ledger = Ledger::default();
        assert_eq!(ledger.touch(7), 0);
        assert_eq!((ledger.holder_count(0), ledger.holders(0).count()), (0, 0));
    }
}
