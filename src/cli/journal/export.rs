//! `journal export`: the events of state and journal as lines of JSON, also those after damage.
//!
//! An event that is in both is written twice, which changes no score.

use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, bail};

use super::super::compressor::Compressor;
use super::report::losses;
use super::state_copy::{StateCopy, StateCopyError};
use super::store_paths::StorePaths;
use crate::cli::exit::Exit;
use crate::cli::progress::CountingBar;
use crate::core::{Event, encoding};
use crate::error_line::error_line;
use crate::journal::{RealVfs, read_damaged, survey};
use crate::output::{Destination, write_event};
use crate::state::{Salvaged, StateError, Store};

/// Writes everything readable to `output`, then fails if something could not be read, and says what.
pub(super) fn run(paths: &StorePaths, output: &Path) -> anyhow::Result<()> {
    refuse_the_store(paths, output)?;
    let found = survey(&RealVfs, &paths.journal)?;
    let events: u64 = found.segments.iter().map(|segment| segment.events).sum();
    // A damaged state must not prevent the export of the journal, nor of the readable part of the state.
    let mut problems = Vec::new();
    let state = match whole_state(paths) {
        Ok(state) => state,
        Err(error) => {
            problems.push(error_line(&error));
            let salvaged = StateCopy::salvage(&paths.data)?;
            salvaged.map(|(copy, salvaged)| {
                problems.push(salvaged_keys(&salvaged));
                (copy, 0)
            })
        }
    };
    // Events up to `covered` may be missing in the journal; those up to `written` come from the state.
    let (covered, written) = state.as_ref().map_or((0, 0), |(copy, written)| {
        (copy.store().contents().applied_sequence, *written)
    });
    let keys = state
        .as_ref()
        .map_or(0, |(copy, _)| copy.store().contents().keys);
    let cannot_write = || Exit::output(Some(output));
    let destination = Destination::file(output).map_err(cannot_write())?;
    let mut out = Compressor::new(output, destination).map_err(cannot_write())?;
    let bar = CountingBar::new(events + keys);
    if let Some((copy, _)) = &state {
        let (written, read) = write_state(copy.store(), &bar, &mut out);
        written.map_err(cannot_write())?;
        read?;
    }
    let readable = read_damaged(&RealVfs, &paths.journal, covered, |frame| {
        bar.advance(frame.count.into());
        if frame.first + u64::from(frame.count) <= written + 1 {
            return Ok(());
        }
        for event in encoding::events(frame.payload) {
            let event = event
                .with_context(|| format!("the frame of event {} holds no events", frame.first))?;
            write_event(&event, &mut out).map_err(cannot_write())?;
        }
        anyhow::Ok(())
    })?;
    drop(bar);
    let destination = out.finish().map_err(cannot_write())?;
    destination.finish().map_err(cannot_write())?;
    let journal = paths.journal.display();
    if let Some(damage) = readable.damages.first() {
        let losses = losses(&readable);
        problems.push(format!(
            "{journal}: the journal is damaged ({damage}); {losses}"
        ));
    } else if !readable.lost.is_empty() {
        problems.push(format!("{journal}: {}", losses(&readable)));
    } else if let Err(error) = paths.check_order(&found, covered) {
        problems.push(error_line(&error));
    }
    if problems.is_empty() {
        return Ok(());
    }
    bail!(
        "everything readable is written, but something is not readable: {}",
        problems.join("; ")
    )
}

/// The export must not overwrite a file of the store.
fn refuse_the_store(paths: &StorePaths, output: &Path) -> anyhow::Result<()> {
    if output == Path::new("-") {
        return Ok(());
    }
    let folder = output.parent().filter(|above| *above != Path::new(""));
    let folder = folder.unwrap_or(Path::new("."));
    // A link is followed, because its target would be replaced.
    let target = output.canonicalize().or_else(|_| folder.canonicalize());
    let data = paths.data.canonicalize();
    if let (Ok(target), Ok(data)) = (target, data)
        && target.starts_with(data)
    {
        return Err(Exit::usage(format!(
            "{}: is in the folder of the store: give --output a file elsewhere",
            output.display()
        )));
    }
    Ok(())
}

/// The state, and the number of the last event that it covers.
fn whole_state(paths: &StorePaths) -> Result<Option<(StateCopy, u64)>, StateCopyError> {
    let Some(copy) = StateCopy::open(&paths.data)? else {
        return Ok(None);
    };
    let contents = copy.store().verify()?;
    Ok(Some((copy, contents.applied_sequence)))
}

fn salvaged_keys(salvaged: &Salvaged) -> String {
    let kept = salvaged.kept;
    match salvaged.lost {
        Some(lost) => format!("{kept} of its keys are written, and {lost} are lost"),
        None => format!("{kept} of its keys are written, and how many are lost is not known"),
    }
}

/// Writes the claims of the state, one per line. Returns the results of writing and of reading.
fn write_state(
    store: &Store,
    bar: &CountingBar,
    out: &mut impl Write,
) -> (io::Result<()>, Result<(), StateError>) {
    let mut written = Ok(());
    let read = store.for_each(|entry| {
        for (token_id, claims) in entry.keys() {
            bar.advance(1);
            if written.is_ok() {
                written = write_key(entry.holder_id, token_id, claims, out);
            }
        }
    });
    (written, read)
}

fn write_key(
    holder_id: &str,
    token_id: &str,
    claims: &[u8],
    out: &mut impl Write,
) -> io::Result<()> {
    for claim in encoding::claims(claims) {
        let event = Event {
            token_id,
            holder_id,
            claim: claim.map_err(io::Error::other)?,
        };
        write_event(&event, out)?;
    }
    Ok(())
}
