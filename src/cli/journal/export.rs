//! What a state knows and all events of a journal as lines of JSON, also those behind damage.
//!
//! An event may come twice, once out of each; that changes no answer.

use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, bail};

use super::packing::Packing;
use super::place::Place;
use super::report::losses;
use super::state_copy::{StateCopy, StateCopyError};
use crate::cli::exit::Exit;
use crate::cli::progress::CountingBar;
use crate::core::{Event, encoding};
use crate::error_line::error_line;
use crate::journal::{RealVfs, read_damaged, survey};
use crate::output::{Destination, write_event};
use crate::state::{Salvaged, StateError, Store};

/// Writes them to `output`; fails after that where some cannot be read, and says which.
pub(super) fn run(place: &Place, output: &Path) -> anyhow::Result<()> {
    refuse_the_store(place, output)?;
    let found = survey(&RealVfs, &place.journal, |_| ())?;
    let events: u64 = found.segments.iter().map(|segment| segment.events).sum();
    // A state that is damaged is no reason to keep the events back, nor what is left of it.
    let mut trouble = Vec::new();
    let state = match whole_state(place) {
        Ok(state) => state,
        Err(error) => {
            trouble.push(error_line(&error));
            let salvaged = StateCopy::salvage(&place.data)?;
            salvaged.map(|(copy, salvaged)| {
                trouble.push(what_is_left(&salvaged));
                (copy, 0)
            })
        }
    };
    // Events up to the first need not be in the journal, and those up to the other are not written.
    let (covered, written) = state.as_ref().map_or((0, 0), |(copy, written)| {
        (copy.store().contents().applied_sequence, *written)
    });
    let keys = state
        .as_ref()
        .map_or(0, |(copy, _)| copy.store().contents().keys);
    let cannot_write = || Exit::output(Some(output));
    let destination = Destination::file(output).map_err(cannot_write())?;
    let mut out = Packing::new(output, destination).map_err(cannot_write())?;
    let bar = CountingBar::new(events + keys);
    if let Some((copy, _)) = &state {
        let (written, read) = write_state(copy.store(), &bar, &mut out);
        written.map_err(cannot_write())?;
        read?;
    }
    let readable = read_damaged(&RealVfs, &place.journal, covered, |frame| {
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
    let journal = place.journal.display();
    if let Some(damage) = readable.damages.first() {
        let losses = losses(&readable);
        trouble.push(format!(
            "{journal}: the journal is damaged ({damage}); {losses}"
        ));
    } else if !readable.lost.is_empty() {
        trouble.push(format!("{journal}: {}", losses(&readable)));
    } else if let Err(error) = place.check_order(&found, covered) {
        trouble.push(error_line(&error));
    }
    if trouble.is_empty() {
        return Ok(());
    }
    bail!(
        "what can be read is written, and something cannot: {}",
        trouble.join("; ")
    )
}

/// A file of the store must not become its own copy.
fn refuse_the_store(place: &Place, output: &Path) -> anyhow::Result<()> {
    if output == Path::new("-") {
        return Ok(());
    }
    let folder = output.parent().filter(|above| *above != Path::new(""));
    let folder = folder.unwrap_or(Path::new("."));
    // A link leads to the file that would be replaced.
    let target = output.canonicalize().or_else(|_| folder.canonicalize());
    let data = place.data.canonicalize();
    if let (Ok(target), Ok(data)) = (target, data)
        && target.starts_with(data)
    {
        return Err(Exit::usage(format!(
            "{}: lies in the folder of the store: give --output a file elsewhere",
            output.display()
        )));
    }
    Ok(())
}

/// The state, and the number of the last event that it covers.
fn whole_state(place: &Place) -> Result<Option<(StateCopy, u64)>, StateCopyError> {
    let Some(copy) = StateCopy::open(&place.data)? else {
        return Ok(None);
    };
    let contents = copy.store().verify()?;
    Ok(Some((copy, contents.applied_sequence)))
}

fn what_is_left(salvaged: &Salvaged) -> String {
    let kept = salvaged.kept;
    match salvaged.lost {
        Some(lost) => format!("{kept} of its keys are written, and {lost} are lost"),
        None => format!("{kept} of its keys are written, and how many are lost is not known"),
    }
}

/// Writes what the state knows, one line for each claim; how the writing went, and the reading.
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
