//! Policies by name, and the published scores that are kept between questions.
//!
//! A policy is a document of ready steps, computed here, or a function that somebody else computes. For each policy
//! the scores of a few questions are kept, one set for each token filter, `from` and `closed_only`; only the end of
//! their window moves. What has to be scored again is decided in [`crate::aggregator::PublishedScores`]. Pages of one
//! state are kept until the state or the window moves on.

use std::sync::{Arc, Mutex, PoisonError};

use dashmap::DashMap;

use super::answer::{Cursor, Page};
use super::kept_function::KeptFunction;
use super::progress::Progress;
use crate::aggregator::{HoldAggregator, KeyHeld, PublishedScores, Question};
use crate::core::HolderScore;
use crate::excerpt::quoted;
use crate::policy::Policy;

/// Sets of scores that are kept for one policy; each takes about 64 bytes a holder.
const BOARDS_MAX: usize = 4;
/// Pages that are kept of one state and window.
const PAGES_MAX: usize = 8;

/// Why there is no leaderboard under a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// No policy has this name.
    #[error("unknown policy {name}; {}", known_names(.known))]
    Unknown {
        /// The name, quoted.
        name: String,
        /// The names that exist, in order.
        known: Vec<String>,
    },
    /// A function could not be computed.
    #[error("policy {name}: {reason}")]
    Failed {
        /// The name, quoted.
        name: String,
        /// One sentence.
        reason: String,
    },
}

/// A policy that is computed elsewhere.
pub trait PolicyFunction: Send + Sync {
    /// SHA-256 of its sources, its name and its arguments, in hexadecimal digits.
    fn version(&self) -> &str;

    /// The scores of all holders that are published, in any order, computed from what all keys `held`. Blocks.
    ///
    /// # Errors
    /// Why it cannot be computed, in one sentence.
    fn scores(&self, question: &Question, held: Vec<KeyHeld>) -> Result<Vec<HolderScore>, String>;
}

/// A policy of a pipeline.
pub enum PipelinePolicy {
    /// Of ready steps.
    Ready(Box<Policy>),
    /// A function.
    Function(Arc<dyn PolicyFunction>),
}

/// The registered policies.
#[derive(Default)]
pub struct Policies {
    by_name: DashMap<Box<str>, Named>,
}

/// A registered policy.
struct Named {
    /// The pipeline that it comes from; `None` for the settings.
    pipeline: Option<Box<str>>,
    source: Source,
}

#[derive(Clone)]
enum Source {
    Ready(Arc<Registered>),
    Function(Arc<KeptFunction>),
}

struct Registered {
    policy: Policy,
    version: Box<str>,
    /// Each with its question; the last used one is the last.
    boards: Mutex<Vec<(Question, Arc<Mutex<Board>>)>>,
}

/// The scores for questions that differ in the end of their window at most.
struct Board {
    scores: PublishedScores,
    /// The number of the last event that is certainly included; `None` before the first refreshment.
    sequence: Option<u64>,
    pages: Vec<KeptPage>,
}

struct KeptPage {
    after: Option<Cursor>,
    size: usize,
    page: Page,
}

impl Policies {
    /// Registers a policy of the settings, or replaces the one of this name; the scores of one that has not changed
    /// are kept.
    pub fn register(&self, name: &str, policy: Policy) {
        self.set(name, None, PipelinePolicy::Ready(Box::new(policy)));
    }

    /// Registers the policies of a pipeline, in place of those that it had. Returns the names that the settings or
    /// another pipeline have already; these stay as they are.
    #[must_use]
    pub fn set_pipeline(
        &self,
        pipeline: &str,
        policies: Vec<(String, PipelinePolicy)>,
    ) -> Vec<String> {
        let names: Vec<_> = policies.iter().map(|(name, _)| name.clone()).collect();
        self.by_name.retain(|name, known| {
            known.pipeline.as_deref() != Some(pipeline) || names.iter().any(|each| **each == **name)
        });
        let refused = policies.into_iter().filter_map(|(name, policy)| {
            let is_taken = self
                .by_name
                .get(&*name)
                .is_some_and(|known| known.pipeline.as_deref() != Some(pipeline));
            if !is_taken {
                self.set(&name, Some(pipeline.into()), policy);
            }
            is_taken.then_some(name)
        });
        refused.collect()
    }

    fn set(&self, name: &str, pipeline: Option<Box<str>>, policy: PipelinePolicy) {
        let known = self.by_name.get(name).map(|known| known.source.clone());
        let source = match (policy, known) {
            (PipelinePolicy::Ready(policy), Some(Source::Ready(known)))
                if *known.version == *policy.version() =>
            {
                Source::Ready(known)
            }
            (PipelinePolicy::Ready(policy), _) => Source::Ready(Arc::new(Registered {
                version: policy.version().into(),
                policy: *policy,
                boards: Mutex::default(),
            })),
            (PipelinePolicy::Function(function), _) => {
                Source::Function(Arc::new(KeptFunction::new(function)))
            }
        };
        self.by_name.insert(name.into(), Named { pipeline, source });
    }

