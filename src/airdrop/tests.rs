//! Documents of all formats: against published roots and dumps, and against themselves.

use std::collections::BTreeMap;

use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::tree::pair;
use super::*;

const ALL: [Format; 8] = [
    Format::StandardV1,
    Format::SimpleV1,
    Format::Uniswap,
    Format::EnsShards,
    Format::ThirdwebShards,
    Format::SablierEvm,
    Format::SablierSolana,
    Format::Merkl,
];

/// What the npm package writes for three leaves.
const GOLDEN: &str = r#"{"format":"standard-v1","leafEncoding":["address","uint256"],"tree":["0xe264190c3e22d981e46853866509a7576d5037da794a48ed577d392cc9a9b415","0x1d079e8489684395a2a7a25ec7ee7c2b84871c4c44e8105ffef65c5b40526c88","0xeb02c421cfa48976e66dfb29120745909ea3a0f843456c263cf8f1253483e283","0xbe3b42a05702c04893d953884f1140495cc5b2fea835e19e0bb1d150bd5f9c6a","0xb92c48e9d7abe27fd8dfd6b5dfdbfb1c9a463f80c712b66f3a5180a090cccafc"],"values":[{"value":["0x1111111111111111111111111111111111111111","5000000000000000000"],"treeIndex":2},{"value":["0x2222222222222222222222222222222222222222","2500000000000000000"],"treeIndex":4},{"value":["0x3333333333333333333333333333333333333333","7"],"treeIndex":3}]}"#;

/// A document as its files; one file has the empty name.
fn written(document: &Document) -> BTreeMap<String, Vec<u8>> {
    if document.format().is_folder() {
        return document.files().into_iter().collect();
    }
    let mut bytes = Vec::new();
    document.write(&mut bytes, &|_| ()).unwrap();
    BTreeMap::from([(String::new(), bytes)])
}

fn read(files: &BTreeMap<String, Vec<u8>>) -> Result<Document, DocumentError> {
    match files.get("") {
        Some(text) => Document::read(text),
        None => Document::read_folder(files),
    }
}

fn rows(types: &str, rows: &str, sorts_leaves: bool) -> Document {
    let types = types.split(',').map(|name| AbiType::parse(name).unwrap());
    let details = Details {
        sorts_leaves,
        ..Details::default()
    };
    Document::of_rows(rows.as_bytes(), types.collect(), details).unwrap()
}

fn root(document: &Document) -> String {
    HexHash(&document.root()).to_string()
}

/// Addresses that hash to themselves look random, so that every shard may occur.
fn list(format: Format, amounts: &[u64]) -> List {
    let mut rows: Vec<_> = amounts
        .iter()
        .enumerate()
        .map(|(number, amount)| {
            let hash = keccak::keccak(&number.to_le_bytes());
            let address = match format.addresses() {
                AddressKind::Solana => bs58::encode(hash).into_string(),
                AddressKind::Evm | AddressKind::Text => {
                    let text = format!("0x{}", hex::encode(&hash[..20]));
                    EvmAddress::parse(&text).unwrap().to_string()
                }
            };
            (address, amount.to_string())
        })
        .collect();
    rows.sort();
    let mut list = List::new(false);
    for (address, amount) in rows {
        list.push(&address, &amount);
    }
    let token = EvmAddress::parse("0x1111111111111111111111111111111111111111").unwrap();
    if format == Format::Merkl {
        list.of_token(&token)
    } else {
        list
    }
}

fn document(format: Format, amounts: &[u64]) -> Document {
    let details = Details {
        places: 1,
        base_uri: "ipfs://folder".into(),
        shard_digits: 1,
        ..Details::default()
    };
    Document::of_list(&list(format, amounts), format, details).unwrap()
}

#[test]
fn the_dump_is_that_of_the_npm_package() {
    let text = "a,b\n0x1111111111111111111111111111111111111111,5000000000000000000\n\
        0x2222222222222222222222222222222222222222,2500000000000000000\n\
        0x3333333333333333333333333333333333333333,7\n";
    let tree = rows("address,uint256", text, true);
    assert_eq!(written(&tree)[""], GOLDEN.as_bytes());
    assert_eq!(
        Document::read(GOLDEN.as_bytes()).unwrap().root(),
        tree.root()
    );
    let pretty: serde_json::Value = serde_json::from_str(GOLDEN).unwrap();
    let pretty = serde_json::to_string_pretty(&pretty).unwrap();
    // Its keys come in another order.
    assert!(Document::read(pretty.as_bytes()).is_err());
    let spaced = GOLDEN.replace(',', " ,\n ");
    assert!(Document::read(spaced.as_bytes()).is_ok());
}

