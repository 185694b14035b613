//! Where the published conformance cases lie: they are not part of this repository.

use std::path::{Path, PathBuf};

/// The folder that `POH_CONFORMANCE` names, or those beside the checkout; none, and a line that says so,
/// where nothing is named and nothing lies there.
pub(crate) fn folders() -> Vec<PathBuf> {
    if let Some(named) = std::env::var_os("POH_CONFORMANCE") {
        return vec![named.into()];
    }
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/conformance");
    let versions = ["cases", "cases-2"].map(|version| beside.join(version));
    let found: Vec<_> = versions
        .into_iter()
        .filter(|cases| cases.is_dir())
        .collect();
    if found.is_empty() {
        println!(
            "not run: there are no published cases in {}",
            beside.display()
        );
    }
    found
}
