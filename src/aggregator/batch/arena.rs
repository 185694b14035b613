//! Memory for the records of one lane: blocks of one size, in large pages where the system has them.
//!
//! Hundreds of partitions grow at once. In pages of 4 KiB most of their writes would miss the
//! address cache, and each page would be faulted in on its own. Blocks are never given back singly.

use memmap2::MmapMut;

use super::record::Record;

/// Records of a block.
pub(super) const BLOCK: usize = 256;
const BLOCK_BYTES: usize = BLOCK * size_of::<Record>();
/// Blocks of a region: 14 MiB, seven large pages.
const REGION_BLOCKS: usize = 1_024;

/// Blocks of records; grows by regions.
#[derive(Default)]
pub(super) struct Arena {
    regions: Vec<MmapMut>,
    blocks: usize,
}

/// The place of a block in its arena.
#[derive(Clone, Copy)]
pub(super) struct BlockPlace(usize);

impl Arena {
    /// One block more, of records that are all zero.
    ///
    /// # Panics
    /// Where the system has no memory left, as every allocation does.
    pub(super) fn add_block(&mut self) -> BlockPlace {
        if self.blocks == self.regions.len() * REGION_BLOCKS {
            let region =
                MmapMut::map_anon(REGION_BLOCKS * BLOCK_BYTES).expect("memory for records");
            // Where large pages are not to be had, small ones serve.
            #[cfg(target_os = "linux")]
            let _ = region.advise(memmap2::Advice::HugePage);
            self.regions.push(region);
        }
        self.blocks += 1;
        BlockPlace(self.blocks - 1)
    }

    pub(super) fn records(&self, block: BlockPlace) -> &[Record] {
        let at = block.0 % REGION_BLOCKS * BLOCK_BYTES;
        bytemuck::cast_slice(&self.regions[block.0 / REGION_BLOCKS][at..at + BLOCK_BYTES])
    }

    pub(super) fn records_mut(&mut self, block: BlockPlace) -> &mut [Record] {
        let at = block.0 % REGION_BLOCKS * BLOCK_BYTES;
        bytemuck::cast_slice_mut(&mut self.regions[block.0 / REGION_BLOCKS][at..at + BLOCK_BYTES])
    }
}
