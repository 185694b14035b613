//! `docs/security.md` names a test for each promise; here it is held to that.

use std::fs;
use std::path::Path;

#[test]
fn every_test_that_the_security_page_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/security.md")).expect("the page is there");
    let named: Vec<(&str, &str)> = page
        .split('`')
        .filter_map(|text| text.rsplit_once("::"))
        .filter(|(_, test)| test.contains('_'))
        .collect();
    assert!(named.len() > 20, "found {named:?}");
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
}
