//! A service of the Python package instead of the one in this process, if `HOLDMETRICS_TEST_SERVER` names a Python.
//! `tests/support/python_service.py` runs the servers; `python_lacks.txt` lists the tests that do not apply to them.

use std::io::{BufRead, BufReader as StdReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use poh_holdmetrics_rust::net::Settings;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

const LISTED: &str =
    "the servers in Python do not have it; list this test in tests/net/python_lacks.txt";

/// One process for all tests; its standard input is closed when this process ends, which ends it.
static PROCESS: OnceLock<(Child, SocketAddr)> = OnceLock::new();

/// The Python that serves, if not this process does.
pub(crate) fn chosen() -> Option<PathBuf> {
    std::env::var_os("HOLDMETRICS_TEST_SERVER").map(PathBuf::from)
}

/// Panics: the test that called needs `what`, which exists only in this process.
pub(crate) fn lacks(what: &str) -> ! {
    panic!("{what}: {LISTED}")
}

fn process(python: &Path) -> SocketAddr {
    let (_, address) = PROCESS.get_or_init(|| {
        let checkout = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut child = Command::new(python)
            .arg(checkout.join("tests/support/python_service.py"))
            .env("PYTHONPATH", checkout.join("python_pkg"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", python.display()));
        let mut line = String::new();
        let output = child.stdout.take().expect("it is piped");
        StdReader::new(output).read_line(&mut line).expect("a line");
        let port = line.trim().parse().expect("the port of a ready process");
        (child, SocketAddr::from(([127, 0, 0, 1], port)))
    });
    *address
}

/// A service of one test, which ends with the connection.
pub(crate) struct PythonServer {
    pub(crate) grpc: SocketAddr,
    pub(crate) http: SocketAddr,
    connection: tokio::sync::Mutex<BufReader<TcpStream>>,
}

impl PythonServer {
    pub(crate) async fn start(python: &Path, settings: &Settings, now_seconds: i64) -> Self {
        let usual = Settings::default();
        let (keys, limits) = (&settings.keys, &settings.limits);
        if format!("{limits:?}") != format!("{:?}", usual.limits)
            || !settings.cors_origins.is_empty()
            || !keys.anonymous.is_empty()
        {
            lacks("a setting");
        }
        let files = settings.tls.as_ref().map_or([const { None }; 3], |tls| {
            [
                Some(tls.certificate.clone()),
                Some(tls.key.clone()),
                tls.client_ca.clone(),
            ]
        });
        let asked = json!({"now": now_seconds, "keys": keys.file, "tls": files});
        let connection = TcpStream::connect(process(python)).await;
        let mut connection = BufReader::new(connection.expect("it listens"));
        let line = exchange(&mut connection, &asked.to_string()).await;
        let ports: Value = serde_json::from_str(&line).expect("it serves");
        let address = |name: &str| {
            let port = ports[name].as_u64().expect("a port");
            SocketAddr::from(([127, 0, 0, 1], u16::try_from(port).unwrap()))
        };
        Self {
            grpc: address("grpc"),
            http: address("http"),
            connection: connection.into(),
        }
    }

    pub(crate) async fn forward(&self, seconds: i64) {
        let mut connection = self.connection.lock().await;
        let answer = exchange(&mut connection, &format!("forward {seconds}")).await;
        assert_eq!(answer, "moved\n");
    }

    /// Lets it end, which `end` waits for.
    pub(crate) async fn stop(&self) {
        let mut connection = self.connection.lock().await;
        // It may have been stopped before.
        let _ = connection.write_all(b"stop\n").await;
    }

    pub(crate) async fn end(self) {
        self.stop().await;
        let mut rest = String::new();
        let mut connection = self.connection.into_inner();
        let _ = connection.read_line(&mut rest).await;
        assert_eq!(rest, "", "it says nothing and closes the connection");
    }
}

async fn exchange(connection: &mut BufReader<TcpStream>, line: &str) -> String {
    let line = format!("{line}\n");
    connection
        .write_all(line.as_bytes())
        .await
        .expect("it reads");
    let mut answer = String::new();
    connection.read_line(&mut answer).await.expect("an answer");
    answer
}
