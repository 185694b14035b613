//! `airdrop tree` and `verify`: a list as a Merkle tree in one of the formats, and whether such a tree is right.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use clap::{Args, value_parser};
use memmap2::MmapMut;
use rayon::prelude::*;

use super::manifest::ManifestFile;
use super::{read, refused};
use crate::airdrop::{
    AbiType, Details, Document, DocumentError, EvmAddress, Format, HexHash, List, PLACES_MAX,
};
use crate::cli::exit::Exit;
use crate::cli::progress::CountingBar;
use crate::output::{Destination, FolderDestination};

/// A file of more bytes is read into large pages of memory.
const LARGE_BYTES: usize = 16 << 20;

/// Shown under the help text.
pub(super) const RULES: &str = "LIST is CSV with the header address,amount, amounts in base units, as `airdrop \
    allocate` writes it; for merkl also user,token,amount. With --types it is CSV with any header and a column for each \
    type. For simple-v1 it may have one column of ready leaves. ens-shards and thirdweb-shards are folders, the others \
    files.";

/// The arguments of `airdrop tree`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// CSV with the header address,amount
    #[arg(value_name = "LIST")]
    list: PathBuf,
    #[command(flatten)]
    form: Form,
    /// Types of a leaf of standard-v1, one for each column of LIST; then LIST may have equal rows and amounts of 0
    #[arg(long, value_name = "TYPE,...", value_delimiter = ',', value_parser = AbiType::parse)]
    types: Option<Vec<AbiType>>,
    /// Amounts of LIST are in tokens of --decimals places instead of base units
    #[arg(long, conflicts_with = "types")]
    in_tokens: bool,
    /// Also write the proof of each leaf to FILE, one line of JSON each
    #[arg(long, value_name = "FILE")]
    proofs: Option<PathBuf>,
}

/// Which tree is written, and where.
#[derive(Debug, Args)]
pub(super) struct Form {
    /// Format of the tree
    #[arg(long, value_enum, default_value = "standard-v1")]
    format: Format,
    /// Write the tree to OUTPUT, a file that is replaced once it is complete, or a new folder of shards
    #[arg(long, value_name = "OUTPUT")]
    output: PathBuf,
    /// Decimal places of the token, for --in-tokens and thirdweb-shards
    #[arg(long, value_name = "N", default_value_t = 18, value_parser = value_parser!(u8).range(..=i64::from(PLACES_MAX)))]
    decimals: u8,
    /// Address of the token, for merkl
    #[arg(long, value_name = "ADDRESS", value_parser = EvmAddress::parse)]
    token: Option<EvmAddress>,
    /// Where the shards will be published, for thirdweb-shards
    #[arg(long, value_name = "URI", default_value = "")]
    base_uri: String,
    /// Hexadecimal digits of an address that choose its shard, for the formats of shards
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = value_parser!(u8).range(1..=4))]
    shard_digits: u8,
    /// Leave the leaves in the order of the list, for standard-v1 and simple-v1
    #[arg(long)]
    unsorted_leaves: bool,
}

/// The arguments of `airdrop verify`.
#[derive(Debug, Args)]
pub(super) struct Verify {
    /// A tree of any format, as `tree` writes it: a file, or a folder of shards
    #[arg(value_name = "TREE")]
    tree: PathBuf,
    /// Print what was found as JSON
    #[arg(long)]
    json: bool,
}

/// Writes the tree of a list.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let form = &arguments.form;
    form.check(arguments.types.is_some())?;
    let refused = refused(&arguments.list);
    let bytes = read(&arguments.list)?;
    ManifestFile::check_beside(&arguments.list, &bytes)?;
    let details = form.details();
    let document = if let Some(types) = arguments.types.clone() {
        Document::of_rows(&bytes, types, details).map_err(|error| refused(error.to_string()))?
    } else if form.format == Format::SimpleV1 && has_one_column(&bytes) {
        Document::of_leaves(&bytes, details).map_err(|error| refused(error.to_string()))?
    } else {
        let places = if arguments.in_tokens {
            form.decimals
        } else {
            0
        };
        let list = List::read(&bytes, form.format.addresses(), places)
            .map_err(|error| refused(error.to_string()))?;
        drop(bytes);
        form.tree_of(list)
            .map_err(|error| refused(error.to_string()))?
    };
    if let Some(path) = &arguments.proofs {
        write_file(path, document.len(), |out, done| {
            document.write_proofs(out, done)
        })?;
    }
    form.write(&document)
}

/// A header without a comma.
fn has_one_column(bytes: &[u8]) -> bool {
    let header = bytes.split(|byte| *byte == b'\n').next();
    header.is_some_and(|header| !header.contains(&b','))
}

impl Form {
    pub(super) fn format(&self) -> Format {
        self.format
    }

    /// Whether the options fit the format.
    pub(super) fn check(&self, has_types: bool) -> anyhow::Result<()> {
        let is_sorted = !matches!(self.format, Format::StandardV1 | Format::SimpleV1);
        let wrong = [
            (
                has_types && self.format != Format::StandardV1,
                "--types: only standard-v1 has leaves of any types",
            ),
            (
                self.unsorted_leaves && is_sorted,
                "--unsorted-leaves: only standard-v1 and simple-v1 leave the order to you",
            ),
            (
                self.token.is_some() && self.format != Format::Merkl,
                "--token: only merkl has the token in its leaves",
            ),
            (
                !self.base_uri.is_empty() && self.format != Format::ThirdwebShards,
                "--base-uri: only thirdweb-shards states one",
            ),
            (
                self.format.is_folder() && self.output == Path::new("-"),
                "--output: name a folder, because the shards are files",
            ),
        ];
        match wrong.iter().find(|(is_wrong, _)| *is_wrong) {
            None => Ok(()),
            Some((_, reason)) => Err(Exit::usage(*reason)),
        }
    }

