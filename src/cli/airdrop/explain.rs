//! `airdrop explain`: one holder's amount, from the events to the last unit, and a bundle for the holder to check.

use std::collections::HashSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Args;

use super::manifest::{Manifest, ManifestFile};
use super::plan::{Plan, ScoredPlan, Setting};
use super::proof::name_of;
use super::tree::read_tree;
use super::{events, explained, read, refused, write_together};
use crate::airdrop::{
    AddressKind, Bundle, Conditions, Details, Document, ExplainedScore, Explanation, Format,
    LeafProof, List, Selected, Share, allocate, select,
};
use crate::cli::exit::Exit;
use crate::cli::policy::PolicySource;
use crate::cli::target::TargetArguments;
use crate::core::Score;
use crate::policy::Policy;

/// Shown under the help text.
pub(super) const RULES: &str = "The inputs are those of LIST.manifest.json, and must not have changed. The segments sum to \
    the score; floor(rest x weight / total), with a spare unit or not, is the amount. A bundle has all of it, with the \
    leaf, the proof and the manifest, for `airdrop check`.";

/// The arguments of `airdrop explain`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A list that `allocate` wrote, with its manifest beside it
    #[arg(value_name = "LIST")]
    list: PathBuf,
    /// The holder, as the list names it; an address in any case
    #[arg(long, value_name = "ADDRESS")]
    holder: String,
    /// Also write what a holder can check offline to FILE, which is replaced once it is complete
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
    /// The published tree, for the leaf and the proof of the bundle [default: the tree of standard-v1 over the list]
    #[arg(long, value_name = "TREE", requires = "bundle")]
    tree: Option<PathBuf>,
    /// The folder of inputs with relative names
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    folder: PathBuf,
    #[command(flatten)]
    target: TargetArguments,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// Computes the amount again, and shows what is behind it.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let path = &arguments.list;
    let bytes = read(path)?;
    let file = ManifestFile::read(&Manifest::path_of(path))?;
    let manifest = file.allocation()?;
    file.check_list(path, &bytes)?;
    let kind = manifest.options.addresses.0.0;
    let holder = kind.canonical(&arguments.holder);
    let holder = holder.map_err(|reason| Exit::usage(format!("--holder: {reason}")))?;
    let list = List::read(&bytes, kind, 0).map_err(|error| refused(path)(error.to_string()))?;
    manifest.check_inputs(&arguments.folder)?;
    let origin = Origin::of(&manifest.options, &arguments.folder)?;
    if arguments.bundle.is_some() && matches!(origin, Origin::Stated) {
        return Err(Exit::usage(
            "--bundle: its holder could not compute a score again that a function or a service gives; leave out \
             --bundle, and publish the inputs and the file of the function for `airdrop reproduce`",
        ));
    }
    let explanation = explain(arguments, &manifest, &origin, &holder)?;
    if list.amount_of(&holder) != Some(explanation.amount.0) {
        bail!(
            "{}: it has another amount of {holder} than {}, which its manifest gives; `airdrop reproduce` says more",
            path.display(),
            explanation.amount
        );
    }
    if let Some(file) = &arguments.bundle {
        let claim = claim(arguments, &list, kind, &explanation)?;
        let text = origin.policy().map(|policy| policy.text().into());
        let bundle = Bundle::new(manifest.clone(), text, explanation.clone(), claim);
        write_together(&[(file, bundle.text().as_bytes())])?;
    }
    let printed = if arguments.json {
        let json = serde_json::to_string_pretty(&explanation);
        format!("{}\n", json.expect("an explanation is JSON"))
    } else {
        let is_stated = matches!(origin, Origin::Stated);
        explained::text(&explanation, &manifest.options, is_stated)
    };
    let written = std::io::stdout().write_all(printed.as_bytes());
    written.map_err(Exit::output(None))
}

/// How the scores of a list follow from segments.
enum Origin {
    /// They are sums, or what a ready policy makes of the segments.
    Segments(Option<Box<Policy>>),
    /// A function gives them, or a service under a policy: they are computed as a whole, and shown beside the segments.
    Stated,
}

impl Origin {
    fn of(plan: &Plan, folder: &Path) -> anyhow::Result<Self> {
        if plan.server.is_some() {
            return Ok(match plan.policy {
                Some(_) => Self::Stated,
                None => Self::Segments(None),
            });
        }
        Ok(match plan.policy_choice(folder)?.source {
            PolicySource::None => Self::Segments(None),
            PolicySource::Ready { policy, .. } => Self::Segments(Some(policy)),
            PolicySource::Function => Self::Stated,
        })
    }

    fn policy(&self) -> Option<&Policy> {
        match self {
            Self::Segments(policy) => policy.as_deref(),
            Self::Stated => None,
        }
    }
}

