//! Lines of JSON as they are written, and every refusal of a field.

use super::*;
use crate::core::{Addressed, Claim, Event, Fact, NULL_ADDRESS, Standing};

fn reason(line: &str) -> String {
    let read = event_from_line(line.as_bytes());
    read.map(|parsed| {
        parsed
            .draft()
            .events()
            .map(|_| ())
            .map_err(RefusalReason::from)
    })
    .and_then(|checked| checked)
    .unwrap_err()
    .to_string()
}

fn with(field: &str) -> String {
    object(
        &[
            r#""token_id":"T""#,
            r#""holder_id":"h""#,
            r#""start":0"#,
            r#""end":1"#,
        ],
        field,
    )
}

/// An object with `fields`, and with those of `usual` that they do not replace.
fn object(usual: &[&str], fields: &str) -> String {
    let is_kept = |member: &&&str| !fields.contains(member.split_inclusive(':').next().unwrap());
    let kept: Vec<_> = usual.iter().filter(is_kept).copied().collect();
    format!("{{{},{fields}}}", kept.join(","))
}

#[test]
fn unknown_keys_are_ignored_and_keys_are_read_as_they_are_meant() {
    let line = br#" {"x":{"holder_id":[1e999,"\ud800"]},"\ud800":1,
        "start":"1970-01-01T00:00:01Z","end":null,"hold\u0065r_id":"a\u00e9\n","token_id":"T"}"#;
    let event = event_from_line(line).unwrap();
    assert_eq!(event.holder_id, "aé\n");
    assert_eq!(event.start.map(Micros::get), Some(1_000_000));
    assert_eq!(event.end, None);
}

#[test]
fn a_key_that_is_there_twice_or_is_nearly_ours_is_refused() {
    for (line, expected) in [
        (
            r#"{"token_id":"T","holder_id":"h","start":1,"start":2}"#,
            r#"start: the key "start" is there twice; keep one of them"#,
        ),
        (
            r#"{"token_id":"T","holder_id":"h","start":1,"end":null,"\u0065nd":2}"#,
            r#"end: the key "end" is there twice; keep one of them"#,
        ),
        (
            r#"{"token_id":"T","holder_id":"h","start":1,"End":2,"x":1,"x":1}"#,
            r#"key "End": did you mean end? rename it, or say --columns end=End"#,
        ),
        (
            r#"{"token_id":"T","holder_id":"h","end":null,"start":1,"ended_at":2}"#,
            r#"key "ended_at": did you mean end? rename it, or say --columns end=ended_at"#,
        ),
    ] {
        assert_eq!(reason(line), expected);
    }
    let line = br#"{"token_id":"T","holder_id":"h","start":1,"end":2,"ended_at":3,"x":1,"x":1}"#;
    assert_eq!(
        event_from_line(line).unwrap().end.map(Micros::get),
        Some(2_000)
    );
}

#[test]
fn keys_of_a_block_are_looked_up_once_and_listed() {
    let mut unknown = UnknownKeys::new(&OWN.columns);
    for line in [
        r#"{"b":1,"token_id":"T","holder_id":"h","start":1,"a":[]}"#,
        r#"{"a":1,"token_id":"T","b":"h","holder_id":"h","start":1,"START":1}"#,
    ] {
        let _ = mapped_event_from_line(line.as_bytes(), &OWN, &mut unknown);
    }
    assert_eq!(unknown.ignored().collect::<Vec<_>>(), ["b", "a"]);
}

#[test]
fn an_integer_is_an_id_by_its_digits() {
    let line = br#"{"token_id":-7,"holder_id":18446744073709551616,"start":0}"#;
    let event = event_from_line(line).unwrap();
    assert_eq!(
        (&*event.token_id, &*event.holder_id),
        ("-7", "18446744073709551616")
    );
}

