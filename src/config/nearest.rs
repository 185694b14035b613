//! The name that somebody probably meant.

use std::fmt;

/// A name to suggest; none where nothing is near.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint(Option<String>);

impl fmt::Display for Hint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(name) => write!(out, "; did you mean {name}?"),
            None => out.write_str("; `main_holdmetrics config print` lists all"),
        }
    }
}

/// Of pairs of a word and what to suggest for it, the one that takes the fewest changes, where that is
/// no more than half of `name`.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = (&'a str, &'a str)>) -> Hint {
    let near = known
        .map(|(word, suggested)| (distance(name, word), suggested))
        .min()
        .filter(|(changes, _)| 2 * changes <= name.len());
    Hint(near.map(|(_, suggested)| suggested.to_owned()))
}

/// Letters to put in, take out or replace, and neighbours to exchange (optimal string alignment,
/// three rows at a time).
pub(super) fn distance(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.chars().collect();
    let to: Vec<char> = to.chars().collect();
    let mut before = Vec::new();
    let mut above: Vec<usize> = (0..=to.len()).collect();
    for place in 1..=from.len() {
        let mut row = vec![place];
        for column in 1..=to.len() {
            let (letter, other) = (from[place - 1], to[column - 1]);
            let replaced = above[column - 1] + usize::from(letter != other);
            let mut least = replaced.min(above[column] + 1).min(row[column - 1] + 1);
            let is_exchanged =
                place > 1 && column > 1 && letter == to[column - 2] && other == from[place - 2];
            if is_exchanged {
                let exchanged: usize = before[column - 2];
                least = least.min(exchanged + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_counted_like_a_naive_twin_does() {
        fn naive(from: &[u8], to: &[u8]) -> usize {
            match (from, to) {
                ([], rest) | (rest, []) => rest.len(),
                ([a, from_rest @ ..], [b, to_rest @ ..]) => {
                    let replaced = naive(from_rest, to_rest) + usize::from(a != b);
                    let exchanged = match (from_rest, to_rest) {
                        ([c, from_rest @ ..], [d, to_rest @ ..]) if a == d && b == c => {
                            naive(from_rest, to_rest) + 1
                        }
                        _ => usize::MAX,
                    };
                    replaced
                        .min(naive(from_rest, to) + 1)
                        .min(naive(from, to_rest) + 1)
                        .min(exchanged)
                }
            }
        }
        let words = ["", "a", "port", "prot", "host", "ports", "sport", "toasts"];
        for from in words {
            for to in words {
                let expected = naive(from.as_bytes(), to.as_bytes());
                assert_eq!(distance(from, to), expected, "{from} {to}");
            }
        }
    }

    #[test]
    fn what_is_far_from_everything_is_not_guessed() {
        let names = ["grpc.address", "http.port"];
        let hint = |name| nearest(name, names.into_iter().map(|known| (known, known)));
        assert_eq!(hint("http.prot"), Hint(Some("http.port".into())));
        assert_eq!(hint("colour"), Hint(None));
    }
}
