//! A list with its tree, in one of the formats: built from a list, or read from a file that is checked whole.
//!
//! Reading takes the list from the file, builds the tree anew and compares what it would write with the file
//! ([`super::compare`]); what a format looks like is in [`super::dump`], [`super::claims`], [`super::sablier`] and
//! [`super::shards`].

use std::collections::BTreeMap;
use std::io::{self, Write};

use ruint::aliases::U256;

use super::abi::{AbiType, TypeError, ValueError};
use super::address::solana_key;
use super::compare::{compact, difference};
use super::format::{amount_column, holder_column};
use super::layers::{Forest, OddNode};
use super::leaf::leaves_of;
use super::list::{for_each_row, line_of};
use super::table::Table;
use super::text::Done;
use super::tree::{Hash, MultiProof, Tree};
use super::{AddressKind, EvmAddress, Format, List, ListError, PaymentError, parse_units};
use super::{claims, dump, sablier, shards};
use crate::excerpt::quoted;

/// Bytes at the beginning of a file that tell its format.
const BEGIN_BYTES: usize = 512;

/// What a format has beside the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Details {
    /// Decimal places of amounts in tokens, of [`Format::ThirdwebShards`].
    pub places: u8,
    /// Where the shards will be published, of [`Format::ThirdwebShards`].
    pub base_uri: String,
    /// Hexadecimal digits of an address that choose its shard.
    pub shard_digits: usize,
    /// Whether leaves are sorted by their hash, of the dumps of `OpenZeppelin`.
    pub sorts_leaves: bool,
    /// Whether the number of claims is stated, of [`Format::Uniswap`].
    pub counts_claims: bool,
}

impl Default for Details {
    fn default() -> Self {
        Self {
            places: 18,
            base_uri: String::new(),
            shard_digits: 2,
            sorts_leaves: true,
            counts_claims: false,
        }
    }
}

/// A list and its tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    pub(super) format: Format,
    pub(super) types: Vec<AbiType>,
    pub(super) table: Table,
    pub(super) hashes: Hashes,
    pub(super) details: Details,
}

/// The hashes of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Hashes {
    Array(Tree),
    Forest(Forest),
}

