//! A list of payments: CSV with the header `address,amount`, or `user,token,amount`, amounts in base units or in
//! tokens.
//!
//! The address stays as it is written; what is compared is the account that it names. See [`super::selection`] for how
//! lists are made, and [`super::export`] for the lists of other tools.

use std::borrow::Cow;
use std::io::{self, Write};

use rayon::prelude::*;
use ruint::aliases::U256;

use super::address::solana_key;
use super::table::Table;
use super::{
    AddressError, AddressKind, EvmAddress, ListError, PaymentError, UnitsError, parse_units,
};

const ADDRESS: usize = 0;
const AMOUNT: usize = 1;
const TOKEN: usize = 2;

/// Payments in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    table: Table,
}

impl List {
    /// No payments; `has_tokens` if each names its token.
    #[must_use]
    pub fn new(has_tokens: bool) -> Self {
        Self {
            table: Table::new(if has_tokens { 3 } else { 2 }),
        }
    }

    /// Adds a payment. What is added is not checked before [`List::check`].
    pub fn push(&mut self, address: &str, amount: &str) {
        self.table.push(address);
        self.table.push(amount);
    }

    /// Adds a payment to a list with tokens.
    pub(super) fn push_of_token(&mut self, address: &str, amount: &str, token: &str) {
        self.push(address, amount);
        self.table.push(token);
    }

    /// Reads all of a file, in which amounts have up to `places` decimal places.
    pub fn read(bytes: &[u8], kind: AddressKind, places: u8) -> Result<Self, ListError> {
        let mut rows = csv::ReaderBuilder::new().from_reader(bytes);
        let header = ["address", "amount"];
        let first = rows.headers().map_err(|source| ListError::Row {
            line: 1,
            header: header.join(","),
            source,
        })?;
        let has_tokens = first.iter().eq(["user", "token", "amount"]);
        if !has_tokens && first.iter().ne(header) {
            let found: Vec<_> = first.iter().collect();
            return Err(ListError::Header {
                expected: "address,amount".into(),
                found: found.join(","),
            });
        }
        let header: Vec<_> = first.iter().map(str::to_owned).collect();
        let amount = header.len() - 1;
        let mut list = Self::new(has_tokens);
        for_each_row(&mut rows, &header, |row, line| {
            let address = &row[0];
            let amount = base_units(&row[amount], places).map_err(|reason| {
                // Of two faults in a line, the first column's is named.
                let address = kind.canonical(address).map_err(PaymentError::Address);
                let reason = address.err().unwrap_or(PaymentError::Amount(reason));
                ListError::Payment { line, reason }
            })?;
            list.push(address, &amount);
            if has_tokens {
                list.table.push(&row[1]);
            }
            Ok(())
        })?;
        if list.is_empty() {
            return Err(ListError::Empty);
        }
        match list.check(kind) {
            Ok(_) => Ok(list),
            Err((row, reason)) => Err(ListError::Payment {
                line: line_of(bytes, row),
                reason,
            }),
        }
    }

    /// The sum, if all can be paid: addresses of the kind, each once for a token, and amounts above 0. Fails with the
    /// first row that cannot, from 0.
    pub fn check(&self, kind: AddressKind) -> Result<U256, (usize, PaymentError)> {
        let payments: Result<Vec<_>, _> = (0..self.len())
            .into_par_iter()
            .map(|row| self.account(row, kind).map_err(|reason| (row, reason)))
            .collect();
        let mut accounts = payments.map_err(|_| self.first_fault(kind))?;
        accounts.par_sort_unstable_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        let again = accounts
            .windows(2)
            .filter(|pair| pair[0].0 == pair[1].0)
            .map(|pair| pair[1].1);
        if let Some(row) = again.min() {
            let address = self.address(row).into_owned().into();
            return Err((row, PaymentError::Duplicate(address)));
        }
        drop(accounts);
        let amounts = (0..self.len()).into_par_iter().map(|row| self.amount(row));
        let sum = amounts
            .map(Some)
            .try_reduce(|| U256::ZERO, U256::checked_add);
        sum.ok_or_else(|| (self.first_beyond(), PaymentError::Sum))
    }

