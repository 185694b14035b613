//! `doctor`: shows what this program uses on this machine, and what is wrong with it.
//!
//! Changes nothing, except that it creates and removes a file in each folder that should be writable. Stores are asked
//! for their versions, by Python.
//! Also works in a build without Python.

use std::io::{self, Write};
use std::path::Path;

use anyhow::bail;
use clap::Args;
use serde::Serialize;

use super::exit::Exit;
use super::settings::StoreArguments;
use crate::config::StoreAddress;
use crate::error_line::error_line;

/// The arguments of `doctor`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    stores: StoreArguments,
}

/// All findings.
#[derive(Debug, Serialize)]
struct Diagnosis {
    /// Whether there are no problems.
    ok: bool,
    version: &'static str,
    features: Vec<&'static str>,
    executable: String,
    log_level: String,
    /// `None` in a build without Python.
    python: Option<PythonReport>,
    folders: Vec<FolderReport>,
    /// Those of `serve`, by the same settings.
    stores: Vec<StoreReport>,
    /// Each a sentence with its cure.
    problems: Vec<String>,
}

/// The interpreter inside.
#[derive(Debug, Default, Serialize)]
#[cfg_attr(
    not(feature = "py-embed"),
    allow(dead_code, reason = "a build without Python constructs none")
)]
struct PythonReport {
    /// The version that the program was built for.
    built_for: String,
    /// The version of the loaded library.
    library: String,
    home: Option<String>,
    venv: Option<String>,
    /// The folder of the packages that `py install` has installed.
    environment: Option<String>,
    site_packages: Vec<String>,
    /// The file that `poh_holdmetrics` was imported from.
    package: Option<String>,
    /// The source of that package's native code.
    native_source: Option<String>,
    search_path: Vec<String>,
    /// Names and versions; null if a package is not installed.
    packages: std::collections::BTreeMap<String, Option<String>>,
}

/// A folder that the program writes to.
#[derive(Debug, Serialize)]
struct FolderReport {
    used_for: &'static str,
    folder: String,
    writable: bool,
}

/// A storage that everything is delivered to.
#[derive(Debug, Serialize)]
#[cfg_attr(
    not(feature = "py-embed"),
    allow(dead_code, reason = "a build without Python constructs none")
)]
struct StoreReport {
    /// Without user, password and options.
    address: String,
    /// `None` if it did not answer, or refuses.
    version: Option<String>,
}

/// Prints the diagnosis; fails if there are problems.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut problems = Vec::new();
    let mut failure = None;
    let settings = arguments.stores.folder_and_stores();
    let settings = settings.and_then(|(data_dir, stores)| {
        super::python::use_environment(&data_dir)?;
        Ok(stores)
    });
    let stores = settings.unwrap_or_else(|invalid| {
        problems.push(error_line(invalid.as_ref()));
        Vec::new()
    });
    let inspected = inspect_python(&stores, &mut problems);
    let (python, stores) = inspected.unwrap_or_else(|unusable| {
        problems.push(error_line(unusable.as_ref()));
        failure = Some(unusable);
        (None, Vec::new())
    });
    let folders = folders(&mut problems);
    let executable = std::env::current_exe().unwrap_or_default();
    let diagnosis = Diagnosis {
        ok: problems.is_empty(),
        version: env!("CARGO_PKG_VERSION"),
        features: if cfg!(feature = "py-embed") {
            vec!["py-embed"]
        } else {
            Vec::new()
        },
        executable: executable.display().to_string(),
        log_level: std::env::var(crate::telemetry::LEVEL_VARIABLE).unwrap_or_default(),
        python,
        folders,
        stores,
        problems,
    };
    let mut out = io::stdout().lock();
    let printed = if arguments.json {
        print_json(&diagnosis, &mut out)
    } else {
        print_text(&diagnosis, &mut out)
    };
    printed.map_err(Exit::output(None))?;
    match (failure, diagnosis.problems.as_slice()) {
        (Some(failure), _) => Err(failure),
        (None, []) => Ok(()),
        (None, [problem]) => bail!("doctor: {problem}"),
        (None, problems) => bail!("doctor: found {} problems", problems.len()),
    }
}

/// Boots the interpreter, inspects it and asks the stores; adds what is wrong to `problems`.
#[cfg(feature = "py-embed")]
fn inspect_python(
    stores: &[StoreAddress],
    problems: &mut Vec<String>,
) -> anyhow::Result<(Option<PythonReport>, Vec<StoreReport>)> {
    use crate::host::inspection::inspect;
    use crate::host::installation::PYTHON;
    use crate::host::interpreter::{Settings, library_version};

    let (interpreter, runtime) = super::python::boot(&Settings::default())?;
    let found = inspect(&interpreter);
    let text = |path: &Path| path.display().to_string();
    let cure = format!(
        "install it with `{} -m pip install {}`",
        text(&runtime.executable),
        text(&runtime.package)
    );
    match &found.package {
        Ok(_) => {}
        Err(error) => problems.push(format!(
            "poh_holdmetrics cannot be imported ({error}): {cure}"
        )),
    }
    for (name, version) in &found.packages {
        let is_needed = name == "pydantic" || name == "pydantic-core";
        if version.is_none() && is_needed {
            problems.push(format!(
                "the Python package {name} is not installed: {cure}"
            ));
        }
    }
    let is_forced_off = std::env::var_os("POH_DISABLE_RUST").is_some_and(|value| value == "1");
    match &found.native_source {
        Ok(source) if source != "host" && !is_forced_off => problems.push(format!(
            "poh_holdmetrics takes native code from {source:?} instead of this program: use the \
             version of poh_holdmetrics that was released with it"
        )),
        Err(error) if found.package.is_ok() => problems.push(format!(
            "poh_holdmetrics cannot say where native code comes from ({error}): {cure}"
        )),
        // Switched off on purpose, or reported above: the package itself cannot be imported.
        Ok(_) | Err(_) => {}
    }
    match &found.trial_score {
        Ok(score) if score == "10" => {}
        Ok(score) => problems.push(format!(
            "a test hold of ten seconds scored {score} instead of 10"
        )),
        Err(error) => problems.push(format!(
            "a test call of the registered callables failed: {error}"
        )),
    }
    let stores = ask_stores(&interpreter, stores, problems);
    let report = PythonReport {
        built_for: PYTHON.to_owned(),
        library: library_version(),
        home: Some(text(&runtime.installation.home)),
        venv: runtime.venv.as_deref().map(text),
        environment: runtime.environment.as_deref().map(text),
        site_packages: runtime.site_packages.iter().map(|it| text(it)).collect(),
        package: found.package.ok(),
        native_source: found.native_source.ok(),
        search_path: found.search_path,
        packages: found.packages.into_iter().collect(),
    };
    Ok((Some(report), stores))
}

