//! Where the published conformance cases lie: they are not part of this repository.

use std::path::{Path, PathBuf};

/// The folder that `POH_CONFORMANCE` names, or the one beside the checkout; `None`, and a line that says so,
/// where nothing is named and nothing lies there.
pub(crate) fn folder() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("POH_CONFORMANCE") {
        return Some(named.into());
    }
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/conformance/cases");
    if beside.is_dir() {
        return Some(beside);
    }
    println!(
        "not run: there are no published cases in {}",
        beside.display()
    );
    None
}
