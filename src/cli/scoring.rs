//! The arguments of `score` and `airdrop allocate` that say what becomes of refused lines, deficits and warnings, and
//! which implementation computes the scores.
//!
//! How files are read is in [`super::input`], which time counts in [`super::window`].

use std::io;
use std::path::{Path, PathBuf};

use clap::Args;

use super::exit::Exit;
use super::scorer::Scorer;
use crate::input::OnError;
use crate::output::{
    DeficitRow, Destination, ListFormat, RefusedLine, Warning, write_deficits, write_refusals,
};

/// `--on-error`, `--rejects`, `--deficits`, `--engine`, `--strict`.
#[derive(Debug, Args)]
pub(super) struct ScoringArguments {
    /// What to do at a refused line
    #[arg(long, value_enum, default_value_t)]
    pub(super) on_error: OnError,
    /// List the refused lines in FILE, as JSONL or CSV by its extension; needs --on-error skip
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// List the keys whose balance is below 0 at some time in FILE, as JSONL or CSV by its
    /// extension
    #[arg(long, value_name = "FILE")]
    deficits: Option<PathBuf>,
    /// Implementation that computes the scores
    #[arg(long, value_enum, default_value_t)]
    pub(super) engine: Scorer,
    /// Make errors of warnings, which are about what is valid and probably not meant
    #[arg(long)]
    strict: bool,
}

/// Where refused lines and deficits are listed.
pub(super) struct Lists<'a> {
    rejects: Option<(&'a Path, ListFormat)>,
    deficits: Option<(&'a Path, ListFormat)>,
}

impl ScoringArguments {
    /// The lists that are asked for.
    pub(super) fn lists(&self) -> anyhow::Result<Lists<'_>> {
        if self.rejects.is_some() && self.on_error == OnError::Fail {
            return Err(Exit::usage(
                "--rejects: refused lines end this run; add --on-error skip to list them",
            ));
        }
        Ok(Lists {
            rejects: list("--rejects", self.rejects.as_deref())?,
            deficits: list("--deficits", self.deficits.as_deref())?,
        })
    }

    /// Prints the warnings that are `shown` on standard error, or fails with all of them if the run is strict.
    pub(super) fn report_warnings(
        &self,
        found: &[Warning],
        shown: impl Fn(&Warning) -> bool,
    ) -> anyhow::Result<()> {
        if self.strict && !found.is_empty() {
            let all: Vec<_> = found.iter().map(Warning::to_string).collect();
            return Err(Exit::usage(format!("--strict: {}", all.join("; "))));
        }
        for warning in found.iter().filter(|warning| shown(warning)) {
            eprintln!("warning: {warning}");
        }
        Ok(())
    }

    /// The first of these options that is given, other than its default.
    pub(super) fn first_given(&self) -> Option<&'static str> {
        let given = [
            (self.on_error != OnError::default(), "--on-error"),
            (self.rejects.is_some(), "--rejects"),
            (self.deficits.is_some(), "--deficits"),
            (self.engine != Scorer::default(), "--engine"),
            (self.strict, "--strict"),
        ];
        let first = given.into_iter().find(|(is_given, _)| *is_given);
        first.map(|(_, option)| option)
    }
}

impl Lists<'_> {
    /// Whether refused lines are listed.
    pub(super) const fn has_rejects(&self) -> bool {
        self.rejects.is_some()
    }

    /// Whether deficits are listed, not only counted.
    pub(super) const fn has_deficits(&self) -> bool {
        self.deficits.is_some()
    }

    /// Writes the lists.
    pub(super) fn write(
        &self,
        refused: &[RefusedLine],
        deficits: &[DeficitRow],
    ) -> anyhow::Result<()> {
        if let Some((path, format)) = self.rejects {
            write_list(path, |out| write_refusals(refused, format, out))?;
        }
        if let Some((path, format)) = self.deficits {
            write_list(path, |out| write_deficits(deficits, format, out))?;
        }
        Ok(())
    }
}

/// The list that `option` names, with its format.
fn list<'a>(
    option: &str,
    path: Option<&'a Path>,
) -> anyhow::Result<Option<(&'a Path, ListFormat)>> {
    let Some(path) = path else {
        return Ok(None);
    };
    let format = ListFormat::from_name(path).ok_or_else(|| {
        let path = path.display();
        Exit::usage(format!("{option} {path}: end the name in .jsonl or .csv"))
    })?;
    Ok(Some((path, format)))
}

fn write_list(
    path: &Path,
    write: impl FnOnce(&mut Destination) -> io::Result<()>,
) -> anyhow::Result<()> {
    let written = Destination::file(path).and_then(|mut out| {
        write(&mut out)?;
        out.finish()
    });
    written.map_err(Exit::output(Some(path)))
}