#[test]
fn dumps_of_texts_and_of_ready_leaves_are_the_published_ones() {
    // Roots and SHA-256 of the dumps that the package's own tests compare with.
    for (is_sorted, standard, standard_file, simple, simple_file) in [
        (
            true,
            "0x6deb52b5da8fd108f79fab00341f38d2587896634c646ee52e49f845680a70c8",
            "e2e8b32ca88918566706841fed1e04cfea59babd8b5b4d2b9cd6f759d58fecab",
            "0x1b404f199ea828ec5771fb30139c222d8417a82175fefad5cd42bc3a189bd8d5",
            "228f9e0b5149bea48e1737c957200e3af663b6c305f5c54de57dd9c73373eb31",
        ),
        (
            false,
            "0x23be0977360f08bb0bd7f709a7d543d2cd779c79c66d74e0441919871647de2b",
            "b6d1f50a8156e0a0b3fb0b62d2db05a7760031c24f7e9cb190c9cb1bb909448e",
            "0x9012f1e18a87790d2e01faace75aaaca38e53df437cdce2c0552464dda4af49c",
            "bc5435b4a56b5a35c4adf07008465d14bb6dc19e4b9067c29f33d052f419b824",
        ),
    ] {
        let texts = rows("string", "text\na\nb\nc\nd\ne\nf\n", is_sorted);
        let hashes: Vec<_> = ["a", "b", "c", "d", "e", "f"]
            .map(|text| HexHash(&keccak::keccak(text.as_bytes())).to_string())
            .to_vec();
        let details = Details {
            sorts_leaves: is_sorted,
            ..Details::default()
        };
        let leaves = format!("leaf\n{}\n", hashes.join("\n"));
        let ready = Document::of_leaves(leaves.as_bytes(), details).unwrap();
        for (tree, expected, file) in [
            (texts, standard, standard_file),
            (ready, simple, simple_file),
        ] {
            assert_eq!(root(&tree), expected);
            let files = written(&tree);
            assert_eq!(hex::encode(Sha256::digest(&files[""])), file);
            assert_eq!(read(&files).unwrap().root(), tree.root());
        }
    }
}

#[test]
fn equal_leaves_are_kept_if_the_types_are_given() {
    let row = "0x1111111111111111111111111111111111111111,1\n";
    for (count, expected) in [
        (
            1,
            "0x60648906e1a3f55dd188e992dc24db68c6b6d455fe925705f5e110ed7889ad90",
        ),
        (
            2,
            "0x25d6bfca188b49701108236623ec03b22d8fb601c611d2d359f397ba050339d3",
        ),
    ] {
        let text = format!("address,amount\n{}", row.repeat(count));
        let tree = rows("address,uint256", &text, true);
        assert_eq!(root(&tree), expected);
        assert_eq!(read(&written(&tree)).unwrap().root(), tree.root());
    }
    let twice = rows("address,uint256", &format!("a,b\n{row}{row}"), true);
    let refused = twice.list().unwrap_err().to_string();
    assert!(refused.starts_with("value 2: address: "), "{refused}");
}

#[test]
fn a_changed_bit_of_any_file_is_told() {
    for format in ALL {
        let files = written(&document(format, &[7, 40, 900]));
        assert!(read(&files).is_ok(), "{format:?}");
        for (name, text) in &files {
            // A number of another size has the same leaf: that is another valid dump, whose types `verify` prints.
            let size = text.windows(5).position(|word| word == b"t256\"");
            let size = size.map_or(0..0, |begin| begin + 1..begin + 4);
            for bit in (0..8 * text.len()).filter(|bit| !size.contains(&(bit / 8))) {
                let mut changed = files.clone();
                changed.get_mut(name).unwrap()[bit / 8] ^= 1 << (bit % 8);
                assert!(
                    read(&changed).is_err(),
                    "{format:?} {name}: bit {bit} of {}",
                    String::from_utf8_lossy(&changed[name])
                );
            }
        }
        for name in files.keys() {
            let mut fewer = files.clone();
            fewer.remove(name);
            assert!(read(&fewer).is_err(), "{format:?} without {name}");
        }
    }
}

#[test]
fn a_changed_value_and_a_changed_node_are_named() {
    let changed = GOLDEN.replace("\"7\"", "\"8\"");
    let said = Document::read(changed.as_bytes()).unwrap_err().to_string();
    assert!(
        said.starts_with("value 3: the tree has another leaf"),
        "{said}"
    );
    let changed = GOLDEN.replace("0x1d07", "0x1d08");
    let said = Document::read(changed.as_bytes()).unwrap_err().to_string();
    let expected = "line 1, column 145: \"0x1d089e8489684395a2a7a25ec7ee7c2b84871... stands where";
    assert!(said.starts_with(expected), "{said}");
    let changed = GOLDEN.replace("\"treeIndex\":2", "\"treeIndex\":3");
    let said = Document::read(changed.as_bytes()).unwrap_err().to_string();
    assert!(said.starts_with("value 3: its treeIndex"), "{said}");
}

