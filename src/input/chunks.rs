//! A set of sources as chunks, in the order of files and lines.
//!
//! Opens files, cuts text into blocks, checks headers and column types. Rows are left to the consumer of a
//! [`Chunk`], so that the same chunks serve several threads ([`super::read`]) and one in order
//! ([`super::ordered`], [`super::raw`]).

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow_array::RecordBatch;

use super::arrow_ipc::ArrowBatches;
use super::blocks::{Blocks, LineEnds};
use super::chunk::{Chunk, ChunkContent};
use super::csv::{CsvHeader, RowEnds};
use super::opened_source::{ByteStream, OpenedSource};
use super::parquet::ParquetFile;
use super::source::check_sources;
use super::{Delimiter, InputError, InputOptions, Progress, Source};

/// Rows of a chunk of Arrow data; one batch of a whole file would leave the other threads idle.
const BATCH_ROWS_MAX: usize = 1 << 16;

/// Passes all chunks of `sources` to `take`, in order; ends early if `take` breaks.
pub(super) fn for_each_chunk(
    sources: &[Source],
    options: &Arc<InputOptions>,
    progress: &Arc<Progress>,
    mut take: impl FnMut(Chunk) -> ControlFlow<()>,
) -> Result<(), InputError> {
    check_sources(sources)?;
    progress.expect(sources.iter().map(Source::size).sum());
    for (file_index, source) in sources.iter().enumerate() {
        let file = source.name();
        let read = file_chunks(source, options, progress, &mut |content| {
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
    Ok(())
}

/// What takes the chunks of one file.
type Take<'a> = &'a mut dyn FnMut(ChunkContent) -> ControlFlow<()>;

fn file_chunks(
    source: &Source,
    options: &Arc<InputOptions>,
    progress: &Arc<Progress>,
    take: Take<'_>,
) -> Result<ControlFlow<()>, InputError> {
    let file = source.name();
    match OpenedSource::open(source, options, progress)? {
        OpenedSource::Jsonl(stream) => jsonl_chunks(stream, options, take),
        OpenedSource::Csv(stream, delimiter) => csv_chunks(stream, delimiter, options, take),
        OpenedSource::Parquet(bytes) => {
            let slices = ParquetFile::open(&file, bytes, options)?.slices();
            Ok(slices.map(ChunkContent::Parquet).try_for_each(take))
        }
        OpenedSource::ArrowFile(bytes) => {
            batch_chunks(ArrowBatches::of_file(&file, &bytes, options)?, take)
        }
        OpenedSource::ArrowStream(stream) => {
            batch_chunks(ArrowBatches::of_stream(stream, options)?, take)
        }
    }
}

fn jsonl_chunks(
    stream: ByteStream,
    options: &Arc<InputOptions>,
    take: Take<'_>,
) -> Result<ControlFlow<()>, InputError> {
    let mut blocks = Blocks::new(stream, LineEnds);
    while let Some(block) = blocks.next_block()? {
        if take(ChunkContent::Jsonl(Arc::clone(options), block)).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

fn csv_chunks(
    stream: ByteStream,
    delimiter: Delimiter,
    options: &Arc<InputOptions>,
    take: Take<'_>,
) -> Result<ControlFlow<()>, InputError> {
    let file = Arc::clone(stream.name());
    let mut blocks = Blocks::new(stream, RowEnds::new(delimiter));
    let Some(mut block) = blocks.next_block()? else {
        return Err(InputError::NoHeader { file });
    };
    let header = Arc::new(CsvHeader::take_from(&file, &mut block, delimiter, options)?);
    let mut next = Some(block);
    while let Some(block) = next {
        if take(ChunkContent::Csv(Arc::clone(&header), block)).is_break() {
            return Ok(ControlFlow::Break(()));
        }
        next = blocks.next_block()?;
    }
    Ok(ControlFlow::Continue(()))
}

fn batch_chunks(batches: ArrowBatches<'_>, take: Take<'_>) -> Result<ControlFlow<()>, InputError> {
    let mapping = Arc::new(batches.mapping);
    let mut first_row = 1;
    for batch in batches.batches {
        for batch in slices(&batch?) {
            let rows = batch.num_rows() as u64;
            let content = ChunkContent::Batch {
                mapping: Arc::clone(&mapping),
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
