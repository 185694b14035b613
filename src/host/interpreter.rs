//! The interpreter inside this process: booted once, never finalised.
//!
//! The thread that boots it owns it. The command line boots it on the main thread, so that Python's own
//! signal handlers work as under `python`: Ctrl-C raises `KeyboardInterrupt` in the script, and
//! `asyncio.run` cancels its main task. Nothing else in the process handles signals then; a service handles them itself, see [`super::pipeline`]. The
//! configuration is isolated: `PYTHON*` variables and the user's site folder are ignored, and all paths
//! come from [`super::runtime`].
//!
//! It is not finalised, because that may crash if another thread is attached. [`Interpreter::exit`] does
//! what users expect of it: threads are joined, exit handlers run, streams are flushed.
#![allow(unsafe_code, reason = "PyConfig is an interface of C")]

use std::ffi::{CStr, OsStr, OsString};
use std::fs::File;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
#[cfg(all(unix, Py_3_14))]
use std::os::raw::c_int;

use pyo3::prelude::*;
use pyo3::types::{PyList, PyModule};
use pyo3::{ffi, intern};

use super::installation::PYTHON;
use super::runtime::Runtime;
use super::{environment, guard, logging, native};
use crate::excerpt::quoted;

/// The module of the registered callables.
pub(crate) const HOST_MODULE: &str = "_holdmetrics_host";
/// The exit code of `python` if its output could not be written.
const EXIT_FLUSH_FAILED: i32 = 120;

/// The options of `python`; the default is an interpreter without any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    /// `-B`: do not write `.pyc` files.
    pub keeps_no_bytecode: bool,
    /// `-u`: do not buffer standard output.
    pub is_unbuffered: bool,
    /// `-q`: do not print a banner.
    pub is_quiet: bool,
    /// `-O`, `-OO`.
    pub optimization: i32,
    /// `-b`, `-bb`.
    pub bytes_warnings: i32,
    /// `-v`, `-vv`.
    pub verbosity: i32,
    /// `-W`.
    pub warnings: Vec<OsString>,
    /// `-X`.
    pub extensions: Vec<OsString>,
    /// Who handles signals.
    pub signals: Signals,
}

/// Who handles the signals of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Signals {
    /// Python, as under `python`.
    #[default]
    OfPython,
    /// The service, which has registered its handlers before.
    OfService,
}

/// Why the interpreter did not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BootError {
    /// The loaded library has another version than the one that this program was built with.
    #[error(
        "the loaded Python library has version {found}, but this program is built for Python \
         {PYTHON}: put the library of that version on the library path"
    )]
    WrongLibrary {
        /// The version that the library reports.
        found: String,
    },
    /// A path or an argument contains a zero byte.
    #[error("{}: a path or an argument with a zero byte cannot be passed to Python", quoted(&.0.to_string_lossy()))]
    ZeroByte(OsString),
    /// The interpreter refused its configuration.
    #[error("Python in {home} did not start: {message}")]
    Refused {
        /// The installation.
        home: String,
        /// The reason that the interpreter gives.
        message: String,
    },
    /// Our preparation of the interpreter failed.
    #[error("Python in {home} did not start")]
    Prepare {
        /// The installation.
        home: String,
        /// The exception.
        source: PyErr,
    },
}

/// The running interpreter; bound to the thread that booted it.
pub(crate) struct Interpreter {
    owner: PhantomData<*const ()>,
    /// Open as long as the packages of an environment may be imported.
    _environment: Option<File>,
}

impl Interpreter {
    /// Boots the interpreter; `arguments` become `sys.orig_argv`. Call it once, on one thread.
    ///
    /// # Errors
    /// If the interpreter refuses its configuration, or cannot be prepared.
    pub(crate) fn boot(
        runtime: &Runtime,
        settings: &Settings,
        arguments: &[OsString],
    ) -> Result<Self, BootError> {
        let version = library_version();
        if !version.starts_with(&format!("{PYTHON}.")) {
            let found = version.split(' ').next().unwrap_or_default().to_owned();
            return Err(BootError::WrongLibrary { found });
        }
        start(runtime, settings, arguments)?;
        let interpreter = Self {
            owner: PhantomData,
            _environment: runtime.environment.as_deref().and_then(environment::hold),
        };
        interpreter
            .attach(|py| prepare(py, runtime))
            .map_err(|source| BootError::Prepare {
                home: runtime.installation.home.display().to_string(),
                source,
            })?;
        Ok(interpreter)
    }

    /// Runs `work` with the interpreter.
    #[allow(
        clippy::unused_self,
        reason = "only a started interpreter can be attached to"
    )]
    pub(crate) fn attach<R>(&self, work: impl for<'py> FnOnce(Python<'py>) -> R) -> R {
        Python::attach(work)
    }

    /// Ends the process as `python` does: joins threads, runs exit handlers, flushes the streams.
    pub(crate) fn exit(self, code: i32) -> ! {
        self.attach(|py| {
            close(py);
            let code = if flush(py) { code } else { EXIT_FLUSH_FAILED };
            // Still attached: a daemon thread of Python must not run while the process exits.
            std::process::exit(code)
        })
    }
}

