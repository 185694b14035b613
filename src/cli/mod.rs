//! The command line: one file per subcommand, each of which chooses the concrete parts it needs.
//!
//! Nothing is computed here. Errors of the library get their context here; [`exit`] maps them to exit
//! codes and prints them.

mod airdrop;
mod audit;
mod bundle;
mod choices;
mod clock;
mod compressor;
mod config;
mod convert;
mod doctor;
mod exit;
mod feed;
mod generate;
mod input;
mod inspect;
mod interrupt;
mod journal;
mod keys;
mod load;
mod package;
mod patience;
mod pipeline;
mod policy;
mod progress;
mod py;
mod python;
mod run;
mod score;
mod scorer;
mod scoring;
mod send;
mod serve;
mod settings;
mod target;
mod version;
mod window;

use clap::{Parser, Subcommand};

pub use exit::report;

use crate::telemetry;

/// Shown under every help text.
const EXIT_CODES: &str = "Exit codes: 0 done; 1 the run failed; 2 bad arguments or bad input; \
    74 the output or the journal could not be written; 78 no usable Python inside; \
    130 interrupted.\n\
    LOG_LEVEL (error, warn, info, debug, trace) chooses what is logged to standard error.";

/// Shown under the help texts of `run` and `serve`.
const TWO_STATES: &str = "run and serve are two processes with two states: a script shares nothing with a \
    service and reaches it as any client does, over gRPC or HTTP.";

/// Shown under the help text of `run`.
const PACKAGES: &str =
    "The packages that `py install` has installed for the data folder are on the path.";

/// What a line of a file may be.
const EVENT_FIELDS: &str = "A line is a hold (token_id, holder_id, start, end, weight, seq), a change of balance \
    (token_id, holder_id, at, delta, event_id) or a transfer (token_id, from_id, to_id, at, amount, event_id). \
    With an event_id, revision and retract correct and withdraw it.";

/// Exact hold scores: how much was held for how long.
#[derive(Debug, Parser)]
#[command(name = "main_holdmetrics", version, after_help = EXIT_CODES)]
pub struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Score files of holds, changes of balance and transfers into a leaderboard
    #[command(after_help = format!("{EVENT_FIELDS}\n\n{EXIT_CODES}"))]
    Score(score::Arguments),
    /// Show what a file is, its first events, and the command line that reads it
    #[command(after_help = EXIT_CODES)]
    Inspect(inspect::Arguments),
    /// Write files of any readable form as one file with our own columns
    #[command(after_help = EXIT_CODES)]
    Convert(convert::Arguments),
    /// Run the service: gRPC and HTTP in front of a durable store
    #[command(after_help = format!("{TWO_STATES}\n\n{EXIT_CODES}"))]
    Serve(serve::Arguments),
    /// Stream files of hold events to a server
    #[command(after_help = EXIT_CODES)]
    Send(send::Arguments),
    /// Print the events that a server acknowledged, and follow it
    #[command(after_help = EXIT_CODES)]
    Feed(feed::Arguments),
    /// Send load to a server and measure throughput and latency
    #[command(after_help = EXIT_CODES)]
    Load(load::Arguments),
    /// Create API keys for the service
    #[command(after_help = EXIT_CODES)]
    Keys(keys::Arguments),
    /// Check or print the settings of the service
    Config(config::Arguments),
    /// Inspect, verify, export or salvage the journal of a service
    Journal(journal::Arguments),
    /// Write seeded synthetic events: holds, marks or transfers
    #[command(after_help = EXIT_CODES)]
    Generate(generate::Arguments),
    /// Write, check and test pipelines, and ask a running service about its own
    Pipeline(pipeline::Arguments),
    /// Prove against immudb that the events of a leaderboard are those that were stored
    Audit(audit::Arguments),
    /// Share a pool of tokens by score, to the last unit, and compute such a list again
    Airdrop(airdrop::Arguments),
    /// Run a Python script inside this process
    #[command(after_help = format!("{PACKAGES}\n\n{TWO_STATES}"))]
    Run(run::Arguments),
    /// Run the embedded Python interpreter, with the options of `python`
    Python(python::Arguments),
    /// Install packages for pipelines, and look into a running program: tasks, stacks, debugger
    #[command(after_help = EXIT_CODES)]
    Py(py::Arguments),
    /// Show which Python, paths and features are used, and what is wrong with them
    Doctor(doctor::Arguments),
    /// Show, verify or remove the bundle that this program is part of; completions and manual pages
    #[command(name = "self")]
    Bundle(bundle::Arguments),
}

impl CommandLine {
    /// Parses the arguments of this process; prints help or the error of the parser and exits where
    /// they ask for that. Call it first, while the process has one thread.
    #[must_use]
    pub fn of_this_process() -> Self {
        python::prepare_environment();
        let words: Vec<_> = std::env::args_os().skip(1).collect();
        match python::Arguments::of_a_child(&words) {
            Some(arguments) => Self {
                command: Command::Python(arguments),
            },
            None if version::is_asked(&words) => {
                // As clap ends after `--version`.
                println!("{}", version::text());
                std::process::exit(0)
            }
            None => Self::parse(),
        }
    }

    /// Runs the chosen subcommand.
    ///
    /// # Errors
    /// What went wrong, for [`report`].
    pub fn run(self) -> anyhow::Result<()> {
        // `serve` starts the log with its own settings.
        if !matches!(self.command, Command::Serve(_)) {
            telemetry::start()?;
        }
        match self.command {
            Command::Score(arguments) => score::run(&arguments),
            Command::Inspect(arguments) => inspect::run(&arguments),
            Command::Convert(arguments) => convert::run(&arguments),
            Command::Serve(arguments) => serve::run(&arguments),
            Command::Send(arguments) => send::run(&arguments),
            Command::Feed(arguments) => feed::run(&arguments),
            Command::Load(arguments) => load::run(&arguments),
            Command::Keys(arguments) => keys::run(&arguments),
            Command::Config(arguments) => config::run(&arguments),
            Command::Journal(arguments) => journal::run(&arguments),
            Command::Generate(arguments) => generate::run(&arguments),
            Command::Pipeline(arguments) => pipeline::run(arguments),
            Command::Audit(arguments) => audit::run(arguments),
            Command::Airdrop(arguments) => airdrop::run(&arguments),
            Command::Run(arguments) => run::run(arguments),
            Command::Py(arguments) => py::run(&arguments),
            Command::Python(arguments) => python::run(&arguments),
            Command::Doctor(arguments) => doctor::run(&arguments),
            Command::Bundle(arguments) => bundle::run(&arguments),
        }
    }
}
