//! Scores from whole files: every event is read once, and the question is answered at the end.
//!
//! Each reading thread fills a [`Lane`]: a holder becomes 20 bytes, an event one 48-byte record in one of 512
//! partitions, chosen by the holder's hash, with its id 64 bytes. A transfer becomes 40 bytes in a log, and 8 bytes in the
//! partition of each of the two holders. [`BatchScorer::finish`] then processes the partitions on all cores: it numbers
//! the keys of a partition, groups the records of each key, sorts each key by time and sweeps it once. All of that
//! fits into the cache of a core, except the log, and nothing is allocated per key. Continue with `lane`, `ledger`,
//! `change_log`, `names`, `partition`, `claims`, `sweep`, `balance`, `spellings`.

mod arena;
mod balance;
mod change_log;
mod claims;
mod entry;
mod facts;
mod holder_code;
mod id_hash;
mod key_changes;
mod lane;
mod large_pages;
mod ledger;
mod ledger_keys;
mod names;
mod numbering;
mod partition;
mod record;
mod spellings;
mod sweep;

use foldhash::fast::RandomState;
use rayon::prelude::*;

pub use lane::Lane;

use self::id_hash::IdHasher;
use self::partition::PartitionScorer;
use self::spellings::Folds;
use super::ids::IdIndex;
use super::order::{self, Leaders};
use crate::core::{Deficit, Findings, Snapshot, Spellings, Window};

/// Scores all events of one run at its end; holds what its lanes share.
///
/// ```
/// use poh_holdmetrics_rust::aggregator::BatchScorer;
/// use poh_holdmetrics_rust::core::{Draft, EventSink, Micros, Window};
///
/// let scorer = BatchScorer::new();
/// let mut lane = scorer.lane();
/// for (holder_id, end) in [("ann", 10_000_000), ("bob", 20_000_000), ("ann", 10_000_000)] {
///     let draft = Draft {
///         token_id: "gold",
///         holder_id,
///         start: Some(Micros::new(0)?),
///         end: Some(Micros::new(end)?),
///         ..Draft::default()
///     };
///     lane.accept(&draft.check()?);
/// }
/// let snapshot = scorer.finish(vec![lane], &Window::until(Micros::MAX), None);
/// let ranks: Vec<_> = snapshot
///     .ranked()
///     .map(|row| (row.rank, &*row.holder.holder_id, row.holder.totals.score.to_string()))
///     .collect();
/// assert_eq!(ranks, [(1, "bob", "20".to_owned()), (2, "ann", "10".to_owned())]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Default)]
pub struct BatchScorer {
    tokens: IdIndex,
    hasher: RandomState,
    ids: IdHasher,
    lists_deficits: bool,
}

/// Everything that a run computes from its events.
#[derive(Debug, PartialEq)]
pub struct BatchScores {
    /// All holders, or the first ones.
    pub snapshot: Snapshot,
    /// The keys whose balance is below 0 at some instant before the end of the window, by token and then by holder.
    /// None are listed unless the scorer was made by [`BatchScorer::listing_deficits`].
    pub deficits: Vec<Deficit>,
    /// What is valid and probably not meant.
    pub findings: Findings,
}

impl BatchScorer {
    /// A scorer without events.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, with the list of [`BatchScores::deficits`]; the ids of all changes by less than 0 are kept for it.
    #[must_use]
    pub fn listing_deficits(self) -> Self {
        Self {
            lists_deficits: true,
            ..self
        }
    }

