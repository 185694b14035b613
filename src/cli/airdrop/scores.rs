//! Where the scores of a list come from: files, the data folder of a service, or a service that runs.

use std::path::PathBuf;

use super::manifest::{StoreHead, Version};
use crate::airdrop::{SCORE_PLACES, Share, parse_units};
use crate::cli::exit::Exit;
use crate::cli::journal::contents;
use crate::cli::progress::ReadingBar;
use crate::cli::scorer::{Published, ScoreRequest, Scorer, published_of};
use crate::cli::target::runtime;
use crate::client::{Client, Target};
use crate::core::{Findings, Window};
use crate::excerpt::quoted;
use crate::output::{DeficitRow, Leaderboard, RefusedLine};

/// Scores, and what is known about their origin.
pub(super) struct PlanScores {
    pub(super) shares: Vec<Share>,
    pub(super) read: u64,
    pub(super) accepted: u64,
    pub(super) deficits: usize,
    pub(super) remarks: Remarks,
    pub(super) policy: Option<Version>,
    /// Of a service or its data folder.
    pub(super) store: Option<StoreHead>,
}

/// What was found in files besides scores; nothing if these come from elsewhere.
#[derive(Default)]
pub(super) struct Remarks {
    pub(super) refused: Vec<RefusedLine>,
    /// Empty unless they were requested.
    pub(super) deficits: Vec<DeficitRow>,
    /// Columns and keys that no field was read from.
    pub(super) ignored_columns: Vec<String>,
    /// What is probably not meant.
    pub(super) findings: Findings,
}

/// Reads and scores files.
pub(super) fn of_files(engine: Scorer, request: &ScoreRequest<'_>) -> anyhow::Result<PlanScores> {
    let bar = ReadingBar::watch(&request.options.progress, "scoring");
    let scored = engine.run(request)?;
    drop(bar);
    let published = scored.published.last().expect("one was requested");
    Ok(PlanScores {
        read: scored.read,
        accepted: scored.accepted,
        remarks: Remarks {
            refused: scored.refused,
            deficits: scored.deficits,
            ignored_columns: scored.ignored_columns,
            findings: scored.findings,
        },
        ..of_leaderboard(published, None)?
    })
}

/// Scores what a service has stored.
pub(super) fn of_data_folder(
    data: PathBuf,
    request: &ScoreRequest<'_>,
) -> anyhow::Result<PlanScores> {
    let contents = contents::read(data)?;
    let head = StoreHead {
        sequence: contents.sequence,
        journal_head: contents.head,
    };
    let published = published_of(request, contents.aggregator)?;
    let published = published.last().expect("one was requested");
    let scores = of_leaderboard(published, Some(head))?;
    Ok(scores)
}

/// Asks a service for its scores.
pub(super) fn of_server(
    target: &Target,
    window: &Window,
    policy: &str,
) -> anyhow::Result<PlanScores> {
    let runtime = runtime()?;
    let scores = runtime.block_on(async {
        let mut client = Client::connect(target).await?;
        client.scores(window, policy).await
    })?;
    let shares = scores
        .holders
        .into_iter()
        .map(|(holder, score)| share(holder, &score));
    Ok(PlanScores {
        shares: shares.collect::<anyhow::Result<_>>()?,
        read: scores.sequence,
        accepted: scores.sequence,
        deficits: usize::try_from(scores.deficits).unwrap_or(usize::MAX),
        remarks: Remarks::default(),
        policy: scores
            .policy
            .map(|(name, version)| Version { name, version }),
        store: Some(StoreHead {
            sequence: scores.sequence,
            journal_head: None,
        }),
    })
}

/// Its sequence number is how many events were accepted.
fn of_leaderboard(published: &Published, store: Option<StoreHead>) -> anyhow::Result<PlanScores> {
    let leaderboard = &*published.leaderboard;
    let events = store.as_ref().map_or(0, |store| store.sequence);
    Ok(PlanScores {
        shares: shares_of(leaderboard)?,
        read: events,
        accepted: events,
        deficits: leaderboard.deficits(),
        remarks: Remarks::default(),
        policy: published.policy.as_ref().map(|policy| Version {
            name: policy.name.clone(),
            version: policy.version.clone(),
        }),
        store,
    })
}

/// The scores of a leaderboard in steps of 1e-24 weight-seconds.
fn shares_of(leaderboard: &dyn Leaderboard) -> anyhow::Result<Vec<Share>> {
    let rows = leaderboard.rows();
    rows.map(|row| share(row.holder_id.into(), &row.score))
        .collect()
}

fn share(holder_id: String, score: &str) -> anyhow::Result<Share> {
    let score = parse_units(score, SCORE_PLACES)
        .map_err(|reason| Exit::usage(format!("score of {}: {reason}", quoted(&holder_id))))?;
    Ok(Share {
        holder_id: holder_id.into(),
        score,
    })
}
