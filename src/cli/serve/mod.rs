//! `serve`: the long-running service; its concrete parts are chosen and connected here.
//!
//! Order of the start: settings, log, certificates and keys, engine (which replays the journal), pipelines, sockets,
//! one line with the bound addresses on standard output, a notification of systemd. `shutdown` stops them
//! in reverse order within nine seconds. The serving is done in [`crate::net`] and [`crate::engine`].

mod network;
mod notify;
mod open_files;
mod pipelines;
mod policies;
#[cfg(windows)]
mod service;
mod shutdown;
mod signals;
mod stores;
mod threads;

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::info;

use self::notify::Notifier;
use self::pipelines::Pipelines;
use self::policies::PolicyFiles;
use self::shutdown::Shutdown;
use self::signals::{Request, Signals};
use super::exit::Exit;
use super::settings::SettingArguments;
use crate::config::{Config, Loaded, LogFormat};
use crate::core::Micros;
use crate::engine::{Clock as _, Engine, Options, SystemClock};
use crate::net::{Listeners, Server, Settings};
use crate::telemetry::{self, LineForm, Metrics, Otlp};

/// The compiled features, for the metric `holdmetrics_build_info`.
const FEATURES: &str = if cfg!(feature = "py-embed") {
    "py-embed"
} else {
    ""
};

/// The arguments of `serve`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    settings: SettingArguments,
    /// Open a damaged store with its readable part, and say what is lost
    #[arg(long)]
    salvage: bool,
    #[cfg(windows)]
    #[command(flatten)]
    service: service::Arguments,
}

/// Checks everything that a start checks before it opens the store; starts nothing.
pub(super) fn check(config: &Config) -> anyhow::Result<()> {
    let settings = Settings::new(config)?;
    network::check_addresses(config, &settings)?;
    network::credentials(&settings, &Arc::new(Metrics::new("", "")))?;
    if config.otlp.endpoint.is_some() {
        Otlp::check_variables()?;
    }
    policies::read(config)?;
    pipelines::check(config)
}

/// Serves until a signal, or until the journal fails; on Windows, does with the service what is asked for.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    #[cfg(windows)]
    if arguments.service.is_given() {
        return service::run(arguments);
    }
    run_here(arguments)
}

fn run_here(arguments: &Arguments) -> anyhow::Result<()> {
    let loaded = arguments.settings.load()?;
    check_clock()?;
    super::python::use_environment(&loaded.config.store.data_dir)?;
    let runtime = threads::runtime()?;
    let result = runtime.block_on(serve(&loaded, arguments.salvage));
    // Tasks that still run are abandoned: everything acknowledged is on disk.
    runtime.shutdown_timeout(Duration::from_millis(200));
    result
}

/// HTTP has no dates outside these years, and the events of today would begin in the future or never.
fn check_clock() -> anyhow::Result<()> {
    let now = SystemClock.now();
    if now.get() < 0 || now == Micros::MAX {
        bail!(
            "the clock of this machine says {now}: set it, a service cannot run before 1970 or after 9999"
        );
    }
    Ok(())
}

