//! A gate that decides by a function of each event, and may answer late or never.

use std::sync::Arc;
use std::time::Duration;

use poh_holdmetrics_rust::core::{Event, EventBatch, encoding};
use poh_holdmetrics_rust::engine::gate::{Answer, Gate, GateOptions, NoAnswer, OnTimeout, Verdict};

type Rule = Box<dyn Fn(&Event<'_>) -> Option<Verdict> + Send + Sync>;

/// What the gate does after it was asked.
pub(crate) enum Manner {
    Answers,
    AnswersAfter(Duration),
    Fails,
    IsStuck,
}

pub(crate) struct RuleGate {
    rule: Rule,
    manner: Manner,
}

impl RuleGate {
    pub(crate) fn by_rule(
        rule: impl Fn(&Event<'_>) -> Option<Verdict> + Send + Sync + 'static,
        manner: Manner,
    ) -> Arc<dyn Gate> {
        let rule = Box::new(rule);
        Arc::new(Self { rule, manner })
    }

    /// Refuses the events of the holder `name`.
    pub(crate) fn without(name: &'static str, manner: Manner) -> Arc<dyn Gate> {
        let refuse = move |event: &Event<'_>| {
            (event.holder_id == name).then(|| Verdict::Refuse(format!("no {name} here")))
        };
        Self::by_rule(refuse, manner)
    }
}

impl Gate for RuleGate {
    fn check(&self, events: Arc<EventBatch>) -> Answer {
        let verdicts = (0..)
            .zip(encoding::events(events.bytes()))
            .filter_map(|(index, event)| Some((index, (self.rule)(&event.unwrap())?)))
            .collect();
        match self.manner {
            Manner::Answers => Box::pin(async { Ok(verdicts) }),
            Manner::AnswersAfter(time) => Box::pin(async move {
                tokio::time::sleep(time).await;
                Ok(verdicts)
            }),
            Manner::Fails => Box::pin(async { Err(NoAnswer) }),
            // It keeps the events, as code that is stuck in the middle of a check does.
            Manner::IsStuck => Box::pin(async move {
                std::future::pending::<()>().await;
                drop(events);
                Err(NoAnswer)
            }),
        }
    }
}

/// The options of the gate `check` of `pipeline`.
pub(crate) fn options(pipeline: &str, budget_ms: u64, on_timeout: OnTimeout) -> GateOptions {
    GateOptions {
        pipeline: pipeline.to_owned(),
        handler: "check".to_owned(),
        token: None,
        holder: None,
        budget: Duration::from_millis(budget_ms),
        on_timeout,
    }
}
