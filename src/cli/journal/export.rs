//! What a state knows and all events of a journal as lines of JSON, also those behind damage.
//!
//! An event may come twice, once out of each; that changes no answer.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::place::Place;
use super::report::losses;
use crate::cli::Failure;
use crate::cli::progress::CountingBar;
use crate::core::{Event, encoding};
use crate::engine::StateKeeper;
use crate::journal::{RealVfs, read_readable, survey};
use crate::output::{Destination, write_event};
use crate::state::{Entry, Store};

/// Writes them to `output`; fails after that where some cannot be read, and says which.
pub(super) fn run(place: &Place, output: &Path) -> Result<(), Failure> {
    let found = survey(&RealVfs, &place.journal, |_| ())?;
    let events: u64 = found.segments.iter().map(|segment| segment.events).sum();
    // A state that cannot be read is no reason to keep the events back.
    let (keeper, mut trouble) = match place.state() {
        Ok(keeper) => (Some(keeper), Vec::new()),
        Err(error) => (None, vec![error.to_string()]),
    };
    let store = keeper.as_ref().and_then(StateKeeper::store);
    let contents = store.map(Store::contents);
    let cannot_write = || Failure::output(Some(output));
    let mut destination = Destination::file(output).map_err(cannot_write())?;
    let bar = CountingBar::new(events + contents.map_or(0, |contents| contents.entries));
    let mut out = BufWriter::new(&mut destination);
    let mut applied = 0;
    if let (Some(store), Some(contents)) = (store, contents) {
        match write_state(store, &bar, &mut out) {
            Ok(()) => applied = contents.applied_sequence,
            Err(StateFailure::Output(error)) => return Err(cannot_write()(error)),
            Err(StateFailure::State(error)) => trouble.push(error),
        }
    }
    let readable = read_readable(&RealVfs, &place.journal, |frame| {
        bar.advance(frame.count.into());
        if frame.first + u64::from(frame.count) <= applied + 1 {
            return Ok(());
        }
        for event in encoding::events(frame.payload) {
            let event = event.map_err(|error| {
                let first = frame.first;
                Failure::Other(format!(
                    "the frame of event {first} holds no events: it {error}"
                ))
            })?;
            write_event(&event, &mut out).map_err(cannot_write())?;
        }
        Ok::<_, Failure>(())
    })?;
    out.flush().map_err(cannot_write())?;
    drop(out);
    drop(bar);
    destination.finish().map_err(cannot_write())?;
    if let Some(damage) = readable.damages.first() {
        trouble.push(format!(
            "{}: the journal is damaged ({damage}); {}",
            place.journal.display(),
            losses(&readable)
        ));
    }
    if trouble.is_empty() {
        return Ok(());
    }
    Err(Failure::Other(format!(
        "what can be read is written, and something cannot: {}",
        trouble.join("; ")
    )))
}

enum StateFailure {
    Output(io::Error),
    State(String),
}

/// Writes what the state knows, one line for each claim.
fn write_state(store: &Store, bar: &CountingBar, out: &mut impl Write) -> Result<(), StateFailure> {
    let mut written = Ok(());
    let read = store.for_each(|entry| {
        bar.advance(1);
        if written.is_ok() {
            written = write_entry(&entry, out);
        }
    });
    written.map_err(StateFailure::Output)?;
    read.map_err(|error| StateFailure::State(error.to_string()))
}

fn write_entry(entry: &Entry<'_>, out: &mut impl Write) -> io::Result<()> {
    for claim in encoding::claims(entry.claims) {
        let event = Event {
            token_id: entry.token_id,
            holder_id: entry.holder_id,
            claim: claim.map_err(io::Error::other)?,
        };
        write_event(&event, out)?;
    }
    Ok(())
}
