//! The head of the one-file program: unpacks the bundle behind itself once, then becomes the program in it.
//!
//! It opens no connection, and reads nothing but itself and the folder of unpacked bundles. What the program does
//! with its arguments is the program's; `main_holdmetrics self` shows, verifies and removes the unpacked folder.

mod payload;
mod unpacked;

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use payload::Payload;

/// Names the folder of unpacked bundles.
const CACHE_VARIABLE: &str = "POH_BUNDLE_CACHE";
/// Tells the program which file it came from.
const ONE_FILE_VARIABLE: &str = "POH_ONE_FILE";
/// As the program says that it has no usable Python.
const UNUSABLE: u8 = 78;

fn main() -> ExitCode {
    let Err(error) = run();
    eprintln!("error: {error}");
    ExitCode::from(UNUSABLE)
}

/// Ends only with an error: otherwise the process goes on as the program.
fn run() -> Result<std::convert::Infallible, String> {
    let program = std::env::current_exe().map_err(|error| format!("this program: {error}"))?;
    let cache = cache_folder();
    let ready =
        Payload::open(&program).and_then(|mut payload| unpacked::ready(&mut payload, &cache));
    let folder = ready.map_err(|error| {
        format!(
            "{}: the program could not be unpacked ({error}): set {CACHE_VARIABLE} to a folder that can be \
             written to, with 120 MB free",
            cache.display()
        )
    })?;
    let binary = folder.join(if cfg!(windows) {
        "main_holdmetrics.exe"
    } else {
        "main_holdmetrics"
    });
    let error = become_program(&binary, &program);
    Err(format!("{}: {error}", binary.display()))
}

/// The variable, else the user's cache, else the folder of temporary files.
fn cache_folder() -> PathBuf {
    let named = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let user = if cfg!(windows) {
        named("LOCALAPPDATA").map(PathBuf::from)
    } else {
        named("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .or_else(|| Some(PathBuf::from(named("HOME")?).join(".cache")))
    };
    match named(CACHE_VARIABLE) {
        Some(folder) => std::path::absolute(&folder).unwrap_or_else(|_| folder.into()),
        None => user
            .unwrap_or_else(std::env::temp_dir)
            .join("holdmetrics-bundle"),
    }
}

/// Replaces this process; returns only if that fails.
#[cfg(unix)]
fn become_program(binary: &Path, program: &Path) -> io::Error {
    use std::os::unix::process::CommandExt;

    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    std::process::Command::new(binary)
        .args(words)
        .env(ONE_FILE_VARIABLE, program)
        .exec()
}
