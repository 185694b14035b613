//! A row of a feed into events: transfers of tokens, deposits and withdrawals.
//!
//! Which column is what is decided by then ([`FeedLayout`]); here values become ids, instants and amounts. A
//! row may state several transfers, or none.

use std::borrow::Cow;
use std::ops::ControlFlow;

use super::TokenKind;
use super::json_row::entries;
use super::layout::{AMOUNT_OR_NUMBER, FeedLayout};
use super::logs::RawLog;
use super::quantities::{decimals, digits, small_number, without_commas};
use super::row::FeedRow;
use super::tables::{AmountForm, Role};
use crate::core::{Delta, Draft, Event, Field, Micros, Refusal, Wad, WeightError};
use crate::excerpt::quoted;
use crate::input::chunk::with_events;
use crate::input::{DECIMALS_MAX, RefusalReason};

/// What takes the events of a row, or why it is refused.
type Visit<'a, B> = &'a mut dyn FnMut(Result<&[Event<'_>], RefusalReason>) -> ControlFlow<B>;

/// Passes the events of a row to `visit`: each transfer by itself, so that a row with several of them, or with
/// none, is seen as often.
pub(in crate::input) fn visit_row<B>(
    layout: &FeedLayout,
    row: &dyn FeedRow,
    visit: Visit<'_, B>,
) -> ControlFlow<B> {
    let reader = RowReader { layout, row };
    let items = match reader.items() {
        Ok(items) => items,
        Err(reason) => return visit(Err(reason)),
    };
    if items.is_empty() {
        layout.leave_out(1);
    }
    for item in items {
        with_events(item.draft(), |events| {
            visit(events.map_err(RefusalReason::from))
        })?;
    }
    ControlFlow::Continue(())
}

/// What a row says, with texts of its own.
struct Item {
    token_id: String,
    parties: Parties,
    at: Micros,
    event_id: String,
    seq: u64,
}

enum Parties {
    Transfer {
        from: Option<String>,
        to: Option<String>,
        amount: Wad,
    },
    Change {
        holder: String,
        delta: Delta,
    },
}

impl Item {
    fn draft(&self) -> Draft<'_> {
        let draft = Draft {
            token_id: &self.token_id,
            at: Some(self.at),
            event_id: Some(&self.event_id),
            seq: self.seq,
            ..Draft::default()
        };
        match &self.parties {
            Parties::Transfer { from, to, amount } => Draft {
                from_id: from.as_deref(),
                to_id: to.as_deref(),
                amount: Some(*amount),
                ..draft
            },
            Parties::Change { holder, delta } => Draft {
                holder_id: holder,
                delta: Some(*delta),
                ..draft
            },
        }
    }
}

/// The values of one row.
struct RowReader<'a> {
    layout: &'a FeedLayout,
    row: &'a dyn FeedRow,
}

