//! What one reading thread fills: records, dealt to partitions by the hash of their holder.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;

use super::super::ids::{IdIndex, IdMemo};
use super::holder_code::HolderCode;
use super::record::{Content, Record};
use crate::core::{Claim, Event, EventSink, Standing};

/// Partitions of a run: enough that ten million events make partitions that a core's cache holds.
pub(super) const PARTITIONS: usize = 1 << PARTITION_BITS;
const PARTITION_BITS: u32 = 9;
/// Records of a full block; a partition grows by blocks, so that it is never copied.
const BLOCK: usize = 1_024;

/// Takes the events of one thread; see [`super::BatchScorer::lane`].
pub struct Lane<'a> {
    tokens: IdMemo<'a>,
    holders: IdMemo<'a>,
    hasher: &'a RandomState,
    partitions: Vec<Partition>,
}

/// The records of one partition from one lane.
#[derive(Default)]
pub(super) struct Partition {
    full: Vec<Vec<Record>>,
    open: Vec<Record>,
    named: Vec<NamedEvent>,
}

/// A named event; its record says where it is.
pub(super) struct NamedEvent {
    pub(super) event_id: Box<str>,
    pub(super) standing: Standing,
}

impl<'a> Lane<'a> {
    pub(super) fn new(tokens: &'a IdIndex, holders: &'a IdIndex, hasher: &'a RandomState) -> Self {
        let partitions = (0..PARTITIONS).map(|_| Partition::default()).collect();
        Self {
            tokens: IdMemo::new(tokens),
            holders: IdMemo::new(holders),
            hasher,
            partitions,
        }
    }

    pub(super) fn into_partitions(self) -> Vec<Partition> {
        self.partitions
    }
}

impl EventSink for Lane<'_> {
    #[inline]
    fn accept(&mut self, event: &Event<'_>) {
        let holder = HolderCode::of(event.holder_id, &mut self.holders);
        let token = self.tokens.number(event.token_id);
        let place = (self.hasher.hash_one(holder.words()) >> (u64::BITS - PARTITION_BITS)) as usize;
        let partition = &mut self.partitions[place];
        let content = match event.claim {
            Claim::Plain(fact) => Content::Plain(fact),
            Claim::Named { event_id, standing } => {
                partition.named.push(NamedEvent {
                    event_id: event_id.into(),
                    standing,
                });
                Content::Named(partition.named.len() as u64 - 1)
            }
        };
        partition.push(Record::new(holder, token, content));
    }
}

impl Partition {
    #[inline]
    fn push(&mut self, record: Record) {
        if self.open.len() == BLOCK {
            self.full
                .push(std::mem::replace(&mut self.open, Vec::with_capacity(BLOCK)));
        }
        self.open.push(record);
    }

    pub(super) fn len(&self) -> usize {
        self.full.len() * BLOCK + self.open.len()
    }

    pub(super) fn records(&self) -> impl Iterator<Item = &Record> {
        self.full.iter().chain([&self.open]).flatten()
    }

    pub(super) fn named(&self, place: u64) -> Option<&NamedEvent> {
        self.named.get(usize::try_from(place).ok()?)
    }
}
