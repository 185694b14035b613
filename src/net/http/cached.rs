//! JSON answers with an `ETag`: who has the same answer already is told so instead of being sent it.
//!
//! The tag is a hash of the answer itself, so it holds whatever the answer depends on. Left out is the number
//! of the last event: it moves with every event anywhere, and an answer that only counts more events says
//! nothing new. The tag is weak, since the same answer travels packed in several ways.

use std::fmt::Write as _;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::accept::JSON;

/// Bytes of the hash that are told.
const TAG_BYTES: usize = 16;

/// An answer that tells how many events it counts.
pub(super) trait Counting: Serialize {
    /// The number of the last event that is counted.
    fn sequence(&mut self) -> &mut u64;
}

/// `answer` as JSON, or 304 where `request` has it already.
pub(super) fn cached(request: &HeaderMap, mut answer: impl Counting) -> Response {
    let sequence = std::mem::take(answer.sequence());
    let tag = tag(&json(&answer));
    let value = HeaderValue::try_from(&tag).expect("digits and quotes");
    let headers = [
        (header::ETAG, value),
        // A copy may be kept, but is asked for each time: answers change with every event.
        (
            header::CACHE_CONTROL,
            HeaderValue::from_static("private, no-cache"),
        ),
        (
            header::VARY,
            HeaderValue::from_static("accept, accept-encoding, authorization"),
        ),
    ];
    if is_known(request, &tag) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    *answer.sequence() = sequence;
    let form = [(header::CONTENT_TYPE, JSON)];
    (headers, form, Body::from(json(&answer))).into_response()
}

fn json(answer: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(answer).expect("text, numbers and lists of them")
}

fn tag(body: &[u8]) -> String {
    let mut tag = String::from("W/\"");
    for byte in &Sha256::digest(body)[..TAG_BYTES] {
        write!(tag, "{byte:02x}").expect("a string takes all");
    }
    tag.push('"');
    tag
}

/// Whether `If-None-Match` lists the tag, by weak comparison.
fn is_known(request: &HeaderMap, tag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    request
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','))
        .any(|listed| listed.trim() == "*" || opaque(listed) == opaque(tag))
}
