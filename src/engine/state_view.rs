//! The state of a folder, looked at and never changed: for people, not for an engine.
//!
//! What opening repairs after a crash is repaired in memory, and so is what is made of a damaged one.

use std::io;
use std::path::Path;

use super::error::OpenError;
use super::overlay::Overlay;
use super::state_keeper::{NAME, SALVAGED};
use crate::journal::{Access, Vfs};
use crate::state::{self, Salvaged, Store};

/// The state of `folder` as an engine would open it; `None` where none was written yet.
pub fn view_state(vfs: &dyn Vfs, folder: &Path) -> Result<Option<Store>, OpenError> {
    match file(vfs, folder)? {
        Some(file) => Ok(Some(Store::open(file, &folder.join(NAME))?)),
        None => Ok(None),
    }
}

/// What is readable of the damaged state of `folder`, in memory, and how much that is.
pub fn view_damaged_state(
    vfs: &dyn Vfs,
    folder: &Path,
) -> Result<Option<(Store, Salvaged)>, OpenError> {
    let Some(damaged) = file(vfs, folder)? else {
        return Ok(None);
    };
    let path = folder.join(NAME);
    let fresh = Overlay::empty();
    let salvaged = state::salvage(damaged, fresh.clone(), &path)?;
    Ok(Some((Store::open(fresh, &path)?, salvaged)))
}

/// Under the name that it had before the last step of a salvage, too.
fn file(vfs: &dyn Vfs, folder: &Path) -> Result<Option<Overlay>, OpenError> {
    for name in [NAME, SALVAGED] {
        let path = folder.join(name);
        match vfs.open(&path, Access::Read).and_then(Overlay::over) {
            Ok(overlay) => return Ok(Some(overlay)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => {
                return Err(OpenError::Io {
                    path,
                    action: "read",
                    source,
                });
            }
        }
    }
    Ok(None)
}
