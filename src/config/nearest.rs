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

/// The one of `names` that takes the fewest changes, where that is less than half of `name`.
pub(super) fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Hint {
    let near = names
        .map(|known| (distance(name, known), known))
        .min()
        .filter(|(changes, _)| 2 * changes <= name.len());
    Hint(near.map(|(_, known)| known.to_owned()))
}

/// Letters to put in, take out or replace (Levenshtein, one row at a time).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (place, letter) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = place + 1;
        for (column, other) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
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
                    replaced
                        .min(naive(from_rest, to) + 1)
                        .min(naive(from, to_rest) + 1)
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
        let hint = |name| nearest(name, names.into_iter());
        assert_eq!(hint("http.prot"), Hint(Some("http.port".into())));
        assert_eq!(hint("colour"), Hint(None));
    }
}
