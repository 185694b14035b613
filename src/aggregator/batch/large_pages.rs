//! Zeroed memory in large pages, if the system has them: for what is read at places all over it.
//!
//! With pages of the usual size, nearly every such read also waits for the page tables. The memory must be filled in
//! order, or be written all over at once: a large page is cleared as a whole when it is first written.

use memmap2::MmapMut;

/// So many bytes of zeros.
///
/// # Panics
/// If the system has no memory left, like every allocation.
pub(super) fn zeros(bytes: usize) -> MmapMut {
    let memory = MmapMut::map_anon(bytes).expect("memory for changes of balance");
    // Where the system does not support this, the pages are small.
    #[cfg(target_os = "linux")]
    let _ = memory.advise(memmap2::Advice::HugePage);
    memory
}