    /// Returns a lane for one thread to fill.
    #[must_use]
    pub fn lane(&self) -> Lane<'_> {
        Lane::new(self)
    }

    /// Scores all events of all lanes; returns all holders, or the first `top` of them.
    ///
    /// Runs on the current rayon pool. The answer does not depend on how events were divided over lanes.
    #[must_use]
    pub fn finish(&self, lanes: Vec<Lane<'_>>, window: &Window, top: Option<usize>) -> Snapshot {
        self.finish_in_full(lanes, window, top).snapshot
    }

    /// As [`Self::finish`], with what else was computed.
    #[must_use]
    pub fn finish_in_full(
        &self,
        lanes: Vec<Lane<'_>>,
        window: &Window,
        top: Option<usize>,
    ) -> BatchScores {
        let begin = || PartitionScorer::new(self, &lanes, window, top);
        let (parts, leaders): (Vec<_>, Vec<_>) = (0..lane::PARTITIONS)
            .into_par_iter()
            // So that a thread keeps its buffers.
            .with_min_len(lane::PARTITIONS / 64)
            .fold(
                || (Vec::new(), begin()),
                |(mut parts, mut scorer), partition| {
                    parts.push(scorer.score(partition));
                    (parts, scorer)
                },
            )
            .map(|(parts, scorer)| (parts, scorer.into_leaders()))
            .unzip();
        let mut scored: Vec<_> = parts.into_iter().flatten().collect();
        let repeated = Folds::repeated(scored.iter().map(|part| &part.folds));
        let alike = if repeated.is_empty() {
            Vec::new()
        } else {
            let parts = scored.par_iter().enumerate();
            let alike = parts.map_init(begin, |scorer, (number, part)| {
                scorer.ids_of(number, &part.folds, &repeated)
            });
            alike.flatten_iter().collect::<Vec<_>>()
        };
        let mut findings = Findings {
            holders: Spellings::of(alike.iter().map(|id| &**id)),
            tokens: Spellings::of(self.tokens.names().iter()),
            ..Findings::default()
        };
        for part in &mut scored {
            findings.add(std::mem::take(&mut part.findings));
        }
        // The records are the largest part of a run's memory, so they are freed before the result is sorted.
        drop(lanes);
        let known = scored.iter().map(|part| part.known).sum();
        let short_keys = scored.iter().map(|part| part.short_keys).sum();
        let mut deficits: Vec<Deficit> = scored
            .iter_mut()
            .flat_map(|part| part.deficits.drain(..))
            .collect();
        deficits
            .sort_unstable_by(|a, b| (&a.token_id, &a.holder_id).cmp(&(&b.token_id, &b.holder_id)));
        let leaders = leaders.into_iter().flatten().reduce(Leaders::merge);
        let snapshot = if let Some(leaders) = leaders {
            Snapshot::new(*window, leaders.into_ordered(), known, short_keys)
        } else {
            let holders = scored.into_iter().flat_map(|part| part.holders);
            order::snapshot(window, holders.collect(), short_keys)
        };
        BatchScores {
            snapshot,
            deficits,
            findings,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::{ClosedHold, Draft, EventSink, Micros, NULL_ADDRESS, TransferRow, Wad};

    /// Weights of every form, holders of every form, half of the holds named, and more records than a block has.
    #[test]
    fn holds_that_come_together_score_as_those_that_come_alone() {
        let at = |micros: i64| Micros::new(micros).unwrap();
        let tokens = ["a", "b", "a token whose id is longer than twelve bytes"];
        let weights = [
            Wad::from_steps(3),
            Wad::from_steps(25 * 10_u128.pow(30)),
            Wad::from_steps(u128::MAX),
        ];
        let holders: Vec<_> = (0..40)
            .flat_map(|number| {
                let long = format!("a holder whose id does not fit into a record: {number}");
                [format!("0x{number:040x}"), format!("h{number}"), long]
            })
            .collect();
        // Some ids have several holds, of which one is in force.
        let ids: Vec<_> = (0..2_500).map(|number| format!("event {number}")).collect();
        let rows: Vec<_> = (0..6_000_usize)
            .map(|row| {
                let start = i64::try_from(row * 7_919 % 10_000).unwrap();
                let span = (at(start), at(start + 1 + start % 89));
                let event_id = (row % 2 == 0).then(|| &*ids[row * row % ids.len()]);
                let (holder_id, weight) = (&holders[row * row % 120], weights[row / 5 % 3]);
                ((row % 3, holder_id), event_id, span, weight)
            })
            .collect();
        let scorer = BatchScorer::new();
        let (mut together, mut alone) = (scorer.lane(), scorer.lane());
        for rows in rows.chunks(1_000) {
            let holds = rows
                .iter()
                .map(|((token, holder_id), event_id, span, weight)| {
                    let hold = ClosedHold::new(*token, holder_id, *span, *weight).unwrap();
                    event_id.map_or(hold, |event_id| hold.named(event_id).unwrap())
                });
            together.accept_holds(&tokens, holds);
        }
        for ((token, holder_id), event_id, (start, end), weight) in rows.iter().rev() {
            let draft = Draft {
                token_id: tokens[*token],
                holder_id,
                event_id: *event_id,
                start: Some(*start),
                end: Some(*end),
                weight: Some(*weight),
                ..Draft::default()
            };
            alone.accept(&draft.check().unwrap());
        }
        let window = Window::until(at(9_000));
        let answer = |lane| scorer.finish(vec![lane], &window, None);
        let (together, alone) = (answer(together), answer(alone));
        assert_eq!(together.holders(), alone.holders());
        assert!(!together.holders().is_empty());
    }

    /// Amounts of every form, parties of every kind, and every seventh transfer twice.
    #[test]
    fn transfers_that_come_together_score_as_those_that_come_alone() {
        let at = |micros: usize| Micros::new(i64::try_from(micros).unwrap()).unwrap();
        let amounts = [3, 1 << 90, 25 * 10_u128.pow(30), u128::MAX].map(Wad::from_steps);
        let parties = [
            Some("0xc5521660f3a3c5717476189975a3adb3254a9493"),
            Some("a holder whose id does not fit into a record"),
            Some("h"),
            Some(NULL_ADDRESS),
            None,
        ];
        let ids: Vec<String> = (0..2_000)
            .map(|row| format!("0x{row:064x}:{row}"))
            .collect();
        let rows: Vec<_> = (0..2_000_usize)
            .map(|row| row - usize::from(row % 7 == 6))
            .filter(|row| row % 5 < 3 || row / 5 % 5 < 3)
            .map(|row| {
                let parties = (parties[row % 5], parties[row / 5 % 5]);
                (
                    parties,
                    at(row * 7_919 % 500),
                    amounts[row / 3 % 4],
                    &ids[row],
                )
            })
            .collect();
        let scorer = BatchScorer::new().listing_deficits();
        let (mut together, mut alone) = (scorer.lane(), scorer.lane());
        let transfers = rows.iter().map(|(parties, at, amount, id)| {
            TransferRow::new(0, *parties, *at, *amount, id).unwrap()
        });
        together.accept_transfers(&["T"], transfers);
        for ((from_id, to_id), at, amount, id) in rows.iter().rev() {
            let draft = Draft {
                token_id: "T",
                from_id: *from_id,
                to_id: *to_id,
                at: Some(*at),
                amount: Some(*amount),
                event_id: Some(id),
                ..Draft::default()
            };
            draft
                .events()
                .unwrap()
                .iter()
                .for_each(|event| alone.accept(event));
        }
        let window = Window::until(at(600));
        let answer = |lane| scorer.finish_in_full(vec![lane], &window, None);
        let (together, alone) = (answer(together), answer(alone));
        assert_eq!(together, alone);
        assert_eq!(together.snapshot.known(), 3);
        assert!(together.snapshot.holders()[0].totals.held_us > 0);
        assert!(together.snapshot.deficits() > 0);
    }
}
