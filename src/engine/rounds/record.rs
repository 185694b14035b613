//! A round as one record on disk: a line of JSON, and the list as CSV.
//!
//! Text alone, because the journal tells a torn write from damage by bytes that text does not have. The tree is not
//! stored: it follows from the list. `docs/journal-format.md` specifies the record.

use serde::{Deserialize, Serialize};

use super::manifest::RoundManifest;
use super::request::RoundRequest;

/// The version that is written, and the only one so far.
const VERSION: u32 = 1;

/// The line before the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RecordHead {
    version: u32,
    /// As it was asked for, to tell a repeated request from another one.
    pub(super) request: RoundRequest,
    pub(super) manifest: RoundManifest,
}

/// Only the version, which every later form will have.
#[derive(Deserialize)]
struct AnyVersion {
    version: u32,
}

/// Why bytes are not a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum RecordError {
    #[error(
        "a record has version {0}, and this program reads version {VERSION}: use the version that wrote it"
    )]
    Version(u32),
    #[error("not a record of a round ({0})")]
    Malformed(String),
}

/// The bytes of a record.
pub(super) fn encode(request: &RoundRequest, manifest: &RoundManifest, list: &[u8]) -> Vec<u8> {
    let head = RecordHead {
        version: VERSION,
        request: request.clone(),
        manifest: manifest.clone(),
    };
    let mut bytes = serde_json::to_vec(&head).expect("text and numbers");
    bytes.push(b'\n');
    bytes.extend_from_slice(list);
    bytes
}

/// The line before the list, and the list.
pub(super) fn decode(bytes: &[u8]) -> Result<(RecordHead, &[u8]), RecordError> {
    let malformed = |error: serde_json::Error| RecordError::Malformed(error.to_string());
    let end = bytes.iter().position(|byte| *byte == b'\n');
    let end = end.ok_or_else(|| RecordError::Malformed("no line".into()))?;
    let line = &bytes[..end];
    let AnyVersion { version } = serde_json::from_slice(line).map_err(malformed)?;
    if version != VERSION {
        return Err(RecordError::Version(version));
    }
    let head = serde_json::from_slice(line).map_err(malformed)?;
    Ok((head, &bytes[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_a_later_version_is_told_from_other_bytes() {
        assert_eq!(
            decode(b"{\"version\":2,\"x\":1}\n"),
            Err(RecordError::Version(2))
        );
        for bytes in [&b"{\"version\":1}\n"[..], b"\n", b"", b"\xff\n"] {
            assert!(matches!(decode(bytes), Err(RecordError::Malformed(_))));
        }
    }
}
