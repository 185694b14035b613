//! The arguments that choose settings, shared by `serve` and `config`.

use std::path::{Path, PathBuf};

use clap::Args;

use super::failure::Failure;
use crate::config::{self, Flag, Loaded};

/// A file and the flags that lie over it; all other settings are in the file or the environment.
#[derive(Debug, Args)]
pub(super) struct SettingArguments {
    /// Settings in TOML or YAML; without this and `HOLDMETRICS_CONFIG`, no file is read
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where gRPC listens [default: 127.0.0.1:60051]
    #[arg(long, value_name = "HOST:PORT")]
    grpc_addr: Option<String>,
    /// Where HTTP listens [default: 127.0.0.1:8000]
    #[arg(long, value_name = "HOST:PORT")]
    http_addr: Option<String>,
    /// The folder of journal and state [default: ./data]
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<String>,
    /// Keep all in memory; acknowledgements say so
    #[arg(long)]
    ephemeral: bool,
    /// Certificate chain, PEM; needs --tls-key
    #[arg(long, value_name = "FILE")]
    tls_cert: Option<String>,
    /// Private key of the certificate, PEM
    #[arg(long, value_name = "FILE")]
    tls_key: Option<String>,
    /// Let in only clients with a certificate that this one has signed, PEM
    #[arg(long, value_name = "FILE")]
    tls_client_ca: Option<String>,
    /// Let in only callers with one of these API keys
    #[arg(long, value_name = "FILE")]
    api_keys: Option<String>,
    /// Allow addresses outside loopback without TLS
    #[arg(long)]
    insecure_bind: bool,
    /// How far ahead of the clock a start may lie [default: 5m]
    #[arg(long, value_name = "TIME")]
    max_future: Option<String>,
    /// The form of log lines: text or json [default: text]
    #[arg(long, value_name = "FORM")]
    log_format: Option<String>,
}

/// The file that `flag` names, else the environment, where an empty variable counts as not set.
pub(super) fn file(flag: Option<&Path>) -> Option<PathBuf> {
    let variable = || std::env::var_os("HOLDMETRICS_CONFIG").filter(|name| !name.is_empty());
    flag.map(Path::to_owned)
        .or_else(|| variable().map(PathBuf::from))
}

impl SettingArguments {
    /// The settings of this process: default, file, environment, flags.
    pub(super) fn load(&self) -> Result<Loaded, Failure> {
        let flags = self.flags()?;
        Ok(config::load(
            file(self.config.as_deref()).as_deref(),
            std::env::vars_os(),
            &flags,
        )?)
    }

    fn flags(&self) -> Result<Vec<Flag>, Failure> {
        let switch = |is_on: bool| is_on.then(|| "true".to_owned());
        let (host, port) = self.http_address()?.unzip();
        let chosen = [
            ("grpc.address", "--grpc-addr", self.grpc_addr.clone()),
            ("http.host", "--http-addr", host),
            ("http.port", "--http-addr", port),
            ("store.data_dir", "--data-dir", self.data_dir.clone()),
            ("store.ephemeral", "--ephemeral", switch(self.ephemeral)),
            ("tls.cert", "--tls-cert", self.tls_cert.clone()),
            ("tls.key", "--tls-key", self.tls_key.clone()),
            (
                "tls.client_ca",
                "--tls-client-ca",
                self.tls_client_ca.clone(),
            ),
            ("keys.file", "--api-keys", self.api_keys.clone()),
            (
                "server.insecure_bind",
                "--insecure-bind",
                switch(self.insecure_bind),
            ),
            ("intake.max_future", "--max-future", self.max_future.clone()),
            ("log.format", "--log-format", self.log_format.clone()),
        ];
        Ok(chosen
            .into_iter()
            .filter_map(|(key, flag, text)| text.map(|text| Flag { key, flag, text }))
            .collect())
    }

    /// Two settings in one flag.
    fn http_address(&self) -> Result<Option<(String, String)>, Failure> {
        let Some(text) = &self.http_addr else {
            return Ok(None);
        };
        match text.rsplit_once(':') {
            Some((host, port)) => Ok(Some((host.to_owned(), port.to_owned()))),
            None => Err(Failure::Usage(format!(
                "--http-addr: {text:?} is not an address as in 127.0.0.1:8000 or [::1]:8000"
            ))),
        }
    }
}
