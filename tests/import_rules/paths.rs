//! Which modules and which outer paths a file names, by every spelling that Rust has for it.
//!
//! Follows `crate::`, `super::`, the crate's own name and brace groups. Knows no rule; see `rules`.

use crate::words::Word;

/// The name by which the binary and the tests know the library.
const OWN_NAME: &str = "poh_holdmetrics_rust";

/// The words that follow a path prefix: one name, or the first names inside a brace group.
fn names_after(words: &[Word]) -> Vec<&Word> {
    match words.first() {
        Some(open) if open.text == "{" => {
            let (mut depth, mut is_first, mut names) = (0_usize, false, Vec::new());
            for word in words {
                match word.text.as_str() {
                    "{" => (depth, is_first) = (depth + 1, depth == 0),
                    "}" if depth == 1 => return names,
                    "}" => depth -= 1,
                    "," => is_first = depth == 1,
                    _ if is_first && depth == 1 => {
                        names.push(word);
                        is_first = false;
                    }
                    _ => {}
                }
            }
            names
        }
        Some(word) => vec![word],
        None => Vec::new(),
    }
}

/// The module of a file: its first folder, or its own name at the top of `src/`.
pub(crate) fn module_of(file: &str) -> &str {
    file.split('/')
        .next()
        .unwrap_or(file)
        .trim_end_matches(".rs")
}

/// How many `super::` lead from a file's own module to the root of the crate.
fn depth_of(file: &str) -> usize {
    let parts = file.split('/').count();
    parts
        - usize::from(
            file.ends_with("/mod.rs")
                || !file.contains('/') && ["lib.rs", "main_holdmetrics.rs"].contains(&file),
        )
}

/// The other modules that a file names, with the line of each.
pub(crate) fn modules_named<'a>(file: &str, words: &'a [Word]) -> Vec<&'a Word> {
    let mut named = Vec::new();
    // The depths of braces at which an inline module was opened.
    let (mut braces, mut inline) = (0_usize, Vec::new());
    let mut at = 0;
    while at < words.len() {
        let follows = |offset: usize, text: &str| {
            words.get(at + offset).is_some_and(|word| word.text == text)
        };
        match words[at].text.as_str() {
            "{" => braces += 1,
            "}" => {
                braces = braces.saturating_sub(1);
                inline.retain(|&opened| opened < braces);
            }
            "mod" if follows(2, "{") => inline.push(braces),
            "crate" | OWN_NAME if follows(1, "::") => named.extend(names_after(&words[at + 2..])),
            "super" if follows(1, "::") => {
                let mut climbed = 0;
                while words.get(at).is_some_and(|word| word.text == "super") {
                    (climbed, at) = (climbed + 1, at + 2);
                }
                if climbed >= depth_of(file) + inline.len() {
                    named.extend(names_after(&words[at.min(words.len())..]));
                }
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    named
}

/// The lines that name a path such as `std::fs`, also inside a group `std::{fs, io}`.
pub(crate) fn lines_naming(words: &[Word], path: &str) -> Vec<usize> {
    match path.split_once("::") {
        None => {
            let named = words.iter().filter(|word| word.text == path);
            named.map(|word| word.line).collect()
        }
        Some((first, second)) => {
            let named = names_in(words, first).into_iter();
            let named = named.filter(|(_, name)| *name == second);
            named.map(|(line, _)| line).collect()
        }
    }
}

/// What is named directly inside a module of ours or a crate, with the line: `fs` and `io` of
/// `std::{fs, io}`. A module of the same name in another crate, as in `tokio::net`, does not count.
pub(crate) fn names_in<'a>(words: &'a [Word], module: &str) -> Vec<(usize, &'a str)> {
    let mut named = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let is_inside_another = at >= 2
            && words[at - 1].text == "::"
            && !["crate", "super", OWN_NAME].contains(&words[at - 2].text.as_str());
        let is_module = word.text == module && !is_inside_another;
        if is_module && words.get(at + 1).is_some_and(|next| next.text == "::") {
            let inside = names_after(&words[at + 2..]);
            named.extend(inside.iter().map(|name| (name.line, name.text.as_str())));
        }
    }
    named
}
