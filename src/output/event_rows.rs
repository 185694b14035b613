//! Events as rows with our own columns, as JSON lines, CSV or Parquet: reading them gives the same events.
//!
//! A transfer between two holders stays one row. Decimals are text, so that no digit is lost.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::core::{Draft, Event, Micros};

/// The columns, in their order.
const COLUMNS: [&str; 14] = [
    "token_id",
    "holder_id",
    "start",
    "end",
    "weight",
    "event_id",
    "revision",
    "retract",
    "at",
    "delta",
    "seq",
    "from_id",
    "to_id",
    "amount",
];

/// Rows of a batch of Parquet.
const BATCH_ROWS: usize = 1 << 16;

/// The format of rows of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventFormat {
    /// One JSON object per line.
    Jsonl,
    /// A header line, then one event per row.
    Csv,
    /// Timestamps in microseconds, decimals as text.
    Parquet,
}

impl EventFormat {
    /// By the extension; `None` if it is unknown.
    pub(crate) fn from_name(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "jsonl" | "ndjson" | "json" => Some(Self::Jsonl),
            "csv" => Some(Self::Csv),
            "parquet" => Some(Self::Parquet),
            _ => None,
        }
    }
}

/// One row; an absent value has no cell.
#[derive(Default)]
struct Row {
    token_id: String,
    holder_id: Option<String>,
    start: Option<Micros>,
    end: Option<Micros>,
    weight: Option<String>,
    event_id: Option<String>,
    revision: Option<i64>,
    retract: Option<bool>,
    at: Option<Micros>,
    delta: Option<String>,
    seq: Option<i64>,
    from_id: Option<String>,
    to_id: Option<String>,
    amount: Option<String>,
}

impl Row {
    /// The row of one event, or of the two of a transfer, the sender's first.
    fn new(events: &[Event<'_>]) -> Self {
        let draft = Draft::from(&events[0]);
        let whole = |number: u64| i64::try_from(number).expect("events keep to 63 bits");
        let row = Self {
            token_id: draft.token_id.to_owned(),
            start: draft.start,
            end: draft.end,
            weight: draft.weight.map(|weight| weight.to_string()),
            event_id: draft.event_id.map(str::to_owned),
            revision: Some(whole(draft.revision)).filter(|revision| *revision > 0),
            retract: draft.retract.then_some(true),
            at: draft.at,
            seq: Some(whole(draft.seq)).filter(|seq| *seq > 0),
            ..Self::default()
        };
        match events {
            [_, receiver] => Self {
                from_id: Some(draft.holder_id.to_owned()),
                to_id: Some(receiver.holder_id.to_owned()),
                amount: Draft::from(receiver).delta.map(|delta| delta.to_string()),
                ..row
            },
            _ => Self {
                holder_id: Some(draft.holder_id.to_owned()),
                delta: draft.delta.map(|delta| delta.to_string()),
                ..row
            },
        }
    }

    /// The cells in the order of the columns.
    fn cells(&self) -> [Option<String>; 14] {
        let time = |at: Option<Micros>| at.map(|at| at.to_string());
        let number = |number: Option<i64>| number.map(|number| number.to_string());
        [
            Some(self.token_id.clone()),
            self.holder_id.clone(),
            time(self.start),
            time(self.end),
            self.weight.clone(),
            self.event_id.clone(),
            number(self.revision),
            self.retract.map(|retract| retract.to_string()),
            time(self.at),
            self.delta.clone(),
            number(self.seq),
            self.from_id.clone(),
            self.to_id.clone(),
            self.amount.clone(),
        ]
    }
}

/// Whether the cell of this column is a JSON value by itself, not text.
fn is_json_value(column: &str) -> bool {
    matches!(column, "revision" | "retract" | "seq")
}

/// Writes rows of events.
pub(crate) struct EventRows<W: Write + Send>(Form<W>);

enum Form<W: Write + Send> {
    Jsonl(io::BufWriter<W>),
    Csv(Box<::csv::Writer<W>>),
    Parquet(Box<ArrowWriter<W>>, Vec<Row>),
}

impl<W: Write + Send> EventRows<W> {
    /// # Errors
    /// If `out` cannot be written to.
    pub(crate) fn new(format: EventFormat, out: W) -> io::Result<Self> {
        Ok(Self(match format {
            EventFormat::Jsonl => Form::Jsonl(io::BufWriter::new(out)),
            EventFormat::Csv => {
                let mut rows = ::csv::Writer::from_writer(out);
                rows.write_record(COLUMNS)?;
                Form::Csv(Box::new(rows))
            }
            EventFormat::Parquet => {
                let properties = WriterProperties::builder()
                    .set_compression(Compression::ZSTD(ZstdLevel::default()))
                    .build();
                let schema = batch(&[]).schema();
                let writer = ArrowWriter::try_new(out, schema, Some(properties))?;
                Form::Parquet(Box::new(writer), Vec::new())
            }
        }))
    }

