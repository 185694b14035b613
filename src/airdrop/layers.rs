//! Merkle trees in layers, as `merkletreejs` and Solana's programs build them, and forests of them.
//!
//! Neighbours are hashed in pairs, the smaller first, from the leaves up. See [`super::tree`] for the trees of
//! `OpenZeppelin`, whose shape differs when the number of leaves is not a power of two.

use rayon::prelude::*;

use super::tree::{Hash, NODES_PER_TASK, pair};

/// What becomes of the last node of a layer with an odd number of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OddNode {
    /// It stands in the next layer as it is.
    Promoted,
    /// It is hashed with itself.
    Doubled,
}

/// One tree, its layers from the leaves to the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layers {
    layers: Vec<Vec<Hash>>,
    odd: OddNode,
}

impl Layers {
    /// The tree over leaves in their order. `leaves` must not be empty.
    pub(super) fn new(leaves: Vec<Hash>, odd: OddNode) -> Self {
        let mut layers = vec![leaves];
        while let Some(below) = layers.last().filter(|layer| layer.len() > 1) {
            let hash = |children: &[Hash]| match (children, odd) {
                ([left, right], _) => pair(left, right),
                ([alone], OddNode::Promoted) => *alone,
                ([alone], OddNode::Doubled) => pair(alone, alone),
                _ => unreachable!("chunks have one or two nodes"),
            };
            let layer = below.par_chunks(2).with_min_len(NODES_PER_TASK).map(hash);
            let layer = layer.collect();
            layers.push(layer);
        }
        Self { layers, odd }
    }

    pub(super) fn layers(&self) -> &[Vec<Hash>] {
        &self.layers
    }

    pub(super) fn root(&self) -> Hash {
        self.layers.last().expect("at least one layer")[0]
    }

    /// Adds the siblings from a leaf up to the root.
    fn prove(&self, mut leaf: usize, proof: &mut Vec<Hash>) {
        for layer in &self.layers[..self.layers.len() - 1] {
            match (layer.get(leaf ^ 1), self.odd) {
                (Some(sibling), _) => proof.push(*sibling),
                (None, OddNode::Promoted) => {}
                (None, OddNode::Doubled) => proof.push(layer[leaf]),
            }
            leaf /= 2;
        }
    }
}

/// Trees over shards of the rows, and one tree over their roots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Forest {
    /// In the order of the shards.
    shards: Vec<Layers>,
    /// Of each row: its shard, and its leaf there.
    places: Vec<(u32, u32)>,
    over: Layers,
    /// Of each shard, in the tree over the roots.
    shard_places: Vec<u32>,
}

impl Forest {
    /// One tree over all leaves, which are sorted if `is_sorted`.
    pub(super) fn of_one(leaves: &[Hash], is_sorted: bool, odd: OddNode) -> Self {
        let (tree, places) = arranged(leaves, is_sorted, odd);
        let root = tree.root();
        Self {
            shards: vec![tree],
            places: places.into_iter().map(|place| (0, place)).collect(),
            over: Layers::new(vec![root], odd),
            shard_places: vec![0],
        }
    }

    /// Trees of sorted leaves; `shard_of` tells the shard of each row, from 0 and without a gap.
    pub(super) fn of_shards(leaves: &[Hash], shard_of: &[u32]) -> Self {
        let count = shard_of.iter().max().map_or(0, |last| *last as usize + 1);
        let mut rows = vec![Vec::new(); count];
        for (row, &shard) in shard_of.iter().enumerate() {
            rows[shard as usize].push(row);
        }
        let trees: Vec<_> = rows
            .par_iter()
            .map(|rows| {
                let leaves: Vec<_> = rows.iter().map(|&row| leaves[row]).collect();
                arranged(&leaves, true, OddNode::Promoted)
            })
            .collect();
        let mut places = vec![(0, 0); leaves.len()];
        for (shard, (rows, (_, in_shard))) in (0..).zip(rows.iter().zip(&trees)) {
            for (&row, &place) in rows.iter().zip(in_shard) {
                places[row] = (shard, place);
            }
        }
        let shards: Vec<_> = trees.into_iter().map(|(tree, _)| tree).collect();
        let roots: Vec<_> = shards.iter().map(Layers::root).collect();
        let (over, shard_places) = arranged(&roots, true, OddNode::Promoted);
        Self {
            shards,
            places,
            over,
            shard_places,
        }
    }

    pub(super) fn root(&self) -> Hash {
        self.over.root()
    }

    /// The tree of one shard.
    pub(super) fn shard(&self, shard: usize) -> &Layers {
        &self.shards[shard]
    }

    /// The siblings of a shard's root.
    pub(super) fn shard_proof(&self, shard: usize) -> Vec<Hash> {
        let mut proof = Vec::new();
        self.over
            .prove(self.shard_places[shard] as usize, &mut proof);
        proof
    }

    pub(super) fn leaf(&self, row: usize) -> Hash {
        let (shard, leaf) = self.places[row];
        self.shards[shard as usize].layers[0][leaf as usize]
    }

    /// Writes the siblings from a row's leaf up to the root into `proof`.
    pub(super) fn proof_into(&self, row: usize, proof: &mut Vec<Hash>) {
        let (shard, leaf) = self.places[row];
        self.shards[shard as usize].prove(leaf as usize, proof);
        let shard = self.shard_places[shard as usize];
        self.over.prove(shard as usize, proof);
    }
}

/// A tree, and where each of its leaves is.
fn arranged(leaves: &[Hash], is_sorted: bool, odd: OddNode) -> (Layers, Vec<u32>) {
    let count = u32::try_from(leaves.len()).expect("below 2^32 leaves");
    let mut order: Vec<u32> = (0..count).collect();
    if is_sorted {
        order.par_sort_by_key(|&leaf| leaves[leaf as usize]);
    }
    let mut places = vec![0; leaves.len()];
    for (place, &leaf) in (0..).zip(&order) {
        places[leaf as usize] = place;
    }
    let sorted = order.iter().map(|&leaf| leaves[leaf as usize]).collect();
    (Layers::new(sorted, odd), places)
}
