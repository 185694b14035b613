//! The names by which HTTP requests may address the service, and the web pages that may make them.
//!
//! Without API keys, whatever reaches the service may use it, and a browser on its machine reaches it for every page
//! that its user opens: directly, or by a name of the page's own that resolves to 127.0.0.1 (DNS rebinding). The
//! browser tells both: by the name in `host`, and by `origin` and `sec-fetch-site`. Other programs send what they
//! like there, so this protects from pages alone; `access` decides about callers.

use std::net::{Ipv4Addr, Ipv6Addr};

use axum::http::uri::Authority;
use axum::http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Version, header,
};

use super::problem::Problem;
use crate::config::Scope;
use crate::excerpt::quoted;
use crate::net::access::Need;
use crate::net::settings::Settings;

/// A browser says here whether the page that makes a request is of the same origin.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// A browser says here whether its user follows a link, or a script makes the request.
const FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// Which names and pages a service accepts.
#[derive(Debug)]
pub(in crate::net) struct Sites {
    /// Without keys, pages are told from programs.
    has_keys: bool,
    /// With TLS, a page cannot use a name of its own: the certificate is not for that name.
    has_tls: bool,
    hosts: Vec<String>,
    origins: Vec<String>,
}

impl Sites {
    /// Those of `settings`.
    pub(in crate::net) fn new(settings: &Settings) -> Self {
        Self {
            has_keys: settings.keys.file.is_some(),
            has_tls: settings.tls.is_some(),
            hosts: settings.allowed_hosts.clone(),
            origins: settings.cors_origins.clone(),
        }
    }

    /// Whose pages may call (CORS).
    pub(super) fn origins(&self) -> &[String] {
        &self.origins
    }

    /// Refuses a request that does not name exactly one host, or that comes from a page which may not make it.
    pub(super) fn admit<B>(&self, need: Need, request: &Request<B>) -> Result<(), Problem> {
        let host = host(request)?;
        if self.has_keys {
            return Ok(());
        }
        if let Some(host) = &host
            && need != Need::Nothing
            && !self.has_tls
            && !self.is_known(host)
        {
            return Err(refused(
                &header::HOST,
                &format!(
                    "without API keys the service answers to IP addresses, localhost and the names of the setting \
                     http.allowed_hosts, and not to {}",
                    quoted(host.host())
                ),
            ));
        }
        let headers = request.headers();
        let origin = headers.get(header::ORIGIN);
        if let Some(origin) = origin
            && !is_same(origin, host.as_ref())
            && !self.is_allowed(origin, need)
        {
            return Err(refused(
                &header::ORIGIN,
                &format!(
                    "without API keys no page of {} may {}",
                    quoted(&String::from_utf8_lossy(origin.as_bytes())),
                    cure(need)
                ),
            ));
        }
        let is_own = match headers.get(&FETCH_SITE).map(HeaderValue::as_bytes) {
            None | Some(b"same-origin" | b"none") => true,
            Some(_) => {
                is_followed_link(request.method(), headers)
                    || need != Need::Key(Scope::Admin)
                        && (origin.is_some() || self.are_all_allowed())
            }
        };
        if is_own {
            return Ok(());
        }
        Err(refused(
            &FETCH_SITE,
            &format!(
                "without API keys no page of another origin may {}",
                cure(need)
            ),
        ))
    }

    /// A page can give any name of its own an address, but it cannot make its browser send an address or `localhost`.
    fn is_known(&self, host: &Authority) -> bool {
        let name = host.host();
        let name = name.strip_suffix('.').unwrap_or(name);
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        bare.parse::<Ipv4Addr>().is_ok()
            || bare.parse::<Ipv6Addr>().is_ok()
            || name.eq_ignore_ascii_case("localhost")
            || self
                .hosts
                .iter()
                .any(|allowed| allowed == "*" || allowed.eq_ignore_ascii_case(name))
    }

    /// Whether pages of `origin` may make a request with this `need`. They never operate the service.
    fn is_allowed(&self, origin: &HeaderValue, need: Need) -> bool {
        let is_named = || {
            self.origins
                .iter()
                .any(|allowed| allowed.as_bytes() == origin.as_bytes())
        };
        need != Need::Key(Scope::Admin) && (self.are_all_allowed() || is_named())
    }

    fn are_all_allowed(&self) -> bool {
        self.origins.iter().any(|allowed| allowed == "*")
    }
}

/// What a page may not do, and the cure.
fn cure(need: Need) -> &'static str {
    if need == Need::Key(Scope::Admin) {
        "operate the service; give serve --api-key-file, and send a key with the scope admin"
    } else {
        "call it; name the origin in http.cors_origins, or give serve --api-key-file"
    }
}

fn refused(header: &HeaderName, detail: &str) -> Problem {
    let detail = format!("{header}: {detail}");
    Problem::of_field(StatusCode::FORBIDDEN, header.as_str(), detail)
}

/// The host that a request names; HTTP/1.0 may name none.
fn host<B>(request: &Request<B>) -> Result<Option<Authority>, Problem> {
    let bad = |detail: String| Problem::of_field(StatusCode::BAD_REQUEST, "host", detail);
    let lines: Vec<_> = request.headers().get_all(header::HOST).iter().collect();
    let named = request.uri().authority();
    let line = match lines[..] {
        [] if named.is_some() && request.version() >= Version::HTTP_2 => return Ok(named.cloned()),
        [] if request.version() <= Version::HTTP_10 => return Ok(named.cloned()),
        [] => return Err(bad("host: missing; send one header line `host`".to_owned())),
        [line] => line,
        _ => {
            let count = lines.len();
            return Err(bad(format!(
                "host: given {count} times; send one header line `host`"
            )));
        }
    };
    let host = line
        .to_str()
        .ok()
        .and_then(|text| text.parse::<Authority>().ok());
    let Some(host) = host.filter(|host| !host.host().is_empty() && !host.as_str().contains('@'))
    else {
        let text = String::from_utf8_lossy(line.as_bytes());
        return Err(bad(format!(
            "host: not a name or an address: {}",
            quoted(&text)
        )));
    };
    // A request line with a whole URL, as to a proxy, names the host that counts.
    match named {
        Some(named) if named.as_str() != host.as_str() => Err(bad(
            "host: another one than that of the request's URL".to_owned(),
        )),
        Some(_) | None => Ok(Some(host)),
    }
}

/// Whether `origin` is the service itself.
fn is_same(origin: &HeaderValue, host: Option<&Authority>) -> bool {
    let authority = origin.to_str().ok().and_then(|text| {
        text.strip_prefix("http://")
            .or_else(|| text.strip_prefix("https://"))
    });
    authority.is_some_and(|authority| {
        host.is_some_and(|host| host.as_str().eq_ignore_ascii_case(authority))
    })
}

/// Whether the browser opens the address itself, as when its user follows a link on another page. The user then sees
/// the answer, and the other page cannot read it.
fn is_followed_link(method: &Method, headers: &HeaderMap) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
        && headers
            .get(&FETCH_MODE)
            .is_some_and(|mode| mode.as_bytes() == b"navigate")
}
