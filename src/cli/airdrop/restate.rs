//! `airdrop restate`: what a correction or a reorganisation of the chain changes in a list that was published.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Args;
use ruint::aliases::U256;
use serde::{Deserialize, Serialize};

use super::convert::payments;
use super::manifest::{FileHash, Manifest, ManifestFile, RESTATEMENT, sha256, text};
use super::recorded::Choice;
use super::{name_of_output, read, write_together};
use crate::airdrop::{AddressKind, RestatedCounts, RestatedSums, Text, restate};
use crate::cli::exit::Exit;

/// Shown under the help text.
pub(super) const RULES: &str = "OLD and NEW are lists or trees, each one file. LIST gets the next cumulative amounts, the \
    larger one of old and new for each holder, so that a root over them never takes back what was claimable; \
    LIST.differences.csv has old, new, difference, next and debt of each holder whose amount changes; \
    LIST.manifest.json the sums, for `airdrop reproduce`.";

/// The arguments of `airdrop restate`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// What was published: for cumulative amounts, the list or the tree of the last root
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// What is right
    #[arg(value_name = "NEW")]
    new: PathBuf,
    /// Write the next cumulative amounts to LIST, which is replaced once it is complete
    #[arg(long, value_name = "LIST")]
    output: PathBuf,
    /// What the addresses of a CSV are
    #[arg(long, value_enum, default_value = "evm")]
    addresses: AddressKind,
    /// Print the manifest instead of a summary
    #[arg(long)]
    json: bool,
}

/// The fields, in their order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RestatementManifest {
    format: String,
    version: String,
    old: FileHash,
    new: FileHash,
    addresses: Text<Choice<AddressKind>>,
    counts: RestatedCounts,
    old_sum: Text<U256>,
    new_sum: Text<U256>,
    /// The new sum less the old one.
    difference: String,
    next_sum: Text<U256>,
    debt: Text<U256>,
    list: FileHash,
    differences: FileHash,
}

/// What is computed: the list, the differences and the manifest as bytes.
struct Computed {
    list: Vec<u8>,
    differences: Vec<u8>,
    manifest: RestatementManifest,
}

/// Computes everything before it writes anything.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let list = &arguments.output;
    let name = name_of_output(list)?;
    let files = [&*arguments.old, &*arguments.new];
    let computed = compute(Path::new(""), files, arguments.addresses, name)?;
    let manifest_text = text(&computed.manifest)?;
    write_together(&[
        (&Manifest::path_of(list), manifest_text.as_bytes()),
        (&differences_of(list), &computed.differences),
        (list, &computed.list),
    ])?;
    let RestatementManifest {
        counts,
        difference,
        next_sum,
        debt,
        ..
    } = &computed.manifest;
    let printed = if arguments.json {
        manifest_text
    } else {
        format!(
            "{}: {} holders, difference {difference} base units; {} to get more, {} with more than is right, who owe {debt}; \
             next sum {next_sum}\n",
            list.display(),
            counts.holders,
            counts.raised,
            counts.debtors,
        )
    };
    let written = std::io::stdout().write_all(printed.as_bytes());
    written.map_err(Exit::output(None))
}

/// Compares the files below `folder`; the list will be named `name`.
fn compute(
    folder: &Path,
    files: [&Path; 2],
    kind: AddressKind,
    name: String,
) -> anyhow::Result<Computed> {
    let read = |file: &Path| {
        let path = folder.join(file);
        if path.is_dir() {
            return Err(Exit::usage(format!(
                "{}: a folder of shards; write its list into a file first, with `airdrop list --format csv`",
                file.display()
            )));
        }
        Ok((FileHash::of(folder, file)?, payments(&path, kind)?))
    };
    let [(old_file, old), (new_file, new)] = [read(files[0])?, read(files[1])?];
    let restated = restate(&old, &new, kind).map_err(|error| Exit::usage(error.to_string()))?;
    let (mut list, mut differences) = (Vec::new(), Vec::new());
    restated.next().write(&mut list).expect("memory takes it");
    let written = restated.write_differences(&mut differences);
    written.expect("memory takes it");
    let RestatedSums {
        old,
        new,
        next,
        debt,
    } = *restated.sums();
    let hash_of = |name: PathBuf, bytes: &[u8]| FileHash {
        file: name,
        sha256: sha256(bytes),
    };
    let name = PathBuf::from(name);
    let manifest = RestatementManifest {
        format: RESTATEMENT.into(),
        version: env!("CARGO_PKG_VERSION").into(),
        old: old_file,
        new: new_file,
        addresses: Text(Choice(kind)),
        counts: restated.counts(),
        old_sum: Text(old),
        new_sum: Text(new),
        difference: restated.difference().to_string(),
        next_sum: Text(next),
        debt: Text(debt),
        differences: hash_of(differences_of(&name), &differences),
        list: hash_of(name, &list),
    };
    Ok(Computed {
        list,
        differences,
        manifest,
    })
}

/// Where the differences are that belong to a list.
fn differences_of(list: &Path) -> PathBuf {
    let mut name = OsString::from(list);
    name.push(".differences.csv");
    name.into()
}

/// Computes a restatement again from its manifest, and compares it with the files beside it.
pub(super) fn reproduce(file: &ManifestFile, folder: &Path) -> anyhow::Result<()> {
    let (path, recorded) = (file.path(), file.fields::<RestatementManifest>()?);
    recorded.old.check(folder)?;
    recorded.new.check(folder)?;
    let files = [&*recorded.old.file, &*recorded.new.file];
    let name = recorded.list.file.to_string_lossy().into_owned();
    let computed = compute(folder, files, recorded.addresses.0.0, name)?;
    for (file, expected) in [
        (&recorded.list, &computed.list),
        (&recorded.differences, &computed.differences),
    ] {
        let beside = path.with_file_name(&file.file);
        if read(&beside)? != *expected {
            bail!("{}: not what OLD and NEW give", beside.display());
        }
    }
    // Another version of the program may compute the same.
    let computed = RestatementManifest {
        version: recorded.version.clone(),
        ..computed.manifest
    };
    if computed != recorded {
        bail!(
            "{}: it states something else than OLD and NEW give",
            path.display()
        );
    }
    println!(
        "equal: {} holders, difference {} base units, SHA-256 of the list {}",
        recorded.counts.holders, recorded.difference, recorded.list.sha256
    );
    Ok(())
}
