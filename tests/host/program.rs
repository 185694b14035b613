//! The built binary as a child process, in surroundings that each test chooses.
//!
//! One process a test: an interpreter can be booted only once in a process.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use poh_holdmetrics_rust::host::installation::PYTHON;

/// The binary.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_main_holdmetrics");

/// A temporary folder, and a virtual environment in it that holds no real package.
pub(crate) struct Place {
    folder: tempfile::TempDir,
}

/// How a child ended and what it wrote.
#[derive(Debug)]
pub(crate) struct Ended {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        let place = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        // `run` looks whether pydantic is there; what these tests run does not import it.
        place.write(
            &format!("venv/lib/python{PYTHON}/site-packages/pydantic/__init__.py"),
            "",
        );
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, its folders included, and gives its path.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The program, started in this folder with that environment and no other variable of ours.
    pub(crate) fn program(&self, words: &[impl AsRef<OsStr>]) -> Command {
        let mut command = bare(Path::new(PROGRAM), words);
        command
            .env("VIRTUAL_ENV", self.path("venv"))
            .current_dir(self.folder.path());
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, words: &[impl AsRef<OsStr>]) -> Ended {
        Ended::from(self.program(words).output().unwrap())
    }

    /// Runs Python code in the program to its end.
    pub(crate) fn python(&self, code: &str) -> Ended {
        self.run(&["python", "-c", code])
    }
}

/// `program` without the variables that choose a Python or a log level.
pub(crate) fn bare(program: &Path, words: &[impl AsRef<OsStr>]) -> Command {
    let mut command = Command::new(program);
    for name in [
        "VIRTUAL_ENV",
        "POH_PYTHON_HOME",
        "POH_PYTHON_PKG",
        "POH_DISABLE_RUST",
        "LOG_LEVEL",
    ] {
        command.env_remove(name);
    }
    command.args(words);
    command
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap().replace("\r\n", "\n");
        Self {
            code: output.status.code(),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }
}

impl Ended {
    /// Panics with all that was written where the child did not end with `code`.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }
}
