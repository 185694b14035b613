//! The hash of a row: how its values become bytes, and how often these are hashed.

use rayon::prelude::*;

use super::abi::{AbiEncoder, AbiType, ValueError};
use super::address::solana_key;
use super::keccak::keccak;
use super::table::Table;
use super::tree::Hash;

/// Rows that one task hashes at least.
const ROWS_PER_TASK: usize = 512;

/// From the values of a row to its leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LeafRule {
    /// The row is the leaf.
    Given,
    /// The hash of the hash of `abi.encode`.
    AbiTwice,
    /// The hash of `abi.encode`.
    Abi,
    /// The hash of `abi.encodePacked`.
    Packed,
    /// The hash of the hash of the row's number, the account and the amount, numbers in little-endian bytes.
    Solana,
}

/// A value that is not of its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) row: usize,
    pub(super) column: usize,
    pub(super) reason: ValueError,
}

/// The leaves of all rows, in their order.
pub(super) fn leaves_of(
    rule: LeafRule,
    types: &[AbiType],
    table: &Table,
) -> Result<Vec<Hash>, Fault> {
    let rows = (0..table.len()).into_par_iter();
    let leaves = rows
        .with_min_len(ROWS_PER_TASK)
        .map_init(AbiEncoder::default, |encoder, row| {
            let number = u32::try_from(row).expect("below 2^32 rows");
            leaf(rule, types, table, row, number, encoder).map_err(|(column, reason)| Fault {
                row,
                column,
                reason,
            })
        });
    leaves.collect()
}

/// The leaf of the only row of `table`, which is that of this number in its tree.
pub(super) fn leaf_of_one(
    rule: LeafRule,
    types: &[AbiType],
    table: &Table,
    number: u32,
) -> Result<Hash, (usize, ValueError)> {
    leaf(rule, types, table, 0, number, &mut AbiEncoder::default())
}

fn leaf(
    rule: LeafRule,
    types: &[AbiType],
    table: &Table,
    row: usize,
    number: u32,
    encoder: &mut AbiEncoder,
) -> Result<Hash, (usize, ValueError)> {
    let values = table.row(row);
    match rule {
        LeafRule::Given => {
            let bytes = encoder.encode(types, values)?;
            Ok(bytes.try_into().expect("one word"))
        }
        LeafRule::AbiTwice => Ok(keccak(&keccak(encoder.encode(types, values)?))),
        LeafRule::Abi => Ok(keccak(encoder.encode(types, values)?)),
        LeafRule::Packed => Ok(keccak(encoder.pack(types, values)?)),
        LeafRule::Solana => {
            let account = solana_key(&table.text(row, 0));
            let account = account.map_err(|reason| (0, reason.into()))?;
            let amount = table.text(row, 1);
            let amount = amount.parse::<u64>().map_err(|_| {
                let (text, kind) = (amount.into(), "u64".into());
                (1, ValueError::Range { text, kind })
            })?;
            let mut bytes = [0; 44];
            bytes[..4].copy_from_slice(&number.to_le_bytes());
            bytes[4..36].copy_from_slice(&account);
            bytes[36..].copy_from_slice(&amount.to_le_bytes());
            Ok(keccak(&keccak(&bytes)))
        }
    }
}
