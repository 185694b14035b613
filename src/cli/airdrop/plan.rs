//! What a list is computed from: everything that changes an amount, and nothing that does not.
//!
//! `allocate` builds a plan from its arguments, `reproduce` reads it from a manifest; both compute it here.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ruint::aliases::U256;
use serde::{Deserialize, Serialize};

use super::manifest::{Counts, FileHash, Manifest, sha256};
use super::read;
use super::recorded::Choice;
use super::scores::{self, PlanScores, Remarks};
use crate::airdrop::{AddressKind, Conditions, Curve, Payout, Selection, Terms, Text, pay};
use crate::cli::exit::Exit;
use crate::cli::policy::{NONE, PolicyChoice};
use crate::cli::score::cores;
use crate::cli::scorer::{ScoreRequest, Scorer};
use crate::cli::target::TargetArguments;
use crate::core::{Micros, Window};
use crate::input::{InputOptions, MappingTable, OnError, Progress, ReadOptions, Source};
use crate::policy::Policy;

/// A list to compute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Plan {
    pub(super) files: Vec<PathBuf>,
    /// The folder of a service, instead of files.
    pub(super) data_dir: Option<PathBuf>,
    /// The address of a service, instead of files.
    pub(super) server: Option<String>,
    /// How the files are read; relative names in it are those below the folder of the inputs.
    pub(super) input: MappingTable,
    pub(super) on_error: Text<Choice<OnError>>,
    pub(super) as_of: Text<Micros>,
    pub(super) from: Option<Text<Micros>>,
    pub(super) closed_only: bool,
    pub(super) policy: Option<String>,
    /// Only so many holders from the first place on have a share.
    pub(super) limit: Option<usize>,
    /// Base units, as the cap and the minimum.
    pub(super) pool: Text<U256>,
    pub(super) decimals: u8,
    pub(super) curve: Text<Choice<Curve>>,
    pub(super) cap: Option<Text<U256>>,
    pub(super) min_amount: Text<U256>,
    /// In steps of 1e-24 weight-seconds.
    pub(super) min_score: Text<U256>,
    pub(super) addresses: Text<Choice<AddressKind>>,
    pub(super) merge_duplicates: bool,
    pub(super) exclude: Option<PathBuf>,
    pub(super) holders: Option<PathBuf>,
}

/// Where and how a plan is computed; nothing of it changes an amount.
pub(super) struct Setting<'a> {
    /// Relative names of files are those below it.
    pub(super) folder: &'a Path,
    /// Where a service is asked.
    pub(super) target: &'a TargetArguments,
    /// What the table of the plan states.
    pub(super) input: Arc<InputOptions>,
    pub(super) engine: Scorer,
    pub(super) threads: NonZeroUsize,
    /// Whether deficits are listed, not only counted.
    pub(super) lists_deficits: bool,
}

/// A computed list, as bytes, and the manifest that belongs to it.
pub(super) struct Computed {
    pub(super) list: Vec<u8>,
    pub(super) manifest: Manifest,
    /// What was found in the files besides scores.
    pub(super) remarks: Remarks,
}

/// The scores of a plan, and which of them count.
pub(super) struct ScoredPlan {
    pub(super) scores: PlanScores,
    pub(super) selection: Selection,
    pub(super) exclude: Option<FileHash>,
    pub(super) holders: Option<FileHash>,
}

impl<'a> Setting<'a> {
    /// For a recorded plan.
    pub(super) fn of(
        plan: &Plan,
        folder: &'a Path,
        target: &'a TargetArguments,
    ) -> anyhow::Result<Self> {
        let input = plan.input.clone().beside(folder).options();
        let input = input.map_err(|reason| Exit::usage(format!("options.input: {reason}")))?;
        Ok(Self {
            folder,
            target,
            input: Arc::new(input),
            engine: Scorer::default(),
            threads: cores(),
            lists_deficits: false,
        })
    }
}

impl Plan {
    /// Reads and scores everything.
    pub(super) fn scored(&self, setting: &Setting<'_>) -> anyhow::Result<ScoredPlan> {
        let (selection, exclude, holders) = self.selection(setting.folder)?;
        Ok(ScoredPlan {
            scores: self.score(setting)?,
            selection,
            exclude,
            holders,
        })
    }

    /// Reads and computes everything; the list will be named `name`.
    pub(super) fn compute(&self, setting: &Setting<'_>, name: String) -> anyhow::Result<Computed> {
        let lookups = self.input.lookups();
        let files = self.files.iter().map(PathBuf::as_path).chain(lookups);
        let hashes = files.map(|file| FileHash::of(setting.folder, file));
        let inputs = hashes.collect::<anyhow::Result<Vec<_>>>()?;
        let ScoredPlan {
            scores: scored,
            selection,
            exclude,
            holders,
        } = self.scored(setting)?;
        let Payout { list, sum, counts } = pay(scored.shares, &selection, &self.terms())
            .map_err(|error| Exit::usage(error.to_string()))?;
        let mut bytes = Vec::new();
        list.write(&mut bytes).expect("memory takes it");
        let manifest = Manifest::new(
            self.clone(),
            inputs,
            scored.policy,
            scored.store,
            Counts {
                read: scored.read,
                accepted: scored.accepted,
                refused: scored.remarks.refused.len(),
                deficits: scored.deficits,
                holders: counts.holders,
                excluded: counts.excluded,
                merged: counts.merged,
                below_min_score: counts.below_min_score,
                without_score: counts.without_score,
                below_min_amount: counts.below_min_amount,
                without_amount: counts.without_amount,
                capped: counts.capped,
                recipients: counts.recipients,
            },
            sum,
            FileHash {
                file: name.into(),
                sha256: sha256(&bytes),
            },
        );
        Ok(Computed {
            remarks: scored.remarks,
            list: bytes,
            manifest: Manifest {
                exclude,
                holders,
                ..manifest
            },
        })
    }

