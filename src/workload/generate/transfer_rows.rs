//! Synthetic transfers as lines of JSON, rows of CSV and columns.
//!
//! An amount is decimal text in every format: most exports of chains write it so, because neither a double
//! nor a 64-bit integer can hold it.

use std::io::Write;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};

use super::draws::Draws;
use super::hold_text::INFALLIBLE;
use super::transfers::{SyntheticTransfer, Transfers};

pub(super) const CSV_HEADER: &str = "token_id,from_id,to_id,at,amount,event_id\n";

pub(super) fn csv_row(transfers: &Transfers, transfer: &SyntheticTransfer, out: &mut Vec<u8>) {
    writeln!(
        out,
        "{},{},{},{},{},{}",
        Draws::token_id(transfer.token),
        transfers.address(transfer.from),
        transfers.address(transfer.to),
        transfer.at_us / 1_000,
        transfer.amount,
        transfers.event_id(transfer)
    )
    .expect(INFALLIBLE);
}

pub(super) fn json_line(transfers: &Transfers, transfer: &SyntheticTransfer, out: &mut Vec<u8>) {
    writeln!(
        out,
        "{{\"token_id\":\"{}\",\"from_id\":\"{}\",\"to_id\":\"{}\",\"at\":{},\"amount\":\"{}\",\"event_id\":\"{}\"}}",
        Draws::token_id(transfer.token),
        transfers.address(transfer.from),
        transfers.address(transfer.to),
        transfer.at_us / 1_000,
        transfer.amount,
        transfers.event_id(transfer)
    )
    .expect(INFALLIBLE);
}

/// The transfers of some rows.
pub(super) fn batch(transfers: &Transfers, rows: Range<u64>) -> RecordBatch {
    let listed: Vec<_> = rows.map(|row| transfers.transfer(row)).collect();
    let texts = |text: &dyn Fn(&SyntheticTransfer) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(listed.iter().map(text)))
    };
    let times = listed
        .iter()
        .map(|transfer| Some(transfer.at_us))
        .collect::<TimestampMicrosecondArray>();
    let columns = vec![
        texts(&|transfer| Draws::token_id(transfer.token)),
        texts(&|transfer| transfers.address(transfer.from)),
        texts(&|transfer| transfers.address(transfer.to)),
        Arc::new(times.with_timezone("UTC")),
        texts(&|transfer| transfer.amount.to_string()),
        texts(&|transfer| transfers.event_id(transfer)),
    ];
    RecordBatch::try_new(schema(), columns).expect("the columns are those of the schema")
}

pub(super) fn schema() -> SchemaRef {
    let text = |name| Field::new(name, DataType::Utf8, false);
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    Arc::new(Schema::new(vec![
        text("token_id"),
        text("from_id"),
        text("to_id"),
        Field::new("at", time, false),
        text("amount"),
        text("event_id"),
    ]))
}
