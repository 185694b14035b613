//! The output of one reading thread: records, divided into partitions by the hash of their holder.
//!
//! Each partition grows by blocks of the lane's arena, and the core's cache holds the line being written
//! of each partition. Weights and named events that do not fit into a record are stored in vectors.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;

use super::super::ids::{IdIndex, IdMemo, IdNumber};
use super::arena::{Arena, BLOCK, BlockPlace};
use super::holder_code::HolderCode;
use super::record::{Content, Record, WideWeights};
use crate::core::{Claim, ClosedHold, Event, EventSink, Standing};

/// Partitions of a run: enough that a partition of ten million events fits into a core's cache.
pub(super) const PARTITIONS: usize = 1 << PARTITION_BITS;
const PARTITION_BITS: u32 = 9;

/// Takes the events of one thread; see [`super::BatchScorer::lane`].
pub struct Lane<'a> {
    tokens: IdMemo<'a>,
    holders: IdMemo<'a>,
    hasher: &'a RandomState,
    partitions: Vec<Partition>,
    arena: Arena,
}

/// The records of one partition from one lane.
#[derive(Default)]
struct Partition {
    records: usize,
    /// The block that is being filled, if there is one.
    last: BlockPlace,
    blocks: Vec<BlockPlace>,
    wide: WideWeights,
    named: Vec<NamedEvent>,
}

/// A named event; its record has its index.
pub(super) struct NamedEvent {
    pub(super) event_id: Box<str>,
    pub(super) standing: Standing,
}

impl<'a> Lane<'a> {
    pub(super) fn new(tokens: &'a IdIndex, holders: &'a IdIndex, hasher: &'a RandomState) -> Self {
        Self {
            tokens: IdMemo::new(tokens),
            holders: IdMemo::new(holders),
            hasher,
            partitions: (0..PARTITIONS).map(|_| Partition::default()).collect(),
            arena: Arena::default(),
        }
    }

    /// The number of records of `partition`.
    pub(super) fn len(&self, partition: usize) -> usize {
        self.partitions[partition].records
    }

    /// The records of `partition` in the order in which they came, in several slices.
    pub(super) fn records(&self, partition: usize) -> impl Iterator<Item = &[Record]> {
        let Partition {
            records, blocks, ..
        } = &self.partitions[partition];
        let mut left = *records;
        blocks.iter().map(move |block| {
            let records = &self.arena.records(*block)[..left.min(BLOCK)];
            left -= records.len();
            records
        })
    }

    /// The weights of `partition` that do not fit into records.
    pub(super) fn wide(&self, partition: usize) -> &WideWeights {
        &self.partitions[partition].wide
    }

    /// The named event of `partition` at this index.
    pub(super) fn named(&self, partition: usize, place: u64) -> Option<&NamedEvent> {
        self.partitions[partition]
            .named
            .get(usize::try_from(place).ok()?)
    }

    /// The partition that a holder belongs to.
    #[inline]
    fn place(&self, holder: &HolderCode) -> usize {
        (self.hasher.hash_one(holder.words) >> (u64::BITS - PARTITION_BITS)) as usize
    }

    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "a call would hand the holder over through memory"
    )]
    fn push(&mut self, place: usize, holder: HolderCode, token: IdNumber, content: Content) {
        let partition = &mut self.partitions[place];
        let record = Record::new(holder, token, content, &mut partition.wide);
        let place = partition.records % BLOCK;
        if place == 0 {
            partition.last = self.arena.add_block();
            partition.blocks.push(partition.last);
        }
        self.arena.write(partition.last, place, record);
        partition.records += 1;
    }
}

impl EventSink for Lane<'_> {
    #[inline]
    fn accept(&mut self, event: &Event<'_>) {
        let holder = HolderCode::of(event.holder_id, &mut self.holders);
        let token = self.tokens.number(event.token_id);
        let place = self.place(&holder);
        let content = match event.claim {
            Claim::Plain(fact) => Content::Plain(fact),
            Claim::Named { event_id, standing } => {
                let named = &mut self.partitions[place].named;
                named.push(NamedEvent {
                    event_id: event_id.into(),
                    standing,
                });
                Content::Named(named.len() as u64 - 1)
            }
        };
        self.push(place, holder, token, content);
    }

    fn accept_holds<'a>(
        &mut self,
        token_ids: &[&str],
        holds: impl Iterator<Item = ClosedHold<'a>>,
    ) {
        let tokens: Vec<IdNumber> = token_ids
            .iter()
            .map(|token_id| self.tokens.number(token_id))
            .collect();
        for hold in holds {
            let holder = HolderCode::of(hold.holder_id(), &mut self.holders);
            let content = Content::Plain(hold.fact());
            self.push(self.place(&holder), holder, tokens[hold.token()], content);
        }
    }
}
