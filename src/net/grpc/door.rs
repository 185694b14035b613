//! Where gRPC calls come in: which call it is, who may make it, and until when.
//!
//! Dispatches by path without a router, so that one event alone costs little. The calls are in `service`;
//! health checking and reflection come from `tonic`.

use std::convert::Infallible;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{Request, Response};
use futures_util::FutureExt as _;
use hyper::body::Incoming;
use hyper::service::Service;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::codec::CompressionEncoding;
use tonic::service::Routes;
use tonic::{Code, Status};
use tower::Service as _;
use tracing::{Instrument as _, error, info_span};

use super::deadline::{Bounded, timeout, within};
use super::service::HoldService;
use super::status::{defect, denied, unreadable};
use super::tally::Tally;
use crate::config::Limits;
use crate::config::Scope;
use crate::net::access::{Access, Need};
use crate::net::connection::{Boxed, Peer};
use crate::net::pb::hold_metrics_server::HoldMetricsServer;
use crate::net::request_id::{REQUEST_ID, RequestIds, text};
use crate::telemetry::call::join_trace;
use crate::telemetry::metrics::Metrics;

/// Paths of our own service begin so.
const OURS: &str = "/poh.HoldMetrics/";

/// Takes every gRPC call.
#[derive(Clone)]
pub(in crate::net) struct Door {
    /// Calls whose answers are short: they are never packed.
    plain: HoldMetricsServer<HoldService>,
    /// Calls whose answers may be long: packed where the caller takes that.
    packed: HoldMetricsServer<HoldService>,
    /// Health checking and reflection.
    others: Routes,
    access: Access,
    metrics: Arc<Metrics>,
    request_ids: Arc<RequestIds>,
    unary_wait_max: Duration,
    others_wait_max: Duration,
    stop: CancellationToken,
}

impl Door {
    pub(super) fn new(
        service: HoldService,
        others: Routes,
        access: Access,
        request_ids: Arc<RequestIds>,
        limits: &Limits,
    ) -> Self {
        let (stop, metrics) = (service.stop.clone(), Arc::clone(&service.metrics));
        let plain = HoldMetricsServer::new(service)
            .max_decoding_message_size(limits.message_bytes_max)
            .accept_compressed(CompressionEncoding::Gzip)
            .accept_compressed(CompressionEncoding::Zstd);
        let packed = plain
            .clone()
            .send_compressed(CompressionEncoding::Gzip)
            .send_compressed(CompressionEncoding::Zstd);
        Self {
            plain,
            packed,
            others: others.prepare(),
            access,
            metrics,
            request_ids,
            unary_wait_max: limits.request_wait_max,
            others_wait_max: limits.idle_wait_max,
            stop,
        }
    }

    /// The answer to a call that is let in.
    fn answer(&self, call: Call, request: Request<Incoming>) -> Boxed<Response<Body>> {
        let answer = match call.kind {
            Kind::Read => self.packed.clone().call(request),
            Kind::Write => self.plain.clone().call(request),
            Kind::Open | Kind::Inspect => Box::pin(self.others.clone().call(request)),
        };
        Box::pin(async move {
            let answer = AssertUnwindSafe(answer).catch_unwind().await;
            answer.map_or_else(
                |_| {
                    error!("A gRPC call panicked: this is a defect of the server.");
                    defect(&"a defect of the server; its log says more").into_http()
                },
                |answer| blamed(answer.unwrap_or_else(|never| match never {})),
            )
        })
    }

    fn deadline(&self, call: Call, request: &Request<Incoming>) -> Option<Instant> {
        let asked = timeout(request.headers());
        let bound = match call.kind {
            Kind::Write | Kind::Read => (!call.is_stream).then_some(self.unary_wait_max),
            // Whoever may watch the health may do so without a key; without an end, until no connection is left.
            Kind::Open | Kind::Inspect => Some(self.others_wait_max),
        };
        let wait = match (asked, bound) {
            (Some(asked), Some(bound)) => asked.min(bound),
            (asked, bound) => asked.or(bound)?,
        };
        Instant::now().checked_add(wait)
    }
}

