//! `score` over changes and transfers in columns: every accepted type of every column gives the same answer,
//! and a refused row is named by its field.

use arrow_array::types::Int8Type;
use arrow_array::{
    ArrayRef, BinaryViewArray, Decimal32Array, Decimal64Array, Decimal128Array, Decimal256Array,
    DictionaryArray, Float32Array, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array,
    LargeStringArray, StringArray, StringViewArray, TimestampMicrosecondArray,
    TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray, UInt8Array,
    UInt16Array, UInt32Array, UInt64Array,
};
use arrow_buffer::i256;

use crate::columns::{Columns, START, column, files};
use crate::forms::ENGINES;
use crate::support::{Folder, holders, score};

fn texts(texts: [Option<&str>; 4]) -> ArrayRef {
    column(StringArray::from(texts.to_vec()))
}

/// The instants of four rows in steps of `1 / factor` seconds.
fn instants(factor: i64) -> Vec<i64> {
    [0, 10, 0, 20]
        .map(|second| (START + second) * factor)
        .to_vec()
}

fn changes() -> Columns {
    vec![
        ("token_id", column(Int8Array::from(vec![7, 7, 7, 7]))),
        (
            "holder_id",
            texts([Some("1"), Some("1"), Some("2"), Some("1")]),
        ),
        ("at", column(Int64Array::from(instants(1_000)))),
        (
            "delta",
            column(Float64Array::from(vec![2.0, -1.5, 0.5, -0.5])),
        ),
        (
            "event_id",
            texts([Some("a"), Some("b"), Some("c"), Some("d")]),
        ),
    ]
}

/// A mint, a transfer, a burn and a transfer to oneself.
fn transfers() -> Columns {
    vec![
        ("token_id", column(Int8Array::from(vec![7, 7, 7, 7]))),
        ("from_id", texts([None, Some("1"), Some("1"), Some("2")])),
        ("to_id", texts([Some("1"), Some("2"), None, Some("2")])),
        (
            "at",
            column(Int64Array::from(
                [0, 10, 20, 30]
                    .map(|second| (START + second) * 1_000)
                    .to_vec(),
            )),
        ),
        (
            "amount",
            column(Float64Array::from(vec![2.0, 1.5, 0.5, 7.0])),
        ),
        (
            "event_id",
            texts([Some("a"), Some("b"), Some("c"), Some("d")]),
        ),
    ]
}

fn with(mut columns: Columns, name: &str, wanted: &'static str, array: ArrayRef) -> Columns {
    columns.retain(|(known, _)| *known != name);
    columns.push((wanted, array));
    columns
}

#[track_caller]
fn check(columns: &Columns, expected: [(&str, u64, &str); 2]) {
    let folder = Folder::new();
    let expected = [(1, expected[0]), (2, expected[1])];
    let expected = expected.map(|(rank, (holder, seconds, total))| {
        (
            rank,
            holder.to_owned(),
            seconds * 1_000_000,
            total.to_owned(),
        )
    });
    for path in files(&folder, columns) {
        for engine in ENGINES {
            let report = score(&path, &["--engine", engine]).json();
            let types: Vec<_> = columns
                .iter()
                .map(|(name, array)| (name, array.data_type()))
                .collect();
            assert_eq!(
                holders(&report),
                expected,
                "{} by {engine}: {types:?}",
                path.display()
            );
            assert_eq!(
                (&report["read"], &report["accepted"]),
                (&4.into(), &4.into())
            );
        }
    }
}

const OF_CHANGES: [(&str, u64, &str); 2] = [("2", 100, "50"), ("1", 20, "25")];
const OF_TRANSFERS: [(&str, u64, &str); 2] = [("2", 90, "135"), ("1", 20, "25")];

#[test]
fn at_is_a_timestamp_of_any_unit_or_an_integer() {
    for at in [
        column(TimestampSecondArray::from(instants(1))),
        column(TimestampMillisecondArray::from(instants(1_000)).with_timezone("UTC")),
        column(TimestampMicrosecondArray::from(instants(1_000_000)).with_timezone("-03:00")),
        column(TimestampNanosecondArray::from(instants(1_000_000_000))),
        column(UInt64Array::from_iter_values(
            instants(1_000).into_iter().map(i64::cast_unsigned),
        )),
        column({
            let keys = Int8Array::from(vec![2, 0, 2, 1]);
            let values = TimestampSecondArray::from(vec![START + 10, START + 20, START]);
            DictionaryArray::try_new(keys, column(values)).unwrap()
        }),
    ] {
        check(&with(changes(), "at", "at", at), OF_CHANGES);
    }
    let micros = column(Int64Array::from(instants(1_000_000)));
    check(&with(changes(), "at", "at_us", micros), OF_CHANGES);
}

