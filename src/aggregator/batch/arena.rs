//! Memory for what one lane keeps: blocks of one size, in pages of the usual size, and runs of values in them.
//!
//! Pages are requested a few blocks at a time, shortly before they are written: the zeros of a fresh page
//! are then still in the core's cache. Large pages would cause fewer faults, but clearing 2 MiB at once goes
//! through main memory; that took a fifth of a run. Blocks are never freed one by one.

use std::marker::PhantomData;

use bytemuck::Pod;
use memmap2::MmapMut;

/// Bytes per block: 256 records of holds.
const BLOCK_BYTES: usize = 12 << 10;
/// Blocks per region: 12 MiB.
const REGION_BLOCKS: usize = 1_024;
/// Blocks whose pages are requested together: 48 KiB.
#[cfg(target_os = "linux")]
const FRESH_BLOCKS: usize = 4;

/// Blocks of bytes; grows by whole regions.
#[derive(Default)]
pub(super) struct Arena {
    regions: Vec<MmapMut>,
    blocks: usize,
}

/// The position of a block in its arena.
#[derive(Clone, Copy, Default)]
struct BlockPlace(usize);

impl Arena {
    /// Allocates a block of zeros.
    ///
    /// # Panics
    /// If the system has no memory left, like every allocation.
    fn add_block(&mut self) -> BlockPlace {
        let place = self.blocks % REGION_BLOCKS;
        if place == 0 {
            let region =
                MmapMut::map_anon(REGION_BLOCKS * BLOCK_BYTES).expect("memory for records");
            self.regions.push(region);
        }
        // If the system does not support this, the first write to each page faults it in.
        #[cfg(target_os = "linux")]
        if place.is_multiple_of(FRESH_BLOCKS)
            && let Some(region) = self.regions.last()
        {
            let _ = region.advise_range(
                memmap2::Advice::PopulateWrite,
                place * BLOCK_BYTES,
                FRESH_BLOCKS * BLOCK_BYTES,
            );
        }
        self.blocks += 1;
        BlockPlace(self.blocks - 1)
    }

    fn bytes(&self, block: BlockPlace) -> &[u8] {
        let at = block.0 % REGION_BLOCKS * BLOCK_BYTES;
        &self.regions[block.0 / REGION_BLOCKS][at..at + BLOCK_BYTES]
    }
}

/// Values of one kind in the order in which they came, in blocks of one arena.
pub(super) struct Run<T> {
    len: usize,
    /// The block that is being filled, if there is one.
    last: BlockPlace,
    blocks: Vec<BlockPlace>,
    of: PhantomData<T>,
}

impl<T> Default for Run<T> {
    fn default() -> Self {
        Self {
            len: 0,
            last: BlockPlace::default(),
            blocks: Vec::new(),
            of: PhantomData,
        }
    }
}

impl<T: Pod> Run<T> {
    /// Values per block.
    const BLOCK: usize = BLOCK_BYTES / size_of::<T>();

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Adds a value; `arena` is always the same.
    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "a call would pass the value through memory"
    )]
    pub(super) fn push(&mut self, arena: &mut Arena, value: T) {
        let place = self.len % Self::BLOCK;
        if place == 0 {
            self.last = arena.add_block();
            self.blocks.push(self.last);
        }
        let at = self.last.0 % REGION_BLOCKS * BLOCK_BYTES + place * size_of::<T>();
        let region = &mut arena.regions[self.last.0 / REGION_BLOCKS];
        *bytemuck::from_bytes_mut(&mut region[at..at + size_of::<T>()]) = value;
        self.len += 1;
    }

    /// All values, in several slices.
    pub(super) fn slices<'a>(&'a self, arena: &'a Arena) -> impl Iterator<Item = &'a [T]> {
        let mut left = self.len;
        self.blocks.iter().map(move |block| {
            let bytes = &arena.bytes(*block)[..Self::BLOCK * size_of::<T>()];
            let values = &bytemuck::cast_slice(bytes)[..left.min(Self::BLOCK)];
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
        let mut arena = Arena::default();
        let (mut words, mut sixes) = (Run::<u64>::default(), Run::<[u64; 6]>::default());
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
