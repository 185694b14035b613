//! Synthetic transfers of fungible tokens (ERC-20), as an export of a chain lists them.
//!
//! Transfers come in parcels of [`PARCEL`]: one amount that is minted, passed on in parts from holder to
//! holder, and partly burned. Within a parcel nobody gives more than came in before, so no balance is ever
//! below zero, and no state of all balances is needed: a transfer is a pure function of the seed and its number.

use rand::RngExt;
use rand_pcg::Pcg64Mcg;

use super::Options;
use super::draws::{Draws, FIRST_MS, SPAN_MS};
use super::forms::TimeForm;
use crate::core::Wad;

/// Transfers that pass on one minted amount.
const PARCEL: u64 = 32;
/// One block of the chain; its transfers share an instant.
pub(super) const BLOCK_MS: i64 = 12_000;
const SPAN_BLOCKS: i64 = SPAN_MS / BLOCK_MS;
/// Decimal places of a token's amounts, token by token: as the Ether-like, dollar-like and Bitcoin-like ones have.
const PLACES: [u32; 4] = [18, 6, 18, 8];
pub(super) const NULL_ADDRESS: &str = "0x0000000000000000000000000000000000000000";

/// One transfer, in numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct SyntheticTransfer {
    pub(super) token: u64,
    /// `None` for a mint.
    pub(super) from: Option<u64>,
    /// `None` for a burn.
    pub(super) to: Option<u64>,
    pub(super) at_us: i64,
    pub(super) amount: Wad,
    /// The number of the transaction, unique in the file.
    transaction: u64,
    log_index: u64,
}

/// All transfers of one file.
pub(super) struct Transfers {
    events: u64,
    times: TimeForm,
    draws: Draws,
}

impl Transfers {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            events: options.events,
            times: options.forms.times,
            draws: Draws::new(options),
        }
    }

    pub(super) fn times(&self) -> TimeForm {
        self.times
    }

    /// Their number.
    pub(super) fn events(&self) -> u64 {
        self.events
    }

    /// The transfer in row `row` of the file.
    pub(super) fn transfer(&self, row: u64) -> SyntheticTransfer {
        let number = self.draws.number(row);
        let mut parcel = Parcel::new(&self.draws, number / PARCEL);
        for _ in 0..number % PARCEL {
            parcel.next();
        }
        parcel.next()
    }

    /// The id of a party; a mint comes from the null address, and a burn goes there.
    pub(super) fn party_id(&self, party: Option<u64>) -> String {
        party.map_or_else(
            || NULL_ADDRESS.to_owned(),
            |holder| self.draws.holder_id(holder),
        )
    }

    /// As chains name a log: the hash of its transaction, then its index in the block.
    pub(super) fn event_id(&self, transfer: &SyntheticTransfer) -> String {
        let hash = self.draws.digest(transfer.transaction);
        format!("0x{hash}:{}", transfer.log_index)
    }
}

/// The transfers of one parcel, in the order of the chain.
struct Parcel<'a> {
    draws: &'a Draws,
    rng: Pcg64Mcg,
    token: u64,
    /// How many of the token's smallest amounts make one whole token.
    units: u128,
    first_block: i64,
    blocks: i64,
    /// What came in and was not passed on yet: the holder and its amount in units.
    parts: Vec<(u64, u128)>,
    /// The number of the mint.
    first: u64,
    transfers: u64,
    /// The transaction of the latest transfer.
    transaction: u64,
    at_us: i64,
    log_index: u64,
}

impl<'a> Parcel<'a> {
    fn new(draws: &'a Draws, parcel: u64) -> Self {
        let mut rng = draws.rng(parcel);
        let token = draws.token(&mut rng);
        let places = PLACES[usize::try_from(token % 4).expect("less than four")];
        let blocks = rng.random_range(SPAN_BLOCKS / 100..SPAN_BLOCKS / 10 * 9);
        Self {
            token,
            units: 10_u128.pow(places),
            first_block: rng.random_range(0..SPAN_BLOCKS - blocks),
            blocks,
            parts: Vec::new(),
            first: parcel * PARCEL,
            transfers: 0,
            transaction: 0,
            at_us: 0,
            log_index: 0,
            draws,
            rng,
        }
    }

    /// The next transfer; the first one is the mint.
    fn next(&mut self) -> SyntheticTransfer {
        let is_mint = self.transfers == 0;
        let joins_last = !is_mint && self.rng.random_ratio(1, 3);
        if joins_last {
            self.log_index += 1;
        } else {
            self.begin_transaction();
        }
        let (from, units) = if is_mint {
            (None, self.minted())
        } else {
            let (giver, units) = self.given(joins_last);
            (Some(giver), units)
        };
        let is_burn = !is_mint && self.rng.random_ratio(1, 25);
        let to = (!is_burn).then(|| self.draws.holder(&mut self.rng));
        self.parts.extend(to.map(|holder| (holder, units)));
        self.transfers += 1;
        SyntheticTransfer {
            token: self.token,
            from,
            to,
            at_us: self.at_us,
            amount: Wad::from_steps(units * (Wad::ONE.steps() / self.units)),
            transaction: self.transaction,
            log_index: self.log_index,
        }
    }

