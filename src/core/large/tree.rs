//! Ordered items in blocks, under a tree of summaries.
//!
//! A B+-tree with relaxed balance: neighbouring branches may differ in depth, because a change may replace
//! a whole branch by one block. Depth grows only if the root is split, so it stays logarithmic in the number
//! of all changes. [`super::curve`] and [`super::cover`] define the summaries and how a change descends;
//! this module splits and joins blocks.

/// Most items in a block.
const ITEMS_MAX: usize = 64;
/// Most branches in a node.
const BRANCHES_MAX: usize = 16;

/// The part of a full branch that is split off in the middle of others.
const HALF: usize = 2;
/// The part of a full branch that is split off at the end: what comes in order of time leaves full blocks behind.
const TAIL: usize = 8;

/// Ordered items.
pub(super) trait Block: Clone {
    /// The number of items.
    fn len(&self) -> usize;

    /// Removes all items from `place` on and returns them.
    fn split_off(&mut self, place: usize) -> Self;

    /// Adds later items.
    fn append(&mut self, later: Self);
}

impl<T: Copy> Block for Vec<T> {
    fn len(&self) -> usize {
        self.len()
    }

    fn split_off(&mut self, place: usize) -> Self {
        let mut right = Self::with_capacity(ITEMS_MAX + 2);
        right.extend(self.drain(place..));
        right
    }

    fn append(&mut self, later: Self) {
        self.extend_from_slice(&later);
    }
}

/// The items of a tree, and the summary of a branch.
pub(super) trait Kind: Sized {
    type Block: Block;
    type Summary: Copy;

    /// The summary of `items`, a part of the block that `whole` summarises; `next` follow them.
    fn of_items(
        items: &Self::Block,
        next: Option<&Self::Block>,
        whole: &Self::Summary,
    ) -> Self::Summary;

    /// The summary of consecutive branches, at least one.
    fn of_branches(branches: &[Branch<Self>]) -> Self::Summary;

    /// Applies to the children of `branch` what so far only its summary records.
    fn push_down(_branch: &mut Branch<Self>) {}
}

/// A part of a tree with its summary.
pub(super) struct Branch<K: Kind> {
    pub(super) summary: K::Summary,
    pub(super) node: Node<K>,
}

pub(super) enum Node<K: Kind> {
    Block(K::Block),
    /// Two or more.
    Branches(Vec<Branch<K>>),
}

// Derived impls would require `Kind: Clone`.
impl<K: Kind> Clone for Branch<K> {
    fn clone(&self) -> Self {
        Self {
            summary: self.summary,
            node: self.node.clone(),
        }
    }
}

impl<K: Kind> Clone for Node<K> {
    fn clone(&self) -> Self {
        match self {
            Self::Block(items) => Self::Block(items.clone()),
            Self::Branches(branches) => Self::Branches(branches.clone()),
        }
    }
}

impl<K: Kind> Node<K> {
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn len(&self) -> usize {
        match self {
            Self::Block(items) => items.len(),
            Self::Branches(branches) => branches.len(),
        }
    }

    fn len_max(&self) -> usize {
        match self {
            Self::Block(_) => ITEMS_MAX,
            Self::Branches(_) => BRANCHES_MAX,
        }
    }
}

impl<K: Kind> Branch<K> {
    /// Whether it must be split.
    pub(super) fn is_full(&self) -> bool {
        self.node.len() > self.node.len_max()
    }

    /// Whether it may be joined to a neighbour.
    pub(super) fn is_sparse(&self) -> bool {
        self.node.len() <= self.node.len_max() / 4
    }

    /// Recomputes the summary after a change of some branches, and evens out their sizes.
    pub(super) fn settle_branches(&mut self) {
        let Node::Branches(branches) = &mut self.node else {
            return;
        };
        even_out(branches);
        if branches.len() == 1 {
            *self = branches.pop().expect("there is one");
        } else {
            self.summary = K::of_branches(branches);
        }
    }

    /// Grows the tree if its root has become too large; call it on the root after each change.
    pub(super) fn settle_root(&mut self) {
        while self.is_full() {
            let right = self.split(TAIL);
            let left = std::mem::replace(
                self,
                Self {
                    summary: right.summary,
                    node: Node::Branches(Vec::new()),
                },
            );
            self.node = Node::Branches(vec![left, right]);
            self.settle_branches();
        }
    }

    /// Keeps all but a `part` of the children or items, and returns the last ones.
    fn split(&mut self, part: usize) -> Self {
        K::push_down(self);
        let whole = self.summary;
        match &mut self.node {
            Node::Block(items) => {
                let right = items.split_off(items.len() - items.len() / part);
                self.summary = K::of_items(items, Some(&right), &whole);
                Self {
                    summary: K::of_items(&right, None, &whole),
                    node: Node::Block(right),
                }
            }
            Node::Branches(branches) => {
                let mut right = Vec::with_capacity(BRANCHES_MAX + 2);
                right.extend(branches.drain(branches.len() - branches.len() / part..));
                self.summary = K::of_branches(branches);
                Self {
                    summary: K::of_branches(&right),
                    node: Node::Branches(right),
                }
            }
        }
    }
}

/// Splits what is too large, joins small neighbours and drops what is empty.
fn even_out<K: Kind>(branches: &mut Vec<Branch<K>>) {
    let mut place = 0;
    while place < branches.len() {
        if branches[place].is_full() {
            let part = if place + 1 == branches.len() {
                TAIL
            } else {
                HALF
            };
            let right = branches[place].split(part);
            branches.insert(place + 1, right);
        } else if branches[place].node.is_empty() && branches.len() > 1 {
            branches.remove(place);
        } else if place > 0 && are_small(&branches[place - 1], &branches[place]) {
            let right = branches.remove(place);
            join(&mut branches[place - 1], right);
        } else {
            place += 1;
        }
    }
}

fn are_small<K: Kind>(left: &Branch<K>, right: &Branch<K>) -> bool {
    let is_one_kind = matches!(left.node, Node::Block(_)) == matches!(right.node, Node::Block(_));
    is_one_kind && left.node.len() + right.node.len() <= left.node.len_max() / 2
}

/// Appends `right`, which has the same kind of node, to `left`.
fn join<K: Kind>(left: &mut Branch<K>, mut right: Branch<K>) {
    K::push_down(left);
    K::push_down(&mut right);
    match (&mut left.node, right.node) {
        (Node::Block(items), Node::Block(more)) => {
            items.append(more);
            left.summary = K::of_items(items, None, &right.summary);
        }
        (Node::Branches(branches), Node::Branches(more)) => {
            branches.extend(more);
            left.summary = K::of_branches(branches);
        }
        (Node::Block(_) | Node::Branches(_), _) => unreachable!("they are of one kind"),
    }
}

#[cfg(test)]
pub(super) mod steps {
    //! Counts visited branches, and changed stretches with their block, so that a test can bound them
    //! without a clock.

    use std::cell::Cell;

    thread_local!(static TAKEN: Cell<u64> = const { Cell::new(0) });

    /// Counts `steps` more.
    pub(in super::super) fn count(steps: usize) {
        TAKEN.set(TAKEN.get() + steps as u64);
    }

    /// The number of steps of this thread since the last call.
    pub(in super::super) fn take() -> u64 {
        TAKEN.replace(0)
    }
}
