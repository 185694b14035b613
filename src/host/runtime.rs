//! Which Python is embedded: its standard library, its packages, and ours, found on disk.
//!
//! Everything is checked before the interpreter starts, because one without a standard library ends the
//! process without an error. Nothing is booted and no variable is read; the [`Surroundings`] are an
//! argument. [`super::interpreter`] boots what is found.

use std::fmt;
use std::path::{Path, PathBuf};

use super::environment::{self, ENVIRONMENT_VARIABLE};
use super::installation::{Installation, PYTHON, other_version, site_packages};
use super::interpreter_link;

/// Names the folder of a Python installation; takes precedence over everything else.
pub(crate) const HOME_VARIABLE: &str = "POH_PYTHON_HOME";
/// Names the folder that contains the package `poh_holdmetrics`.
pub(crate) const PACKAGE_VARIABLE: &str = "POH_PYTHON_PKG";
/// Set by an activated virtual environment.
pub(crate) const VENV_VARIABLE: &str = "VIRTUAL_ENV";

/// The folder of a bundled Python, next to the program.
pub(super) const BUNDLE: &str = "embed_runtime";
const PACKAGE_FOLDER: &str = "python_pkg";
const PACKAGE: &str = "poh_holdmetrics";
const VENV: &str = ".venv";
/// Where the program was built, and the Python that it was built with; both empty in one that carries its own.
const BUILD_FOLDER: &str = env!("POH_BUILD_FOLDER");
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
    /// [`ENVIRONMENT_VARIABLE`], if it is set and not empty.
    pub environment: Option<PathBuf>,
    /// The name that the program was started by.
    pub link: Option<PathBuf>,
    /// The Python of the build, empty if it is not known; the last choice.
    pub build_home: PathBuf,
    /// The checkout of the build, empty if it is not known; the last choice.
    pub build_folder: PathBuf,
}

/// A Python that can be booted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Runtime {
    /// This program, or the link to it by which a virtual environment names it; `sys.executable`.
    pub executable: PathBuf,
    /// This program.
    pub program: PathBuf,
    /// The interpreter's own folders.
    pub installation: Installation,
    /// The virtual environment, if there is one.
    pub venv: Option<PathBuf>,
    /// The environment of packages that `py install` has made, if there is one.
    pub environment: Option<PathBuf>,
    /// The folders of installed packages, the first one first in `sys.path`.
    pub site_packages: Vec<PathBuf>,
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
    /// A folder is not an environment of packages, or one of another version.
    #[error(
        "{folder} has {}, but this program is built for Python {PYTHON}: install them again with `py install`, or \
         choose another environment with `py use`",
        .found.as_deref().map_or("no packages".to_owned(), |found| format!("packages for Python {found}")),
        folder = folder.display()
    )]
    NoEnvironment {
        /// The folder.
        folder: PathBuf,
        /// `X.Y` of the version found.
        found: Option<String>,
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
            environment: variable(ENVIRONMENT_VARIABLE),
            link: interpreter_link::of_this_process(),
            build_home: BUILD_HOME.into(),
            build_folder: BUILD_FOLDER.into(),
        })
    }

    /// The folder of the program; outside a bundle also those above it, and the one that it was built in.
    fn own_folders(&self, is_bundle: bool) -> Vec<&Path> {
        let above = if is_bundle { 0 } else { FOLDERS_ABOVE };
        let program = self.executable.ancestors().skip(1).take(1 + above);
        let built = (!is_bundle).then_some(self.build_folder.as_path());
        let folders = program.chain(built);
        folders.filter(|it| !it.as_os_str().is_empty()).collect()
    }
}

