//! Rust source as words: names and signs with their lines, without comments, texts and characters.
//!
//! Enough of the language to follow paths, and no more; see `paths` for what is done with it.

/// A word or sign of Rust source, and its line.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Word {
    pub(crate) text: String,
    pub(crate) line: usize,
}

/// Cuts source into words and signs; comments, texts and characters are left out.
pub(crate) fn words(source: &str) -> Vec<Word> {
    let bytes = source.as_bytes();
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80;
    let (mut found, mut at, mut line) = (Vec::new(), 0, 1);
    while at < bytes.len() {
        let rest = &source.as_bytes()[at..];
        let length = if rest.starts_with(b"//") {
            rest.iter()
                .position(|&byte| byte == b'\n')
                .unwrap_or(rest.len())
        } else if rest.starts_with(b"/*") {
            block_comment(rest)
        } else if let Some(length) = text_literal(rest) {
            length
        } else if is_word(rest[0]) {
            let length = rest
                .iter()
                .position(|&byte| !is_word(byte))
                .unwrap_or(rest.len());
            found.push(Word {
                text: source[at..at + length].to_owned(),
                line,
            });
            length
        } else {
            let length = if rest.starts_with(b"::") { 2 } else { 1 };
            if !rest[0].is_ascii_whitespace() {
                found.push(Word {
                    text: source[at..at + length].to_owned(),
                    line,
                });
            }
            length
        };
        line += source[at..at + length].matches('\n').count();
        at += length;
    }
    found
}

/// The length of a block comment, which may hold others.
fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        match (rest[at], rest.get(at + 1)) {
            (b'/', Some(b'*')) => (depth, at) = (depth + 1, at + 2),
            (b'*', Some(b'/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

/// The length of a text, raw text or character literal that begins here; lifetimes do not count.
fn text_literal(rest: &[u8]) -> Option<usize> {
    let prefix = rest.iter().position(|byte| !b"bcr".contains(byte))?;
    let hashes = rest[prefix..].iter().position(|&byte| byte != b'#')?;
    if prefix <= 2 && rest[..prefix].ends_with(b"r") && rest[prefix + hashes] == b'"' {
        let end = [b"\"".as_slice(), &vec![b'#'; hashes]].concat();
        let body = prefix + hashes + 1;
        let closing = rest[body..]
            .windows(end.len())
            .position(|part| part == end)?;
        return Some(body + closing + end.len());
    }
    let quote = rest[prefix];
    let is_character = quote == b'\''
        && (rest.get(prefix + 1) == Some(&b'\\') || quoted_character(&rest[prefix + 1..]));
    if prefix > 1 || !(quote == b'"' || is_character) {
        return None;
    }
    let mut at = prefix + 1;
    while *rest.get(at)? != quote {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    Some(at + 1)
}

/// Whether one character and its closing quote stand here.
fn quoted_character(rest: &[u8]) -> bool {
    let length = match rest.first() {
        Some(0xF0..) => 4,
        Some(0xE0..) => 3,
        Some(0xC0..) => 2,
        _ => 1,
    };
    rest.get(length) == Some(&b'\'')
}