    /// The first row up to which the amounts do not fit into 256 bits.
    fn first_beyond(&self) -> usize {
        let mut sum = U256::ZERO;
        let fits = |row: &usize| {
            let more = sum.checked_add(self.amount(*row));
            more.is_some_and(|more| {
                sum = more;
                true
            })
        };
        (0..self.len()).take_while(fits).count()
    }

    /// What names the account and its token, and the row.
    fn account(&self, row: usize, kind: AddressKind) -> Result<(Account, usize), PaymentError> {
        let account = Account::of(&self.address(row), self.token(row).as_deref(), kind)?;
        let amount = self.amount_text(row);
        if !is_canonical(&amount) {
            return Err(PaymentError::Amount(UnitsError::NotANumber(amount.into())));
        }
        let amount = parse_units(&amount, 0).map_err(PaymentError::Amount)?;
        if amount.is_zero() {
            return Err(PaymentError::Zero);
        }
        Ok((account, row))
    }

    /// The first row that cannot be paid; one is known to exist.
    fn first_fault(&self, kind: AddressKind) -> (usize, PaymentError) {
        let fault = (0..self.len()).find_map(|row| {
            let reason = self.account(row, kind).err()?;
            Some((row, reason))
        });
        fault.expect("a row was refused")
    }

    /// Writes the header and the rows.
    ///
    /// # Errors
    /// If `out` cannot be written to.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let mut rows = csv::Writer::from_writer(out);
        if self.has_tokens() {
            rows.write_record(["user", "token", "amount"])?;
        } else {
            rows.write_record(["address", "amount"])?;
        }
        for row in 0..self.len() {
            let (address, amount) = (self.address(row), self.table.text(row, AMOUNT));
            match self.token(row) {
                None => rows.write_record([&*address, &*amount])?,
                Some(token) => rows.write_record([&*address, &*token, &*amount])?,
            }
        }
        rows.flush()
    }

    /// Payments.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether nothing is paid.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether each payment names its token.
    #[must_use]
    pub fn has_tokens(&self) -> bool {
        self.table.columns() > TOKEN
    }

    /// As the list writes it.
    pub(super) fn address(&self, row: usize) -> Cow<'_, str> {
        self.table.text(row, ADDRESS)
    }

    pub(super) fn token(&self, row: usize) -> Option<Cow<'_, str>> {
        self.has_tokens().then(|| self.table.text(row, TOKEN))
    }

    /// The text of the amount in base units.
    pub(super) fn amount_text(&self, row: usize) -> Cow<'_, str> {
        self.table.text(row, AMOUNT)
    }

    /// Base units. The list was checked.
    ///
    /// # Panics
    /// If the amount of the row is not a number.
    #[must_use]
    pub(super) fn amount(&self, row: usize) -> U256 {
        parse_units(&self.amount_text(row), 0).expect("the list was checked")
    }

    /// What this address gets, as it is written in the list; `None` if it gets nothing.
    ///
    /// # Panics
    /// If the list was not checked.
    #[must_use]
    pub fn amount_of(&self, address: &str) -> Option<U256> {
        let mut rows = 0..self.len();
        let found = rows.find(|&row| self.address(row) == address);
        found.map(|row| self.amount(row))
    }

    /// The same payments, each of this token.
    #[must_use]
    pub fn of_token(&self, token: &EvmAddress) -> Self {
        let (token, mut list) = (token.to_string(), Self::new(true));
        for row in 0..self.len() {
            list.push_of_token(&self.address(row), &self.amount_text(row), &token);
        }
        list
    }

    /// The same payments without the token beside each; `None` if they are of several tokens.
    #[must_use]
    pub fn without_token(&self) -> Option<Self> {
        let mut list = Self::new(false);
        for row in 0..self.len() {
            if self.token(row) != self.token(0) {
                return None;
            }
            list.push(&self.address(row), &self.amount_text(row));
        }
        Some(list)
    }

    /// The same payments in another order.
    pub(super) fn reordered(&self, rows: impl Iterator<Item = usize>) -> Self {
        let mut list = Self::new(self.has_tokens());
        for row in rows {
            for column in 0..self.table.columns() {
                list.table.push_json(self.table.json(row, column));
            }
        }
        list
    }
}

