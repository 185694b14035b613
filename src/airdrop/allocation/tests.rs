//! The allocation against a naive twin, which follows the rules literally in rounds.

use proptest::prelude::*;

use super::*;

fn shares(scores: &[U256]) -> Vec<Share> {
    let share = |(index, &score): (usize, &U256)| Share {
        // Not in the order of the list.
        holder_id: format!("{}-{index}", index * 7 % 10).into(),
        score,
    };
    scores.iter().enumerate().map(share).collect()
}

fn small(scores: &[u64]) -> Vec<Share> {
    let scores: Vec<_> = scores.iter().copied().map(U256::from).collect();
    shares(&scores)
}

fn terms(pool: u64) -> Terms {
    Terms {
        pool: U256::from(pool),
        curve: Curve::Linear,
        cap: None,
        minimum: U256::ZERO,
    }
}

fn sum(amounts: &[U256]) -> U256 {
    amounts.iter().fold(U256::ZERO, |sum, amount| sum + amount)
}

/// The rules as the manual states them, in rounds; `None` where there is no answer.
fn naive(shares: &[Share], terms: &Terms) -> Option<Vec<U256>> {
    let mut left: Vec<usize> = (0..shares.len())
        .filter(|&i| !shares[i].score.is_zero())
        .collect();
    loop {
        let amounts = naive_with_cap(shares, &left, terms)?;
        let below: Vec<usize> = left
            .iter()
            .copied()
            .filter(|&i| amounts[i] < terms.minimum)
            .collect();
        if below.is_empty() {
            return Some(amounts);
        }
        left.retain(|index| !below.contains(index));
    }
}

fn naive_with_cap(shares: &[Share], members: &[usize], terms: &Terms) -> Option<Vec<U256>> {
    let mut amounts = vec![U256::ZERO; shares.len()];
    let (mut free, mut rest) = (members.to_vec(), U512::from(terms.pool));
    loop {
        let total = free
            .iter()
            .fold(U512::ZERO, |sum, &i| sum + U512::from(shares[i].score));
        if total.is_zero() {
            return rest.is_zero().then_some(amounts);
        }
        let mut remainders = Vec::new();
        let mut spare = rest;
        for &index in &free {
            let product = rest * U512::from(shares[index].score);
            amounts[index] = (product / total).to();
            spare -= product / total;
            remainders.push((product % total, index));
        }
        remainders.sort_by(|a, b| {
            b.0.cmp(&a.0)
                .then_with(|| shares[a.1].holder_id.cmp(&shares[b.1].holder_id))
        });
        for (_, index) in &remainders[..spare.to::<usize>()] {
            amounts[*index] += U256::ONE;
        }
        let cap = terms.cap.unwrap_or(U256::MAX);
        let over: Vec<usize> = free.iter().copied().filter(|&i| amounts[i] > cap).collect();
        if over.is_empty() {
            return Some(amounts);
        }
        for index in over {
            amounts[index] = cap;
            rest -= U512::from(cap);
            free.retain(|&left| left != index);
        }
    }
}

#[test]
fn what_cannot_be_shared_is_an_error() {
    let thirds = small(&[1, 1, 1]);
    assert_eq!(
        allocate(&thirds, &terms(0)),
        Err(AllocationError::EmptyPool)
    );
    for none in [small(&[]), small(&[0, 0])] {
        assert_eq!(allocate(&none, &terms(9)), Err(AllocationError::NoScore));
    }
    let (cap, pool) = (U256::from(3), U256::from(10));
    let capped = Terms {
        cap: Some(cap),
        ..terms(10)
    };
    let too_low = AllocationError::CapTooLow {
        cap,
        holders: 3,
        pool,
    };
    assert_eq!(allocate(&thirds, &capped), Err(too_low));
    let minimum = U256::from(4);
    let refused = Terms {
        minimum,
        ..terms(9)
    };
    assert_eq!(
        allocate(&thirds, &refused),
        Err(AllocationError::MinimumTooHigh { minimum })
    );
    let huge = shares(&[U256::MAX, U256::ONE]);
    assert_eq!(
        allocate(&huge, &terms(9)),
        Err(AllocationError::TotalTooLarge)
    );
}

#[test]
fn a_cap_that_just_uses_up_the_pool_is_the_amount_of_all() {
    let capped = Terms {
        cap: Some(U256::from(3)),
        ..terms(9)
    };
    let allocation = allocate(&small(&[100, 1, 0, 10]), &capped).unwrap();
    assert_eq!(allocation.amounts, [3, 3, 0, 3].map(U256::from));
}

#[test]
fn a_recipient_below_the_minimum_leaves_its_amount_to_the_others() {
    let refused = Terms {
        minimum: U256::from(10),
        ..terms(100)
    };
    let allocation = allocate(&small(&[60, 31, 9]), &refused).unwrap();
    assert_eq!(allocation.amounts, [66, 34, 0].map(U256::from));
    assert_eq!(allocation.below_minimum, 1);
}

