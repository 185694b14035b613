//! The arguments that choose a policy: a JSON document of ready steps, or a function of a pipeline file.
//!
//! A document is read here and computed natively; a function needs the embedded interpreter.

use std::fmt::Display;
use std::io;
use std::path::Path;

use clap::Args;

use super::exit::Exit;
use crate::output::PolicyName;
use crate::policy::Policy;

/// The word for no policy: the scores themselves.
pub(super) const NONE: &str = "none";

/// `--policy`, `--compare-policy`.
#[derive(Debug, Args)]
pub(super) struct PolicyArguments {
    /// Publish scores under a policy: a JSON document of ready steps, or a function of a pipeline
    #[arg(long, value_name = "FILE[:NAME]", conflicts_with = "compare_policy")]
    policy: Option<String>,
    /// List the holders whose rank or score differs between policies A and B; the word none means plain scores
    #[arg(long, num_args = 2, value_names = ["A", "B"])]
    compare_policy: Option<Vec<String>>,
}

/// One policy, or none.
pub(super) struct PolicyChoice {
    /// As it was given.
    pub(super) spec: String,
    pub(super) source: PolicySource,
}

pub(super) enum PolicySource {
    /// The scores themselves.
    None,
    Ready {
        name: PolicyName,
        policy: Box<Policy>,
    },
    /// A function of a pipeline file.
    Function,
}

impl PolicyArguments {
    /// Whether two leaderboards are compared.
    pub(super) const fn compares(&self) -> bool {
        self.compare_policy.is_some()
    }

    /// The chosen policies: one, or the two that are compared.
    pub(super) fn choices(&self) -> anyhow::Result<Vec<PolicyChoice>> {
        let given = self.compare_policy.iter().flatten().chain(&self.policy);
        let mut choices = given
            .map(|spec| PolicyChoice::read(spec))
            .collect::<Result<Vec<_>, _>>()?;
        if choices.is_empty() {
            choices.push(PolicyChoice::read(NONE)?);
        }
        Ok(choices)
    }
}

impl PolicyChoice {
    /// Reads the policy that `spec` names.
    pub(super) fn read(spec: &str) -> anyhow::Result<Self> {
        let source = if spec == NONE {
            PolicySource::None
        } else if is_python(spec)
            || spec
                .rsplit_once(':')
                .is_some_and(|(file, _)| is_python(file))
        {
            PolicySource::Function
        } else {
            let policy = ready_policy(Path::new(spec))?;
            let name = Path::new(spec).file_stem().unwrap_or_default();
            PolicySource::Ready {
                name: PolicyName {
                    name: name.to_string_lossy().into_owned(),
                    version: policy.version(),
                },
                policy: Box::new(policy),
            }
        };
        Ok(Self {
            spec: spec.to_owned(),
            source,
        })
    }
}

/// Whether a file is one of Python by its extension.
fn is_python(file: &str) -> bool {
    Path::new(file)
        .extension()
        .is_some_and(|extension| extension == "py")
}

/// Reads a JSON document.
pub(super) fn ready_policy(file: &Path) -> anyhow::Result<Policy> {
    policy_of(file, std::fs::read_to_string(file))
}

/// The ready policy in the `text` of `file`.
pub(super) fn policy_of(file: &Path, text: io::Result<String>) -> anyhow::Result<Policy> {
    let refused = |error: &dyn Display| Exit::usage(format!("{}: {error}", file.display()));
    let text = text.map_err(|error| refused(&error))?;
    Policy::from_document(&text).map_err(|error| refused(&error))
}