/// What two payments are compared by: the account, then the token if there is one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Account {
    Evm([u8; 40]),
    Solana(Box<[u8; 64]>),
    Text(Box<str>, Box<str>),
}

impl Account {
    /// A token is of the kind of the address.
    fn of(address: &str, token: Option<&str>, kind: AddressKind) -> Result<Self, PaymentError> {
        match kind {
            AddressKind::Evm => {
                let account = |text: &str| EvmAddress::parse(text).map(|account| *account.bytes());
                joined(address, token, account).map(Self::Evm)
            }
            AddressKind::Solana => {
                joined(address, token, solana_key).map(|bytes| Self::Solana(Box::new(bytes)))
            }
            AddressKind::Text => {
                let token = token.unwrap_or_default();
                Ok(Self::Text(address.into(), token.into()))
            }
        }
    }
}

/// The bytes of the address, then those of the token or zeros.
fn joined<const ONE: usize, const BOTH: usize>(
    address: &str,
    token: Option<&str>,
    bytes_of: impl Fn(&str) -> Result<[u8; ONE], AddressError>,
) -> Result<[u8; BOTH], PaymentError> {
    let mut bytes = [0; BOTH];
    let (first, second) = bytes.split_at_mut(ONE);
    first.copy_from_slice(&bytes_of(address).map_err(PaymentError::Address)?);
    if let Some(token) = token {
        second.copy_from_slice(&bytes_of(token).map_err(PaymentError::Token)?);
    }
    Ok(bytes)
}

/// The decimal text of an amount in base units.
fn base_units(text: &str, places: u8) -> Result<Cow<'_, str>, UnitsError> {
    if places == 0 && text.len() < 78 && is_canonical(text) {
        return Ok(text.into());
    }
    // Some tools write a sign.
    let unsigned = text.strip_prefix('+').filter(|_| places > 0);
    let amount = parse_units(unsigned.unwrap_or(text), places)?;
    Ok(amount.to_string().into())
}

/// Digits without a leading zero.
fn is_canonical(text: &str) -> bool {
    let is_number = text.bytes().all(|digit| digit.is_ascii_digit());
    is_number && (text == "0" || !text.starts_with('0')) && !text.is_empty()
}

/// Calls `take` with each row and its line.
pub(super) fn for_each_row(
    rows: &mut csv::Reader<&[u8]>,
    header: &[String],
    mut take: impl FnMut(&csv::StringRecord, u64) -> Result<(), ListError>,
) -> Result<(), ListError> {
    let mut row = csv::StringRecord::new();
    loop {
        let line = rows.position().line();
        let is_row = rows
            .read_record(&mut row)
            .map_err(|source| ListError::Row {
                line,
                header: header.join(","),
                source,
            })?;
        if !is_row {
            return Ok(());
        }
        take(&row, row.position().map_or(line, csv::Position::line))?;
    }
}

/// The line of a row, from 0, in a file that was read before.
pub(super) fn line_of(bytes: &[u8], row: usize) -> u64 {
    let mut rows = csv::ReaderBuilder::new().from_reader(bytes);
    let record = rows.records().nth(row).and_then(Result::ok);
    let position = record.as_ref().and_then(csv::StringRecord::position);
    position.map_or(0, csv::Position::line)
}

#[cfg(test)]
mod tests;
