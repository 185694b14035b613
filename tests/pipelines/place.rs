//! A folder with a pipeline file, and a service that runs it.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Service, command, event};

/// A busy machine does within this what takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(40);

/// The folder of one test.
pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    /// A folder with `p.py` of this text. `{folder}` in it is the folder.
    pub(crate) fn new(script: &str) -> Self {
        let place = Self {
            folder: tempfile::tempdir().expect("a folder"),
        };
        place.rewrite(script);
        place
    }

    /// The same file with another text.
    pub(crate) fn rewrite(&self, script: &str) {
        let folder = self.folder.path().to_string_lossy();
        let script = script.replace("{folder}", &folder);
        std::fs::write(self.path("p.py"), script).expect("the file can be written");
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The lines of a file; none if it does not exist.
    pub(crate) fn lines(&self, name: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.path(name)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Starts a service over `data` in the folder with the pipeline.
    pub(crate) fn serve(&self) -> Service {
        self.serve_with(&[])
    }

    /// The same with variables.
    pub(crate) fn serve_with(&self, variables: &[(&str, &str)]) -> Service {
        let mut command = self.command();
        command.envs(variables.iter().copied());
        Service::spawn(command)
    }

    /// The command that starts it, for more arguments.
    pub(crate) fn command(&self) -> Command {
        let script = self.path("p.py");
        let script = script.to_str().expect("a path that is text");
        let mut command = command(&self.path("data"), &["--pipeline", script]);
        command.current_dir(self.folder.path());
        command
    }
}

/// Sends one event of each holder over gRPC.
pub(crate) async fn record(service: &Service, holders: &[&str]) {
    let mut client = service.client().await;
    for holder in holders {
        client.record(event(holder)).await.expect("taken");
    }
}

/// Status code and JSON of a request with an empty or a JSON body.
pub(crate) async fn ask(service: &Service, method: &str, path: &str, body: &str) -> (u16, Value) {
    let mut stream = TcpStream::connect(&service.http).await.expect("it listens");
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.0\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    let sent = stream.write_all(request.as_bytes()).await;
    sent.expect("it reads");
    let mut answer = String::new();
    let read = stream.read_to_string(&mut answer).await;
    read.expect("it answers");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let code = head.split(' ').nth(1).expect("a status line");
    let body = serde_json::from_str(body).unwrap_or(Value::Null);
    (code.parse().expect("a number"), body)
}

/// What operators see.
pub(crate) async fn report(service: &Service) -> Value {
    let (code, report) = ask(service, "GET", "/admin/pipelines", "").await;
    assert_eq!(code, 200, "{report}");
    report
}

/// Waits until `is_so`.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < PATIENCE, "never: {what}");
        // What is waited for is the work of another process.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
