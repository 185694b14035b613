//! A service on its own sockets, and clients for it: in this process, or in Python (see `python_server`).

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::python_server::{self, PythonServer};
use axum::http::{HeaderMap, Request, request};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use poh_holdmetrics_rust::core::Micros;
use poh_holdmetrics_rust::engine::{Clock, Engine, Options};
use poh_holdmetrics_rust::net::pb::HoldMsg;
use poh_holdmetrics_rust::net::pb::hold_metrics_client::HoldMetricsClient;
use poh_holdmetrics_rust::net::{Administration, Credentials, Listeners, Server, Settings};
use poh_holdmetrics_rust::telemetry::metrics::Metrics;
use prost_types::Timestamp;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Endpoint};

/// The time limit of each step of a test; one process in Python serves all tests at the same time.
fn patience() -> Duration {
    Duration::from_secs(if python_server::chosen().is_some() {
        120
    } else {
        20
    })
}

/// 2025-01-01T00:00:00Z, when the test clock starts.
pub(crate) const NOW_SECONDS: i64 = 1_735_689_600;

/// A clock that advances only when a test moves it.
struct TestClock(AtomicI64);

impl TestClock {
    fn forward(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Micros {
        Micros::new(self.0.load(Ordering::SeqCst)).expect("a usual time")
    }
}

/// A service that runs in the background of a test and ends with it.
pub(crate) struct Service {
    pub(crate) grpc: SocketAddr,
    pub(crate) http: SocketAddr,
    running: Running,
}

enum Running {
    Here(Here),
    InPython(PythonServer),
}

/// A service in this process, and its parts.
struct Here {
    engine: Arc<Engine>,
    clock: Arc<TestClock>,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Service {
    pub(crate) async fn start() -> Self {
        Self::with(Settings::default()).await
    }

    /// Starts a service with these settings: the one in Python, if the tests are run against that.
    pub(crate) async fn with(settings: Settings) -> Self {
        let Some(python) = python_server::chosen() else {
            return Self::on(settings, Options::in_memory()).await;
        };
        let server = PythonServer::start(&python, &settings, NOW_SECONDS).await;
        Self {
            grpc: server.grpc,
            http: server.http,
            running: Running::InPython(server),
        }
    }

    /// Starts a service whose events are stored in `folder`.
    pub(crate) async fn stored_in(folder: &Path) -> Self {
        Self::on(Settings::default(), Options::in_folder(folder)).await
    }

    /// Starts a service with an engine of these options.
    pub(crate) async fn on(settings: Settings, options: Options) -> Self {
        Self::served(settings, options, |server| server).await
    }

    /// Starts a service whose pipelines `administration` operates.
    pub(crate) async fn administered(
        settings: Settings,
        administration: Arc<dyn Administration>,
    ) -> Self {
        Self::served(settings, Options::in_memory(), |server| {
            server.administered_by(administration)
        })
        .await
    }

    async fn served(
        settings: Settings,
        options: Options,
        complete: impl FnOnce(Server) -> Server,
    ) -> Self {
        if python_server::chosen().is_some() {
            python_server::lacks("an engine with options");
        }
        let clock = Arc::new(TestClock(AtomicI64::new(NOW_SECONDS * 1_000_000)));
        let metrics = Arc::clone(&options.metrics);
        let engine = Engine::open(options, Arc::clone(&clock) as Arc<dyn Clock>);
        let engine = Arc::new(engine.expect("nothing is stored"));
        let bind = || TcpListener::bind("127.0.0.1:0");
        let (grpc, http) = (bind().await.unwrap(), bind().await.unwrap());
        let (grpc_address, http_address) = (grpc.local_addr().unwrap(), http.local_addr().unwrap());
        let credentials = Credentials::read(&settings, &metrics).expect("usable settings");
        let server = Server::new(
            Arc::clone(&engine),
            settings,
            credentials,
            Arc::clone(&metrics),
        );
        let stop = CancellationToken::new();
        let listeners = Listeners {
            grpc: Some(grpc),
            http: Some(http),
        };
        let task = tokio::spawn(complete(server).run(listeners, stop.clone()));
        Self {
            grpc: grpc_address,
            http: http_address,
            running: Running::Here(Here {
                engine,
                clock,
                metrics,
                stop,
                task,
            }),
        }
    }

    fn here(&self) -> &Here {
        match &self.running {
            Running::Here(here) => here,
            Running::InPython(_) => python_server::lacks("a part of the service in this process"),
        }
    }

    /// The engine, which only a service in this process has.
    pub(crate) fn engine(&self) -> &Engine {
        &self.here().engine
    }

    /// The engine of a service in this process.
    pub(crate) fn engine_here(&self) -> Option<&Engine> {
        match &self.running {
            Running::Here(here) => Some(&here.engine),
            Running::InPython(_) => None,
        }
    }

    /// The figures as values, which only a service in this process has.
    pub(crate) fn metrics(&self) -> &Metrics {
        &self.here().metrics
    }

    /// Moves the clock of the service.
    pub(crate) async fn forward(&self, seconds: i64) {
        match &self.running {
            Running::Here(here) => here.clock.forward(seconds),
            Running::InPython(server) => within(server.forward(seconds)).await,
        }
    }

    /// The number of the last event.
    pub(crate) async fn sequence(&self) -> u64 {
        match &self.running {
            Running::Here(here) => here.engine.sequence(),
            Running::InPython(_) => {
                let answer = self.get("/leaderboard?limit=1").await.json();
                answer["sequence"].as_u64().expect("a number")
            }
        }
    }

    /// The stop signal, as SIGTERM gives it.
    pub(crate) async fn stop(&self) {
        match &self.running {
            Running::Here(here) => here.stop.cancel(),
            Running::InPython(server) => server.stop().await,
        }
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        Endpoint::from_shared(format!("http://{}", self.grpc)).expect("an address")
    }

    pub(crate) async fn channel(&self) -> Channel {
        self.endpoint().connect().await.expect("it listens")
    }

    pub(crate) async fn client(&self) -> HoldMetricsClient<Channel> {
        HoldMetricsClient::new(self.channel().await)
    }

    /// Stops it and waits for its end.
    pub(crate) async fn end(self) {
        self.stop().await;
        match self.running {
            Running::Here(here) => within(here.task).await.expect("no panic"),
            Running::InPython(server) => within(server.end()).await,
        }
    }
}

/// The output of `future`; panics after the time limit.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(patience(), future)
        .await
        .expect("it comes in time")
}

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp { seconds, nanos: 0 }
}

