//! Dispatches gRPC calls: authorizes them, sets their deadline, and measures them.
//!
//! It matches paths without a router, so that a call with a single event costs little. The calls are in
//! `service`; health checking and reflection come from `tonic`.

use std::convert::Infallible;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::http::response::Parts;
use axum::http::{Request, Response};
use bytes::Bytes;
use futures_util::FutureExt as _;
use http_body_util::{BodyExt as _, Full};
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

use super::call_metrics::CallMetrics;
use super::counted_messages::CountedBody;
use super::deadline::{DeadlineBody, timeout, within};
use super::service::HoldService;
use super::status::{defect, denied, query_failed, unreadable};
use crate::config::Limits;
use crate::config::Scope;
use crate::net::access::{Access, Caller, Need};
use crate::net::answer_budget::{BodyBudget, Counted, is_small};
use crate::net::connection::{BoxFuture, Peer};
use crate::net::lifetime::end_of_call;
use crate::net::pb::hold_metrics_server::HoldMetricsServer;
use crate::net::query_pool::QueryPool;
use crate::net::request_id::{REQUEST_ID, RequestIds, text};
use crate::telemetry::call::join_trace;
use crate::telemetry::metrics::Metrics;

/// The header of a message that is compressed.
const GRPC_ENCODING: &str = "grpc-encoding";

/// The prefix of the paths of `poh.HoldMetrics`.
const SERVICE_PREFIX: &str = "/poh.HoldMetrics/";

/// Handles every gRPC call.
#[derive(Clone)]
pub(in crate::net) struct Dispatcher {
    /// Writes: their responses are short and never compressed.
    uncompressed: HoldMetricsServer<HoldService>,
    /// Reads: their responses may be long and are compressed if the caller accepts that.
    compressed: HoldMetricsServer<HoldService>,
    /// Health checking and reflection.
    others: Routes,
    access: Access,
    metrics: Arc<Metrics>,
    request_ids: Arc<RequestIds>,
    queries: QueryPool,
    message_bytes_max: usize,
    unary_wait_max: Duration,
    others_wait_max: Duration,
    stream_age_max: Duration,
    stop: CancellationToken,
}

impl Dispatcher {
    pub(super) fn new(
        service: HoldService,
        others: Routes,
        access: Access,
        metrics: Arc<Metrics>,
        request_ids: Arc<RequestIds>,
        limits: &Limits,
    ) -> Self {
        let (stop, queries) = (service.stop.clone(), service.queries.clone());
        let uncompressed = HoldMetricsServer::new(service)
            .max_decoding_message_size(limits.message_bytes_max)
            .accept_compressed(CompressionEncoding::Gzip)
            .accept_compressed(CompressionEncoding::Zstd);
        let compressed = uncompressed
            .clone()
            .send_compressed(CompressionEncoding::Gzip)
            .send_compressed(CompressionEncoding::Zstd);
        Self {
            uncompressed,
            compressed,
            others: others.prepare(),
            access,
            metrics,
            request_ids,
            queries,
            message_bytes_max: limits.message_bytes_max,
            unary_wait_max: limits.request_wait_max,
            others_wait_max: limits.idle_wait_max,
            stream_age_max: limits.stream_age_max,
            stop,
        }
    }

    /// The response to an authorized call.
    fn respond(
        &self,
        call: Call,
        caller: Caller,
        mut request: Request<Incoming>,
    ) -> BoxFuture<Response<Body>> {
        if matches!(call.kind, Kind::Read | Kind::Operate) {
            request.extensions_mut().insert(caller);
        }
        let request = self.counted(call, request);
        // What was asked may be large, and wait for its turn; an event that is large is refused at once.
        let asked = (call.kind != Kind::Write && !call.is_stream).then(|| request.body().clone());
        let queries = (call.kind == Kind::Read && !call.is_stream).then(|| self.queries.clone());
        let response = match call.kind {
            Kind::Read | Kind::Rounds => self.compressed.clone().call(request),
            Kind::Write | Kind::Operate => self.uncompressed.clone().call(request),
            Kind::Health | Kind::Reflection => Box::pin(self.others.clone().call(request)),
        };
        Box::pin(async move {
            let response = AssertUnwindSafe(response).catch_unwind().await;
            let response = response.map_or_else(
                |_| {
                    error!("A gRPC call panicked: this is a defect of the server.");
                    defect(&"internal error: see the log of the server").into_http()
                },
                |response| blame_message(response.unwrap_or_else(|never| match never {})),
            );
            let response = match queries {
                Some(queries) => packed(&queries, response).await,
                None => response,
            };
            drop(asked);
            response
        })
    }

