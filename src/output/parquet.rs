//! The holders as a Parquet file; the question and the counts are in its key-value metadata.

use std::io::{self, Write};
use std::sync::Arc;

use arrow_array::builder::{
    Decimal128Builder, Float64Builder, Int64Builder, StringBuilder, UInt64Builder,
};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DECIMAL128_MAX_PRECISION, DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

use super::{HolderRow, ScoreReport};

/// Rows that are passed to the writer at a time.
const BATCH_ROWS: usize = 1 << 16;

/// The holders.
pub(super) fn write(report: &ScoreReport<'_>, out: &mut (dyn Write + Send)) -> io::Result<()> {
    let schema = Arc::new(schema());
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_key_value_metadata(Some(metadata(report)))
        .build();
    let mut writer = ArrowWriter::try_new(out, Arc::clone(&schema), Some(properties))?;
    let mut rows = report.leaderboard.rows();
    loop {
        let mut columns = Columns::new();
        rows.by_ref()
            .take(BATCH_ROWS)
            .try_for_each(|row| columns.push(&row))?;
        let columns = columns.finish();
        if columns[0].is_empty() {
            break;
        }
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns).map_err(io::Error::other)?;
        writer.write(&batch)?;
    }
    writer.close()?;
    Ok(())
}

fn schema() -> Schema {
    Schema::new(vec![
        Field::new("rank", DataType::UInt64, false),
        Field::new("holder_id", DataType::Utf8, false),
        Field::new(
            "held_us",
            DataType::Decimal128(DECIMAL128_MAX_PRECISION, 0),
            false,
        ),
        Field::new("score", DataType::Utf8, false),
        Field::new("weighted_score", DataType::Float64, false),
        Field::new("total_seconds", DataType::Int64, false),
    ])
}

fn metadata(report: &ScoreReport<'_>) -> Vec<KeyValue> {
    let window = report.window;
    let entry = |key: &str, value: String| KeyValue::new(key.to_owned(), value);
    let mut entries = vec![
        entry("as_of", window.as_of.to_string()),
        entry("closed_only", window.closed_only.to_string()),
        entry("read", report.read.to_string()),
        entry("accepted", report.accepted.to_string()),
        entry("deficits", report.leaderboard.deficits().to_string()),
    ];
    if let Some(policy) = report.policy {
        entries.push(entry("policy", policy.name.clone()));
        entries.push(entry("policy_version", policy.version.clone()));
    }
    entries.extend(window.from.map(|from| entry("from", from.to_string())));
    entries
}

struct Columns {
    rank: UInt64Builder,
    holder_id: StringBuilder,
    held_us: Decimal128Builder,
    score: StringBuilder,
    weighted_score: Float64Builder,
    total_seconds: Int64Builder,
}

impl Columns {
    fn new() -> Self {
        Self {
            rank: UInt64Builder::new(),
            holder_id: StringBuilder::new(),
            held_us: Decimal128Builder::new()
                .with_data_type(DataType::Decimal128(DECIMAL128_MAX_PRECISION, 0)),
            score: StringBuilder::new(),
            weighted_score: Float64Builder::new(),
            total_seconds: Int64Builder::new(),
        }
    }

    fn push(&mut self, row: &HolderRow<'_>) -> io::Result<()> {
        self.rank.append_value(row.rank);
        self.holder_id.append_value(&row.holder_id);
        self.held_us
            .append_value(i128::try_from(row.held_us).map_err(io::Error::other)?);
        self.score.append_value(&row.score);
        self.weighted_score.append_value(row.weighted_score);
        self.total_seconds
            .append_value(i64::try_from(row.total_seconds).map_err(io::Error::other)?);
        Ok(())
    }

    fn finish(mut self) -> Vec<ArrayRef> {
        vec![
            Arc::new(self.rank.finish()),
            Arc::new(self.holder_id.finish()),
            Arc::new(self.held_us.finish()),
            Arc::new(self.score.finish()),
            Arc::new(self.weighted_score.finish()),
            Arc::new(self.total_seconds.finish()),
        ]
    }
}
