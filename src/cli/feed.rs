//! `feed`: the events that a server acknowledged, as lines of JSON on standard output.
//!
//! The lines are those that `score`, `send` and `POST /hold` read. A named consumer acknowledges a line only after it
//! was written, so that a run after a break repeats lines rather than lose one.

use std::io::{self, BufWriter, Write};
use std::time::Duration;

use clap::{Args, value_parser};
use tokio::time::timeout_at;

use super::exit::Exit;
use super::interrupt::interrupted;
use super::patience::Patience;
use super::target::{TargetArguments, runtime};
use crate::client::{Beginning, Client, ClientError, FeedOptions, FeedPage, FeedStream, Target};
use crate::output::write_numbered_event;

/// The arguments of `feed`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: TargetArguments,
    /// Begin with the event of this sequence number, with the facts in force (beginning), or after the last event
    /// (now); events that no longer exist are replaced by the facts in force
    #[arg(long, value_name = "N", default_value = "1", value_parser = beginning)]
    from: Beginning,
    /// Let the server keep the position under this name, and continue there, whatever --from says
    #[arg(long, value_name = "NAME")]
    consumer: Option<String>,
    /// Print events of these tokens only; * stands for any text, ? for one character
    #[arg(long, value_name = "GLOB")]
    token: Option<String>,
    /// Print events of these holders only, in the same form
    #[arg(long, value_name = "GLOB")]
    holder: Option<String>,
    /// Go on with events as they are acknowledged, until Ctrl-C
    #[arg(long)]
    follow: bool,
    /// Give up after this many seconds without an answer from the server
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = value_parser!(u64).range(1..=86_400))]
    patience: u64,
}

fn beginning(text: &str) -> Result<Beginning, String> {
    match text {
        "beginning" => Ok(Beginning::Facts),
        "now" => Ok(Beginning::Now),
        number => match number.parse() {
            Ok(sequence) if sequence > 0 => Ok(Beginning::Sequence(sequence)),
            Ok(_) | Err(_) => Err("give a sequence number from 1, beginning or now".into()),
        },
    }
}

/// Prints events until all are printed or a signal ends it.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let printer = Printer {
        target: arguments.target.target()?,
        options: FeedOptions {
            consumer: arguments.consumer.clone(),
            beginning: arguments.from,
            token: arguments.token.clone(),
            holder: arguments.holder.clone(),
        },
        follows: arguments.follow,
        end: None,
        was_open: false,
        patience: Patience::new(Duration::from_secs(arguments.patience)),
        out: BufWriter::new(io::stdout().lock()),
    };
    let runtime = runtime()?;
    runtime.block_on(printer.run())
}

/// One run of `feed`.
struct Printer<W: Write> {
    target: Target,
    options: FeedOptions,
    follows: bool,
    /// The last number that is printed; `None` before the server has told it, and if there is no end.
    end: Option<u64>,
    /// Whether the server has opened the feed already.
    was_open: bool,
    patience: Patience,
    out: BufWriter<W>,
}

/// Why a connection ended.
enum Break {
    /// A call failed; another attempt may succeed.
    Call(ClientError),
    /// Something failed on our side, or a signal came.
    Final(anyhow::Error),
}

impl From<ClientError> for Break {
    fn from(error: ClientError) -> Self {
        Self::Call(error)
    }
}

impl<W: Write> Printer<W> {
    async fn run(mut self) -> anyhow::Result<()> {
        let mut signal = std::pin::pin!(interrupted());
        loop {
            let error = match self.connection(signal.as_mut()).await {
                Ok(()) => return Ok(()),
                Err(Break::Final(error)) => return Err(error),
                Err(Break::Call(error)) => error,
            };
            // After a break the server may not have noticed yet that the old call is gone.
            let is_own_call = self.was_open && error.is_consumer_in_use();
            let Some(asked) = error.retry().or(is_own_call.then_some(None)) else {
                return Err(error.into());
            };
            tokio::select! {
                paused = self.patience.pause(error, asked) => paused?,
                () = signal.as_mut() => return Err(Exit::Interrupted.into()),
            }
        }
    }

    /// One connection, until everything is printed or something ends it.
    async fn connection(
        &mut self,
        mut signal: std::pin::Pin<&mut impl Future<Output = ()>>,
    ) -> Result<(), Break> {
        let opened = timeout_at(
            self.patience.end(),
            open(&self.target, self.options.clone()),
        );
        let opened = tokio::select! {
            opened = opened => opened,
            () = signal.as_mut() => return Err(Break::Final(Exit::Interrupted.into())),
        };
        let url = &self.target.url;
        let mut feed = opened
            .map_err(|_| ClientError::ended(&format!("the server at {url} is silent")))
            .flatten()?;
        self.patience.heard();
        self.was_open = true;
        if feed.starts_from_facts && self.options.beginning != Beginning::Facts {
            eprintln!("the first events no longer exist: the facts in force are printed instead");
        }
        if !self.follows {
            self.end.get_or_insert(feed.newest);
        }
        let mut position = feed.position;
        while self.end.is_none_or(|end| position < end) {
            let page = tokio::select! {
                page = feed.next() => page?,
                () = signal.as_mut() => {
                    self.close(feed).await?;
                    return Err(Break::Final(Exit::Interrupted.into()));
                }
            };
            self.patience.heard();
            self.print(&page)?;
            position = page.last();
            if self.options.consumer.is_some() {
                feed.acknowledge(position);
            } else {
                self.options.beginning = Beginning::Sequence(position + 1);
            }
        }
        self.close(feed).await
    }

    /// Writes the lines of a page through to standard output.
    fn print(&mut self, page: &FeedPage) -> Result<(), Break> {
        for event in page.events() {
            let (sequence, event) = event?;
            write_numbered_event(sequence, &event, &mut self.out)
                .map_err(|error| Break::Final(Exit::output(None)(error)))?;
        }
        let flushed = self.out.flush();
        flushed.map_err(|error| Break::Final(Exit::output(None)(error)))
    }

    /// Waits until the last position is durable, if one is kept.
    async fn close(&self, feed: FeedStream) -> Result<(), Break> {
        if self.options.consumer.is_some() {
            let finished = timeout_at(self.patience.wait_from_now(), feed.finish()).await;
            finished.unwrap_or_else(|_| Err(ClientError::ended("the server is silent")))?;
        }
        Ok(())
    }
}

async fn open(target: &Target, options: FeedOptions) -> Result<FeedStream, ClientError> {
    let mut client = Client::connect(target).await?;
    client.feed(options).await
}
