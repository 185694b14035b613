//! Which Python runs inside: its standard library, its packages, and ours, found on disk.
//!
//! Everything is checked here, before the interpreter starts: one that finds no standard library
//! ends the process instead of reporting. Nothing is booted and no variable is read; the
//! [`Surroundings`] are an argument. See [`super::interpreter`] for what is done with the answer.

use std::fmt;
use std::path::{Path, PathBuf};

use super::installation::{PYTHON, other_version, site_packages, stdlib};

/// Names the folder of a Python installation; it wins over everything else.
pub const HOME_VARIABLE: &str = "POH_PYTHON_HOME";
/// Names the folder that holds the package `poh_holdmetrics`.
pub const PACKAGE_VARIABLE: &str = "POH_PYTHON_PKG";
/// Set by an activated virtual environment.
pub const VENV_VARIABLE: &str = "VIRTUAL_ENV";

/// A Python that travels with the program, beside it.
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
pub struct Surroundings {
    /// This program.
    pub executable: PathBuf,
    /// The working folder.
    pub working_folder: PathBuf,
    /// [`HOME_VARIABLE`], where it is set and not empty.
    pub home: Option<PathBuf>,
    /// [`PACKAGE_VARIABLE`], where it is set and not empty.
    pub package: Option<PathBuf>,
    /// [`VENV_VARIABLE`], where it is set and not empty.
    pub venv: Option<PathBuf>,
    /// The Python of the build, empty where it is not known; last choice.
    pub build_home: PathBuf,
    /// The checkout of the build; last choice.
    pub build_folder: PathBuf,
}

/// A Python that can be booted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runtime {
    /// This program; `sys.executable`.
    pub executable: PathBuf,
    /// The installation.
    pub home: PathBuf,
    /// Its folder of standard modules.
    pub stdlib: PathBuf,
    /// The virtual environment, where there is one.
    pub venv: Option<PathBuf>,
    /// The folder of installed packages, where there is one.
    pub site_packages: Option<PathBuf>,
    /// The folder that holds `poh_holdmetrics`.
    pub package: PathBuf,
}

/// Why no Python can be booted; each names where it looked and what helps.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuntimeError {
    /// There is none.
    #[error(
        "no Python {PYTHON} was found in {looked}: install it there, or set {HOME_VARIABLE} to the \
         folder of an installation"
    )]
    NoPython {
        /// Every folder that was looked at.
        looked: Folders,
    },
    /// A named folder holds none.
    #[error("{origin} names {home}, which holds no Python {PYTHON}: {cure}", home = home.display())]
    NotAPython {
        /// Who named the folder.
        origin: &'static str,
        /// The folder.
        home: PathBuf,
        /// What helps.
        cure: &'static str,
    },
    /// A named folder holds another version.
    #[error(
        "{origin} names {home}, which holds Python {found}, but this program is built for Python \
         {PYTHON}: {cure}", home = home.display()
    )]
    WrongVersion {
        /// Who named the folder.
        origin: &'static str,
        /// The folder.
        home: PathBuf,
        /// `X.Y` of what is there.
        found: String,
        /// What helps.
        cure: &'static str,
    },
    /// The package that belongs to this program is missing.
    #[error(
        "the Python package {PACKAGE} was not found in {looked}: put {PACKAGE_FOLDER} beside the \
         program, or set {PACKAGE_VARIABLE} to the folder that holds it"
    )]
    NoPackage {
        /// Every folder that was looked at.
        looked: Folders,
    },
}

/// Folders in a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folders(Vec<PathBuf>);

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
    /// Where the system does not say where this program lies.
    pub fn of_this_process() -> std::io::Result<Self> {
        let variable = |name| {
            let value = std::env::var_os(name).filter(|value| !value.is_empty())?;
            // A script may change the working folder; what was meant at the start stays meant.
            Some(std::path::absolute(&value).unwrap_or_else(|_| value.into()))
        };
        Ok(Self {
            executable: std::env::current_exe()?,
            // A working folder that was deleted holds nothing of use.
            working_folder: std::env::current_dir().unwrap_or_default(),
            home: variable(HOME_VARIABLE),
            package: variable(PACKAGE_VARIABLE),
            venv: variable(VENV_VARIABLE),
            build_home: BUILD_HOME.into(),
            build_folder: BUILD_FOLDER.into(),
        })
    }

    /// The folders beside and above the program, and the one that it was built from.
    fn own_folders(&self) -> impl Iterator<Item = &Path> {
        let above = self.executable.ancestors().skip(1).take(1 + FOLDERS_ABOVE);
        above.chain([self.build_folder.as_path()])
    }
}

