//! The policies that the settings name: read at the start, and again on SIGHUP.

use std::path::Path;
use std::sync::Arc;

use tracing::{info, warn};

use crate::cli::policy::policy_of;
use crate::config::Config;
use crate::engine::Engine;
use crate::error_line::error_line;
use crate::plain_file::read_plain_text;
use crate::policy::Policy;

/// The names and files of the settings, and the engine that answers under them.
pub(super) struct PolicyFiles {
    files: Vec<String>,
    engine: Arc<Engine>,
}

/// Reads all files.
pub(super) fn read(config: &Config) -> anyhow::Result<Vec<(String, Policy)>> {
    let files = config.policies.files.iter();
    files.map(|item| read_one(item)).collect()
}

fn read_one(item: &str) -> anyhow::Result<(String, Policy)> {
    let (name, file) = item.split_once('=').unwrap_or((item, ""));
    let file = Path::new(file);
    Ok((name.to_owned(), policy_of(file, read_plain_text(file))?))
}

impl PolicyFiles {
    /// Registers `policies`, which were read from the files of the settings.
    pub(super) fn register(
        config: &Config,
        engine: &Arc<Engine>,
        policies: Vec<(String, Policy)>,
    ) -> Self {
        for (name, policy) in policies {
            info!(
                policy = name,
                version = policy.version(),
                "Registered a policy."
            );
            engine.policies().register(&name, policy);
        }
        Self {
            files: config.policies.files.clone(),
            engine: Arc::clone(engine),
        }
    }

    /// Reads the files again; a policy whose file is invalid now stays as it was.
    pub(super) fn reload(&self) {
        for item in &self.files {
            match read_one(item) {
                Ok((name, policy)) => self.engine.policies().register(&name, policy),
                Err(error) => {
                    let reason = error_line(error.as_ref());
                    warn!(reason, "Kept a policy, because its file cannot be used.");
                }
            }
        }
    }
}
