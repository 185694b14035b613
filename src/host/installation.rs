//! What a folder contains of a Python installation: standard modules, installed packages, version.
//!
//! Inspects one folder and decides nothing; [`super::runtime`] chooses the folder.

use std::path::{Path, PathBuf};

/// `X.Y` of the Python that this program is linked against.
pub const PYTHON: &str = env!("POH_BUILD_PYTHON");

/// The folder of standard modules under `home`; `None` if there is none of our version.
pub(super) fn stdlib(home: &Path) -> Option<PathBuf> {
    if home.as_os_str().is_empty() {
        // A cross build has no Python; an empty path would mean the working folder.
        return None;
    }
    let folders = if cfg!(windows) {
        vec![home.join("Lib")]
    } else {
        vec![library(home, "lib", PYTHON), library(home, "lib64", PYTHON)]
    };
    // Without these two, the interpreter ends the process during initialisation.
    folders
        .into_iter()
        .find(|folder| folder.join("os.py").is_file() && folder.join("encodings").is_dir())
}

/// The folder of installed packages under a virtual environment or an installation.
pub(super) fn site_packages(home: &Path) -> Option<PathBuf> {
    let library = if cfg!(windows) {
        home.join("Lib")
    } else {
        library(home, "lib", PYTHON)
    };
    Some(library.join("site-packages")).filter(|folder| folder.is_dir())
}

/// `X.Y` of a Python under `home` of another version than ours.
pub(super) fn other_version(home: &Path) -> Option<String> {
    let entries = home.join("lib").read_dir().ok()?;
    let names = entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok());
    let versions = names.filter_map(|name| name.strip_prefix("python").map(str::to_owned));
    versions
        .filter(|version| version.starts_with("3.") && version != PYTHON)
        .find(|version| library(home, "lib", version).is_dir())
}

fn library(home: &Path, folder: &str, version: &str) -> PathBuf {
    home.join(folder).join(format!("python{version}"))
}