    /// The request with its messages counted; a stream of events also finds its body in the extensions.
    fn counted(&self, call: Call, request: Request<Incoming>) -> Request<CountedBody> {
        let (mut head, body) = request.into_parts();
        let budget = head.extensions.remove::<BodyBudget>();
        let budget = budget.expect("every connection adds its budget to its requests");
        let (bytes_max, wait_max) = (self.message_bytes_max, self.unary_wait_max);
        let body = CountedBody::new(body, &head.headers, budget, bytes_max, wait_max);
        if call.kind == Kind::Write && call.is_stream {
            head.extensions.insert(body.clone());
        }
        Request::from_parts(head, body)
    }

    fn deadline(&self, call: Call, request: &Request<Incoming>) -> Option<Instant> {
        let requested = timeout(request.headers());
        let limit = match call.kind {
            Kind::Write | Kind::Read | Kind::Rounds | Kind::Operate => {
                (!call.is_stream).then_some(self.unary_wait_max)
            }
            // Health needs no key: without a limit, watchers could hold every connection open.
            Kind::Health | Kind::Reflection => Some(self.others_wait_max),
        };
        let wait = match (requested, limit) {
            (Some(requested), Some(limit)) => requested.min(limit),
            (requested, limit) => requested.or(limit)?,
        };
        Instant::now().checked_add(wait)
    }
}

impl Service<Request<Incoming>> for Dispatcher {
    type Response = Response<DeadlineBody<Body>>;
    type Error = Infallible;
    type Future = BoxFuture<Result<Self::Response, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let call = Call::of_path(request.uri().path());
        let id = self.request_ids.of(request.headers());
        let Peer(peer) = *request
            .extensions()
            .get::<Peer>()
            .expect("every connection adds its peer to its requests");
        let span = info_span!(
            "grpc",
            otel.name = %call,
            otel.kind = "server",
            method = call.method,
            request_id = text(&id),
            %peer
        );
        join_trace(&span, |name| request.headers().get(name)?.to_str().ok());
        let mut call_metrics = CallMetrics::begin(
            Arc::clone(&self.metrics),
            call.method,
            call.is_stream,
            span.clone(),
        );
        let deadline = self.deadline(call, &request);
        let mut end = None;
        let response = match self.access.admit(call.need(), request.headers(), peer.ip()) {
            Ok(caller) => {
                end = call.is_stream.then(|| {
                    end_of_call(
                        &self.access,
                        caller.clone(),
                        call.need(),
                        self.stream_age_max,
                    )
                });
                self.respond(call, caller, request)
            }
            Err(reason) => {
                let refused = denied(&reason).into_http();
                Box::pin(std::future::ready(refused))
            }
        };
        // The streams of `HoldService` end by themselves when the server stops, those of `tonic` do not.
        let ends_itself = matches!(call.kind, Kind::Read | Kind::Write);
        let stop = (!ends_itself).then(|| self.stop.clone().cancelled_owned());
        let responded = async move {
            let mut response = within(deadline, response).await;
            if call.kind == Kind::Read && call.is_stream {
                response.extensions_mut().insert(Counted::Parts(None));
            }
            call_metrics.observe(response.headers());
            response.headers_mut().insert(REQUEST_ID, id);
            Ok(response.map(|body| DeadlineBody::new(body, call_metrics, deadline, stop, end)))
        };
        Box::pin(responded.instrument(span))
    }
}

/// The response with its message encoded and compressed, which `tonic` would do while it is sent.
async fn packed(queries: &QueryPool, response: Response<Body>) -> Response<Body> {
    let (head, body) = response.into_parts();
    let write = move || body.collect().now_or_never();
    let whole = if is_written_here(&head) {
        Ok(write())
    } else {
        queries.finish(write).await
    };
    let whole = match whole {
        Ok(Some(Ok(whole))) => whole,
        Ok(Some(Err(status))) => return status.into_http(),
        Ok(None) => return defect(&"an answer of one message was not there").into_http(),
        Err(error) => return query_failed(error).into_http(),
    };
    let trailers = whole.trailers().cloned();
    let message = whole.to_bytes();
    if let Some(Counted::Whole(in_flight)) = head.extensions.get::<Counted>() {
        in_flight.resize(message.len());
    }
    if message.is_empty() && trailers.is_none() {
        // The status is in the headers.
        return Response::from_parts(head, Body::empty());
    }
    let trailers = std::future::ready(trailers.map(Ok));
    let body = Full::<Bytes>::new(message).with_trailers(trailers);
    Response::from_parts(head, Body::new(body))
}

