//! The memory of pages, reused: a file has thousands of pages, and fresh memory for each of them is cleared by the
//! system first, which takes as long as filling it.
//!
//! Each thread keeps the buffers that were freed on it, a few at a time; they are freed with the thread.

use std::cell::RefCell;

use bytes::Bytes;

/// So many buffers are kept per thread: those of the pages that one batch of some columns shows.
const KEPT: usize = 24;
/// A larger buffer is not kept. Pages have 1 MiB unless a writer was told otherwise.
const KEPT_BYTES_MAX: usize = 4 << 20;
/// Buffers have a multiple of this size, so that one that was freed is large enough for the next page.
const STEP: usize = 256 << 10;

thread_local! {
    static FREE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// A buffer that is kept for the next page when it is dropped. What it has from before has no meaning.
pub(super) struct PageBuffer {
    /// Up to its capacity, so that nothing is cleared twice.
    bytes: Vec<u8>,
    length: usize,
}

impl PageBuffer {
    /// A buffer of so many bytes.
    pub(super) fn new(length: usize) -> Self {
        let known = FREE.with_borrow_mut(|free| {
            let fitting = free.iter().position(|bytes| bytes.len() >= length)?;
            Some(free.swap_remove(fitting))
        });
        Self {
            bytes: known.unwrap_or_else(|| vec![0; length.next_multiple_of(STEP)]),
            length,
        }
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.length]
    }

    /// Its bytes, which can be shared; the buffer is free again when the last copy is dropped.
    pub(super) fn into_bytes(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for PageBuffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl Drop for PageBuffer {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        if bytes.len() > KEPT_BYTES_MAX {
            return;
        }
        // A thread that is ending has no list any more; the buffer is then freed.
        let _ = FREE.try_with(|free| {
            if let Ok(mut free) = free.try_borrow_mut()
                && free.len() < KEPT
            {
                free.push(bytes);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_has_the_memory_of_one_that_was_freed() {
        let mut first = PageBuffer::new(1_000);
        first.bytes_mut().fill(7);
        let address = first.as_ref().as_ptr();
        let shared = first.into_bytes();
        assert_eq!(&shared[..], [7; 1_000]);
        let other = PageBuffer::new(1_000);
        assert_ne!(other.as_ref().as_ptr(), address, "the first is in use");
        drop(shared);
        let next = PageBuffer::new(STEP);
        assert_eq!(next.as_ref().as_ptr(), address);
        assert_eq!(next.as_ref().len(), STEP);
    }

    #[test]
    fn a_thread_keeps_a_few_buffers_that_are_not_large() {
        drop(PageBuffer::new(KEPT_BYTES_MAX + 1));
        let many: Vec<_> = (0..2 * KEPT).map(|_| PageBuffer::new(1)).collect();
        drop(many);
        let kept = FREE.with_borrow(|free| free.iter().map(Vec::len).collect::<Vec<_>>());
        assert_eq!(kept, [STEP; KEPT]);
    }
}
