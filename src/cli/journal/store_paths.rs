//! The folders of a service's data, their lock, and whether journal and state belong together.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::state_copy::StateCopy;
use crate::cli::clock;
use crate::cli::exit::Exit;
use crate::cli::settings::FolderArguments;
use crate::core::StoreId;
use crate::engine::{CURSOR_FILE, JOURNAL_FOLDER, OpenError, STATE_FILE, rounds_folder};
use crate::journal::{FolderLock, JournalError, RealVfs, Survey, named_beside};
use crate::state::CursorContents;

/// The folder of a service.
#[derive(Debug, Args)]
pub(super) struct DataFolder {
    #[command(flatten)]
    settings: FolderArguments,
}

/// The folders of a store.
pub(super) struct StorePaths {
    pub(super) data: PathBuf,
    pub(super) journal: PathBuf,
}

impl DataFolder {
    /// The folder that `serve` would use with the same settings. Fails if it contains neither a journal
    /// nor a state.
    pub(super) fn find(&self) -> anyhow::Result<StorePaths> {
        let data = self.settings.data_dir()?;
        let journal = data.join(JOURNAL_FOLDER);
        let paths = StorePaths { data, journal };
        paths.check_is_store()?;
        Ok(paths)
    }
}

impl StorePaths {
    /// Fails if the folder contains neither a journal nor a state.
    pub(super) fn check_is_store(&self) -> anyhow::Result<()> {
        if self.journal.is_dir() || self.data.join(STATE_FILE).is_file() {
            return Ok(());
        }
        Err(Exit::usage(format!(
            "{}: there is no journal: give --data-dir the folder that `serve` uses",
            self.journal.display()
        )))
    }

    /// Locks the folder against servers; `None` on a read-only file system, where no server can run.
    pub(super) fn lock(&self) -> Result<Option<FolderLock>, JournalError> {
        match FolderLock::take(Arc::new(RealVfs), &self.data, clock::now()) {
            Err(JournalError::Io { source, .. })
                if source.kind() == io::ErrorKind::ReadOnlyFilesystem =>
            {
                Ok(None)
            }
            taken => taken.map(Some),
        }
    }

    /// The files beside the journal that name their store.
    pub(super) fn siblings(
        &self,
        state: Option<&StateCopy>,
        cursors: &CursorContents,
    ) -> Vec<(PathBuf, StoreId)> {
        let by_state = state.and_then(|copy| copy.store().store());
        let named = [(STATE_FILE, by_state), (CURSOR_FILE, cursors.store)];
        let named = named.into_iter();
        let named = named.filter_map(|(name, store)| Some((self.data.join(name), store?)));
        // What of rounds cannot be read is reported with the rounds.
        let by_rounds = named_beside(&RealVfs, &rounds_folder(&self.data));
        named.chain(by_rounds.ok().flatten()).collect()
    }

    /// Fails unless the journal continues a state that covers the events up to `applied`.
    pub(super) fn check_order(&self, found: &Survey, applied: u64) -> Result<(), OpenError> {
        let folder = self.data.clone();
        let (Some(first), Some(last)) = (found.segments.first(), found.segments.last()) else {
            return match applied {
                0 => Ok(()),
                applied => Err(OpenError::Missing { folder, applied }),
            };
        };
        let (first, last) = (first.first, last.next - 1);
        if first > applied + 1 {
            return Err(OpenError::Gap {
                folder,
                first,
                applied,
            });
        }
        if last < applied {
            return Err(OpenError::Behind {
                folder,
                last,
                applied,
            });
        }
        Ok(())
    }
}
