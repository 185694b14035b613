//! Starts the built binary's service on free ports, waits for its ready line, and ends it by id.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use poh_holdmetrics_rust::net::pb::{self, hold_metrics_client::HoldMetricsClient};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::transport::{Channel, Endpoint};

/// A busy machine with two cores still starts within this.
const READY_WAIT_MAX: Duration = Duration::from_secs(60);

/// A service in a process of its own; killed when dropped.
pub(crate) struct Service {
    child: Child,
    /// As in `127.0.0.1:1234`.
    pub(crate) grpc: String,
    /// As in `127.0.0.1:1234`.
    pub(crate) http: String,
    stderr: Option<JoinHandle<String>>,
}

/// How a service ended, and what it said.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stderr: String,
}

/// `serve` on free ports over `data_dir`, not started.
pub(crate) fn command(data_dir: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_main_holdmetrics"));
    command
        .args(["serve", "--data-dir"])
        .arg(data_dir)
        .args(more)
        .env_remove("LOG_LEVEL")
        .env("GRPC_ADDRESS", "127.0.0.1:0")
        .env("HTTP_PORT", "0")
        .env_remove("OTEL_EXPORTER_OTLP_ENDPOINT")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

impl Service {
    /// Starts over `data_dir` and waits until it serves.
    pub(crate) fn start(data_dir: &Path, more: &[&str]) -> Self {
        Self::spawn(command(data_dir, more))
    }

    /// Starts `command` and waits until it serves.
    pub(crate) fn spawn(mut command: Command) -> Self {
        let mut child = command.spawn().expect("the binary starts");
        let stderr = child.stderr.take();
        let stderr = thread::spawn(move || read_all(stderr));
        let line = first_line(&mut child).recv_timeout(READY_WAIT_MAX);
        let line = line.unwrap_or_default();
        let addresses = line
            .strip_prefix("listening: grpc=")
            .and_then(|rest| rest.trim_end().split_once(" http="));
        let Some((grpc, http)) = addresses else {
            let _ = child.kill();
            let status = child.wait();
            let said = stderr.join().expect("reading ends");
            panic!("no ready line but {line:?}, {status:?}: {said}");
        };
        Self {
            grpc: grpc.to_owned(),
            http: http.to_owned(),
            child,
            stderr: Some(stderr),
        }
    }

    /// A connection to its gRPC address.
    pub(crate) async fn client(&self) -> HoldMetricsClient<Channel> {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.grpc)).expect("an address");
        HoldMetricsClient::new(endpoint.connect().await.expect("it listens"))
    }

    /// Status code and body of `GET path`.
    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.http).await.expect("it listens");
        let request = format!("GET {path} HTTP/1.0\r\nhost: localhost\r\n\r\n");
        let sent = stream.write_all(request.as_bytes()).await;
        sent.expect("it reads");
        let mut answer = String::new();
        let read = stream.read_to_string(&mut answer).await;
        read.expect("it answers");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let code = head.split(' ').nth(1).expect("a status line");
        (code.parse().expect("a number"), body.to_owned())
    }

    /// Sends a signal, as in "TERM".
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args([format!("-{name}"), self.child.id().to_string()])
            .status()
            .expect("kill is there");
        assert!(status.success(), "kill -{name}");
    }

    /// The number of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// `kill -9`, and nothing of it runs any more when this returns.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    /// Waits until it has ended; fails where that takes longer than `within`.
    pub(crate) fn wait(mut self, within: Duration) -> Ended {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child can be asked") {
                let stderr = match self.stderr.take() {
                    Some(reader) => reader.join().expect("reading ends"),
                    None => read_all(self.child.stderr.take()),
                };
                return Ended { status, stderr };
            }
            assert!(began.elapsed() < within, "still running after {within:?}");
            // The standard library has no wait with a limit.
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_all(stderr: Option<ChildStderr>) -> String {
    let mut text = String::new();
    let _ = stderr.expect("it was piped").read_to_string(&mut text);
    text
}

fn first_line(child: &mut Child) -> Receiver<String> {
    let stdout = child.stdout.take().expect("it was piped");
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut reader = BufReader::new(stdout);
        let mut line = String::new();
        let _ = reader.read_line(&mut line);
        let _ = sender.send(line);
        // Kept open: a service that writes more must not find its output closed.
        let _ = reader.read_to_end(&mut Vec::new());
    });
    receiver
}

/// The sentence of a start that fails with `code`.
#[track_caller]
pub(crate) fn refusal(mut command: Command, code: i32) -> String {
    let child = command.spawn().expect("the binary starts");
    let ended = Service {
        stderr: None,
        child,
        grpc: String::new(),
        http: String::new(),
    }
    .wait(READY_WAIT_MAX);
    assert_eq!(ended.status.code(), Some(code), "{}", ended.stderr);
    let last = ended.stderr.lines().last().unwrap_or_default();
    last.strip_prefix("error: ").expect("announced").to_owned()
}

/// One event of `holder`: held for a second at weight 1.
pub(crate) fn event(holder: &str) -> pb::HoldMsg {
    let at = |seconds| prost_types::Timestamp { seconds, nanos: 0 };
    pb::HoldMsg {
        token_id: "T".into(),
        holder_id: holder.into(),
        start: Some(at(1_700_000_000)),
        end: Some(at(1_700_000_001)),
        ..Default::default()
    }
}

/// What the binary does with the server at `address`.
pub(crate) fn run_at(address: &str, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_main_holdmetrics"))
        .args(arguments)
        .args(["--server", &format!("http://{address}")])
        .env_remove("LOG_LEVEL")
        .output()
        .expect("the binary runs")
}

/// What it said to people.
pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Who leads the leaderboard, and with what.
pub(crate) async fn scores(service: &Service) -> Vec<(String, String)> {
    let request = pb::GetLeaderboardRequest::default();
    let found = service.client().await.get_leaderboard(request).await;
    let holders = found.expect("an answer").into_inner().holders;
    let row = |holder: pb::HolderScore| (holder.holder_id, holder.score);
    holders.into_iter().map(row).collect()
}
