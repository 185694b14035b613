//! Lists as trees in the format `standard-v1` of `OpenZeppelin`'s npm package, byte for byte.
//!
//! A leaf is the hash of the hash of (address, uint256) as Solidity's `abi.encode` writes them. Reading checks all
//! that a dump states: each leaf, each node, and the sum.

use std::fmt;
use std::io::{self, Write};

use rayon::prelude::*;
use ruint::aliases::U256;
use serde::Deserialize;

use super::keccak::keccak;
use super::tree::{Hash, Tree, root_of};
use super::{AddressError, EvmAddress, List, Recipient, UnitsError, parse_units};

/// The name of the format.
const FORMAT: &str = "standard-v1";

/// The types of a leaf.
const TYPES: [&str; 2] = ["address", "uint256"];

/// A list and its tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandardTree {
    list: List,
    tree: Tree,
    /// Of each recipient, in their order.
    positions: Vec<usize>,
}

/// What a contract is given to pay one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The hash of address and amount.
    pub leaf: Hash,
    /// The siblings from the leaf up.
    pub siblings: Vec<Hash>,
}

/// Why a list has no tree, or a file is not a tree.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// A list without rows.
    #[error("the list is empty (a tree has at least one leaf)")]
    Empty,
    /// A recipient that no leaf can name.
    #[error("recipient {number}: address: {reason}")]
    Address {
        /// From 1.
        number: usize,
        /// Why.
        reason: AddressError,
    },
    /// Not a dump.
    #[error("not a tree of the format standard-v1")]
    Json(#[source] serde_json::Error),
    /// Another format, or other types.
    #[error("format: not a tree of the format standard-v1 over (address, uint256)")]
    Format,
    /// Nodes and values do not belong together.
    #[error("tree: {nodes} nodes for {values} values (there must be twice as many, less one)")]
    Size {
        /// Nodes.
        nodes: usize,
        /// Values.
        values: usize,
    },
    /// Not a hash.
    #[error("tree: node {0} is not 0x and 64 hexadecimal digits")]
    NotAHash(usize),
    /// Not an amount.
    #[error("value {number}: amount: {reason}")]
    Amount {
        /// From 1.
        number: usize,
        /// Why.
        reason: UnitsError,
    },
    /// The leaf at its index is another one.
    #[error(
        "value {0}: the tree has another leaf at its treeIndex (the value or the tree was changed)"
    )]
    Leaf(usize),
    /// Two values with one index.
    #[error("value {0}: another value has the same treeIndex")]
    SharedIndex(usize),
    /// A node that is not the hash of its children.
    #[error("tree: node {0} is not the hash of its children (the tree was changed)")]
    Node(usize),
    /// Amounts of 2^256 or more in sum.
    #[error("the amounts sum to 2^256 base units or more")]
    Sum,
}

/// A dump as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Dump {
    format: String,
    leaf_encoding: Vec<String>,
    tree: Vec<String>,
    values: Vec<DumpedValue>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct DumpedValue {
    value: (String, String),
    tree_index: usize,
}

impl StandardTree {
    /// The tree over a list.
    pub fn new(list: List) -> Result<Self, TreeError> {
        if list.recipients.is_empty() {
            return Err(TreeError::Empty);
        }
        let (tree, positions) = Tree::new(&leaves_of(&list)?);
        Ok(Self {
            list,
            tree,
            positions,
        })
    }

