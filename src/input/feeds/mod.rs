//! Known feeds: exports of chains that people have, each described as data.
//!
//! [`tables`] says which columns a feed has and what each of them is; no feed has code of its own. The readers
//! of each format find the columns ([`layout`]) and the values of a row ([`csv_row`], [`json_row`],
//! [`batch_row`], all of them a [`row::FeedRow`]); [`transfers`] makes events of them, [`logs`] of raw logs.
//! [`lookups`] reads what a row does not have: the times of blocks and the decimals of tokens.

pub(super) mod batch_row;
pub(super) mod csv_row;
mod feed;
pub(super) mod json_row;
pub(super) mod layout;
mod logs;
mod lookups;
mod ordinals;
mod quantities;
pub(super) mod row;
mod tables;
mod transfers;

pub use feed::{Feed, TokenKind};
pub use lookups::{BlockTimes, TokenDecimals};
pub(super) use transfers::visit_row;
