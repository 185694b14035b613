//! A body for the responses of hyper to what it could not parse: it sends status and headers alone.
//!
//! Such a request reaches no service, so the response is known by its bytes, on a connection of HTTP/1, and is
//! sent with a problem document as its body. Everything else passes unchanged.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::http::StatusCode;
use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::activity::Activity;
use super::connection::HEADERS_MAX;
use super::http::problem::{self, PROBLEM_JSON};

/// The first bytes of a response, up to its status.
const VERSION: &[u8] = b"HTTP/1.1 ";
/// What follows the status line of a response to what was not parsed, up to its date.
const HEADERS: &[u8] = b"\r\nconnection: close\r\ncontent-length: 0\r\ndate: ";
/// The length of a date (RFC 9110, 5.6.7).
const DATE_BYTES: usize = 29;
const END: &[u8] = b"\r\n\r\n";
/// Longer than the longest of them.
const HEAD_BYTES_MAX: usize = 192;

/// A connection whose responses to unparsed requests get a body.
pub(super) struct UnparsedIo<I> {
    io: I,
    activity: Arc<Activity>,
    header_bytes_max: u32,
    /// The rest of what replaces the write that is under way.
    replaced: Option<Bytes>,
}

impl<I: AsyncWrite + Unpin> UnparsedIo<I> {
    pub(super) const fn new(io: I, activity: Arc<Activity>, header_bytes_max: u32) -> Self {
        Self {
            io,
            activity,
            header_bytes_max,
            replaced: None,
        }
    }

    /// Writes the replacement to its end; then the whole write that it replaces is done.
    fn write_replaced(&mut self, cx: &mut Context<'_>, written: usize) -> Poll<io::Result<usize>> {
        while let Some(rest) = self.replaced.as_mut().filter(|rest| !rest.is_empty()) {
            let count = ready!(Pin::new(&mut self.io).poll_write(cx, rest))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            rest.advance(count);
        }
        self.replaced = None;
        Poll::Ready(Ok(written))
    }

    fn detail(&self, status: StatusCode) -> String {
        match status {
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE | StatusCode::URI_TOO_LONG => format!(
                "the head of the request is too large: send at most {} bytes and {HEADERS_MAX} header lines",
                self.header_bytes_max
            ),
            _ => "the head of the request is not valid HTTP/1.1: check its first line and its header lines"
                .to_owned(),
        }
    }

    fn replacement(&self, bytes: &[u8]) -> Option<Bytes> {
        if !self.activity.may_be_http1() {
            return None;
        }
        let (before, status) = unparsed(bytes)?;
        let body = problem::document(status, self.detail(status));
        let head = format!(
            "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-type: {PROBLEM_JSON}\r\n\
             x-content-type-options: nosniff\r\ncache-control: no-store\r\ncontent-length: {}\r\ndate: ",
            body.len()
        );
        let date_and_end = &bytes[bytes.len() - DATE_BYTES - END.len()..];
        Some(
            [before, head.as_bytes(), date_and_end, &body]
                .concat()
                .into(),
        )
    }
}

/// What is written before the response to what was not parsed, and its status.
fn unparsed(bytes: &[u8]) -> Option<(&[u8], StatusCode)> {
    let rest = bytes.strip_suffix(END)?;
    let rest = &rest[..rest.len().checked_sub(DATE_BYTES)?];
    let rest = rest.strip_suffix(HEADERS)?;
    let tail = rest.len().saturating_sub(HEAD_BYTES_MAX);
    let at = tail + memchr::memmem::rfind(&rest[tail..], VERSION)?;
    let line = &rest[at + VERSION.len()..];
    let status = StatusCode::from_bytes(line.get(..3)?).ok()?;
    let reason = status.canonical_reason()?.as_bytes();
    let is_line = line.get(3) == Some(&b' ') && &line[4..] == reason;
    (is_line && status.is_client_error()).then_some((&bytes[..at], status))
}

impl<I: AsyncRead + Unpin> AsyncRead for UnparsedIo<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for UnparsedIo<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.replaced.is_none() {
            self.replaced = self.replacement(bytes);
        }
        if self.replaced.is_some() {
            return self.write_replaced(cx, bytes.len());
        }
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // Such a response is one slice, the only one or behind others that are written first.
        let mut full = slices.iter().filter(|slice| !slice.is_empty());
        if let (Some(only), None) = (full.next(), full.next()) {
            return self.poll_write(cx, only);
        }
        let slices = match slices {
            [before @ .., last] if unparsed(last).is_some() => before,
            all => all,
        };
        Pin::new(&mut self.get_mut().io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESPONSE: &str = "HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\
                            date: Sat, 28 Nov 2026 11:14:59 GMT\r\n\r\n";

    #[test]
    fn only_a_response_without_a_service_is_known_by_its_bytes() {
        let found =
            |text: &str| unparsed(text.as_bytes()).map(|(before, status)| (before.len(), status));
        assert_eq!(found(RESPONSE), Some((0, StatusCode::BAD_REQUEST)));
        assert_eq!(
            found(&format!("ok\n{RESPONSE}")),
            Some((3, StatusCode::BAD_REQUEST))
        );
        for other in [
            RESPONSE.replace("length: 0", "length: 1"),
            RESPONSE.replace("400 Bad Request", "200 OK"),
            RESPONSE.replace("Bad Request", "Other"),
            format!("{RESPONSE}x"),
            String::new(),
            "\r\n\r\n".to_owned(),
        ] {
            assert_eq!(found(&other), None, "{other}");
        }
    }
}
