//! Synthetic events as Parquet, in the types that most tools write by themselves.

use std::io::{self, Write};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use super::shapes::{Synthetic, Workload};
use super::text::event_id;

const ROW_GROUP_ROWS: usize = 1_000_000;

/// A writer of the columns of `workload` into `out`.
pub(super) fn writer<W: Write + Send>(workload: &Workload, out: W) -> io::Result<ArrowWriter<W>> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .build();
    Ok(ArrowWriter::try_new(
        out,
        schema(workload),
        Some(properties),
    )?)
}

/// The events of some rows.
pub(super) fn batch(workload: &Workload, rows: Range<u64>) -> RecordBatch {
    let events: Vec<_> = rows.map(|row| workload.event(row)).collect();
    let texts = |text: &dyn Fn(&Synthetic) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(events.iter().map(text)))
    };
    let times = |time: fn(&Synthetic) -> Option<i64>| -> ArrayRef {
        let times = events
            .iter()
            .map(time)
            .collect::<TimestampMicrosecondArray>();
        Arc::new(times.with_timezone("UTC"))
    };
    let mut columns = vec![
        texts(&|event| Workload::token_id(event.token)),
        texts(&|event| workload.holder_id(event.holder)),
        times(|event| event.start_us),
        times(|event| event.end_us),
        Arc::new(events.iter().map(weight).collect::<Float64Array>()),
    ];
    if workload.has_corrections() {
        let names = events.iter().map(|event| event.event_id.map(event_id));
        let revisions = events
            .iter()
            .map(|event| i64::try_from(event.revision).ok());
        let retractions = events.iter().map(|event| Some(event.retract));
        columns.push(Arc::new(names.collect::<StringArray>()));
        columns.push(Arc::new(revisions.collect::<Int64Array>()));
        columns.push(Arc::new(retractions.collect::<BooleanArray>()));
    }
    RecordBatch::try_new(schema(workload), columns).expect("the columns are those of the schema")
}

/// The double nearest to the decimal, which prints back as that decimal: it has few digits.
fn weight(event: &Synthetic) -> Option<f64> {
    #[expect(
        clippy::cast_precision_loss,
        reason = "weights stay below 2^53 millionths"
    )]
    event
        .weight_millionths
        .map(|millionths| millionths as f64 / 1e6)
}

fn schema(workload: &Workload) -> Arc<Schema> {
    let has_corrections = workload.has_corrections();
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let mut fields = vec![
        Field::new("token_id", DataType::Utf8, false),
        Field::new("holder_id", DataType::Utf8, false),
        Field::new("start", time.clone(), has_corrections),
        Field::new("end", time, has_corrections),
        Field::new("weight", DataType::Float64, has_corrections),
    ];
    if has_corrections {
        fields.push(Field::new("event_id", DataType::Utf8, true));
        fields.push(Field::new("revision", DataType::Int64, true));
        fields.push(Field::new("retract", DataType::Boolean, true));
    }
    Arc::new(Schema::new(fields))
}