impl Runtime {
    /// Finds a Python, its packages and ours.
    ///
    /// # Errors
    /// If something is missing or has another version.
    pub(crate) fn find(surroundings: &Surroundings) -> Result<Self, RuntimeError> {
        let installation = find_installation(surroundings)?;
        let own_folders = surroundings.own_folders(installation.is_bundle);
        let link = surroundings.link.as_deref();
        let linked = link.and_then(interpreter_link::environment_of);
        let link = link.filter(|_| linked.is_some());
        let venv = match linked {
            Some(linked) => Some(linked),
            None => find_venv(surroundings, &own_folders)?,
        };
        let environment = surroundings.environment.as_deref();
        let installed = environment.map(environment::packages).transpose()?;
        let of_venv = venv.as_deref().and_then(site_packages);
        let mut packages: Vec<PathBuf> = installed.into_iter().chain(of_venv).collect();
        // An environment replaces the packages of an installation; those of a bundle are what the program
        // itself needs, and stay behind it.
        if venv.is_none() || installation.is_bundle {
            packages.extend(installation.packages.clone());
        }
        Ok(Self {
            package: find_package(surroundings, &own_folders, &packages)?,
            executable: link.unwrap_or(&surroundings.executable).to_owned(),
            program: surroundings.executable.clone(),
            installation,
            venv,
            environment: surroundings.environment.clone(),
            site_packages: packages,
        })
    }

    /// `sys.path` without the installed packages, which are added later.
    #[must_use]
    pub(crate) fn search_paths(&self) -> Vec<PathBuf> {
        let mut paths = vec![self.installation.stdlib.clone()];
        paths.extend(self.installation.extensions.clone());
        // Before the installed packages, so that ours has the version that this program was built with.
        if !self.site_packages.contains(&self.package) {
            paths.push(self.package.clone());
        }
        paths
    }
}

/// The folder of a bundle next to a program.
pub(super) fn bundle_of(executable: &Path) -> PathBuf {
    executable.parent().unwrap_or(Path::new("")).join(BUNDLE)
}

/// The packages in the bundle next to this program, as `name version`, sorted.
pub(crate) fn bundled_packages() -> Vec<String> {
    let executable = std::env::current_exe().unwrap_or_default();
    let bundle = Installation::bundled(&bundle_of(&executable));
    let folder = bundle.and_then(|bundle| bundle.packages?.read_dir().ok());
    let names = folder.into_iter().flatten().flatten();
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    let mut packages: Vec<String> = names
        .filter_map(|name| Some(name.strip_suffix(".dist-info")?.replace('-', " ")))
        .collect();
    packages.sort();
    packages
}

fn find_installation(surroundings: &Surroundings) -> Result<Installation, RuntimeError> {
    let bundle = bundle_of(&surroundings.executable);
    let (origin, home, found, cure) = if let Some(home) = &surroundings.home {
        (
            HOME_VARIABLE,
            home,
            Installation::installed(home),
            "set it to the folder of an installation of that version, or unset it",
        )
    } else if bundle.is_dir() {
        (
            "the program",
            &bundle,
            Installation::bundled(&bundle),
            "replace that folder with the one that was released with this program, or remove it",
        )
    } else {
        let home = &surroundings.build_home;
        return Installation::installed(home).ok_or_else(|| {
            let mut looked = vec![bundle, home.clone()];
            looked.retain(|folder| !folder.as_os_str().is_empty());
            RuntimeError::NoPython {
                looked: Folders(looked),
            }
        });
    };
    found.ok_or_else(|| {
        let home = home.clone();
        match other_version(&home) {
            Some(found) => RuntimeError::WrongVersion {
                origin,
                home,
                found,
                cure,
            },
            None => RuntimeError::NotAPython { origin, home, cure },
        }
    })
}

fn find_venv(
    surroundings: &Surroundings,
    own_folders: &[&Path],
) -> Result<Option<PathBuf>, RuntimeError> {
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
    let working_folder = surroundings.working_folder.as_path();
    // One that was not named explicitly may belong to another Python; then it is ignored.
    Ok(own_folders
        .iter()
        .chain([&working_folder])
        .map(|folder| folder.join(VENV))
        .find(|venv| site_packages(venv).is_some()))
}

