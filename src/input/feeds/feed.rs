//! The names of the known feeds and of the kinds of tokens, and how a header gives a feed away.

use super::tables::{self, Table};

/// A known feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feed {
    /// `token_transfers` of ethereum-etl.
    EthereumEtl,
    /// `token_transfers` of the public data of Ethereum on `BigQuery`.
    BigQuery,
    /// `erc20_transfers` and `erc721_transfers` of cryo.
    Cryo,
    /// Logs of `HyperSync`, and of other tools that write raw logs.
    Hypersync,
    /// `tokens.transfers` and `nft.transfers` of Dune.
    Dune,
    /// Token transfers of Allium.
    Allium,
    /// Pages of tokens and of accounts that block explorers export.
    Etherscan,
    /// `getAssetTransfers` of Alchemy.
    Alchemy,
    /// `token_transfers` of Spice.
    Spice,
    /// Logs of a staking contract: deposits and withdrawals.
    Staking,
    /// Any other table of transfers whose columns have common names.
    Transfers,
    /// The times of blocks, for [`super::BlockTimes`]; has no events.
    Blocks,
    /// The decimals of tokens, for [`super::TokenDecimals`]; has no events.
    Decimals,
}

/// What the tokens of a file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// Fungible: amounts of one contract.
    Erc20,
    /// Each number of a contract is a token of its own, held once.
    Erc721,
    /// Each number of a contract is a token of its own, held in amounts.
    Erc1155,
}

impl TokenKind {
    /// All of them.
    pub(in crate::input) const ALL: [Self; 3] = [Self::Erc20, Self::Erc721, Self::Erc1155];

    /// The name by which it is chosen.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Erc20 => "erc20",
            Self::Erc721 => "erc721",
            Self::Erc1155 => "erc1155",
        }
    }

    /// The kind that a column of standards or categories names; native coins are fungible.
    pub(super) fn from_standard(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        Some(match text.as_str() {
            _ if text.contains("1155") => Self::Erc1155,
            _ if text.contains("721") => Self::Erc721,
            "native" | "external" | "internal" => Self::Erc20,
            _ if text.ends_with("20") => Self::Erc20,
            _ => return None,
        })
    }
}

impl Feed {
    /// Those that a user may name.
    pub(in crate::input) const ALL: [Self; 11] = [
        Self::EthereumEtl,
        Self::BigQuery,
        Self::Cryo,
        Self::Hypersync,
        Self::Dune,
        Self::Allium,
        Self::Etherscan,
        Self::Alchemy,
        Self::Spice,
        Self::Staking,
        Self::Transfers,
    ];

    /// Those that a header gives away, the more special ones first.
    const RECOGNISED: [Self; 10] = [
        Self::BigQuery,
        Self::Spice,
        Self::EthereumEtl,
        Self::Cryo,
        Self::Hypersync,
        Self::Dune,
        Self::Allium,
        Self::Etherscan,
        Self::Alchemy,
        Self::Staking,
    ];

    /// The name by which it is chosen.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.table().name
    }

    /// The feed whose columns these are; `None` if there are columns of ours, or of no known feed.
    pub(in crate::input) fn of_columns<T: AsRef<str>>(names: &[T]) -> Option<Self> {
        let has = |name: &str| names.iter().any(|known| known.as_ref() == name);
        if ["holder_id", "from_id", "to_id"].into_iter().any(has) {
            return None;
        }
        let fits = |feed: &Self| {
            let mut signs = feed.table().signs.iter();
            signs.all(|names| names.iter().any(|name| has(name)))
        };
        Self::RECOGNISED.into_iter().find(fits)
    }

    pub(in crate::input) const fn table(self) -> &'static Table {
        match self {
            Self::EthereumEtl => &tables::ETHEREUM_ETL,
            Self::BigQuery => &tables::BIGQUERY,
            Self::Cryo => &tables::CRYO,
            Self::Hypersync => &tables::HYPERSYNC,
            Self::Dune => &tables::DUNE,
            Self::Allium => &tables::ALLIUM,
            Self::Etherscan => &tables::ETHERSCAN,
            Self::Alchemy => &tables::ALCHEMY,
            Self::Spice => &tables::SPICE,
            Self::Staking => &tables::STAKING,
            Self::Transfers => &tables::TRANSFERS,
            Self::Blocks => &tables::BLOCKS,
            Self::Decimals => &tables::DECIMALS,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_gives_its_feed_away() {
        let feed = |header: &str| {
            let names: Vec<_> = header.split(',').collect();
            Feed::of_columns(&names).map(Feed::name)
        };
        let etl = "token_address,from_address,to_address,value,transaction_hash,log_index";
        for (header, expected) in [
            (format!("{etl},block_number"), Some("ethereum-etl")),
            (
                format!("{etl},block_timestamp,block_hash"),
                Some("bigquery"),
            ),
            (format!("{etl},block_timestamp"), Some("spice")),
            (
                "erc20,from_address,to_address,value_string".to_owned(),
                Some("cryo"),
            ),
            (
                "topic0,data,address,log_index".to_owned(),
                Some("hypersync"),
            ),
            (
                "block_time,tx_hash,evt_index,from,to,contract_address".to_owned(),
                Some("dune"),
            ),
            (
                "token_address,from_address,to_address,raw_amount_str".to_owned(),
                Some("allium"),
            ),
            (
                "Txhash,UnixTimestamp,From,To,TokenValue".to_owned(),
                Some("etherscan"),
            ),
            ("uniqueId,blockNum,from,to".to_owned(), Some("alchemy")),
            (
                "user,amount,event,timestamp,txHash".to_owned(),
                Some("staking"),
            ),
            (format!("{etl},block_number,holder_id"), None),
            ("from,to,value,block,tx_hash".to_owned(), None),
        ] {
            assert_eq!(feed(&header), expected, "{header}");
        }
    }

    #[test]
    fn standards_and_categories_name_kinds() {
        for (text, kind) in [
            ("erc20", Some(TokenKind::Erc20)),
            ("BEP20", Some(TokenKind::Erc20)),
            ("native", Some(TokenKind::Erc20)),
            ("ERC-721", Some(TokenKind::Erc721)),
            ("erc1155", Some(TokenKind::Erc1155)),
            ("specialnft", None),
        ] {
            assert_eq!(TokenKind::from_standard(text), kind, "{text}");
        }
    }
}