impl Runtime {
    /// Looks for a Python, its packages and ours.
    ///
    /// # Errors
    /// What is missing or of another version, where it was looked for, and what helps.
    pub fn find(surroundings: &Surroundings) -> Result<Self, RuntimeError> {
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

    /// `sys.path` before anything is added to it, without the installed packages.
    #[must_use]
    pub fn search_paths(&self) -> Vec<PathBuf> {
        let extensions = if cfg!(windows) {
            self.home.join("DLLs")
        } else {
            self.stdlib.join("lib-dynload")
        };
        let mut paths = vec![self.stdlib.clone(), extensions];
        // Before the installed packages: ours must be of the version that this program was built with.
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
            "replace that folder by the one that was released with this program, or remove it",
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
    const CURE: &str = "make the virtual environment with that version, or deactivate it";
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
    // One that nobody named may belong to another Python; then it is none of ours.
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

    /// A folder with a program in `bin/`, and whatever a test adds.
    struct Place {
        folder: tempfile::TempDir,
    }

    impl Place {
        fn new() -> Self {
            let place = Self {
                folder: tempfile::tempdir().unwrap(),
            };
            place.add("build/python_pkg/poh_holdmetrics/__init__.py");
            place.add("bin/main_holdmetrics");
            place
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
    fn the_bundle_beside_the_program_wins_over_the_python_of_the_build() {
        let place = Place::new();
        place.add_python("built", PYTHON);
        let found = Runtime::find(&place.surroundings()).unwrap();
        assert_eq!(found.home, place.path("built"));
        place.add_python("bin/embed_runtime", PYTHON);
        let found = Runtime::find(&place.surroundings()).unwrap();
        assert_eq!(found.home, place.path("bin/embed_runtime"));
        place.add_python("named", PYTHON);
        let named = Surroundings {
            home: Some(place.path("named")),
            ..place.surroundings()
        };
        assert_eq!(Runtime::find(&named).unwrap().home, place.path("named"));
    }

    #[test]
    fn what_is_missing_is_said_with_the_folder_and_the_cure() {
        let place = Place::new();
        let text =
            |surroundings: &Surroundings| Runtime::find(surroundings).unwrap_err().to_string();
        let none = text(&place.surroundings());
        assert!(
            none.contains("bin/embed_runtime or ") && none.contains(HOME_VARIABLE),
            "{none}"
        );
        place.add_python("old", "3.6");
        let named = |home: &str| Surroundings {
            home: Some(place.path(home)),
            ..place.surroundings()
        };
        let old = text(&named("old"));
        assert!(old.contains("/old, which holds Python 3.6, but"), "{old}");
        let empty = text(&named("work"));
        assert!(empty.contains("/work, which holds no Python"), "{empty}");
        place.add_python("built", PYTHON);
        let no_package = Surroundings {
            package: Some(place.path("work")),
            ..place.surroundings()
        };
        let no_package = text(&no_package);
        assert!(no_package.contains("/work: put python_pkg"), "{no_package}");
    }

    #[test]
    fn a_virtual_environment_is_taken_where_it_fits() {
        let place = Place::new();
        place.add_python("built", PYTHON);
        place.add_venv("work/.venv", "3.6");
        let without = Runtime::find(&place.surroundings()).unwrap();
        assert_eq!((without.venv, without.site_packages), (None, None));
        place.add_venv("work/.venv", PYTHON);
        let with = Runtime::find(&place.surroundings()).unwrap();
        assert_eq!(with.venv, Some(place.path("work/.venv")));
        place.add_venv("build/.venv", PYTHON);
        let with = Runtime::find(&place.surroundings()).unwrap();
        assert_eq!(with.venv, Some(place.path("build/.venv")));
        place.add_venv("active", "3.6");
        let active = Surroundings {
            venv: Some(place.path("active")),
            ..place.surroundings()
        };
        let text = Runtime::find(&active).unwrap_err().to_string();
        assert!(
            text.starts_with("VIRTUAL_ENV names ") && text.contains("deactivate it"),
            "{text}"
        );
    }

    #[test]
    fn the_package_beside_the_program_comes_before_the_installed_ones() {
        let place = Place::new();
        place.add_python("built", PYTHON);
        place.add_venv("build/.venv", PYTHON);
        let found = Runtime::find(&place.surroundings()).unwrap();
        let paths = found.search_paths();
        assert_eq!(paths.last(), Some(&place.path("build/python_pkg")));
        assert_eq!(paths[0], found.stdlib);
    }
}
