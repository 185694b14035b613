//! The two ways to an answer: the native scorer, and the pure-Python package for audits.

use anyhow::Context;
use rayon::ThreadPoolBuilder;

use crate::aggregator::BatchScorer;
use crate::core::Window;
use crate::input::{self, ReadOptions, Source};
use crate::output::{Leaderboard, RefusedLine};

/// What computes the scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, clap::ValueEnum)]
pub(super) enum Engine {
    /// Compiled, on all threads
    #[default]
    Native,
    /// The pure-Python package inside the embedded interpreter, to audit the other
    Python,
}

/// The counts and the holders.
pub(super) struct Answer {
    pub(super) read: u64,
    pub(super) accepted: u64,
    pub(super) refused: Vec<RefusedLine>,
    pub(super) leaderboard: Box<dyn Leaderboard>,
}

/// One question about one set of files.
pub(super) struct Question<'a> {
    pub(super) sources: &'a [Source],
    pub(super) options: &'a ReadOptions,
    pub(super) window: Window,
    pub(super) top: Option<usize>,
}

impl Engine {
    /// Reads and scores.
    pub(super) fn answer(self, question: &Question<'_>) -> anyhow::Result<Answer> {
        match self {
            Self::Native => score(question),
            Self::Python => audit(question),
        }
    }
}

fn score(question: &Question<'_>) -> anyhow::Result<Answer> {
    let scorer = BatchScorer::new();
    let outcome = input::read(question.sources, question.options, || scorer.lane())?;
    let pool = ThreadPoolBuilder::new()
        .num_threads(question.options.threads.get())
        .build()
        .context("no threads to score with")?;
    let lanes = outcome.sinks;
    let snapshot = pool.install(|| scorer.finish(lanes, &question.window, question.top));
    let report = outcome.report;
    let refused = report.refused.into_iter().map(|refusal| RefusedLine {
        file: refusal.file,
        line: refusal.line,
        reason: refusal.reason.to_string(),
    });
    Ok(Answer {
        read: report.read,
        accepted: report.accepted,
        refused: refused.collect(),
        leaderboard: Box::new(snapshot),
    })
}

/// Computes the same with the pure-Python package, which shares no code with the native scorer.
#[cfg(feature = "py-embed")]
fn audit(question: &Question<'_>) -> anyhow::Result<Answer> {
    use std::ops::ControlFlow;

    use crate::cli::exit::Exit;
    use crate::host::audit::{Audit, Counts};
    use crate::host::interpreter::Settings;
    use crate::input::{OnError, raw};

    let (interpreter, _) = super::python::boot(&Settings::default())?;
    let audit = Audit::new(&interpreter)?;
    let ends_at_first = question.options.on_error == OnError::Fail;
    let options = question.options;
    let end = raw::read(
        question.sources,
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
    let leaderboard = audit.leaderboard(&question.window, question.top);
    Ok(Answer {
        read,
        accepted,
        refused: audit.refused()?,
        leaderboard: Box::new(leaderboard?),
    })
}

/// Without an interpreter inside there is nothing to audit with.
#[cfg(not(feature = "py-embed"))]
fn audit(_question: &Question<'_>) -> anyhow::Result<Answer> {
    Err(super::python::absent(
        "run `python -m poh_holdmetrics score --engine python`",
    ))
}
