//! Dumps and roots of standard trees against those of the npm package.

use proptest::prelude::*;

use super::*;

/// What the npm package writes for three leaves.
const GOLDEN: &str = r#"{"format":"standard-v1","leafEncoding":["address","uint256"],"tree":["0xe264190c3e22d981e46853866509a7576d5037da794a48ed577d392cc9a9b415","0x1d079e8489684395a2a7a25ec7ee7c2b84871c4c44e8105ffef65c5b40526c88","0xeb02c421cfa48976e66dfb29120745909ea3a0f843456c263cf8f1253483e283","0xbe3b42a05702c04893d953884f1140495cc5b2fea835e19e0bb1d150bd5f9c6a","0xb92c48e9d7abe27fd8dfd6b5dfdbfb1c9a463f80c712b66f3a5180a090cccafc"],"values":[{"value":["0x1111111111111111111111111111111111111111","5000000000000000000"],"treeIndex":2},{"value":["0x2222222222222222222222222222222222222222","2500000000000000000"],"treeIndex":4},{"value":["0x3333333333333333333333333333333333333333","7"],"treeIndex":3}]}"#;

fn list(rows: &[(&str, u64)]) -> List {
    let recipient = |&(address, amount): &(&str, u64)| Recipient {
        address: address.into(),
        amount: U256::from(amount),
    };
    List {
        recipients: rows.iter().map(recipient).collect(),
    }
}

fn written(tree: &StandardTree) -> String {
    let mut bytes = Vec::new();
    tree.write(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

const ONES: &str = "0x1111111111111111111111111111111111111111";

fn three() -> StandardTree {
    StandardTree::new(list(&[
        (ONES, 5_000_000_000_000_000_000),
        (
            "0x2222222222222222222222222222222222222222",
            2_500_000_000_000_000_000,
        ),
        ("0x3333333333333333333333333333333333333333", 7),
    ]))
    .unwrap()
}

#[test]
fn the_dump_is_that_of_the_npm_package() {
    assert_eq!(written(&three()), GOLDEN);
    assert_eq!(StandardTree::read(GOLDEN.as_bytes()).unwrap(), three());
}

#[test]
fn roots_are_the_published_ones() {
    for (rows, root) in [
        (
            &[(ONES, 1)][..],
            "0x60648906e1a3f55dd188e992dc24db68c6b6d455fe925705f5e110ed7889ad90",
        ),
        (
            &[(ONES, 1), (ONES, 1)],
            "0x25d6bfca188b49701108236623ec03b22d8fb601c611d2d359f397ba050339d3",
        ),
    ] {
        let tree = StandardTree::new(list(rows)).unwrap();
        assert_eq!(HexHash(&tree.root()).to_string(), root);
        assert_eq!(StandardTree::read(written(&tree).as_bytes()).unwrap(), tree);
    }
    assert!(matches!(
        StandardTree::new(List::default()),
        Err(TreeError::Empty)
    ));
}

#[test]
fn whatever_is_changed_in_a_dump_is_refused() {
    for index in 0..GOLDEN.len() {
        let mut changed = GOLDEN.as_bytes().to_vec();
        changed[index] ^= 1;
        let found = StandardTree::read(&changed);
        assert!(
            found.is_err(),
            "byte {index}: {}",
            String::from_utf8_lossy(&changed)
        );
    }
    let shared = r#"{"format":"standard-v1","leafEncoding":["address","uint256"],"tree":["#;
    let twice = written(&StandardTree::new(list(&[(ONES, 1), (ONES, 1)])).unwrap());
    let shared_index = twice.replace("\"treeIndex\":1", "\"treeIndex\":2");
    assert!(shared_index.starts_with(shared));
    let refused = StandardTree::read(shared_index.as_bytes());
    assert!(
        matches!(refused, Err(TreeError::SharedIndex(2))),
        "{refused:?}"
    );
}

proptest! {
    #[test]
    fn every_proof_leads_to_the_root_and_every_dump_reads_back(amounts in prop::collection::vec(1_u64..9, 1..70)) {
        let address = |index: usize| format!("0x{index:040}");
        let recipients = amounts.iter().enumerate().map(|(index, &amount)| Recipient {
            address: address(index / 2).into(),
            amount: U256::from(amount),
        });
        let tree = StandardTree::new(List { recipients: recipients.collect() }).unwrap();
        for recipient in 0..amounts.len() {
            prop_assert_eq!(tree.proof(recipient).root(), tree.root());
        }
        prop_assert_eq!(StandardTree::read(written(&tree).as_bytes()).unwrap(), tree);
    }
}
