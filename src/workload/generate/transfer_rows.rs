//! Synthetic transfers as lines of JSON, rows of CSV and columns.
//!
//! An amount is decimal text in every format: most exports of chains write it so, because neither a double
//! nor a 64-bit integer can hold it.

use std::io::Write;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};

use super::draws::Draws;
use super::hold_columns::{time_type, times};
use super::hold_text::{INFALLIBLE, write_csv_time, write_json_time};
use super::transfers::{SyntheticTransfer, Transfers};

pub(super) const CSV_HEADER: &str = "token_id,from_id,to_id,at,amount,event_id\n";

pub(super) fn csv_row(transfers: &Transfers, transfer: &SyntheticTransfer, out: &mut Vec<u8>) {
    write!(
        out,
        "{},{},{},",
        Draws::token_id(transfer.token),
        transfers.party_id(transfer.from),
        transfers.party_id(transfer.to),
    )
    .expect(INFALLIBLE);
    write_csv_time(transfers.times(), transfer.at_us, out);
    let event_id = transfers.event_id(transfer);
    writeln!(out, ",{},{event_id}", transfer.amount).expect(INFALLIBLE);
}

pub(super) fn json_line(transfers: &Transfers, transfer: &SyntheticTransfer, out: &mut Vec<u8>) {
    write!(
        out,
        "{{\"token_id\":\"{}\",\"from_id\":\"{}\",\"to_id\":\"{}\",\"at\":",
        Draws::token_id(transfer.token),
        transfers.party_id(transfer.from),
        transfers.party_id(transfer.to),
    )
    .expect(INFALLIBLE);
    write_json_time(transfers.times(), transfer.at_us, out);
    writeln!(
        out,
        ",\"amount\":\"{}\",\"event_id\":\"{}\"}}",
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
    let instants = listed.iter().map(|transfer| Some(transfer.at_us));
    let columns = vec![
        texts(&|transfer| Draws::token_id(transfer.token)),
        texts(&|transfer| transfers.party_id(transfer.from)),
        texts(&|transfer| transfers.party_id(transfer.to)),
        times(transfers.times(), instants),
        texts(&|transfer| transfer.amount.to_string()),
        texts(&|transfer| transfers.event_id(transfer)),
    ];
    RecordBatch::try_new(schema(transfers), columns).expect("the columns are those of the schema")
}

pub(super) fn schema(transfers: &Transfers) -> SchemaRef {
    let text = |name| Field::new(name, DataType::Utf8, false);
    let time = time_type(transfers.times());
    Arc::new(Schema::new(vec![
        text("token_id"),
        text("from_id"),
        text("to_id"),
        Field::new("at", time, false),
        text("amount"),
        text("event_id"),
    ]))
}
