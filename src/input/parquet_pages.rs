//! The pages of one row group: as the library reads them, but snappy is unpacked here, into memory that is reused.
//!
//! Nearly all Parquet is packed with snappy. The library asks for fresh memory for each page and clears it once more
//! before it writes there, which takes a third of the time of reading. Every other codec is left to it.

use std::fmt::Display;
use std::sync::Arc;

use bytes::Bytes;
use parquet::arrow::arrow_reader::RowGroups;
use parquet::basic::Compression;
use parquet::column::page::{Page, PageIterator, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::serialized_reader::SerializedPageReader;
use snap::raw::{Decoder, decompress_len};

use super::file_bytes::FileBytes;
use super::page_buffer::PageBuffer;

/// A piece of three bytes stands for at most 64, so a page that unpacks to more is damaged, and no memory is asked for.
const RATIO_MAX: usize = 22;

/// One row group of a file.
pub(super) struct GroupPages<'a> {
    file: Arc<FileBytes>,
    metadata: &'a ParquetMetaData,
    row_group: usize,
}

/// The pages of one column, for the one row group.
struct ColumnPages(Option<Box<dyn PageReader>>);

/// Pages that the library reads as they are stored, unpacked.
struct SnappyPages(SerializedPageReader<FileBytes>);

impl<'a> GroupPages<'a> {
    pub(super) fn new(file: FileBytes, metadata: &'a ParquetMetaData, row_group: usize) -> Self {
        Self {
            file: Arc::new(file),
            metadata,
            row_group,
        }
    }

    fn group(&self) -> &RowGroupMetaData {
        self.metadata.row_group(self.row_group)
    }
}

impl RowGroups for GroupPages<'_> {
    fn num_rows(&self) -> usize {
        usize::try_from(self.group().num_rows()).unwrap_or(0)
    }

    fn column_chunks(&self, column: usize) -> Result<Box<dyn PageIterator>> {
        let column = self.group().column(column);
        let file = Arc::clone(&self.file);
        let pages: Box<dyn PageReader> = if column.compression() == Compression::SNAPPY {
            // The library then passes pages on as they are stored.
            let stored = column.clone().into_builder();
            let stored = stored.set_compression(Compression::UNCOMPRESSED).build()?;
            let pages = SerializedPageReader::new(file, &stored, self.num_rows(), None)?;
            Box::new(SnappyPages(pages))
        } else {
            let pages = SerializedPageReader::new(file, column, self.num_rows(), None)?;
            Box::new(pages)
        };
        Ok(Box::new(ColumnPages(Some(pages))))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(std::iter::once(self.group()))
    }

    fn metadata(&self) -> &ParquetMetaData {
        self.metadata
    }
}

impl Iterator for ColumnPages {
    type Item = Result<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.take().map(Ok)
    }
}

impl PageIterator for ColumnPages {}

impl Iterator for SnappyPages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for SnappyPages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        self.0.get_next_page()?.map(unpacked).transpose()
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.0.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.0.skip_next_page()
    }

    fn supports_deferred_dictionary(&self) -> bool {
        self.0.supports_deferred_dictionary()
    }

    fn take_deferred_dictionary(&mut self) -> Result<Option<Page>> {
        self.0.take_deferred_dictionary()?.map(unpacked).transpose()
    }

    fn at_record_boundary(&mut self) -> Result<bool> {
        self.0.at_record_boundary()
    }
}

/// The page, its bytes unpacked.
fn unpacked(mut page: Page) -> Result<Page> {
    match &mut page {
        Page::DataPage { buf, .. } | Page::DictionaryPage { buf, .. } => *buf = unpack(buf, 0)?,
        Page::DataPageV2 {
            buf,
            def_levels_byte_len,
            rep_levels_byte_len,
            is_compressed: true,
            ..
        } => {
            let levels = u64::from(*def_levels_byte_len) + u64::from(*rep_levels_byte_len);
            *buf = unpack(buf, usize::try_from(levels)?)?;
        }
        Page::DataPageV2 { .. } => {}
    }
    Ok(page)
}

/// The first `plain` bytes as they are, and what the others unpack to.
fn unpack(stored: &Bytes, plain: usize) -> Result<Bytes> {
    let damaged = |cause: &dyn Display| {
        ParquetError::General(format!("a page that snappy packed is damaged: {cause}"))
    };
    let (levels, packed) = stored
        .split_at_checked(plain)
        .ok_or_else(|| damaged(&"it ends before its values"))?;
    if packed.is_empty() {
        // A page of the second form without values.
        return Ok(stored.clone());
    }
    let length = decompress_len(packed).map_err(|cause| damaged(&cause))?;
    if length / RATIO_MAX > packed.len() {
        return Err(damaged(&"it is too short for what it unpacks to"));
    }
    let mut buffer = PageBuffer::new(plain + length);
    let (first, rest) = buffer.bytes_mut().split_at_mut(plain);
    first.copy_from_slice(levels);
    Decoder::new()
        .decompress(packed, rest)
        .map_err(|cause| damaged(&cause))?;
    Ok(buffer.into_bytes())
}