#[test]
fn the_largest_numbers_are_shared_exactly() {
    let half = U256::MAX >> 1;
    let most = Terms {
        pool: U256::MAX,
        ..terms(0)
    };
    let allocation = allocate(&shares(&[half, half, U256::ONE]), &most).unwrap();
    assert_eq!(allocation.amounts, [half, half, U256::ONE]);
}

#[test]
fn a_fourfold_score_has_twice_the_root() {
    let root = Terms {
        curve: Curve::SquareRoot,
        ..terms(3)
    };
    let allocation = allocate(&small(&[4, 1]), &root).unwrap();
    assert_eq!(allocation.amounts, [2, 1].map(U256::from));
}

/// Scores from 0 to many bits, with ties.
fn scores() -> impl Strategy<Value = Vec<U256>> {
    let score = prop_oneof![
        (0_u64..6).prop_map(U256::from),
        any::<u128>().prop_map(U256::from),
        (any::<[u64; 4]>(), 16_usize..250)
            .prop_map(|(limbs, shift)| U256::from_limbs(limbs) >> shift),
    ];
    prop::collection::vec(score, 1..12)
}

fn any_terms() -> impl Strategy<Value = Terms> {
    let pool = prop_oneof![
        (1_u64..200).prop_map(U256::from),
        (any::<[u64; 4]>(), 0_usize..256)
            .prop_map(|(limbs, shift)| (U256::from_limbs(limbs) >> shift) | U256::ONE),
    ];
    (
        pool,
        prop::option::of(1_u64..12),
        prop::option::of(4_u64..40),
    )
        .prop_map(|(pool, cap, minimum)| Terms {
            pool,
            curve: Curve::Linear,
            // Fractions of the pool, so that they bind.
            cap: cap
                .map(|parts| pool / U256::from(parts))
                .filter(|cap| !cap.is_zero()),
            minimum: minimum.map_or(U256::ZERO, |parts| pool / U256::from(parts)),
        })
}

proptest! {
    #[test]
    fn the_twin_agrees(scores in scores(), terms in any_terms()) {
        let shares = shares(&scores);
        let allocated = allocate(&shares, &terms).ok().map(|found| found.amounts);
        let expected = scores.iter().any(|score| !score.is_zero()).then(|| naive(&shares, &terms)).flatten();
        prop_assert_eq!(allocated, expected);
    }

    #[test]
    fn the_division_tells_the_amount_of_each_holder(scores in scores(), terms in any_terms()) {
        let shares = shares(&scores);
        if let Ok(Allocation { amounts, division, capped, .. }) = allocate(&shares, &terms) {
            let portions = shares.iter().zip(&amounts).filter(|(_, amount)| !amount.is_zero()).map(|(share, amount)| {
                (division.portion(&share.holder_id, share.score, &terms).unwrap(), *amount)
            });
            let portions: Vec<_> = portions.collect();
            prop_assert!(portions.iter().all(|(portion, amount)| portion.amount() == *amount));
            prop_assert_eq!(portions.iter().filter(|(portion, _)| portion.is_capped).count(), capped);
        }
    }

    #[test]
    fn the_sum_is_the_pool_and_limits_hold_and_more_score_is_never_less(scores in scores(), terms in any_terms()) {
        let shares = shares(&scores);
        if let Ok(Allocation { amounts, .. }) = allocate(&shares, &terms) {
            prop_assert_eq!(sum(&amounts), terms.pool);
            prop_assert!(amounts.iter().all(|amount| terms.cap.is_none_or(|cap| *amount <= cap)));
            prop_assert!(amounts.iter().all(|amount| amount.is_zero() || *amount >= terms.minimum));
            for (more, less) in (0..shares.len()).flat_map(|a| (0..shares.len()).map(move |b| (a, b))) {
                prop_assert!(scores[more] <= scores[less] || amounts[more] >= amounts[less]);
            }
        }
    }

    #[test]
    fn the_order_of_the_input_changes_nothing(
        (shares, permuted) in scores().prop_flat_map(|scores| {
            let shares = shares(&scores);
            (Just(shares.clone()), Just(shares).prop_shuffle())
        }),
        terms in any_terms(),
    ) {
        let by_id = |shares: &[Share]| allocate(shares, &terms).map(|found| {
            let ids = shares.iter().map(|share| share.holder_id.clone());
            let mut rows: Vec<_> = ids.zip(found.amounts).collect();
            rows.sort();
            rows
        });
        prop_assert_eq!(by_id(&shares), by_id(&permuted));
    }

    #[test]
    fn the_root_is_rounded_down(limbs: [u64; 4], shift in 0_usize..256) {
        let score = U256::from_limbs(limbs) >> shift;
        let root = Curve::SquareRoot.weight(score);
        let scaled = product(score, U256::from(10_u128.pow(24)));
        let next = root + U256::ONE;
        prop_assert!(product(root, root) <= scaled && scaled < product(next, next));
    }
}
