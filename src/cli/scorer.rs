//! The two implementations behind `score --engine`: the native scorer, and the pure-Python package to
//! audit it with.

use anyhow::Context;
use rayon::ThreadPoolBuilder;

use crate::aggregator::BatchScorer;
use crate::core::Window;
use crate::input::{self, ReadOptions, Source};
use crate::output::{DeficitRow, Leaderboard, RefusedLine};

/// The implementation that computes the scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, clap::ValueEnum)]
pub(super) enum Scorer {
    /// The native scorer, on all threads
    #[default]
    Native,
    /// The pure-Python package in the embedded interpreter, to audit the native scorer
    Python,
}

/// The leaderboard, and what became of the lines that were read.
pub(super) struct Scored {
    pub(super) read: u64,
    pub(super) accepted: u64,
    pub(super) refused: Vec<RefusedLine>,
    pub(super) leaderboard: Box<dyn Leaderboard>,
    /// By token and holder; empty unless they were requested.
    pub(super) deficits: Vec<DeficitRow>,
}

/// What is read and scored.
pub(super) struct ScoreRequest<'a> {
    pub(super) sources: &'a [Source],
    pub(super) options: &'a ReadOptions,
    pub(super) window: Window,
    pub(super) top: Option<usize>,
    /// Whether deficits are listed, not only counted.
    pub(super) lists_deficits: bool,
}

impl Scorer {
    /// Reads and scores.
    pub(super) fn run(self, request: &ScoreRequest<'_>) -> anyhow::Result<Scored> {
        match self {
            Self::Native => score(request),
            Self::Python => audit(request),
        }
    }
}

fn score(request: &ScoreRequest<'_>) -> anyhow::Result<Scored> {
    let scorer = if request.lists_deficits {
        BatchScorer::new().listing_deficits()
    } else {
        BatchScorer::new()
    };
    let outcome = input::read(request.sources, request.options, || scorer.lane())?;
    let pool = ThreadPoolBuilder::new()
        .num_threads(request.options.threads.get())
        .build()
        .context("the threads of the scorer cannot be started")?;
    let lanes = outcome.sinks;
    let (snapshot, deficits) =
        pool.install(|| scorer.finish_with_deficits(lanes, &request.window, request.top));
    let report = outcome.report;
    let refused = report.refused.into_iter().map(|refusal| RefusedLine {
        file: refusal.file,
        line: refusal.line,
        reason: refusal.reason.to_string(),
    });
    Ok(Scored {
        read: report.read,
        accepted: report.accepted,
        refused: refused.collect(),
        leaderboard: Box::new(snapshot),
        deficits: deficits.iter().map(DeficitRow::from).collect(),
    })
}

/// Computes the same with the pure-Python package, which shares no code with the native scorer.
#[cfg(feature = "py-embed")]
fn audit(request: &ScoreRequest<'_>) -> anyhow::Result<Scored> {
    use std::ops::ControlFlow;

    use crate::cli::exit::Exit;
    use crate::host::audit::{Audit, Counts};
    use crate::host::interpreter::Settings;
    use crate::input::{OnError, raw};

    let (interpreter, _) = super::python::boot(&Settings::default())?;
    let audit = Audit::new(&interpreter)?;
    let ends_at_first = request.options.on_error == OnError::Fail;
    let options = request.options;
    let end = raw::read(
        request.sources,
        options.format,
        &options.progress,
        |batch| {
            let fed = audit.feed(&batch).and_then(|()| {
                let refused = if ends_at_first {
                    audit.refused()?
                } else {
                    Vec::new()
                };
                Ok(refused.into_iter().next())
            });
            match fed {
                Ok(None) => ControlFlow::Continue(()),
                Ok(Some(refused)) => ControlFlow::Break(Exit::Refused(refused).into()),
                Err(error) => ControlFlow::Break(error.into()),
            }
        },
    )?;
    if let ControlFlow::Break(error) = end {
        return Err(error);
    }
    let Counts { read, accepted } = audit.counts()?;
    let deficits = audit.deficits(request.window.as_of)?;
    let leaderboard = audit.leaderboard(&request.window, request.top, deficits.len());
    Ok(Scored {
        read,
        accepted,
        refused: audit.refused()?,
        leaderboard: Box::new(leaderboard?),
        deficits,
    })
}

/// Always fails: this build has no interpreter.
#[cfg(not(feature = "py-embed"))]
fn audit(_question: &ScoreRequest<'_>) -> anyhow::Result<Scored> {
    Err(super::python::absent(
        "run `python -m poh_holdmetrics score --engine python`",
    ))
}
