//! Lists are read back as they were written, and hostile ones are refused with their line.

use super::*;

const ADDRESS: &str = "0xfb6916095ca1df60bb79ce92ce3ea74c37c5d359";

fn refusal(rows: &str) -> String {
    let bytes = format!("address,amount\n{rows}");
    List::read(bytes.as_bytes(), AddressKind::Evm, 0)
        .unwrap_err()
        .to_string()
}

#[test]
fn a_written_list_reads_back() {
    let mut list = List::new(false);
    list.push("a, \"b\"", &U256::MAX.to_string());
    let mut bytes = Vec::new();
    list.write(&mut bytes).unwrap();
    assert_eq!(List::read(&bytes, AddressKind::Text, 0).unwrap(), list);
}

#[test]
fn amounts_in_tokens_become_base_units() {
    let bytes = format!("address,amount\n{ADDRESS},+1.50\n");
    let list = List::read(bytes.as_bytes(), AddressKind::Evm, 3).unwrap();
    assert_eq!(list.amount_text(0), "1500");
    assert!(refusal(&format!("{ADDRESS},+1")).contains("is not a decimal number"));
}

#[test]
fn a_user_may_have_an_amount_of_each_token() {
    let token = "0x1111111111111111111111111111111111111111";
    let rows = |second: &str| {
        let text = format!("user,token,amount\n{ADDRESS},{ADDRESS},1\n{ADDRESS},{second},2\n");
        List::read(text.as_bytes(), AddressKind::Evm, 0)
    };
    let list = rows(token).unwrap();
    assert_eq!(list.token(1).as_deref(), Some(token));
    let mut bytes = Vec::new();
    list.write(&mut bytes).unwrap();
    assert_eq!(List::read(&bytes, AddressKind::Evm, 0).unwrap(), list);
    assert!(
        rows(ADDRESS)
            .unwrap_err()
            .to_string()
            .starts_with("line 3: address:")
    );
    assert!(
        rows("ann")
            .unwrap_err()
            .to_string()
            .starts_with("line 3: token: \"ann\"")
    );
}

#[test]
fn accounts_of_solana_are_told_apart_by_all_their_bytes_beside_a_token() {
    // A token was once written over the end of the key.
    let key = |last: u8| {
        let mut bytes = [7; 32];
        bytes[31] = last;
        bs58::encode(bytes).into_string()
    };
    let (first, second, token) = (key(1), key(2), key(3));
    let read = |rows: &[[&String; 2]], kind| {
        let rows = rows
            .iter()
            .map(|[user, token]| format!("{user},{token},1\n"));
        let text = format!("user,token,amount\n{}", rows.collect::<String>());
        List::read(text.as_bytes(), kind, 0).map(|list| list.len())
    };
    for kind in [AddressKind::Solana, AddressKind::Text] {
        let rows = [[&first, &token], [&second, &token], [&first, &second]];
        assert_eq!(read(&rows, kind).unwrap(), 3);
        let again = read(&[[&first, &token], [&first, &token]], kind).unwrap_err();
        assert!(again.to_string().starts_with("line 3: address:"), "{again}");
    }
    let evm = ADDRESS.to_owned();
    let refused = read(&[[&first, &evm]], AddressKind::Solana).unwrap_err();
    assert!(
        refused.to_string().starts_with("line 2: token:"),
        "{refused}"
    );
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
    assert!(refusal(&format!("{lower}\nann,x")).starts_with("line 3: address: \"ann\""));
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
    assert!(List::read(b"amount,address\n", AddressKind::Evm, 0).is_err());
}
