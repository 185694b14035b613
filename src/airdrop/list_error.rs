//! Why a file is not a list of payments, and why one of its rows cannot be paid.

use super::{AddressError, UnitsError};
use crate::excerpt::quoted;

/// Why a file is not a list.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// Another header.
    #[error("line 1: the header is not {expected} but {}", quoted(.found))]
    Header {
        /// What it has to be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// No rows.
    #[error("the list is empty (write a header and at least one row)")]
    Empty,
    /// Not a row of CSV.
    #[error("line {line}: not a row of {header} in UTF-8")]
    Row {
        /// From 1.
        line: u64,
        /// The header.
        header: String,
        /// What the reader says.
        source: csv::Error,
    },
    /// A row that cannot be paid.
    #[error("line {line}: {reason}")]
    Payment {
        /// From 1.
        line: u64,
        /// Why.
        reason: PaymentError,
    },
}

/// Why something cannot be paid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PaymentError {
    /// Not an address of the kind.
    #[error("address: {0}")]
    Address(AddressError),
    /// Not an address of a token.
    #[error("token: {0}")]
    Token(AddressError),
    /// Not a number of base units.
    #[error("amount: {0}")]
    Amount(UnitsError),
    /// An amount of 0.
    #[error("amount: 0 (leave the line out)")]
    Zero,
    /// An address again.
    #[error("address: {} is in the list already, perhaps in another case (add the amounts on one line)", quoted(.0))]
    Duplicate(Box<str>),
    /// Amounts of 2^256 or more in sum.
    #[error("amount: the amounts up to here sum to 2^256 base units or more")]
    Sum,
}
