//! `py`: the packages that pipelines import, and a look into a running program from outside.
//!
//! Only the arguments; Python does the work, in `poh_holdmetrics.environments` and `poh_holdmetrics.attachment`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::settings::FolderArguments;

/// The arguments of `py`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Install packages for the pipelines of a data folder, into an environment of its own
    #[command(after_help = INSTALLED)]
    Install(Install),
    /// Show the environments of a data folder, and which one is current
    List {
        #[command(flatten)]
        settings: FolderArguments,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Make another environment the current one, to roll back
    #[command(after_help = "A service takes it at its next start.")]
    Use {
        #[command(flatten)]
        settings: FolderArguments,
        /// Its name in `py list`, or the first letters of it; none for no environment
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Delete an environment that is neither current nor used by a running process
    Remove {
        #[command(flatten)]
        settings: FolderArguments,
        /// Its name in `py list`, or the first letters of it
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Show the tasks of a running program, and where each of them waits
    #[command(after_help = REMOTE)]
    Ps(Look),
    /// Show where each thread of a running service is, also if one never ends
    #[command(
        after_help = "The service writes its stacks at SIGUSR1, for which Python stands still for milliseconds, and goes on."
    )]
    Stack(Look),
    /// Debug a running program with the commands of pdb
    #[command(after_help = format!(
        "All of Python stands still while pdb waits for a command. A service ends itself after \
         pipelines.fatal_limit (2 minutes): start it with 0 to debug it for longer.\n\n{REMOTE}"
    ))]
    Pdb {
        #[command(flatten)]
        process: Process,
    },
}

/// Shown under the help text of `py install`.
const INSTALLED: &str = "Everything is resolved and downloaded first, as wheels for the Python inside; if anything \
    fails, nothing has changed. The environment is named by what is in it and becomes the current one; earlier ones \
    stay, see `py list`. serve, run, doctor and pipeline put the current one on the path, before the packages of the \
    program itself, which stay as they were released. PIP_INDEX_URL and the other settings of pip are obeyed.\n\n\
    Without a network: --no-index --find-links FOLDER, where the folder has the wheels of all packages.";

/// Shown under the help texts of `py ps` and `py pdb`.
const REMOTE: &str = "Needs Linux, a program of the same Python version (3.14 or newer), and the right to trace the \
    process: the same user, and kernel.yama.ptrace_scope=0, or root.";

#[derive(Debug, Args, Serialize)]
struct Install {
    #[command(flatten)]
    #[serde(skip)]
    settings: FolderArguments,
    /// Packages, as pip takes them: NAME, NAME==VERSION, a wheel
    #[arg(value_name = "PACKAGE", required_unless_present = "requirement")]
    packages: Vec<String>,
    /// File of requirements; may be repeated
    #[arg(short, long, value_name = "FILE")]
    requirement: Vec<PathBuf>,
    /// Folder or page with wheels; may be repeated
    #[arg(long, value_name = "DIR")]
    find_links: Vec<PathBuf>,
    /// Use no index, only what --find-links names
    #[arg(long)]
    no_index: bool,
    /// Install only what the file of requirements gives a hash for
    #[arg(long)]
    require_hashes: bool,
}

#[derive(Debug, Args)]
struct Process {
    /// Process id
    #[arg(value_name = "PID")]
    pid: u32,
}

#[derive(Debug, Args)]
struct Look {
    #[command(flatten)]
    process: Process,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs what was asked for and ends the process with its exit code.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    const ENVIRONMENTS: &str = "poh_holdmetrics.environments";
    const ATTACHMENT: &str = "poh_holdmetrics.attachment";

    let looked = |verb: &str, look: &Look| {
        let asked = serde_json::json!({"verb": verb, "pid": look.process.pid, "json": look.json});
        (ATTACHMENT, asked)
    };
    let of_folder = |verb: &str, settings: &FolderArguments, id: Option<&str>, json: bool| {
        let folder = std::path::absolute(settings.data_dir()?)?;
        let asked = serde_json::json!({"verb": verb, "data_dir": folder, "id": id, "json": json});
        anyhow::Ok((ENVIRONMENTS, asked))
    };
    let (module, asked) = match &arguments.verb {
        Verb::Install(install) => {
            let (module, mut asked) = of_folder("install", &install.settings, None, false)?;
            asked["asked"] = serde_json::to_value(install)?;
            (module, asked)
        }
        Verb::List { settings, json } => of_folder("list", settings, None, *json)?,
        Verb::Use { settings, id } => of_folder("use", settings, Some(id), false)?,
        Verb::Remove { settings, id } => of_folder("remove", settings, Some(id), false)?,
        Verb::Ps(look) => looked("ps", look),
        Verb::Stack(look) => looked("stack", look),
        Verb::Pdb { process } => (
            ATTACHMENT,
            serde_json::json!({"verb": "pdb", "pid": process.pid}),
        ),
    };
    super::package::run_module(module, &[asked.to_string().into()], || {
        "install packages with `python -m pip`, and look into processes with the `py` of such a program".into()
    })
}