/// Why there is no tree.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// No rows.
    #[error("the list is empty (a tree needs at least one leaf)")]
    Empty,
    /// Not JSON of the format.
    #[error("not a tree of the format {format}: {reason}")]
    Json {
        /// The format.
        format: &'static str,
        /// What the reader says, cut.
        reason: String,
    },
    /// Another format.
    #[error(
        "not a tree of a known format (a file of standard-v1, simple-v1, uniswap, sablier or merkl, or a folder of shards with root.json or info.json)"
    )]
    Unknown,
    /// A hash of another kind.
    #[error("hash: the dump uses a custom hash, which is not known here (only keccak256 is)")]
    CustomHash,
    /// A type that a leaf cannot have.
    #[error("leafEncoding: {0}")]
    Type(#[from] TypeError),
    /// A value that is not of its type.
    #[error("value {number}, {column}: {reason}")]
    Value {
        /// From 1.
        number: usize,
        /// The type of the column.
        column: String,
        /// Why.
        reason: ValueError,
    },
    /// A row of CSV with a value that is not of its type.
    #[error("line {line}, {column}: {reason}")]
    Cell {
        /// From 1.
        line: u64,
        /// The type of the column.
        column: String,
        /// Why.
        reason: ValueError,
    },
    /// Another number of cells.
    #[error("value {number}: {found} values for {expected} types")]
    Cells {
        /// From 1.
        number: usize,
        /// Values.
        found: usize,
        /// Types.
        expected: usize,
    },
    /// A row that cannot be paid.
    #[error("value {number}: {reason}")]
    Payment {
        /// From 1.
        number: usize,
        /// Why.
        reason: PaymentError,
    },
    /// Not a list.
    #[error(transparent)]
    List(#[from] ListError),
    /// An index that no leaf has, or two have.
    #[error("value {0}: its treeIndex is not one of a leaf, or another value has it")]
    Index(usize),
    /// The leaf at its index is another one.
    #[error(
        "value {0}: the tree has another leaf at its treeIndex (the value or the tree was changed)"
    )]
    Leaf(usize),
    /// Not what the list gives.
    #[error("{0}")]
    Different(String),
    /// The same in a file of a folder.
    #[error("{file}: {reason}")]
    File {
        /// Its name.
        file: String,
        /// Why.
        reason: Box<DocumentError>,
    },
    /// A file that is missing or not part of the folder.
    #[error("{file}: {what}")]
    Folder {
        /// Its name.
        file: String,
        /// What is wrong.
        what: &'static str,
    },
    /// A campaign of one.
    #[error("a campaign of Sablier has at least two recipients")]
    OneRecipient,
    /// More than the contracts hold.
    #[error("the amounts sum to {0} base units, and a campaign of Sablier holds less than 2^128")]
    TooMuch(U256),
    /// Tokens that the format has no place for, or lacks.
    #[error(
        "format {0}: only merkl names a token beside each user, and it needs one (give --token, or a list with the header user,token,amount)"
    )]
    Tokens(&'static str),
    /// Nothing to pay.
    #[error(
        "the values have no address and one amount each, so that they are not a list of payments"
    )]
    NoPayments,
}

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
            table.push(&super::HexHash(&self.leaf(row)).to_string());
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

    /// Reads a file of any format, and checks all that it states.
    pub fn read(text: &[u8]) -> Result<Self, DocumentError> {
        let begin = compact(&text[..text.len().min(BEGIN_BYTES)]);
        let read = dump::read(&begin, text)
            .or_else(|| claims::read(&begin, text))
            .or_else(|| sablier::read(&begin, text));
        let document = read.ok_or(DocumentError::Unknown)??;
        let compare = |text: &[u8]| difference(text, |mut out| document.write(&mut out, &|_| ()));
        // Most files have no white space, and looking for it takes time.
        let found = compare(text).and_then(|_| compare(&compact(text)));
        let Some(found) = found else {
            return Ok(document);
        };
        let wrong = dump::wrong_leaf(text, &document);
        Err(wrong.unwrap_or_else(|| DocumentError::Different(found.said(text))))
    }

    /// Reads the files of a folder by their names, and checks all that they state.
    pub fn read_folder(files: &BTreeMap<String, Vec<u8>>) -> Result<Self, DocumentError> {
        let document = shards::read(files)?;
        let written: BTreeMap<_, _> = document.files().into_iter().collect();
        for (name, text) in files {
            let Some(expected) = written.get(name) else {
                return Err(DocumentError::Folder {
                    file: name.clone(),
                    what: "not a shard of an address in the folder (remove it)",
                });
            };
            let compacted = compact(text);
            if let Some(found) = difference(&compacted, |out| out.write_all(expected)) {
                let reason = DocumentError::Different(found.said(text)).into();
                let file = name.clone();
                return Err(DocumentError::File { file, reason });
            }
        }
        match written.keys().find(|name| !files.contains_key(*name)) {
            None => Ok(document),
            Some(missing) => Err(DocumentError::Folder {
                file: missing.clone(),
                what: "missing",
            }),
        }
    }

    /// Writes the file of a format that has one.
    ///
    /// # Errors
    /// If `out` cannot be written to.
    ///
    /// # Panics
    /// If the format is a folder.
    pub fn write(&self, out: &mut dyn Write, done: Done<'_>) -> io::Result<()> {
        let mut out = io::BufWriter::with_capacity(1 << 16, out);
        match self.format {
            Format::StandardV1 | Format::SimpleV1 => dump::write(self, &mut out, done)?,
            Format::SablierEvm | Format::SablierSolana => sablier::write(self, &mut out, done)?,
            Format::Uniswap | Format::Merkl => claims::write(self, &mut out, done)?,
            Format::EnsShards | Format::ThirdwebShards => unreachable!("it is a folder"),
        }
        out.flush()
    }

    /// The files of a format that is a folder, by their names.
    #[must_use]
    pub fn files(&self) -> Vec<(String, Vec<u8>)> {
        shards::files(self)
    }

    /// Its format.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// The types of a leaf, of the formats that let them be chosen.
    #[must_use]
    pub fn chosen_types(&self) -> Option<&[AbiType]> {
        (self.format == Format::StandardV1).then_some(&self.types)
    }

    /// What the contract keeps.
    #[must_use]
    pub fn root(&self) -> Hash {
        match &self.hashes {
            Hashes::Array(tree) => tree.nodes()[0],
            Hashes::Forest(forest) => forest.root(),
        }
    }

    /// Leaves.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Never: a tree has a leaf.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The leaf of a row.
    #[must_use]
    pub fn leaf(&self, row: usize) -> Hash {
        match &self.hashes {
            Hashes::Array(tree) => tree.leaf(row),
            Hashes::Forest(forest) => forest.leaf(row),
        }
    }

    /// Writes the siblings from a row's leaf up to the root into `proof`.
    pub fn proof_into(&self, row: usize, proof: &mut Vec<Hash>) {
        match &self.hashes {
            Hashes::Array(tree) => tree.proof_into(row, proof),
            Hashes::Forest(forest) => forest.proof_into(row, proof),
        }
    }

    /// One proof of several rows, each given once; `None` if contracts of the format take none.
    #[must_use]
    pub fn multi_proof(&self, rows: &[usize]) -> Option<MultiProof> {
        match &self.hashes {
            Hashes::Array(tree) => Some(tree.multi_proof(rows)),
            Hashes::Forest(_) => None,
        }
    }

    /// The values of a row as JSON.
    pub fn values(&self, row: usize) -> impl Iterator<Item = &str> {
        (0..self.table.columns()).map(move |column| self.table.json(row, column))
    }

    fn holder_column(&self) -> Option<usize> {
        holder_column(&self.types)
    }

    pub(super) fn amount_column(&self) -> Option<usize> {
        amount_column(&self.types, self.format == Format::StandardV1)
    }

    /// What names the holder of a row in a file: the account's bytes in lower-case hexadecimal after 0x, or the address
    /// itself in base58; `None` if the values have no address.
    #[must_use]
    pub fn holder(&self, row: usize) -> Option<String> {
        let text = self.table.text(row, self.holder_column()?);
        Some(match self.format.addresses() {
            AddressKind::Evm => text.to_ascii_lowercase(),
            AddressKind::Solana | AddressKind::Text => text.into_owned(),
        })
    }

    /// The first byte of the holder's account, by which static files are divided; `None` if the values have no address.
    #[must_use]
    pub fn shard(&self, row: usize) -> Option<u8> {
        let text = self.table.text(row, self.holder_column()?);
        match self.format.addresses() {
            AddressKind::Evm => EvmAddress::parse(&text).ok().map(|found| found.bytes()[0]),
            AddressKind::Solana => solana_key(&text).ok().map(|key| key[0]),
            AddressKind::Text => None,
        }
    }

    /// The rows of a holder, as [`Document::holder`] writes it.
    #[must_use]
    pub fn rows_of(&self, holder: &str) -> Vec<usize> {
        let rows = 0..self.len();
        rows.filter(|&row| self.holder(row).as_deref() == Some(holder))
            .collect()
    }

    /// The rows with this leaf.
    #[must_use]
    pub fn rows_of_leaf(&self, leaf: &Hash) -> Vec<usize> {
        (0..self.len())
            .filter(|&row| self.leaf(row) == *leaf)
            .collect()
    }

    /// The sum of the amounts, if the values have one amount each and it fits into 256 bits.
    #[must_use]
    pub fn sum(&self) -> Option<U256> {
        let column = self.amount_column()?;
        let mut amounts =
            (0..self.len()).map(|row| parse_units(&self.table.text(row, column), 0).ok());
        amounts.try_fold(U256::ZERO, |sum, amount| sum.checked_add(amount?))
    }

    /// The payments, checked; those of shards in the order of the addresses with the checksum of EIP-55.
    pub fn list(&self) -> Result<List, DocumentError> {
        let holder = self.holder_column();
        let (Some(holder), Some(amount)) = (holder, self.amount_column()) else {
            return Err(DocumentError::NoPayments);
        };
        let has_tokens = self.format == Format::Merkl;
        let has_others = self.format == Format::StandardV1 && self.table.columns() > 2;
        if has_others {
            return Err(DocumentError::NoPayments);
        }
        let mut list = List::new(has_tokens);
        for row in 0..self.len() {
            let (address, amount) = (self.table.text(row, holder), self.table.text(row, amount));
            if has_tokens {
                list.push_of_token(&address, &amount, &self.table.text(row, 1));
            } else {
                list.push(&address, &amount);
            }
        }
        checked(&list, self.format.addresses())?;
        if !self.format.is_folder() {
            return Ok(list);
        }
        let mut order: Vec<_> = (0..list.len()).collect();
        order.sort_by_cached_key(|&row| checksummed(&list.address(row)));
        Ok(list.reordered(order.into_iter()))
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

/// Fails with the first value that cannot be paid.
pub(super) fn checked(list: &List, kind: AddressKind) -> Result<(), DocumentError> {
    let sum = list.check(kind);
    sum.map(|_| ())
        .map_err(|(row, reason)| DocumentError::Payment {
            number: row + 1,
            reason,
        })
}

/// With the checksum of EIP-55; the address was checked.
pub(super) fn checksummed(address: &str) -> String {
    let address = EvmAddress::parse(address).expect("the list was checked");
    address.to_string()
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

/// What the reader of JSON says, cut: it may quote a text of any length.
pub(super) fn json_reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.char_indices().nth(200) {
        None => text,
        Some(_) => format!(
            "{} at line {} column {}",
            quoted(&text),
            error.line(),
            error.column()
        ),
    }
}
