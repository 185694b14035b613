//! `airdrop reproduce`: computes a list again from its manifest, and compares.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;

use super::manifest::{Manifest, ManifestFile};
use super::plan::{Computed, Setting};
use super::{read, restate};
use crate::cli::target::TargetArguments;
use crate::excerpt::literal;

/// The arguments of `airdrop reproduce`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The manifest, beside its list
    #[arg(value_name = "MANIFEST")]
    manifest: PathBuf,
    /// The folder of inputs with relative names
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    folder: PathBuf,
    #[command(flatten)]
    target: TargetArguments,
}

/// Says that everything is equal, or fails with the first difference.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let file = ManifestFile::read(&arguments.manifest)?;
    if file.is_of_restatement() {
        return restate::reproduce(&file, &arguments.folder);
    }
    let recorded = file.allocation()?;
    recorded.check_inputs(&arguments.folder)?;
    let name = recorded.list.file.clone();
    let list = read(&arguments.manifest.with_file_name(&name))?;
    let plan = &recorded.options;
    let name = name.to_string_lossy().into_owned();
    let setting = Setting::of(plan, &arguments.folder, &arguments.target)?;
    let computed = plan.compute(&setting, name)?;
    if let Some(difference) = difference(&recorded, &list, &computed) {
        bail!("{}: {difference}", arguments.manifest.display());
    }
    println!(
        "equal: {} recipients, sum {} base units, SHA-256 of the list {}",
        recorded.counts.recipients, recorded.sum, recorded.list.sha256
    );
    Ok(())
}

/// The first difference, in words.
fn difference(recorded: &Manifest, list: &[u8], computed: &Computed) -> Option<String> {
    let manifest = &computed.manifest;
    if let Some(moved) = recorded.moved(manifest.policy.as_ref(), manifest.store.as_ref()) {
        return Some(moved);
    }
    let mut found = list.split(|byte| *byte == b'\n');
    let mut expected = computed.list.split(|byte| *byte == b'\n');
    for line in 1_u64.. {
        let lines = (found.next(), expected.next());
        match lines {
            (None, None) => break,
            (found, expected) if found != expected => {
                return Some(format!(
                    "the list differs in line {line}: it has {}, computed is {}",
                    shown(found),
                    shown(expected)
                ));
            }
            (_, _) => {}
        }
    }
    if manifest.list.sha256 != recorded.list.sha256 {
        return Some(format!(
            "the SHA-256 of the list is {}, the manifest has {}",
            manifest.list.sha256, recorded.list.sha256
        ));
    }
    if manifest.counts != recorded.counts || manifest.sum != recorded.sum {
        return Some(format!(
            "the counts or the sum differ: computed is {:?}, sum {}",
            manifest.counts, manifest.sum
        ));
    }
    if manifest.inputs != recorded.inputs
        || manifest.exclude != recorded.exclude
        || manifest.holders != recorded.holders
        || manifest.store != recorded.store
    {
        return Some("the manifest lists other inputs than its options name".into());
    }
    // Another version of the program may write the same list.
    let as_recorded = Manifest {
        version: recorded.version.clone(),
        ..manifest.clone()
    };
    (as_recorded != *recorded).then(|| "its format or its remainder rule was changed".into())
}

/// A line of a list, each cell cut on its own, so that the amount is always seen.
fn shown(line: Option<&[u8]>) -> String {
    let Some(line) = line else {
        return "nothing".into();
    };
    let line = String::from_utf8_lossy(line);
    let cells = line.rsplit_once(',');
    cells.map_or_else(
        || literal(&line),
        |(address, amount)| format!("{},{}", literal(address), literal(amount)),
    )
}
