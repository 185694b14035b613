//! The columns of one file of a feed, found once before any row, and what the file as a whole lacks.
//!
//! Reads no values; see [`super::transfers`].

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use smallvec::SmallVec;

use super::ordinals::Ordinals;
use super::row::FeedRow;
use super::tables::{AmountForm, Role, Table};
use super::{Feed, TokenKind};
use crate::core::{Micros, TimeError};
use crate::input::{InputError, InputFormat, InputOptions};

/// Why a value of [`Role::AmountOrNumber`] cannot be read if nothing says what the tokens are.
pub(super) const AMOUNT_OR_NUMBER: &str = "value is an amount of ERC-20 tokens or the number of an ERC-721 token; \
     say which with --token-kind erc20 or --token-kind erc721";

/// Where one file of a feed has what.
#[derive(Debug)]
pub(in crate::input) struct FeedLayout {
    pub(in crate::input) file: Arc<str>,
    pub(super) table: &'static Table,
    pub(super) options: Arc<InputOptions>,
    /// The columns or keys that are read. A slot is an index into them.
    pub(in crate::input) columns: Vec<String>,
    /// The same as indices into the columns of the file; empty for keys.
    pub(in crate::input) positions: Vec<usize>,
    /// How many columns the file has.
    pub(in crate::input) width: usize,
    /// The columns that nothing is read from; of keys, see [`Self::ignored_keys`].
    pub(in crate::input) ignored: Vec<String>,
    /// The slots of each role, best first.
    slots: Vec<SmallVec<[usize; 3]>>,
    pub(super) ordinals: Ordinals,
    /// Rows without events: withdrawn logs, logs of other kinds.
    left_out: AtomicU64,
}

impl FeedLayout {
    /// The layout of a file with these columns.
    ///
    /// # Errors
    /// If the file lacks a column without which no row is an event.
    pub(in crate::input) fn of_columns(
        file: &Arc<str>,
        feed: Feed,
        options: &Arc<InputOptions>,
        names: &[String],
    ) -> Result<Self, InputError> {
        let layout = Self::of_table(file, feed.table(), options, Some(names))?;
        layout.check(feed, names)?;
        Ok(layout)
    }

    /// The layout of a file of JSON, whose keys may differ from line to line.
    ///
    /// # Errors
    /// If the options lack what the feed needs.
    pub(in crate::input) fn of_keys(
        file: &Arc<str>,
        feed: Feed,
        options: &Arc<InputOptions>,
    ) -> Result<Self, InputError> {
        let layout = Self::of_table(file, feed.table(), options, None)?;
        layout.check_options()?;
        layout.check_kind()?;
        Ok(layout)
    }

    /// The layout of a table; `names` are the columns of the file, `None` if they may differ from row to row.
    pub(super) fn of_table(
        file: &Arc<str>,
        table: &'static Table,
        options: &Arc<InputOptions>,
        names: Option<&[String]>,
    ) -> Result<Self, InputError> {
        let mut layout = Self {
            file: Arc::clone(file),
            table,
            options: Arc::clone(options),
            columns: Vec::new(),
            positions: Vec::new(),
            width: names.map_or(0, <[String]>::len),
            ignored: Vec::new(),
            slots: vec![SmallVec::new(); Role::COUNT],
            ordinals: Ordinals::default(),
            left_out: AtomicU64::new(0),
        };
        for (role, candidates) in table.columns {
            for candidate in *candidates {
                if let Some(names) = names {
                    let mut found = (0..names.len()).filter(|index| names[*index] == *candidate);
                    let Some(position) = found.next() else {
                        continue;
                    };
                    if found.next().is_some() {
                        return Err(InputError::TwoColumns {
                            file: Arc::clone(file),
                            first: (*candidate).to_owned(),
                            second: (*candidate).to_owned(),
                        });
                    }
                    layout.positions.push(position);
                }
                layout.slots[*role as usize].push(layout.columns.len());
                layout.columns.push((*candidate).to_owned());
            }
        }
        layout.ignored = layout.unread(names.unwrap_or_default());
        Ok(layout)
    }

    /// Those of `names` that nothing is read from.
    fn unread(&self, names: &[String]) -> Vec<String> {
        let is_unread = |name: &&String| !self.columns.contains(name);
        names.iter().filter(is_unread).cloned().collect()
    }

    /// Of the keys of a row, also of those within an object, those that nothing is read from.
    pub(in crate::input) fn ignored_keys(&self, keys: &[String]) -> Vec<String> {
        let mut unread = self.unread(keys);
        let has_inner = |key: &String| {
            let within = format!("{key}.");
            keys.iter().any(|other| other.starts_with(&within))
        };
        unread.retain(|key| !has_inner(key));
        unread
    }

    /// The kind of all tokens of the file, if the user or the feed says it.
    pub(in crate::input) fn kind(&self) -> Option<TokenKind> {
        let is_spice = self.options.format == InputFormat::Feed(Feed::Spice);
        let own = is_spice.then_some(TokenKind::Erc20);
        self.options.token_kind.or(own)
    }

    /// The token of every row, if the user says it, or if the file names none: then the file's name, so that
    /// two files of two tokens are not taken for one.
    pub(super) fn token(&self) -> Option<&str> {
        let given = self.options.columns.constant("token_id");
        given.or_else(|| self.names_tokens_by_file().then_some(&*self.file))
    }

    /// Whether the file has a column for `role`.
    pub(super) fn has(&self, role: Role) -> bool {
        !self.slots[role as usize].is_empty()
    }

