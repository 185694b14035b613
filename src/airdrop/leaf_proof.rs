//! One payment of a tree with the hashes from its leaf to the root, as a document that needs no tree to be checked.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::abi::AbiType;
use super::document::Document;
use super::format::{amount_column, holder_column};
use super::leaf::leaf_of_one;
use super::recorded::Text;
use super::table::Table;
use super::tree::{Hash, pair};
use super::{Format, PaymentError, TypeError, ValueError, parse_units};

/// A row of a tree, its leaf and its proof.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeafProof {
    /// Of the tree.
    pub format: Text<Format>,
    types: Vec<String>,
    /// From 0, in the tree's list.
    row: u32,
    value: Vec<Box<RawValue>>,
    /// The hash of the value.
    pub leaf: Text<Hash>,
    /// The siblings from the leaf up.
    pub proof: Vec<Text<Hash>>,
    /// What the contract keeps.
    pub root: Text<Hash>,
}

/// Why a value has no leaf.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeafError {
    /// A type that a leaf cannot have.
    #[error("types: {0}")]
    Type(#[from] TypeError),
    /// Other types than the format has.
    #[error("types: not those of {0}, or not one for each value")]
    Types(&'static str),
    /// A value that is not of its type.
    #[error("value: {0}")]
    Value(#[from] ValueError),
    /// Not a payment.
    #[error("value: {0}")]
    Payment(#[from] PaymentError),
    /// Nothing to pay, or nobody.
    #[error("value: {0} has no address and one amount for each leaf")]
    NoPayment(&'static str),
}

impl Document {
    /// A row as a document of its own.
    ///
    /// # Panics
    /// If the row is not one of the tree.
    #[must_use]
    pub fn leaf_proof(&self, row: usize) -> LeafProof {
        let mut proof = Vec::new();
        self.proof_into(row, &mut proof);
        let cell = |json: &str| RawValue::from_string(json.to_owned()).expect("a cell is JSON");
        LeafProof {
            format: Text(self.format),
            types: self.types.iter().map(ToString::to_string).collect(),
            row: u32::try_from(row).expect("below 2^32 rows"),
            value: self.values(row).map(cell).collect(),
            leaf: Text(self.leaf(row)),
            proof: proof.into_iter().map(Text).collect(),
            root: Text(self.root()),
        }
    }
}

impl LeafProof {
    /// The same with leaf and root computed anew from the value and the proof.
    pub fn computed_again(&self) -> Result<Self, LeafError> {
        let format = self.format.0;
        let types = self.types()?;
        let leaf = leaf_of_one(format.rule(), &types, &self.table(), self.row);
        let leaf = leaf.map_err(|(_, reason)| reason)?;
        let siblings = self.proof.iter();
        let root = siblings.fold(leaf, |below, sibling| pair(&below, &sibling.0));
        Ok(Self {
            leaf: Text(leaf),
            root: Text(root),
            ..self.clone()
        })
    }

    /// Whom the value pays, as a list names the holder, and how much.
    pub fn payment(&self) -> Result<(Box<str>, ruint::aliases::U256), LeafError> {
        let (format, types) = (self.format.0, self.types()?);
        let columns =
            holder_column(&types).zip(amount_column(&types, format == Format::StandardV1));
        let (holder, amount) = columns.ok_or(LeafError::NoPayment(format.name()))?;
        let table = self.table();
        let holder = table.text(0, holder);
        let holder = format.addresses().canonical(&holder);
        let amount = parse_units(&table.text(0, amount), 0);
        Ok((
            holder.map_err(PaymentError::Address)?,
            amount.map_err(PaymentError::Amount)?,
        ))
    }

    fn types(&self) -> Result<Vec<AbiType>, LeafError> {
        let format = self.format.0;
        let types = self.types.iter().map(|name| AbiType::parse(name));
        let types = types.collect::<Result<Vec<_>, _>>()?;
        let is_free = format == Format::StandardV1;
        let fits = types.len() == self.value.len() && !types.is_empty();
        if !fits || (!is_free && types != format.types()) {
            return Err(LeafError::Types(format.name()));
        }
        Ok(types)
    }

    fn table(&self) -> Table {
        let mut table = Table::new(self.value.len().max(1));
        for cell in &self.value {
            table.push_json(cell.get());
        }
        table
    }
}
