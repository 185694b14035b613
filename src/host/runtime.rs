//! Which Python is embedded: its standard library, its packages, and ours, found on disk.
//!
//! Everything is checked before the interpreter starts, because one without a standard library ends the
//! process without an error. Nothing is booted and no variable is read; the [`Surroundings`] are an
//! argument. [`super::interpreter`] boots what is found.

use std::fmt;
use std::path::{Path, PathBuf};

use super::installation::{PYTHON, other_version, site_packages, stdlib};

/// Names the folder of a Python installation; takes precedence over everything else.
pub(crate) const HOME_VARIABLE: &str = "POH_PYTHON_HOME";
/// Names the folder that contains the package `poh_holdmetrics`.
pub(crate) const PACKAGE_VARIABLE: &str = "POH_PYTHON_PKG";
/// Set by an activated virtual environment.
pub(crate) const VENV_VARIABLE: &str = "VIRTUAL_ENV";

/// The folder of a bundled Python, next to the program.
const BUNDLE: &str = "embed_runtime";
const PACKAGE_FOLDER: &str = "python_pkg";
const PACKAGE: &str = "poh_holdmetrics";
const VENV: &str = ".venv";
/// Where the program was built, and the Python that it was built with.
const BUILD_FOLDER: &str = env!("CARGO_MANIFEST_DIR");
const BUILD_HOME: &str = env!("POH_BUILD_PYTHON_HOME");
/// Folders above the program's own in which `.venv` and `python_pkg` are looked for: enough for
/// `target/release/` and `target/<triple>/release/`.
const FOLDERS_ABOVE: usize = 3;

/// What the search depends on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Surroundings {
    /// This program.
    pub executable: PathBuf,
    /// The working folder.
    pub working_folder: PathBuf,
    /// [`HOME_VARIABLE`], if it is set and not empty.
    pub home: Option<PathBuf>,
    /// [`PACKAGE_VARIABLE`], if it is set and not empty.
    pub package: Option<PathBuf>,
    /// [`VENV_VARIABLE`], if it is set and not empty.
    pub venv: Option<PathBuf>,
    /// The Python of the build, empty if it is not known; the last choice.
    pub build_home: PathBuf,
    /// The checkout of the build; the last choice.
    pub build_folder: PathBuf,
}

/// A Python that can be booted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Runtime {
    /// This program; `sys.executable`.
    pub executable: PathBuf,
    /// The installation.
    pub home: PathBuf,
    /// Its folder of standard modules.
    pub stdlib: PathBuf,
    /// The virtual environment, if there is one.
    pub venv: Option<PathBuf>,
    /// The folder of installed packages, if there is one.
    pub site_packages: Option<PathBuf>,
    /// The folder that contains `poh_holdmetrics`.
    pub package: PathBuf,
}

/// Why no Python can be booted; each text names the folders and the cure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RuntimeError {
    /// No installation was found.
    #[error(
        "no Python {PYTHON} was found in {looked}: install it there, or set {HOME_VARIABLE} to the \
         folder of an installation"
    )]
    NoPython {
        /// Every folder that was searched.
        looked: Folders,
    },
    /// A named folder is not an installation.
    #[error("{origin} names {home}, which contains no Python {PYTHON}: {cure}", home = home.display())]
    NotAPython {
        /// What named the folder.
        origin: &'static str,
        /// The folder.
        home: PathBuf,
        /// The cure.
        cure: &'static str,
    },
    /// A named folder contains another version.
    #[error(
        "{origin} names {home}, which contains Python {found}, but this program is built for Python \
         {PYTHON}: {cure}", home = home.display()
    )]
    WrongVersion {
        /// What named the folder.
        origin: &'static str,
        /// The folder.
        home: PathBuf,
        /// `X.Y` of the version found.
        found: String,
        /// The cure.
        cure: &'static str,
    },
    /// The package that belongs to this program is missing.
    #[error(
        "the Python package {PACKAGE} was not found in {looked}: put {PACKAGE_FOLDER} next to the \
         program, or set {PACKAGE_VARIABLE} to the folder that contains it"
    )]
    NoPackage {
        /// Every folder that was searched.
        looked: Folders,
    },
}

/// Folders, displayed as part of a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Folders(Vec<PathBuf>);

impl fmt::Display for Folders {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, folder) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { " or " };
            write!(out, "{separator}{}", folder.display())?;
        }
        Ok(())
    }
}

