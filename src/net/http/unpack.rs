//! Bodies that are packed with gzip or zstd, unpacked as they come.
//!
//! A body is read to its end: several members or frames in a row are one, and whatever else follows them
//! is an error. How much may come out is bounded by whoever reads it; see `hold`.

use std::io;

use async_compression::tokio::bufread::{GzipDecoder, ZstdDecoder};
use async_compression::zstd::DParameter;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use futures_util::TryStreamExt as _;
use tokio::io::{AsyncBufRead, AsyncRead};
use tokio_util::io::{ReaderStream, StreamReader};

use super::problem::Problem;

/// A zstd frame may look back so far: 8 MiB, what RFC 9659 asks of every reader. Each body that is being
/// read holds a window of its own.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;
/// Unpacked bytes that are handed on at once.
const CHUNK_BYTES: usize = 16 << 10;

/// How a body is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packing {
    None,
    Gzip,
    Zstd,
}

/// The body as it was before it was packed; refused where it is packed in a way that is not read.
pub(super) fn unpacked(headers: &HeaderMap, body: Body) -> Result<Body, Problem> {
    let packing = packing(headers).ok_or_else(|| {
        Problem::of_field(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "content-encoding",
            "content-encoding: give gzip, zstd or identity, and one of them alone",
        )
        .with_header(
            header::ACCEPT_ENCODING,
            HeaderValue::from_static("gzip, zstd"),
        )
    })?;
    Ok(match packing {
        Packing::None => body,
        Packing::Gzip => {
            let mut plain = GzipDecoder::new(reader(body));
            plain.multiple_members(true);
            stream(plain, "truncated or damaged gzip data")
        }
        Packing::Zstd => {
            let window = DParameter::window_log_max(ZSTD_WINDOW_LOG_MAX);
            let mut plain = ZstdDecoder::with_params(reader(body), &[window]);
            plain.multiple_members(true);
            let fault = "truncated or damaged zstd data, or a window of more than 8 MiB";
            stream(plain, fault)
        }
    })
}

/// A body again, whose errors begin with `fault`.
fn stream(plain: impl AsyncRead + Send + 'static, fault: &'static str) -> Body {
    let chunks = ReaderStream::with_capacity(plain, CHUNK_BYTES);
    Body::from_stream(chunks.map_err(move |cause| io::Error::other(format!("{fault} ({cause})"))))
}

fn reader(body: Body) -> impl AsyncBufRead + Send + 'static {
    StreamReader::new(body.into_data_stream().map_err(io::Error::other))
}

/// What `Content-Encoding` says; `None` where it says something that is not read.
fn packing(headers: &HeaderMap) -> Option<Packing> {
    let mut lines = headers.get_all(header::CONTENT_ENCODING).iter();
    let Some(line) = lines.next() else {
        return Some(Packing::None);
    };
    if lines.next().is_some() {
        return None;
    }
    match line.to_str().ok()?.trim().to_ascii_lowercase().as_str() {
        "identity" => Some(Packing::None),
        "gzip" | "x-gzip" => Some(Packing::Gzip),
        "zstd" => Some(Packing::Zstd),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_coding_is_read_whatever_its_case_and_several_are_refused() {
        for (lines, expected) in [
            (&[][..], Some(Packing::None)),
            (&["identity"], Some(Packing::None)),
            (&["GZip"], Some(Packing::Gzip)),
            (&["x-gzip"], Some(Packing::Gzip)),
            (&[" ZSTD "], Some(Packing::Zstd)),
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
            assert_eq!(packing(&headers), expected, "{lines:?}");
        }
    }
}
