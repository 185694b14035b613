//! Traces and metrics as an OTLP collector receives them: one of the tests, built from the proto files of OTLP.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::{Service, command, event, refusal};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, Status as SpanStatus};
use poh_holdmetrics_rust::net::pb::Durability;
use tempfile::tempdir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

#[derive(Clone, Default)]
struct Receiver {
    traces: Arc<Mutex<Vec<ExportTraceServiceRequest>>>,
    metrics: Arc<Mutex<Vec<ExportMetricsServiceRequest>>>,
    /// The header `authorization` of every export, whatever it held.
    tokens: Arc<Mutex<Vec<String>>>,
}

impl Receiver {
    /// Receives from now on; gives itself and its address.
    async fn start() -> (Self, SocketAddr) {
        let receiver = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        tokio::spawn(
            tonic::transport::Server::builder()
                .add_service(TraceServiceServer::new(receiver.clone()))
                .add_service(MetricsServiceServer::new(receiver.clone()))
                .serve_with_incoming(TcpListenerStream::new(listener)),
        );
        (receiver, address)
    }

    fn note_token<T>(&self, request: &Request<T>) {
        let token = request.metadata().get("authorization");
        let token = token.map_or("", |token| token.to_str().expect("text"));
        self.tokens.lock().expect("no panic").push(token.to_owned());
    }

    /// All spans so far, with the attributes of who sent them.
    fn spans(&self) -> Vec<(Vec<KeyValue>, Span)> {
        let traces = self.traces.lock().expect("no panic");
        let resources = traces.iter().flat_map(|request| &request.resource_spans);
        resources
            .flat_map(|spans| {
                let resource = spans.resource.as_ref().expect("a resource");
                let all = spans.scope_spans.iter().flat_map(|scope| &scope.spans);
                all.map(|span| (resource.attributes.clone(), span.clone()))
            })
            .collect()
    }
}

#[tonic::async_trait]
impl TraceService for Receiver {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.note_token(&request);
        self.traces
            .lock()
            .expect("no panic")
            .push(request.into_inner());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Receiver {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        self.note_token(&request);
        self.metrics
            .lock()
            .expect("no panic")
            .push(request.into_inner());
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

fn text(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        any_value::Value::StringValue(text) => Some(text.clone()),
        other => Some(format!("{other:?}")),
    }
}

fn number(attributes: &[KeyValue], key: &str) -> Option<i64> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        any_value::Value::IntValue(number) => Some(*number),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_arrive_as_spans_and_figures_under_the_names_of_prometheus() {
    let (receiver, address) = Receiver::start().await;
    let folder = tempdir().expect("a folder");
    let mut serve = command(folder.path(), &[]);
    serve
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{address}"))
        .env("OTEL_SERVICE_NAME", "punks")
        .env("LOG_LEVEL", "error");
    let service = Service::spawn(serve);
    for holder in ["a", "b", "c"] {
        service
            .client()
            .await
            .record(event(holder))
            .await
            .expect("taken");
    }
    service.signal("TERM");
    let ended = service.wait(Duration::from_secs(9));
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);

    let mut calls = 0;
    for (resource, span) in receiver.spans() {
        assert_eq!(text(&resource, "service.name").as_deref(), Some("punks"));
        assert_eq!(
            text(&resource, "service.version").as_deref(),
            Some(env!("CARGO_PKG_VERSION"))
        );
        assert!(span.end_time_unix_nano >= span.start_time_unix_nano);
        if span.name == "poh.HoldMetrics/Record" {
            assert_eq!(span.kind, i32::from(SpanKind::Server));
            let id = text(&span.attributes, "request_id").expect("a request id");
            assert!(!id.is_empty());
            assert_eq!(number(&span.attributes, "rpc.grpc.status_code"), Some(0));
            calls += 1;
        }
    }
    assert_eq!(calls, 3, "one span a call: {:?}", receiver.spans());

