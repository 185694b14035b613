//! What a start says of the addresses of stores. Delivers nothing; Python does, see [`crate::host::pipeline`].

use tracing::warn;

use crate::config::{Loaded, Origin};

/// The setting of the stores.
const STORE: &str = "serve.store";

/// Warns if a password may stand in the list of processes.
pub(super) fn warn_of_visible_passwords(loaded: &Loaded) {
    let origin = loaded
        .settings()
        .find_map(|(setting, _, origin)| (setting.name == STORE).then_some(origin));
    let is_flag = matches!(origin, Some(Origin::Flag(_)));
    let found = loaded
        .config
        .serve
        .store
        .iter()
        .find(|each| each.has_user());
    if let Some(address) = found.filter(|_| is_flag) {
        warn!(
            %address,
            "The list of processes shows the password in --store: write --store mongodb:// and set MONGODB_URL, or \
             set HOLDMETRICS_SERVE_STORE, or write serve.store in a file of settings."
        );
    }
}
