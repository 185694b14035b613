//! Which scores count, and whose they are: exclusions, wallets of one holder, the least score, duplicates.
//!
//! What comes out is sorted by `holder_id` and has each holder once, written in the one way of its kind.

use std::collections::{HashMap, HashSet};

use rayon::prelude::*;
use ruint::aliases::U256;

use super::{AddressError, AddressKind, Share};
use crate::excerpt::quoted;

/// The conditions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// What a holder must be.
    pub kind: AddressKind,
    /// Whether an address that comes twice, in different case, is one holder.
    pub merges_duplicates: bool,
    /// Holders or wallets that get nothing; see [`Selection::exclude`].
    excluded: HashSet<Box<str>>,
    /// From wallets to holders.
    holders: HashMap<Box<str>, Box<str>>,
    /// A holder with a lower score is left out.
    pub min_score: U256,
}

/// Holders with a score above 0, and what became of the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selected {
    /// Ascending by `holder_id`, as bytes.
    pub shares: Vec<Share>,
    /// Scores of excluded holders.
    pub excluded: usize,
    /// Scores that were added to another score of their holder.
    pub merged: usize,
    /// Holders below the least score.
    pub below_min_score: usize,
    /// Holders with a score of 0.
    pub without_score: usize,
}

/// Why scores cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectionError {
    /// Not an address of the kind.
    #[error("holder_id: {0}; leave the holder out by exclude, or give its address by holders")]
    Address(AddressError),
    /// One address twice.
    #[error("holder_id: {} and {} are one address (merge_duplicates adds their scores)", quoted(.0), quoted(.1))]
    Duplicate(Box<str>, Box<str>),
    /// Scores of 2^256 steps or more.
    #[error("holder_id: the scores of {} do not fit into 256 bits", quoted(.0))]
    TooLarge(Box<str>),
    /// A wallet with two holders.
    #[error("wallet {} has two holders (keep one of its lines)", quoted(.0))]
    TwoHolders(Box<str>),
}

impl Selection {
    /// Everyone with a score.
    #[must_use]
    pub fn all(kind: AddressKind) -> Self {
        Self {
            kind,
            merges_duplicates: false,
            excluded: HashSet::new(),
            holders: HashMap::new(),
            min_score: U256::ZERO,
        }
    }

    /// Leaves out a holder or a wallet; an address in any case.
    pub fn exclude(&mut self, holder_id: &str) {
        self.excluded.insert(self.key(holder_id));
    }

    /// Adds the scores of `wallet` to those of `holder`.
    pub fn assign(&mut self, wallet: &str, holder: &str) -> Result<(), SelectionError> {
        let before = self.holders.insert(self.key(wallet), holder.into());
        match before {
            None => Ok(()),
            Some(_) => Err(SelectionError::TwoHolders(wallet.into())),
        }
    }

    /// The scores that are added up for a holder, which is written in the one way of its kind.
    #[must_use]
    pub fn scores_of<'s>(&self, holder_id: &str, scores: &'s [Share]) -> Vec<&'s Share> {
        let is_of_holder = |share: &&Share| match self.owner(&share.holder_id) {
            Ok(Owner::Itself(owner) | Owner::Assigned(owner)) => *owner == *holder_id,
            Ok(Owner::Excluded) | Err(_) => false,
        };
        scores.par_iter().filter(is_of_holder).collect()
    }

    /// Whether nothing is paid to a holder.
    #[must_use]
    pub fn excludes(&self, holder_id: &str) -> bool {
        self.excluded.contains(&self.key(holder_id))
    }

    /// What ids are compared by: the address, or the text of what is not one.
    fn key(&self, id: &str) -> Box<str> {
        self.kind.canonical(id).unwrap_or_else(|_| id.into())
    }

    /// Whose a score is.
    fn owner(&self, holder_id: &str) -> Result<Owner, SelectionError> {
        let key = self.kind.canonical(holder_id);
        let text = key.as_deref().unwrap_or(holder_id);
        if self.excluded.contains(text) {
            return Ok(Owner::Excluded);
        }
        let Some(holder) = self.holders.get(text) else {
            return key.map(Owner::Itself).map_err(SelectionError::Address);
        };
        let holder = self
            .kind
            .canonical(holder)
            .map_err(SelectionError::Address)?;
        let is_excluded = self.excluded.contains(&holder);
        Ok(if is_excluded {
            Owner::Excluded
        } else {
            Owner::Assigned(holder)
        })
    }
}

/// Whose a score is.
enum Owner {
    Excluded,
    Itself(Box<str>),
    Assigned(Box<str>),
}

/// A score of a holder, before those of one holder are added.
struct Part {
    holder_id: Box<str>,
    /// In the list of the scores.
    index: usize,
    is_assigned: bool,
}

