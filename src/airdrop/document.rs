//! A list with its tree in one of the formats, and what can be asked of it: leaves, proofs, holders, payments.
//!
//! [`super::construction`] makes one, and [`super::document_files`] reads and writes its files.

use std::borrow::Cow;

use ruint::aliases::U256;

use super::abi::AbiType;
use super::address::{is_mixed, solana_key};
use super::document_error::DocumentError;
use super::format::{amount_column, holder_column};
use super::layers::Forest;
use super::table::Table;
use super::tree::{Hash, MultiProof, Tree};
use super::{AddressKind, EvmAddress, Format, List, parse_units};

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

impl Document {
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

    /// Base units of a row, if the values have one amount; the document was made of a checked list.
    ///
    /// # Panics
    /// If the values have no amount.
    #[must_use]
    pub fn amount(&self, row: usize) -> Cow<'_, str> {
        let column = self.amount_column().expect("a list has amounts");
        self.table.text(row, column)
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

/// Fails with the first value that cannot be paid.
pub(super) fn checked(list: &List, kind: AddressKind) -> Result<(), DocumentError> {
    let sum = list.check(kind);
    sum.map(|_| ())
        .map_err(|(row, reason)| DocumentError::Payment {
            number: row + 1,
            reason,
        })
}

/// With the checksum of EIP-55; the address was checked, so that one in mixed case has it.
pub(super) fn checksummed(address: &str) -> String {
    if is_mixed(address) {
        return address.to_owned();
    }
    let address = EvmAddress::parse(address).expect("the list was checked");
    address.to_string()
}
