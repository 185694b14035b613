//! What a correction changes: the difference of each holder between a published list and the right one, and the next
//! cumulative amounts, which never take back what was claimable.
//!
//! A contract like Merkl's pays a cumulative amount less what was claimed, so an amount that was published cannot be
//! lowered: a holder that got too much owes the rest, and later rounds count against that.

use std::fmt;
use std::io::{self, Write};

use rayon::prelude::*;
use ruint::aliases::U256;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Holders by their number, with amounts; 0 is left out.
    fn list(amounts: &[(u8, u64)]) -> List {
        let mut list = List::new(false);
        for (holder, amount) in amounts.iter().filter(|(_, amount)| *amount > 0) {
            list.push(&format!("h{holder}"), &amount.to_string());
        }
        list
    }

    fn amounts() -> impl Strategy<Value = Vec<(u8, u64)>> {
        let amount = prop_oneof![0_u64..4, any::<u64>()];
        prop::collection::btree_map(0_u8..12, amount, 0..12)
            .prop_map(|amounts| amounts.into_iter().collect())
    }

    fn signed(units: SignedUnits) -> i128 {
        let size: i128 = units.size.to::<u128>().try_into().unwrap();
        if units.is_negative { -size } else { size }
    }

    proptest! {
        #[test]
        fn differences_sum_to_the_new_pool_less_the_old_one(old in amounts(), new in amounts()) {
            let restated = restate(&list(&old), &list(&new), AddressKind::Text).unwrap();
            let sum = |amounts: &[(u8, u64)]| amounts.iter().map(|(_, amount)| i128::from(*amount)).sum::<i128>();
            let differences: i128 = restated.rows().iter().map(|row| signed(row.difference())).sum();
            prop_assert_eq!(differences, sum(&new) - sum(&old));
            prop_assert_eq!(differences, signed(restated.difference()));
        }

        #[test]
        fn the_next_amount_is_never_below_the_published_one_and_the_debt_is_what_is_above_the_right_one(
            old in amounts(), new in amounts(),
        ) {
            let restated = restate(&list(&old), &list(&new), AddressKind::Text).unwrap();
            for row in restated.rows() {
                prop_assert!(row.next() >= row.old && row.next() >= row.new);
                prop_assert_eq!(row.next(), row.new + row.debt());
                prop_assert!(row.debt().is_zero() || row.next() == row.old);
            }
            let sums = restated.sums();
            prop_assert_eq!(sums.next, sums.new + sums.debt);
            let next = restated.next();
            if !next.is_empty() {
                prop_assert_eq!(next.check(AddressKind::Text), Ok(sums.next));
            }
            // What was restated is not restated again, and the debt stays.
            let again = restate(&next, &list(&new), AddressKind::Text).unwrap();
            prop_assert_eq!(again.next(), next);
            prop_assert_eq!(again.sums().debt, sums.debt);
        }

        #[test]
        fn the_order_of_the_lists_changes_nothing(
            (old, permuted) in amounts().prop_flat_map(|old| (Just(old.clone()), Just(old).prop_shuffle())),
            new in amounts(),
        ) {
            let [of_old, of_permuted] = [&old, &permuted].map(|old| {
                restate(&list(old), &list(&new), AddressKind::Text).unwrap()
            });
            prop_assert_eq!(of_old, of_permuted);
        }
    }

    #[test]
    fn an_address_in_another_case_is_the_same_holder_and_a_token_makes_another_account() {
        let lower = "0xfb6916095ca1df60bb79ce92ce3ea74c37c5d359";
        let token = "0x1111111111111111111111111111111111111111";
        let upper = format!("0x{}", lower[2..].to_ascii_uppercase());
        let read = |rows: &str| {
            let text = format!("user,token,amount\n{rows}");
            List::read(text.as_bytes(), AddressKind::Evm, 0).unwrap()
        };
        let old = read(&format!("{lower},{token},5\n"));
        let new = read(&format!("{upper},{token},7\n{lower},{lower},1\n"));
        let restated = restate(&old, &new, AddressKind::Evm).unwrap();
        let mut bytes = Vec::new();
        restated.write_differences(&mut bytes).unwrap();
        let checksummed = "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359";
        let expected = format!(
            "user,token,old,new,difference,next,debt\n{checksummed},{token},5,7,2,7,0\n\
             {checksummed},{checksummed},0,1,1,1,0\n"
        );
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
        let plain = list(&[(1, 1)]);
        assert_eq!(
            restate(&old, &plain, AddressKind::Evm),
            Err(RestateError::Tokens)
        );
    }

    #[test]
    fn next_amounts_that_do_not_fit_are_refused() {
        let most = |holder: &str| {
            let mut list = List::new(false);
            list.push(holder, &U256::MAX.to_string());
            list
        };
        let refused = restate(&most("a"), &most("b"), AddressKind::Text);
        assert_eq!(refused, Err(RestateError::Sum));
    }
}
