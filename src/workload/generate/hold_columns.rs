//! Synthetic holds and marks as columns, in the types that most tools write by default.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};

use super::draws::Draws;
use super::hold_text::event_id;
use super::holds::{Holds, SyntheticEvent};

/// The events of some rows.
pub(super) fn batch(holds: &Holds, rows: Range<u64>) -> RecordBatch {
    let events: Vec<_> = rows.map(|row| holds.event(row)).collect();
    let texts = |text: &dyn Fn(&SyntheticEvent) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(events.iter().map(text)))
    };
    let times = |time: fn(&SyntheticEvent) -> Option<i64>| -> ArrayRef {
        let times = events
            .iter()
            .map(time)
            .collect::<TimestampMicrosecondArray>();
        Arc::new(times.with_timezone("UTC"))
    };
    let mut columns = vec![
        texts(&|event| Draws::token_id(event.token)),
        texts(&|event| holds.holder_id(event)),
        times(|event| event.start_us),
        times(|event| event.end_us),
        Arc::new(
            events
                .iter()
                .map(|event| event.weight)
                .collect::<Float64Array>(),
        ),
    ];
    if holds.has_corrections() {
        let names = events.iter().map(|event| event.event_id.map(event_id));
        let revisions = events
            .iter()
            .map(|event| i64::try_from(event.revision).ok());
        let retractions = events.iter().map(|event| Some(event.retract));
        columns.push(Arc::new(names.collect::<StringArray>()));
        columns.push(Arc::new(revisions.collect::<Int64Array>()));
        columns.push(Arc::new(retractions.collect::<BooleanArray>()));
    }
    RecordBatch::try_new(schema(holds), columns).expect("the columns are those of the schema")
}

pub(super) fn schema(holds: &Holds) -> SchemaRef {
    let has_corrections = holds.has_corrections();
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
