//! Traces and figures as a receiver of OTLP sees them: one of our own, built from the standard's proto.
#![cfg(unix)]

mod serve_support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

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
use serve_support::{Service, command, event};
use tempfile::tempdir;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

#[derive(Clone, Default)]
struct Receiver {
    traces: Arc<Mutex<Vec<ExportTraceServiceRequest>>>,
    metrics: Arc<Mutex<Vec<ExportMetricsServiceRequest>>>,
}

#[tonic::async_trait]
impl TraceService for Receiver {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
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

#[tokio::test(flavor = "multi_thread")]
async fn calls_arrive_as_spans_and_figures_under_the_names_of_prometheus() {
    let receiver = Receiver::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(
        tonic::transport::Server::builder()
            .add_service(TraceServiceServer::new(receiver.clone()))
            .add_service(MetricsServiceServer::new(receiver.clone()))
            .serve_with_incoming(TcpListenerStream::new(listener)),
    );

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

    let traces = receiver.traces.lock().expect("no panic");
    let mut calls = 0;
    for spans in traces.iter().flat_map(|request| &request.resource_spans) {
        let resource = spans.resource.as_ref().expect("a resource");
        assert_eq!(
            text(&resource.attributes, "service.name").as_deref(),
            Some("punks")
        );
        for span in spans.scope_spans.iter().flat_map(|scope| &scope.spans) {
            let is_call = text(&span.attributes, "method").as_deref() == Some("Record");
            assert!(span.end_time_unix_nano >= span.start_time_unix_nano);
            if is_call {
                let id = text(&span.attributes, "request_id").expect("a request id");
                assert!(!id.is_empty());
                calls += 1;
            }
        }
    }
    assert_eq!(calls, 3, "one span a call: {traces:?}");

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

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_away_costs_no_call_and_no_clean_end() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = closed.local_addr().expect("bound");
    drop(closed);
    let folder = tempdir().expect("a folder");
    let mut serve = command(folder.path(), &[]);
    serve.env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{address}"));
    let service = Service::spawn(serve);
    service
        .client()
        .await
        .record(event("a"))
        .await
        .expect("taken");
    service.signal("TERM");
    let ended = service.wait(Duration::from_secs(9));
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    assert!(
        ended
            .stderr
            .contains("The receiver of figures cannot be reached."),
        "{}",
        ended.stderr
    );
}