    /// Writes one row: one event, or the two of a transfer.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn write(&mut self, events: &[Event<'_>]) -> io::Result<()> {
        let row = Row::new(events);
        match &mut self.0 {
            Form::Jsonl(out) => {
                let mut separator = "{";
                for (column, cell) in COLUMNS.into_iter().zip(row.cells()) {
                    let Some(cell) = cell else {
                        continue;
                    };
                    write!(out, "{separator}\"{column}\":")?;
                    separator = ",";
                    if is_json_value(column) {
                        out.write_all(cell.as_bytes())?;
                    } else {
                        serde_json::to_writer(&mut *out, &cell)?;
                    }
                }
                out.write_all(b"}\n")
            }
            Form::Csv(rows) => {
                let cells = row.cells().map(Option::unwrap_or_default);
                Ok(rows.write_record(cells)?)
            }
            Form::Parquet(writer, rows) => {
                rows.push(row);
                if rows.len() == BATCH_ROWS {
                    writer.write(&batch(rows))?;
                    rows.clear();
                }
                Ok(())
            }
        }
    }

    /// Writes what is left, and gives back where it was written.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn finish(self) -> io::Result<W> {
        match self.0 {
            Form::Jsonl(out) => out.into_inner().map_err(io::IntoInnerError::into_error),
            Form::Csv(rows) => rows.into_inner().map_err(::csv::IntoInnerError::into_error),
            Form::Parquet(mut writer, rows) => {
                writer.write(&batch(&rows))?;
                Ok(writer.into_inner()?)
            }
        }
    }
}

/// The rows as columns.
fn batch(rows: &[Row]) -> RecordBatch {
    let text = |value: fn(&Row) -> Option<&str>| -> ArrayRef {
        Arc::new(rows.iter().map(value).collect::<StringArray>())
    };
    let time = |value: fn(&Row) -> Option<Micros>| -> ArrayRef {
        let micros = rows.iter().map(|row| value(row).map(Micros::get));
        Arc::new(
            micros
                .collect::<TimestampMicrosecondArray>()
                .with_timezone("UTC"),
        )
    };
    let number = |value: fn(&Row) -> Option<i64>| -> ArrayRef {
        Arc::new(rows.iter().map(value).collect::<Int64Array>())
    };
    let retract: BooleanArray = rows.iter().map(|row| row.retract).collect();
    let columns = [
        text(|row| Some(&row.token_id)),
        text(|row| row.holder_id.as_deref()),
        time(|row| row.start),
        time(|row| row.end),
        text(|row| row.weight.as_deref()),
        text(|row| row.event_id.as_deref()),
        number(|row| row.revision),
        Arc::new(retract),
        time(|row| row.at),
        text(|row| row.delta.as_deref()),
        number(|row| row.seq),
        text(|row| row.from_id.as_deref()),
        text(|row| row.to_id.as_deref()),
        text(|row| row.amount.as_deref()),
    ];
    let columns = COLUMNS.into_iter().zip(columns);
    let columns = columns.map(|(name, column)| (name, column, true));
    RecordBatch::try_from_iter_with_nullable(columns).expect("columns of one length")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::Wad;

    #[test]
    fn a_transfer_stays_one_row_and_cells_are_quoted() {
        let draft = Draft {
            token_id: "T,1",
            from_id: Some("a"),
            to_id: Some("b\n"),
            at: Some(Micros::new(1).unwrap()),
            amount: Some(Wad::from_steps(5)),
            event_id: Some("e"),
            ..Draft::default()
        };
        let write = |format| {
            let mut rows = EventRows::new(format, Vec::new()).unwrap();
            rows.write(&draft.events().unwrap()).unwrap();
            String::from_utf8(rows.finish().unwrap()).unwrap()
        };
        assert_eq!(
            write(EventFormat::Jsonl),
            "{\"token_id\":\"T,1\",\"event_id\":\"e\",\"at\":\"1970-01-01T00:00:00.000001Z\",\"from_id\":\"a\",\
             \"to_id\":\"b\\n\",\"amount\":\"0.000000000000000005\"}\n"
        );
        assert_eq!(
            write(EventFormat::Csv).split_once('\n').unwrap().1,
            "\"T,1\",,,,,e,,,1970-01-01T00:00:00.000001Z,,,a,\"b\n\",0.000000000000000005\n"
        );
    }
}