fn find_package(
    surroundings: &Surroundings,
    own_folders: &[&Path],
    site_packages: &[PathBuf],
) -> Result<PathBuf, RuntimeError> {
    let mut folders: Vec<PathBuf> = match &surroundings.package {
        Some(package) => vec![package.clone()],
        None => own_folders
            .iter()
            .map(|folder| folder.join(PACKAGE_FOLDER))
            .chain(site_packages.iter().cloned())
            .collect(),
    };
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

        fn add_bundle(&self, version: &str) {
            let zip = version.replace('.', "");
            self.add(&format!("bin/embed_runtime/python{zip}.zip"));
            self.add("bin/embed_runtime/site/one.py");
            self.add("bin/python_pkg/poh_holdmetrics/__init__.py");
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
        assert_eq!(found.installation.home, disk.path("built"));
        disk.add_bundle(PYTHON);
        let found = Runtime::find(&disk.surroundings()).unwrap();
        assert_eq!(found.installation.home, disk.path("bin/embed_runtime"));
        disk.add_python("named", PYTHON);
        let named = Surroundings {
            home: Some(disk.path("named")),
            ..disk.surroundings()
        };
        assert_eq!(
            Runtime::find(&named).unwrap().installation.home,
            disk.path("named")
        );
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
        assert_eq!((without.venv, without.site_packages), (None, vec![]));
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
    fn a_bundle_keeps_its_packages_behind_an_environment_and_looks_nowhere_else() {
        let disk = TestFolder::new();
        disk.add_python("built", PYTHON);
        disk.add_venv(".venv", PYTHON);
        disk.add_venv("build/.venv", PYTHON);
        disk.add_bundle(PYTHON);
        let bundled = disk.path("bin/embed_runtime/site");
        let found = Runtime::find(&disk.surroundings()).unwrap();
        assert_eq!(
            (found.venv.clone(), found.site_packages.clone()),
            (None, vec![bundled.clone()])
        );
        assert_eq!(found.package, disk.path("bin/python_pkg"));
        disk.add_venv("work/.venv", PYTHON);
        let found = Runtime::find(&disk.surroundings()).unwrap();
        let installed = disk.path(&format!("work/.venv/lib/python{PYTHON}/site-packages"));
        assert_eq!(found.site_packages, [installed, bundled]);
    }

    #[test]
    fn an_environment_precedes_what_is_installed_elsewhere() {
        let disk = TestFolder::new();
        disk.add_bundle(PYTHON);
        disk.add_venv("work/.venv", PYTHON);
        disk.add(&format!(
            "data/python/environments/a1/python{PYTHON}/one.py"
        ));
        let environment = disk.path("data/python/environments/a1");
        let with = Surroundings {
            environment: Some(environment.clone()),
            ..disk.surroundings()
        };
        let found = Runtime::find(&with).unwrap();
        assert_eq!(
            found.site_packages,
            [
                environment.join(format!("python{PYTHON}")),
                disk.path(&format!("work/.venv/lib/python{PYTHON}/site-packages")),
                disk.path("bin/embed_runtime/site"),
            ]
        );
        assert_eq!(found.environment, Some(environment));
    }

    #[test]
    fn a_link_of_a_virtual_environment_is_its_interpreter() {
        let disk = TestFolder::new();
        disk.add_bundle(PYTHON);
        disk.add_venv("work/.venv", PYTHON);
        disk.add_venv("other", PYTHON);
        let linked = Surroundings {
            link: Some(disk.path("other/bin/python")),
            ..disk.surroundings()
        };
        let found = Runtime::find(&linked).unwrap();
        assert_eq!(found.venv, Some(disk.path("work/.venv")));
        assert_eq!(found.executable, found.program);
        disk.add("other/pyvenv.cfg");
        let found = Runtime::find(&linked).unwrap();
        assert_eq!(found.venv, Some(disk.path("other")));
        assert_eq!(found.executable, disk.path("other/bin/python"));
        assert_eq!(found.program, disk.path("bin/main_holdmetrics"));
    }

    #[test]
    fn a_bundle_of_another_version_is_refused() {
        let disk = TestFolder::new();
        disk.add_python("built", PYTHON);
        disk.add_bundle("3.9");
        let text = Runtime::find(&disk.surroundings()).unwrap_err().to_string();
        assert!(
            text.contains("bin/embed_runtime, which contains Python 3.9, but"),
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
        assert_eq!(paths[0], found.installation.stdlib);
    }
}
