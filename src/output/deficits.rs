//! The keys whose balance is below 0 at some time, as a separate file, and as the answers over HTTP list them.

use std::io::{self, BufWriter, Write};

use serde::Serialize;
use utoipa::ToSchema;

use super::{ListFormat, csv};
use crate::core::Deficit;

/// A key whose balance is below 0 at some time, with the fields of every format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct DeficitRow {
    /// The token.
    pub token_id: String,
    /// The holder.
    pub holder_id: String,
    /// The first instant at which the balance is below 0.
    #[schema(format = DateTime)]
    pub at: String,
    /// The balance there, an exact negative decimal.
    #[schema(example = "-2.5")]
    pub balance: String,
    /// Of the negative changes in force at this instant; sorted.
    #[schema(example = json!(["0x5c:1"]))]
    pub event_ids: Vec<String>,
}

impl From<&Deficit> for DeficitRow {
    fn from(deficit: &Deficit) -> Self {
        Self {
            token_id: deficit.token_id.to_string(),
            holder_id: deficit.holder_id.to_string(),
            at: deficit.at.to_string(),
            balance: deficit.balance.to_string(),
            event_ids: deficit.event_ids.iter().map(ToString::to_string).collect(),
        }
    }
}

/// Writes all rows in order.
///
/// # Errors
/// If `out` cannot be written to.
pub(crate) fn write_deficits(
    rows: &[DeficitRow],
    format: ListFormat,
    out: &mut impl Write,
) -> io::Result<()> {
    match format {
        ListFormat::Csv => csv::write_deficits(rows, out),
        ListFormat::Jsonl => {
            let mut out = BufWriter::new(out);
            for row in rows {
                serde_json::to_writer(&mut out, row)?;
                out.write_all(b"\n")?;
            }
            out.flush()
        }
    }
}
