//! Memory for what one lane keeps: blocks of the size of their arena, in pages of the usual size, and runs of values in
//! them.
//!
//! Pages are requested a few blocks at a time, shortly before they are written: the zeros of a fresh page
//! are then still in the core's cache. Large pages would cause fewer faults, but clearing 2 MiB at once goes
//! through main memory; that took a fifth of a run. Blocks are never freed one by one.

use std::marker::PhantomData;

use bytemuck::Pod;
use memmap2::MmapMut;

const REGION_BYTES: usize = 12 << 20;
/// Bytes whose pages are requested together.
const FRESH_BYTES: usize = 48 << 10;

/// Blocks of `BLOCK` bytes; grows by whole regions.
#[derive(Default)]
pub(super) struct Arena<const BLOCK: usize> {
    regions: Vec<MmapMut>,
    blocks: usize,
}

/// A place in an arena: its region, and how far into that it is.
#[derive(Clone, Copy, Default)]
struct Place {
    region: usize,
    at: usize,
}

impl<const BLOCK: usize> Arena<BLOCK> {
    const REGION_BLOCKS: usize = {
        assert!(REGION_BYTES.is_multiple_of(FRESH_BYTES) && FRESH_BYTES.is_multiple_of(BLOCK));
        REGION_BYTES / BLOCK
    };

    /// Allocates a block of zeros.
    ///
    /// # Panics
    /// If the system has no memory left, like every allocation.
    fn add_block(&mut self) -> Place {
        let at = self.blocks % Self::REGION_BLOCKS * BLOCK;
        if at == 0 {
            let region = MmapMut::map_anon(REGION_BYTES).expect("memory for records");
            self.regions.push(region);
        }
        // If the system does not support this, the first write to each page faults it in.
        #[cfg(target_os = "linux")]
        if at.is_multiple_of(FRESH_BYTES)
            && let Some(region) = self.regions.last()
        {
            let _ = region.advise_range(memmap2::Advice::PopulateWrite, at, FRESH_BYTES);
        }
        self.blocks += 1;
        Place {
            region: self.regions.len() - 1,
            at,
        }
    }

    fn bytes(&self, block: Place) -> &[u8] {
        &self.regions[block.region][block.at..block.at + BLOCK]
    }
}

/// Values of one kind in the order in which they came, in blocks of one arena.
pub(super) struct Run<T, const BLOCK: usize> {
    /// Where the next value goes.
    next: Place,
    /// How many more values the last block has room for.
    room: usize,
    /// Where they begin.
    blocks: Vec<Place>,
    of: PhantomData<T>,
}

impl<T, const BLOCK: usize> Default for Run<T, BLOCK> {
    fn default() -> Self {
        Self {
            next: Place::default(),
            room: 0,
            blocks: Vec::new(),
            of: PhantomData,
        }
    }
}

impl<T: Pod, const BLOCK: usize> Run<T, BLOCK> {
    /// Values per block.
    const COUNT: usize = BLOCK / size_of::<T>();

    pub(super) const fn len(&self) -> usize {
        self.blocks.len() * Self::COUNT - self.room
    }

    /// Adds a value; `arena` is always the same.
    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "a call would pass the value through memory"
    )]
    pub(super) fn push(&mut self, arena: &mut Arena<BLOCK>, value: T) {
        if self.room == 0 {
            self.next = arena.add_block();
            self.blocks.push(self.next);
            self.room = Self::COUNT;
        }
        let at = self.next.at;
        let place = &mut arena.regions[self.next.region][at..at + size_of::<T>()];
        *bytemuck::from_bytes_mut(place) = value;
        self.next.at += size_of::<T>();
        self.room -= 1;
    }

    /// The last byte of the place of the next value: the line of the cache that nothing was written to yet, if there is
    /// one. Read those of several runs before you add to the first one: the processor waits for all of them at once.
    #[inline]
    pub(super) fn touch(&self, arena: &Arena<BLOCK>) -> u64 {
        if self.room == 0 {
            // The block is not there yet.
            return 0;
        }
        arena.regions[self.next.region][self.next.at + size_of::<T>() - 1].into()
    }

    /// All values, in several slices.
    pub(super) fn slices<'a>(&'a self, arena: &'a Arena<BLOCK>) -> impl Iterator<Item = &'a [T]> {
        let mut left = self.len();
        self.blocks.iter().map(move |block| {
            let bytes = &arena.bytes(*block)[..Self::COUNT * size_of::<T>()];
            let values = &bytemuck::cast_slice(bytes)[..left.min(Self::COUNT)];
            left -= values.len();
            values
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_different_kinds_share_an_arena_and_come_back_in_order() {
        let mut arena = Arena::<{ 12 << 10 }>::default();
        let (mut words, mut sixes) = (Run::<u64, _>::default(), Run::<[u64; 6], _>::default());
        for value in 0..10_000 {
            words.push(&mut arena, value);
            if value % 3 == 0 {
                sixes.push(&mut arena, [value; 6]);
            }
        }
        let words: Vec<u64> = words.slices(&arena).flatten().copied().collect();
        assert!(words.into_iter().eq(0..10_000));
        assert_eq!(sixes.len(), 3_334);
        let sixes: Vec<_> = sixes.slices(&arena).flatten().copied().collect();
        assert!(
            sixes
                .into_iter()
                .eq((0..10_000).step_by(3).map(|value| [value; 6]))
        );
    }
}