    let metrics = receiver.metrics.lock().expect("no panic");
    // The last export is made at the end and has everything.
    let last = &metrics.last().expect("an export").resource_metrics[0];
    let found = &last.scope_metrics[0].metrics;
    let metric = |name: &str| {
        let metric = found.iter().find(|metric| metric.name == name);
        metric.unwrap_or_else(|| panic!("{name}")).data.clone()
    };
    let Some(Data::Sum(accepted)) = metric("holdmetrics_events_accepted_total") else {
        panic!("a counter is a sum");
    };
    assert_eq!(accepted.data_points[0].value, Some(Value::AsDouble(3.0)));
    let Some(Data::Gauge(holders)) = metric("holdmetrics_holders") else {
        panic!("a gauge stays one");
    };
    assert_eq!(holders.data_points[0].value, Some(Value::AsDouble(3.0)));
    let Some(Data::Histogram(fsync)) = metric("holdmetrics_journal_fsync_seconds") else {
        panic!("a histogram stays one");
    };
    assert!(fsync.data_points[0].count >= 1);
}

/// One request over HTTP/1.0 with this head; gives its status.
async fn ask(service: &Service, head: &str) -> String {
    let mut stream = TcpStream::connect(&service.http).await.expect("it listens");
    let request = format!("{head}\r\nhost: localhost\r\n\r\n");
    stream
        .write_all(request.as_bytes())
        .await
        .expect("it reads");
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .await
        .expect("it answers");
    answer.split(' ').nth(1).expect("a status").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_both_protocols_join_the_trace_of_their_caller_and_tell_how_they_ended() {
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const PARENT: &str = "00f067aa0ba902b7";
    let traceparent = format!("00-{TRACE}-{PARENT}-01");
    let (receiver, address) = Receiver::start().await;
    let folder = tempdir().expect("a folder");
    let mut serve = command(folder.path(), &[]);
    serve.env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{address}"));
    let service = Service::spawn(serve);
    let mut request = Request::new(event("ann"));
    let value = traceparent.parse().expect("a header");
    request.metadata_mut().insert("traceparent", value);
    service.client().await.record(request).await.expect("taken");
    let head = format!("GET /leaderboard?n=x HTTP/1.0\r\ntraceparent: {traceparent}");
    assert_eq!(ask(&service, &head).await, "400");
    // One without a trace begins its own, and so does one whose header makes no sense.
    assert_eq!(ask(&service, "GET /stats HTTP/1.0").await, "200");
    let head = "GET /healthz HTTP/1.0\r\ntraceparent: nonsense";
    assert_eq!(ask(&service, head).await, "200");
    service.signal("TERM");
    let ended = service.wait(Duration::from_secs(9));
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);

    let spans = receiver.spans();
    let span = |name: &str| {
        let found = spans.iter().find(|(_, span)| span.name == name);
        &found.unwrap_or_else(|| panic!("{name}: {spans:?}")).1
    };
    let id = |digits: &str| -> Vec<u8> {
        let pairs = (0..digits.len()).step_by(2);
        let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect("digits");
        pairs.map(byte).collect()
    };
    for name in ["poh.HoldMetrics/Record", "GET /leaderboard"] {
        let span = span(name);
        assert_eq!(span.trace_id, id(TRACE), "{name}");
        assert_eq!(span.parent_span_id, id(PARENT), "{name}");
    }
    for name in ["GET /stats", "GET /healthz"] {
        let span = span(name);
        assert_ne!(span.trace_id, id(TRACE), "{name}");
        assert!(span.parent_span_id.is_empty(), "{name}");
        assert_eq!(span.kind, i32::from(SpanKind::Server), "{name}");
    }
    let code = |name| number(&span(name).attributes, "http.response.status_code");
    assert_eq!(code("GET /leaderboard"), Some(400));
    assert_eq!(code("GET /stats"), Some(200));
}

