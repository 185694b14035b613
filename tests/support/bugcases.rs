//! Inputs that went wrong for people, and extracts of real exports, where their folder is present.

use std::path::{Path, PathBuf};

/// The folder of the inputs: that of `POH_BUGCASES`, else `../shared/bugcases`. `None` is said on standard error.
pub(crate) fn bugcases() -> Option<PathBuf> {
    let folder = std::env::var_os("POH_BUGCASES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/bugcases"),
        PathBuf::from,
    );
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: {} is not there", folder.display());
    None
}
