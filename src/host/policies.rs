//! Policies in Python: functions of pipeline files over events that were read natively, and the pure twins of
//! ready policies for an audit.
//!
//! What a policy is, how a file is loaded and how a result is checked is the business of the package.

use pyo3::prelude::*;

use super::audit::{AuditError, AuditedLeaderboard, audited};
use super::interpreter::Interpreter;
use super::native;
use crate::aggregator::HoldAggregator;
use crate::core::{Micros, Window};
use crate::output::{Leaderboard, PolicyName};

/// An aggregator that Python sees: a native one, or that of an audit.
pub(crate) struct PolicyEvents(pub(super) Py<PyAny>);

impl PolicyEvents {
    /// The events of a native aggregator.
    ///
    /// # Errors
    /// If Python has no memory for the object.
    pub(crate) fn native(
        interpreter: &Interpreter,
        aggregator: HoldAggregator,
    ) -> Result<Self, AuditError> {
        Ok(Self(
            interpreter.attach(|py| native::aggregator_object(py, aggregator))?,
        ))
    }

    /// The leaderboard under the policy that `spec` names, or its first `top` rows; `deficits` of its keys have
    /// a deficit.
    ///
    /// # Errors
    /// If there is no such policy, or it cannot be computed.
    pub(crate) fn published(
        &self,
        interpreter: &Interpreter,
        spec: &str,
        window: &Window,
        top: Option<usize>,
    ) -> Result<(PolicyName, Box<dyn Leaderboard>), AuditError> {
        let (name, leaderboard) = interpreter.attach(|py| {
            let files = py.import("poh_holdmetrics.policy_files")?;
            let policy = files.call_method1("policy_from_spec", (spec,))?;
            let name = PolicyName {
                name: policy.getattr("name")?.extract()?,
                version: policy.getattr("version")?.extract()?,
            };
            let leaderboard = published(py, &policy, self.0.bind(py), window, top)?;
            PyResult::Ok((name, leaderboard))
        })?;
        Ok((name, Box::new(leaderboard)))
    }
}

fn published(
    py: Python<'_>,
    policy: &Bound<'_, PyAny>,
    aggregator: &Bound<'_, PyAny>,
    window: &Window,
    top: Option<usize>,
) -> PyResult<AuditedLeaderboard> {
    let question = (
        window.as_of.get(),
        window.from.map(Micros::get),
        window.closed_only,
    );
    let window = py
        .import("poh_holdmetrics.windows")?
        .getattr("Window")?
        .call1(question)?;
    let snapshot = py
        .import("poh_holdmetrics.policies.published")?
        .call_method1(
            "published",
            (policy.getattr("function")?, aggregator, window),
        )?;
    let deficits = snapshot.getattr("deficits")?.extract()?;
    audited(&snapshot.call_method0("rows")?, top, deficits)
}
