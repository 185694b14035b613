//! `load`: load on a running server, measured; how it is made is in [`crate::workload::load`].

use std::io::{self, Write};
use std::time::Duration;

use anyhow::Context;
use clap::{Args, value_parser};

use super::exit::Exit;
use super::interrupt::interrupted;
use super::target::TargetArguments;
use crate::workload::load::{self, LoadOptions, Protocol, Report};

const HTTP_SERVER: &str = "http://127.0.0.1:8000";

/// The arguments of `load`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: TargetArguments,
    /// How events are sent
    #[arg(long, value_enum, default_value_t)]
    protocol: Protocol,
    /// Connections, each with one stream or one call at a time
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = value_parser!(u32).range(1..=10_000))]
    connections: u32,
    /// Events per batch (grpc-batch, http); with --rate at most those of 0.1 s
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = value_parser!(u32).range(1..=65_536))]
    batch: u32,
    /// One acknowledgement for up to N events (grpc-stream)
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u32).range(1..=65_536))]
    ack_every: u32,
    /// Messages of a stream that may wait for their acknowledgement
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=1_000_000))]
    in_flight: Option<u32>,
    /// Events per second over all connections [default: as fast as possible]
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// Stop sending after this many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = value_parser!(u64).range(1..=86_400))]
    duration: u64,
    /// Stop sending after this many events, if that comes first
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
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
}

/// Sends, waits for the last acknowledgement, and prints the report; a signal ends it early.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut target = arguments.target.target()?;
    if arguments.protocol == Protocol::Http && arguments.target.server.is_none() {
        target.url = HTTP_SERVER.into();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the threads of the client cannot be started")?;
    let report = runtime.block_on(load::run(&target, &arguments.options(), interrupted()))?;
    print(&report, arguments.json).map_err(Exit::output(None))?;
    if report.is_complete {
        Ok(())
    } else {
        Err(Exit::Interrupted.into())
    }
}

fn print(report: &Report, is_json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if is_json {
        serde_json::to_writer(&mut out, report)?;
        writeln!(out)
    } else {
        write!(out, "{report}")
    }
}

impl Arguments {
    fn options(&self) -> LoadOptions {
        LoadOptions {
            protocol: self.protocol,
            connections: self.connections,
            batch: self.batch,
            ack_every: self.ack_every,
            in_flight: self.in_flight,
            rate: self.rate,
            duration: Duration::from_secs(self.duration),
            count: self.count,
            holders: self.holders,
            tokens: self.tokens,
            seed: self.seed,
        }
    }
}
