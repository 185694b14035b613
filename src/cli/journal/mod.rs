//! `journal`: for people who want to see what is on disk, or who are in trouble.
//!
//! Nothing here starts a service, and only `salvage` changes what is stored. All but `inspect` keep
//! others out of the folder while they work; on a file system for reading alone nobody needs to.
//! Read [`place`] (where), [`report`] (what is shown), [`export`] (what is copied), [`state_copy`] (how
//! the state is read).

mod export;
mod packing;
mod place;
mod report;
mod state_copy;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};

use self::place::{DataFolder, Place};
use self::state_copy::StateCopy;
use crate::journal::{
    Damage, JournalError, JournalOptions, RealVfs, SegmentState, Survey, Vfs, salvage, survey,
};
use crate::state::Contents;

/// The arguments of `journal`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show the segments: numbers of their events, sizes, and how each ends
    Inspect(Shown),
    /// Read everything; exit code 1 and the place where something is damaged
    Verify(Shown),
    /// Write what the state knows and all events of the journal as lines of JSON, which `score`
    /// and `send` read
    Export {
        #[command(flatten)]
        folder: DataFolder,
        /// Where to write; `-` is standard output, and a name that ends with .gz or .zst is packed
        #[arg(long, short, value_name = "FILE", default_value = "-")]
        output: PathBuf,
    },
    /// Make a whole journal of what a damaged one still holds, and say what is lost; a damaged state
    /// or a missing journal is for `serve --salvage`
    Salvage(Shown),
}

#[derive(Debug, Args)]
struct Shown {
    #[command(flatten)]
    folder: DataFolder,
    /// One JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// Does what was asked for.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    match &arguments.verb {
        Verb::Inspect(shown) => inspect(shown),
        Verb::Verify(shown) => verify(shown),
        Verb::Export { folder, output } => {
            let place = folder.find()?;
            let _lock = place.lock()?;
            export::run(&place, output)
        }
        Verb::Salvage(shown) => repair(shown),
    }
}

/// What is there, whoever uses it.
fn inspect(shown: &Shown) -> anyhow::Result<()> {
    let place = shown.folder.find()?;
    let lock = place.lock();
    let in_use_by = match &lock {
        Err(JournalError::Locked { holder, .. }) => Some(holder.as_str()),
        // Where nothing can be written, looking is still possible.
        Ok(_) | Err(_) => None,
    };
    let found = survey(&RealVfs, &place.journal, |_| ())?;
    report::print_survey(&found, &place.journal, in_use_by, shown.json)
}

fn verify(shown: &Shown) -> anyhow::Result<()> {
    let place = shown.folder.find()?;
    let _lock = place.lock()?;
    let found = survey(&RealVfs, &place.journal, |_| ())?;
    match check(&place, &found) {
        Ok(state) => report::print_verdict(&found, state, &place.data, shown.json),
        Err(error) => {
            if shown.json {
                report::print_fault(&found, &place.data, &error)?;
            }
            Err(error)
        }
    }
}

/// What the state holds, where it, the journal and their order are whole.
fn check(place: &Place, found: &Survey) -> anyhow::Result<Option<Contents>> {
    if let Some(damage) = found.damages.first() {
        return Err(damaged(&place.journal, damage).into());
    }
    let copy = StateCopy::open(&place.data)?;
    let state = copy.map(|copy| copy.store().verify()).transpose()?;
    place.check_order(found, state.map_or(0, |state| state.applied_sequence))?;
    Ok(state)
}

fn repair(shown: &Shown) -> anyhow::Result<()> {
    let place = shown.folder.find()?;
    let _lock = place.lock()?;
    let found = survey(&RealVfs, &place.journal, |_| ())?;
    if found.damages.is_empty() {
        // What else may be wrong is not the journal's own; the sentence names `serve --salvage`.
        check(&place, &found)?;
        return report::print_nothing_to_do(&place.journal, shown.json);
    }
    // No number is given again that the state has seen, so it must be readable.
    let copy = StateCopy::open(&place.data)?;
    let state = copy.map(|copy| copy.store().contents());
    let applied = state.map_or(0, |state| state.applied_sequence);
    let vfs: Arc<dyn Vfs> = Arc::new(RealVfs);
    let done = salvage(&vfs, &place.journal, &JournalOptions::default(), applied)?;
    report::print_salvaged(&done, &place.journal, applied, shown.json)
}

fn damaged(folder: &Path, damage: &Damage) -> JournalError {
    JournalError::Damaged {
        folder: folder.to_owned(),
        damage: damage.clone(),
    }
}

/// How a segment ends, in one word.
const fn state_word(state: &SegmentState) -> &'static str {
    match state {
        SegmentState::Whole => "whole",
        SegmentState::Torn { .. } => "torn",
        SegmentState::Damaged(_) => "damaged",
    }
}

/// A folder as people write it.
fn shown(path: &Path) -> String {
    path.display().to_string()
}
