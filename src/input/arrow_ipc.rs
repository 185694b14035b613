//! Arrow IPC, as a file or as a stream: record batches as they were written, with the mapped columns only.

use std::io::BufReader;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_schema::ArrowError;

use super::decode::decode;
use super::file_bytes::FileBytes;
use super::file_columns::FileColumns;
use super::opened_source::ByteStream;
use super::{InputError, InputOptions};

const FORMAT: &str = "Arrow";

/// The batches of one source.
pub(super) struct ArrowBatches<'a> {
    pub(super) columns: FileColumns,
    /// Decoded as they are asked for.
    pub(super) batches: Box<dyn Iterator<Item = Result<RecordBatch, InputError>> + 'a>,
}

impl<'a> ArrowBatches<'a> {
    pub(super) fn of_file(
        file: &Arc<str>,
        bytes: &'a FileBytes,
        options: &Arc<InputOptions>,
    ) -> Result<Self, InputError> {
        let open = |projection| {
            decode(file, FORMAT, || {
                FileReader::try_new(BufReader::new(bytes.cursor(0)), projection)
            })
        };
        let columns = FileColumns::new(file, &open(None)?.schema(), options)?;
        let reader = open(Some(columns.projection().to_vec()))?;
        Ok(Self::new(file, columns, reader))
    }

    pub(super) fn of_stream(
        stream: ByteStream,
        options: &Arc<InputOptions>,
    ) -> Result<Self, InputError> {
        let file = Arc::clone(stream.name());
        let reader = decode(&file, FORMAT, || {
            StreamReader::try_new(BufReader::new(stream), None)
        })?;
        let columns = FileColumns::new(&file, &reader.schema(), options)?;
        let projection = columns.projection().to_vec();
        let batches = reader.map(move |batch| batch?.project(&projection));
        Ok(Self::new(&file, columns, batches))
    }

    fn new(
        file: &Arc<str>,
        columns: FileColumns,
        mut batches: impl Iterator<Item = Result<RecordBatch, ArrowError>> + 'a,
    ) -> Self {
        let file = Arc::clone(file);
        let decoded = std::iter::from_fn(move || {
            decode(&file, FORMAT, || batches.next().transpose()).transpose()
        });
        Self {
            columns,
            batches: Box::new(decoded),
        }
    }
}
