//! A set of sources as pieces of work, dealt in the order of files and lines.
//!
//! Opens, cuts and checks headers and column types; leaves rows to whoever takes a [`Job`], so that
//! the same pieces serve threads ([`super::read`]) and one reader in order ([`super::raw`]).

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow_array::RecordBatch;

use super::content::{Content, Stream};
use super::csv::{Header, RowCutter};
use super::layout::Layout;
use super::parquet::ParquetSlice;
use super::text::{Block, Blocks, LineCutter};
use super::{InputError, InputFormat, Progress, Source, ipc, parquet};

/// A piece of one file.
pub(super) struct Job {
    /// The file's name.
    pub(super) file: Arc<str>,
    /// The file's place in the set.
    pub(super) place: usize,
    pub(super) work: Work,
}

/// What a piece holds.
pub(super) enum Work {
    Jsonl(Block),
    Csv(Arc<Header>, Block),
    Parquet(ParquetSlice),
    Batch {
        layout: Arc<Layout>,
        /// The number of the first row, from 1.
        first_row: u64,
        batch: RecordBatch,
    },
}

impl Work {
    /// The line or row on which the piece begins.
    pub(super) fn first_line(&self) -> u64 {
        match self {
            Self::Jsonl(block) | Self::Csv(_, block) => block.first_line,
            Self::Parquet(slice) => slice.first_row,
            Self::Batch { first_row, .. } => *first_row,
        }
    }
}

/// Takes the pieces of one file, until it has enough.
pub(super) type Take<'a> = &'a mut dyn FnMut(Work) -> ControlFlow<()>;

/// Deals all sources in order; ends early where `take` says so.
pub(super) fn deal(
    sources: &[Source],
    format: InputFormat,
    progress: &Arc<Progress>,
    mut take: impl FnMut(Job) -> ControlFlow<()>,
) -> Result<(), InputError> {
    for (place, source) in sources.iter().enumerate() {
        let file = source.name();
        let mut is_enough = false;
        let mut take = |work| {
            let taken = take(Job {
                file: Arc::clone(&file),
                place,
                work,
            });
            is_enough = taken.is_break();
            taken
        };
        match Content::open(source, format, progress)? {
            Content::Jsonl(stream) => deal_jsonl(stream, &mut take)?,
            Content::Csv(stream) => deal_csv(stream, &mut take)?,
            Content::Parquet(bytes) => parquet::deal(&file, bytes, &mut take)?,
            Content::ArrowFile(bytes) => ipc::deal_file(&file, &bytes, &mut take)?,
            Content::ArrowStream(stream) => ipc::deal_stream(stream, &mut take)?,
        }
        if is_enough {
            break;
        }
    }
    Ok(())
}

fn deal_jsonl(stream: Stream, take: Take<'_>) -> Result<(), InputError> {
    let mut blocks = Blocks::new(stream, LineCutter);
    while let Some(block) = blocks.next_block()? {
        if take(Work::Jsonl(block)).is_break() {
            break;
        }
    }
    Ok(())
}

fn deal_csv(stream: Stream, take: Take<'_>) -> Result<(), InputError> {
    let file = Arc::clone(stream.name());
    let mut blocks = Blocks::new(stream, RowCutter::default());
    let Some(mut block) = blocks.next_block()? else {
        return Err(InputError::NoHeader { file });
    };
    let header = Arc::new(Header::take_from(&file, &mut block)?);
    let mut next = Some(block);
    while let Some(block) = next {
        if take(Work::Csv(Arc::clone(&header), block)).is_break() {
            break;
        }
        next = blocks.next_block()?;
    }
    Ok(())
}
