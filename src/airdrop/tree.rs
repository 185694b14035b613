//! A Merkle tree in an array, as `OpenZeppelin`'s contracts check its proofs.
//!
//! Node `i` is the hash of its children `2i + 1` and `2i + 2`, the smaller first; the root is node 0. What a leaf is
//! the hash of is in [`super::standard`].

use rayon::prelude::*;

use super::keccak::keccak;

/// A hash of a leaf or a node.
pub type Hash = [u8; 32];

/// Nodes of one level that one task hashes at least.
const NODES_PER_TASK: usize = 1024;

/// All nodes, the root first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tree(Vec<Hash>);

impl Tree {
    /// The tree over leaves, and where each of them is, in their order. `leaves` must not be empty.
    pub(super) fn new(leaves: &[Hash]) -> (Self, Vec<usize>) {
        let count = leaves.len();
        let mut order: Vec<usize> = (0..count).collect();
        // Stable, so that equal leaves keep their order.
        order.par_sort_by_key(|&leaf| leaves[leaf]);
        let mut nodes = vec![[0; 32]; 2 * count - 1];
        let mut positions = vec![0; count];
        for (rank, &leaf) in order.iter().enumerate() {
            let position = 2 * count - 2 - rank;
            nodes[position] = leaves[leaf];
            positions[leaf] = position;
        }
        // From the lowest level up: each needs only the one below it.
        let depth = count.ilog2();
        for level in (0..=depth).rev() {
            hash_level(&mut nodes, (1 << level) - 1, count - 1);
        }
        (Self(nodes), positions)
    }

    /// Nodes that were read; the caller has checked that their number is odd.
    pub(super) fn of_nodes(nodes: Vec<Hash>) -> Self {
        Self(nodes)
    }

    pub(super) fn nodes(&self) -> &[Hash] {
        &self.0
    }

    /// The first node above the leaves that is not the hash of its children.
    pub(super) fn wrong_node(&self) -> Option<usize> {
        let inner = 0..self.0.len() / 2;
        inner
            .into_par_iter()
            .find_first(|&node| self.0[node] != pair(&self.0[2 * node + 1], &self.0[2 * node + 2]))
    }

    /// The siblings from node `position` up to the root.
    pub(super) fn proof(&self, mut position: usize) -> Vec<Hash> {
        let mut proof = Vec::new();
        while position > 0 {
            let sibling = if position.is_multiple_of(2) {
                position - 1
            } else {
                position + 1
            };
            proof.push(self.0[sibling]);
            position = (position - 1) / 2;
        }
        proof
    }
}

/// Hashes the level that begins at node `first`, as far as its nodes are among the `inner` ones, which have children.
fn hash_level(nodes: &mut [Hash], first: usize, inner: usize) {
    // The level has one node more than there are before it.
    let next = 2 * first + 1;
    let end = next.min(inner);
    if first >= end {
        return;
    }
    let (above, below) = nodes.split_at_mut(next);
    let level = above[first..end]
        .par_iter_mut()
        .zip(below.par_chunks_exact(2));
    level
        .with_min_len(NODES_PER_TASK)
        .for_each(|(node, children)| *node = pair(&children[0], &children[1]));
}

/// The hash of two nodes, the smaller first.
fn pair(a: &Hash, b: &Hash) -> Hash {
    let (low, high) = if a <= b { (a, b) } else { (b, a) };
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(low);
    bytes[32..].copy_from_slice(high);
    keccak(&bytes)
}

/// The root that a proof leads to from a leaf.
pub(super) fn root_of(leaf: Hash, proof: &[Hash]) -> Hash {
    proof
        .iter()
        .fold(leaf, |node, sibling| pair(&node, sibling))
}
