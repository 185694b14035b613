//! A set of sources as chunks, in the order of files and lines.
//!
//! Opens files, cuts text into blocks, checks headers and column types. Rows are left to the consumer of a
//! [`Chunk`], so that the same chunks serve several threads ([`super::read`]) and one in order
//! ([`super::ordered`], [`super::raw`]).

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow_array::RecordBatch;

use super::arrow_ipc::ArrowBatches;
use super::blocks::{Blocks, LineEnds, RecordEnds};
use super::chunk::{Chunk, ChunkContent};
use super::csv::{CsvHeader, RowEnds, take_header};
use super::feed_rows::FeedText;
use super::feeds::json_row::key_paths;
use super::feeds::layout::FeedLayout;
use super::json_document::{DocumentEnds, JsonForm};
use super::json_records::{JsonRecords, rows};
use super::opened_source::{ByteStream, OpenedSource};
use super::parquet::ParquetFile;
use super::source::check_sources;
use super::{Delimiter, FileNote, InputError, InputFormat, InputOptions, Progress, Source};

/// Rows of a chunk of Arrow data; one batch of a whole file would leave the other threads idle.
const BATCH_ROWS_MAX: usize = 1 << 16;

/// Passes all chunks of `sources` to `take`, in order; ends early if `take` breaks. Returns what is to be said
/// about the files.
pub(super) fn for_each_chunk(
    sources: &[Source],
    options: &Arc<InputOptions>,
    progress: &Arc<Progress>,
    mut take: impl FnMut(Chunk) -> ControlFlow<()>,
) -> Result<Vec<FileNote>, InputError> {
    check_sources(sources)?;
    let mut notes = Vec::new();
    progress.expect(sources.iter().map(Source::size).sum());
    for (file_index, source) in sources.iter().enumerate() {
        let file = source.name();
        let read = file_chunks(source, options, progress, &mut notes, &mut |content| {
            take(Chunk {
                file: Arc::clone(&file),
                file_index,
                content,
            })
        })?;
        if read.is_break() {
            break;
        }
    }
    Ok(notes)
}

/// What takes the chunks of one file.
type Take<'a> = &'a mut dyn FnMut(ChunkContent) -> ControlFlow<()>;

fn file_chunks(
    source: &Source,
    options: &Arc<InputOptions>,
    progress: &Arc<Progress>,
    notes: &mut Vec<FileNote>,
    take: Take<'_>,
) -> Result<ControlFlow<()>, InputError> {
    let file = source.name();
    let is_recognised = !matches!(options.format, InputFormat::Feed(_));
    let mut note = |layout: Option<&Arc<FeedLayout>>| {
        notes.extend(layout.map(|layout| FileNote::new(layout, is_recognised)));
    };
    match OpenedSource::open(source, options, progress)? {
        OpenedSource::Json(stream, form) => {
            let records = JsonRecords {
                form,
                options: Arc::clone(options),
                progress: Arc::clone(progress),
            };
            match form {
                JsonForm::Lines => {
                    let blocks = blocks(stream, LineEnds, options, progress);
                    json_chunks(&file, blocks, records, &mut note, take)
                }
                JsonForm::Objects | JsonForm::Array | JsonForm::Wrapped => {
                    let blocks = Blocks::new(stream, DocumentEnds::new(form));
                    json_chunks(&file, blocks, records, &mut note, take)
                }
            }
        }
        OpenedSource::Csv(stream, delimiter) => {
            csv_chunks(stream, delimiter, options, progress, &mut note, take)
        }
        OpenedSource::Parquet(bytes) => {
            let parquet = ParquetFile::open(&file, bytes, options)?;
            note(parquet.layout());
            progress.ignored.add(parquet.ignored());
            let slices = parquet.slices();
            Ok(slices.map(ChunkContent::Parquet).try_for_each(take))
        }
        OpenedSource::ArrowFile(bytes) => {
            let batches = ArrowBatches::of_file(&file, &bytes, options)?;
            note(batches.columns.layout());
            batch_chunks(batches, progress, take)
        }
        OpenedSource::ArrowStream(stream) => {
            let batches = ArrowBatches::of_stream(stream, options)?;
            note(batches.columns.layout());
            batch_chunks(batches, progress, take)
        }
    }
}

/// What is told the layout of a file of a known feed.
type Note<'a> = &'a mut dyn FnMut(Option<&Arc<FeedLayout>>);

/// What the rows of a CSV file are read by.
enum CsvRows {
    Fields(Arc<CsvHeader>),
    Feed(Arc<FeedLayout>),
}