#[cfg(feature = "py-embed")]
fn ask_stores(
    interpreter: &crate::host::interpreter::Interpreter,
    stores: &[StoreAddress],
    problems: &mut Vec<String>,
) -> Vec<StoreReport> {
    if stores.is_empty() {
        return Vec::new();
    }
    let addresses = stores.iter().map(|store| store.as_str().to_owned());
    let found = crate::host::inspection::store_reports(interpreter, addresses.collect());
    let found = found.unwrap_or_else(|error| {
        problems.push(format!("the stores cannot be asked: {error}"));
        Vec::new()
    });
    let report = |(store, (address, version, problem)): (&StoreAddress, _)| {
        problems.extend(problem);
        let address = Some(address).filter(|address: &String| !address.is_empty());
        StoreReport {
            address: address.unwrap_or_else(|| store.to_string()),
            version,
        }
    };
    stores.iter().zip(found).map(report).collect()
}

/// Nothing: this build has no interpreter. Stores are a problem, because Python delivers to them.
#[cfg(not(feature = "py-embed"))]
#[expect(
    clippy::unnecessary_wraps,
    reason = "the same function can fail in a build with Python"
)]
fn inspect_python(
    stores: &[StoreAddress],
    problems: &mut Vec<String>,
) -> anyhow::Result<(Option<PythonReport>, Vec<StoreReport>)> {
    problems.extend(stores.iter().map(|store| {
        format!("serve.store: {store} needs Python, which this build does not have: install one that has it")
    }));
    Ok((None, Vec::new()))
}

/// The folders that the program writes to. Only the temporary folder is always needed.
fn folders(problems: &mut Vec<String>) -> Vec<FolderReport> {
    let temporary = std::env::temp_dir();
    if !is_writable(&temporary) {
        problems.push(format!(
            "the temporary folder {} cannot be written to: set TMPDIR to one that can",
            temporary.display()
        ));
    }
    let working = std::env::current_dir().unwrap_or_default();
    [
        ("temporary files", temporary),
        ("output with relative paths", working),
    ]
    .map(|(used_for, folder)| FolderReport {
        used_for,
        writable: is_writable(&folder),
        folder: folder.display().to_string(),
    })
    .into()
}

fn is_writable(folder: &Path) -> bool {
    tempfile::tempfile_in(folder).is_ok()
}

fn print_json(diagnosis: &Diagnosis, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, diagnosis)?;
    writeln!(out)
}

fn print_text(diagnosis: &Diagnosis, out: &mut impl Write) -> io::Result<()> {
    let mut line = |name: &str, value: &str| writeln!(out, "{name:<16}{value}");
    line(
        "program",
        &format!("{} {}", diagnosis.executable, diagnosis.version),
    )?;
    let features = if diagnosis.features.is_empty() {
        "none".into()
    } else {
        diagnosis.features.join(", ")
    };
    line("features", &features)?;
    let log_level = if diagnosis.log_level.is_empty() {
        "not set"
    } else {
        &diagnosis.log_level
    };
    line("LOG_LEVEL", log_level)?;
    match &diagnosis.python {
        None if cfg!(feature = "py-embed") => line("Python", "does not start")?,
        None => line("Python", "no Python inside")?,
        Some(python) => {
            let or_none = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".into());
            line("Python", &python.library)?;
            line("home", &or_none(&python.home))?;
            line("venv", &or_none(&python.venv))?;
            line("environment", &or_none(&python.environment))?;
            let packages = python.site_packages.join(", ");
            let packages = Some(packages).filter(|it| !it.is_empty());
            line("site-packages", &or_none(&packages))?;
            line("poh_holdmetrics", &or_none(&python.package))?;
            line("native source", &or_none(&python.native_source))?;
            for (index, folder) in python.search_path.iter().enumerate() {
                line(if index == 0 { "sys.path" } else { "" }, folder)?;
            }
            for (name, version) in &python.packages {
                line(name, version.as_deref().unwrap_or("not installed"))?;
            }
        }
    }
    for folder in &diagnosis.folders {
        let state = if folder.writable {
            "writable"
        } else {
            "not writable"
        };
        line(
            "folder",
            &format!("{}, {state}, for {}", folder.folder, folder.used_for),
        )?;
    }
    for store in &diagnosis.stores {
        let state = store.version.as_deref().unwrap_or("not usable");
        line("store", &format!("{}, {state}", store.address))?;
    }
    for problem in &diagnosis.problems {
        line("WRONG", problem)?;
    }
    if diagnosis.ok {
        line("", "all is well")?;
    }
    Ok(())
}
