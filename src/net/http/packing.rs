//! Answers are compressed whole, before they are sent, and where they are computed.
//!
//! A layer around the routes would compress while it is sent: for each call that its caller does not read it would hold
//! a packer, which takes up to [`PACKER_BYTES`] whatever it packs. So errors, small answers and the contract are sent as they
//! are. What has no end in memory, such as the facts of a feed, counts its packer with its bytes.

use std::convert::Infallible;
use std::future::ready;

use axum::body::{Body, HttpBody as _};
use axum::http::{HeaderMap, Request, header};
use axum::response::Response;
use futures_util::FutureExt as _;
use http_body_util::BodyExt as _;
use tower::{Layer as _, Service as _, service_fn};
use tower_http::compression::CompressionLayer;

use crate::net::answer_budget::Counted;
use crate::net::query_pool::Answered;

/// What a packer of zstd takes, rounded up; one of gzip takes less.
pub(super) const PACKER_BYTES: usize = 2 << 20;

/// The response as the request headers ask for, whole; called where the answer was computed.
pub(super) fn packed(request: &HeaderMap, response: Response) -> Response {
    let (mut head, body) = packing(request, response).into_parts();
    let body = body.collect().now_or_never().expect("it is in memory");
    let body = body.expect("memory can be read").to_bytes();
    head.headers
        .insert(header::CONTENT_LENGTH, body.len().into());
    Response::from_parts(head, Body::from(body))
}

/// The response, which is compressed while it is read if the request headers ask for that.
pub(super) fn packing(request: &HeaderMap, response: Response) -> Response {
    let mut asked = Request::new(());
    *asked.headers_mut() = request.clone();
    let mut response = Some(response);
    let mut respond = CompressionLayer::new().layer(service_fn(move |_: Request<()>| {
        ready(Ok::<_, Infallible>(response.take().expect("one call")))
    }));
    let response = respond.call(asked).now_or_never().expect("it is there");
    let response = response.unwrap_or_else(|never| match never {});
    response.map(Body::new)
}

/// Whether the request may ask for an answer that is compressed.
pub(super) fn asks(request: &HeaderMap) -> bool {
    request.contains_key(header::ACCEPT_ENCODING)
}

/// A response whose bytes are counted until they are sent.
pub(super) fn counted(answered: Answered<Response>) -> Response {
    let Answered {
        value: mut response,
        in_flight,
    } = answered;
    let bytes = response.body().size_hint().exact().unwrap_or(0);
    in_flight.resize(usize::try_from(bytes).unwrap_or(usize::MAX));
    response.extensions_mut().insert(Counted::Whole(in_flight));
    response
}
