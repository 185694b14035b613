//! The amounts: a pool shared in proportion to scores, which sums to the pool to the last unit.
//!
//! Each holder has floor(pool x weight / total); the spare units go one by one to the largest remainders, ties by
//! `holder_id`, bytes ascending. A product of pool and weight has up to 512 bits; nothing here rounds otherwise.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use rayon::prelude::*;
use ruint::aliases::{U256, U512};

/// A holder and its score.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// Unique in a list.
    pub holder_id: Box<str>,
    /// In steps of 1e-24 weight-seconds.
    pub score: U256,
}

/// How a score becomes a weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Curve {
    /// The score.
    #[default]
    Linear,
    /// The square root of the score, rounded down to 24 decimal places.
    SquareRoot,
}

/// What is shared, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Base units.
    pub pool: U256,
    /// From scores to weights.
    pub curve: Curve,
    /// The most that one holder gets, in base units; what is left is shared by the others.
    pub cap: Option<U256>,
    /// A holder that would get less is left out, and the pool is shared anew by the others.
    pub minimum: U256,
}

/// Amounts that sum to the pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allocation {
    /// In the order of the shares.
    pub amounts: Vec<U256>,
    /// How many holders get the cap instead of a larger share.
    pub capped: usize,
    /// How many holders were left out because of the minimum.
    pub below_minimum: usize,
    /// How those below the cap share what the others leave.
    pub division: Division,
}

/// What the holders below the cap share, and which of them get a spare unit: the amount of each holder follows from it
/// and from its own score.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Division {
    /// The pool without the holders that get the cap.
    pub rest: U256,
    /// Their weights in sum; not 0.
    pub total: U256,
    /// The last of those that get a spare unit; `None` if there is no spare unit.
    pub last_spare: Option<LastSpare>,
}

/// The holder with the smallest remainder that gets a spare unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastSpare {
    /// What is left of rest x weight / total.
    pub remainder: U256,
    /// Of the holders with this remainder, those up to this one, by bytes, get a unit.
    pub holder_id: Box<str>,
}

/// What one holder gets, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Portion {
    /// Of the score.
    pub weight: U256,
    /// Whether the share would be above the cap.
    pub is_capped: bool,
    /// floor(rest x weight / total), or the cap.
    pub floor: U256,
    /// What is left of this division; 0 with the cap.
    pub remainder: U256,
    /// Whether a spare unit is added.
    pub has_spare: bool,
}

impl Portion {
    /// The floor with the spare unit.
    #[must_use]
    pub fn amount(&self) -> U256 {
        self.floor + U256::from(u8::from(self.has_spare))
    }
}

impl Division {
    /// What a holder with this score gets, if it is one of those that share: the cap if its share would be above it.
    /// `None` if the total is below its weight.
    ///
    /// ```
    /// use poh_holdmetrics_rust::airdrop::{Curve, Share, Terms, allocate};
    /// use ruint::aliases::U256;
    ///
    /// let shares = [1, 2].map(|score| Share { holder_id: "ab"[..score].into(), score: U256::from(score) });
    /// let terms = Terms { pool: U256::from(100), curve: Curve::Linear, cap: None, minimum: U256::ZERO };
    /// let division = allocate(&shares, &terms)?.division;
    /// let portion = division.portion("ab", shares[1].score, &terms).expect("it is one of them");
    /// assert_eq!((portion.floor, portion.has_spare), (U256::from(66), true));
    /// # Ok::<(), poh_holdmetrics_rust::airdrop::AllocationError>(())
    /// ```
    #[must_use]
    pub fn portion(&self, holder_id: &str, score: U256, terms: &Terms) -> Option<Portion> {
        let weight = terms.curve.weight(score);
        if let Some(cap) = terms.cap
            && is_above(cap, self.rest, weight, self.total)
        {
            return Some(Portion {
                weight,
                is_capped: true,
                floor: cap,
                remainder: U256::ZERO,
                has_spare: false,
            });
        }
        if self.total.is_zero() || weight > self.total {
            return None;
        }
        let (floor, remainder) = part(self.rest, weight, self.total);
        let is_among = |last: &LastSpare| {
            let by_remainder = last.remainder.cmp(&remainder);
            by_remainder
                .then_with(|| holder_id.as_bytes().cmp(last.holder_id.as_bytes()))
                .is_le()
        };
        // There are fewer spare units than remainders above 0.
        let has_spare = !remainder.is_zero() && self.last_spare.as_ref().is_some_and(is_among);
        Some(Portion {
            weight,
            is_capped: false,
            floor,
            remainder,
            has_spare,
        })
    }
}

