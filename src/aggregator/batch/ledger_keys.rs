//! The numbers of the keys of one ledger's holders: a table by holder and token in front of the search by hash.
//!
//! The numbers of holders and of tokens are small and dense, so nearly every change finds its key with one read.
//! Keys of later tokens than the first few are left to the search, because most of their places would stay empty.

use super::super::ids::IdNumber;

/// So many tokens have places.
const TOKENS_MAX: usize = 16;
/// No key has this number.
const UNKNOWN: u32 = u32::MAX;

/// The numbers of the keys that were found so far.
pub(super) struct LedgerKeys {
    tokens: usize,
    numbers: Vec<u32>,
}

impl LedgerKeys {
    /// For runs that have so many tokens.
    pub(super) fn new(tokens: usize) -> Self {
        Self {
            tokens: tokens.min(TOKENS_MAX),
            numbers: Vec::new(),
        }
    }

    /// Forgets all numbers, and makes places for so many holders.
    pub(super) fn clear(&mut self, holders: usize) {
        self.numbers.clear();
        self.numbers.resize(holders * self.tokens, UNKNOWN);
    }

    /// The number of the key of a holder and a token, which `search` finds if it is not known here.
    #[inline]
    pub(super) fn number(
        &mut self,
        holder: usize,
        token: IdNumber,
        search: impl FnOnce() -> u32,
    ) -> u32 {
        let token = token.0 as usize;
        if token >= self.tokens {
            return search();
        }
        let known = &mut self.numbers[holder * self.tokens + token];
        if *known == UNKNOWN {
            *known = search();
        }
        *known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_of_the_first_tokens_is_searched_once() {
        let mut keys = LedgerKeys::new(100);
        for round in 0..2 {
            keys.clear(3);
            let mut searched = Vec::new();
            for key in (0..60).chain(0..60) {
                let (holder, token) = (key / 20, key % 20);
                let number = keys.number(holder as usize, IdNumber(token), || {
                    searched.push(key);
                    key + round
                });
                assert_eq!(number, key + round);
            }
            let late = (0..60).filter(|key| key % 20 >= 16);
            assert!(searched.into_iter().eq((0..60).chain(late)));
        }
    }
}