impl Surroundings {
    /// Those of this process.
    ///
    /// # Errors
    /// If the system does not report the path of this program.
    pub(crate) fn of_this_process() -> std::io::Result<Self> {
        let variable = |name| {
            let value = std::env::var_os(name).filter(|value| !value.is_empty())?;
            // A script may change the working folder; the path must keep its meaning.
            Some(std::path::absolute(&value).unwrap_or_else(|_| value.into()))
        };
        Ok(Self {
            executable: std::env::current_exe()?,
            // A deleted working folder contains nothing that is looked for.
            working_folder: std::env::current_dir().unwrap_or_default(),
            home: variable(HOME_VARIABLE),
            package: variable(PACKAGE_VARIABLE),
            venv: variable(VENV_VARIABLE),
            build_home: BUILD_HOME.into(),
            build_folder: BUILD_FOLDER.into(),
        })
    }

    /// The folders of and above the program, and the one that it was built in.
    fn own_folders(&self) -> impl Iterator<Item = &Path> {
        let above = self.executable.ancestors().skip(1).take(1 + FOLDERS_ABOVE);
        above.chain([self.build_folder.as_path()])
    }
}

impl Runtime {
    /// Finds a Python, its packages and ours.
    ///
    /// # Errors
    /// If something is missing or has another version.
    pub(crate) fn find(surroundings: &Surroundings) -> Result<Self, RuntimeError> {
        let (home, stdlib) = find_home(surroundings)?;
        let venv = find_venv(surroundings)?;
        let site_packages = match &venv {
            Some(venv) => site_packages(venv),
            None => site_packages(&home),
        };
        Ok(Self {
            package: find_package(surroundings, site_packages.as_deref())?,
            executable: surroundings.executable.clone(),
            home,
            stdlib,
            venv,
            site_packages,
        })
    }

    /// `sys.path` without the installed packages, which are added later.
    #[must_use]
    pub(crate) fn search_paths(&self) -> Vec<PathBuf> {
        let extensions = if cfg!(windows) {
            self.home.join("DLLs")
        } else {
            self.stdlib.join("lib-dynload")
        };
        let mut paths = vec![self.stdlib.clone(), extensions];
        // Before the installed packages, so that ours has the version that this program was built with.
        if self.site_packages.as_ref() != Some(&self.package) {
            paths.push(self.package.clone());
        }
        paths
    }
}

fn find_home(surroundings: &Surroundings) -> Result<(PathBuf, PathBuf), RuntimeError> {
    let bundle = surroundings
        .executable
        .parent()
        .unwrap_or(Path::new(""))
        .join(BUNDLE);
    let named = if let Some(home) = &surroundings.home {
        Some((
            HOME_VARIABLE,
            home.clone(),
            "set it to the folder of an installation of that version, or unset it",
        ))
    } else if bundle.is_dir() {
        Some((
            "the program",
            bundle.clone(),
            "replace that folder with the one that was released with this program, or remove it",
        ))
    } else {
        None
    };
    let Some((origin, home, cure)) = named else {
        let home = surroundings.build_home.clone();
        return match stdlib(&home) {
            Some(stdlib) => Ok((home, stdlib)),
            None => Err(RuntimeError::NoPython {
                looked: Folders(vec![bundle, home]),
            }),
        };
    };
    match (stdlib(&home), other_version(&home)) {
        (Some(stdlib), _) => Ok((home, stdlib)),
        (None, Some(found)) => Err(RuntimeError::WrongVersion {
            origin,
            home,
            found,
            cure,
        }),
        (None, None) => Err(RuntimeError::NotAPython { origin, home, cure }),
    }
}

fn find_venv(surroundings: &Surroundings) -> Result<Option<PathBuf>, RuntimeError> {
    const CURE: &str = "create the virtual environment with that version, or deactivate it";
    if let Some(home) = &surroundings.venv {
        let (origin, home) = (VENV_VARIABLE, home.clone());
        return match (site_packages(&home), other_version(&home)) {
            (Some(_), _) => Ok(Some(home)),
            (None, Some(found)) => Err(RuntimeError::WrongVersion {
                origin,
                home,
                found,
                cure: CURE,
            }),
            (None, None) => Err(RuntimeError::NotAPython {
                origin,
                home,
                cure: CURE,
            }),
        };
    }
    let folders = surroundings
        .own_folders()
        .chain([surroundings.working_folder.as_path()]);
    // One that was not named explicitly may belong to another Python; then it is ignored.
    Ok(folders
        .map(|folder| folder.join(VENV))
        .find(|venv| site_packages(venv).is_some()))
}