/// Decimals with two places, in every type that has places.
fn decimals(cents: [i64; 4]) -> Vec<ArrayRef> {
    let narrow = || cents.map(|cents| i32::try_from(cents).unwrap()).to_vec();
    let wide = |places: u32| {
        let factor = i256::from_i128(10_i128.pow(places));
        let wide = cents.map(|cents| i256::from_i128(cents.into()) * factor);
        Decimal256Array::from(wide.to_vec())
    };
    let written = narrow().into_iter().map(|cents| {
        let sign = if cents < 0 { "-" } else { "" };
        format!("{sign}{}.{:02}", cents.abs() / 100, cents.abs() % 100)
    });
    let written: Vec<_> = written.collect();
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let singles = narrow().into_iter().map(|cents| cents as f32 / 100.0);
    let exact = cents.map(i128::from).to_vec();
    vec![
        column(Float32Array::from_iter_values(singles)),
        column(
            Decimal32Array::from(narrow())
                .with_precision_and_scale(9, 2)
                .unwrap(),
        ),
        column(
            Decimal64Array::from(cents.to_vec())
                .with_precision_and_scale(10, 2)
                .unwrap(),
        ),
        column(
            Decimal128Array::from(exact)
                .with_precision_and_scale(38, 2)
                .unwrap(),
        ),
        column(wide(22).with_precision_and_scale(60, 24).unwrap()),
        column(StringArray::from(written.clone())),
        column(LargeStringArray::from(written.clone())),
        column(StringViewArray::from_iter_values(&written)),
        column(BinaryViewArray::from_iter_values(&written)),
        column(
            written
                .iter()
                .map(|text| Some(text.as_str()))
                .collect::<DictionaryArray<Int8Type>>(),
        ),
    ]
}

#[test]
fn deltas_and_amounts_are_any_number_or_text() {
    for delta in decimals([200, -150, 50, -50]) {
        check(&with(changes(), "delta", "delta", delta), OF_CHANGES);
    }
    for amount in decimals([200, 150, 50, 700]) {
        check(&with(transfers(), "amount", "amount", amount), OF_TRANSFERS);
    }
    let whole_changes = [("2", 100, "100"), ("1", 20, "30")];
    for delta in [
        column(Int8Array::from(vec![2, -1, 1, -1])),
        column(Int16Array::from(vec![2, -1, 1, -1])),
        column(Int32Array::from(vec![2, -1, 1, -1])),
        column(Int64Array::from(vec![2, -1, 1, -1])),
    ] {
        check(&with(changes(), "delta", "delta", delta), whole_changes);
    }
    let whole_transfers = [("2", 90, "90"), ("1", 20, "30")];
    for amount in [
        column(UInt8Array::from(vec![2, 1, 1, 0])),
        column(UInt16Array::from(vec![2, 1, 1, 0])),
        column(UInt32Array::from(vec![2, 1, 1, 0])),
        column(UInt64Array::from(vec![2, 1, 1, 0])),
    ] {
        check(
            &with(transfers(), "amount", "amount", amount),
            whole_transfers,
        );
    }
}

#[test]
fn parties_are_text_of_any_kind_dictionaries_or_integers() {
    check(&transfers(), OF_TRANSFERS);
    let null = "0x0000000000000000000000000000000000000000";
    for from in [
        texts([Some(null), Some("1"), Some("1"), Some("2")]),
        texts([Some(""), Some("1"), Some("1"), Some("2")]),
        column(StringViewArray::from(vec![
            None,
            Some("1"),
            Some("1"),
            Some("2"),
        ])),
        column(BinaryViewArray::from(vec![
            None,
            Some(&b"1"[..]),
            Some(b"1"),
            Some(b"2"),
        ])),
        column(
            [None, Some("1"), Some("1"), Some("2")]
                .into_iter()
                .collect::<DictionaryArray<Int8Type>>(),
        ),
        column(Int16Array::from(vec![None, Some(1), Some(1), Some(2)])),
        column(UInt64Array::from(vec![None, Some(1), Some(1), Some(2)])),
    ] {
        check(&with(transfers(), "from_id", "from_id", from), OF_TRANSFERS);
    }
    let to = column(Int64Array::from(vec![Some(1), Some(2), None, Some(2)]));
    check(&with(transfers(), "to_id", "to_id", to), OF_TRANSFERS);
}

