//! Restatements keep their sums, whatever the lists are, and never lower what was published.

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