impl<'a> RowReader<'a> {
    fn text(&self, role: Role) -> Option<Cow<'a, str>> {
        self.layout.text(self.row, role)
    }

    fn items(&self) -> Result<Vec<Item>, RefusalReason> {
        let is_removed = |text: Cow<'_, str>| text.eq_ignore_ascii_case("true") || text == "1";
        if self.text(Role::Removed).is_some_and(is_removed) {
            return Ok(Vec::new());
        }
        if self.layout.has(Role::Topic0) {
            return self.logged();
        }
        if self.layout.has(Role::Action) {
            return Ok(self.staked()?.into_iter().collect());
        }
        self.transferred()
    }

    /// The transfers of a raw log.
    fn logged(&self) -> Result<Vec<Item>, RefusalReason> {
        let roles = [Role::Topic0, Role::Topic1, Role::Topic2, Role::Topic3];
        let topics = roles.map(|role| self.text(role));
        let data = self.text(Role::Data);
        let log = RawLog {
            topics: topics.each_ref().map(Option::as_deref),
            data: data.as_deref(),
        };
        let found = log
            .transfers(self.layout.kind())
            .map_err(|reason| unresolved("amount", reason))?;
        let Some(found) = found else {
            return Ok(Vec::new());
        };
        let contract = self.contract()?;
        let at = self.at()?;
        let log_index = self.log_index()?;
        let items = found.items.iter().enumerate();
        let items = items.map(|(position, (number, amount))| {
            let number = number.as_deref();
            let token_id = token_id(&contract, number);
            let given = given(found.kind, number, amount);
            let mut event_id = self.event_id(&token_id, &[&found.from, &found.to, &given])?;
            let amount = self.amount(amount, found.kind, &contract)?;
            if found.is_batch {
                event_id = format!("{event_id}:{position}");
            }
            Ok(Item {
                token_id,
                parties: Parties::Transfer {
                    from: Some(found.from.clone()),
                    to: Some(found.to.clone()),
                    amount,
                },
                at,
                event_id,
                seq: log_index,
            })
        });
        items.collect()
    }

    /// The deposit or withdrawal of a log of a staking contract; `None` if it is about something else.
    fn staked(&self) -> Result<Option<Item>, RefusalReason> {
        let action = self.text(Role::Action).unwrap_or_default();
        let Some(is_negative) = is_withdrawal(&action) else {
            return Ok(None);
        };
        let contract = self.contract()?;
        let holder = self.party(Role::Holder);
        let holder = holder.ok_or(Refusal::MissingId(Field::HolderId))?;
        let raw = self.text(Role::Amount);
        let raw = raw.ok_or_else(|| unresolved("delta", "missing"))?;
        let amount = self.amount(&raw, TokenKind::Erc20, &contract)?;
        Ok(Some(Item {
            event_id: self.event_id(&contract, &[&holder, &action, &raw])?,
            token_id: contract,
            parties: Parties::Change {
                holder,
                delta: Delta::new(amount, is_negative),
            },
            at: self.at()?,
            seq: self.log_index()?,
        }))
    }

    fn transferred(&self) -> Result<Vec<Item>, RefusalReason> {
        let number = self.text(Role::Number);
        let both = self.text(Role::AmountOrNumber);
        let batch = self.text(Role::Batch);
        let amount = self.text(Role::Amount);
        let stated = self.text(Role::Kind);
        let stated = stated.and_then(|text| TokenKind::from_standard(&text));
        if let (Some(wanted), Some(stated)) = (self.layout.kind(), stated)
            && wanted != stated
        {
            return Ok(Vec::new());
        }
        let guessed = || match (&number, &batch, &amount) {
            (_, Some(_), _) | (Some(_), None, Some(_)) => Ok(TokenKind::Erc1155),
            (Some(_), None, None) => Ok(TokenKind::Erc721),
            (None, None, None) if both.is_some() => Err(unresolved("amount", AMOUNT_OR_NUMBER)),
            (None, None, _) => Ok(TokenKind::Erc20),
        };
        let kind = self.layout.kind().or(stated).map_or_else(guessed, Ok)?;
        if let Some(batch) = batch.filter(|_| kind == TokenKind::Erc1155) {
            return self.batch(&batch);
        }
        let contract = self.contract()?;
        let missing = |role: &'static str| move || unresolved(role, "missing");
        let (number, amount) = match kind {
            TokenKind::Erc20 => (None, amount.or(both).ok_or_else(missing("amount"))?),
            TokenKind::Erc721 => {
                let number = number.or(both).ok_or_else(missing("token_id"))?;
                (Some(number), Cow::Borrowed("1"))
            }
            TokenKind::Erc1155 => {
                let number = number.ok_or_else(missing("token_id"))?;
                let amount = amount.or_else(|| self.text(Role::Count));
                (Some(number), amount.ok_or_else(missing("amount"))?)
            }
        };
        let number = number
            .map(|number| digits(&number).map_or_else(|| number.to_string(), Cow::into_owned));
        let (from, to) = (self.party(Role::From), self.party(Role::To));
        let token_id = token_id(&contract, number.as_deref());
        let event_id = match self.text(Role::UniqueId) {
            Some(unique) if kind == TokenKind::Erc1155 => unique.into_owned(),
            _ => {
                let given = given(kind, number.as_deref(), &amount);
                let [from, to] = [&from, &to].map(|party| party.as_deref().unwrap_or_default());
                self.event_id(&token_id, &[from, to, &given])?
            }
        };
        Ok(vec![Item {
            token_id,
            event_id,
            at: self.at()?,
            seq: self.log_index()?,
            parties: Parties::Transfer {
                from,
                to,
                amount: self.amount(&amount, kind, &contract)?,
            },
        }])
    }

    /// The transfers of a JSON list of numbers and amounts.
    fn batch(&self, list: &str) -> Result<Vec<Item>, RefusalReason> {
        let damaged = || unresolved("amount", "not a list of objects with tokenId and value");
        let list: Vec<&serde_json::value::RawValue> =
            serde_json::from_str(list).map_err(|_| damaged())?;
        let contract = self.contract()?;
        let is_batch = list.len() > 1;
        let items = list.into_iter().enumerate().map(|(position, item)| {
            let entries = entries(item.get()).map_err(|_| damaged())?;
            let digits_of = |name: &str| {
                let found = entries.iter().find(|(key, _)| key == name);
                let text = found.map(|(_, raw)| raw.trim_matches('"'));
                text.and_then(digits).ok_or_else(damaged)
            };
            let (number, amount) = (digits_of("tokenId")?, digits_of("value")?);
            let token_id = token_id(&contract, Some(&number));
            let (from, to) = (self.party(Role::From), self.party(Role::To));
            let [sender, receiver] = [&from, &to].map(|party| party.as_deref().unwrap_or_default());
            let given = given(TokenKind::Erc1155, Some(&number), &amount);
            let mut event_id = self.event_id(&token_id, &[sender, receiver, &given])?;
            if is_batch {
                event_id = format!("{event_id}:{position}");
            }
            Ok(Item {
                token_id,
                parties: Parties::Transfer {
                    from,
                    to,
                    amount: self.amount(&amount, TokenKind::Erc1155, &contract)?,
                },
                at: self.at()?,
                event_id,
                seq: 0,
            })
        });
        items.collect()
    }

    fn contract(&self) -> Result<String, RefusalReason> {
        if let Some(token) = self.layout.token() {
            return Ok(token.to_owned());
        }
        let contract = self.party(Role::Contract);
        contract.ok_or_else(|| Refusal::MissingId(Field::TokenId).into())
    }

    /// An address; one that is padded to a word of 32 bytes without its padding.
    fn party(&self, role: Role) -> Option<String> {
        const PADDING: &str = "0x000000000000000000000000";
        let text = self.text(role)?;
        let text = match text.strip_prefix(PADDING) {
            Some(address) if address.len() == 40 => Cow::Owned(format!("0x{address}")),
            _ => text,
        };
        Some(self.layout.options.values.id(text).into_owned())
    }

    fn at(&self) -> Result<Micros, RefusalReason> {
        if let Some(read) = self.layout.time(self.row, Role::Time) {
            return read.map_err(|error| {
                let found = self.text(Role::Time).map(|text| quoted(&text));
                RefusalReason::with_found(Refusal::Time(Field::At, error), found)
            });
        }
        let Some(text) = self.text(Role::Block) else {
            return Err(Refusal::MissingInTransfer(Field::At).into());
        };
        let Some(blocks) = &self.layout.options.values.blocks else {
            return Err(unresolved("at", "a block, but no time; add --blocks FILE"));
        };
        let block = small_number(&text);
        let block = block.ok_or_else(|| {
            unresolved(
                "at",
                format!("{} is not the number of a block", quoted(&text)),
            )
        })?;
        blocks.time(block).ok_or_else(|| {
            let file = blocks.file();
            unresolved("at", format!("block {block} is not in {file}; add it, or name a file with --blocks that has it"))
        })
    }

    fn log_index(&self) -> Result<u64, RefusalReason> {
        match self.text(Role::LogIndex) {
            None => Ok(0),
            Some(text) => small_number(&text).ok_or_else(|| {
                let reason = format!("{} is not the index of a log", quoted(&text));
                unresolved("event_id", reason)
            }),
        }
    }

    /// The identity of a row: the transaction and the log, the feed's own, or what the row says and a number
    /// for rows of the token that say the same.
    fn event_id(&self, token: &str, parts: &[&str]) -> Result<String, RefusalReason> {
        let chain = self.text(Role::Chain);
        let chain = chain.map(|chain| format!("{chain}:")).unwrap_or_default();
        let hash = self.text(Role::Hash);
        if let Some(hash) = &hash {
            if self.text(Role::LogIndex).is_some() {
                return Ok(format!("{chain}{hash}:{}", self.log_index()?));
            }
            if let Some(trace) = self.text(Role::Trace) {
                return Ok(format!("{chain}{hash}:trace:{trace}"));
            }
        } else if let Some(unique) = self.text(Role::UniqueId) {
            return Ok(unique.into_owned());
        }
        let hash = match hash {
            Some(hash) => hash.into_owned(),
            None => self.at()?.to_string(),
        };
        let identity = format!("{chain}{hash}:{}", parts.join(":"));
        let ordinal = self.layout.ordinals.next(&format!("{identity} {token}"));
        Ok(format!("{identity}:{ordinal}"))
    }

    fn amount(&self, text: &str, kind: TokenKind, contract: &str) -> Result<Wad, RefusalReason> {
        if kind == TokenKind::Erc721 {
            return Ok(Wad::ONE);
        }
        let refused = |error| {
            let refusal = Refusal::Decimal(Field::Amount, error);
            RefusalReason::with_found(refusal, Some(quoted(text)))
        };
        if self.layout.table.amounts == AmountForm::Whole {
            let plain = without_commas(text).ok_or_else(|| refused(WeightError::NotANumber))?;
            return Wad::parse(&plain).map_err(refused);
        }
        let Some(units) = digits(text) else {
            let reason = format!(
                "{} is not a whole number of base units; export it as text, an integer or hexadecimal digits",
                quoted(text)
            );
            return Err(unresolved("amount", reason));
        };
        let decimals = self.decimals(kind, contract)?;
        Wad::parse_units(&units, decimals).map_err(refused)
    }

    /// The decimals of a token: by its contract, as the row says, or as the user says for all.
    fn decimals(&self, kind: TokenKind, contract: &str) -> Result<u8, RefusalReason> {
        let values = &self.layout.options.values;
        let listed = values.token_decimals.as_ref();
        if let Some(known) = listed.and_then(|listed| listed.of(contract)) {
            return Ok(known);
        }
        if let Some(stated) = self.text(Role::Decimals) {
            return decimals(&stated).ok_or_else(|| {
                unresolved(
                    "amount",
                    format!("its decimals are not from 0 to {DECIMALS_MAX}"),
                )
            });
        }
        match listed {
            Some(listed) if values.decimals == 0 && kind == TokenKind::Erc20 => {
                let (token, file) = (quoted(contract), listed.file());
                let cure = "add it, or give --decimals for tokens that are not listed";
                Err(unresolved(
                    "amount",
                    format!("token {token} is not in {file}; {cure}"),
                ))
            }
            _ => Ok(values.decimals),
        }
    }
}

