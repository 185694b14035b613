//! `load`: events at a running server, and how fast and how promptly it acknowledged them.
//!
//! `plan` bounds and paces, `supply` makes events, `grpc` and `http` send them, `report` prints.
//! With a rate the time of each event counts from when it was due, so a slow answer also counts
//! against those that had to wait behind it.

mod grpc;
mod http;
mod plan;
mod report;
mod supply;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, value_parser};
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::plan::{Plan, Tally};
use self::report::Report;
use self::supply::Supply;
use super::failure::Failure;
use super::interrupt::interrupted;
use super::target::TargetArguments;
use crate::net::client::{Client, ClientError, Target};
use crate::reason::plain;

const SERVER_OF_HTTP: &str = "http://127.0.0.1:8000";
/// As long as gRPC's pings take to notice a lost server.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(30);

/// How events travel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Protocol {
    /// One stream a connection, each event its own message
    #[default]
    GrpcStream,
    /// One stream a connection, events in batches
    GrpcBatch,
    /// One call for each event, the next after its answer
    GrpcUnary,
    /// POST /hold with a batch as NDJSON, the next after its answer
    Http,
}

/// The arguments of `load`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: TargetArguments,
    /// How events travel
    #[arg(long, value_enum, default_value_t)]
    protocol: Protocol,
    /// Connections, each with a stream or a call at a time
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = value_parser!(u32).range(1..=10_000))]
    connections: u32,
    /// Events a batch (grpc-batch, http); with --rate at most those of 0.1 s
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = value_parser!(u32).range(1..=65_536))]
    batch: u32,
    /// One acknowledgement for up to N events (grpc-stream)
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u32).range(1..=65_536))]
    ack_every: u32,
    /// Messages of a stream that may wait for their acknowledgement
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=1_000_000))]
    in_flight: Option<u32>,
    /// Events a second, all connections together [default: as fast as it goes]
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// Stop sending after so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = value_parser!(u64).range(1..=86_400))]
    duration: u64,
    /// Stop sending after so many events, if that comes first
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Holders to draw from
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = value_parser!(u64).range(1..=1 << 40))]
    holders: u64,
    /// Tokens to draw from
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = value_parser!(u64).range(1..=1 << 40))]
    tokens: u64,
    /// The same seed and arguments make the same events
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// One JSON object instead of a table
    #[arg(long)]
    json: bool,
}

/// Sends, waits for the last acknowledgement, and prints what came of it; a signal ends it early.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut target = arguments.target.target()?;
    if arguments.protocol == Protocol::Http && arguments.target.server.is_none() {
        target.url = SERVER_OF_HTTP.into();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Other(format!("no runtime to send with ({})", plain(&error))))?;
    let (report, is_complete) = runtime.block_on(measure(arguments, target))?;
    report.print(arguments.json)?;
    if is_complete {
        Ok(())
    } else {
        Err(Failure::Interrupted)
    }
}

/// The report, and whether it is of all that was wanted.
async fn measure(arguments: &Arguments, target: Target) -> Result<(Report, bool), Failure> {
    let failed = |error: ClientError| Failure::Other(error.to_string());
    // All connections stand before the clock starts.
    let mut clients = Vec::new();
    if arguments.protocol != Protocol::Http {
        for _ in 0..arguments.connections {
            clients.push(Client::connect(&target).await.map_err(failed)?);
        }
    }
    let per_message = match arguments.protocol {
        Protocol::GrpcBatch | Protocol::Http => arguments.batch,
        Protocol::GrpcStream | Protocol::GrpcUnary => 1,
    };
    let plan = Arc::new(Plan::begin(
        Duration::from_secs(arguments.duration),
        arguments.count,
        arguments.rate,
        arguments.connections,
        per_message,
    ));
    let (stop, stopped) = watch::channel(false);
    let mut tasks = JoinSet::new();
    for connection in 0..arguments.connections {
        let supply = Supply::new(
            arguments.seed,
            connection,
            arguments.holders,
            arguments.tokens,
        );
        let plan = Arc::clone(&plan);
        let client = clients.pop();
        let (protocol, ack_every) = (arguments.protocol, arguments.ack_every);
        let in_flight = arguments.in_flight.unwrap_or(match protocol {
            Protocol::GrpcStream => 4_096,
            Protocol::GrpcBatch | Protocol::GrpcUnary | Protocol::Http => 16,
        });
        let target = target.clone();
        let mut stopped = stopped.clone();
        tasks.spawn(async move {
            let mut tally = Tally::default();
            let sending = async {
                let tally = &mut tally;
                match (protocol, client) {
                    (Protocol::GrpcStream, Some(client)) => {
                        grpc::stream(client, &plan, supply, ack_every, in_flight, tally).await
                    }
                    (Protocol::GrpcBatch, Some(client)) => {
                        grpc::batches(client, &plan, supply, in_flight, tally).await
                    }
                    (Protocol::GrpcUnary, Some(client)) => {
                        grpc::unary(client, &plan, supply, tally).await
                    }
                    (_, _) => http::posts(&target, &plan, supply, ANSWER_WAIT_MAX, tally).await,
                }
            };
            let sent = tokio::select! {
                sent = sending => sent,
                _ = stopped.wait_for(|is_stopped| *is_stopped) => Ok(()),
            };
            sent.map(|()| tally)
        });
    }
    let mut total = Tally::default();
    let mut interrupted = pin!(interrupted());
    loop {
        tokio::select! {
            ended = tasks.join_next() => {
                let Some(ended) = ended else { break };
                let tally =
                    ended.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
                total.add(&tally.map_err(failed)?);
            }
            () = &mut interrupted, if !*stop.borrow() => {
                stop.send_replace(true);
            }
        }
    }
    let is_complete = !*stop.borrow();
    Ok((Report::new(arguments, &total, plan.elapsed()), is_complete))
}
