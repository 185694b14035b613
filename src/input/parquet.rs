//! A Parquet file as slices of its row groups, each decoded by whoever takes it.
//!
//! Only the needed columns are read. Text is asked for as views, so that it is not copied out of
//! the pages that hold it.

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};

use super::InputError;
use super::deal::{Take, Work};
use super::decoder::decoded;
use super::file_bytes::FileBytes;
use super::layout::Layout;

/// Rows that one thread decodes at a time: what makes large row groups and small files parallel.
const SLICE_ROWS: u64 = 1 << 18;
/// Rows of a batch: what they hold stays in a core's cache while it is read.
const BATCH_ROWS: usize = 8_192;

const FORMAT: &str = "Parquet";

/// An opened file.
struct ParquetFile {
    name: Arc<str>,
    bytes: FileBytes,
    metadata: ArrowReaderMetadata,
    mask: ProjectionMask,
    layout: Layout,
}

/// Some rows of one row group.
pub(super) struct ParquetSlice {
    file: Arc<ParquetFile>,
    row_group: usize,
    /// Rows of the group that lie before.
    skipped: usize,
    rows: usize,
    /// The number of the first row in the file, from 1.
    pub(super) first_row: u64,
}

/// Deals the slices of the file in the order of its rows.
pub(super) fn deal(file: &Arc<str>, bytes: FileBytes, take: Take<'_>) -> Result<(), InputError> {
    let opened = ParquetFile::open(file, bytes)?;
    let opened = Arc::new(opened);
    let mut first_row = 1;
    for (row_group, group) in opened.metadata.metadata().row_groups().iter().enumerate() {
        let rows_of_group = u64::try_from(group.num_rows()).unwrap_or(0);
        let mut skipped = 0;
        while skipped < rows_of_group {
            let rows = SLICE_ROWS.min(rows_of_group - skipped);
            let slice = ParquetSlice {
                file: Arc::clone(&opened),
                row_group,
                skipped: size(skipped),
                rows: size(rows),
                first_row,
            };
            if take(Work::Parquet(slice)).is_break() {
                return Ok(());
            }
            skipped += rows;
            first_row += rows;
        }
    }
    Ok(())
}

impl ParquetFile {
    fn open(file: &Arc<str>, bytes: FileBytes) -> Result<Self, InputError> {
        let found = decoded(file, FORMAT, || {
            ArrowReaderMetadata::load(&bytes, ArrowReaderOptions::new())
        })?;
        let options = ArrowReaderOptions::new().with_schema(Arc::new(as_views(found.schema())));
        // A file whose own Arrow schema does not convert is read as it says.
        let metadata =
            ArrowReaderMetadata::try_new(Arc::clone(found.metadata()), options).unwrap_or(found);
        let layout = Layout::new(file, metadata.schema())?;
        let columns = layout.projection.iter().copied();
        Ok(Self {
            name: Arc::clone(file),
            bytes,
            mask: ProjectionMask::roots(metadata.parquet_schema(), columns),
            metadata,
            layout,
        })
    }
}

impl ParquetSlice {
    /// Decodes batch by batch and gives `take` each one with the number of its first row.
    pub(super) fn read<B>(
        &self,
        mut take: impl FnMut(&Layout, u64, &RecordBatch) -> ControlFlow<B>,
    ) -> Result<ControlFlow<B>, InputError> {
        let file = &self.file;
        let (bytes, metadata) = (file.bytes.clone(), file.metadata.clone());
        let mut reader = decoded(&file.name, FORMAT, || {
            ParquetRecordBatchReaderBuilder::new_with_metadata(bytes, metadata)
                .with_projection(file.mask.clone())
                .with_row_groups(vec![self.row_group])
                .with_offset(self.skipped)
                .with_limit(self.rows)
                .with_batch_size(BATCH_ROWS.min(self.rows))
                .build()
        })?;
        let mut first_row = self.first_row;
        while let Some(batch) = decoded(&file.name, FORMAT, || reader.next().transpose())? {
            if let ControlFlow::Break(reason) = take(&file.layout, first_row, &batch) {
                return Ok(ControlFlow::Break(reason));
            }
            first_row += batch.num_rows() as u64;
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// The same columns, text as views.
fn as_views(schema: &Schema) -> Schema {
    let fields = schema.fields().iter().map(|field| {
        let kind = match field.data_type() {
            DataType::Dictionary(_, values) => values,
            plain => plain,
        };
        let wanted = match kind {
            DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
            DataType::Binary | DataType::LargeBinary => DataType::BinaryView,
            _ => return Arc::clone(field),
        };
        Arc::new(Field::clone(field).with_data_type(wanted))
    });
    Schema::new_with_metadata(fields.collect::<Vec<_>>(), schema.metadata().clone())
}

fn size(rows: u64) -> usize {
    usize::try_from(rows).expect("a slice of rows is counted in memory sizes")
}