fn find_package(
    surroundings: &Surroundings,
    site_packages: Option<&Path>,
) -> Result<PathBuf, RuntimeError> {
    let mut folders: Vec<PathBuf> = match &surroundings.package {
        Some(package) => vec![package.clone()],
        None => surroundings
            .own_folders()
            .map(|folder| folder.join(PACKAGE_FOLDER))
            .collect(),
    };
    if surroundings.package.is_none() {
        folders.extend(site_packages.map(Path::to_owned));
    }
    let found = folders
        .iter()
        .find(|folder| folder.join(PACKAGE).join("__init__.py").is_file());
    if let Some(folder) = found {
        Ok(folder.clone())
    } else {
        folders.dedup();
        Err(RuntimeError::NoPackage {
            looked: Folders(folders),
        })
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;

    use super::*;

    /// A folder with a program in `bin/`, to which a test adds files.
    struct TestFolder {
        folder: tempfile::TempDir,
    }

    impl TestFolder {
        fn new() -> Self {
            let disk = Self {
                folder: tempfile::tempdir().unwrap(),
            };
            disk.add("build/python_pkg/poh_holdmetrics/__init__.py");
            disk.add("bin/main_holdmetrics");
            disk
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn add(&self, file: &str) {
            let path = self.path(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }

        fn add_python(&self, home: &str, version: &str) {
            self.add(&format!("{home}/lib/python{version}/os.py"));
            self.add(&format!("{home}/lib/python{version}/encodings/__init__.py"));
        }

        fn add_venv(&self, venv: &str, version: &str) {
            self.add(&format!("{venv}/lib/python{version}/site-packages/one.py"));
        }

        fn surroundings(&self) -> Surroundings {
            Surroundings {
                executable: self.path("bin/main_holdmetrics"),
                working_folder: self.path("work"),
                build_home: self.path("built"),
                build_folder: self.path("build"),
                ..Surroundings::default()
            }
        }
    }

    #[test]
    fn the_bundle_next_to_the_program_precedes_the_python_of_the_build() {
        let disk = TestFolder::new();
        disk.add_python("built", PYTHON);
        let found = Runtime::find(&disk.surroundings()).unwrap();
        assert_eq!(found.home, disk.path("built"));
        disk.add_python("bin/embed_runtime", PYTHON);
        let found = Runtime::find(&disk.surroundings()).unwrap();
        assert_eq!(found.home, disk.path("bin/embed_runtime"));
        disk.add_python("named", PYTHON);
        let named = Surroundings {
            home: Some(disk.path("named")),
            ..disk.surroundings()
        };
        assert_eq!(Runtime::find(&named).unwrap().home, disk.path("named"));
    }

    #[test]
    fn errors_name_the_folder_and_the_cure() {
        let disk = TestFolder::new();
        let text =
            |surroundings: &Surroundings| Runtime::find(surroundings).unwrap_err().to_string();
        let none = text(&disk.surroundings());
        assert!(
            none.contains("bin/embed_runtime or ") && none.contains(HOME_VARIABLE),
            "{none}"
        );
        disk.add_python("old", "3.6");
        let named = |home: &str| Surroundings {
            home: Some(disk.path(home)),
            ..disk.surroundings()
        };
        let old = text(&named("old"));
        assert!(
            old.contains("/old, which contains Python 3.6, but"),
            "{old}"
        );
        let empty = text(&named("work"));
        assert!(empty.contains("/work, which contains no Python"), "{empty}");
        disk.add_python("built", PYTHON);
        let no_package = Surroundings {
            package: Some(disk.path("work")),
            ..disk.surroundings()
        };
        let no_package = text(&no_package);
        assert!(no_package.contains("/work: put python_pkg"), "{no_package}");
    }

    #[test]
    fn a_virtual_environment_of_our_version_is_used() {
        let disk = TestFolder::new();
        disk.add_python("built", PYTHON);
        disk.add_venv("work/.venv", "3.6");
        let without = Runtime::find(&disk.surroundings()).unwrap();
        assert_eq!((without.venv, without.site_packages), (None, None));
        disk.add_venv("work/.venv", PYTHON);
        let with = Runtime::find(&disk.surroundings()).unwrap();
        assert_eq!(with.venv, Some(disk.path("work/.venv")));
        disk.add_venv("build/.venv", PYTHON);
        let with = Runtime::find(&disk.surroundings()).unwrap();
        assert_eq!(with.venv, Some(disk.path("build/.venv")));
        disk.add_venv("active", "3.6");
        let active = Surroundings {
            venv: Some(disk.path("active")),
            ..disk.surroundings()
        };
        let text = Runtime::find(&active).unwrap_err().to_string();
        assert!(
            text.starts_with("VIRTUAL_ENV names ") && text.contains("deactivate it"),
            "{text}"
        );
    }

    #[test]
    fn the_package_next_to_the_program_precedes_installed_ones() {
        let disk = TestFolder::new();
        disk.add_python("built", PYTHON);
        disk.add_venv("build/.venv", PYTHON);
        let found = Runtime::find(&disk.surroundings()).unwrap();
        let paths = found.search_paths();
        assert_eq!(paths.last(), Some(&disk.path("build/python_pkg")));
        assert_eq!(paths[0], found.stdlib);
    }
}
