//! What exports keep in other files: the times of blocks and the decimals of tokens, each in one table in memory.
//!
//! The files are read by the readers of feeds, so that they may have any format and the columns of any known
//! export.

use std::ops::ControlFlow;
use std::sync::Arc;

use hashbrown::HashMap;

use super::Feed;
use super::layout::FeedLayout;
use super::quantities::{self, small_number};
use super::row::FeedRow;
use super::tables::Role;
use crate::core::{Micros, TimeError, TimeForm, TimeUnit};
use crate::excerpt::quoted;
use crate::input::chunks::for_each_chunk;
use crate::input::feed_rows::visit_feed_rows;
use crate::input::{
    DECIMALS_MAX, InputError, InputFormat, InputOptions, LineRefusal, RefusalReason, Source,
};

/// Numbers as they are, whole ones only.
const COUNTS: TimeForm = TimeForm {
    unit: TimeUnit::Micros,
    ..TimeForm::STANDARD
};

/// The time of each block.
#[derive(Debug, PartialEq, Eq)]
pub struct BlockTimes {
    file: Arc<str>,
    /// By number.
    times: Vec<(u64, Micros)>,
}

impl BlockTimes {
    /// Reads a file with the numbers of blocks and their times.
    ///
    /// # Errors
    /// If the file cannot be read, a row has no number or no time, or two rows differ.
    pub fn read(source: &Source) -> Result<Self, InputError> {
        let mut times = Vec::new();
        for_each_row(source, Feed::Blocks, |layout, row| {
            let text = layout.text(row, Role::Block).unwrap_or_default();
            let block = small_number(&text).ok_or_else(|| {
                refused(
                    "block",
                    format!("{} is not the number of a block", quoted(&text)),
                )
            })?;
            let at = layout.time(row, Role::Time);
            let at = at.ok_or_else(|| refused("time", format!("missing for block {block}")))?;
            let at = at.map_err(|error| refused("time", format!("of block {block}: {error}")))?;
            times.push((block, at));
            Ok(())
        })?;
        times.sort_unstable();
        times.dedup();
        let file = source.name();
        if let Some(two) = times.windows(2).find(|two| two[0].0 == two[1].0) {
            let (block, first, second) = (two[0].0, two[0].1, two[1].1);
            return Err(InputError::Feed {
                file,
                feed: Feed::Blocks.name(),
                reason: format!(
                    "block {block} has two times, {first} and {second}; keep one of them"
                ),
            });
        }
        Ok(Self { file, times })
    }

    /// The time of a block.
    pub(in crate::input) fn time(&self, block: u64) -> Option<Micros> {
        let index = self
            .times
            .binary_search_by_key(&block, |(number, _)| *number);
        index.ok().map(|index| self.times[index].1)
    }

    /// The time of the block whose number `text` is; `None` if it is not a number.
    pub(in crate::input) fn time_of_number(&self, text: &str) -> Option<Result<Micros, TimeError>> {
        // As pandas writes a column of numbers some of which are missing: 17000000.0.
        let written_as_double = || match Micros::parse_number_as(text, COUNTS) {
            Err(TimeError::NotATime) => None,
            read => Some(read.ok().and_then(|count| count.get().try_into().ok())),
        };
        let block = small_number(text).map(Some).or_else(written_as_double)?;
        let time = block.and_then(|block| self.time(block));
        Some(time.ok_or(TimeError::UnknownBlock))
    }

    /// The file that was read.
    pub(super) fn file(&self) -> &str {
        &self.file
    }
}

/// The decimals of each token.
#[derive(Debug, PartialEq, Eq)]
pub struct TokenDecimals {
    file: Arc<str>,
    /// By token; hexadecimal ids in lower case.
    decimals: HashMap<String, u8>,
}

impl TokenDecimals {
    /// Reads a file with tokens and their decimals.
    ///
    /// # Errors
    /// If the file cannot be read, a row lacks one of both, or two rows differ.
    pub fn read(source: &Source) -> Result<Self, InputError> {
        let mut decimals = HashMap::new();
        for_each_row(source, Feed::Decimals, |layout, row| {
            let token = layout.text(row, Role::Contract);
            let token = token.ok_or_else(|| refused("token", "missing".to_owned()))?;
            let text = layout.text(row, Role::Decimals).unwrap_or_default();
            let number = quantities::decimals(&text).ok_or_else(|| {
                let text = quoted(&text);
                refused(
                    "decimals",
                    format!("{text} is not from 0 to {DECIMALS_MAX}"),
                )
            })?;
            match decimals.insert(token_key(&token), number) {
                Some(other) if other != number => Err(refused(
                    "decimals",
                    format!(
                        "{other} and {number} for token {}; keep one of them",
                        quoted(&token)
                    ),
                )),
                Some(_) | None => Ok(()),
            }
        })?;
        Ok(Self {
            file: source.name(),
            decimals,
        })
    }

    /// The decimals of a token; `None` if it is not listed.
    pub(in crate::input) fn of(&self, token: &str) -> Option<u8> {
        self.decimals
            .get(token)
            .or_else(|| self.decimals.get(&token_key(token)))
            .copied()
    }

    /// The file that was read.
    pub(super) fn file(&self) -> &str {
        &self.file
    }
}

/// Contracts are written in any case.
fn token_key(token: &str) -> String {
    if token.starts_with("0x") {
        token.to_ascii_lowercase()
    } else {
        token.to_owned()
    }
}

/// Passes every row of a table to `take`; the first that it refuses ends the reading.
fn for_each_row(
    source: &Source,
    feed: Feed,
    mut take: impl FnMut(&FeedLayout, &dyn FeedRow) -> Result<(), RefusalReason>,
) -> Result<(), InputError> {
    let options = InputOptions {
        format: InputFormat::Feed(feed),
        ..InputOptions::default()
    };
    let mut end = Ok(());
    let sources = std::slice::from_ref(source);
    for_each_chunk(sources, &Arc::new(options), &Arc::default(), |chunk| {
        let file = Arc::clone(&chunk.file);
        let visited = visit_feed_rows(chunk.content, |line, layout, row| {
            match row.and_then(|row| take(layout, row)) {
                Ok(()) => ControlFlow::Continue(()),
                Err(reason) => ControlFlow::Break(InputError::Refused(LineRefusal {
                    file: Arc::clone(&file),
                    line,
                    reason,
                    file_index: 0,
                })),
            }
        });
        match visited {
            Ok(ControlFlow::Continue(())) => return ControlFlow::Continue(()),
            Ok(ControlFlow::Break(error)) | Err(error) => end = Err(error),
        }
        ControlFlow::Break(())
    })?;
    end
}

fn refused(field: &'static str, reason: String) -> RefusalReason {
    RefusalReason::Unresolved { field, reason }
}
