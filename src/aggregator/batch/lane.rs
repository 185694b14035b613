//! What one reading thread fills: records, dealt to partitions by the hash of their holder.
//!
//! A record first waits among a few others of its partition, in a table that the core's cache holds;
//! full groups are then copied to the partition's blocks at once.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;

use super::super::ids::{IdIndex, IdMemo};
use super::arena::{Arena, BLOCK, BlockPlace};
use super::holder_code::HolderCode;
use super::record::{Content, Record};
use crate::core::{Claim, Event, EventSink, Standing};

/// Partitions of a run: enough that ten million events make partitions that a core's cache holds.
pub(super) const PARTITIONS: usize = 1 << PARTITION_BITS;
const PARTITION_BITS: u32 = 9;
/// Records that wait together; blocks hold whole groups.
const GROUP: usize = 8;
const _: () = assert!(BLOCK.is_multiple_of(GROUP));

/// Takes the events of one thread; see [`super::BatchScorer::lane`].
pub struct Lane<'a> {
    tokens: IdMemo<'a>,
    holders: IdMemo<'a>,
    hasher: &'a RandomState,
    waiting: Vec<[Record; GROUP]>,
    partitions: Vec<Partition>,
    arena: Arena,
}

/// The records of one partition from one lane.
#[derive(Default)]
struct Partition {
    records: usize,
    blocks: Vec<BlockPlace>,
    named: Vec<NamedEvent>,
}

/// A named event; its record says where it is.
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
            waiting: vec![bytemuck::Zeroable::zeroed(); PARTITIONS],
            partitions: (0..PARTITIONS).map(|_| Partition::default()).collect(),
            arena: Arena::default(),
        }
    }

    /// How many records `partition` has.
    pub(super) fn len(&self, partition: usize) -> usize {
        self.partitions[partition].records
    }

    /// The records of `partition`, in the order in which they came.
    pub(super) fn records(&self, partition: usize) -> impl Iterator<Item = &Record> {
        let Partition {
            records, blocks, ..
        } = &self.partitions[partition];
        let waiting = &self.waiting[partition][..records % GROUP];
        let blocks = blocks.iter().flat_map(|block| self.arena.records(*block));
        blocks.take(records - waiting.len()).chain(waiting)
    }

    /// The named event at `place` of `partition`.
    pub(super) fn named(&self, partition: usize, place: u64) -> Option<&NamedEvent> {
        self.partitions[partition]
            .named
            .get(usize::try_from(place).ok()?)
    }

    #[inline]
    fn push(&mut self, place: usize, record: Record) {
        let partition = &mut self.partitions[place];
        let waiting = &mut self.waiting[place];
        waiting[partition.records % GROUP] = record;
        partition.records += 1;
        if partition.records.is_multiple_of(GROUP) {
            let first = (partition.records - GROUP) % BLOCK;
            if first == 0 {
                partition.blocks.push(self.arena.add_block());
            }
            let block = *partition
                .blocks
                .last()
                .expect("the block of this group was added");
            self.arena.records_mut(block)[first..first + GROUP].copy_from_slice(waiting);
        }
    }
}

impl EventSink for Lane<'_> {
    #[inline]
    fn accept(&mut self, event: &Event<'_>) {
        let holder = HolderCode::of(event.holder_id, &mut self.holders);
        let token = self.tokens.number(event.token_id);
        let place = (self.hasher.hash_one(holder.words()) >> (u64::BITS - PARTITION_BITS)) as usize;
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
        self.push(place, Record::new(holder, token, content));
    }
}
