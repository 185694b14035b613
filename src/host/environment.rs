//! The packages that an operator has installed for a data folder with `py install`: which of them are current.
//!
//! Python writes them, see `poh_holdmetrics.environments`. [`announce`] names the current environment in a variable, so
//! that the child processes of this one have the same packages; [`super::runtime`] puts it on the path.
#![allow(unsafe_code, reason = "a variable of the process is set")]

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::installation::PYTHON;
use super::runtime::RuntimeError;

/// Names the folder of an environment of packages; takes precedence over that of a data folder.
pub(crate) const ENVIRONMENT_VARIABLE: &str = "POH_PYTHON_ENVIRONMENT";
/// In a data folder, the file with the name of the current environment.
const CURRENT: &str = "python/current";
/// In a data folder, the environments.
const ENVIRONMENTS: &str = "python/environments";
/// In an environment, the file whose lock says that a process uses it.
const DESCRIPTION: &str = "environment.json";
/// In an environment, the folder of packages is named by this and the version.
const PACKAGES: &str = "python";

/// Names the current environment of `data_dir` in [`ENVIRONMENT_VARIABLE`], if there is one and no other is named.
/// Call it while the process has one thread.
///
/// # Errors
/// If the name cannot be read.
pub(crate) fn announce(data_dir: &Path) -> io::Result<()> {
    if std::env::var_os(ENVIRONMENT_VARIABLE).is_some_and(|value| !value.is_empty()) {
        return Ok(());
    }
    let name = match fs::read_to_string(data_dir.join(CURRENT)) {
        Ok(name) => name,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let folder = data_dir.join(ENVIRONMENTS).join(name.trim());
    // SAFETY: the caller has started no thread, so nothing else reads the environment.
    unsafe { std::env::set_var(ENVIRONMENT_VARIABLE, std::path::absolute(folder)?) };
    Ok(())
}

/// The folder of packages of an environment.
///
/// # Errors
/// If the folder has no packages, or those for another Python.
pub(super) fn packages(folder: &Path) -> Result<PathBuf, RuntimeError> {
    let packages = folder.join(format!("{PACKAGES}{PYTHON}"));
    if packages.is_dir() {
        return Ok(packages);
    }
    let names = folder.read_dir().into_iter().flatten().flatten();
    let mut names = names.filter_map(|entry| entry.file_name().into_string().ok());
    let other = names.find_map(|name| name.strip_prefix(PACKAGES).map(str::to_owned));
    Err(RuntimeError::NoEnvironment {
        folder: folder.to_owned(),
        found: other,
    })
}

/// Says that this process uses an environment, as long as the result lives: `py remove` then leaves it alone.
pub(super) fn hold(folder: &Path) -> Option<File> {
    let file = File::open(folder.join(DESCRIPTION)).ok()?;
    // On a file system without locks, the operator has to know.
    let _ = file.lock_shared();
    Some(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_of_another_python_is_told_from_any_folder() {
        let folder = tempfile::tempdir().unwrap();
        let text = || packages(folder.path()).unwrap_err().to_string();
        assert!(text().contains("has no packages"), "{}", text());
        fs::create_dir(folder.path().join("python3.6")).unwrap();
        assert!(
            text().contains("packages for Python 3.6, but"),
            "{}",
            text()
        );
        let ours = folder.path().join(format!("python{PYTHON}"));
        fs::create_dir(&ours).unwrap();
        assert_eq!(packages(folder.path()), Ok(ours));
    }
}
