//! Synthetic holds and marks as columns, in the types that most tools write by default.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};

use super::draws::Draws;
use super::forms::TimeForm;
use super::hold_text::instant;
use super::holds::{Holds, SyntheticEvent};
use super::weights::{Weight, WeightForm};

/// The events of some rows.
pub(super) fn batch(holds: &Holds, rows: Range<u64>) -> RecordBatch {
    let events: Vec<_> = rows.map(|row| holds.event(row)).collect();
    let texts = |text: &dyn Fn(&SyntheticEvent) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(events.iter().map(text)))
    };
    let form = holds.forms().times;
    let mut columns = vec![
        texts(&|event| Draws::token_id(event.token)),
        texts(&|event| holds.holder_id(event)),
        times(form, events.iter().map(|event| event.start_us)),
        times(form, events.iter().map(|event| event.end_us)),
    ];
    if holds.has_weights() {
        let weights = events.iter().map(|event| event.weight);
        columns.push(weight_column(holds.forms().weights, weights));
    }
    if holds.has_event_ids() {
        let ids = events.iter().map(|event| holds.event_id(event));
        columns.push(Arc::new(ids.collect::<StringArray>()));
    }
    if holds.has_corrections() {
        let revisions = events
            .iter()
            .map(|event| i64::try_from(event.revision).ok());
        let retractions = events.iter().map(|event| Some(event.retract));
        columns.push(Arc::new(revisions.collect::<Int64Array>()));
        columns.push(Arc::new(retractions.collect::<BooleanArray>()));
    }
    RecordBatch::try_new(schema(holds), columns).expect("the columns are those of the schema")
}

pub(super) fn schema(holds: &Holds) -> SchemaRef {
    let has_corrections = holds.has_corrections();
    let time = time_type(holds.forms().times);
    let mut fields = vec![
        Field::new("token_id", DataType::Utf8, false),
        Field::new("holder_id", DataType::Utf8, false),
        Field::new("start", time.clone(), has_corrections),
        Field::new("end", time, has_corrections),
    ];
    if holds.has_weights() {
        let kind = match holds.forms().weights {
            Some(WeightForm::Integer) => DataType::Int64,
            Some(WeightForm::Exact) => DataType::Utf8,
            _ => DataType::Float64,
        };
        fields.push(Field::new("weight", kind, has_corrections));
    }
    if holds.has_event_ids() {
        fields.push(Field::new("event_id", DataType::Utf8, has_corrections));
    }
    if has_corrections {
        fields.push(Field::new("revision", DataType::Int64, true));
        fields.push(Field::new("retract", DataType::Boolean, true));
    }
    Arc::new(Schema::new(fields))
}

fn weight_column(
    form: Option<WeightForm>,
    weights: impl Iterator<Item = Option<Weight>>,
) -> ArrayRef {
    match form {
        Some(WeightForm::Integer) => Arc::new(
            weights
                .map(|weight| match weight {
                    Some(Weight::Integer(weight)) => Some(weight.into()),
                    _ => None,
                })
                .collect::<Int64Array>(),
        ),
        Some(WeightForm::Exact) => Arc::new(
            weights
                .map(|weight| match weight {
                    Some(Weight::Exact(weight)) => Some(weight.to_string()),
                    _ => None,
                })
                .collect::<StringArray>(),
        ),
        _ => Arc::new(
            weights
                .map(|weight| match weight {
                    Some(Weight::Double(weight)) => Some(weight),
                    _ => None,
                })
                .collect::<Float64Array>(),
        ),
    }
}

/// The type of columns of times.
pub(super) fn time_type(form: TimeForm) -> DataType {
    match form {
        TimeForm::Number => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        TimeForm::Text => DataType::Utf8,
    }
}

/// A column of [`time_type`].
pub(super) fn times(form: TimeForm, micros: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    match form {
        TimeForm::Number => {
            let times = micros.collect::<TimestampMicrosecondArray>();
            Arc::new(times.with_timezone("UTC"))
        }
        TimeForm::Text => {
            let texts = micros.map(|micros| Some(instant(micros?).to_string()));
            Arc::new(texts.collect::<StringArray>())
        }
    }
}