async fn serve(loaded: &Loaded, is_salvaging: bool) -> anyhow::Result<()> {
    let config = &loaded.config;
    // First, so that a signal during the start is handled.
    let mut signals = Signals::register()?;
    let notifier = Notifier::from_environment();
    let metrics = Arc::new(Metrics::new(env!("CARGO_PKG_VERSION"), FEATURES));
    let otlp = start_telemetry(config, &metrics)?;
    let mut settings = Settings::new(config)?;
    settings.limits.connections_max = open_files::connections_max(settings.limits.connections_max);
    network::check_addresses(config, &settings)?;
    let credentials = network::credentials(&settings, &metrics)?;
    network::warn_of_open_addresses(config, &settings);
    stores::warn_of_visible_passwords(loaded);
    pipelines::check(config)?;
    let policies = policies::read(config)?;

    let engine = tokio::select! {
        opened = open(config, is_salvaging, &metrics) => opened?,
        () = signals.ended(Request::ignore) => return Err(Exit::Interrupted.into()),
    };
    let pipelines = tokio::select! {
        started = Pipelines::start(config, &engine, &metrics) => started?,
        () = signals.ended(Request::ignore) => return Err(Exit::Interrupted.into()),
    };
    let policies = PolicyFiles::register(config, &engine, policies);
    let reloaded = Arc::new((credentials.clone(), pipelines.clone(), policies));
    // Files may be on a disk that does not answer, and further signals must be heard all the same.
    let on_request = |request: Request| {
        let reloaded = Arc::clone(&reloaded);
        tokio::task::spawn_blocking(move || match request {
            Request::Reload => {
                reloaded.0.reload();
                reloaded.1.reload();
                reloaded.2.reload();
            }
            #[cfg(unix)]
            Request::StacksForReader | Request::StacksForLog => {
                if !reloaded.1.write_stacks(request) {
                    request.ignore();
                }
            }
        });
    };
    let server = Server::new(
        Arc::clone(&engine),
        settings,
        credentials,
        Arc::clone(&metrics),
    );
    let server = match pipelines.administration() {
        Some(administration) => server.administered_by(administration),
        None => server,
    };
    let listeners = bind(config).await?;

    let stop = CancellationToken::new();
    let shutdown = Shutdown::new(stop.clone(), Arc::clone(&engine), pipelines, otlp);
    announce(&listeners, config)?;
    let mut serving = tokio::spawn(server.run(listeners, stop));
    notifier.ready();
    let reason = tokio::select! {
        () = signals.ended(on_request) => {
            info!("Stopping on a signal.");
            None
        }
        reason = engine.poisoned() => Some(shutdown.poisoned(reason, &mut signals).await),
        // They run until `stop` is cancelled, so they can end before only by a panic.
        ended = &mut serving => bail!("the servers ended unexpectedly ({ended:?})"),
    };
    notifier.stopping();
    shutdown.finish(serving, signals).await?;
    match reason {
        None => Ok(()),
        Some(reason) => Err(Exit::JournalFailed(reason.to_string()).into()),
    }
}

/// Starts the log, and the export to an OTLP receiver if the settings name one.
fn start_telemetry(config: &Config, metrics: &Arc<Metrics>) -> anyhow::Result<Option<Otlp>> {
    let exports =
        config.otlp.endpoint.as_deref().map(|endpoint| {
            Otlp::start(endpoint, config.otlp.metrics_interval, Arc::clone(metrics))
        });
    let exports = exports.transpose();
    let (otlp, spans) = exports?.unzip();
    let form = match config.log.format {
        LogFormat::Text => LineForm::Text,
        LogFormat::Json => LineForm::Json,
    };
    telemetry::start_as(&config.log.level, form, spans)?;
    Ok(otlp)
}

/// Opens the store on a thread that may block.
async fn open(
    config: &Config,
    is_salvaging: bool,
    metrics: &Arc<Metrics>,
) -> anyhow::Result<Arc<Engine>> {
    let options = Options {
        salvages: is_salvaging,
        metrics: Arc::clone(metrics),
        lag_bytes_max: config.pipelines.lag_bytes_max,
        questions: config.questions.clone(),
        ..Options::new(config.store.clone(), config.intake.clone())
    };
    let began = Instant::now();
    let opened = tokio::task::spawn_blocking(|| Engine::open(options, Arc::new(SystemClock)));
    let engine = opened.await.context("the store cannot be opened")??;
    let engine = Arc::new(engine);
    let observed = Arc::clone(&engine);
    metrics.read_gauges_from(move || observed.gauges());
    info!(
        sequence = engine.sequence(),
        seconds = began.elapsed().as_secs_f64(),
        "Opened the store."
    );
    Ok(engine)
}

async fn bind(config: &Config) -> anyhow::Result<Listeners> {
    let one = async |key: &str, address: SocketAddr| {
        TcpListener::bind(address)
            .await
            .with_context(|| format!("{key}: {address} cannot be bound, choose another address"))
    };
    Ok(Listeners {
        grpc: Some(one("grpc.address", config.grpc.address()).await?),
        http: Some(one("http.address", config.http.address()).await?),
    })
}

/// Prints the bound addresses on standard output; with port 0 there is no other way to know them.
fn announce(listeners: &Listeners, config: &Config) -> anyhow::Result<()> {
    let address = |listener: &Option<TcpListener>| {
        let bound = listener.as_ref().map(TcpListener::local_addr);
        bound
            .and_then(Result::ok)
            .map_or_else(String::new, |bound| bound.to_string())
    };
    let (grpc, http) = (address(&listeners.grpc), address(&listeners.http));
    let mut out = std::io::stdout().lock();
    writeln!(out, "listening: grpc={grpc} http={http}")
        .and_then(|()| out.flush())
        .map_err(Exit::output(None))?;
    if config.store.ephemeral {
        info!(
            "Keeping everything in memory: acknowledgements say BUFFERED, and nothing outlives this process."
        );
    }
    Ok(())
}