/// Chooses and adds up.
pub fn select(scores: &[Share], selection: &Selection) -> Result<Selected, SelectionError> {
    let parts = scores.par_iter().enumerate().filter_map(|(index, share)| {
        let part = |holder_id, is_assigned| Part {
            holder_id,
            index,
            is_assigned,
        };
        match selection.owner(&share.holder_id) {
            Ok(Owner::Excluded) => None,
            Ok(Owner::Itself(holder_id)) => Some(Ok(part(holder_id, false))),
            Ok(Owner::Assigned(holder_id)) => Some(Ok(part(holder_id, true))),
            Err(error) => Some(Err((index, error))),
        }
    });
    let (mut parts, refused): (Vec<_>, Vec<_>) = parts.partition_map(|part| match part {
        Ok(part) => rayon::iter::Either::Left(part),
        Err(error) => rayon::iter::Either::Right(error),
    });
    if let Some((_, error)) = refused.into_iter().min_by_key(|(index, _)| *index) {
        return Err(error);
    }
    parts.par_sort_unstable_by(|a, b| {
        let by_holder = a.holder_id.as_bytes().cmp(b.holder_id.as_bytes());
        by_holder.then_with(|| (a.is_assigned, a.index).cmp(&(b.is_assigned, b.index)))
    });
    let mut selected = Selected {
        shares: Vec::with_capacity(parts.len()),
        excluded: scores.len() - parts.len(),
        merged: 0,
        below_min_score: 0,
        without_score: 0,
    };
    let mut groups = parts.into_iter().peekable();
    while let Some(part) = groups.next() {
        let Part {
            holder_id,
            index,
            is_assigned,
        } = part;
        let mut score = scores[index].score;
        while let Some(more) = groups.next_if(|more| more.holder_id == holder_id) {
            // Those who are assigned to it come after it, and were added up on request.
            let is_again = !is_assigned && !more.is_assigned;
            if is_again && !selection.merges_duplicates {
                let [first, second] =
                    [index, more.index].map(|index| scores[index].holder_id.clone());
                return Err(SelectionError::Duplicate(first, second));
            }
            let sum = score.checked_add(scores[more.index].score);
            score = sum.ok_or_else(|| SelectionError::TooLarge(holder_id.clone()))?;
            selected.merged += 1;
        }
        if score < selection.min_score {
            selected.below_min_score += 1;
        } else if score.is_zero() {
            selected.without_score += 1;
        } else {
            selected.shares.push(Share { holder_id, score });
        }
    }
    Ok(selected)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOWER: &str = "0xfb6916095ca1df60bb79ce92ce3ea74c37c5d359";
    const CHECKSUMMED: &str = "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359";
    const OTHER: &str = "0x1111111111111111111111111111111111111111";

    fn scores(rows: &[(&str, u64)]) -> Vec<Share> {
        let share = |&(holder_id, score): &(&str, u64)| Share {
            holder_id: holder_id.into(),
            score: U256::from(score),
        };
        rows.iter().map(share).collect()
    }

    #[test]
    fn one_address_in_two_cases_is_refused_or_merged() {
        let rows = scores(&[(LOWER, 1), (OTHER, 5), (CHECKSUMMED, 2)]);
        let mut selection = Selection::all(AddressKind::Evm);
        let refused = SelectionError::Duplicate(LOWER.into(), CHECKSUMMED.into());
        assert_eq!(select(&rows, &selection), Err(refused));
        selection.merges_duplicates = true;
        let selected = select(&rows, &selection).unwrap();
        assert_eq!(selected.shares, scores(&[(OTHER, 5), (CHECKSUMMED, 3)]));
        assert_eq!(selected.merged, 1);
    }

    #[test]
    fn wallets_are_added_to_their_holder_and_the_excluded_get_nothing() {
        let rows = scores(&[("ann", 1), (OTHER, 5), (LOWER, 2), ("treasury", 9)]);
        let mut selection = Selection::all(AddressKind::Evm);
        selection.assign("ann", LOWER).unwrap();
        selection.exclude("treasury");
        let selected = select(&rows, &selection).unwrap();
        assert_eq!(selected.shares, scores(&[(OTHER, 5), (CHECKSUMMED, 3)]));
        assert_eq!((selected.excluded, selected.merged), (1, 1));
        assert_eq!(
            selection.scores_of(CHECKSUMMED, &rows),
            [&rows[0], &rows[2]]
        );
        assert!(selection.scores_of("treasury", &rows).is_empty());
        assert!(selection.excludes("treasury") && !selection.excludes(LOWER));
        selection.exclude(CHECKSUMMED);
        assert_eq!(
            select(&rows, &selection).unwrap().shares,
            scores(&[(OTHER, 5)])
        );
        assert_eq!(
            selection.assign("ann", OTHER),
            Err(SelectionError::TwoHolders("ann".into()))
        );
    }

    #[test]
    fn a_low_score_is_left_out_and_a_holder_without_address_is_named() {
        let mut selection = Selection::all(AddressKind::Text);
        selection.min_score = U256::from(2);
        let selected = select(&scores(&[("b", 2), ("a", 1), ("c", 0)]), &selection).unwrap();
        assert_eq!(selected.shares, scores(&[("b", 2)]));
        assert_eq!(selected.below_min_score, 2);
        let refused = AddressError::NotEvm("b".into());
        let refused = SelectionError::Address(refused);
        assert_eq!(
            select(&scores(&[("b", 2)]), &Selection::all(AddressKind::Evm)),
            Err(refused)
        );
    }
}
