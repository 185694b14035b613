//! Files as people export them: transfers of a chain, logs of a staking contract, subscriptions.
//!
//! The columns are those of known exports, all of them text, and what the rows say is consistent: nobody gives
//! what he does not have.

use std::io::Write;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use rand::RngExt;

use super::draws::{DAY_MS, Draws, FIRST_MS, SPAN_MS};
use super::hold_text::{INFALLIBLE, instant};
use super::transfers::{BLOCK_MS, NULL_ADDRESS, Transfers};
use super::{Options, Rows};

/// What a file is an export of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Export {
    /// Transfers of fungible tokens, in base units of 18 decimals, as `BigQuery` exports them.
    Erc20,
    /// Transfers of numbered tokens, as Dune exports them.
    Erc721,
    /// Deposits and withdrawals of a staking contract, in base units of 18 decimals.
    Staking,
    /// Subscriptions, some of them open.
    Billing,
}

/// Rows that are about one numbered token or one position.
const GROUP: u64 = 4;
/// The block of the first instant.
const FIRST_BLOCK: i64 = 16_308_190;
/// Contracts have addresses that no holder has.
const CONTRACTS: u64 = u64::MAX >> 1;

impl Export {
    const fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Erc20 => &[
                "token_address",
                "from_address",
                "to_address",
                "value",
                "transaction_hash",
                "log_index",
                "block_timestamp",
                "block_number",
                "block_hash",
            ],
            Self::Erc721 => &[
                "blockchain",
                "block_time",
                "tx_hash",
                "evt_index",
                "token_standard",
                "from",
                "to",
                "contract_address",
                "token_id",
            ],
            Self::Staking => &[
                "user",
                "pool",
                "amount",
                "event",
                "timestamp",
                "txHash",
                "logIndex",
            ],
            Self::Billing => &[
                "subscription_id",
                "customer",
                "plan",
                "seats",
                "started_at",
                "ended_at",
            ],
        }
    }
}

/// All rows of one file.
pub(super) struct Exports {
    export: Export,
    draws: Draws,
    transfers: Transfers,
}

impl Exports {
    pub(super) fn new(export: Export, options: &Options) -> Self {
        Self {
            export,
            draws: Draws::new(options),
            transfers: Transfers::new(options),
        }
    }

    /// The cells of a row, as its columns stand.
    fn cells(&self, row: u64) -> Vec<String> {
        match self.export {
            Export::Erc20 => self.fungible(row),
            Export::Erc721 => self.numbered(self.draws.number(row)),
            Export::Staking => self.staked(self.draws.number(row)),
            Export::Billing => self.billed(self.draws.number(row)),
        }
    }

    fn fungible(&self, row: u64) -> Vec<String> {
        let transfer = self.transfers.transfer(row);
        let event_id = self.transfers.event_id(&transfer);
        let (hash, log_index) = event_id.split_once(':').expect("a transaction and a log");
        let at_ms = transfer.at_us / 1_000;
        let block = FIRST_BLOCK + (at_ms - FIRST_MS) / BLOCK_MS;
        vec![
            self.draws.address(CONTRACTS + transfer.token),
            self.transfers.party_id(transfer.from),
            self.transfers.party_id(transfer.to),
            transfer.amount.steps().to_string(),
            hash.to_owned(),
            log_index.to_owned(),
            sql_time(at_ms, ""),
            block.to_string(),
            format!("0x{}", self.draws.digest(block.unsigned_abs() ^ CONTRACTS)),
        ]
    }

    /// One of the transfers of a numbered token: minted first, and sometimes burned last.
    fn numbered(&self, number: u64) -> Vec<String> {
        let (token, step) = (number / GROUP, number % GROUP);
        let mut rng = self.draws.rng(token);
        let collection = self.draws.token(&mut rng);
        let first_ms = FIRST_MS + rng.random_range(0..SPAN_MS / 4);
        let owners: Vec<_> = (0..GROUP).map(|_| self.draws.holder(&mut rng)).collect();
        let is_burned = rng.random_ratio(1, 5);
        let later = (0..step).map(|_| rng.random_range(1..SPAN_MS / 5));
        let at_ms = first_ms + later.sum::<i64>();
        let owner = |step: u64| {
            let index = usize::try_from(step).expect("less than a group");
            self.draws.address(owners[index])
        };
        let from = match step.checked_sub(1) {
            None => NULL_ADDRESS.to_owned(),
            Some(before) => owner(before),
        };
        let to = if step == GROUP - 1 && is_burned {
            NULL_ADDRESS.to_owned()
        } else {
            owner(step)
        };
        vec![
            "ethereum".to_owned(),
            sql_time(at_ms / 1_000 * 1_000, ".000"),
            format!("0x{}", self.draws.digest(number)),
            rng.random_range(0..400).to_string(),
            "erc721".to_owned(),
            from,
            to,
            self.draws.address(CONTRACTS + collection),
            token.to_string(),
        ]
    }

