//! The pipelines and stores of a service, if its settings name any; without them no Python is started.
//!
//! Connects [`crate::host::pipeline`] with the routes of [`crate::net`]. A build without Python refuses them before
//! it starts.

#[cfg(feature = "py-embed")]
pub(super) use embedded::{Pipelines, check};
#[cfg(not(feature = "py-embed"))]
pub(super) use without::{Pipelines, check};

use crate::config::Config;

/// Whether something needs Python.
fn has_any(config: &Config) -> bool {
    !config.pipelines.files.is_empty() || !config.serve.store.is_empty()
}

#[cfg(feature = "py-embed")]
mod embedded {
    use std::sync::Arc;
    use std::time::Duration;

    use anyhow::Context;
    use futures_util::FutureExt;
    use futures_util::future::BoxFuture;
    use serde_json::Value;
    use tokio::runtime::Handle;
    use tokio::time::{Instant, timeout};
    use tracing::{info, warn};

    #[cfg(unix)]
    use super::super::signals::Request;
    use super::has_any;
    use crate::config::Config;
    use crate::engine::Engine;
    #[cfg(unix)]
    use crate::host::pipeline::StacksTo;
    use crate::host::pipeline::{PipelineHost, RequestError};
    use crate::net::{AdminAnswer, AdminError, AdminErrorKind, Administration};
    use crate::telemetry::Metrics;

    /// How long the start waits for the pipelines, so that they see the first events and can refuse them.
    const LOAD_WAIT_MAX: Duration = Duration::from_secs(5);

    /// Refuses settings with pipelines or stores if there is no Python for them.
    pub(in super::super) fn check(config: &Config) -> anyhow::Result<()> {
        if !has_any(config) {
            return Ok(());
        }
        Ok(PipelineHost::check()?)
    }

    /// The pipelines, if there are any.
    #[derive(Clone)]
    pub(in super::super) struct Pipelines(Option<Arc<PipelineHost>>);

    impl Pipelines {
        /// Boots Python, checks the addresses of the stores and loads the pipelines. One that cannot be loaded is
        /// reported and stops nothing.
        pub(in super::super) async fn start(
            config: &Config,
            engine: &Arc<Engine>,
            metrics: &Arc<Metrics>,
        ) -> anyhow::Result<Self> {
            if !has_any(config) {
                return Ok(Self(None));
            }
            let (settings, stores) = (config.pipelines.clone(), config.serve.store.clone());
            let store = &config.store;
            let folder = (!store.ephemeral).then(|| store.data_dir.clone());
            let (engine, metrics) = (Arc::clone(engine), Arc::clone(metrics));
            let (runtime, bytes_max) = (Handle::current(), config.limits.message_bytes_max);
            let began = Instant::now();
            let start = move || {
                let folder = folder.as_deref();
                PipelineHost::start(
                    engine, &settings, &stores, folder, bytes_max, metrics, runtime,
                )
            };
            let started = tokio::task::spawn_blocking(start).await;
            let host = started.context("Python cannot be started")??;
            let seconds = || began.elapsed().as_secs_f64();
            if timeout(LOAD_WAIT_MAX, host.loaded()).await.is_ok() {
                info!(seconds = seconds(), "Loaded the pipelines.");
            } else {
                warn!(
                    seconds = seconds(),
                    "The pipelines are not loaded yet; the service starts, and they follow."
                );
            }
            Ok(Self(Some(Arc::new(host))))
        }

        /// What answers the routes of operators.
        pub(in super::super) fn administration(&self) -> Option<Arc<dyn Administration>> {
            let host = self.0.clone()?;
            Some(Arc::new(Operator(host)))
        }

        /// Loads all pipelines again.
        pub(in super::super) fn reload(&self) {
            if let Some(host) = &self.0 {
                host.reload();
            }
        }

        /// Writes the stacks of Python where the request wants them; false if there are none, or no such place.
        #[cfg(unix)]
        pub(in super::super) fn write_stacks(&self, request: Request) -> bool {
            let to = match request {
                Request::Reload => return false,
                Request::StacksForReader => StacksTo::Reader,
                Request::StacksForLog => StacksTo::Log,
            };
            self.0.as_ref().is_some_and(|host| host.write_stacks(to))
        }

        /// Ends what runs, until `deadline`.
        pub(in super::super) async fn stop(&self, deadline: Instant) {
            if let Some(host) = &self.0 {
                host.stop(deadline).await;
            }
        }
    }

    /// Passes the requests of operators on.
    struct Operator(Arc<PipelineHost>);

    impl Administration for Operator {
        fn pipelines(&self) -> Value {
            self.0.report()
        }

        fn request(&self, verb: &'static str, arguments: Value) -> BoxFuture<'_, AdminAnswer> {
            let answer = self.0.request(verb, arguments);
            answer.map(|answer| answer.map_err(refusal)).boxed()
        }
    }

    fn refusal(error: RequestError) -> AdminError {
        AdminError {
            kind: match &*error.kind {
                "not_found" => AdminErrorKind::NotFound,
                "invalid" => AdminErrorKind::Invalid,
                "conflict" => AdminErrorKind::Conflict,
                "no_answer" => AdminErrorKind::NoAnswer,
                _ => AdminErrorKind::Defect,
            },
            detail: error.detail,
            traceback: error.traceback,
        }
    }
}

#[cfg(not(feature = "py-embed"))]
mod without {
    use std::sync::Arc;

    use tokio::time::Instant;

    #[cfg(unix)]
    use super::super::signals::Request;
    use super::has_any;
    use crate::config::Config;
    use crate::engine::Engine;
    use crate::net::Administration;
    use crate::telemetry::Metrics;

    /// Refuses settings with pipelines or stores.
    pub(in super::super) fn check(config: &Config) -> anyhow::Result<()> {
        if !has_any(config) {
            return Ok(());
        }
        let instead = if config.pipelines.files.is_empty() {
            "start the service without stores (--store, serve.store)"
        } else {
            "start the service without pipelines (--pipeline, pipelines.files)"
        };
        Err(crate::cli::python::absent(instead))
    }

    /// This build has none.
    #[derive(Clone)]
    pub(in super::super) struct Pipelines;

    #[expect(
        clippy::unused_self,
        clippy::unused_async,
        reason = "the interface of the build with Python"
    )]
    impl Pipelines {
        pub(in super::super) async fn start(
            _config: &Config,
            _engine: &Arc<Engine>,
            _metrics: &Arc<Metrics>,
        ) -> anyhow::Result<Self> {
            Ok(Self)
        }

        pub(in super::super) fn administration(&self) -> Option<Arc<dyn Administration>> {
            None
        }

        pub(in super::super) fn reload(&self) {}

        #[cfg(unix)]
        pub(in super::super) fn write_stacks(&self, _request: Request) -> bool {
            false
        }

        pub(in super::super) async fn stop(&self, _deadline: Instant) {}
    }
}