    /// Reads a dump, and checks each leaf, each node and the sum.
    pub fn read(bytes: &[u8]) -> Result<Self, TreeError> {
        let dump: Dump = serde_json::from_slice(bytes).map_err(TreeError::Json)?;
        if dump.format != FORMAT || dump.leaf_encoding != TYPES {
            return Err(TreeError::Format);
        }
        let (nodes, values) = (dump.tree.len(), dump.values.len());
        if values == 0 || nodes != 2 * values - 1 {
            return Err(TreeError::Size { nodes, values });
        }
        let hashes = dump.tree.iter().enumerate().map(|(index, text)| {
            let mut hash = [0; 32];
            let digits = text.strip_prefix("0x").unwrap_or_default();
            let read = hex::decode_to_slice(digits, &mut hash);
            read.map(|()| hash).map_err(|_| TreeError::NotAHash(index))
        });
        let tree = Tree::of_nodes(hashes.collect::<Result<_, _>>()?);
        let (mut list, mut positions) = (List::default(), Vec::with_capacity(values));
        let mut sum = Some(U256::ZERO);
        for (number, dumped) in (1..).zip(dump.values) {
            let (address, amount) = dumped.value;
            let amount =
                parse_units(&amount, 0).map_err(|reason| TreeError::Amount { number, reason })?;
            sum = sum.and_then(|sum| sum.checked_add(amount));
            let address = address.into();
            list.recipients.push(Recipient { address, amount });
            positions.push(dumped.tree_index);
        }
        sum.ok_or(TreeError::Sum)?;
        let mut seen = vec![false; nodes];
        for (number, (leaf, &position)) in (1..).zip(leaves_of(&list)?.iter().zip(&positions)) {
            let is_leaf = position >= nodes / 2;
            if !is_leaf || tree.nodes().get(position) != Some(leaf) {
                return Err(TreeError::Leaf(number));
            }
            if std::mem::replace(&mut seen[position], true) {
                return Err(TreeError::SharedIndex(number));
            }
        }
        match tree.wrong_node() {
            Some(node) => Err(TreeError::Node(node)),
            None => Ok(Self {
                list,
                tree,
                positions,
            }),
        }
    }

    /// Writes the dump.
    ///
    /// # Errors
    /// If `out` cannot be written to.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let mut out = io::BufWriter::with_capacity(1 << 16, out);
        let [first, second] = TYPES;
        write!(
            out,
            r#"{{"format":"{FORMAT}","leafEncoding":["{first}","{second}"],"tree":["#
        )?;
        for (index, node) in self.tree.nodes().iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(out, r#"{comma}"{}""#, HexHash(node))?;
        }
        out.write_all(br#"],"values":["#)?;
        let rows = self.list.recipients.iter().zip(&self.positions);
        for (index, (recipient, position)) in rows.enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let Recipient { address, amount } = recipient;
            write!(
                out,
                r#"{comma}{{"value":["{address}","{amount}"],"treeIndex":{position}}}"#
            )?;
        }
        out.write_all(b"]}")?;
        out.flush()
    }

    /// What the contract keeps.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.tree.nodes()[0]
    }

    /// The list.
    #[must_use]
    pub const fn list(&self) -> &List {
        &self.list
    }

    /// The proof of a recipient, by its place in the list.
    ///
    /// # Panics
    /// If the list has no such place.
    #[must_use]
    pub fn proof(&self, recipient: usize) -> Proof {
        let position = self.positions[recipient];
        Proof {
            leaf: self.tree.nodes()[position],
            siblings: self.tree.proof(position),
        }
    }
}

impl Proof {
    /// The root that the proof leads to.
    #[must_use]
    pub fn root(&self) -> Hash {
        root_of(self.leaf, &self.siblings)
    }
}

/// A hash as text.
pub struct HexHash<'a>(pub &'a Hash);

impl fmt::Display for HexHash<'_> {
    /// 0x and 64 digits in lower case.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; 64];
        hex::encode_to_slice(self.0, &mut text).expect("32 bytes are 64 digits");
        out.write_str("0x")?;
        out.write_str(std::str::from_utf8(&text).expect("digits are ASCII"))
    }
}

/// The hashes of a list's rows.
fn leaves_of(list: &List) -> Result<Vec<Hash>, TreeError> {
    let rows = list.recipients.par_iter().enumerate();
    let leaves = rows.map(|(index, recipient)| {
        let address = EvmAddress::parse(&recipient.address);
        let address = address.map_err(|reason| TreeError::Address {
            number: index + 1,
            reason,
        })?;
        let mut words = [0; 64];
        words[12..32].copy_from_slice(address.bytes());
        words[32..].copy_from_slice(&recipient.amount.to_be_bytes::<32>());
        Ok(keccak(&keccak(&words)))
    });
    leaves.collect()
}

#[cfg(test)]
mod tests;