/// Whether a staking contract's event takes from a balance; `None` if it is neither a deposit nor a withdrawal.
fn is_withdrawal(action: &str) -> Option<bool> {
    let action = action.to_ascii_lowercase();
    let has = |word| action.contains(word);
    if has("claim") || has("reward") {
        None
    } else if has("withdraw") || has("unstake") || has("redeem") {
        Some(true)
    } else if has("stake") || has("deposit") {
        Some(false)
    } else {
        None
    }
}

/// A token: its contract, and its number within that.
fn token_id(contract: &str, number: Option<&str>) -> String {
    match number {
        Some(number) => format!("{contract}/{number}"),
        None => contract.to_owned(),
    }
}

/// What a transfer gives, as a part of its identity.
fn given<'a>(kind: TokenKind, number: Option<&'a str>, amount: &'a str) -> Cow<'a, str> {
    match (kind, number) {
        (_, None) => Cow::Borrowed(amount),
        (TokenKind::Erc721, Some(number)) => Cow::Borrowed(number),
        (_, Some(number)) => Cow::Owned(format!("{number}:{amount}")),
    }
}

fn unresolved(field: &'static str, reason: impl Into<String>) -> RefusalReason {
    RefusalReason::Unresolved {
        field,
        reason: reason.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_add_take_or_do_neither() {
        for (action, expected) in [
            ("Staked", Some(false)),
            ("UserStaked", Some(false)),
            ("Deposit", Some(false)),
            ("Withdrawn", Some(true)),
            ("Unstaked", Some(true)),
            ("RewardPaid", None),
            ("Paused", None),
        ] {
            assert_eq!(is_withdrawal(action), expected, "{action}");
        }
    }
}
