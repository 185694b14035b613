//! A file that is looked at only: what is written to it stays in memory.
//!
//! The store of the state writes when it is opened, and repairs what a crash left. Over this it does
//! both without changing the file, and where nothing can be written.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::journal::VfsFile;
use crate::state::StorageBackend;

/// How much is kept for a byte that was written.
const PAGE: usize = 4096;
const PAGE_BYTES: u64 = PAGE as u64;

/// A file and what was written over it; clones share both.
#[derive(Clone, Debug)]
pub(super) struct Overlay(Arc<RwLock<Layers>>);

#[derive(Debug)]
struct Layers {
    /// `None` is an empty file.
    file: Option<Box<dyn VfsFile>>,
    /// So much of the file still shows; all behind it is zero.
    file_bytes: u64,
    size: u64,
    /// By number.
    pages: BTreeMap<u64, Box<[u8; PAGE]>>,
}

impl Overlay {
    /// Over a file.
    pub(super) fn over(file: Box<dyn VfsFile>) -> io::Result<Self> {
        let size = file.size()?;
        Ok(Self::new(Some(file), size))
    }

    /// Over nothing.
    pub(super) fn empty() -> Self {
        Self::new(None, 0)
    }

    fn new(file: Option<Box<dyn VfsFile>>, size: u64) -> Self {
        Self(Arc::new(RwLock::new(Layers {
            file,
            file_bytes: size,
            size,
            pages: BTreeMap::new(),
        })))
    }

    fn layers(&self) -> RwLockReadGuard<'_, Layers> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn layers_mut(&self) -> RwLockWriteGuard<'_, Layers> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StorageBackend for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(self.layers().size)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let layers = self.layers();
        if offset + out.len() as u64 > layers.size {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        layers.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.layers_mut().set_size(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.layers_mut().write(offset, data)
    }
}

impl Layers {
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let shown = self.file_bytes.saturating_sub(offset);
        let shown = usize::try_from(shown).map_or(out.len(), |shown| shown.min(out.len()));
        let (below, beyond) = out.split_at_mut(shown);
        beyond.fill(0);
        if let Some(file) = &self.file
            && !below.is_empty()
        {
            file.read_at(below, offset)?;
        }
        let end = offset + out.len() as u64;
        let pages = offset / PAGE_BYTES..end.div_ceil(PAGE_BYTES);
        for (number, page) in self.pages.range(pages) {
            let at = number * PAGE_BYTES;
            let from = at.max(offset);
            let count = index(end.min(at + PAGE_BYTES) - from);
            let (within, target) = (index(from - at), index(from - offset));
            out[target..target + count].copy_from_slice(&page[within..within + count]);
        }
        Ok(())
    }

    fn write(&mut self, mut offset: u64, mut data: &[u8]) -> io::Result<()> {
        self.size = self.size.max(offset + data.len() as u64);
        while !data.is_empty() {
            let within = index(offset % PAGE_BYTES);
            let (now, later) = data.split_at(data.len().min(PAGE - within));
            let page = self.page(offset / PAGE_BYTES)?;
            page[within..within + now.len()].copy_from_slice(now);
            offset += now.len() as u64;
            data = later;
        }
        Ok(())
    }

    fn set_size(&mut self, size: u64) -> io::Result<()> {
        if size < self.size {
            let within = index(size % PAGE_BYTES);
            if within > 0 {
                self.page(size / PAGE_BYTES)?[within..].fill(0);
            }
            self.pages.split_off(&size.div_ceil(PAGE_BYTES));
            self.file_bytes = self.file_bytes.min(size);
        }
        self.size = size;
        Ok(())
    }

    /// A page to write to, as it is read now.
    fn page(&mut self, number: u64) -> io::Result<&mut [u8; PAGE]> {
        if !self.pages.contains_key(&number) {
            let mut page = Box::new([0; PAGE]);
            self.read(number * PAGE_BYTES, &mut *page)?;
            self.pages.insert(number, page);
        }
        Ok(self.pages.get_mut(&number).expect("it was put there"))
    }
}

/// A place within what is in memory.
fn index(bytes: u64) -> usize {
    usize::try_from(bytes).expect("less than what is in memory")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_like_a_file_and_leaves_the_one_below_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let below: Vec<u8> = (0..=255).cycle().take(10_000).collect();
        std::fs::write(&path, &below).unwrap();
        let vfs = crate::journal::RealVfs;
        let file = crate::journal::Vfs::open(&vfs, &path, crate::journal::Access::Read).unwrap();
        let overlay = Overlay::over(file).unwrap();
        let mut expected = below.clone();
        let same = |expected: &[u8]| {
            let mut read = vec![9; expected.len()];
            overlay.read(0, &mut read).unwrap();
            assert!(read == expected && overlay.len().unwrap() == expected.len() as u64);
        };
        same(&expected);
        overlay.write(4_000, &[7; 5_000]).unwrap();
        expected[4_000..9_000].fill(7);
        same(&expected);
        overlay.set_len(5_000).unwrap();
        overlay.set_len(12_000).unwrap();
        expected[5_000..].fill(0);
        expected.resize(12_000, 0);
        same(&expected);
        overlay.write(12_000, &[1]).unwrap();
        expected.push(1);
        same(&expected);
        assert!(overlay.read(12_000, &mut [0; 2]).is_err());
        assert!(std::fs::read(&path).unwrap() == below);
    }
}