/// Why a pool cannot be shared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AllocationError {
    /// A pool of 0.
    #[error("pool: 0 (write an amount above 0)")]
    EmptyPool,
    /// No holder has a score above 0.
    #[error("the scores sum to 0, so that no holder has a share of the pool")]
    NoScore,
    /// Weights of 2^256 or more in sum.
    #[error(
        "the scores sum to 2^256 steps of 1e-24 or more (divide them by a constant, which changes no share)"
    )]
    TotalTooLarge,
    /// All holders at the cap leave a part of the pool.
    #[error(
        "cap: {holders} holders at {cap} base units each do not use up the pool of {pool} (raise the cap or lower the pool)"
    )]
    CapTooLow {
        /// The cap.
        cap: U256,
        /// The holders with a share.
        holders: usize,
        /// The pool.
        pool: U256,
    },
    /// Everyone is left out.
    #[error(
        "minimum: no holder gets {minimum} base units or more (lower the minimum or raise the pool)"
    )]
    MinimumTooHigh {
        /// The minimum.
        minimum: U256,
    },
}

/// Shares the pool.
///
/// ```
/// use poh_holdmetrics_rust::airdrop::{Curve, Share, Terms, allocate};
/// use ruint::aliases::U256;
///
/// let share = |holder: &str| Share { holder_id: holder.into(), score: U256::ONE };
/// let terms = Terms { pool: U256::from(100), curve: Curve::Linear, cap: None, minimum: U256::ZERO };
/// let allocation = allocate(&[share("c"), share("b"), share("a")], &terms)?;
/// assert_eq!(allocation.amounts, [33, 33, 34].map(U256::from));
/// # Ok::<(), poh_holdmetrics_rust::airdrop::AllocationError>(())
/// ```
///
/// # Panics
/// Never: there is one amount for each holder.
pub fn allocate(shares: &[Share], terms: &Terms) -> Result<Allocation, AllocationError> {
    if terms.pool.is_zero() {
        return Err(AllocationError::EmptyPool);
    }
    let weights = shares
        .par_iter()
        .map(|share| terms.curve.weight(share.score));
    let weighed = Weighed {
        shares,
        weights: weights.collect(),
        terms,
    };
    let mut members: Vec<usize> = (0..shares.len())
        .filter(|&index| !weighed.weights[index].is_zero())
        .collect();
    if members.is_empty() {
        return Err(AllocationError::NoScore);
    }
    let with_a_share = members.len();
    loop {
        let (given, capped, division) = weighed.share_out(&members)?;
        let before = members.len();
        let mut amounts = given.iter();
        members.retain(|_| *amounts.next().expect("one each") >= terms.minimum);
        if members.is_empty() {
            let minimum = terms.minimum;
            return Err(AllocationError::MinimumTooHigh { minimum });
        }
        if members.len() < before {
            continue;
        }
        let mut amounts = vec![U256::ZERO; shares.len()];
        for (&index, amount) in members.iter().zip(given) {
            amounts[index] = amount;
        }
        return Ok(Allocation {
            amounts,
            capped,
            below_minimum: with_a_share - members.len(),
            division,
        });
    }
}

impl Curve {
    const ALL: [Self; 2] = [Self::Linear, Self::SquareRoot];

    /// Its name on the command line and in requests.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::SquareRoot => "square-root",
        }
    }

    /// The curve of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|curve| curve.name() == name)
    }

    /// The weight of a score in steps of 1e-24.
    pub(super) fn weight(self, score: U256) -> U256 {
        match self {
            Self::Linear => score,
            Self::SquareRoot => {
                // The root of steps of 1e-24 is in steps of 1e-12.
                let places = U256::from(1_000_000_000_000_000_000_000_000_u128);
                let root: U512 = product(score, places).root(2);
                root.to()
            }
        }
    }
}

/// Holders with their weights.
struct Weighed<'a> {
    shares: &'a [Share],
    weights: Vec<U256>,
    terms: &'a Terms,
}

