//! A list of amounts: CSV with the header `address,amount`, amounts in base units.
//!
//! The address stays as it is written; what is compared is the account that it names. See [`super::selection`] for
//! how lists are made.

use std::collections::HashSet;
use std::io::{self, Write};

use ruint::aliases::U256;

use super::{AddressError, AddressKind, UnitsError, parse_units};
use crate::excerpt::quoted;

/// Amounts in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct List {
    /// Each address once.
    pub recipients: Vec<Recipient>,
}

/// An address and its amount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// As the list writes it.
    pub address: Box<str>,
    /// Base units, above 0.
    pub amount: U256,
}

/// Why a file is not a list.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// Not `address,amount`.
    #[error("line 1: the header is not address,amount but {}", quoted(.0))]
    Header(String),
    /// No rows.
    #[error("the list is empty (write a header and at least one row)")]
    Empty,
    /// Not a row of CSV.
    #[error("line {line}: not a row of address,amount in UTF-8")]
    Row {
        /// From 1.
        line: u64,
        /// What the reader says.
        source: csv::Error,
    },
    /// Not an address of the kind.
    #[error("line {line}: address: {reason}")]
    Address {
        /// From 1.
        line: u64,
        /// Why.
        reason: AddressError,
    },
    /// Not a number of base units.
    #[error("line {line}: amount: {reason}")]
    Amount {
        /// From 1.
        line: u64,
        /// Why.
        reason: UnitsError,
    },
    /// An amount of 0.
    #[error("line {line}: amount: 0 (leave the line out)")]
    Zero {
        /// From 1.
        line: u64,
    },
    /// An address again.
    #[error("line {line}: address: {} is in the list already, perhaps in another case (add the amounts on one line)", quoted(.address))]
    Duplicate {
        /// From 1.
        line: u64,
        /// As it is written.
        address: Box<str>,
    },
    /// Amounts of 2^256 or more in sum.
    #[error("line {line}: amount: the amounts up to here sum to 2^256 base units or more")]
    Sum {
        /// From 1.
        line: u64,
    },
}

impl List {
    /// Reads all of a file.
    pub fn read(bytes: &[u8], kind: AddressKind) -> Result<Self, ListError> {
        let mut rows = csv::ReaderBuilder::new().from_reader(bytes);
        let headers = rows
            .headers()
            .map_err(|source| ListError::Row { line: 1, source })?;
        if headers.iter().ne(["address", "amount"]) {
            let found: Vec<_> = headers.iter().collect();
            return Err(ListError::Header(found.join(",")));
        }
        let (mut list, mut seen, mut sum) = (Self::default(), HashSet::new(), U256::ZERO);
        let mut row = csv::StringRecord::new();
        loop {
            let line = rows.position().line();
            let is_row = rows
                .read_record(&mut row)
                .map_err(|source| ListError::Row { line, source })?;
            if !is_row {
                break;
            }
            let line = row.position().map_or(line, csv::Position::line);
            let account = kind
                .canonical(&row[0])
                .map_err(|reason| ListError::Address { line, reason })?;
            let amount =
                parse_units(&row[1], 0).map_err(|reason| ListError::Amount { line, reason })?;
            if amount.is_zero() {
                return Err(ListError::Zero { line });
            }
            let address = Box::from(&row[0]);
            if !seen.insert(account) {
                return Err(ListError::Duplicate { line, address });
            }
            sum = sum.checked_add(amount).ok_or(ListError::Sum { line })?;
            list.recipients.push(Recipient { address, amount });
        }
        if list.recipients.is_empty() {
            return Err(ListError::Empty);
        }
        Ok(list)
    }

    /// Writes the header and the rows.
    ///
    /// # Errors
    /// If `out` cannot be written to.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let mut rows = csv::Writer::from_writer(out);
        rows.write_record(["address", "amount"])?;
        for Recipient { address, amount } in &self.recipients {
            rows.write_record([&**address, &amount.to_string()])?;
        }
        rows.flush()
    }

    /// The sum of the amounts.
    #[must_use]
    pub fn sum(&self) -> U256 {
        let amounts = self.recipients.iter().map(|recipient| recipient.amount);
        amounts.fold(U256::ZERO, |sum, amount| sum + amount)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: &str = "0xfb6916095ca1df60bb79ce92ce3ea74c37c5d359";

    fn refusal(rows: &str) -> String {
        List::read(
            format!("address,amount\n{rows}").as_bytes(),
            AddressKind::Evm,
        )
        .unwrap_err()
        .to_string()
    }

    #[test]
    fn a_written_list_reads_back() {
        let list = List {
            recipients: vec![Recipient {
                address: "a, \"b\"".into(),
                amount: U256::MAX,
            }],
        };
        let mut bytes = Vec::new();
        list.write(&mut bytes).unwrap();
        assert_eq!(List::read(&bytes, AddressKind::Text).unwrap(), list);
    }

    #[test]
    fn hostile_lists_are_refused_with_the_line() {
        let lower = format!("{ADDRESS},1");
        let upper = format!("0x{},1", ADDRESS[2..].to_ascii_uppercase());
        assert!(refusal(&format!("{lower}\n{upper}")).starts_with("line 3: address: \"0xFB"));
        assert_eq!(
            refusal(&format!("{ADDRESS},0")),
            "line 2: amount: 0 (leave the line out)"
        );
        assert!(refusal(&format!("{ADDRESS},-1")).starts_with("line 2: amount: \"-1\" is not"));
        let other = ADDRESS.replace('f', "0");
        let sum = format!("{lower}\n{other},{}", U256::MAX);
        assert!(refusal(&sum).starts_with("line 3: amount: the amounts up to here sum"));
        assert!(refusal(&format!("{ADDRESS},{}0", U256::MAX)).contains("too large"));
        let long = "0".repeat(10_000_000);
        for rows in [
            format!("{long},1"),
            format!("{ADDRESS},{long}x"),
            format!("\"{long}"),
        ] {
            let text = refusal(&rows);
            assert!(text.starts_with("line 2: ") && text.len() < 200, "{text}");
        }
        assert_eq!(
            refusal(""),
            "the list is empty (write a header and at least one row)"
        );
        assert!(List::read(b"amount,address\n", AddressKind::Evm).is_err());
    }
}
