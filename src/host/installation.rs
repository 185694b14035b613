//! What a folder contains of a Python: standard modules, installed packages, version.
//!
//! Inspects one folder and decides nothing; [`super::runtime`] chooses the folder.

use std::path::{Path, PathBuf};

/// `X.Y` of the Python that this program is linked against.
pub const PYTHON: &str = env!("POH_BUILD_PYTHON");

/// A Python of our version on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Installation {
    /// Its folder.
    pub home: PathBuf,
    /// Its standard modules: a folder, or the zip of a bundle.
    pub stdlib: PathBuf,
    /// Its extension modules, if they are files.
    pub extensions: Option<PathBuf>,
    /// Its installed packages, if there are any.
    pub packages: Option<PathBuf>,
    /// Whether it was released with this program.
    pub is_bundle: bool,
}

impl Installation {
    /// An installation as `make install` of CPython, or its installer for Windows, leaves it.
    pub(super) fn installed(home: &Path) -> Option<Self> {
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
        let stdlib = folders
            .into_iter()
            .find(|folder| folder.join("os.py").is_file() && folder.join("encodings").is_dir())?;
        let extensions = if cfg!(windows) {
            home.join("DLLs")
        } else {
            stdlib.join("lib-dynload")
        };
        Some(Self {
            home: home.to_owned(),
            stdlib,
            extensions: Some(extensions),
            packages: site_packages(home),
            is_bundle: false,
        })
    }

    /// The folder that is released with this program.
    pub(super) fn bundled(home: &Path) -> Option<Self> {
        let stdlib = home.join(format!("python{}.zip", PYTHON.replace('.', "")));
        // On Linux, the extension modules are in the library of the interpreter.
        let extensions = cfg!(windows).then(|| home.join("DLLs"));
        stdlib.is_file().then(|| Self {
            home: home.to_owned(),
            stdlib,
            extensions,
            packages: Some(home.join("site")).filter(|folder| folder.is_dir()),
            is_bundle: true,
        })
    }
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

/// `X.Y` of a Python of another version than ours: an installation under `home`, or a bundle in it.
pub(super) fn other_version(home: &Path) -> Option<String> {
    let names = |folder: PathBuf| {
        let entries = folder.read_dir().into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().into_string().ok())
    };
    let installed = names(home.join("lib"))
        .filter_map(|name| name.strip_prefix("python").map(str::to_owned))
        .filter(|version| version.starts_with("3.") && library(home, "lib", version).is_dir());
    let bundled = names(home.to_owned()).filter_map(|name| {
        let minor = name.strip_prefix("python3")?.strip_suffix(".zip")?;
        minor.parse::<u8>().ok().map(|minor| format!("3.{minor}"))
    });
    installed.chain(bundled).find(|version| version != PYTHON)
}

fn library(home: &Path, folder: &str, version: &str) -> PathBuf {
    home.join(folder).join(format!("python{version}"))
}