impl Service<Request<Incoming>> for Door {
    type Response = Response<Bounded<Body>>;
    type Error = Infallible;
    type Future = Boxed<Result<Self::Response, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let call = Call::of_path(request.uri().path());
        let id = self.request_ids.of(request.headers());
        let Peer(peer) = *request
            .extensions()
            .get::<Peer>()
            .expect("every connection says who its peer is");
        let span = info_span!(
            "grpc",
            otel.name = %call,
            otel.kind = "server",
            method = call.method,
            request_id = text(&id),
            %peer
        );
        join_trace(&span, |name| request.headers().get(name)?.to_str().ok());
        let mut tally = Tally::begin(
            Arc::clone(&self.metrics),
            call.method,
            call.is_stream,
            span.clone(),
        );
        let deadline = self.deadline(call, &request);
        let answer = match self.access.admit(call.need(), request.headers(), peer.ip()) {
            Ok(()) => self.answer(call, request),
            Err(reason) => {
                let refused = denied(&reason).into_http();
                Box::pin(std::future::ready(refused))
            }
        };
        // Streams of ours end by themselves when the server stops; those of others are ended.
        let is_ours = matches!(call.kind, Kind::Read | Kind::Write);
        let stop = (!is_ours).then(|| self.stop.clone().cancelled_owned());
        let answered = async move {
            let mut response = within(deadline, answer).await;
            tally.see(response.headers());
            response.headers_mut().insert(REQUEST_ID, id);
            Ok(response.map(|body| Bounded::new(body, tally, deadline, stop)))
        };
        Box::pin(answered.instrument(span))
    }
}

/// A call whose message could not be read fails before the service sees it, with a status of `tonic`'s own.
fn blamed(answer: Response<Body>) -> Response<Body> {
    match Status::from_header_map(answer.headers()) {
        Some(status) if status.code() == Code::Internal && status.details().is_empty() => {
            unreadable(status).into_http()
        }
        Some(_) | None => answer,
    }
}

/// What is asked for, as far as the door must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Call {
    /// As metrics and logs name it.
    method: &'static str,
    kind: Kind,
    is_stream: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Sends events.
    Write,
    /// Asks questions.
    Read,
    /// Asks for the contract.
    Inspect,
    /// Asks for the health.
    Open,
}

/// As spans are named: service and method for our own, as in `poh.HoldMetrics/Record`.
impl fmt::Display for Call {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Write | Kind::Read => write!(out, "{}{}", &OURS[1..], self.method),
            Kind::Inspect | Kind::Open => out.write_str(self.method),
        }
    }
}

impl Call {
    fn of_path(path: &str) -> Self {
        let call = |method, kind, is_stream| Self {
            method,
            kind,
            is_stream,
        };
        if let Some(name) = path.strip_prefix(OURS) {
            return match name {
                "Record" => call("Record", Kind::Write, false),
                "Broadcast" => call("Broadcast", Kind::Write, true),
                "BroadcastBatch" => call("BroadcastBatch", Kind::Write, true),
                "Stats" => call("Stats", Kind::Read, true),
                "GetSnapshot" => call("GetSnapshot", Kind::Read, false),
                "GetLeaderboard" => call("GetLeaderboard", Kind::Read, false),
                "GetHolder" => call("GetHolder", Kind::Read, false),
                "Watch" => call("Watch", Kind::Read, true),
                // The service itself says that it knows no such call.
                _ => call("unknown", Kind::Read, false),
            };
        }
        if path.starts_with("/grpc.health.v1.Health/") {
            return call("Health", Kind::Open, true);
        }
        if path.starts_with("/grpc.reflection.v1") {
            return call("Reflection", Kind::Inspect, true);
        }
        call("unknown", Kind::Inspect, false)
    }

    const fn need(self) -> Need {
        match self.kind {
            Kind::Write => Need::Key(Scope::Write),
            Kind::Read => Need::Key(Scope::Read),
            Kind::Inspect => Need::AnyKey,
            Kind::Open => Need::Nothing,
        }
    }
}