#[test]
fn seq_orders_the_marks_of_one_instant() {
    let marks = |seq: ArrayRef| -> Columns {
        let at = |seconds: [Option<i64>; 4]| {
            let millis = seconds.map(|second| second.map(|second| (START + second) * 1_000));
            column(Int64Array::from(millis.to_vec()))
        };
        vec![
            ("token_id", column(Int8Array::from(vec![7, 7, 7, 7]))),
            (
                "holder_id",
                texts([Some("1"), Some("1"), Some("2"), Some("2")]),
            ),
            ("start", at([Some(0), None, None, Some(0)])),
            ("end", at([None, Some(0), Some(0), None])),
            ("seq", seq),
        ]
    };
    for seq in [
        column(Int8Array::from(vec![Some(1), Some(2), None, Some(1)])),
        column(UInt32Array::from(vec![Some(1), Some(2), None, Some(1)])),
        column(UInt64Array::from(vec![
            Some(1),
            Some(1 << 62),
            Some(0),
            Some(1),
        ])),
        column({
            let values = column(Int64Array::from(vec![2, 1]));
            let keys = Int8Array::from(vec![Some(1), Some(0), None, Some(1)]);
            DictionaryArray::try_new(keys, values).unwrap()
        }),
    ] {
        check(&marks(seq), [("2", 100, "100"), ("1", 0, "0")]);
    }
}

#[test]
fn a_refused_row_names_its_field() {
    let nine = |texts: [Option<&str>; 9]| column(StringArray::from(texts.to_vec()));
    let some = |text| Some(text);
    let mut ats = vec![Some(START * 1_000_000); 9];
    ats[2] = None;
    ats[7] = Some(i64::MAX);
    let mut amounts = vec![Some(1.0); 9];
    amounts[1] = Some(-1.0);
    amounts[5] = None;
    let mut deltas = vec![None; 9];
    deltas[5] = Some("NaN");
    let mut seqs = vec![None; 9];
    seqs[6] = Some(-1);
    let ids: [Option<&str>; 9] = std::array::from_fn(|row| (row != 8).then_some("e"));
    let mut from = [some("a"); 9];
    from[4] = None;
    from[5] = None;
    let mut to = [some("b"); 9];
    to[4] = some("");
    to[5] = None;
    let mut holder = [None; 9];
    holder[3] = some("c");
    holder[5] = some("c");
    let columns: Columns = vec![
        ("token_id", nine([some("T"); 9])),
        ("holder_id", nine(holder)),
        ("from_id", nine(from)),
        ("to_id", nine(to)),
        ("at_us", column(Int64Array::from(ats))),
        ("amount", column(Float64Array::from(amounts))),
        ("delta", column(StringArray::from(deltas))),
        ("seq", column(Int64Array::from(seqs))),
        ("event_id", nine(ids)),
    ];
    let folder = Folder::new();
    for path in files(&folder, &columns) {
        for engine in ENGINES {
            let arguments = ["--engine", engine, "--on-error", "skip"];
            let report = score(&path, &arguments).json();
            assert_eq!(
                (&report["read"], &report["accepted"]),
                (&9.into(), &1.into())
            );
            let refused = report["rejected"]
                .as_array()
                .unwrap()
                .iter()
                .map(|refused| {
                    let reason = refused["reason"].as_str().unwrap();
                    let field = reason.split([':', ',']).next().unwrap();
                    (refused["line"].as_u64().unwrap(), field.to_owned())
                });
            let expected = [
                (2, "amount"),
                (3, "at"),
                (4, "holder_id"),
                (5, "from_id"),
                (6, "delta"),
                (7, "seq"),
                (8, "at"),
                (9, "event_id"),
            ];
            let expected = expected.map(|(line, field)| (line, field.to_owned()));
            assert_eq!(
                refused.collect::<Vec<_>>(),
                expected,
                "{} by {engine}",
                path.display()
            );
        }
        let report = score(&path, &["--on-error", "skip"]).json();
        let reason = |row: usize| {
            report["rejected"][row]["reason"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        for (row, refusal, found) in [
            (0, "amount: negative", "-1.0"),
            (4, "delta: not finite", "\"NaN\""),
            (5, "seq: not an integer from 0 to 2^63-1", "-1"),
            (6, "at: out of range", "9223372036854775807 microseconds"),
        ] {
            let reason = reason(row);
            assert!(reason.starts_with(refusal), "{reason}");
            assert!(reason.ends_with(&format!("; found {found}")), "{reason}");
        }
    }
}