/// The version of the loaded library, such as `3.12.1 (main, ...)`.
#[must_use]
pub(crate) fn library_version() -> String {
    // SAFETY: allowed before initialisation; the text is static.
    unsafe { CStr::from_ptr(ffi::Py_GetVersion()) }
        .to_string_lossy()
        .into_owned()
}

fn start(runtime: &Runtime, settings: &Settings, arguments: &[OsString]) -> Result<(), BootError> {
    let home = runtime.installation.home.display().to_string();
    let refused = |status: ffi::PyStatus| -> Result<(), BootError> {
        // SAFETY: `status` was returned by the interpreter and is only read.
        if unsafe { ffi::PyStatus_Exception(status) } == 0 {
            return Ok(());
        }
        let message = if status.err_msg.is_null() {
            "no reason was given".to_owned()
        } else {
            // SAFETY: a message is a static C string.
            unsafe { CStr::from_ptr(status.err_msg) }
                .to_string_lossy()
                .into_owned()
        };
        let home = home.clone();
        Err(BootError::Refused { home, message })
    };

    let mut before = MaybeUninit::<ffi::PyPreConfig>::uninit();
    // SAFETY: the function fills all of the structure, which is then initialised.
    let mut before = unsafe {
        ffi::PyPreConfig_InitIsolatedConfig(before.as_mut_ptr());
        before.assume_init()
    };
    // Texts and file names are UTF-8 in every locale, as in Python 3.15 and later.
    before.utf8_mode = 1;
    // SAFETY: nothing of Python runs yet in this process; the configuration is filled.
    refused(unsafe { ffi::Py_PreInitialize(&raw const before) })?;

    let mut config = Config::isolated();
    let filled = config.fill(runtime, settings, arguments);
    filled?.into_iter().try_for_each(refused)?;
    // SAFETY: pre-initialised above; the configuration is filled and outlives the call.
    refused(unsafe { ffi::Py_InitializeFromConfig(&raw const config.0) })?;
    name_main_thread();
    // SAFETY: this thread holds the interpreter since its initialisation; its state is parked, and
    // every later `attach` of this thread finds it again.
    unsafe { ffi::PyEval_SaveThread() };
    Ok(())
}

/// Makes the thread that boots the one that debuggers find from outside, as `Py_RunMain` does; without it, `pdb -p`
/// and `sys.remote_exec` find no main thread in a process that embeds Python.
#[cfg(all(unix, Py_3_14))]
fn name_main_thread() {
    // SAFETY: declared as in the internal headers of CPython. It is exported for the modules of the standard library, and
    // nothing public does the same.
    unsafe extern "C" {
        fn _PyInterpreterState_SetRunningMain(interpreter: *mut ffi::PyInterpreterState) -> c_int;
    }
    // SAFETY: this thread holds the interpreter since its initialisation, and no other runs as its main one.
    unsafe {
        if _PyInterpreterState_SetRunningMain(ffi::PyInterpreterState_Get()) != 0 {
            ffi::PyErr_Clear();
        }
    }
}

/// Nothing: debugging from outside came with Python 3.14, and `py` uses it on Unix alone.
#[cfg(not(all(unix, Py_3_14)))]
fn name_main_thread() {}

/// A configuration that is freed with its owner.
struct Config(ffi::PyConfig);

impl Drop for Config {
    fn drop(&mut self) {
        // SAFETY: filled by `isolated` and never freed elsewhere.
        unsafe { ffi::PyConfig_Clear(&raw mut self.0) }
    }
}

impl Config {
    fn isolated() -> Self {
        let mut config = MaybeUninit::<ffi::PyConfig>::uninit();
        // SAFETY: the function fills all of the structure, which is then initialised.
        unsafe {
            ffi::PyConfig_InitIsolatedConfig(config.as_mut_ptr());
            Self(config.assume_init())
        }
    }

    /// Sets all fields; the caller checks the statuses.
    fn fill(
        &mut self,
        runtime: &Runtime,
        settings: &Settings,
        arguments: &[OsString],
    ) -> Result<Vec<ffi::PyStatus>, BootError> {
        let config = &raw mut self.0;
        let mut statuses = Vec::new();
        // SAFETY: `config` is filled and ours alone; each pointer is to a field of it.
        unsafe {
            // As under `python`: Ctrl-C is a KeyboardInterrupt on the thread that boots.
            (*config).install_signal_handlers = i32::from(settings.signals == Signals::OfPython);
            // Packages are added explicitly: `site` would look in the folder of the executable.
            (*config).site_import = 0;
            (*config).write_bytecode = i32::from(!settings.keeps_no_bytecode);
            (*config).buffered_stdio = i32::from(!settings.is_unbuffered);
            (*config).quiet = i32::from(settings.is_quiet);
            (*config).optimization_level = settings.optimization;
            (*config).bytes_warning = settings.bytes_warnings;
            (*config).verbose = settings.verbosity;
            (*config).module_search_paths_set = 1;
            for (field, value) in [
                (&raw mut (*config).home, &runtime.installation.home),
                (&raw mut (*config).stdlib_dir, &runtime.installation.stdlib),
                // Child processes are started with this program, which then acts as `python`.
                (&raw mut (*config).executable, &runtime.executable),
                (&raw mut (*config).base_executable, &runtime.program),
                (&raw mut (*config).program_name, &runtime.executable),
            ] {
                statuses.push(with_wide(value.as_os_str(), |text| {
                    ffi::PyConfig_SetString(config, field, text)
                })?);
            }
            let search_paths: Vec<OsString> =
                runtime.search_paths().into_iter().map(Into::into).collect();
            for (list, values) in [
                (&raw mut (*config).module_search_paths, &search_paths[..]),
                (&raw mut (*config).orig_argv, arguments),
                (&raw mut (*config).warnoptions, &settings.warnings),
                (&raw mut (*config).xoptions, &settings.extensions),
            ] {
                for value in values {
                    statuses.push(with_wide(value, |text| {
                        ffi::PyWideStringList_Append(list, text)
                    })?);
                }
            }
        }
        Ok(statuses)
    }
}

