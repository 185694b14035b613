//! A policy of a pipeline as the engine takes it: a document of ready steps, or a function that Python computes.
//!
//! The caller waits for Python, on a thread that may block, and no longer than the limit.

use std::sync::{Arc, Weak};
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use tokio::time::timeout;

use super::context::HostContext;
use super::queue::Message;
use crate::aggregator::KeyHeld;
use crate::core::{HolderScore, Micros, Score, Totals};
use crate::engine::{PipelinePolicy, PolicyFunction, Question};
use crate::policy::{Policy, PolicyError};

/// How long an answer may take; the call in Python has a limit of its own.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// What Python says of a policy: its name, its version, and the document of a ready one.
pub(super) type Described = (String, String, Option<String>);

/// A function of a pipeline.
struct PythonPolicy {
    /// Weak, because the engine has the policy and the context has the engine.
    context: Weak<HostContext>,
    pipeline: String,
    name: String,
    version: String,
}

/// What Python answers.
#[derive(Deserialize)]
struct Answer {
    /// Holder, held time in microseconds, and the score in its smallest steps.
    #[serde(default)]
    rows: Vec<(Box<str>, u128, String)>,
    error: Option<AnswerError>,
}

#[derive(Deserialize)]
struct AnswerError {
    detail: String,
}

/// The policies of `pipeline` as the engine takes them.
///
/// # Errors
/// If a document is not that of a policy.
pub(super) fn policies(
    context: &Arc<HostContext>,
    pipeline: &str,
    described: Vec<Described>,
) -> Result<Vec<(String, PipelinePolicy)>, PolicyError> {
    let policy = |(name, version, document): Described| {
        let policy = match document {
            Some(document) => PipelinePolicy::Ready(Box::new(Policy::from_document(&document)?)),
            None => PipelinePolicy::Function(Arc::new(PythonPolicy {
                context: Arc::downgrade(context),
                pipeline: pipeline.to_owned(),
                name: name.clone(),
                version,
            })),
        };
        Ok((name, policy))
    };
    described.into_iter().map(policy).collect()
}

impl PolicyFunction for PythonPolicy {
    fn version(&self) -> &str {
        &self.version
    }

    fn scores(&self, question: &Question, held: Vec<KeyHeld>) -> Result<Vec<HolderScore>, String> {
        let ended = || "Python has ended: restart the service".to_owned();
        let context = self.context.upgrade().ok_or_else(ended)?;
        let request = context.next_request();
        let reply = context.asked.expect(request).map_err(|_| {
            "Python has ended, or has too many requests to answer already: try again later"
                .to_owned()
        })?;
        context.held.insert(request, held);
        let window = question.window;
        context.queue.push(Message::Asked {
            request,
            verb: "publish",
            arguments: json!({
                "pipeline": self.pipeline,
                "policy": self.name,
                "version": self.version,
                "as_of_us": window.as_of.get(),
                "from_us": window.from.map(Micros::get),
                "closed_only": window.closed_only,
            })
            .to_string(),
        });
        let answer = context
            .runtime
            .block_on(async { timeout(WAIT_MAX, reply.value()).await });
        // Unless Python has taken it.
        context.held.remove(&request);
        let text = answer
            .map_err(|_| "Python did not answer within 60 s".to_owned())?
            .map_err(|_| ended())?;
        let answer: Answer = serde_json::from_str(&text)
            .map_err(|error| format!("Python has answered with something else ({error})"))?;
        if let Some(error) = answer.error {
            return Err(error.detail);
        }
        let rows = answer.rows.into_iter();
        rows.map(|(holder_id, held_us, steps)| {
            let steps = steps
                .parse()
                .map_err(|error| format!("Python has answered with an invalid score ({error})"))?;
            let score = Score::from_steps(steps);
            Ok(HolderScore {
                holder_id,
                totals: Totals { held_us, score },
            })
        })
        .collect()
    }
}