    /// One event of a position: two deposits, a withdrawal of a part, and often one of the rest.
    fn staked(&self, number: u64) -> Vec<String> {
        let (position, step) = (number / GROUP, number % GROUP);
        let mut rng = self.draws.rng(position);
        let pool = self.draws.token(&mut rng);
        let user = self.draws.holder(&mut rng);
        let first: u128 = rng.random_range(10_u128.pow(15)..10_u128.pow(21));
        let second = rng.random_range(1..first);
        let part = rng.random_range(1..first);
        let is_left = rng.random_ratio(2, 3);
        let first_s = (FIRST_MS + rng.random_range(0..SPAN_MS / 4)) / 1_000;
        let later = (0..step).map(|_| rng.random_range(3_600..SPAN_MS / 5_000));
        let at_s = first_s + later.sum::<i64>();
        let (amount, event) = match step {
            0 => (first, "Staked"),
            1 => (second, "Staked"),
            2 => (part, "Withdrawn"),
            _ if is_left => (first + second - part, "Withdrawn"),
            _ => (second, "Staked"),
        };
        vec![
            self.draws.address(user),
            format!("pool-{pool}"),
            amount.to_string(),
            event.to_owned(),
            at_s.to_string(),
            format!("0x{}", self.draws.digest(number)),
            (number % 97).to_string(),
        ]
    }

    fn billed(&self, number: u64) -> Vec<String> {
        let mut rng = self.draws.rng(number);
        let plan = self.draws.token(&mut rng);
        let customer = self.draws.holder(&mut rng);
        let start_ms = (FIRST_MS + rng.random_range(0..SPAN_MS / 2)) / 1_000 * 1_000;
        let end_ms = start_ms + rng.random_range(1..=SPAN_MS / 2 / DAY_MS) * DAY_MS;
        let is_open = rng.random_ratio(1, 4);
        let time = |at_ms: i64| instant(at_ms * 1_000).to_string();
        vec![
            format!("sub-{number}"),
            format!("customer-{customer}"),
            format!("plan-{plan}"),
            rng.random_range(1..50).to_string(),
            time(start_ms),
            if is_open { String::new() } else { time(end_ms) },
        ]
    }
}

impl Rows for Exports {
    fn count(&self) -> u64 {
        self.transfers.events()
    }

    fn csv_header(&self) -> String {
        format!("{}\n", self.export.columns().join(","))
    }

    fn csv_row(&self, row: u64, out: &mut Vec<u8>) {
        writeln!(out, "{}", self.cells(row).join(",")).expect(INFALLIBLE);
    }

    fn json_line(&self, row: u64, out: &mut Vec<u8>) {
        let cells = self.export.columns().iter().zip(self.cells(row));
        let given = cells.filter(|(_, cell)| !cell.is_empty());
        let pairs: Vec<_> = given
            .map(|(name, cell)| format!("\"{name}\":\"{cell}\""))
            .collect();
        writeln!(out, "{{{}}}", pairs.join(",")).expect(INFALLIBLE);
    }

    fn schema(&self) -> SchemaRef {
        let columns = self.export.columns().iter();
        let fields = columns.map(|name| Field::new(*name, DataType::Utf8, true));
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }

    fn batch(&self, rows: Range<u64>) -> RecordBatch {
        let rows: Vec<_> = rows.map(|row| self.cells(row)).collect();
        let column = |index: usize| -> ArrayRef {
            let cells = rows
                .iter()
                .map(|cells| Some(&cells[index]).filter(|cell| !cell.is_empty()));
            Arc::new(cells.collect::<StringArray>())
        };
        let columns = (0..self.export.columns().len()).map(column).collect();
        RecordBatch::try_new(self.schema(), columns).expect("the columns are those of the schema")
    }
}

/// A time as `BigQuery` and Dune write it, with a fraction or without.
fn sql_time(at_ms: i64, fraction: &str) -> String {
    let text = instant(at_ms * 1_000).to_string();
    format!("{} {}{fraction} UTC", &text[..10], &text[11..19])
}