    pub(super) fn terms(&self) -> Terms {
        Terms {
            pool: self.pool.0,
            curve: self.curve.0.0,
            cap: self.cap.map(|cap| cap.0),
            minimum: self.min_amount.0,
        }
    }

    /// What its amounts are explained under.
    pub(super) fn conditions<'a>(&self, policy: Option<&'a Policy>) -> Conditions<'a> {
        Conditions {
            window: self.window(),
            terms: self.terms(),
            rule: policy.map(|policy| policy as _),
        }
    }

    pub(super) fn window(&self) -> Window {
        Window {
            from: self.from.map(|from| from.0),
            as_of: self.as_of.0,
            closed_only: self.closed_only,
        }
    }

    /// The policy, if there is one, whose file is below `folder` if its name is relative.
    pub(super) fn policy_choice(&self, folder: &Path) -> anyhow::Result<PolicyChoice> {
        let below = |spec: &String| folder.join(spec).to_string_lossy().into_owned();
        PolicyChoice::read(&self.policy.as_ref().map_or(NONE.to_owned(), below))
    }

    fn score(&self, setting: &Setting<'_>) -> anyhow::Result<PlanScores> {
        let mut scores = self.all_scores(setting)?;
        scores.shares.truncate(self.limit.unwrap_or(usize::MAX));
        Ok(scores)
    }

    /// The scores of all holders, the highest first.
    fn all_scores(&self, setting: &Setting<'_>) -> anyhow::Result<PlanScores> {
        if let Some(server) = &self.server {
            let policy = self.policy.as_deref().unwrap_or_default();
            return scores::of_server(&setting.target.target_at(server)?, &self.window(), policy);
        }
        let (sources, options) = (self.sources(setting.folder), self.read_options(setting));
        let policies = [self.policy_choice(setting.folder)?];
        let request = ScoreRequest {
            sources: &sources,
            options: &options,
            mapping: &self.input.clone().beside(setting.folder),
            window: self.window(),
            top: None,
            lists_deficits: setting.lists_deficits,
            policies: &policies,
        };
        match &self.data_dir {
            Some(data) => scores::of_data_folder(setting.folder.join(data), &request),
            None => scores::of_files(setting.engine, &request),
        }
    }

    /// Whether files are scored, and not what a service has.
    pub(super) const fn reads_files(&self) -> bool {
        self.data_dir.is_none() && self.server.is_none()
    }

    /// The files.
    pub(super) fn sources(&self, folder: &Path) -> Vec<Source> {
        let files = self.files.iter();
        files.map(|file| Source::Path(folder.join(file))).collect()
    }

    /// How the files are read.
    pub(super) fn read_options(&self, setting: &Setting<'_>) -> ReadOptions {
        ReadOptions {
            input: Arc::clone(&setting.input),
            on_error: self.on_error.0.0,
            threads: setting.threads,
            progress: Arc::new(Progress::default()),
        }
    }

    /// The conditions, and the hashes of the files of excluded holders and of wallets.
    fn selection(
        &self,
        folder: &Path,
    ) -> anyhow::Result<(Selection, Option<FileHash>, Option<FileHash>)> {
        let mut selection = Selection::all(self.addresses.0.0);
        selection.merges_duplicates = self.merge_duplicates;
        selection.min_score = self.min_score.0;
        let mut hashes = [None, None];
        if let Some(file) = &self.exclude {
            hashes[0] = Some(FileHash::of(folder, file)?);
            let text = String::from_utf8(read(&folder.join(file))?);
            let text = text.map_err(|_| Exit::usage(format!("{}: not UTF-8", file.display())))?;
            let lines = text.lines().map(str::trim);
            lines
                .filter(|line| !line.is_empty() && !line.starts_with('#'))
                .for_each(|line| selection.exclude(line));
        }
        if let Some(file) = &self.holders {
            hashes[1] = Some(FileHash::of(folder, file)?);
            assign(&mut selection, &read(&folder.join(file))?)
                .map_err(|reason| Exit::usage(format!("{}: {reason}", file.display())))?;
        }
        let [exclude, holders] = hashes;
        Ok((selection, exclude, holders))
    }
}

/// Reads wallets and their holders.
fn assign(selection: &mut Selection, bytes: &[u8]) -> Result<(), String> {
    let mut rows = csv::Reader::from_reader(bytes);
    let header = rows.headers().map_err(|error| error.to_string())?;
    if header.iter().ne(["wallet", "holder"]) {
        return Err("line 1: the header is not wallet,holder".into());
    }
    for row in rows.records() {
        let row = row.map_err(|error| error.to_string())?;
        selection
            .assign(&row[0], &row[1])
            .map_err(|error| error.to_string())?;
    }
    Ok(())
}
