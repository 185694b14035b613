//! The output of one reading thread: records, divided into partitions by the hash of their holder.
//!
//! Each partition grows by blocks of the lane's arena, and the core's cache holds the line being written
//! of each partition. What does not fit into a record is stored beside it: the sizes of changes in words of
//! the arena, the rest, which is rare, in vectors.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;

use super::super::ids::{IdMemo, IdNumber};
use super::BatchScorer;
use super::arena::{Arena, Run};
use super::balance::Change;
use super::holder_code::HolderCode;
use super::id_hash::{IdHash, IdHasher};
use super::record::{Record, WideWeights};
use crate::core::{Claim, ClosedHold, Event, EventSink, Fact, Standing};

/// Partitions of a run: enough that a partition of ten million events fits into a core's cache.
pub(super) const PARTITIONS: usize = 1 << PARTITION_BITS;
const PARTITION_BITS: u32 = 9;

/// Takes the events of one thread; see [`BatchScorer::lane`].
pub struct Lane<'a> {
    tokens: IdMemo<'a>,
    holders: IdMemo<'a>,
    hasher: &'a RandomState,
    ids: IdHasher,
    /// Whether the text of ids is needed.
    keeps_ids: bool,
    partitions: Vec<Partition>,
    arena: Arena,
}

/// The records of one partition from one lane.
#[derive(Default)]
struct Partition {
    records: Run<Record>,
    /// The sizes of the changes, in the order of their records.
    words: Run<u64>,
    wide: WideWeights,
    large: Vec<LargeClaim>,
    falls: Vec<(IdHash, Box<str>)>,
}

/// A claim that does not fit into a record.
pub(super) struct LargeClaim {
    /// `None` for a plain fact.
    pub(super) id: Option<IdHash>,
    pub(super) standing: Standing,
}

impl<'a> Lane<'a> {
    pub(super) fn new(scorer: &'a BatchScorer) -> Self {
        Self {
            tokens: IdMemo::new(&scorer.tokens),
            holders: IdMemo::new(&scorer.holders),
            hasher: &scorer.hasher,
            ids: scorer.ids,
            keeps_ids: scorer.lists_deficits,
            partitions: (0..PARTITIONS).map(|_| Partition::default()).collect(),
            arena: Arena::default(),
        }
    }

    /// The number of records of `partition`.
    pub(super) fn len(&self, partition: usize) -> usize {
        self.partitions[partition].records.len()
    }

    /// The records of `partition` in the order in which they came, in several slices.
    pub(super) fn records(&self, partition: usize) -> impl Iterator<Item = &[Record]> {
        self.partitions[partition].records.slices(&self.arena)
    }

    /// The words of the changes of `partition`, in the order of their records.
    pub(super) fn words(&self, partition: usize) -> impl Iterator<Item = &u64> {
        self.partitions[partition]
            .words
            .slices(&self.arena)
            .flatten()
    }

    /// The weights of `partition` that do not fit into records.
    pub(super) fn wide(&self, partition: usize) -> &WideWeights {
        &self.partitions[partition].wide
    }

    /// The claim of `partition` at this index.
    pub(super) fn large(&self, partition: usize, place: u64) -> Option<&LargeClaim> {
        self.partitions[partition]
            .large
            .get(usize::try_from(place).ok()?)
    }

    /// The ids of the changes of `partition` by less than 0; none unless deficits are listed.
    pub(super) fn falls(&self, partition: usize) -> &[(IdHash, Box<str>)] {
        &self.partitions[partition].falls
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
    fn push_fact(&mut self, holder: HolderCode, token: IdNumber, fact: Fact) {
        let place = self.place(&holder);
        let partition = &mut self.partitions[place];
        let record = Record::of_fact(holder, token, fact, &mut partition.wide);
        partition.records.push(&mut self.arena, record);
    }

    #[inline]
    fn push_change(&mut self, holder: HolderCode, token: IdNumber, change: &Change) {
        let place = self.place(&holder);
        let Partition { records, words, .. } = &mut self.partitions[place];
        let record = Record::of_change(holder, token, change, |word| {
            words.push(&mut self.arena, word);
        });
        records.push(&mut self.arena, record);
    }

    #[inline(never)]
    fn push_large(&mut self, holder: HolderCode, token: IdNumber, claim: LargeClaim) {
        let place = self.place(&holder);
        let Partition { records, large, .. } = &mut self.partitions[place];
        let record = Record::of_large(holder, token, large.len() as u64);
        large.push(claim);
        records.push(&mut self.arena, record);
    }

    fn push_named(
        &mut self,
        holder: HolderCode,
        token: IdNumber,
        event_id: &str,
        standing: Standing,
    ) {
        let id = self.ids.hash(event_id);
        if self.keeps_ids
            && let Some(Fact::Change { delta, .. }) = standing.fact
            && delta.is_negative()
        {
            let place = self.place(&holder);
            self.partitions[place].falls.push((id, event_id.into()));
        }
        match standing {
            Standing {
                revision: 0,
                fact: Some(Fact::Change { at, delta }),
            } => self.push_change(holder, token, &Change { id, at, delta }),
            _ => {
                let id = Some(id);
                self.push_large(holder, token, LargeClaim { id, standing });
            }
        }
    }
}

impl EventSink for Lane<'_> {
    #[inline]
    fn accept(&mut self, event: &Event<'_>) {
        let holder = HolderCode::of(event.holder_id, &mut self.holders);
        let token = self.tokens.number(event.token_id);
        match event.claim {
            Claim::Plain(fact) if Record::has_room_for(fact) => self.push_fact(holder, token, fact),
            Claim::Plain(fact) => {
                let standing = Standing {
                    revision: 0,
                    fact: Some(fact),
                };
                self.push_large(holder, token, LargeClaim { id: None, standing });
            }
            Claim::Named { event_id, standing } => {
                self.push_named(holder, token, event_id, standing);
            }
        }
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
            self.push_fact(holder, tokens[hold.token()], hold.fact());
        }
    }
}
