//! Compares text with a committed file, or rewrites that file where `HOLDMETRICS_REWRITE=1` is set.

use std::fs;
use std::path::Path;

/// The variable that rewrites instead of comparing; the diff is then reviewed like code.
const REWRITE: &str = "HOLDMETRICS_REWRITE";

/// Fails where `tests/golden/NAME` holds anything but `text`.
#[track_caller]
pub(crate) fn compare(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    if std::env::var_os(REWRITE).is_some() {
        fs::write(&path, text).expect("the golden file can be written");
        return;
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        golden == text,
        "tests/golden/{name} holds something else; read the difference, then run this test with \
         {REWRITE}=1 to take it over:\n{text}"
    );
}
