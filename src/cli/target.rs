//! The arguments that say which server is meant, shared by `send` and `load`.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use hyper::Uri;

use super::exit::Exit;
use crate::client::Target;

/// A server and what it is shown.
#[derive(Debug, Args)]
pub(super) struct TargetArguments {
    /// Where the server is; https needs --ca [default: the default of serve]
    #[arg(long, value_name = "URL")]
    pub(super) server: Option<String>,
    /// Who has signed the server's certificate, PEM
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// A file that holds the API key alone
    #[arg(long, value_name = "FILE")]
    api_key_file: Option<PathBuf>,
}

impl TargetArguments {
    /// The server that is meant, its gRPC address by default.
    pub(super) fn target(&self) -> anyhow::Result<Target> {
        let url = self.server.clone();
        let url = url.unwrap_or_else(|| "http://127.0.0.1:60051".into());
        let parsed = url.parse::<Uri>().ok();
        let parsed = parsed.filter(|parsed| parsed.host().is_some_and(|host| !host.is_empty()));
        let is_tls = match parsed.as_ref().and_then(Uri::scheme_str) {
            Some("http") => false,
            Some("https") => true,
            _ => {
                return Err(Exit::usage(format!(
                    "--server: {url:?} is no URL as in http://127.0.0.1:60051"
                )));
            }
        };
        if is_tls != self.ca.is_some() {
            return Err(Exit::usage(
                "--server, --ca: https and the certificate of who signed the server's belong together",
            ));
        }
        Ok(Target {
            url,
            authority: read(self.ca.as_deref(), "--ca")?,
            key: self.key()?,
        })
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

fn read(path: Option<&Path>, flag: &str) -> anyhow::Result<Option<Vec<u8>>> {
    let Some(path) = path else {
        return Ok(None);
    };
    std::fs::read(path)
        .map(Some)
        .with_context(|| Exit::Usage(format!("{flag} {}: cannot be read", path.display())))
}
