//! `docs/security.md` and `docs/operations.md` name the tests of what they promise; here they are held to that.

use std::fs;
use std::path::Path;

#[test]
fn every_test_that_the_security_page_names_exists() {
    assert!(named_tests_that_exist("docs/security.md") > 20);
}

#[test]
fn every_test_that_the_page_for_operators_names_exists() {
    assert!(named_tests_that_exist("docs/operations.md") > 4);
}

/// How many tests a page names; each must exist.
fn named_tests_that_exist(page: &str) -> usize {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join(page)).expect("the page is there");
    let named: Vec<(&str, &str)> = page
        .split('`')
        .filter_map(|text| text.rsplit_once("::"))
        .filter(|(_, test)| test.contains('_'))
        .collect();
    let count = named.len();
    for (place, test) in named {
        let file = if place.contains('/') {
            root.join("src").join(place)
        } else {
            root.join("tests")
                .join(format!("{}.rs", place.replace("::", "/")))
        };
        let source = fs::read_to_string(&file)
            .unwrap_or_else(|error| panic!("{place}: {}: {error}", file.display()));
        assert!(source.contains(&format!("fn {test}(")), "{place}::{test}");
    }
    count
}