/// Blocks of text in which every line or row is an event.
fn blocks<E: RecordEnds>(
    stream: ByteStream,
    ends: E,
    options: &InputOptions,
    progress: &Arc<Progress>,
) -> Blocks<E> {
    let blocks = Blocks::new(stream, ends);
    if options.leaves_unfinished {
        blocks.whole_rows(progress)
    } else {
        blocks
    }
}

fn json_chunks(
    file: &Arc<str>,
    mut blocks: Blocks<impl RecordEnds>,
    records: JsonRecords,
    note: Note<'_>,
    take: Take<'_>,
) -> Result<ControlFlow<()>, InputError> {
    let mut next = blocks.next_block()?;
    let (form, options) = (records.form, &records.options);
    let first = next.as_ref().and_then(|block| rows(form, block).next());
    let keys = || {
        first.map_or_else(Vec::new, |(_, row)| {
            key_paths(&String::from_utf8_lossy(row))
        })
    };
    let feed = options.feed_of(keys);
    let layout = feed.map(|feed| FeedLayout::of_keys(file, feed, options));
    let layout = layout.transpose()?.map(Arc::new);
    note(layout.as_ref());
    if let Some(layout) = &layout {
        // Keys may differ from row to row; those of the first one stand for all.
        let ignored = layout.ignored_keys(&keys());
        records
            .progress
            .ignored
            .add(ignored.iter().map(String::as_str));
    }
    let records = Arc::new(records);
    while let Some(block) = next {
        let content = match &layout {
            Some(layout) => ChunkContent::Feed(FeedText::Json(Arc::clone(layout), form, block)),
            None => ChunkContent::Json(Arc::clone(&records), block),
        };
        if take(content).is_break() {
            return Ok(ControlFlow::Break(()));
        }
        next = blocks.next_block()?;
    }
    Ok(ControlFlow::Continue(()))
}

fn csv_chunks(
    stream: ByteStream,
    delimiter: Delimiter,
    options: &Arc<InputOptions>,
    progress: &Arc<Progress>,
    note: Note<'_>,
    take: Take<'_>,
) -> Result<ControlFlow<()>, InputError> {
    let file = Arc::clone(stream.name());
    let mut blocks = blocks(stream, RowEnds::new(delimiter), options, progress);
    let Some(mut block) = blocks.next_block()? else {
        // A header may be unfinished like any other row.
        return if blocks.has_unfinished {
            Ok(ControlFlow::Continue(()))
        } else {
            Err(InputError::NoHeader { file })
        };
    };
    let names = take_header(&file, &mut block, delimiter)?;
    let rows = if let Some(feed) = options.feed_of(|| names.clone()) {
        let layout = Arc::new(FeedLayout::of_columns(&file, feed, options, &names)?);
        note(Some(&layout));
        progress
            .ignored
            .add(layout.ignored.iter().map(String::as_str));
        CsvRows::Feed(layout)
    } else {
        let header = CsvHeader::new(&file, names, delimiter, options)?;
        progress.ignored.add(header.ignored());
        CsvRows::Fields(Arc::new(header))
    };
    let mut next = Some(block);
    while let Some(block) = next {
        let content = match &rows {
            CsvRows::Fields(header) => ChunkContent::Csv(Arc::clone(header), block),
            CsvRows::Feed(layout) => {
                ChunkContent::Feed(FeedText::Csv(Arc::clone(layout), delimiter, block))
            }
        };
        if take(content).is_break() {
            return Ok(ControlFlow::Break(()));
        }
        next = blocks.next_block()?;
    }
    Ok(ControlFlow::Continue(()))
}

fn batch_chunks(
    batches: ArrowBatches<'_>,
    progress: &Progress,
    take: Take<'_>,
) -> Result<ControlFlow<()>, InputError> {
    let columns = Arc::new(batches.columns);
    progress.ignored.add(columns.ignored());
    let mut first_row = 1;
    for batch in batches.batches {
        for batch in slices(&batch?) {
            let rows = batch.num_rows() as u64;
            let content = ChunkContent::Batch {
                columns: Arc::clone(&columns),
                first_row,
                batch,
            };
            if take(content).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            first_row += rows;
        }
    }
    Ok(ControlFlow::Continue(()))
}

fn slices(batch: &RecordBatch) -> impl Iterator<Item = RecordBatch> {
    let rows = batch.num_rows();
    let starts = (0..rows).step_by(BATCH_ROWS_MAX);
    starts.map(move |start| batch.slice(start, BATCH_ROWS_MAX.min(rows - start)))
}
