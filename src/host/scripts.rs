//! Operators' code in the embedded interpreter: files, modules, code, standard input, a prompt.
//!
//! `sys.argv`, `sys.path[0]`, `__main__`, tracebacks and exit codes are those of `python`. The code
//! is trusted: it can do what this process can. Boots nothing; see [`super::interpreter`].

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use pyo3::exceptions::{PyKeyboardInterrupt, PyOSError, PySystemExit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyModule};

use super::interpreter::{Interpreter, prepend_path};
use super::runtime::Runtime;

/// What is run as `__main__`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// A file of source code, a folder or an archive with a `__main__`.
    File(PathBuf),
    /// `-c`: the code itself.
    Code(OsString),
    /// `-m`: a module by its name.
    Module(OsString),
    /// `-`: the code from standard input.
    Input,
    /// An interactive prompt.
    Prompt,
    /// `-V`: the version, as `python` prints it.
    Version,
}

/// The exit code for a missing file, as under `python`.
const EXIT_NO_FILE: i32 = 2;
const EXIT_INTERRUPTED: i32 = 130;

/// The package without which `poh_holdmetrics` cannot be imported.
const NEEDED_PACKAGE: &str = "pydantic";

/// A required package is not installed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the Python package {NEEDED_PACKAGE} was not found in {looked}: install it with `{pip} install \
     {package}`"
)]
pub(crate) struct MissingPackage {
    looked: String,
    pip: String,
    package: String,
}

/// Whether `poh_holdmetrics` can be imported.
///
/// # Errors
/// If a package that it needs is missing; names the folder that was searched.
pub(crate) fn check_packages(
    interpreter: &Interpreter,
    runtime: &Runtime,
) -> Result<(), MissingPackage> {
    let search_path = interpreter.attach(search_path).unwrap_or_default();
    if search_path
        .iter()
        .any(|folder| folder.join(NEEDED_PACKAGE).is_dir())
    {
        return Ok(());
    }
    let packages = runtime.site_packages.first();
    let folder = packages.unwrap_or(&runtime.installation.home);
    Err(MissingPackage {
        looked: folder.display().to_string(),
        pip: format!("{} -m pip", runtime.executable.display()),
        package: runtime.package.display().to_string(),
    })
}

/// The current `sys.path`, with what the installed packages have added.
fn search_path(py: Python<'_>) -> PyResult<Vec<PathBuf>> {
    py.import("sys")?.getattr("path")?.extract()
}

impl Program {
    /// Runs the program as `__main__` with `sys.argv[1:]` set to `arguments`; returns the exit code.
    #[must_use]
    pub(crate) fn run(&self, interpreter: &Interpreter, arguments: &[OsString]) -> i32 {
        interpreter.attach(|py| match self.run_main(py, arguments) {
            Ok(()) => 0,
            Err(error) => exit_code(py, &error),
        })
    }

    fn run_main(&self, py: Python<'_>, arguments: &[OsString]) -> PyResult<()> {
        let first = match self {
            Self::File(file) => file.clone().into_os_string(),
            Self::Code(_) => "-c".into(),
            Self::Module(_) => "-m".into(),
            Self::Input => "-".into(),
            Self::Prompt | Self::Version => OsString::new(),
        };
        let words = std::iter::once(&first).chain(arguments);
        py.import("sys")?.setattr("argv", PyList::new(py, words)?)?;
        match self {
            Self::File(file) if is_container(file) => {
                prepend_path(py, file.as_os_str())?;
                run_module(py, "__main__".as_ref(), false)
            }
            Self::File(file) => run_file(py, file),
            Self::Code(code) => {
                prepend_path(py, "".as_ref())?;
                run_source(
                    py,
                    code.as_os_str().into_pyobject(py)?.into_any(),
                    "<string>".as_ref(),
                )
            }
            Self::Module(name) => {
                prepend_path(py, &working_folder())?;
                run_module(py, name, true)
            }
            Self::Input => {
                prepend_path(py, "".as_ref())?;
                let source = py.import("sys")?.getattr("stdin")?.call_method0("read")?;
                run_source(py, source, "<stdin>".as_ref())
            }
            Self::Prompt => {
                prepend_path(py, "".as_ref())?;
                prompt(py)
            }
            Self::Version => py
                .import("builtins")?
                .call_method1("print", (format!("Python {}", version(py)?),))
                .map(drop),
        }
    }
}

fn run_file(py: Python<'_>, file: &Path) -> PyResult<()> {
    // Absolute, so that it stays valid if the script changes its working folder.
    let path = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let source = match py
        .import("io")?
        .call_method1("open_code", (path.as_os_str(),))
    {
        Ok(file) => file.call_method0("read")?,
        Err(error) if error.is_instance_of::<PyOSError>(py) => {
            let (number, reason) = (
                error.value(py).getattr("errno")?,
                error.value(py).getattr("strerror")?,
            );
            eprintln!(
                "main_holdmetrics: can't open file '{}': [Errno {number}] {reason}",
                path.display()
            );
            return Err(PySystemExit::new_err(EXIT_NO_FILE));
        }
        Err(error) => return Err(error),
    };
    let folder = path.canonicalize().unwrap_or_else(|_| path.clone());
    prepend_path(py, folder.parent().unwrap_or(Path::new("")).as_os_str())?;
    let main = main_module(py)?;
    main.setattr("__file__", path.as_os_str())?;
    main.setattr("__cached__", py.None())?;
    let loader = py
        .import("importlib.machinery")?
        .getattr("SourceFileLoader")?;
    main.setattr("__loader__", loader.call1(("__main__", path.as_os_str()))?)?;
    run_source(py, source, path.as_os_str())
}

/// Compiles `source` and runs it in `__main__`, without an extra frame in its tracebacks.
fn run_source(py: Python<'_>, source: Bound<'_, PyAny>, name: &std::ffi::OsStr) -> PyResult<()> {
    let builtins = py.import("builtins")?;
    // Not inherited: future features of other code must not change the meaning of this code.
    let options = PyDict::new(py);
    options.set_item("dont_inherit", true)?;
    let code = builtins
        .getattr("compile")?
        .call((source, name, "exec"), Some(&options))?;
    builtins.call_method1("exec", (code, main_module(py)?.dict()))?;
    Ok(())
}

/// Runs a module as `python -m` does, which also sets `sys.argv[0]` to its file.
fn run_module(py: Python<'_>, name: &std::ffi::OsStr, sets_argv: bool) -> PyResult<()> {
    let run = py.import("runpy")?.getattr("_run_module_as_main")?;
    run.call1((name, sets_argv))?;
    Ok(())
}

fn prompt(py: Python<'_>) -> PyResult<()> {
    // Line editing, if this Python has it; the prompt works without.
    let _ = py.import("readline");
    let names = main_module(py)?.dict();
    let options = PyDict::new(py);
    let version = Python::version_str();
    options.set_item(
        "banner",
        format!("Python {version}\nInside main_holdmetrics: poh_holdmetrics is importable."),
    )?;
    options.set_item("local", names)?;
    options.set_item("exitmsg", "")?;
    py.import("code")?
        .getattr("interact")?
        .call((), Some(&options))?;
    Ok(())
}

/// Such as `3.14.6`.
fn version(py: Python<'_>) -> PyResult<String> {
    py.import("platform")?
        .call_method0("python_version")?
        .extract()
}

fn main_module(py: Python<'_>) -> PyResult<Bound<'_, PyModule>> {
    py.import("__main__")
}

/// Whether `python` would run the `__main__` in it.
fn is_container(path: &Path) -> bool {
    path.is_dir()
        || path
            .extension()
            .is_some_and(|kind| kind == "zip" || kind == "pyz")
}

fn working_folder() -> OsString {
    std::env::current_dir().unwrap_or_default().into_os_string()
}

/// The exit code after `error`, which is printed unless it is a `SystemExit`.
fn exit_code(py: Python<'_>, error: &PyErr) -> i32 {
    if error.is_instance_of::<PySystemExit>(py) {
        return requested_exit(py, error).unwrap_or(1);
    }
    error.print_and_set_sys_last_vars(py);
    if error.is_instance_of::<PyKeyboardInterrupt>(py) {
        EXIT_INTERRUPTED
    } else {
        1
    }
}

/// The code of `sys.exit(n)`; anything but a number is printed, and the code is 1.
fn requested_exit(py: Python<'_>, error: &PyErr) -> PyResult<i32> {
    let code = error.value(py).getattr("code")?;
    if code.is_none() {
        return Ok(0);
    }
    if code.is_instance_of::<pyo3::types::PyInt>() {
        return Ok(code.extract().unwrap_or(-1));
    }
    let stderr = py.import("sys")?.getattr("stderr")?;
    stderr.call_method1("write", (format!("{}\n", code.str()?),))?;
    Ok(1)
}
