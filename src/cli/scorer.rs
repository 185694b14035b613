//! The two implementations behind `score --engine`: the native scorer, and the pure-Python package to
//! audit it with.

use anyhow::Context;
use rayon::ThreadPoolBuilder;

use super::input::{recognised, say_notes};
use super::policy::{PolicyChoice, PolicySource};
use crate::aggregator::{
    BatchScorer, BatchScores, HoldAggregator, Lane, PublishedScores, Question,
};
use crate::core::{Findings, Snapshot, Window};
use crate::input::{self, MappingTable, ReadOptions, ReadReport, Source};
use crate::output::{DeficitRow, Leaderboard, PolicyName, RecognisedFile, RefusedLine};

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
    /// The files of known feeds.
    pub(super) recognised: Vec<RecognisedFile>,
    /// The columns and keys that no field was read from.
    pub(super) ignored_columns: Vec<String>,
    /// What is probably not meant.
    pub(super) findings: Findings,
    /// One for each policy of the request, in their order.
    pub(super) published: Vec<Published>,
    /// By token and holder; empty unless they were requested.
    pub(super) deficits: Vec<DeficitRow>,
}

/// A leaderboard, and the policy under which it is published.
pub(super) struct Published {
    pub(super) policy: Option<PolicyName>,
    pub(super) leaderboard: Box<dyn Leaderboard>,
}

/// What is read and scored.
pub(super) struct ScoreRequest<'a> {
    pub(super) sources: &'a [Source],
    pub(super) options: &'a ReadOptions,
    /// The same options of the input in words, as they were given.
    #[cfg_attr(
        not(feature = "py-embed"),
        expect(
            dead_code,
            reason = "a build without Python has no second implementation"
        )
    )]
    pub(super) mapping: &'a MappingTable,
    pub(super) window: Window,
    pub(super) top: Option<usize>,
    /// Whether deficits are listed, not only counted.
    pub(super) lists_deficits: bool,
    /// At least one.
    pub(super) policies: &'a [PolicyChoice],
}

impl Scorer {
    /// Reads and scores.
    pub(super) fn run(self, request: &ScoreRequest<'_>) -> anyhow::Result<Scored> {
        match self {
            Self::Native if request.is_plain() => score(request),
            Self::Native => score_under_policies(request),
            Self::Python => audit(request),
        }
    }
}

impl ScoreRequest<'_> {
    /// Whether the scores themselves are all that is asked for.
    fn is_plain(&self) -> bool {
        self.policies
            .iter()
            .all(|choice| matches!(choice.source, PolicySource::None))
    }

    fn batch_scorer(&self) -> BatchScorer {
        if self.lists_deficits {
            BatchScorer::new().listing_deficits()
        } else {
            BatchScorer::new()
        }
    }

    /// What `scorer` computes from these lanes, on the threads of the request.
    fn scores(&self, scorer: &BatchScorer, lanes: Vec<Lane<'_>>) -> anyhow::Result<BatchScores> {
        let pool = ThreadPoolBuilder::new()
            .num_threads(self.options.threads.get())
            .build()
            .context("the threads of the scorer cannot be started")?;
        Ok(pool.install(|| scorer.finish_in_full(lanes, &self.window, self.top)))
    }

    /// The first holders of the request.
    fn top_of(&self, snapshot: Snapshot) -> Snapshot {
        let Some(top) = self.top else {
            return snapshot;
        };
        let listed = snapshot.holders().iter().take(top).cloned().collect();
        Snapshot::new(
            snapshot.window(),
            listed,
            snapshot.known(),
            snapshot.deficits(),
        )
    }
}

fn score(request: &ScoreRequest<'_>) -> anyhow::Result<Scored> {
    let scorer = request.batch_scorer();
    let outcome = input::read(request.sources, request.options, || scorer.lane())?;
    let found = request.scores(&scorer, outcome.sinks)?;
    let leaderboards = request.policies.iter().map(|_| found.snapshot.clone());
    let published = leaderboards.map(plain).collect();
    Ok(Scored::new(outcome.report, published, found))
}

/// The scores themselves.
fn plain(snapshot: Snapshot) -> Published {
    Published {
        policy: None,
        leaderboard: Box::new(snapshot),
    }
}

impl Scored {
    fn new(report: ReadReport, published: Vec<Published>, scores: BatchScores) -> Self {
        say_notes(&report.notes);
        let refused = report.refused.into_iter().map(|refusal| RefusedLine {
            file: refusal.file,
            line: refusal.line,
            reason: refusal.reason.to_string(),
        });
        Self {
            read: report.read,
            accepted: report.accepted,
            refused: refused.collect(),
            recognised: report.notes.iter().map(recognised).collect(),
            ignored_columns: report.ignored_columns,
            findings: scores.findings,
            published,
            deficits: scores.deficits.iter().map(DeficitRow::from).collect(),
        }
    }
}

