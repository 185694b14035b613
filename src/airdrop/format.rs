//! The formats of trees, and what differs between them: the types of a leaf, how it is hashed, and the kind of the
//! recipients' addresses.
//!
//! How a format is read and written is in [`super::dump`], [`super::claims`], [`super::sablier`] and
//! [`super::shards`].

use super::AddressKind;
use super::abi::{AbiKind, AbiType};
use super::leaf::LeafRule;

/// A format of trees and proofs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// The dump of `OpenZeppelin`'s `StandardMerkleTree`.
    StandardV1,
    /// The dump of `OpenZeppelin`'s `SimpleMerkleTree`.
    SimpleV1,
    /// The claims of Uniswap's `MerkleDistributor`.
    Uniswap,
    /// A folder of shards with one proof each, as the ENS airdrop had it.
    EnsShards,
    /// A folder of shards, as thirdweb's contracts have it.
    ThirdwebShards,
    /// A campaign of Sablier on EVM chains.
    SablierEvm,
    /// A campaign of Sablier on Solana.
    SablierSolana,
    /// Cumulative amounts by user and token for Merkl's distributor.
    Merkl,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 8] = [
        Self::StandardV1,
        Self::SimpleV1,
        Self::Uniswap,
        Self::EnsShards,
        Self::ThirdwebShards,
        Self::SablierEvm,
        Self::SablierSolana,
        Self::Merkl,
    ];

    /// The format of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// Its name on the command line and in requests.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::StandardV1 => "standard-v1",
            Self::SimpleV1 => "simple-v1",
            Self::Uniswap => "uniswap",
            Self::EnsShards => "ens-shards",
            Self::ThirdwebShards => "thirdweb-shards",
            Self::SablierEvm => "sablier-evm",
            Self::SablierSolana => "sablier-solana",
            Self::Merkl => "merkl",
        }
    }

    /// The types of a leaf; those of [`Format::StandardV1`] unless others are chosen.
    pub(super) fn types(self) -> Vec<AbiType> {
        AbiType::of(match self {
            Self::SimpleV1 => &["bytes32"],
            Self::Uniswap => &["uint256", "address", "uint256"],
            Self::SablierEvm => &["uint", "address", "uint256"],
            Self::Merkl => &["address", "address", "uint256"],
            Self::StandardV1 | Self::EnsShards | Self::ThirdwebShards | Self::SablierSolana => {
                &["address", "uint256"]
            }
        })
    }

    pub(super) fn rule(self) -> LeafRule {
        match self {
            Self::StandardV1 | Self::SablierEvm => LeafRule::AbiTwice,
            Self::SimpleV1 => LeafRule::Given,
            Self::Uniswap | Self::EnsShards | Self::ThirdwebShards => LeafRule::Packed,
            Self::SablierSolana => LeafRule::Solana,
            Self::Merkl => LeafRule::Abi,
        }
    }

    /// The kind of the recipients' addresses.
    #[must_use]
    pub fn addresses(self) -> AddressKind {
        match self {
            Self::SablierSolana => AddressKind::Solana,
            Self::StandardV1
            | Self::SimpleV1
            | Self::Uniswap
            | Self::EnsShards
            | Self::ThirdwebShards
            | Self::SablierEvm
            | Self::Merkl => AddressKind::Evm,
        }
    }

    /// Whether a tree is a folder of files instead of one file.
    #[must_use]
    pub fn is_folder(self) -> bool {
        matches!(self, Self::EnsShards | Self::ThirdwebShards)
    }
}

/// The column of the holder: the first address.
pub(super) fn holder_column(types: &[AbiType]) -> Option<usize> {
    types
        .iter()
        .position(|kind| kind.kind() == AbiKind::Address)
}

/// The column of the amount: the last unsigned number, unless `is_free` and there are several.
pub(super) fn amount_column(types: &[AbiType], is_free: bool) -> Option<usize> {
    let is_number = |kind: &AbiType| matches!(kind.kind(), AbiKind::Uint(_));
    let numbers = types.iter().filter(|kind| is_number(kind)).count();
    types
        .iter()
        .rposition(is_number)
        .filter(|_| numbers == 1 || !is_free)
}