/// Calls `take` with `text` as wide characters; `take` must copy them.
#[cfg(unix)]
fn with_wide<C, R>(text: &OsStr, take: impl FnOnce(*const C) -> R) -> Result<R, BootError> {
    use std::os::unix::ffi::OsStrExt;

    let bytes = std::ffi::CString::new(text.as_bytes())
        .map_err(|_| BootError::ZeroByte(text.to_owned()))?;
    // SAFETY: pre-initialised, so the text is decoded as UTF-8; the result is ours to free.
    let wide = unsafe { ffi::Py_DecodeLocale(bytes.as_ptr(), std::ptr::null_mut()) };
    assert!(!wide.is_null(), "memory for a path");
    let result = take(wide.cast_const().cast());
    // SAFETY: allocated by `Py_DecodeLocale`, used no more.
    unsafe { ffi::PyMem_RawFree(wide.cast()) };
    Ok(result)
}

/// Calls `take` with `text` as wide characters; `take` must copy them.
#[cfg(windows)]
fn with_wide<C, R>(text: &OsStr, take: impl FnOnce(*const C) -> R) -> Result<R, BootError> {
    use std::os::windows::ffi::OsStrExt;

    let mut wide: Vec<u16> = text.encode_wide().collect();
    if wide.contains(&0) {
        return Err(BootError::ZeroByte(text.to_owned()));
    }
    wide.push(0);
    Ok(take(wide.as_ptr().cast()))
}

/// Prepares the interpreter before a script runs.
fn prepare(py: Python<'_>, runtime: &Runtime) -> PyResult<()> {
    let sys = py.import("sys")?;
    let modules = sys.getattr(intern!(py, "modules"))?;
    let module = PyModule::new(py, HOST_MODULE)?;
    native::register(&module)?;
    modules.set_item(HOST_MODULE, module)?;
    guard::install(py)?;
    let site = py.import("site")?;
    if let Some(venv) = &runtime.venv {
        // From this, `pip` and other tools know that they run in a virtual environment.
        for name in ["prefix", "exec_prefix"] {
            sys.setattr(name, venv.as_os_str())?;
        }
        site.setattr("PREFIXES", [venv.as_os_str()])?;
    }
    for folder in &runtime.site_packages {
        // This also runs its `.pth` files, which editable installations need.
        site.call_method1("addsitedir", (folder.as_os_str(),))?;
    }
    for builtins in ["setquit", "setcopyright", "sethelper"] {
        site.call_method0(builtins)?;
    }
    logging::install(py)
}

/// Waits for Python's threads and runs its exit handlers.
fn close(py: Python<'_>) {
    let modules = py.import("sys").and_then(|sys| sys.getattr("modules"));
    let Ok(modules) = modules else { return };
    for (module, function) in [("threading", "_shutdown"), ("atexit", "_run_exitfuncs")] {
        let Ok(module) = modules.get_item(module) else {
            continue;
        };
        if let Err(error) = module.call_method0(function) {
            error.write_unraisable(py, Some(&module));
        }
    }
}

/// Flushes standard output and standard error; `false` if that fails.
pub(super) fn flush(py: Python<'_>) -> bool {
    let Ok(sys) = py.import("sys") else {
        return false;
    };
    let mut is_flushed = true;
    for name in ["stdout", "stderr"] {
        let Some(stream) = sys.getattr_opt(name).ok().flatten() else {
            continue;
        };
        let is_closed = stream
            .getattr("closed")
            .and_then(|closed| closed.is_truthy());
        if stream.is_none() || is_closed.unwrap_or(false) {
            continue;
        }
        if let Err(error) = stream.call_method0("flush") {
            is_flushed = false;
            if name == "stdout" {
                error.write_unraisable(py, Some(&stream));
            }
        }
    }
    is_flushed
}

/// Inserts `folder` at the front of `sys.path`.
pub(super) fn prepend_path(py: Python<'_>, folder: &OsStr) -> PyResult<()> {
    let path = py.import("sys")?.getattr(intern!(py, "path"))?;
    path.cast_into::<PyList>()?.insert(0, folder)
}
