//! Hold metrics: how much was held for how long, exact, order-independent and correctable.
//!
//! The modules, and which may use which, are in `docs/architecture.md`. The invariants:
//! - the answer depends on the set of events alone, never on order, batches, threads or repeats;
//! - no float takes part in scoring;
//! - an event that passed validation is never refused by state.
//!
//! The public interface of this crate:
//! - [`core`]: [`Micros`](core::Micros), [`Wad`](core::Wad), [`Draft`](core::Draft) and the
//!   [`Event`](core::Event) that it becomes, [`Window`](core::Window), [`Snapshot`](core::Snapshot);
//! - [`aggregator`]: [`HoldAggregator`](aggregator::HoldAggregator), which is kept up to date, and
//!   [`BatchScorer`](aggregator::BatchScorer), which reads everything once;
//! - [`engine`]: [`Engine`](engine::Engine), which acknowledges events once they are on disk, over the
//!   [`Journal`](journal::Journal) of [`journal`] and the [`Store`](state::Store) of [`state`];
//! - [`net`]: [`Server`](net::Server) over gRPC and HTTP, and [`client`] for it;
//! - [`input`] and [`config`]: files of events, and the table of settings.
//!
//! Ten seconds at weight 2.5 are a score of 25:
//! ```
//! use poh_holdmetrics_rust::aggregator::HoldAggregator;
//! use poh_holdmetrics_rust::core::{Draft, Micros, Wad, Window};
//!
//! let draft = Draft {
//!     token_id: "gold",
//!     holder_id: "ann",
//!     start: Some(Micros::parse("2025-01-01T00:00:00Z")?),
//!     end: Some(Micros::parse("2025-01-01T00:00:10Z")?),
//!     weight: Some(Wad::parse("2.5")?),
//!     ..Draft::default()
//! };
//! let event = draft.check()?;
//! let aggregator = HoldAggregator::new();
//! assert!(aggregator.record(&event));
//! assert!(!aggregator.record(&event), "a repeated event changes nothing");
//! let snapshot = aggregator.snapshot(&Window::until(Micros::MAX));
//! assert_eq!(snapshot.holders()[0].totals.score.to_string(), "25");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//! The same with an engine, which acknowledges an event after writing it to its journal:
//! ```
//! use std::sync::Arc;
//!
//! use poh_holdmetrics_rust::core::{Draft, EventBatch, Micros, Window};
//! use poh_holdmetrics_rust::engine::{Durability, Engine, Options, Question, SystemClock};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let folder = tempfile::tempdir()?;
//! let engine = Engine::open(Options::in_folder(folder.path()), Arc::new(SystemClock))?;
//! let draft = Draft {
//!     token_id: "gold",
//!     holder_id: "ann",
//!     start: Some(Micros::new(0)?),
//!     end: Some(Micros::new(10_000_000)?),
//!     ..Draft::default()
//! };
//! let mut batch = EventBatch::default();
//! batch.push(&draft.check()?);
//! let receipt = engine.submit(batch).await?.await?;
//! assert_eq!((receipt.first, receipt.durability), (1, Durability::Durable));
//! let question = Question {
//!     window: Window::until(Micros::MAX),
//!     token_id: None,
//! };
//! let page = engine.page(&question, None, 10);
//! assert_eq!(page.holders[0].holder.totals.held_us, 10_000_000);
//! engine.close();
//! # Ok(())
//! # }
//! ```

#[cfg(all(feature = "py-embed", feature = "py-ext"))]
compile_error!(
    "choose one of py-embed and py-ext: the binary that embeds CPython registers its callables \
     itself and must never import the extension module of the same code"
);

pub mod aggregator;
pub mod airdrop;
#[cfg(feature = "py-ext")]
mod bindings;
pub mod cli;
pub mod client;
pub mod config;
pub mod core;
pub mod engine;
mod error_line;
mod excerpt;
#[cfg(any(feature = "py-embed", feature = "py-ext"))]
pub mod host;
pub mod input;
pub mod journal;
pub mod net;
pub mod output;
mod owner_only;
mod plain_file;
pub mod policy;
pub mod state;
pub mod telemetry;
#[cfg(windows)]
mod windows;
pub(crate) mod workload;
