//! `self`: the folder that this program was released in, shown, verified, removed; and what belongs beside an
//! installed program: completions of shells and manual pages.
//!
//! It reads the manifest that `make bundle` wrote and changes nothing, except that `self remove` deletes the
//! folder that the one-file program has unpacked. The launcher in `embed_runtime/launcher/` unpacks it.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Args, CommandFactory, Subcommand};
use clap_complete::Shell;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::CommandLine;
use super::exit::Exit;
use crate::excerpt::quoted;

const PROGRAM: &str = "main_holdmetrics";
const RUNTIME: &str = "embed_runtime";
const MANIFEST: &str = "embed_runtime/manifest.txt";
/// Set by the launcher of the one-file program to its own path.
const ONE_FILE_VARIABLE: &str = "POH_ONE_FILE";

/// The arguments of `self`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Print the folder of this program, the file that it was unpacked from, and their sizes
    Info {
        /// Print one JSON object instead of text
        #[arg(long)]
        json: bool,
    },
    /// Compare every byte of the bundle with its manifest, and name what differs
    Verify,
    /// Delete the folder that the one-file program has unpacked; its next start unpacks it again
    Remove,
    /// Print completions for a shell, to be sourced or put where it looks for them
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write manual pages, one for each subcommand, into a folder
    Man {
        /// The folder, created if it does not exist
        folder: PathBuf,
    },
}

/// The folder of a bundle, and its files as the manifest lists them.
struct Bundle {
    folder: PathBuf,
    files: Vec<Listed>,
}

struct Listed {
    digest: String,
    size: u64,
    name: String,
}

#[derive(Serialize)]
struct Info {
    version: &'static str,
    folder: PathBuf,
    files: usize,
    bytes: u64,
    /// `None` if the folder was unpacked by the user.
    unpacked_from: Option<PathBuf>,
}

/// Does what the verb says.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    match &arguments.verb {
        Verb::Info { json } => info(*json),
        Verb::Verify => verify(),
        Verb::Remove => remove(),
        Verb::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(*shell, &mut CommandLine::command(), PROGRAM, &mut text);
            io::stdout().write_all(&text).map_err(Exit::output(None))
        }
        Verb::Man { folder } => fs::create_dir_all(folder)
            .and_then(|()| clap_mangen::generate_to(CommandLine::command(), folder))
            .map_err(Exit::output(Some(folder))),
    }
}

impl Bundle {
    /// The bundle of this process.
    fn read() -> anyhow::Result<Self> {
        let executable = std::env::current_exe().context("the path of this program")?;
        let folder = executable.parent().unwrap_or(Path::new("")).to_owned();
        let manifest = folder.join(MANIFEST);
        let text = match fs::read_to_string(&manifest) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Exit::usage(format!(
                    "self: {} has no {MANIFEST}: this program was not released as a bundle; build one with \
                     `make bundle`",
                    folder.display()
                )));
            }
            Err(error) => return Err(error).with_context(|| manifest.display().to_string()),
        };
        let files = text.lines().map(Listed::read).collect::<Option<_>>();
        let files = files.with_context(|| format!("{}: damaged: {REPAIR}", manifest.display()))?;
        Ok(Self { folder, files })
    }
}

/// The cure of every damage.
const REPAIR: &str = "unpack the bundle again, or run `self remove` if it is one file";

impl Listed {
    fn read(line: &str) -> Option<Self> {
        let mut words = line.splitn(3, ' ');
        Some(Self {
            digest: words.next()?.to_owned(),
            size: words.next()?.parse().ok()?,
            name: words.next()?.to_owned(),
        })
    }

    /// Whether the file under `folder` has the listed bytes.
    fn is_whole(&self, folder: &Path) -> io::Result<bool> {
        let mut file = fs::File::open(folder.join(&self.name))?;
        let mut digest = Sha256::new();
        let mut buffer = vec![0; 1 << 16];
        loop {
            let length = file.read(&mut buffer)?;
            if length == 0 {
                return Ok(hex::encode(digest.finalize()) == self.digest);
            }
            digest.update(&buffer[..length]);
        }
    }
}

fn one_file() -> Option<PathBuf> {
    std::env::var_os(ONE_FILE_VARIABLE)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

fn info(json: bool) -> anyhow::Result<()> {
    let bundle = Bundle::read()?;
    let info = Info {
        version: env!("CARGO_PKG_VERSION"),
        files: bundle.files.len(),
        bytes: bundle.files.iter().map(|file| file.size).sum(),
        folder: bundle.folder,
        unpacked_from: one_file(),
    };
    let text = if json {
        serde_json::to_string_pretty(&info)?
    } else {
        let from = info.unpacked_from.as_deref().map(Path::display);
        format!(
            "version         {}\nfolder          {}\nfiles           {}\nbytes           {}\nunpacked from   {}",
            info.version,
            info.folder.display(),
            info.files,
            info.bytes,
            from.map_or_else(|| "an archive".to_owned(), |path| path.to_string()),
        )
    };
    writeln!(io::stdout(), "{text}").map_err(Exit::output(None))
}

fn verify() -> anyhow::Result<()> {
    let bundle = Bundle::read()?;
    let mut damaged = Vec::new();
    for file in &bundle.files {
        match file.is_whole(&bundle.folder) {
            Ok(true) => {}
            Ok(false) => damaged.push(format!("{}: other bytes", quoted(&file.name))),
            Err(error) => damaged.push(format!("{}: {error}", quoted(&file.name))),
        }
    }
    let listed: BTreeSet<&str> = bundle.files.iter().map(|file| file.name.as_str()).collect();
    let added = added(&bundle.folder.join(RUNTIME), &bundle.folder, &listed)?;
    damaged.extend(
        added
            .iter()
            .map(|name| format!("{}: not of the bundle", quoted(name))),
    );
    let mut out = io::stdout().lock();
    for line in &damaged {
        writeln!(out, "{line}").map_err(Exit::output(None))?;
    }
    if damaged.is_empty() {
        let count = bundle.files.len();
        return writeln!(out, "{count} files are as released").map_err(Exit::output(None));
    }
    bail!(
        "self verify: files that differ: {}: {REPAIR}",
        damaged.len()
    )
}

/// The files below `folder` that the manifest of `root` does not list.
fn added(folder: &Path, root: &Path, listed: &BTreeSet<&str>) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            names.extend(added(&path, root, listed)?);
            continue;
        }
        let name = path.strip_prefix(root).unwrap_or(&path);
        let name = name.to_string_lossy().replace('\\', "/");
        if name != MANIFEST && !listed.contains(name.as_str()) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn remove() -> anyhow::Result<()> {
    let bundle = Bundle::read()?;
    if one_file().is_none() {
        return Err(Exit::usage(format!(
            "self remove: {} was unpacked by you: delete it yourself; only what the one-file program has \
             unpacked is removed",
            bundle.folder.display()
        )));
    }
    // Windows deletes no program that runs: there the launcher does it when this process has ended well.
    if cfg!(not(windows)) {
        fs::remove_dir_all(&bundle.folder).with_context(|| bundle.folder.display().to_string())?;
    }
    writeln!(io::stdout(), "removed {}", bundle.folder.display()).map_err(Exit::output(None))
}
