//! What a correction changes: the difference of each holder between a published list and the right one, and the next
//! cumulative amounts, which never take back what was claimable.
//!
//! A contract like Merkl's pays a cumulative amount less what was claimed, so an amount that was published cannot be
//! lowered: a holder that got too much owes the rest, and later rounds count against that.

use std::fmt;
use std::io::{self, Write};

use rayon::prelude::*;
use ruint::aliases::U256;
use serde::{Deserialize, Serialize};

use super::{AddressKind, List, PaymentError};

/// The holders of two lists, ascending by address, then by token, as bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restatement {
    rows: Vec<Restated>,
    has_tokens: bool,
    sums: RestatedSums,
}

/// One holder in both lists; an amount is 0 if it is not in that list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restated {
    /// Written in the one way of its kind.
    pub holder_id: Box<str>,
    /// Of lists with tokens.
    pub token: Option<Box<str>>,
    /// What was published.
    pub old: U256,
    /// What is right.
    pub new: U256,
}

/// The columns in sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct RestatedSums {
    /// What was published.
    pub old: U256,
    /// What is right.
    pub new: U256,
    /// What is claimable next.
    pub next: U256,
    /// What was published above what is right; `next` is `new` and this.
    pub debt: U256,
}

/// How many holders have which difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestatedCounts {
    /// In one of the lists.
    pub holders: usize,
    /// With more than before.
    pub raised: usize,
    /// With less than before, who owe the difference.
    pub debtors: usize,
}

/// A number of base units with its sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedUnits {
    is_negative: bool,
    size: U256,
}

/// Why two lists cannot be compared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestateError {
    /// A list with tokens beside one without.
    #[error(
        "one list has the header user,token,amount and the other has not (name the token in both)"
    )]
    Tokens,
    /// A row that cannot be paid.
    #[error("{list}: row {number}: {reason}")]
    Payment {
        /// OLD or NEW.
        list: &'static str,
        /// From 1, without the header.
        number: usize,
        /// Why.
        reason: PaymentError,
    },
    /// Next amounts of 2^256 or more in sum.
    #[error("the next amounts sum to 2^256 base units or more")]
    Sum,
}

/// Compares what was published with what is right.
///
/// ```
/// use poh_holdmetrics_rust::airdrop::{AddressKind, List, restate};
///
/// let read = |text: &str| List::read(text.as_bytes(), AddressKind::Text, 0).unwrap();
/// let old = read("address,amount\nann,60\nbob,40\n");
/// let new = read("address,amount\nann,55\nbob,45\n");
/// let restated = restate(&old, &new, AddressKind::Text)?;
/// let rows: Vec<_> = restated.rows().iter().map(|row| row.difference().to_string()).collect();
/// assert_eq!(rows, ["-5", "5"]);
/// assert_eq!(restated.rows()[0].next().to_string(), "60", "ann could claim it");
/// assert_eq!(restated.rows()[0].debt().to_string(), "5");
/// # Ok::<(), poh_holdmetrics_rust::airdrop::RestateError>(())
/// ```
pub fn restate(old: &List, new: &List, kind: AddressKind) -> Result<Restatement, RestateError> {
    if old.has_tokens() != new.has_tokens() {
        return Err(RestateError::Tokens);
    }
    let mut rows = sides(old, kind, "OLD", |holder_id, token, old| Restated {
        holder_id,
        token,
        old,
        new: U256::ZERO,
    })?;
    rows.extend(sides(new, kind, "NEW", |holder_id, token, new| Restated {
        holder_id,
        token,
        old: U256::ZERO,
        new,
    })?);
    rows.par_sort_unstable_by(|a, b| a.account().cmp(&b.account()));
    rows.dedup_by(|second, first| {
        let is_same = first.account() == second.account();
        if is_same {
            // Each list has the account once.
            first.old |= second.old;
            first.new |= second.new;
        }
        is_same
    });
    let mut sums = RestatedSums::default();
    for row in &rows {
        // Both lists are below 2^256 in sum, and so is the debt, which is a part of what was published.
        sums.old += row.old;
        sums.new += row.new;
        sums.debt += row.debt();
    }
    sums.next = sums.new.checked_add(sums.debt).ok_or(RestateError::Sum)?;
    Ok(Restatement {
        rows,
        has_tokens: old.has_tokens(),
        sums,
    })
}