/// Reads everything into a live aggregator, which knows the segments that a policy is computed from, and into the
/// batch scorer, which knows deficits and what is probably not meant.
fn score_under_policies(request: &ScoreRequest<'_>) -> anyhow::Result<Scored> {
    let (scorer, aggregator) = (request.batch_scorer(), HoldAggregator::new());
    let outcome = input::read(request.sources, request.options, || {
        (scorer.lane(), &aggregator)
    })?;
    let report = outcome.report;
    let lanes = outcome.sinks.into_iter().map(|(lane, _)| lane);
    let found = request.scores(&scorer, lanes.collect())?;
    let published = published_of(request, aggregator)?;
    Ok(Scored::new(report, published, found))
}

/// The leaderboard of each policy of the request, over events that are in memory.
pub(super) fn published_of(
    request: &ScoreRequest<'_>,
    aggregator: HoldAggregator,
) -> anyhow::Result<Vec<Published>> {
    let question = Question::of_all_tokens(request.window);
    let ready = |choice: &PolicyChoice| match &choice.source {
        PolicySource::None => Some(plain(request.top_of(aggregator.snapshot(&request.window)))),
        PolicySource::Ready { name, policy } => {
            let mut scores = PublishedScores::new(question.clone());
            scores.refresh(&aggregator, &**policy, request.window.as_of);
            let snapshot = scores.snapshot(&aggregator, &**policy);
            Some(Published {
                policy: Some(name.clone()),
                leaderboard: Box::new(request.top_of(snapshot)),
            })
        }
        PolicySource::Function => None,
    };
    let published = request.policies.iter().map(ready).collect();
    with_functions(request, aggregator, published)
}

/// Adds the leaderboards of functions, for which there is none yet.
#[cfg(feature = "py-embed")]
fn with_functions(
    request: &ScoreRequest<'_>,
    aggregator: HoldAggregator,
    published: Vec<Option<Published>>,
) -> anyhow::Result<Vec<Published>> {
    use crate::host::interpreter::Settings;
    use crate::host::policies::PolicyEvents;

    if published.iter().all(Option::is_some) {
        return Ok(published.into_iter().flatten().collect());
    }
    let (interpreter, _) = super::python::boot(&Settings::default())?;
    let events = PolicyEvents::native(&interpreter, aggregator)?;
    let all = request
        .policies
        .iter()
        .zip(published)
        .map(|(choice, known)| match known {
            Some(known) => Ok(known),
            None => published_in_python(request, &interpreter, &events, choice),
        });
    all.collect()
}

/// Fails if there is a function: this build has no interpreter.
#[cfg(not(feature = "py-embed"))]
fn with_functions(
    request: &ScoreRequest<'_>,
    _aggregator: HoldAggregator,
    published: Vec<Option<Published>>,
) -> anyhow::Result<Vec<Published>> {
    let all = request
        .policies
        .iter()
        .zip(published)
        .map(|(choice, known)| {
            known.ok_or_else(|| {
                super::python::absent(format!(
                    "run `python -m poh_holdmetrics score --policy {}`",
                    choice.spec
                ))
            })
        });
    all.collect()
}

/// The leaderboard under the policy of `choice`, as the package computes it.
#[cfg(feature = "py-embed")]
fn published_in_python(
    request: &ScoreRequest<'_>,
    interpreter: &crate::host::interpreter::Interpreter,
    events: &crate::host::policies::PolicyEvents,
    choice: &PolicyChoice,
) -> anyhow::Result<Published> {
    let (name, leaderboard) =
        events.published(interpreter, &choice.spec, &request.window, request.top)?;
    Ok(Published {
        policy: Some(name),
        leaderboard,
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
    let mapping = serde_json::to_string(request.mapping).context("the options of the input")?;
    let audit = Audit::new(&interpreter, &mapping)?;
    let ends_at_first = request.options.on_error == OnError::Fail;
    let options = request.options;
    let read = raw::read(
        request.sources,
        &options.input,
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
    if let ControlFlow::Break(error) = read.end {
        return Err(error);
    }
    let notes = read.notes;
    say_notes(&notes);
    let Counts { read, accepted } = audit.counts()?;
    // Columns are looked up natively, keys of JSON by the package.
    let mut ignored_columns = audit.ignored_columns()?;
    ignored_columns.extend(options.progress.ignored_columns());
    ignored_columns.sort();
    ignored_columns.dedup();
    let deficits = audit.deficits(request.window.as_of)?;
    let events = audit.events()?;
    let each = |choice: &PolicyChoice| match &choice.source {
        PolicySource::None => Ok(Published {
            policy: None,
            leaderboard: Box::new(audit.leaderboard(
                &request.window,
                request.top,
                deficits.len(),
            )?),
        }),
        PolicySource::Ready { .. } | PolicySource::Function => {
            published_in_python(request, &interpreter, &events, choice)
        }
    };
    Ok(Scored {
        read,
        accepted,
        refused: audit.refused()?,
        recognised: notes.iter().map(recognised).collect(),
        ignored_columns,
        findings: audit.findings()?,
        published: request
            .policies
            .iter()
            .map(each)
            .collect::<anyhow::Result<_>>()?,
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
