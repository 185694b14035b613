//! `airdrop allocate`: scores files and shares a pool by score.

use std::io::Write;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, value_parser};
use ruint::aliases::U256;

use super::manifest::Manifest;
use super::plan::{Plan, Setting};
use super::recorded::Choice;
use super::{name_of_output, write_together};
use crate::airdrop::{AddressKind, Curve, PLACES_MAX, SCORE_PLACES, Text, parse_units};
use crate::cli::exit::Exit;
use crate::cli::input::{InputArguments, report_ignored};
use crate::cli::score::cores;
use crate::cli::scoring::ScoringArguments;
use crate::cli::target::TargetArguments;
use crate::cli::window::WindowArguments;
use crate::input::MappingTable;
use crate::output::{missing_input, warnings};

/// Shown under the help text.
pub(super) const RULES: &str = "A holder gets floor(pool x score / total); the spare units go to the largest \
    remainders, ties by holder_id ascending by bytes. LIST is CSV, address,amount in base units; \
    LIST.manifest.json beside it says what it was computed from, for `airdrop reproduce`. --decimals is about the pool; \
    how weights are written is --input-decimals.";

/// The arguments of `airdrop allocate`.
#[derive(Debug, Args)]
#[command(
    mut_arg("decimals", |decimals| decimals.long("input-decimals")),
    mut_arg("decimals_file", |file| file.help(
        "The decimals of each token: columns token_id (or token_address) and decimals, in any format; \
         --input-decimals is for the others"
    ))
)]
pub(super) struct Arguments {
    /// JSONL, CSV, Parquet or Arrow IPC, plain, .gz or .zst; several files count as one
    #[arg(required_unless_present_any = ["data_dir", "server"], value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Score what a service has stored in this folder; the service must not run
    #[arg(long, value_name = "DIR", conflicts_with_all = ["files", "server"])]
    data_dir: Option<PathBuf>,
    #[command(flatten)]
    target: TargetArguments,
    /// What is shared, in tokens, like 1000000 or 0.5
    #[arg(long, value_name = "AMOUNT", allow_hyphen_values = true)]
    pool: String,
    /// Decimal places of the token: 18 means that a base unit is 1e-18 token
    #[arg(
        id = "pool_decimals", long = "decimals", value_name = "N",
        value_parser = value_parser!(u8).range(..=i64::from(PLACES_MAX))
    )]
    decimals: u8,
    /// Write the list to LIST, which is replaced once it is complete
    #[arg(long, value_name = "LIST")]
    output: PathBuf,
    #[command(flatten)]
    input: InputArguments,
    #[command(flatten)]
    window: WindowArguments,
    /// Share among the first N holders of the leaderboard only
    #[arg(long, visible_alias = "top", value_name = "N")]
    limit: Option<usize>,
    #[command(flatten)]
    scoring: ScoringArguments,
    /// Share by scores under a policy: a JSON document of ready steps, or a function of a pipeline; with --server, a
    /// policy that the service publishes
    #[arg(long, value_name = "FILE[:NAME]")]
    policy: Option<String>,
    /// How the share depends on the score
    #[arg(long, value_enum, default_value_t)]
    curve: Curve,
    /// Leave out the holders that FILE lists, one holder or address per line
    #[arg(long, value_name = "FILE")]
    exclude: Option<PathBuf>,
    /// Add the scores of wallets to those of their holder: CSV with the header wallet,holder
    #[arg(long, value_name = "FILE")]
    holders: Option<PathBuf>,
    /// Leave out holders with a score below S weight-seconds
    #[arg(long, value_name = "S", default_value = "0")]
    min_score: String,
    /// Leave out holders that would get less, in tokens, and share the pool anew
    #[arg(long, value_name = "AMOUNT", default_value = "0")]
    min_amount: String,
    /// The most that one holder gets, in tokens; the others share what is left
    #[arg(long, value_name = "AMOUNT")]
    cap: Option<String>,
    /// What a holder must be
    #[arg(long, value_enum, default_value = "evm")]
    addresses: AddressKind,
    /// Add the scores of an address that comes twice, in different case
    #[arg(long)]
    merge_duplicates: bool,
    /// Number of threads [default: one per core]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// Print the manifest instead of a summary
    #[arg(long)]
    json: bool,
}

