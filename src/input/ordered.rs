//! The same sources, checked, on one thread in the order of files and lines: for who sends them on.
//!
//! Unlike [`super::read`] it hands on each row with its place, so that a sender can say what was
//! acknowledged and go on from there.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::csv::RowSplitter;
use super::deal::{Job, Work, deal};
use super::rows::{Rows, Scratch};
use super::source::check_all;
use super::text::lines;
use super::{InputError, InputFormat, Progress, Reason, Source, jsonl};
use crate::core::Event;

/// One line or row.
pub struct Row<'a> {
    /// The file's name as it was given.
    pub file: &'a Arc<str>,
    /// The line, from 1, a CSV header included; in columns the row, from 1.
    pub line: u64,
    /// What it states, or why it is refused.
    pub event: Result<Event<'a>, Reason>,
}

/// Hands on all rows of `sources` in order; ends early where `take` breaks.
///
/// # Errors
/// Where a source cannot be read to its end.
pub fn read_in_order(
    sources: &[Source],
    format: InputFormat,
    progress: &Arc<Progress>,
    mut take: impl FnMut(Row<'_>) -> ControlFlow<()>,
) -> Result<(), InputError> {
    check_all(sources)?;
    progress.expect(sources.iter().map(Source::size).sum());
    let mut splitter = RowSplitter::default();
    let mut read = Ok(ControlFlow::Continue(()));
    deal(sources, format, progress, |job| {
        read = rows(job, &mut splitter, &mut take);
        match read {
            Ok(ControlFlow::Continue(())) => ControlFlow::Continue(()),
            Ok(ControlFlow::Break(())) | Err(_) => ControlFlow::Break(()),
        }
    })?;
    read.map(|_| ())
}

type Take<'a> = &'a mut dyn FnMut(Row<'_>) -> ControlFlow<()>;

fn rows(
    job: Job,
    splitter: &mut RowSplitter,
    take: Take<'_>,
) -> Result<ControlFlow<()>, InputError> {
    let file = &job.file;
    match job.work {
        Work::Jsonl(block) => {
            for (line, bytes) in lines(&block).filter(|(_, bytes)| !jsonl::is_blank(bytes)) {
                let written = jsonl::event_from_line(bytes);
                let event = written
                    .as_ref()
                    .map_err(Clone::clone)
                    .and_then(|written| written.check().map_err(Reason::from));
                if take(Row { file, line, event }).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            Ok(ControlFlow::Continue(()))
        }
        Work::Csv(header, block) => Ok(splitter.rows(&block, |row| {
            let written = row.cells.and_then(|cells| header.event(cells));
            let event = written
                .as_ref()
                .map_err(Clone::clone)
                .and_then(|written| written.check().map_err(Reason::from));
            let line = row.line;
            take(Row { file, line, event })
        })),
        Work::Parquet(slice) => slice.read(|layout, first_row, batch| {
            columns(file, &Rows::new(layout, batch), first_row, take)
        }),
        Work::Batch {
            layout,
            first_row,
            batch,
        } => Ok(columns(file, &Rows::new(&layout, &batch), first_row, take)),
    }
}

fn columns(file: &Arc<str>, rows: &Rows, first_row: u64, take: Take<'_>) -> ControlFlow<()> {
    let mut scratch = Scratch::default();
    for (line, row) in (first_row..).zip(0..rows.len()) {
        let event = rows.event(row, &mut scratch).map_err(Reason::from);
        take(Row { file, line, event })?;
    }
    ControlFlow::Continue(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_in_order_with_their_places_until_somebody_has_enough() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            Source::Path(path)
        };
        let sources = [
            write(
                "a.jsonl",
                "{\"token_id\":\"T\",\"holder_id\":\"a\",\"end\":1}\n\n{}\n",
            ),
            write("b.csv", "token_id,holder_id,end\nT,b,1\nT,,1\nT,c,1\n"),
        ];
        let mut found = Vec::new();
        let read = read_in_order(&sources, InputFormat::Auto, &Arc::default(), |row| {
            let told = match row.event {
                Ok(event) => event.holder_id.to_owned(),
                Err(reason) => reason.to_string(),
            };
            found.push((row.line, told));
            if found.len() == 4 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        read.unwrap();
        let expected = [
            (1, "a"),
            (3, "token_id: missing or empty"),
            (2, "b"),
            (3, "holder_id: missing or empty"),
        ];
        assert_eq!(found, expected.map(|(line, told)| (line, told.to_owned())));
    }
}
