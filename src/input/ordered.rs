//! All sources, checked, on one thread in the order of files and lines: for a sender.
//!
//! Unlike [`super::read`] it passes on where each row stands, so that a sender can report what was
//! acknowledged and continue from there.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::chunk::{Chunk, ChunkContent, visit_columns, visit_csv, visit_feed};
use super::chunks::for_each_chunk;
use super::csv::RowSplitter;
use super::{FileNote, InputError, InputOptions, Progress, RefusalReason, Source};
use crate::core::Event;

/// One line or row, and where it stands.
pub(crate) struct SourceRow<'a> {
    /// The file's index among the sources.
    pub file_index: usize,
    /// The line, from 1, a CSV header included; in columns the row, from 1.
    pub line: u64,
    /// The one event that it states, or the two of a transfer, or why it is refused.
    pub events: Result<&'a [Event<'a>], RefusalReason>,
}

/// Passes all rows of `sources` to `take`, in order; ends early if `take` breaks. Returns what is to be said
/// about the files.
///
/// # Errors
/// If a source cannot be read to its end.
pub(crate) fn read_in_order(
    sources: &[Source],
    options: &Arc<InputOptions>,
    progress: &Arc<Progress>,
    mut take: impl FnMut(SourceRow<'_>) -> ControlFlow<()>,
) -> Result<Vec<FileNote>, InputError> {
    let mut splitter = RowSplitter::default();
    let mut read = Ok(ControlFlow::Continue(()));
    let notes = for_each_chunk(sources, options, progress, |chunk| {
        read = visit(chunk, &mut splitter, &mut take);
        match read {
            Ok(ControlFlow::Continue(())) => ControlFlow::Continue(()),
            Ok(ControlFlow::Break(())) | Err(_) => ControlFlow::Break(()),
        }
    })?;
    read.map(|_| notes)
}

fn visit(
    chunk: Chunk,
    splitter: &mut RowSplitter,
    take: &mut dyn FnMut(SourceRow<'_>) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, InputError> {
    let file_index = chunk.file_index;
    let mut take = |line, events: Result<&[Event<'_>], RefusalReason>| {
        take(SourceRow {
            file_index,
            line,
            events,
        })
    };
    match chunk.content {
        ChunkContent::Json(records, block) => Ok(records.visit(&block, take)),
        ChunkContent::Csv(header, block) => Ok(visit_csv(&header, &block, splitter, take)),
        ChunkContent::Feed(text) => Ok(visit_feed(&text, take)),
        ChunkContent::Parquet(slice) => slice
            .read(|columns, first_row, batch| visit_columns(columns, first_row, batch, &mut take)),
        ChunkContent::Batch {
            columns,
            first_row,
            batch,
        } => Ok(visit_columns(&columns, first_row, &batch, take)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_in_order_with_their_lines_until_the_taker_breaks() {
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
        let read = read_in_order(&sources, &Arc::default(), &Arc::default(), |row| {
            let text = match row.events {
                Ok(events) => events[0].holder_id.to_owned(),
                Err(reason) => reason.to_string(),
            };
            found.push((row.file_index, row.line, text));
            if found.len() == 4 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        read.unwrap();
        let expected = [
            (0, 1, "a"),
            (0, 3, "token_id: missing or empty"),
            (1, 2, "b"),
            (1, 3, "holder_id: missing or empty"),
        ];
        let expected = expected.map(|(file, line, text)| (file, line, text.to_owned()));
        assert_eq!(found, expected);
    }
}
