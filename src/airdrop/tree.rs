//! A Merkle tree in an array, as `OpenZeppelin`'s contracts check its proofs and multiproofs.
//!
//! Node `i` is the hash of its children `2i + 1` and `2i + 2`, the smaller first; the root is node 0. What a leaf is
//! the hash of is in [`super::leaf`].

use std::collections::VecDeque;

use rayon::prelude::*;

use super::keccak::keccak;

/// A hash of a leaf or a node.
pub type Hash = [u8; 32];

/// Nodes of one level that one task hashes at least.
pub(super) const NODES_PER_TASK: usize = 1024;

/// All nodes, the root first, and where the leaf of each row is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tree {
    nodes: Vec<Hash>,
    positions: Vec<usize>,
}

/// A proof of several leaves at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MultiProof {
    /// The rows in the order in which the contract is given their leaves.
    pub rows: Vec<usize>,
    /// Siblings that cannot be computed.
    pub proof: Vec<Hash>,
    /// For each step whether both children are known.
    pub flags: Vec<bool>,
}

impl Tree {
    /// Where each leaf is if they are sorted by hash, or stand in their order.
    pub(super) fn positions_of(leaves: &[Hash], is_sorted: bool) -> Vec<usize> {
        let count = leaves.len();
        let mut order: Vec<usize> = (0..count).collect();
        if is_sorted {
            // Stable, so that equal leaves keep their order.
            order.par_sort_by_key(|&leaf| leaves[leaf]);
        }
        let mut positions = vec![0; count];
        for (rank, &leaf) in order.iter().enumerate() {
            positions[leaf] = 2 * count - 2 - rank;
        }
        positions
    }

    /// The tree over leaves at these positions, which are those of leaves, each once. `leaves` must not be empty.
    pub(super) fn new(leaves: &[Hash], positions: Vec<usize>) -> Self {
        let count = leaves.len();
        let mut nodes = vec![[0; 32]; 2 * count - 1];
        for (leaf, &position) in leaves.iter().zip(&positions) {
            nodes[position] = *leaf;
        }
        // From the lowest level up: each needs only the one below it.
        let depth = count.ilog2();
        for level in (0..=depth).rev() {
            hash_level(&mut nodes, (1 << level) - 1, count - 1);
        }
        Self { nodes, positions }
    }

    pub(super) fn nodes(&self) -> &[Hash] {
        &self.nodes
    }

    pub(super) fn positions(&self) -> &[usize] {
        &self.positions
    }

    pub(super) fn leaf(&self, row: usize) -> Hash {
        self.nodes[self.positions[row]]
    }

    /// Writes the siblings from a row's leaf up to the root into `proof`.
    pub(super) fn proof_into(&self, row: usize, proof: &mut Vec<Hash>) {
        let mut position = self.positions[row];
        while position > 0 {
            proof.push(self.nodes[sibling(position)]);
            position = (position - 1) / 2;
        }
    }

    /// One proof of all `rows`, each of which is given once.
    pub(super) fn multi_proof(&self, rows: &[usize]) -> MultiProof {
        let mut rows = rows.to_vec();
        rows.sort_by_key(|&row| std::cmp::Reverse(self.positions[row]));
        let mut open: VecDeque<_> = rows.iter().map(|&row| self.positions[row]).collect();
        let (mut proof, mut flags) = (Vec::new(), Vec::new());
        while let Some(position) = open.pop_front().filter(|&position| position > 0) {
            let beside = sibling(position);
            let is_known = open.front() == Some(&beside);
            flags.push(is_known);
            if is_known {
                open.pop_front();
            } else {
                proof.push(self.nodes[beside]);
            }
            open.push_back((position - 1) / 2);
        }
        if rows.is_empty() {
            proof.push(self.nodes[0]);
        }
        MultiProof { rows, proof, flags }
    }
}

fn sibling(position: usize) -> usize {
    if position.is_multiple_of(2) {
        position - 1
    } else {
        position + 1
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
pub(super) fn pair(a: &Hash, b: &Hash) -> Hash {
    let (low, high) = if a <= b { (a, b) } else { (b, a) };
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(low);
    bytes[32..].copy_from_slice(high);
    keccak(&bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As `MerkleProof.processMultiProof` of `OpenZeppelin`'s contracts computes it.
    fn root_of(leaves: &[Hash], multi: &MultiProof) -> Hash {
        let mut hashes: VecDeque<Hash> = leaves.iter().copied().collect();
        let mut proof = multi.proof.iter();
        for &flag in &multi.flags {
            let a = hashes.pop_front().expect("a leaf or a hash");
            let b = if flag {
                hashes.pop_front().expect("a leaf or a hash")
            } else {
                *proof.next().expect("a sibling")
            };
            hashes.push_back(pair(&a, &b));
        }
        let root = hashes.pop_back();
        root.unwrap_or_else(|| *proof.next().expect("the root"))
    }

    proptest! {
        #[test]
        fn a_multiproof_of_any_rows_leads_to_the_root(
            count in 1_usize..40, chosen in prop::collection::vec(any::<bool>(), 40), is_sorted: bool,
        ) {
            let leaves: Vec<Hash> = (0..count).map(|leaf| keccak(&[u8::try_from(leaf).unwrap()])).collect();
            let tree = Tree::new(&leaves, Tree::positions_of(&leaves, is_sorted));
            let rows: Vec<usize> = (0..count).filter(|&row| chosen[row]).collect();
            let multi = tree.multi_proof(&rows);
            let given: Vec<Hash> = multi.rows.iter().map(|&row| leaves[row]).collect();
            prop_assert_eq!(given.len() + multi.proof.len(), multi.flags.len() + 1);
            prop_assert_eq!(root_of(&given, &multi), tree.nodes()[0]);
        }
    }
}
