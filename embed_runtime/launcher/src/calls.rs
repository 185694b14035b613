//! Calls in the machine code of x86-64 as `embed_runtime/pack.py` stores them: with the place that is called instead
//! of the distance to it, because the same place then has the same bytes wherever it is called, and compresses better.
//!
//! The two files must agree. Every content comes back as it was, also one that is not machine code.

/// Whether a file with this content was stored so: one that begins as programs and libraries do.
pub(crate) fn are_stored(content: &[u8]) -> bool {
    content.starts_with(b"\x7fELF") || content.starts_with(b"MZ")
}

/// Puts back the distances, each a number of four bytes after the code of a call or a jump.
pub(crate) fn restore(content: &mut [u8]) {
    let size = i64::try_from(content.len()).unwrap_or(i64::MAX);
    let mut at = 0;
    while at + 5 <= content.len() {
        if !matches!(content[at], 0xE8 | 0xE9) {
            at += 1;
            continue;
        }
        let Some(number) = content[at + 1..].first_chunk_mut::<4>() else {
            return;
        };
        let here = i64::try_from(at).unwrap_or(i64::MAX);
        let stored = i64::from(i32::from_le_bytes(*number));
        // Numbers outside of the file were left as they are; of the others, each stands for exactly one.
        if (-here..size).contains(&stored) {
            let distance = if stored < 0 {
                stored + size
            } else {
                stored - here
            };
            if let Ok(distance) = i32::try_from(distance) {
                *number = distance.to_le_bytes();
            }
        }
        at += 5;
    }
}
