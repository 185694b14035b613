//! Arrow IPC, as a file or as a stream: record batches as they were written, cut into pieces.

use std::io::BufReader;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_schema::ArrowError;

use super::InputError;
use super::content::Stream;
use super::deal::{Take, Work};
use super::decoder::decoded;
use super::file_bytes::FileBytes;
use super::layout::Layout;

/// Rows of a piece; a batch of a whole file would leave the other threads idle.
const PIECE_ROWS: usize = 1 << 16;

const FORMAT: &str = "Arrow";

/// Deals the batches of a file.
pub(super) fn deal_file(
    file: &Arc<str>,
    bytes: &FileBytes,
    take: Take<'_>,
) -> Result<(), InputError> {
    let open = |projection| {
        decoded(file, FORMAT, || {
            FileReader::try_new(BufReader::new(bytes.cursor(0)), projection)
        })
    };
    let layout = Layout::new(file, &open(None)?.schema())?;
    let reader = open(Some(layout.projection.clone()))?;
    deal_batches(file, layout, reader, take)
}

/// Deals the batches of a stream.
pub(super) fn deal_stream(stream: Stream, take: Take<'_>) -> Result<(), InputError> {
    let file = Arc::clone(stream.name());
    let reader = decoded(&file, FORMAT, || {
        StreamReader::try_new(BufReader::new(stream), None)
    })?;
    let layout = Layout::new(&file, &reader.schema())?;
    let projection = layout.projection.clone();
    let batches = reader.map(|batch| batch?.project(&projection));
    deal_batches(&file, layout, batches, take)
}

fn deal_batches(
    file: &Arc<str>,
    layout: Layout,
    mut batches: impl Iterator<Item = Result<RecordBatch, ArrowError>>,
    take: Take<'_>,
) -> Result<(), InputError> {
    let layout = Arc::new(layout);
    let mut first_row = 1;
    while let Some(batch) = decoded(file, FORMAT, || batches.next().transpose())? {
        for start in (0..batch.num_rows()).step_by(PIECE_ROWS) {
            let rows = PIECE_ROWS.min(batch.num_rows() - start);
            let piece = Work::Batch {
                layout: Arc::clone(&layout),
                first_row,
                batch: batch.slice(start, rows),
            };
            if take(piece).is_break() {
                return Ok(());
            }
            first_row += rows as u64;
        }
    }
    Ok(())
}