#[test]
fn milliseconds_are_whole_numbers_or_text_of_digits() {
    for written in [
        "1753056000000.0",
        "1.753056e12",
        "\"+1753056000000\"",
        "\" 1753056000000\"",
    ] {
        let line = format!(r#"{{"token_id":"T","holder_id":"h","start":{written}}}"#);
        let event = event_from_line(line.as_bytes()).unwrap();
        assert_eq!(
            event.start.map(Micros::get),
            Some(1_753_056_000_000_000),
            "{written}"
        );
    }
}

#[test]
fn a_weight_is_read_as_it_is_written() {
    for (written, weight) in [
        ("0.1", "0.1"),
        ("\"1e-18\"", "0.000000000000000001"),
        (
            "340282366920938463463.374607431768211455",
            "340282366920938463463.374607431768211455",
        ),
        ("\"\\u0031\"", "1"),
    ] {
        let line = with(&format!("\"weight\":{written}"));
        let event = event_from_line(line.as_bytes()).unwrap();
        assert_eq!(event.weight.unwrap().to_string(), weight);
    }
}

#[test]
fn each_refusal_names_its_field() {
    for (field, expected) in [
        (r#""token_id":null"#, "token_id: missing or empty"),
        (r#""token_id":5.0"#, "token_id: not text"),
        (r#""token_id":1e3"#, "token_id: not text"),
        (r#""holder_id":true"#, "holder_id: not text"),
        (r#""holder_id":"\udc00""#, "holder_id: not text"),
        (
            r#""start":"1753056000000.0""#,
            "start: not a time (a count in text",
        ),
        (
            r#""start":1.5"#,
            "start: not a time (a count of milliseconds has no fraction)",
        ),
        (
            r#""start":"2025-07-21""#,
            "start: not a time (a date alone; ",
        ),
        (r#""start":true"#, "start: not a time"),
        (r#""start":"\ud800""#, "start: not a time"),
        (r#""end":[]"#, "end: not a time"),
        (r#""end":99999999999999999999"#, "end: out of range"),
        (r#""weight":true"#, "weight: not a number"),
        (r#""weight":{}"#, "weight: not a number"),
        (r#""weight":"-Infinity""#, "weight: not finite"),
        (r#""event_id":7"#, "event_id: empty or not text"),
        (
            r#""event_id":"a","revision":1.0"#,
            "revision: not an integer",
        ),
        (
            r#""event_id":"a","revision":true"#,
            "revision: not an integer",
        ),
        (r#""retract":0"#, "retract: not true or false"),
        (r#""revision":1"#, "revision or retract without event_id"),
        (r#""end":-1"#, "end: before start"),
    ] {
        let found = reason(&with(field));
        assert!(found.starts_with(expected), "{field}: {found}");
        let value = field.rsplit_once(':').unwrap().1;
        let is_shown = found.ends_with(&format!("; found {value}"));
        let has_value = !["null", "1", "-1"].contains(&value);
        assert_eq!(is_shown, has_value, "{field}: {found}");
    }
}

#[test]
fn what_is_no_text_is_shown_without_blanks() {
    let found = reason(&with(r#""start": { "$date" : "a \" b: c", "n": [1, 2] }"#));
    let expected = r#"; found {"$date":"a \" b: c","n":[1,2]}"#;
    assert!(found.ends_with(expected), "{found}");
}

#[test]
fn a_change_is_read_as_it_is_written() {
    let line = br#"{"token_id":"T","holder_id":"h","at":"1970-01-01T00:00:01Z","delta":-2.50,
        "event_id":"e","seq":7,"from_id":null,"amount":null}"#;
    let parsed = event_from_line(line).unwrap();
    let draft = parsed.draft();
    assert_eq!(draft.at.map(Micros::get), Some(1_000_000));
    assert_eq!(
        draft.delta.map(|delta| delta.to_string()),
        Some("-2.5".to_owned())
    );
    assert_eq!((draft.seq, draft.is_transfer()), (7, false));
}

#[test]
fn the_parties_of_a_transfer_may_be_integers_or_no_holder() {
    let changes = |parties: &str| {
        let line = transfer(parties);
        let parsed = event_from_line(line.as_bytes()).unwrap();
        let events = parsed.draft().events().unwrap();
        let change = |event: &Event<'_>| match event.claim {
            Claim::Named {
                event_id: "e",
                standing:
                    Standing {
                        fact: Some(Fact::Change { delta, .. }),
                        ..
                    },
            } => format!("{} {delta}", event.holder_id),
            other => panic!("not a change: {other:?}"),
        };
        events.iter().map(change).collect::<Vec<_>>().join(", ")
    };
    let null = format!(r#""{NULL_ADDRESS}""#);
    for (parties, expected) in [
        (r#""from_id":7,"to_id":"b""#.to_owned(), "7 -3, b 3"),
        (r#""from_id":"","to_id":"b""#.to_owned(), "b 3"),
        (r#""from_id":"a","to_id":null"#.to_owned(), "a -3"),
        (format!(r#""from_id":{null},"to_id":-8"#), "-8 3"),
        (r#""from_id":"a","to_id":"\u0061""#.to_owned(), "a 0"),
    ] {
        assert_eq!(changes(&parties), expected, "{parties}");
    }
}

fn transfer(fields: &str) -> String {
    object(
        &[
            r#""token_id":"T""#,
            r#""at":0"#,
            r#""amount":3"#,
            r#""event_id":"e""#,
        ],
        fields,
    )
}

#[test]
fn each_refusal_of_a_change_or_transfer_names_its_field() {
    let usual = [
        r#""token_id":"T""#,
        r#""holder_id":"h""#,
        r#""event_id":"e""#,
    ];
    let change = |fields: &str| object(&usual, fields);
    for (line, expected) in [
        (change(r#""at":"x","delta":1"#), "at: not a time (write"),
        (change(r#""at":0,"delta":"1e-19""#), "delta: under 1e-18"),
        (change(r#""at":0,"delta":true"#), "delta: not a number"),
        (change(r#""at":0,"delta":1e30"#), "delta: too large"),
        (
            change(r#""at":0,"delta":1,"seq":-1"#),
            "seq: not an integer",
        ),
        (
            change(r#""at":0,"delta":1,"seq":"1""#),
            "seq: not an integer",
        ),
        (change(r#""at":0"#), "delta: missing (a change"),
        (change(r#""delta":1"#), "at: missing (a change"),
        (
            change(r#""at":0,"delta":1,"weight":1"#),
            "weight: given for a change",
        ),
        (
            change(r#""at":0,"amount":1"#),
            "amount: given without from_id and to_id (did you mean delta? rename it)",
        ),
        (
            transfer(r#""to_id":"b","holder_id":"""#),
            "holder_id: given for a transfer",
        ),
        (
            transfer(r#""to_id":"b","weight":"x""#),
            "weight: given for a transfer",
        ),
        (
            transfer(r#""to_id":"b","delta":[]"#),
            "delta: given for a transfer",
        ),
        (
            transfer(r#""to_id":"b","token_id":"""#),
            "token_id: missing or empty",
        ),
        (transfer(r#""from_id":1.5"#), "from_id: not text; found 1.5"),
        (transfer(r#""to_id":true"#), "to_id: not text; found true"),
        (
            transfer(r#""to_id":"b","amount":"-1""#),
            r#"amount: negative (write 0 or more); found "-1""#,
        ),
        (
            transfer(r#""to_id":"b","amount":null"#),
            "amount: missing (a transfer",
        ),
        (
            transfer(r#""to_id":"b","at":null"#),
            "at: missing (a transfer",
        ),
        (
            transfer(r#""to_id":"b","event_id":null"#),
            "event_id: missing (a transfer",
        ),
        (transfer(r#""from_id":"""#), "from_id, to_id: no holder"),
        // Of several mistakes the first in the order of the fields is reported.
        (
            transfer(r#""to_id":[],"at":"x","seq":-1"#),
            "to_id: not text",
        ),
        (
            transfer(r#""to_id":"b","at":"x","seq":-1"#),
            "at: not a time",
        ),
    ] {
        let found = reason(&line);
        assert!(found.starts_with(expected), "{line}: {found}");
    }
}

#[test]
fn values_other_than_objects_are_told_from_broken_json() {
    for (line, expected) in [
        ("[1, 2]", "not an object; found [1,2]"),
        ("null", "not an object; found null"),
        ("\"\\ud800\"", "not an object; found \"\\ud800\""),
        (
            "{\"token_id\":",
            "not JSON: EOF while parsing a value at column 12",
        ),
        (
            "{\"token_id\":\"a\"} x",
            "not JSON: trailing characters at column 18",
        ),
        (
            "{\"weight\":NaN}",
            "not JSON: NaN, which JSON does not have (write null, true or false) at column 11",
        ),
        ("{\"weight\":01}", "not JSON: invalid number at column 12"),
        (
            "{'a':1}",
            "not JSON: single quotes (JSON has double quotes) at column 2",
        ),
        ("nul", "not JSON: EOF while parsing a value at column 3"),
        (
            "{\n \"a\":\n  ?}",
            "not JSON: expected value at line 3 column 3",
        ),
    ] {
        assert_eq!(reason(line), expected, "{line}");
    }
}

#[test]
fn an_object_may_stand_on_its_own_lines() {
    let line = with("\"weight\": 1").replace(',', ",\n");
    assert!(event_from_line(format!("\r\n\t {line}\n").as_bytes()).is_ok());
}

#[test]
fn a_deep_unknown_value_costs_no_stack() {
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let line = with(&format!("\"x\":{deep}"));
    assert!(event_from_line(line.as_bytes()).is_ok());
}

#[test]
fn a_service_names_no_option_of_the_command_line() {
    for (fields, expected) in [
        (
            r#""start":1672531200000000"#,
            "start: out of range (years 0001 to 9999, UTC; if it counts microseconds, give milliseconds); found 16725",
        ),
        (
            r#""start":"2023-01-01""#,
            "start: not a time (a date alone; add the time and the offset, like T00:00:00Z); found \"2023-01-01\"",
        ),
        (
            r#""end":"NaT""#,
            "end: not a time (a word for an absent value; leave the value out); found \"NaT\"",
        ),
        (
            r#""weight":"963019363229999955968""#,
            "weight: too large (the largest is 340282366920938463463.374607431768211455; if it counts base units, \
             such as wei, send whole tokens); found",
        ),
        (r#""End":1"#, "key \"End\": did you mean end? rename it"),
        (
            r#""amount":1"#,
            "amount: given without from_id and to_id (did you mean weight? rename it)",
        ),
    ] {
        let line = if fields.contains("End") {
            format!(r#"{{"token_id":"T","holder_id":"h","start":0,{fields}}}"#)
        } else {
            with(fields)
        };
        let reason = event_from_line(line.as_bytes()).map(|_| ()).unwrap_err();
        let said = reason.for_service();
        assert!(said.starts_with(expected), "{said}");
    }
}
