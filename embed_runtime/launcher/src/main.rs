//! The head of the one-file program: unpacks the bundle behind itself once, then becomes the program in it; on
//! Windows, where no process can become another, it waits for it.
//!
//! It opens no connection, and reads nothing but itself and the folder of unpacked bundles. What the program does
//! with its arguments is the program's; `main_holdmetrics self` shows, verifies and removes the unpacked folder.

mod calls;
mod payload;
mod unpacked;
#[cfg(windows)]
mod windows;

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

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
    let error = become_program(&folder, &binary, &program);
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

/// The program with the arguments of this process.
fn command(binary: &Path, program: &Path) -> Command {
    let mut command = Command::new(binary);
    command
        .args(std::env::args_os().skip(1))
        .env(ONE_FILE_VARIABLE, program);
    command
}

/// Replaces this process; returns only if that fails.
#[cfg(unix)]
fn become_program(_folder: &Path, binary: &Path, program: &Path) -> io::Error {
    use std::os::unix::process::CommandExt;

    command(binary, program).exec()
}

/// Runs the program and ends as it ends; returns only if it cannot be started.
#[cfg(windows)]
fn become_program(folder: &Path, binary: &Path, program: &Path) -> io::Error {
    let code = match windows::run(&mut command(binary, program)) {
        Ok(code) => code,
        Err(error) => return error,
    };
    // The libraries of a process that runs cannot be deleted, so `self remove` leaves that to this one.
    if code == 0
        && std::env::args_os().skip(1).eq(["self", "remove"])
        && let Err(error) = unpacked::remove(folder)
    {
        return error;
    }
    std::process::exit(code)
}
