//! How a document is made: of a list, of rows of CSV, of ready leaves, or of the rows that a dump has.
//!
//! The rows become a table of the format's columns, the table becomes leaves, and the leaves become the format's tree.

use super::abi::AbiType;
use super::document::{Details, Document, Hashes, checksummed};
use super::document_error::DocumentError;
use super::layers::{Forest, OddNode};
use super::leaf::leaves_of;
use super::list::{for_each_row, line_of};
use super::table::Table;
use super::tree::{Hash, Tree};
use super::{Format, HexHash, List, ListError};
use super::{claims, sablier, shards};

impl Document {
    /// The tree of a list.
    ///
    /// # Panics
    /// If the list was not checked for the addresses of the format; see [`List::check`].
    pub fn of_list(list: &List, format: Format, details: Details) -> Result<Self, DocumentError> {
        if list.is_empty() {
            return Err(DocumentError::Empty);
        }
        if list.has_tokens() != (format == Format::Merkl) {
            return Err(DocumentError::Tokens(format.name()));
        }
        let types = format.types();
        let mut table = Table::new(types.len());
        match format {
            Format::StandardV1
            | Format::EnsShards
            | Format::ThirdwebShards
            | Format::SablierSolana => {
                for row in 0..list.len() {
                    table.push(&list.address(row));
                    table.push(&list.amount_text(row));
                }
            }
            Format::SimpleV1 => {
                let standard = Self::of_list(list, Format::StandardV1, details.clone())?;
                return standard.of_its_leaves(details);
            }
            Format::Uniswap => claims::index(list, &mut table),
            Format::SablierEvm => {
                for row in 0..list.len() {
                    table.push(&row.to_string());
                    table.push(&checksummed(&list.address(row)));
                    table.push(&list.amount_text(row));
                }
            }
            Format::Merkl => {
                for row in 0..list.len() {
                    let token = list.token(row).expect("it has tokens");
                    table.push(&checksummed(&list.address(row)));
                    table.push(&checksummed(&token));
                    table.push(&list.amount_text(row));
                }
            }
        }
        if matches!(format, Format::SablierEvm | Format::SablierSolana) {
            sablier::check(list)?;
        }
        Self::build(format, types, table, details)
    }

    /// The tree of standard leaves over rows of CSV, which have a column for each type.
    pub fn of_rows(
        bytes: &[u8],
        types: Vec<AbiType>,
        details: Details,
    ) -> Result<Self, DocumentError> {
        let table = rows_of_types(bytes, &types)?;
        Self::built_of_rows(Format::StandardV1, types, table, details, bytes)
    }

    /// The tree over ready leaves, one in each row of CSV.
    pub fn of_leaves(bytes: &[u8], details: Details) -> Result<Self, DocumentError> {
        let types = Format::SimpleV1.types();
        let table = rows_of_types(bytes, &types)?;
        Self::built_of_rows(Format::SimpleV1, types, table, details, bytes)
    }

    fn built_of_rows(
        format: Format,
        types: Vec<AbiType>,
        table: Table,
        details: Details,
        bytes: &[u8],
    ) -> Result<Self, DocumentError> {
        if table.len() == 0 {
            return Err(DocumentError::Empty);
        }
        Self::build(format, types, table, details).map_err(|error| match error {
            DocumentError::Value {
                number,
                column,
                reason,
            } => DocumentError::Cell {
                line: line_of(bytes, number - 1),
                column,
                reason,
            },
            other => other,
        })
    }

    /// The same leaves as a tree of ready leaves.
    pub fn of_its_leaves(&self, details: Details) -> Result<Self, DocumentError> {
        let mut table = Table::new(1);
        for row in 0..self.len() {
            table.push(&HexHash(&self.leaf(row)).to_string());
        }
        let format = Format::SimpleV1;
        Self::build(format, format.types(), table, details)
    }

    fn build(
        format: Format,
        types: Vec<AbiType>,
        table: Table,
        details: Details,
    ) -> Result<Self, DocumentError> {
        let leaves = hashed(format, &types, &table)?;
        let hashes = match format {
            Format::StandardV1 | Format::SimpleV1 | Format::SablierEvm => {
                let positions = Tree::positions_of(&leaves, details.sorts_leaves);
                Hashes::Array(Tree::new(&leaves, positions))
            }
            Format::Uniswap | Format::Merkl => {
                Hashes::Forest(Forest::of_one(&leaves, true, OddNode::Promoted))
            }
            Format::SablierSolana => {
                Hashes::Forest(Forest::of_one(&leaves, false, OddNode::Doubled))
            }
            Format::EnsShards | Format::ThirdwebShards => {
                let (_, shard_of) = shards::names(&table, details.shard_digits);
                Hashes::Forest(Forest::of_shards(&leaves, &shard_of))
            }
        };
        Ok(Self {
            format,
            types,
            table,
            hashes,
            details,
        })
    }

    /// With leaves at the positions that a dump gives them.
    pub(super) fn at_positions(
        format: Format,
        types: Vec<AbiType>,
        table: Table,
        positions: Vec<usize>,
    ) -> Result<Self, DocumentError> {
        let leaves = hashed(format, &types, &table)?;
        Ok(Self {
            format,
            types,
            table,
            hashes: Hashes::Array(Tree::new(&leaves, positions)),
            details: Details::default(),
        })
    }
}

/// The leaves, or the first value that is not of its type.
fn hashed(format: Format, types: &[AbiType], table: &Table) -> Result<Vec<Hash>, DocumentError> {
    leaves_of(format.rule(), types, table).map_err(|fault| DocumentError::Value {
        number: fault.row + 1,
        column: types[fault.column].to_string(),
        reason: fault.reason,
    })
}

/// Rows of CSV after a header, with a cell for each type.
fn rows_of_types(bytes: &[u8], types: &[AbiType]) -> Result<Table, DocumentError> {
    let mut rows = csv::ReaderBuilder::new().from_reader(bytes);
    let names: Vec<_> = types.iter().map(ToString::to_string).collect();
    let header = rows.headers().map_err(|source| ListError::Row {
        line: 1,
        header: names.join(","),
        source,
    })?;
    if header.len() != types.len() {
        let found: Vec<_> = header.iter().collect();
        return Err(ListError::Header {
            expected: format!("one name for each of {}", names.join(",")),
            found: found.join(","),
        }
        .into());
    }
    let mut table = Table::new(types.len());
    for_each_row(&mut rows, &names, |row, _| {
        for (cell, kind) in row.iter().zip(types) {
            if kind.is_bool() && matches!(cell, "true" | "false") {
                table.push_json(cell);
            } else {
                table.push(cell);
            }
        }
        Ok(())
    })?;
    Ok(table)
}