/// Whether a message takes less time to write than to hand to another thread: a small one, which is not compressed.
fn is_written_here(head: &Parts) -> bool {
    match head.extensions.get::<Counted>() {
        // The service leaves those that are small uncompressed, whatever `tonic` says in the headers.
        Some(Counted::Whole(in_flight)) => is_small(in_flight.bytes()),
        Some(Counted::Parts(_)) | None => !head.headers.contains_key(GRPC_ENCODING),
    }
}

/// If a message cannot be decoded, `tonic` fails the call with a status of its own before `HoldService` sees it.
fn blame_message(response: Response<Body>) -> Response<Body> {
    match Status::from_header_map(response.headers()) {
        Some(status) if status.code() == Code::Internal && status.details().is_empty() => {
            unreadable(status).into_http()
        }
        Some(_) | None => response,
    }
}

/// Which call it is, as far as dispatching depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Call {
    /// Its name in metrics and logs.
    method: &'static str,
    kind: Kind,
    is_stream: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Sends events.
    Write,
    /// Asks for scores.
    Read,
    /// Asks for sealed rounds.
    Rounds,
    /// Operates the service.
    Operate,
    /// Asks for the contract.
    Reflection,
    /// Asks for the health of the server.
    Health,
}

/// The name of its span: service and method if it is one of ours, as in `poh.HoldMetrics/Record`.
impl fmt::Display for Call {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Write | Kind::Read | Kind::Rounds | Kind::Operate => {
                write!(out, "{}{}", &SERVICE_PREFIX[1..], self.method)
            }
            Kind::Reflection | Kind::Health => out.write_str(self.method),
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
        if let Some(name) = path.strip_prefix(SERVICE_PREFIX) {
            return match name {
                "Record" => call("Record", Kind::Write, false),
                "Broadcast" => call("Broadcast", Kind::Write, true),
                "BroadcastBatch" => call("BroadcastBatch", Kind::Write, true),
                "RecordTransfer" => call("RecordTransfer", Kind::Write, false),
                "BroadcastTransfers" => call("BroadcastTransfers", Kind::Write, true),
                "BroadcastTransferBatch" => call("BroadcastTransferBatch", Kind::Write, true),
                "Stats" => call("Stats", Kind::Read, true),
                "GetSnapshot" => call("GetSnapshot", Kind::Read, false),
                "GetLeaderboard" => call("GetLeaderboard", Kind::Read, false),
                "GetHolder" => call("GetHolder", Kind::Read, false),
                "GetDeficits" => call("GetDeficits", Kind::Read, false),
                "Watch" => call("Watch", Kind::Read, true),
                "Feed" => call("Feed", Kind::Read, true),
                "SealRound" => call("SealRound", Kind::Operate, false),
                "ListRounds" => call("ListRounds", Kind::Rounds, false),
                "GetRound" => call("GetRound", Kind::Rounds, false),
                "GetRoundProof" => call("GetRoundProof", Kind::Rounds, false),
                // `HoldMetricsServer` answers UNIMPLEMENTED.
                _ => call("unknown", Kind::Read, false),
            };
        }
        if path.starts_with("/grpc.health.v1.Health/") {
            return call("Health", Kind::Health, true);
        }
        if path.starts_with("/grpc.reflection.v1") {
            return call("Reflection", Kind::Reflection, true);
        }
        call("unknown", Kind::Reflection, false)
    }

    const fn need(self) -> Need {
        match self.kind {
            Kind::Write => Need::Key(Scope::Write),
            Kind::Read => Need::Key(Scope::Read),
            Kind::Rounds => Need::Key(Scope::Rounds),
            Kind::Operate => Need::Key(Scope::Admin),
            Kind::Reflection => Need::AnyKey,
            Kind::Health => Need::Nothing,
        }
    }
}
