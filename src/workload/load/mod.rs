//! Load on a running server, and how fast and how promptly it acknowledged the events.
//!
//! `schedule` paces and limits, `random_holds` makes events, `grpc` and `http` send them, `report` sums
//! up. With a rate, the latency of an event counts from when it was due, so a slow answer also counts
//! against the events that had to wait behind it.

mod error;
mod grpc;
mod http;
mod random_holds;
mod report;
mod schedule;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

pub(crate) use self::error::LoadError;
pub(crate) use self::report::Report;

use self::random_holds::RandomHolds;
use self::schedule::{Counts, Schedule};
use crate::client::{Client, Target};

/// As long as gRPC's pings take to notice a lost server.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(30);

/// How events are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// One stream per connection, one event per message.
    #[default]
    GrpcStream,
    /// One stream per connection, a batch of events per message.
    GrpcBatch,
    /// One call per event, each after the answer to the one before.
    GrpcUnary,
    /// `POST /hold` with a batch as NDJSON, each after the answer to the one before.
    Http,
}

impl Protocol {
    /// As the command line and the report write it.
    #[must_use]
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::GrpcStream => "grpc-stream",
            Self::GrpcBatch => "grpc-batch",
            Self::GrpcUnary => "grpc-unary",
            Self::Http => "http",
        }
    }
}

/// What is sent, and how fast.
#[derive(Clone, Debug)]
pub(crate) struct LoadOptions {
    /// How events are sent.
    pub protocol: Protocol,
    /// Connections, each with one stream or one call at a time.
    pub connections: u32,
    /// Events per batch, for the protocols that have batches.
    pub batch: u32,
    /// Events that one acknowledgement may cover, for [`Protocol::GrpcStream`].
    pub ack_every: u32,
    /// Messages of a stream that may wait for their acknowledgement; `None` leaves the choice to the
    /// protocol.
    pub in_flight: Option<u32>,
    /// Events per second over all connections; `None` means as fast as possible.
    pub rate: Option<u32>,
    /// When sending stops.
    pub duration: Duration,
    /// After how many events sending stops, if that comes first.
    pub count: Option<u64>,
    /// Holders to draw from.
    pub holders: u64,
    /// Tokens to draw from.
    pub tokens: u64,
    /// The same seed and options make the same events.
    pub seed: u64,
}

impl LoadOptions {
    fn events_per_message(&self) -> u32 {
        match self.protocol {
            Protocol::GrpcBatch | Protocol::Http => self.batch,
            Protocol::GrpcStream | Protocol::GrpcUnary => 1,
        }
    }

    fn in_flight(&self) -> u32 {
        self.in_flight.unwrap_or(match self.protocol {
            Protocol::GrpcStream => 4_096,
            Protocol::GrpcBatch | Protocol::GrpcUnary | Protocol::Http => 16,
        })
    }
}

/// One connection, and what it needs to send.
struct Sender {
    target: Target,
    /// `None` for HTTP, which connects with its first request.
    client: Option<Client>,
    options: LoadOptions,
    schedule: Arc<Schedule>,
    holds: RandomHolds,
}

/// Sends until the options are met or `stop` resolves, and waits for the last acknowledgement.
///
/// # Errors
/// At the first connection or call that fails.
///
/// # Panics
/// If a task of a connection panics.
pub(crate) async fn run(
    target: &Target,
    options: &LoadOptions,
    stop: impl Future<Output = ()>,
) -> Result<Report, LoadError> {
    // All connections are open before the clock starts.
    let mut clients = Vec::new();
    if options.protocol != Protocol::Http {
        for _ in 0..options.connections {
            clients.push(Client::connect(target).await?);
        }
    }
    let schedule = Arc::new(Schedule::begin(
        options.duration,
        options.count,
        options.rate,
        options.connections,
        options.events_per_message(),
    ));
    let (stop_sender, stopped) = watch::channel(false);
    let mut tasks = JoinSet::new();
    for connection in 0..options.connections {
        let sender = Sender {
            target: target.clone(),
            client: clients.pop(),
            options: options.clone(),
            schedule: Arc::clone(&schedule),
            holds: RandomHolds::new(options.seed, connection, options.holders, options.tokens),
        };
        tasks.spawn(sender.send_until(stopped.clone()));
    }
    let mut total = Counts::default();
    let mut stop = pin!(stop);
    let mut is_stopped = false;
    loop {
        tokio::select! {
            ended = tasks.join_next() => {
                let Some(ended) = ended else { break };
                let counts =
                    ended.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
                total.add(&counts?);
            }
            () = &mut stop, if !is_stopped => {
                is_stopped = true;
                stop_sender.send_replace(true);
            }
        }
    }
    Ok(Report::new(
        options,
        &total,
        schedule.elapsed(),
        !is_stopped,
    ))
}

impl Sender {
    /// Sends all that the schedule gives this connection; `stopped` ends it early.
    async fn send_until(self, mut stopped: watch::Receiver<bool>) -> Result<Counts, LoadError> {
        let mut counts = Counts::default();
        let sent = tokio::select! {
            sent = self.send(&mut counts) => sent,
            _ = stopped.wait_for(|is_stopped| *is_stopped) => Ok(()),
        };
        sent.map(|()| counts)
    }

    async fn send(self, counts: &mut Counts) -> Result<(), LoadError> {
        let (schedule, holds, options) = (&self.schedule, self.holds, &self.options);
        let in_flight = options.in_flight();
        match (options.protocol, self.client) {
            (Protocol::GrpcStream, Some(client)) => {
                let ack_every = options.ack_every;
                grpc::stream(client, schedule, holds, ack_every, in_flight, counts).await?;
            }
            (Protocol::GrpcBatch, Some(client)) => {
                grpc::batches(client, schedule, holds, in_flight, counts).await?;
            }
            (Protocol::GrpcUnary, Some(client)) => {
                grpc::unary(client, schedule, holds, counts).await?;
            }
            (_, _) => http::posts(&self.target, schedule, holds, ANSWER_WAIT_MAX, counts).await?,
        }
        Ok(())
    }
}