    /// Whether the values of this slot are amounts, which doubles cannot hold.
    pub(super) fn is_amount(&self, slot: usize) -> bool {
        let amounts = [
            Role::Amount,
            Role::AmountOrNumber,
            Role::Number,
            Role::Count,
        ];
        let mut slots = amounts.iter().flat_map(|role| &self.slots[*role as usize]);
        slots.any(|known| *known == slot)
    }

    /// The value of `role` in a row.
    pub(super) fn text<'a>(&self, row: &'a dyn FeedRow, role: Role) -> Option<Cow<'a, str>> {
        let mut slots = self.slots[role as usize].iter();
        slots.find_map(|slot| {
            let text = row.text(*slot)?;
            (!self.options.values.is_null(&text)).then_some(text)
        })
    }

    /// The instant of `role` in a row.
    pub(super) fn time(&self, row: &dyn FeedRow, role: Role) -> Option<Result<Micros, TimeError>> {
        let mut slots = self.slots[role as usize].iter();
        slots.find_map(|slot| row.time(*slot))
    }

    /// Counts rows without events.
    pub(in crate::input) fn leave_out(&self, rows: u64) {
        self.left_out.fetch_add(rows, Ordering::Relaxed);
    }

    /// How many rows had no events.
    pub(in crate::input) fn left_out(&self) -> u64 {
        self.left_out.load(Ordering::Relaxed)
    }

    /// The name of the feed.
    pub(in crate::input) const fn feed(&self) -> &'static str {
        self.table.name
    }

    /// Whether the name of the file stands for its token.
    pub(in crate::input) fn names_tokens_by_file(&self) -> bool {
        !self.has(Role::Contract) && self.options.columns.constant("token_id").is_none()
    }

    fn check(&self, feed: Feed, names: &[String]) -> Result<(), InputError> {
        let has = |role| self.has(role);
        for (double, exact) in self.table.doubles {
            let is_there = names.iter().any(|name| name == double);
            let is_used = !has(Role::Amount) && !has(Role::Number);
            if is_there && is_used {
                return Err(self.error(format!(
                    "column {double} has doubles, which do not hold all digits; export {exact} and use that"
                )));
            }
        }
        let missing = |role| self.missing(role, names);
        let needed: &[Role] = match feed {
            Feed::Hypersync => &[Role::Topic0, Role::Topic1, Role::Topic2, Role::Data],
            Feed::Staking => &[Role::Holder, Role::Amount, Role::Action],
            Feed::Blocks => &[Role::Block, Role::Time],
            Feed::Decimals => &[Role::Contract, Role::Decimals],
            _ => &[],
        };
        if let Some(role) = needed.iter().find(|role| !has(**role)) {
            return Err(missing(*role));
        }
        match feed {
            Feed::Decimals => return Ok(()),
            Feed::Hypersync | Feed::Staking | Feed::Blocks => {}
            _ => {
                if !has(Role::From) && !has(Role::To) {
                    return Err(missing(Role::From));
                }
                let has_amounts = [
                    Role::Amount,
                    Role::AmountOrNumber,
                    Role::Number,
                    Role::Batch,
                ];
                if !has_amounts.into_iter().any(has) {
                    return Err(missing(Role::Amount));
                }
            }
        }
        if !has(Role::Time) && !has(Role::Block) {
            return Err(missing(Role::Time));
        }
        if !has(Role::Time) && self.options.values.blocks.is_none() {
            return Err(self.error(
                "it has the numbers of blocks, but no times; add --blocks FILE, with columns number and timestamp",
            ));
        }
        self.check_options()?;
        self.check_kind()
    }

    fn check_kind(&self) -> Result<(), InputError> {
        let is_ambiguous =
            self.has(Role::AmountOrNumber) && !self.has(Role::Amount) && !self.has(Role::Number);
        match self.kind() {
            None if is_ambiguous && !self.has(Role::Kind) => Err(self.error(AMOUNT_OR_NUMBER)),
            Some(TokenKind::Erc1155) if is_ambiguous => Err(self
                .error("it has no numbers of tokens beside the amounts, as ERC-1155 needs them")),
            Some(TokenKind::Erc721) if !self.has_numbers() => {
                Err(self.error("it has no numbers of tokens, as ERC-721 needs them"))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Whether some column may have the number of a token.
    fn has_numbers(&self) -> bool {
        let numbers = [
            Role::Number,
            Role::AmountOrNumber,
            Role::Topic3,
            Role::Batch,
        ];
        numbers.into_iter().any(|role| self.has(role))
    }

    fn check_options(&self) -> Result<(), InputError> {
        if !self.options.columns.has_token_alone() {
            return Err(self.error(
                "its columns are known; leave out --columns, or leave out --input-format and map them yourself",
            ));
        }
        if self.table.amounts == AmountForm::Whole && self.options.values.decimals > 0 {
            return Err(self.error("its amounts are whole tokens already; leave out --decimals"));
        }
        Ok(())
    }

    /// An error of the file as a whole.
    pub(super) fn error(&self, reason: impl Into<String>) -> InputError {
        InputError::Feed {
            file: Arc::clone(&self.file),
            feed: self.table.name,
            reason: reason.into(),
        }
    }

    /// That the file has no column for `role`.
    pub(super) fn missing(&self, role: Role, names: &[String]) -> InputError {
        let columns = self.table.columns.iter();
        let known = columns.filter(|(known, _)| *known == role);
        let known: Vec<_> = known.flat_map(|(_, names)| names.iter().copied()).collect();
        InputError::MissingColumn {
            file: Arc::clone(&self.file),
            column: known.join(" or "),
            columns: names.to_vec(),
            cure: "",
        }
    }
}