    /// `size` published holders, from the first or after a cursor.
    pub(super) fn page(
        &self,
        name: &str,
        progress: &Progress,
        question: &Question,
        (after, size): (Option<&Cursor>, usize),
    ) -> Result<Page, PublishError> {
        let found = self.by_name.get(name).map(|found| found.source.clone());
        match found.ok_or_else(|| self.unknown(name))? {
            Source::Ready(registered) => Ok(progress.answer(|aggregator, sequence| {
                let board = registered.board(question);
                // A caller that asks the same at the same time waits here, and then finds the scores.
                let mut board = board.lock().unwrap_or_else(PoisonError::into_inner);
                board.page(&registered, aggregator, sequence, question, (after, size))
            })),
            Source::Function(function) => {
                let page = function.page(progress, question, (after, size));
                page.map_err(|reason| PublishError::Failed {
                    name: quoted(name),
                    reason,
                })
            }
        }
    }

    fn unknown(&self, name: &str) -> PublishError {
        let names = self.by_name.iter().map(|each| each.key().to_string());
        let mut known: Vec<_> = names.collect();
        known.sort_unstable();
        PublishError::Unknown {
            name: quoted(name),
            known,
        }
    }
}

impl Registered {
    /// The scores for questions such as `question`.
    fn board(&self, question: &Question) -> Arc<Mutex<Board>> {
        let mut boards = self.boards.lock().unwrap_or_else(PoisonError::into_inner);
        let is_same = |(known, _): &(Question, _)| {
            known.token_id == question.token_id
                && known.window.from == question.window.from
                && known.window.closed_only == question.window.closed_only
        };
        let entry = if let Some(place) = boards.iter().position(is_same) {
            boards.remove(place)
        } else {
            if boards.len() == BOARDS_MAX {
                boards.remove(0);
            }
            let board = Board::new(question.clone());
            (question.clone(), Arc::new(Mutex::new(board)))
        };
        let board = Arc::clone(&entry.1);
        boards.push(entry);
        board
    }
}

impl Board {
    fn new(question: Question) -> Self {
        Self {
            scores: PublishedScores::new(question),
            sequence: None,
            pages: Vec::new(),
        }
    }

    fn page(
        &mut self,
        registered: &Registered,
        aggregator: &HoldAggregator,
        sequence: u64,
        question: &Question,
        (after, size): (Option<&Cursor>, usize),
    ) -> Page {
        let as_of = question.window.as_of;
        if self.sequence != Some(sequence) || self.scores.question().window.as_of != as_of {
            self.scores.refresh(aggregator, &registered.policy, as_of);
            self.sequence = Some(sequence);
            self.pages.clear();
        }
        let is_same = |kept: &&KeptPage| kept.after.as_ref() == after && kept.size == size;
        if let Some(kept) = self.pages.iter().find(is_same) {
            return kept.page.clone();
        }
        let last = after.map(|cursor| &cursor.last.holder);
        let ranking = self
            .scores
            .ranking(aggregator, &registered.policy, last, size);
        let version = Some(registered.version.clone());
        let page = Page::of(ranking, after, sequence, version);
        if size == usize::MAX {
            // A whole leaderboard is kept, within bounds, by the caller that needs it again.
            return page;
        }
        if self.pages.len() == PAGES_MAX {
            self.pages.remove(0);
        }
        self.pages.push(KeptPage {
            after: after.cloned(),
            size,
            page: page.clone(),
        });
        page
    }
}

fn known_names(known: &[String]) -> String {
    if known.is_empty() {
        "none is registered; name files in the setting policies.files, or declare one in a pipeline"
            .to_owned()
    } else {
        format!("known are {}", known.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::{Micros, Window};
    use crate::telemetry::metrics::Metrics;

    fn ready(multiplier: u32) -> PipelinePolicy {
        let step = format!(r#"{{"step": "tiers", "multipliers": {{"0s": {multiplier}}}}}"#);
        let policy = Policy::from_document(&format!(r#"{{"steps": [{step}]}}"#)).unwrap();
        PipelinePolicy::Ready(Box::new(policy))
    }

    fn version(policies: &Policies, name: &str) -> Result<Option<Box<str>>, PublishError> {
        let question = Question::of_all_tokens(Window::until(Micros::MAX));
        let metrics = Arc::new(Metrics::new("", ""));
        let progress = Progress::new(HoldAggregator::new(), 0, 0, metrics);
        let page = policies.page(name, &progress, &question, (None, 1));
        page.map(|page| page.policy_version)
    }

    #[test]
    fn a_name_belongs_to_whoever_had_it_first_and_a_pipeline_replaces_its_own() {
        let policies = Policies::default();
        let PipelinePolicy::Ready(of_settings) = ready(1) else {
            unreachable!("it is ready");
        };
        policies.register("tiers", *of_settings);
        let tiers = version(&policies, "tiers");
        let both = |multiplier| {
            let names = ["tiers", "own"];
            names
                .map(|name| (name.to_owned(), ready(multiplier)))
                .into()
        };
        assert_eq!(policies.set_pipeline("a", both(2)), ["tiers"]);
        assert_eq!(policies.set_pipeline("b", both(3)), ["tiers", "own"]);
        assert_eq!(version(&policies, "tiers"), tiers);
        let own = version(&policies, "own").unwrap();
        assert_eq!(policies.set_pipeline("a", both(4)), ["tiers"]);
        assert_ne!(version(&policies, "own").unwrap(), own);
        assert_eq!(policies.set_pipeline("a", Vec::new()), Vec::<String>::new());
        let unknown = version(&policies, "own").unwrap_err().to_string();
        assert_eq!(unknown, "unknown policy \"own\"; known are tiers");
    }
}
