//! The events behind the scores of a few holders: from the files, the data folder or the service of a plan.
//!
//! A second reading after the scores are known, so that memory holds the events of these holders alone; a data folder
//! is read whole.

use std::collections::HashSet;

use super::plan::{Plan, Setting};
use crate::aggregator::{HoldAggregator, Question};
use crate::airdrop::{Conditions, ExplainedKey};
use crate::cli::journal::contents;
use crate::cli::progress::ReadingBar;
use crate::cli::target::runtime;
use crate::client::{Beginning, Client, FeedOptions, Target};
use crate::core::{Event, EventSink, encoding};
use crate::input;

/// What is known of these holders.
pub(super) fn of_holders(
    plan: &Plan,
    setting: &Setting<'_>,
    holders: &HashSet<Box<str>>,
) -> anyhow::Result<HoldAggregator> {
    let folder = setting.folder;
    if let Some(server) = &plan.server {
        return of_server(&setting.target.target_at(server)?, holders);
    }
    if let Some(data) = &plan.data_dir {
        return Ok(contents::read(folder.join(data))?.aggregator);
    }
    let aggregator = HoldAggregator::new();
    let options = plan.read_options(setting);
    let bar = ReadingBar::watch(&options.progress, "reading events");
    input::read(&plan.sources(folder), &options, || Chosen {
        aggregator: &aggregator,
        holders,
    })?;
    drop(bar);
    Ok(aggregator)
}

/// The facts of these holders that a service has.
fn of_server(target: &Target, holders: &HashSet<Box<str>>) -> anyhow::Result<HoldAggregator> {
    let runtime = runtime()?;
    let aggregator = HoldAggregator::new();
    runtime.block_on(async {
        let mut client = Client::connect(target).await?;
        for holder in holders {
            let options = FeedOptions {
                beginning: Beginning::Facts,
                // An id with * or ? is a pattern that matches others, too.
                holder: Some(holder.to_string()),
                ..FeedOptions::default()
            };
            // Without a name the server keeps no position, and dropping the feed ends it.
            let mut feed = client.feed(options).await?;
            let (mut position, newest) = (feed.position, feed.newest);
            while position < newest {
                let page = feed.next().await?;
                for numbered in page.events() {
                    let (_, event) = numbered?;
                    if event.holder_id == &**holder {
                        aggregator.record(&event);
                    }
                }
                position = page.last();
            }
        }
        anyhow::Ok(())
    })?;
    Ok(aggregator)
}

/// Takes the events of the chosen holders.
struct Chosen<'a> {
    aggregator: &'a HoldAggregator,
    holders: &'a HashSet<Box<str>>,
}

impl EventSink for Chosen<'_> {
    fn accept(&mut self, event: &Event<'_>) {
        if self.holders.contains(event.holder_id) {
            self.aggregator.record(event);
        }
    }
}

/// The keys of a holder, explained.
pub(super) fn keys_of(
    aggregator: &HoldAggregator,
    holder_id: &str,
    conditions: &Conditions<'_>,
) -> Vec<ExplainedKey> {
    let question = Question::of_all_tokens(conditions.window);
    let found = aggregator.explain(holder_id, &question, 0);
    let tokens = found.into_iter().flat_map(|view| view.keys);
    let key = |token_id: &str| {
        let mut bytes = Vec::new();
        aggregator.claims_of(holder_id, token_id, |claim| {
            encoding::push_claim(&mut bytes, claim);
        });
        let claims = encoding::claims(&bytes);
        let claims: Vec<_> = claims
            .map(|claim| claim.expect("it was written here"))
            .collect();
        ExplainedKey::of_claims(holder_id, token_id, &claims, conditions)
    };
    tokens.map(|report| key(&report.token_id)).collect()
}
