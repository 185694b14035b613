//! A Parquet file as slices of its row groups, each decoded by the thread that reads it.
//!
//! Only the mapped columns are read. Text is requested as views, so that it is not copied out of its pages,
//! and INT96 in microseconds, because nanoseconds wrap in the years 1677 and 2262.

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, RowSelection, RowSelector,
};
use parquet::arrow::{FieldLevels, ProjectionMask, parquet_to_arrow_field_levels};
use parquet::basic::Type as PhysicalType;
use parquet::file::metadata::ParquetMetaData;
use parquet::schema::types::SchemaDescriptor;

use super::column_feed::BATCH_ROWS;
use super::decode::decode;
use super::feeds::layout::FeedLayout;
use super::file_bytes::FileBytes;
use super::file_columns::FileColumns;
use super::parquet_pages::GroupPages;
use super::{InputError, InputOptions};

/// Rows that one thread decodes at a time, so that one large row group is read in parallel.
const SLICE_ROWS: u64 = 1 << 18;

const FORMAT: &str = "Parquet";

/// An opened file.
pub(super) struct ParquetFile {
    name: Arc<str>,
    bytes: FileBytes,
    metadata: Arc<ParquetMetaData>,
    /// The mapped columns.
    levels: FieldLevels,
    columns: FileColumns,
}

/// Some rows of one row group.
pub(super) struct ParquetSlice {
    file: Arc<ParquetFile>,
    row_group: usize,
    /// Rows of the group before this slice.
    skipped: usize,
    rows: usize,
    /// The number of the first row in the file, from 1.
    pub(super) first_row: u64,
}

impl ParquetFile {
    pub(super) fn open(
        file: &Arc<str>,
        bytes: FileBytes,
        options: &Arc<InputOptions>,
    ) -> Result<Self, InputError> {
        let found = decode(file, FORMAT, || {
            ArrowReaderMetadata::load(&bytes, ArrowReaderOptions::new())
        })?;
        let in_range = in_micros(found.schema(), found.parquet_schema());
        let reading_as = |schema: Schema| {
            let options = ArrowReaderOptions::new().with_schema(Arc::new(schema));
            ArrowReaderMetadata::try_new(Arc::clone(found.metadata()), options)
        };
        // A file whose own Arrow schema cannot be converted is read with that schema.
        let metadata = reading_as(as_views(&in_range))
            .or_else(|_| reading_as(in_range))
            .unwrap_or(found);
        let columns = FileColumns::new(file, metadata.schema(), options)?;
        let projection = columns.projection().iter().copied();
        let stored = metadata.parquet_schema();
        let mask = ProjectionMask::roots(stored, projection);
        let levels = decode(file, FORMAT, || {
            parquet_to_arrow_field_levels(stored, mask, Some(metadata.schema().fields()))
        })?;
        Ok(Self {
            name: Arc::clone(file),
            bytes,
            metadata: Arc::clone(metadata.metadata()),
            levels,
            columns,
        })
    }

    /// The layout of a file of a known feed.
    pub(super) fn layout(&self) -> Option<&Arc<FeedLayout>> {
        self.columns.layout()
    }

    /// The columns that no field is read from.
    pub(super) fn ignored(&self) -> Vec<&str> {
        self.columns.ignored()
    }

    /// The slices of the file in the order of its rows.
    pub(super) fn slices(self) -> impl Iterator<Item = ParquetSlice> {
        let groups = self.metadata.row_groups().iter();
        let groups: Vec<u64> = groups
            .map(|group| u64::try_from(group.num_rows()).unwrap_or(0))
            .collect();
        let file = Arc::new(self);
        let mut first_row = 1;
        groups
            .into_iter()
            .enumerate()
            .flat_map(move |(row_group, group_rows)| {
                let group_first_row = first_row;
                first_row += group_rows;
                let file = Arc::clone(&file);
                let starts = (0..group_rows).step_by(size(SLICE_ROWS));
                starts.map(move |skipped| ParquetSlice {
                    file: Arc::clone(&file),
                    row_group,
                    skipped: size(skipped),
                    rows: size(SLICE_ROWS.min(group_rows - skipped)),
                    first_row: group_first_row + skipped,
                })
            })
    }
}

impl ParquetSlice {
    /// Decodes batch by batch and passes each batch to `take` with the number of its first row.
    pub(super) fn read<B>(
        &self,
        mut take: impl FnMut(&FileColumns, u64, &RecordBatch) -> ControlFlow<B>,
    ) -> Result<ControlFlow<B>, InputError> {
        let file = &self.file;
        let pages = GroupPages::new(file.bytes.clone(), &file.metadata, self.row_group);
        let rows = vec![
            RowSelector::skip(self.skipped),
            RowSelector::select(self.rows),
        ];
        let mut reader = decode(&file.name, FORMAT, || {
            ParquetRecordBatchReader::try_new_with_row_groups(
                &file.levels,
                &pages,
                BATCH_ROWS.min(self.rows),
                Some(RowSelection::from(rows)),
            )
        })?;
        let mut first_row = self.first_row;
        while let Some(batch) = decode(&file.name, FORMAT, || reader.next().transpose())? {
            if let ControlFlow::Break(reason) = take(&file.columns, first_row, &batch) {
                return Ok(ControlFlow::Break(reason));
            }
            first_row += batch.num_rows() as u64;
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// The schema with columns of INT96, which Spark writes for timestamps, in microseconds.
fn in_micros(schema: &Schema, stored: &SchemaDescriptor) -> Schema {
    let stored = stored.root_schema().get_fields().iter();
    let fields = schema.fields().iter().zip(stored).map(|(field, stored)| {
        let is_int96 = stored.is_primitive() && stored.get_physical_type() == PhysicalType::INT96;
        match field.data_type() {
            DataType::Timestamp(_, zone) if is_int96 => {
                let micros = DataType::Timestamp(TimeUnit::Microsecond, zone.clone());
                Arc::new(Field::clone(field).with_data_type(micros))
            }
            _ => Arc::clone(field),
        }
    });
    Schema::new_with_metadata(fields.collect::<Vec<_>>(), schema.metadata().clone())
}

/// The schema with text columns as views.
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