/// Computes everything before it writes anything.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let (plan, lists) = (arguments.plan()?, arguments.scoring.lists()?);
    let list = &arguments.output;
    let name = name_of_output(list)?;
    let setting = Setting {
        folder: Path::new(""),
        target: &arguments.target,
        input: Arc::new(arguments.input.options_of(plan.input.clone())?),
        engine: arguments.scoring.engine,
        threads: arguments.threads.unwrap_or_else(cores),
        lists_deficits: lists.has_deficits(),
    };
    let computed = plan.compute(&setting, name)?;
    let remarks = &computed.remarks;
    lists.write(&remarks.refused, &remarks.deficits)?;
    report_ignored(&remarks.ignored_columns);
    let missing = missing_input(
        computed.manifest.counts.deficits,
        lists.has_deficits() || !plan.reads_files(),
    );
    let unit = setting.input.values.times.unit;
    let found = warnings(&remarks.findings, unit, missing, plan.as_of.0);
    arguments.scoring.report_warnings(&found, |_| true)?;
    let manifest = computed.manifest.text()?;
    let path = Manifest::path_of(list);
    // The manifest first: it names the list by its hash, so that a list of before is told from it.
    write_together(&[(&path, manifest.as_bytes()), (list, &computed.list)])?;
    let counts = computed.manifest.counts;
    let printed = if arguments.json {
        manifest
    } else {
        format!(
            "{}: {} recipients, sum {} base units, as of {}\n",
            list.display(),
            counts.recipients,
            computed.manifest.sum,
            plan.as_of
        )
    };
    std::io::stdout()
        .write_all(printed.as_bytes())
        .map_err(Exit::output(None))?;
    if counts.refused > 0 && !lists.has_rejects() {
        eprintln!(
            "{} refused lines are left out; list them with --rejects FILE",
            counts.refused
        );
    }
    Ok(())
}

impl Arguments {
    fn plan(&self) -> anyhow::Result<Plan> {
        if self.files.iter().any(|file| file == Path::new("-")) {
            return Err(Exit::usage(
                "FILE: standard input cannot be read again to reproduce the list; write it to a file first",
            ));
        }
        if self.target.server.is_some() && !self.files.is_empty() {
            return Err(Exit::usage(
                "--server: scores come from the files or from the server; leave one out",
            ));
        }
        let input = self.input.table()?;
        if self.files.is_empty() {
            let about_files = (input != MappingTable::default()).then_some("how they are read");
            if let Some(given) = self.scoring.first_given().or(about_files) {
                return Err(Exit::usage(format!(
                    "--data-dir and --server: no files are read; leave out what is about files ({given})"
                )));
            }
        }
        let (window, _) = self.window.window()?;
        Ok(Plan {
            files: self.files.clone(),
            data_dir: self.data_dir.clone(),
            server: self.target.server.clone(),
            input,
            on_error: Text(Choice(self.scoring.on_error)),
            as_of: Text(window.as_of),
            from: window.from.map(Text),
            closed_only: window.closed_only,
            policy: self.policy.clone(),
            limit: self.limit,
            pool: units("--pool", &self.pool, self.decimals)?,
            decimals: self.decimals,
            curve: Text(Choice(self.curve)),
            cap: match &self.cap {
                Some(cap) => Some(units("--cap", cap, self.decimals)?),
                None => None,
            },
            min_amount: units("--min-amount", &self.min_amount, self.decimals)?,
            min_score: units("--min-score", &self.min_score, SCORE_PLACES)?,
            addresses: Text(Choice(self.addresses)),
            merge_duplicates: self.merge_duplicates,
            exclude: self.exclude.clone(),
            holders: self.holders.clone(),
        })
    }
}

/// The amount that `option` gives.
fn units(option: &str, text: &str, places: u8) -> anyhow::Result<Text<U256>> {
    let amount = parse_units(text, places);
    amount
        .map(Text)
        .map_err(|reason| Exit::usage(format!("{option}: {reason}")))
}
