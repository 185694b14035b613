//! `journal`: shows, verifies, exports and salvages what a service has stored.
//!
//! Nothing here starts a service, and only `salvage` and `cursors --remove` change what is stored. All
//! subcommands but `inspect` lock the folder while they run, unless the file system is read-only. Read [`store_paths`]
//! (the folders), [`report`] (the output), [`export`] (what is copied), [`contents`] (what other subcommands score),
//! [`state_copy`] (how the state is read).

pub(super) mod contents;
mod cursors;
mod export;
mod report;
mod state_copy;
mod store_paths;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};

use self::state_copy::StateCopy;
use self::store_paths::{DataFolder, StorePaths};
use crate::engine::verify_rounds;
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
    /// Show the segments: the numbers of their events, their sizes and their state
    Inspect(Shown),
    /// Read everything, sealed rounds too; if something is damaged, say where and exit with 1
    Verify(Shown),
    /// Write all events of state and journal as lines of JSON, which `score` and `send` read
    Export {
        #[command(flatten)]
        folder: DataFolder,
        /// Write to FILE, compressed if the name ends in .gz or .zst; - is standard output
        #[arg(long, short, value_name = "FILE", default_value = "-")]
        output: PathBuf,
    },
    /// List the cursors of consumers, which keep the journal, and remove those that are no longer used
    Cursors(cursors::Arguments),
    /// Rebuild a damaged journal from its readable part, and say what is lost; for a damaged state, damaged
    /// rounds or a missing journal use `serve --salvage`
    Salvage(Shown),
}

#[derive(Debug, Args)]
struct Shown {
    #[command(flatten)]
    folder: DataFolder,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// Runs the chosen verb.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    match &arguments.verb {
        Verb::Inspect(shown) => inspect(shown),
        Verb::Verify(shown) => verify(shown),
        Verb::Export { folder, output } => {
            let paths = folder.find()?;
            let _lock = paths.lock()?;
            export::run(&paths, output)
        }
        Verb::Cursors(arguments) => cursors::run(arguments),
        Verb::Salvage(shown) => salvage_journal(shown),
    }
}

/// Shows the segments, also while a service uses the folder.
fn inspect(shown: &Shown) -> anyhow::Result<()> {
    let paths = shown.folder.find()?;
    let lock = paths.lock();
    let in_use_by = match &lock {
        Err(JournalError::Locked { holder, .. }) => Some(holder.as_str()),
        // A folder that cannot be locked can still be read.
        Ok(_) | Err(_) => None,
    };
    let found = survey(&RealVfs, &paths.journal)?;
    report::print_survey(&found, &paths.journal, in_use_by, shown.json)
}

fn verify(shown: &Shown) -> anyhow::Result<()> {
    let paths = shown.folder.find()?;
    let _lock = paths.lock()?;
    let found = survey(&RealVfs, &paths.journal)?;
    match check_all(&paths, &found) {
        Ok(whole) => report::print_verdict(&found, whole, &paths.data, shown.json),
        Err(error) => {
            if shown.json {
                report::print_fault(&found, &paths.data, &error)?;
            }
            Err(error)
        }
    }
}

/// The contents of the state if journal and state are undamaged and belong together.
fn check(paths: &StorePaths, found: &Survey) -> anyhow::Result<Option<Contents>> {
    if let Some(damage) = found.damages.first() {
        return Err(damaged(&paths.journal, damage).into());
    }
    let copy = StateCopy::open(&paths.data)?;
    let state = copy
        .as_ref()
        .map(|copy| copy.store().verify())
        .transpose()?;
    let siblings = paths.siblings(copy.as_ref(), &state_copy::cursors(&paths.data)?);
    found.check_store(&paths.journal, &siblings)?;
    paths.check_order(found, state.map_or(0, |state| state.applied_sequence))?;
    Ok(state)
}

/// What is beside an undamaged journal.
#[derive(Clone, Copy)]
struct Beside {
    /// Absent if it was not written yet.
    state: Option<Contents>,
    /// The number of sealed rounds.
    rounds: u64,
}

/// What [`check`] says of journal and state, and the rounds if they are undamaged and belong to the same store.
fn check_all(paths: &StorePaths, found: &Survey) -> anyhow::Result<Beside> {
    let state = check(paths, found)?;
    Ok(Beside {
        state,
        rounds: verify_rounds(&paths.data, found.store(), last_sequence(found, state))?,
    })
}

/// The number of the last event of the store.
fn last_sequence(found: &Survey, state: Option<Contents>) -> u64 {
    let last = found.segments.last().map_or(0, |last| last.next - 1);
    last.max(state.map_or(0, |state| state.applied_sequence))
}

fn salvage_journal(shown: &Shown) -> anyhow::Result<()> {
    let paths = shown.folder.find()?;
    let _lock = paths.lock()?;
    let found = survey(&RealVfs, &paths.journal);
    let is_whole = match &found {
        Ok(found) => found.damages.is_empty(),
        Err(error) => !error.is_salvageable(),
    };
    if is_whole {
        let found = found?;
        // Damaged state and rounds, or some that do not fit, are not repaired here; their errors name the cure.
        check_all(&paths, &found)?;
        return report::print_nothing_to_do(&paths.journal, shown.json);
    }
    // Numbers that the state covers must not be given again, so it must be readable.
    let copy = StateCopy::open(&paths.data)?;
    let state = copy.as_ref().map(|copy| copy.store().contents());
    let applied = state.map_or(0, |state| state.applied_sequence);
    // A damaged file of cursors names no store; `serve --salvage` moves it aside.
    let cursors = state_copy::cursors(&paths.data).unwrap_or_default();
    let options = JournalOptions {
        siblings: paths.siblings(copy.as_ref(), &cursors),
        first_sequence: applied + 1,
        ..JournalOptions::default()
    };
    let vfs: Arc<dyn Vfs> = Arc::new(RealVfs);
    let done = salvage(&vfs, &paths.journal, &options, applied)?;
    let salvaged = survey(&RealVfs, &paths.journal)?;
    let last = last_sequence(&salvaged, state);
    let rounds = verify_rounds(&paths.data, salvaged.store(), last);
    report::print_salvaged(&done, &rounds, &paths.journal, applied, shown.json)
}

fn damaged(folder: &Path, damage: &Damage) -> JournalError {
    JournalError::Damaged {
        folder: folder.to_owned(),
        damage: damage.clone(),
    }
}

/// The state of a segment in one word.
const fn state_word(state: &SegmentState) -> &'static str {
    match state {
        SegmentState::Whole => "whole",
        SegmentState::Torn { .. } => "torn",
        SegmentState::Damaged(_) => "damaged",
    }
}

/// A path as text.
fn shown(path: &Path) -> String {
    path.display().to_string()
}
