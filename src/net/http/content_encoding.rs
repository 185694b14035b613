//! Decompresses request bodies in gzip or zstd while they arrive.
//!
//! A body is read to its end: several members or frames in a row are concatenated, and anything else that
//! follows is an error. The reader limits the decompressed size; see `hold`.

use std::io;

use async_compression::tokio::bufread::{GzipDecoder, ZstdDecoder};
use async_compression::zstd::DParameter;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use bytes::Bytes;
use futures_util::{Stream, TryStreamExt as _};
use tokio::io::AsyncRead;
use tokio_util::io::{ReaderStream, StreamReader};

use super::problem::Problem;
use super::zstd_windows::{NoRoom, WINDOW_LOG_MAX, counted_windows};
use crate::net::answer_budget::BodyBudget;

/// Decompressed bytes per chunk.
const CHUNK_BYTES: usize = 16 << 10;

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Identity,
    Gzip,
    Zstd,
}

/// The decompressed body; refused if its encoding is not supported. What a frame of zstd keeps is counted with `bodies`;
/// its window has at most 8 MiB, which RFC 9659 requires of every decoder.
pub(super) fn decoded(
    headers: &HeaderMap,
    bodies: &BodyBudget,
    body: Body,
) -> Result<Body, Problem> {
    let encoding = encoding(headers).ok_or_else(|| {
        Problem::of_field(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "content-encoding",
            "content-encoding: must be one of gzip, zstd and identity, and given once",
        )
        .with_header(
            header::ACCEPT_ENCODING,
            HeaderValue::from_static("gzip, zstd"),
        )
    })?;
    Ok(match encoding {
        Encoding::Identity => body,
        Encoding::Gzip => {
            let mut plain = GzipDecoder::new(StreamReader::new(chunks(body)));
            plain.multiple_members(true);
            stream(plain, "truncated or damaged gzip data")
        }
        Encoding::Zstd => {
            let window = DParameter::window_log_max(WINDOW_LOG_MAX);
            let reader = StreamReader::new(counted_windows(chunks(body), bodies));
            let mut plain = ZstdDecoder::with_params(reader, &[window]);
            plain.multiple_members(true);
            let fault = "truncated or damaged zstd data, or a window of more than 8 MiB";
            stream(plain, fault)
        }
    })
}

/// A body whose errors begin with `fault`.
fn stream(plain: impl AsyncRead + Send + 'static, fault: &'static str) -> Body {
    let chunks = ReaderStream::with_capacity(plain, CHUNK_BYTES);
    Body::from_stream(chunks.map_err(move |cause| {
        if NoRoom::is(&cause) {
            return cause;
        }
        io::Error::other(format!("{fault} ({cause})"))
    }))
}

fn chunks(body: Body) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    body.into_data_stream().map_err(io::Error::other)
}

/// The value of `Content-Encoding`; `None` if it is not supported.
fn encoding(headers: &HeaderMap) -> Option<Encoding> {
    let mut lines = headers.get_all(header::CONTENT_ENCODING).iter();
    let Some(line) = lines.next() else {
        return Some(Encoding::Identity);
    };
    if lines.next().is_some() {
        return None;
    }
    match line.to_str().ok()?.trim().to_ascii_lowercase().as_str() {
        "identity" => Some(Encoding::Identity),
        "gzip" | "x-gzip" => Some(Encoding::Gzip),
        "zstd" => Some(Encoding::Zstd),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_encoding_is_accepted_in_any_case_and_several_are_refused() {
        for (lines, expected) in [
            (&[][..], Some(Encoding::Identity)),
            (&["identity"], Some(Encoding::Identity)),
            (&["GZip"], Some(Encoding::Gzip)),
            (&["x-gzip"], Some(Encoding::Gzip)),
            (&[" ZSTD "], Some(Encoding::Zstd)),
            (&["br"], None),
            (&[""], None),
            (&["gzip, zstd"], None),
            (&["gzip", "gzip"], None),
            (&["identity", "gzip"], None),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(header::CONTENT_ENCODING, line.parse().unwrap());
            }
            assert_eq!(encoding(&headers), expected, "{lines:?}");
        }
    }
}