impl Weighed<'_> {
    /// The amounts of `members`, in their order, how many of them get the cap, and how the others share.
    fn share_out(
        &self,
        members: &[usize],
    ) -> Result<(Vec<U256>, usize, Division), AllocationError> {
        let mut sum = Some(U256::ZERO);
        for &index in members {
            sum = sum.and_then(|sum| sum.checked_add(self.weights[index]));
        }
        let total = sum.ok_or(AllocationError::TotalTooLarge)?;
        let Some(cap) = self.terms.cap else {
            let (amounts, division) = self.shares_of(members, self.terms.pool, total);
            return Ok((amounts, 0, division));
        };
        let Uncapped {
            capped,
            rest,
            total,
        } = self.cap(members, cap, total)?;
        let is_free = |index: &usize| !is_above(cap, rest, self.weights[*index], total);
        let free: Vec<usize> = members.iter().copied().filter(is_free).collect();
        let (shared, division) = self.shares_of(&free, rest, total);
        let mut shared = shared.into_iter();
        let amounts = members.iter().map(|index| {
            if is_free(index) {
                shared.next().expect("one each")
            } else {
                cap
            }
        });
        Ok((amounts.collect(), capped, division))
    }

    /// Gives the heaviest holders the cap until the next one's share of the rest is within it.
    ///
    /// A share within the cap never gets a spare unit above it: the spare units are fewer than the holders with a
    /// remainder, so a share of exactly the cap gets none.
    fn cap(&self, members: &[usize], cap: U256, total: U256) -> Result<Uncapped, AllocationError> {
        let mut left = Uncapped {
            capped: 0,
            rest: self.terms.pool,
            total,
        };
        let weights: Vec<U256> = members.iter().map(|&index| self.weights[index]).collect();
        let mut heap = BinaryHeap::from(weights);
        while let Some(weight) = heap.pop() {
            if !is_above(cap, left.rest, weight, left.total) {
                return Ok(left);
            }
            left = Uncapped {
                capped: left.capped + 1,
                rest: left.rest - cap,
                total: left.total - weight,
            };
        }
        Err(AllocationError::CapTooLow {
            cap,
            holders: members.len(),
            pool: self.terms.pool,
        })
    }

    fn by_id(&self, a: usize, b: usize) -> Ordering {
        self.shares[a]
            .holder_id
            .as_bytes()
            .cmp(self.shares[b].holder_id.as_bytes())
    }

    /// What `members`, whose weights sum to `total`, get of `rest`.
    fn shares_of(&self, members: &[usize], rest: U256, total: U256) -> (Vec<U256>, Division) {
        let parts = members
            .par_iter()
            .map(|&index| part(rest, self.weights[index], total));
        let (mut amounts, remainders): (Vec<U256>, Vec<U256>) = parts.unzip();
        let floors = amounts.iter().fold(U256::ZERO, |sum, amount| sum + amount);
        let spare: usize = (rest - floors).to();
        let mut last_spare = None;
        if spare > 0 {
            let mut order: Vec<usize> = (0..members.len()).collect();
            let (_, &mut last, _) = order.select_nth_unstable_by(spare - 1, |&a, &b| {
                let by_remainder = remainders[b].cmp(&remainders[a]);
                by_remainder.then_with(|| self.by_id(members[a], members[b]))
            });
            last_spare = Some(LastSpare {
                remainder: remainders[last],
                holder_id: self.shares[members[last]].holder_id.clone(),
            });
            for &index in &order[..spare] {
                amounts[index] += U256::ONE;
            }
        }
        let division = Division {
            rest,
            total,
            last_spare,
        };
        (amounts, division)
    }
}

/// What is left for the holders below the cap.
struct Uncapped {
    capped: usize,
    rest: U256,
    total: U256,
}

/// Whether `weight` has a share of `rest` above the cap.
///
/// Once the holders with the cap are known, this is so for each of them and for nobody else: giving one of them the cap
/// leaves the others more for each unit of weight, because its own share was above the cap.
fn is_above(cap: U256, rest: U256, weight: U256, total: U256) -> bool {
    product(rest, weight) > product(cap, total)
}

/// All 512 bits.
fn product(a: U256, b: U256) -> U512 {
    a.widening_mul(b)
}

/// `pool` x `weight` / `total`, and its remainder.
fn part(pool: U256, weight: U256, total: U256) -> (U256, U256) {
    // Real pools and scores fit, and a division of 256 bits is faster.
    if let Some(product) = pool.checked_mul(weight) {
        return product.div_rem(total);
    }
    let (floor, remainder) = product(pool, weight).div_rem(U512::from(total));
    (floor.to(), remainder.to())
}

#[cfg(test)]
mod tests;
