//! The `python` of a virtual environment that `python -m venv` has made: a link to this program.
//!
//! Started by such a name, the program is the interpreter of that environment, with the options of `python` and no
//! subcommands. Looks at the name that the process was started by, and at no variable but `PATH`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// The file that makes a folder a virtual environment.
const SETTINGS: &str = "pyvenv.cfg";
/// A name that every virtual environment has.
const INTERPRETER: &str = "python3";

/// The name that this process was started by; in a virtual environment, that of its interpreter.
pub(super) fn of_this_process() -> Option<PathBuf> {
    let name = std::env::args_os().next()?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let link = located(Path::new(&name), &path);
    let interpreter = link.with_file_name(INTERPRETER);
    // `venv` calls the program by its own name, too, and what it installs then should call the interpreter.
    let is_program = !is_interpreter(link.as_os_str());
    let has_both = is_program && environment_of(&link).is_some() && interpreter.is_file();
    Some(if has_both { interpreter } else { link })
}

/// Whether this process was started by the name of an interpreter.
pub(crate) fn is_started_as_interpreter() -> bool {
    std::env::args_os()
        .next()
        .is_some_and(|name| is_interpreter(&name))
}

/// The virtual environment of an interpreter.
pub(super) fn environment_of(link: &Path) -> Option<PathBuf> {
    let folder = link.parent()?.parent()?;
    folder.join(SETTINGS).is_file().then(|| folder.to_owned())
}

fn is_interpreter(name: &OsStr) -> bool {
    let file = Path::new(name).file_name().unwrap_or_default();
    file.to_str().is_some_and(|name| name.starts_with("python"))
}

/// Where a shell has found `name`.
fn located(name: &Path, path: &OsStr) -> PathBuf {
    let beside = name.components().count() > 1;
    let mut folders = std::env::split_paths(path).map(|folder| folder.join(name));
    let found = (!beside)
        .then(|| folders.find(|file| file.is_file()))
        .flatten();
    let found = found.unwrap_or_else(|| name.to_owned());
    std::path::absolute(&found).unwrap_or(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interpreter_is_found_as_a_shell_finds_it() {
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("bin");
        std::fs::create_dir(&bin).unwrap();
        std::fs::write(bin.join("python3"), "").unwrap();
        let path = std::env::join_paths([Path::new("/nowhere"), &bin]).unwrap();
        let found = located(Path::new("python3"), &path);
        assert_eq!(found, bin.join("python3"));
        assert_eq!(located(&bin.join("python3"), OsStr::new("")), found);
        assert_eq!(environment_of(&found), None);
        std::fs::write(folder.path().join(SETTINGS), "").unwrap();
        assert_eq!(environment_of(&found).as_deref(), Some(folder.path()));
        assert!(is_interpreter(OsStr::new("/a/bin/python3.14")));
        assert!(!is_interpreter(OsStr::new("/python/main_holdmetrics")));
    }
}
