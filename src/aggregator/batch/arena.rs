//! Memory for the records of one lane: blocks of one size, in pages of the usual size.
//!
//! Pages are requested a few blocks at a time, shortly before they are written: the zeros of a fresh page
//! are then still in the core's cache. Large pages would cause fewer faults, but clearing 2 MiB at once goes
//! through main memory; that took a fifth of a run. Blocks are never freed one by one.

use memmap2::MmapMut;

use super::record::Record;

/// Records per block.
pub(super) const BLOCK: usize = 256;
const BLOCK_BYTES: usize = BLOCK * size_of::<Record>();
/// Blocks per region: 12 MiB.
const REGION_BLOCKS: usize = 1_024;
/// Blocks whose pages are requested together: 48 KiB.
#[cfg(target_os = "linux")]
const FRESH_BLOCKS: usize = 4;

/// Blocks of records; grows by whole regions.
#[derive(Default)]
pub(super) struct Arena {
    regions: Vec<MmapMut>,
    blocks: usize,
}

/// The position of a block in its arena.
#[derive(Clone, Copy, Default)]
pub(super) struct BlockPlace(usize);

impl Arena {
    /// Allocates a block of records that are all zero.
    ///
    /// # Panics
    /// If the system has no memory left, like every allocation.
    pub(super) fn add_block(&mut self) -> BlockPlace {
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

    pub(super) fn records(&self, block: BlockPlace) -> &[Record] {
        let at = block.0 % REGION_BLOCKS * BLOCK_BYTES;
        bytemuck::cast_slice(&self.regions[block.0 / REGION_BLOCKS][at..at + BLOCK_BYTES])
    }

    /// Writes the record at `place` in a block.
    #[inline]
    pub(super) fn write(&mut self, block: BlockPlace, place: usize, record: Record) {
        let at = block.0 % REGION_BLOCKS * BLOCK_BYTES + place * size_of::<Record>();
        let bytes = &mut self.regions[block.0 / REGION_BLOCKS][at..at + size_of::<Record>()];
        *bytemuck::from_bytes_mut(bytes) = record;
    }
}
