//! The arguments that say which server is meant, shared by `send`, `feed`, `load` and `airdrop`.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use hyper::Uri;
use tokio::runtime::Runtime;

use super::exit::Exit;
use crate::client::Target;
use crate::config;
use crate::excerpt::quoted;

/// A server, and the API key that is sent to it.
#[derive(Debug, Args)]
pub(super) struct TargetArguments {
    /// Address of the server; a server on this machine without TLS needs no http:// [default:
    /// where serve listens by default]
    #[arg(long, value_name = "URL")]
    pub(super) server: Option<String>,
    /// Certificate authorities in PEM, one of which signed the server's certificate [default: those
    /// of the system]
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// File that holds the API key and nothing else
    #[arg(long, value_name = "FILE")]
    api_key_file: Option<PathBuf>,
}

/// What a client runs on: the thread that calls it.
pub(super) fn runtime() -> anyhow::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the threads of the client cannot be started")
}

impl TargetArguments {
    /// The server, by default the gRPC address of `serve`.
    pub(super) fn target(&self) -> anyhow::Result<Target> {
        self.target_at(&config::Grpc::default().address().to_string())
    }

    /// The server, by default the one at `address`.
    pub(super) fn target_at(&self, address: &str) -> anyhow::Result<Target> {
        let target = Target {
            url: url(self.server.as_deref().unwrap_or(address))?,
            authority: read(self.ca.as_deref(), "--ca")?,
            key: self.key()?,
        };
        if target.authority.is_some() && !target.has_tls() {
            return Err(Exit::usage(format!(
                "--ca: {} is an address without TLS; begin --server with https://",
                target.url
            )));
        }
        Ok(target)
    }

    /// The API key, if any.
    pub(super) fn key(&self) -> anyhow::Result<Option<String>> {
        let flag = "--api-key-file";
        let Some(bytes) = read(self.api_key_file.as_deref(), flag)? else {
            return Ok(None);
        };
        match String::from_utf8(bytes) {
            Ok(text) if !text.trim().is_empty() => Ok(Some(text.trim().to_owned())),
            Ok(_) | Err(_) => Err(Exit::usage(format!("{flag}: the file holds no key"))),
        }
    }
}

/// The URL of an address, which may lack `http://` if it is one of this machine.
fn url(address: &str) -> anyhow::Result<String> {
    let invalid = || {
        Exit::usage(format!(
            "--server: {} is not an address as in https://holdmetrics.example.org:60051",
            quoted(address)
        ))
    };
    let host = |url: &Uri| {
        url.host()
            .filter(|host| !host.is_empty())
            .map(str::to_owned)
    };
    if address.contains("://") {
        let parsed: Uri = address.parse().map_err(|_| invalid())?;
        let is_known = matches!(parsed.scheme_str(), Some("http" | "https"));
        host(&parsed).filter(|_| is_known).ok_or_else(invalid)?;
        return Ok(address.to_owned());
    }
    let url = format!("http://{address}");
    let host = url
        .parse()
        .ok()
        .as_ref()
        .and_then(host)
        .ok_or_else(invalid)?;
    let ip = host.trim_matches(['[', ']']).parse::<IpAddr>();
    if host == "localhost" || ip.is_ok_and(|ip| ip.to_canonical().is_loopback()) {
        return Ok(url);
    }
    Err(Exit::usage(format!(
        "--server: {address:?} is not on this machine: say https://{address}, or http://{address} if \
         the server has no TLS"
    )))
}

fn read(path: Option<&Path>, flag: &str) -> anyhow::Result<Option<Vec<u8>>> {
    let Some(path) = path else {
        return Ok(None);
    };
    std::fs::read(path)
        .map(Some)
        .with_context(|| Exit::Usage(format!("{flag} {}: cannot be read", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_this_machine_needs_no_scheme() {
        for (address, expected) in [
            ("127.0.0.1:60051", "http://127.0.0.1:60051"),
            ("localhost:1", "http://localhost:1"),
            ("[::1]:1", "http://[::1]:1"),
            ("http://example.org", "http://example.org"),
            ("https://10.0.0.1:1", "https://10.0.0.1:1"),
        ] {
            assert_eq!(url(address).unwrap(), expected);
        }
    }

    #[test]
    fn other_addresses_say_whether_they_have_tls() {
        let refused = |address: &str| url(address).unwrap_err().to_string();
        for address in ["example.org:60051", "10.0.0.1", "0.0.0.0:1"] {
            let said = refused(address);
            assert!(
                said.contains(&format!("say https://{address}, or")),
                "{said}"
            );
        }
        for address in [
            "",
            ":80",
            "a b",
            "ftp://127.0.0.1",
            "http://",
            "https:///x",
            "/x",
        ] {
            let said = refused(address);
            assert!(
                said.contains(&format!("{address:?} is not an address")),
                "{said}"
            );
        }
    }
}
