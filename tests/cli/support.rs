//! Runs the built binary the way a shell does, and reads its answers back.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// What a run gave back.
pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

/// The binary with `arguments`, nothing on standard input.
pub(crate) fn run<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Answer {
    run_with_input(arguments, b"")
}

/// The binary with `arguments` and `input` on standard input.
pub(crate) fn run_with_input<S: AsRef<OsStr>>(
    arguments: impl IntoIterator<Item = S>,
    input: &[u8],
) -> Answer {
    let mut child = command(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut stdin = child.stdin.take().expect("it was piped");
    let output = std::thread::scope(|scope| {
        // A run that ends before it has read everything closes its end, which does not count as a failure here.
        scope.spawn(move || stdin.write_all(input));
        child.wait_with_output().expect("the binary ends")
    });
    Answer::from(output)
}

/// The binary with `arguments`, not started.
pub(crate) fn command<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_main_holdmetrics"));
    command.args(arguments).env_remove("LOG_LEVEL");
    command
}

impl From<Output> for Answer {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().expect("no signal ended it"),
            stdout: output.stdout,
            stderr: String::from_utf8(output.stderr).expect("errors are text"),
        }
    }
}

impl Answer {
    /// Standard output of a run that went well.
    #[track_caller]
    pub(crate) fn text(&self) -> String {
        assert_eq!(self.code, 0, "{}", self.stderr);
        String::from_utf8(self.stdout.clone()).expect("this form is text")
    }

    /// The same as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text()).expect("the output is JSON")
    }

    /// Whether the input or an argument was refused.
    pub(crate) const fn is_refused(&self) -> bool {
        self.code == 2
    }

    /// The sentence of a run that failed with `code` and wrote nothing.
    #[track_caller]
    pub(crate) fn error(&self, code: i32) -> &str {
        assert_eq!(self.code, code, "{}", self.stderr);
        assert_eq!(String::from_utf8_lossy(&self.stdout), "");
        let sentence = self
            .stderr
            .strip_prefix("error: ")
            .expect("errors are announced");
        let sentence = sentence.strip_suffix('\n').expect("a line ends");
        assert!(!sentence.contains('\n'), "one line: {sentence}");
        sentence
    }
}

/// Events that the tests of every form share: two holders, one key held twice, a mark.
pub(crate) const EVENTS: &str = r#"{"token_id":"T","holder_id":"a","start":1753056000000,"end":1753056010000,"weight":1}
{"token_id":"T","holder_id":"a","start":1753056005000,"end":1753056020000,"weight":3}
{"token_id":"U","holder_id":"b, \"c\"","start":"2025-07-21T00:00:00Z","weight":"0.5"}
{"token_id":"U","holder_id":"a","end":1753056001000}
"#;
/// When they are asked about: 2025-07-21T00:01:40Z.
pub(crate) const AS_OF: &str = "1753056100000";

/// Holders as (rank, id, `held_us`, score).
pub(crate) fn holders(report: &Value) -> Vec<(u64, String, u64, String)> {
    let rows = report["holders"].as_array().expect("a list");
    let row = |row: &Value| {
        let held_us = row["held_us"].as_u64().expect("a length");
        assert_eq!(row["total_seconds"].as_u64(), Some(held_us / 1_000_000));
        (
            row["rank"].as_u64().expect("a rank"),
            row["holder_id"].as_str().expect("an id").to_owned(),
            held_us,
            row["score"].as_str().expect("a score").to_owned(),
        )
    };
    rows.iter().map(row).collect()
}

/// What [`EVENTS`] score as of [`AS_OF`].
pub(crate) fn expected_holders() -> Vec<(u64, String, u64, String)> {
    vec![
        (1, "a".into(), 20_000_000, "50".into()),
        (1, "b, \"c\"".into(), 100_000_000, "50".into()),
    ]
}

/// A folder for one test.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file and gives its path.
    pub(crate) fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).expect("a file in the temporary folder");
        path
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.path()).expect("the folder is there");
        let mut names: Vec<_> = entries
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        names.sort();
        names
    }
}

/// Writes a file and gives its path as an argument.
pub(crate) fn path(folder: &Folder, name: &str, bytes: impl AsRef<[u8]>) -> String {
    let path = folder.file(name, bytes);
    path.to_str().expect("a path of text").to_owned()
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(bytes).expect("memory takes it");
    packed.finish().expect("memory takes it")
}

pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).expect("memory takes it")
}

/// `score PATH --format json` as of [`AS_OF`], with more arguments.
pub(crate) fn score(path: &Path, more: &[&str]) -> Answer {
    let path = path.to_str().expect("a path that is text");
    run(["score", path, "--as-of", AS_OF, "--format", "json"]
        .iter()
        .chain(more))
}