/// Scores, allocates, and reads the holder's events.
fn explain(
    arguments: &Arguments,
    manifest: &Manifest,
    origin: &Origin,
    holder: &str,
) -> anyhow::Result<Explanation> {
    let plan = &manifest.options;
    let conditions = plan.conditions(origin.policy());
    let setting = Setting::of(plan, &arguments.folder, &arguments.target)?;
    let known = plan.scored(&setting)?;
    let (version, store) = (known.scores.policy.as_ref(), known.scores.store.as_ref());
    if let Some(moved) = manifest.moved(version, store) {
        bail!("{}: {moved}", arguments.list.display());
    }
    let selected = select(&known.scores.shares, &known.selection);
    let selected = selected.map_err(|error| Exit::usage(error.to_string()))?;
    let allocation = allocate(&selected.shares, &conditions.terms);
    let allocation = allocation.map_err(|error| Exit::usage(error.to_string()))?;
    let row = row_of(&selected.shares, holder);
    let amount = row.map(|row| allocation.amounts[row]).unwrap_or_default();
    if amount.is_zero() {
        let reason = why_nothing(&known, &selected, row, holder, plan.limit.is_some());
        return Err(Exit::usage(format!(
            "--holder: {holder} gets nothing: {reason}"
        )));
    }
    let shares = known.selection.scores_of(holder, &known.scores.shares);
    let wanted = Wanted {
        shares: &shares,
        conditions: &conditions,
        is_stated: matches!(origin, Origin::Stated),
    };
    let explained = explain_scores(&arguments.list, plan, &setting, &wanted)?;
    let explanation = Explanation::new(holder, explained, &allocation.division, &conditions);
    Ok(explanation?)
}

/// Published scores to explain.
struct Wanted<'a> {
    shares: &'a [&'a Share],
    conditions: &'a Conditions<'a>,
    /// Whether they are taken as they are.
    is_stated: bool,
}

/// Reads the events behind published scores.
fn explain_scores(
    list: &Path,
    plan: &Plan,
    setting: &Setting<'_>,
    wanted: &Wanted<'_>,
) -> anyhow::Result<Vec<ExplainedScore>> {
    let (shares, conditions) = (wanted.shares, wanted.conditions);
    let members = shares
        .iter()
        .map(|share| conditions.members_of(&share.holder_id));
    let members: Vec<_> = members.collect();
    let holders: HashSet<Box<str>> = members.iter().flatten().cloned().collect();
    let aggregator = events::of_holders(plan, setting, &holders)?;
    let each = shares.iter().zip(&members).map(|(share, members)| {
        let keys = members.iter();
        let keys = keys.flat_map(|member| events::keys_of(&aggregator, member, conditions));
        if wanted.is_stated {
            let score = Score::from_steps(share.score);
            return Ok(ExplainedScore::stated(&share.holder_id, keys.collect(), score));
        }
        let explained = ExplainedScore::new(&share.holder_id, keys.collect(), conditions)?;
        if explained.score.0.steps() != share.score {
            bail!(
                "{}: the events of {} give a score of {}, and the list was computed with another one: events were added \
                 meanwhile; explain again",
                list.display(),
                share.holder_id,
                explained.score
            );
        }
        Ok(explained)
    });
    each.collect()
}

/// Where a holder is among the shares, which are sorted.
fn row_of(shares: &[Share], holder: &str) -> Option<usize> {
    let found = shares.binary_search_by(|share| share.holder_id.as_bytes().cmp(holder.as_bytes()));
    found.ok()
}

/// Why a holder is not in the list.
fn why_nothing(
    known: &ScoredPlan,
    selected: &Selected,
    row: Option<usize>,
    holder: &str,
    has_limit: bool,
) -> &'static str {
    if known.selection.excludes(holder) {
        "it is excluded (--exclude)"
    } else if row.is_some() && selected.shares.len() > 1 {
        "its share is below --min-amount, or below one base unit"
    } else if known
        .selection
        .scores_of(holder, &known.scores.shares)
        .is_empty()
    {
        if has_limit {
            "it is not among the first holders that share (--limit), no event is about it, or its score belongs to \
             another holder (--holders)"
        } else {
            "no event is about it, or its score belongs to another holder (--holders)"
        }
    } else {
        "its score is 0, or below --min-score"
    }
}

/// The holder's leaf in the published tree, or in that of the list.
fn claim(
    arguments: &Arguments,
    list: &List,
    kind: AddressKind,
    explanation: &Explanation,
) -> anyhow::Result<Option<LeafProof>> {
    let document = match &arguments.tree {
        Some(tree) => read_tree(tree)?,
        None if kind == AddressKind::Evm => {
            Document::of_list(list, Format::StandardV1, Details::default())?
        }
        None => return Ok(None),
    };
    let tree = arguments.tree.as_deref().unwrap_or(Path::new("--tree"));
    let refused = refused(tree);
    let holder = &explanation.holder_id;
    let rows = document.rows_of(&name_of(&document, holder)?);
    let [row] = rows[..] else {
        return Err(refused(format!(
            "{} leaves of {holder}, and one is needed",
            rows.len()
        )));
    };
    let claim = document.leaf_proof(row);
    let (_, paid) = claim.payment()?;
    if paid != explanation.amount.0 {
        return Err(refused(format!(
            "it pays {paid} base units to {holder}, and the list {} (give the tree of this list)",
            explanation.amount
        )));
    }
    Ok(Some(claim))
}