    pub(super) fn details(&self) -> Details {
        Details {
            places: self.decimals,
            base_uri: self.base_uri.clone(),
            shard_digits: self.shard_digits.into(),
            sorts_leaves: !self.unsorted_leaves,
            ..Details::default()
        }
    }

    /// The tree of a checked list.
    pub(super) fn tree_of(&self, list: List) -> Result<Document, DocumentError> {
        let list = match self.token {
            Some(token) if !list.has_tokens() => list.of_token(&token),
            _ => list,
        };
        Document::of_list(&list, self.format, self.details())
    }

    /// Writes the tree, and prints its root.
    pub(super) fn write(&self, document: &Document) -> anyhow::Result<()> {
        let path = &self.output;
        if self.format.is_folder() {
            let written = FolderDestination::new(path).and_then(|folder| {
                for (name, bytes) in document.files() {
                    folder.write(&name, &bytes)?;
                }
                folder.finish()
            });
            written.map_err(Exit::output(Some(path)))?;
        } else {
            write_file(path, document.len(), |out, done| document.write(out, done))?;
        }
        if path != Path::new("-") {
            println!("root {}", HexHash(&document.root()));
        }
        Ok(())
    }
}

/// Writes a file of so many rows with a bar, so that it appears when it is complete.
pub(super) fn write_file(
    path: &Path,
    rows: usize,
    write: impl FnOnce(&mut dyn Write, &dyn Fn(u64)) -> io::Result<()>,
) -> anyhow::Result<()> {
    let bar = CountingBar::new(rows as u64);
    let written = Destination::file(path).and_then(|mut out| {
        write(&mut out, &|rows| bar.advance(rows))?;
        out.finish()
    });
    written.map_err(Exit::output(Some(path)))
}

/// Prints what a tree is, if all of it is right.
pub(super) fn verify(arguments: &Verify) -> anyhow::Result<()> {
    let document = read_tree(&arguments.tree)?;
    let root = HexHash(&document.root()).to_string();
    let (format, leaves, sum) = (document.format().name(), document.len(), document.sum());
    let types = document
        .chosen_types()
        .map(|types| types.iter().map(ToString::to_string).collect::<Vec<_>>());
    if arguments.json {
        let found = serde_json::json!({
            "format": format,
            "types": types,
            "root": root,
            "leaves": leaves,
            "sum": sum.map(|sum| sum.to_string()),
        });
        println!("{found:#}");
        return Ok(());
    }
    let sum = sum.map_or(String::new(), |sum| format!(", sum {sum} base units"));
    let types = types.map_or(String::new(), |types| format!(" of {}", types.join(",")));
    println!("root {root}: {leaves} leaves{sum}, format {format}{types}");
    Ok(())
}

/// Reads and checks a file or a folder.
pub(super) fn read_tree(path: &Path) -> anyhow::Result<Document> {
    let refused = refused(path);
    let document = if path.is_dir() {
        Document::read_folder(&files_of(path)?)
    } else {
        with_bytes(path, Document::read)?
    };
    document.map_err(|error| refused(error.to_string()))
}

/// Passes all of a file to `use_bytes`. A large one is read into large pages of memory: a tree with its proofs has
/// hundreds of megabytes, and as many small pages would take longer than the reading.
fn with_bytes<T>(path: &Path, use_bytes: impl FnOnce(&[u8]) -> T) -> anyhow::Result<T> {
    let size = path.metadata().map_or(0, |found| found.len());
    let Some(size) = usize::try_from(size)
        .ok()
        .filter(|size| *size > LARGE_BYTES)
    else {
        return Ok(use_bytes(&read(path)?));
    };
    let filled = MmapMut::map_anon(size).and_then(|mut memory| {
        // Where the system does not support this, the pages are small.
        #[cfg(target_os = "linux")]
        let _ = memory.advise(memmap2::Advice::HugePage);
        fill(path, &mut memory)?;
        Ok(memory)
    });
    let memory = filled.map_err(|error| refused(path)(error.to_string()))?;
    Ok(use_bytes(&memory))
}

/// Reads as many bytes as `memory` has, a part of them on each thread: most of the time is taken by fresh pages. A file that
/// is replaced meanwhile gives parts of two files, which do not belong together.
fn fill(path: &Path, memory: &mut [u8]) -> io::Result<()> {
    let part_bytes = memory.len().div_ceil(rayon::current_num_threads());
    let parts = memory.par_chunks_mut(part_bytes).enumerate();
    parts
        .map(|(number, part)| {
            let mut file = File::open(path)?;
            file.seek(SeekFrom::Start((number * part_bytes) as u64))?;
            file.read_exact(part)
        })
        .collect()
}

/// All files of a folder by their names.
fn files_of(folder: &Path) -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
    let refused = refused(folder);
    let mut files = BTreeMap::new();
    let found = std::fs::read_dir(folder).map_err(|error| refused(error.to_string()))?;
    for entry in found {
        let entry = entry.map_err(|error| refused(error.to_string()))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        files.insert(name, read(&entry.path())?);
    }
    Ok(files)
}