/// A call that watches until its time of a millisecond is over.
async fn watch_too_long(service: &Service) {
    let client = Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http();
    let request = hyper::Request::post(format!("http://{}/poh.HoldMetrics/Watch", service.grpc))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("grpc-timeout", "1m")
        .body(Full::new(Bytes::from_static(&[0; 5])))
        .expect("a request");
    let answer = client.request(request).await.expect("an answer");
    let head = answer.headers().get("grpc-status").cloned();
    let body = answer.into_body().collect().await.expect("it ends");
    let trailers = body.trailers().cloned().unwrap_or_default();
    let status = head.or_else(|| trailers.get("grpc-status").cloned());
    assert_eq!(status.expect("a status"), "4");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_the_server_did_not_answer_in_time_is_an_error_and_a_refused_one_is_none() {
    let (receiver, address) = Receiver::start().await;
    let folder = tempdir().expect("a folder");
    let mut serve = command(folder.path(), &[]);
    serve.env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{address}"));
    let service = Service::spawn(serve);
    watch_too_long(&service).await;
    let refused = service.client().await.record(event("")).await;
    refused.expect_err("no holder");
    service.signal("TERM");
    let ended = service.wait(Duration::from_secs(9));
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    let spans = receiver.spans();
    for (name, code, is_error) in [
        ("poh.HoldMetrics/Watch", 4, true),
        ("poh.HoldMetrics/Record", 3, false),
    ] {
        let found = spans.iter().find(|(_, span)| span.name == name);
        let (_, span) = found.unwrap_or_else(|| panic!("{name}: {spans:?}"));
        assert_eq!(number(&span.attributes, "rpc.grpc.status_code"), Some(code));
        let status = span
            .status
            .as_ref()
            .map_or(StatusCode::Unset, SpanStatus::code);
        assert_eq!(status == StatusCode::Error, is_error, "{name}: {span:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_from_the_environment_are_sent_with_spans_and_metrics() {
    let (receiver, address) = Receiver::start().await;
    let folder = tempdir().expect("a folder");
    let mut serve = command(folder.path(), &[]);
    serve
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{address}"))
        .env("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20abc");
    let service = Service::spawn(serve);
    let taken = service.client().await.record(event("a")).await;
    taken.expect("taken");
    service.signal("TERM");
    let ended = service.wait(Duration::from_secs(9));
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    let tokens = receiver.tokens.lock().expect("no panic");
    // Spans once, figures once.
    assert!(tokens.len() >= 2, "{tokens:?}");
    assert!(
        tokens.iter().all(|token| token == "Bearer abc"),
        "{tokens:?}"
    );
}

#[test]
fn variables_that_ask_for_what_is_not_spoken_end_the_start() {
    let folder = tempdir().expect("a folder");
    for (name, text) in [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
    ] {
        let mut serve = command(folder.path(), &[]);
        serve
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
            .env(name, text);
        let sentence = refusal(serve, 2);
        assert!(
            sentence.starts_with(&format!("{name}: {text:?} is not supported")),
            "{sentence}"
        );
        // Without a receiver nothing is sent, and the variable is not ours to judge.
        let mut serve = command(folder.path(), &[]);
        serve.env(name, text);
        drop(Service::spawn(serve));
    }
}

/// An acknowledgement waits for the disk alone, never for who is sent spans and figures.
#[tokio::test(flavor = "multi_thread")]
async fn d7_an_unavailable_collector_changes_no_acknowledgement() {
    let bind = || std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let dead = bind().local_addr().expect("bound");
    // The system accepts for it, and it never answers.
    let mute = bind();
    let mute_address = mute.local_addr().expect("bound");
    for address in [dead, mute_address] {
        let folder = tempdir().expect("a folder");
        let mut serve = command(folder.path(), &[]);
        serve
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{address}"))
            .env("HOLDMETRICS_OTLP_METRICS_INTERVAL", "1s");
        let service = Service::spawn(serve);
        let mut client = service.client().await;
        for number in 1..=100 {
            let ack = client.record(event(&format!("holder-{number}"))).await;
            let ack = ack.expect("taken").into_inner();
            assert_eq!((ack.sequence, ack.accepted), (number, 1));
            assert_eq!(ack.durability(), Durability::Durable);
        }
        service.signal("TERM");
        let ended = service.wait(Duration::from_secs(9));
        assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
        assert!(ended.stderr.contains("Stopped."), "{}", ended.stderr);
        let is_told = [
            "is unavailable",
            "not exported in time",
            "could not be exported",
        ]
        .iter()
        .any(|words| ended.stderr.contains(words));
        assert!(is_told, "{}", ended.stderr);

        let again = Service::start(folder.path(), &[]);
        let ack = again.client().await.record(event("last")).await;
        assert_eq!(ack.expect("taken").into_inner().sequence, 101);
    }
    drop(mute);
}