    /// A transaction in a later block than those before it, or in the same one.
    fn begin_transaction(&mut self) {
        let place = i64::try_from(self.transfers).expect("less than a parcel");
        let parcel = i64::try_from(PARCEL).expect("a small constant");
        let later = (self.blocks * place + self.rng.random_range(0..self.blocks)) / parcel;
        self.at_us = (FIRST_MS + (self.first_block + later) * BLOCK_MS) * 1_000;
        self.transaction = self.first + self.transfers;
        self.log_index = self.rng.random_range(0..400);
    }

    /// From one to ten million tokens, each power of ten as often as the next.
    fn minted(&mut self) -> u128 {
        let least = self.units * 10_u128.pow(self.rng.random_range(0..7));
        self.rng.random_range(least..10 * least)
    }

    /// Takes an amount from a part: from what came last within a transaction, as a router passes it on,
    /// else from any. It is 0 if everything was burned.
    fn given(&mut self, joins_last: bool) -> (u64, u128) {
        let count = self.parts.len();
        let first = if joins_last {
            count - 1
        } else {
            self.rng.random_range(0..count)
        };
        let (before, after) = self.parts.split_at_mut(first);
        let mut parts = after.iter_mut().chain(before);
        let fallback = parts.next().expect("the mint left a part");
        let (holder, left) = if fallback.1 == 0 {
            parts.find(|(_, units)| *units > 0).unwrap_or(fallback)
        } else {
            fallback
        };
        let units = match self.rng.random_range(0..10) {
            0..4 => *left,
            4..6 => *left / self.units * self.units,
            _ => self.rng.random_range(0..=*left),
        };
        *left -= units;
        (*holder, units)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap, HashSet};

    use super::super::{Forms, Shape};
    use super::*;

    const EVENTS: u64 = 20_010;

    fn all() -> (Transfers, Vec<SyntheticTransfer>) {
        let transfers = Transfers::new(&Options {
            shape: Shape::Transfers,
            seed: 5,
            events: EVENTS,
            holders: 500,
            tokens: 3,
            forms: Forms::default(),
        });
        let rows = (0..EVENTS).map(|row| transfers.transfer(row)).collect();
        (transfers, rows)
    }

    #[test]
    fn no_balance_is_ever_below_zero() {
        let mut changes: HashMap<_, BTreeMap<_, i128>> = HashMap::new();
        for transfer in all().1 {
            let steps = i128::try_from(transfer.amount.steps()).unwrap();
            for (party, delta) in [(transfer.from, -steps), (transfer.to, steps)] {
                if let Some(holder) = party {
                    let of_key = changes.entry((transfer.token, holder)).or_default();
                    *of_key.entry(transfer.at_us).or_default() += delta;
                }
            }
        }
        let (mut instants, mut emptied) = (0, 0);
        for (key, of_key) in changes {
            let mut balance = 0;
            for (at_us, delta) in of_key {
                balance += delta;
                assert!(balance >= 0, "{key:?} has {balance} at {at_us}");
                instants += 1;
                emptied += usize::from(balance == 0);
            }
        }
        assert!(instants > 20_000, "{instants}");
        assert!(emptied > 200, "{emptied}");
    }

    #[test]
    fn tokens_are_minted_routed_and_burned() {
        let rows = all().1;
        let share = |kind: fn(&SyntheticTransfer) -> bool| {
            rows.iter().filter(|transfer| kind(transfer)).count() * 100 / rows.len()
        };
        assert_eq!(share(|transfer| transfer.from.is_none()), 3);
        assert!((3..=4).contains(&share(|transfer| transfer.to.is_none())));
        assert!(share(|transfer| transfer.amount == Wad::ZERO) < 15);
        let of_transaction = |transfer: &SyntheticTransfer| (transfer.transaction, transfer.at_us);
        let transactions: HashSet<_> = rows.iter().map(of_transaction).collect();
        let per_100 = rows.len() * 100 / transactions.len();
        assert!((140..160).contains(&per_100), "{per_100}");
    }

    #[test]
    fn an_event_id_names_one_log() {
        let (transfers, rows) = all();
        let ids: HashSet<_> = rows.iter().map(|row| transfers.event_id(row)).collect();
        assert_eq!(ids.len(), rows.len());
        let id = transfers.event_id(&rows[0]);
        let (hash, log_index) = id.split_once(':').unwrap();
        assert_eq!((hash.len(), &hash[..2]), (66, "0x"));
        assert!(log_index.parse::<u64>().unwrap() < 500);
    }

    #[test]
    fn amounts_have_the_places_of_their_token() {
        for transfer in all().1 {
            let places = PLACES[usize::try_from(transfer.token % 4).unwrap()];
            let unit = Wad::ONE.steps() / 10_u128.pow(places);
            assert_eq!(transfer.amount.steps() % unit, 0, "{transfer:?}");
        }
    }
}