/// Held from `start` to `end`, both in seconds since 1970, at weight 1.
pub(crate) fn hold(token_id: &str, holder_id: &str, start: i64, end: i64) -> HoldMsg {
    HoldMsg {
        token_id: token_id.to_owned(),
        holder_id: holder_id.to_owned(),
        start: Some(at(start)),
        end: Some(at(end)),
        ..HoldMsg::default()
    }
}

/// An event as JSON: `holder` holds the token for `seconds`.
pub(crate) fn line(holder: &str, seconds: u64) -> String {
    json!({"token_id": "T", "holder_id": holder, "start": 0, "end": seconds * 1_000}).to_string()
}

/// An answer over HTTP.
pub(crate) struct HttpAnswer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl HttpAnswer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("plain text"))
    }

    /// The problem document of a response that must have this status.
    pub(crate) fn problem(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["status"], status);
        assert_eq!(problem["type"], "about:blank");
        problem
    }
}

/// Sends one request with any body.
pub(crate) async fn send<B>(request: Request<B>) -> HttpAnswer
where
    B: BodyExt<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let client = Client::builder(TokioExecutor::new()).build_http();
    let response = within(client.request(request)).await.expect("an answer");
    let (head, body) = response.into_parts();
    HttpAnswer {
        status: head.status.as_u16(),
        headers: head.headers,
        body: within(body.collect()).await.expect("a body").to_bytes(),
    }
}

impl Service {
    pub(crate) fn request(&self, method: &str, path: &str) -> request::Builder {
        Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.http))
    }

    pub(crate) async fn get(&self, path: &str) -> HttpAnswer {
        send(self.request("GET", path).body(Full::default()).unwrap()).await
    }

    pub(crate) async fn post(&self, content_type: &str, body: impl Into<Bytes>) -> HttpAnswer {
        let request = self
            .request("POST", "/hold")
            .header("content-type", content_type);
        send(request.body(Full::new(body.into())).unwrap()).await
    }
}

impl Service {
    /// The value of one series, as Prometheus reads it.
    pub(crate) async fn metrics_line(&self, series: &str) -> Option<String> {
        let page = match &self.running {
            Running::Here(here) => String::from_utf8(here.metrics.render()).expect("text"),
            Running::InPython(_) => self.get("/metrics").await.text(),
        };
        let line = page.lines().find(|line| line.starts_with(series))?;
        let value = line[series.len()..].trim();
        // Prometheus reads every value as a double, and Python writes it as one.
        Some(value.strip_suffix(".0").unwrap_or(value).to_owned())
    }
}
