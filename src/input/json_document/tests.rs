use super::*;
use crate::input::blocks::Block;

fn form(text: &str) -> JsonForm {
    JsonForm::detect(text.as_bytes(), &FieldSources::default())
}

/// The rows of a document that arrives in pieces of `step` bytes, and then why it cannot be read on.
fn rows(text: &str, step: usize) -> Vec<String> {
    let mut ends = DocumentEnds::new(form(text));
    let mut found = Vec::new();
    let (mut bytes, mut line) = (Vec::new(), 1);
    for piece in text.as_bytes().chunks(step) {
        let seen = bytes.len();
        bytes.extend_from_slice(piece);
        if let Some(end) = ends.last_end(&mut bytes, seen) {
            let rest = bytes.split_off(end);
            let whole = std::mem::replace(&mut bytes, rest);
            let block = Block {
                first_line: line,
                bytes: whole,
            };
            line += memchr::memchr_iter(b'\n', &block.bytes).count() as u64;
            let values = crate::input::json_records::values(&block);
            found.extend(values.map(|(line, value)| {
                let text = String::from_utf8_lossy(value).replace(['\n', ' '], "");
                format!("{line} {text}")
            }));
        }
    }
    let failure = ends.failure(true);
    found.extend(failure.map(|failure| format!("{}: {}", failure.line, failure.what)));
    found
}

#[test]
fn the_form_of_a_source_is_found_from_its_beginning() {
    for (text, expected) in [
        ("", JsonForm::Lines),
        ("{\"token_id\":1}\n{", JsonForm::Lines),
        ("{\"token_id\":1,\"tags\":[{\"a\":1}]}", JsonForm::Lines),
        ("{\"tags\":[{\"a\":1}],\"token_id\":1}", JsonForm::Lines),
        ("{\"token_id\":1,\n\"tags\":[{\"a\":1}]}", JsonForm::Objects),
        ("{\n  \"token_id\": 1\n}\n", JsonForm::Objects),
        ("{\n  \"token_id\": 1,\n}\n", JsonForm::Objects),
        ("{\n  \"token_id\": 1,\n  \"hol", JsonForm::Objects),
        ("{\"token_id\":1,\n{\"token_id\":2}\n", JsonForm::Lines),
        ("{\"token_id\":\"a\n{\"token_id\":2}\n", JsonForm::Lines),
        ("{\"token_id\":1", JsonForm::Lines),
        (" \n[ {\"token_id\":1}]", JsonForm::Array),
        ("[]", JsonForm::Array),
        ("[1,2]\n{\"token_id\":1}", JsonForm::Lines),
        ("{\"result\":[{\"token_id\":1}]}", JsonForm::Wrapped),
        (
            "{\"status\":\"1\",\"data\":{\"names\":[\"a\"],\"rows\":[{\"token_id\":1}, {\"tok",
            JsonForm::Wrapped,
        ),
        ("{\"result\":[]}", JsonForm::Lines),
    ] {
        assert_eq!(form(text), expected, "{text}");
    }
}

#[test]
fn rows_of_documents_are_found_however_they_arrive() {
    for (text, expected) in [
        ("[]", &[][..]),
        (
            "[{\"a\":1},\n {\"b\":[\"]},\",{}]} ]\n",
            &["1 {\"a\":1}", "2 {\"b\":[\"]},\",{}]}"],
        ),
        (
            "[{}\n,\n1 , \"x,\" , [2],null]",
            &["1 {}", "3 1", "3 \"x,\"", "3 [2]", "3 null"],
        ),
        ("[{\"a\":1}]\n[{\"a\":2}]", &["1 {\"a\":1}", "2 {\"a\":2}"]),
        (
            "{\n\"a\":1}\n{\"a\":\"\\\"}\"}{}\n",
            &["1 {\"a\":1}", "3 {\"a\":\"\\\"}\"}", "3 {}"],
        ),
        (
            "{\"s\":\"[{\",\"d\":{\"n\":[1,[2]],\n\"rows\":[\n{\"a\":1},{\"b\":{}}\n],\"m\":{\"z\":[]}}}\n{\"x\":[{\"c\":1}]}",
            &["3 {\"a\":1}", "3 {\"b\":{}}", "5 {\"c\":1}"],
        ),
        (
            "[{\"a\":1},\n]",
            &[
                "1 {\"a\":1}",
                "2: a comma after the last row of an array; remove it",
            ],
        ),
        (
            "[{\"a\":1} {\"a\":2}]",
            &["1 {\"a\":1}", "1: no comma between two rows of an array"],
        ),
        (
            "[{\"a\":1}\n",
            &[
                "1 {\"a\":1}",
                "2: the text ends within it; is the file complete?",
            ],
        ),
        (
            "[{\"a\":1},{\"a",
            &[
                "1 {\"a\":1}",
                "1: the text ends within it; is the file complete?",
            ],
        ),
        (
            "[{}]\n{}",
            &["1 {}", "2: text after the end of the document; remove it"],
        ),
        ("[{},,{}]", &["1 {}", "1: \",\" where a row begins"]),
        (
            "{\n\"a\":1},\n{\"a\":2}",
            &[
                "1 {\"a\":1}",
                "2: a comma after an object; remove it, or put all objects into [ and ]",
            ],
        ),
        (
            "{\"a\":[{\"x\":1}],\"b\":{\"c\":[{\"x\":2}]}}",
            &[
                "1 {\"x\":1}",
                "1: \"a\" and \"c\" are both arrays of objects; extract one of them with jq",
            ],
        ),
        (
            "{\"a\":[{\"x\":1}],\"b\" 2}",
            &["1 {\"x\":1}", "1: expected `:` in the text around the rows"],
        ),
    ] {
        for step in [1, 2, 7, 1_000] {
            // The form is known from the whole text here, as from the first bytes of a file.
            assert_eq!(rows(text, step), expected, "{text} in steps of {step}");
        }
    }
}