#[cfg(test)]
mod tests {
    use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
    use parquet::arrow::arrow_reader::{
        ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
        ParquetRecordBatchReaderBuilder, RowSelection, RowSelector,
    };
    use parquet::arrow::{ArrowWriter, ProjectionMask, parquet_to_arrow_field_levels};
    use parquet::file::properties::{WriterProperties, WriterVersion};

    use super::*;

    const ROWS: i64 = 5_000;

    /// Texts that repeat, texts that do not, nulls, and numbers, in small pages.
    fn file(version: WriterVersion, compression: Compression) -> Bytes {
        let text = |row: i64| format!("{:016x}", row.wrapping_mul(0x5851_f42d_4c95_7f2d));
        let few = StringArray::from_iter_values((0..ROWS).map(|row| text(row % 7)));
        let many = StringArray::from_iter_values((0..ROWS).map(text));
        let sparse: StringArray = (0..ROWS)
            .map(|row| (row % 3 == 0).then(|| text(row)))
            .collect();
        let numbers: Int64Array = (0..ROWS).map(|row| (row > 1_000).then_some(row)).collect();
        let columns: [(&str, ArrayRef); 4] = [
            ("few", Arc::new(few)),
            ("many", Arc::new(many)),
            ("sparse", Arc::new(sparse)),
            ("numbers", Arc::new(numbers)),
        ];
        let batch = RecordBatch::try_from_iter_with_nullable(
            columns.map(|(name, column)| (name, column, name != "many")),
        )
        .unwrap();
        let properties = WriterProperties::builder()
            .set_writer_version(version)
            .set_compression(compression)
            .set_data_page_size_limit(4_096)
            .set_dictionary_page_size_limit(8_192)
            .set_write_batch_size(64)
            .build();
        let mut bytes = Vec::new();
        let mut writer =
            ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        bytes.into()
    }

    fn read(bytes: &Bytes, skipped: usize, rows: usize) -> Result<Vec<RecordBatch>> {
        let found = ArrowReaderMetadata::load(bytes, ArrowReaderOptions::new())?;
        let fields = found.schema().fields();
        let all = ProjectionMask::all();
        let levels = parquet_to_arrow_field_levels(found.parquet_schema(), all, Some(fields))?;
        let pages = GroupPages::new(FileBytes::in_memory(bytes.to_vec()), found.metadata(), 0);
        let selection = vec![RowSelector::skip(skipped), RowSelector::select(rows)];
        let reader = ParquetRecordBatchReader::try_new_with_row_groups(
            &levels,
            &pages,
            1_024,
            Some(RowSelection::from(selection)),
        )?;
        Ok(reader.collect::<std::result::Result<_, _>>()?)
    }

    #[test]
    fn rows_are_those_that_the_library_reads_in_every_form_of_pages() {
        for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
            for compression in [Compression::SNAPPY, Compression::UNCOMPRESSED] {
                let bytes = file(version, compression);
                for (skipped, rows) in [(0, 5_000), (1, 4_000), (3_999, 1_001)] {
                    let expected = ParquetRecordBatchReaderBuilder::try_new(bytes.clone())
                        .unwrap()
                        .with_offset(skipped)
                        .with_limit(rows)
                        .with_batch_size(1_024)
                        .build()
                        .unwrap();
                    let expected: Vec<_> = expected.map(|batch| batch.unwrap()).collect();
                    assert_eq!(read(&bytes, skipped, rows).unwrap(), expected);
                }
            }
        }
    }
    #[test]
    fn a_damaged_page_is_refused_without_asking_for_the_memory_that_it_names() {
        let packed = snap::raw::Encoder::new()
            .compress_vec(&[b'a'; 10_000])
            .unwrap();
        let text = |stored: &[u8], plain| {
            let found = unpack(&Bytes::copy_from_slice(stored), plain);
            found
                .map(|bytes| bytes.len())
                .map_err(|error| error.to_string())
        };
        assert_eq!(text(&packed, 0), Ok(10_000));
        let with_levels = [b"lev", &packed[..]].concat();
        assert_eq!(text(&with_levels, 3), Ok(10_003));
        assert_eq!(text(b"lev", 3), Ok(3));
        assert!(
            text(b"lev", 4)
                .unwrap_err()
                .ends_with("it ends before its values")
        );
        assert!(text(&packed[..packed.len() - 3], 0).is_err());
        let promises_much = [0xff, 0xff, 0xff, 0xff, 0x0f, 0];
        assert!(text(&promises_much, 0).unwrap_err().contains("too short"));
    }
}