#[test]
fn what_a_format_cannot_hold_is_refused() {
    let build = |format, list: &List| {
        let built = Document::of_list(list, format, Details::default());
        built.unwrap_err().to_string()
    };
    let one = list(Format::SablierEvm, &[5]);
    assert_eq!(
        build(Format::SablierEvm, &one),
        "a campaign of Sablier has at least two recipients"
    );
    let mut much = list(Format::SablierEvm, &[5]);
    much.push(
        "0x1111111111111111111111111111111111111111",
        &u128::MAX.to_string(),
    );
    assert!(build(Format::SablierEvm, &much).contains("less than 2^128"));
    let mut much = list(Format::SablierSolana, &[5]);
    much.push(&"1".repeat(32), "18446744073709551616");
    assert!(build(Format::SablierSolana, &much).contains("does not fit into u64"));
    assert!(build(Format::Merkl, &one).contains("give --token"));
    let tokens = list(Format::Merkl, &[5]);
    assert!(build(Format::Uniswap, &tokens).contains("only merkl names a token"));
    assert!(build(Format::Uniswap, &List::new(false)).contains("empty"));
    let texts = rows("string", "text\na\n", true);
    assert!(texts.list().unwrap_err().to_string().contains("no address"));
    let said = Document::of_rows(
        b"a,b\n\"0x\n\",1\n",
        vec![
            AbiType::parse("bytes1").unwrap(),
            AbiType::parse("uint8").unwrap(),
        ],
        Details::default(),
    );
    assert!(
        said.unwrap_err()
            .to_string()
            .starts_with("line 2, bytes1: ")
    );
}

#[test]
fn numbers_booleans_and_escapes_of_a_dump_stay_as_they_are() {
    let tree = rows(
        "bool,uint8,string",
        "a,b,c\ntrue,5,\"say \"\"hi\"\"\"\n",
        true,
    );
    let text = String::from_utf8(written(&tree)[""].clone()).unwrap();
    assert!(
        text.contains(r#""value":[true,"5","say \"hi\""]"#),
        "{text}"
    );
    let number = text.replace("\"5\"", "5");
    let read = Document::read(number.as_bytes()).unwrap();
    assert_eq!(read.root(), tree.root());
    assert_eq!(written(&read)[""], number.as_bytes());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_proof_leads_to_the_root(amounts in prop::collection::vec(1_u64..99, 2..60)) {
        for format in ALL {
            let document = document(format, &amounts);
            for row in 0..document.len() {
                let mut proof = Vec::new();
                document.proof_into(row, &mut proof);
                let found = proof.iter().fold(document.leaf(row), |node, sibling| pair(&node, sibling));
                prop_assert_eq!(found, document.root(), "{:?} row {}", format, row);
            }
        }
    }

    #[test]
    fn what_is_read_is_what_was_written_and_every_conversion_comes_back(
        amounts in prop::collection::vec(1_u64..99, 2..40),
    ) {
        let origin = document(Format::StandardV1, &amounts);
        for format in ALL {
            let files = written(&document(format, &amounts));
            let back = read(&files).unwrap();
            prop_assert_eq!(written(&back), files, "{:?}", format);
            let has_list = format != Format::SimpleV1 && format != Format::SablierSolana;
            if !has_list {
                continue;
            }
            let list = origin.list().unwrap();
            let token = EvmAddress::parse("0x2222222222222222222222222222222222222222").unwrap();
            let is_merkl = format == Format::Merkl;
            let list = if is_merkl { list.of_token(&token) } else { list };
            let there = Document::of_list(&list, format, Details::default()).unwrap();
            let read = read(&written(&there)).unwrap().list().unwrap();
            prop_assert_eq!(&read, &list, "{:?}", format);
            if !is_merkl {
                let again = Document::of_list(&read, Format::StandardV1, Details::default()).unwrap();
                prop_assert_eq!(written(&again), written(&origin), "{:?}", format);
            }
        }
    }

    /// The loaders against files that are cut, joined and changed at random.
    #[test]
    fn no_file_breaks_a_loader(
        format in 0..ALL.len(), cuts in prop::collection::vec((0_usize..4000, 0_usize..40, any::<Vec<u8>>()), 1..4),
    ) {
        let mut files = written(&document(ALL[format], &[7, 40, 1, 900, 3]));
        for (begin, length, with) in &cuts {
            let name = files.keys().nth(begin % files.len()).unwrap().clone();
            let text = files.get_mut(&name).unwrap();
            let begin = begin % text.len().max(1);
            let end = text.len().min(begin + length);
            text.splice(begin.min(end)..end, with.iter().copied());
        }
        if let Ok(found) = read(&files) {
            prop_assert_eq!(read(&written(&found)).unwrap().root(), found.root());
        }
        for text in files.values() {
            let _ = List::read(text, AddressKind::Text, 3);
        }
    }

    #[test]
    fn no_list_breaks_its_loader(text in "(address|user|token|amount|,|\n|\"|0x[0-9a-fA-F]{40}|[0-9]{1,80}|\\.|-|é){0,40}") {
        for kind in [AddressKind::Evm, AddressKind::Solana, AddressKind::Text] {
            if let Ok(list) = List::read(text.as_bytes(), kind, 2) {
                let mut bytes = Vec::new();
                list.write(&mut bytes).unwrap();
                prop_assert_eq!(List::read(&bytes, kind, 0).unwrap(), list);
            }
        }
    }
}
