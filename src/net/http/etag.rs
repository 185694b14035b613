//! JSON answers with an `ETag`: a caller that has the answer already gets 304 instead.
//!
//! The tag is a hash of the answer, without the sequence number of the last event: that grows with every event
//! of any holder, and an answer in which nothing else has changed is the same. The tag is weak, because the
//! answer may be sent in several encodings.

use axum::Json;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::packing::packed;

/// Bytes of the hash that the tag contains.
const TAG_BYTES: usize = 16;

/// An answer that contains the sequence number of the last event that it counts.
pub(super) trait Sequenced: Serialize {
    /// That number.
    fn sequence_mut(&mut self) -> &mut u64;
}

/// `answer` as JSON, compressed as the request headers ask for, or 304 if they name its tag. All of it is done here and
/// not while it is sent: call it where the answer was computed.
pub(super) fn json_with_etag(request: &HeaderMap, mut answer: impl Sequenced) -> Response {
    let sequence = std::mem::take(answer.sequence_mut());
    let tag = tag(&answer);
    let value = HeaderValue::try_from(&tag).expect("digits and quotes");
    let headers = [
        (header::ETAG, value),
        // Caches may keep a copy but must revalidate it: answers change with every event.
        (
            header::CACHE_CONTROL,
            HeaderValue::from_static("private, no-cache"),
        ),
        (
            header::VARY,
            HeaderValue::from_static("accept-encoding, authorization"),
        ),
    ];
    if is_known(request, &tag) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    *answer.sequence_mut() = sequence;
    packed(request, (headers, Json(answer)).into_response())
}

fn tag(answer: &impl Serialize) -> String {
    let body = serde_json::to_vec(answer).expect("text, numbers and lists of them");
    let hash = hex::encode(&Sha256::digest(body)[..TAG_BYTES]);
    format!("W/\"{hash}\"")
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

#[cfg(test)]
mod tests {
    use axum::body::HttpBody as _;

    use super::*;

    #[derive(Serialize)]
    struct Answer {
        sequence: u64,
        text: String,
    }

    impl Sequenced for Answer {
        fn sequence_mut(&mut self) -> &mut u64 {
            &mut self.sequence
        }
    }

    #[test]
    fn an_answer_is_packed_before_it_is_sent() {
        let answer = |encoding: &str| {
            let mut request = HeaderMap::new();
            request.insert(header::ACCEPT_ENCODING, encoding.parse().unwrap());
            let text = "x".repeat(9_000);
            let response = json_with_etag(&request, Answer { sequence: 1, text });
            let encoding = response.headers().get(header::CONTENT_ENCODING).cloned();
            let bytes = response.body().size_hint().exact().expect("known");
            assert_eq!(
                response.headers()[header::CONTENT_LENGTH],
                bytes.to_string()
            );
            (encoding, bytes < 1_000)
        };
        for encoding in ["gzip", "zstd"] {
            assert_eq!(answer(encoding), (Some(encoding.parse().unwrap()), true));
        }
        assert_eq!(answer("identity"), (None, false));
    }
}