/// The rows of one list.
fn sides(
    list: &List,
    kind: AddressKind,
    name: &'static str,
    row_of: impl Fn(Box<str>, Option<Box<str>>, U256) -> Restated + Sync,
) -> Result<Vec<Restated>, RestateError> {
    let refused = |(row, reason)| RestateError::Payment {
        list: name,
        number: row + 1,
        reason,
    };
    list.check(kind).map_err(refused)?;
    let canonical = |text: &str| kind.canonical(text).expect("the list was checked");
    let rows = (0..list.len()).into_par_iter().map(|row| {
        let token = list.token(row);
        row_of(
            canonical(&list.address(row)),
            token.map(|token| canonical(&token)),
            list.amount(row),
        )
    });
    Ok(rows.collect())
}

impl Restatement {
    /// Each holder once.
    #[must_use]
    pub fn rows(&self) -> &[Restated] {
        &self.rows
    }

    /// The columns in sum.
    #[must_use]
    pub const fn sums(&self) -> &RestatedSums {
        &self.sums
    }

    /// What the differences sum to: the new sum less the old one.
    #[must_use]
    pub fn difference(&self) -> SignedUnits {
        SignedUnits::between(self.sums.old, self.sums.new)
    }

    /// How many holders have which difference.
    #[must_use]
    pub fn counts(&self) -> RestatedCounts {
        let count = |is_counted: fn(&Restated) -> bool| {
            self.rows.iter().filter(|row| is_counted(row)).count()
        };
        RestatedCounts {
            holders: self.rows.len(),
            raised: count(|row| row.new > row.old),
            debtors: count(|row| row.new < row.old),
        }
    }

    /// The next cumulative amounts.
    #[must_use]
    pub fn next(&self) -> List {
        let mut list = List::new(self.has_tokens);
        for row in &self.rows {
            let amount = row.next().to_string();
            match &row.token {
                None => list.push(&row.holder_id, &amount),
                Some(token) => list.push_of_token(&row.holder_id, &amount, token),
            }
        }
        list
    }

    /// Writes a row of CSV for each holder whose amount changes.
    ///
    /// # Errors
    /// If `out` cannot be written to.
    pub fn write_differences(&self, out: &mut impl Write) -> io::Result<()> {
        let mut rows = csv::Writer::from_writer(out);
        let names: &[&str] = if self.has_tokens {
            &["user", "token"]
        } else {
            &["address"]
        };
        let columns = ["old", "new", "difference", "next", "debt"];
        rows.write_record(names.iter().chain(&columns))?;
        for row in self.rows.iter().filter(|row| row.old != row.new) {
            let numbers = [
                row.old.to_string(),
                row.new.to_string(),
                row.difference().to_string(),
                row.next().to_string(),
                row.debt().to_string(),
            ];
            let names = [Some(&*row.holder_id), row.token.as_deref()];
            let numbers = numbers.iter().map(String::as_str);
            rows.write_record(names.into_iter().flatten().chain(numbers))?;
        }
        rows.flush()
    }
}

impl Restated {
    fn account(&self) -> (&[u8], Option<&[u8]>) {
        let token = self.token.as_deref().map(str::as_bytes);
        (self.holder_id.as_bytes(), token)
    }

    /// What the holder gets more, or less if negative.
    #[must_use]
    pub fn difference(&self) -> SignedUnits {
        SignedUnits::between(self.old, self.new)
    }

    /// The next cumulative amount: what is right, but not less than what was claimable.
    #[must_use]
    pub fn next(&self) -> U256 {
        self.old.max(self.new)
    }

    /// What was published above what is right.
    #[must_use]
    pub fn debt(&self) -> U256 {
        self.old.saturating_sub(self.new)
    }
}

impl SignedUnits {
    /// `new` - `old`.
    fn between(old: U256, new: U256) -> Self {
        Self {
            is_negative: new < old,
            size: new.abs_diff(old),
        }
    }
}

impl fmt::Display for SignedUnits {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.is_negative { "-" } else { "" };
        write!(out, "{sign}{}", self.size)
    }
}

#[cfg(test)]
mod tests;
