//! Errors as problem documents (RFC 9457) that name the invalid field.
//!
//! Every response with status 400 or above is one, whether a handler, the router or a layer found the error; see
//! `middleware`.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use crate::engine::{FeedError, SubmitError};
use crate::net::access::Denied;
use crate::net::administration::{AdminError, AdminErrorKind};
use crate::net::feed::FeedRefusal;
use crate::net::lifetime::CallEnd;
use crate::net::query_pool::QueryError;

/// The media type of a problem.
pub(in crate::net) const PROBLEM_JSON: &str = "application/problem+json";

/// What went wrong (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Problem {
    /// Always `about:blank`: the status is the kind of problem.
    #[serde(rename = "type")]
    kind: Kind,
    /// The name of the status.
    #[schema(value_type = String, example = "Bad Request")]
    title: Title,
    /// The status of the response.
    #[schema(example = 400)]
    status: u16,
    /// One sentence: what is wrong and how to correct it.
    #[schema(example = "end: before start")]
    detail: Box<str>,
    /// The name of the reason, as in the details of gRPC, if the request was valid and cannot be served.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "DISK_FULL")]
    code: Option<&'static str>,
    /// The invalid field, parameter or header.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "end")]
    field: Option<Box<str>>,
    /// Events of a failed streamed request that are stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted: Option<u64>,
    /// The last line of a failed streamed request that was read, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    /// Goes on with the next page over the present state, if the leaderboard of the page before is no longer kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    page_token: Option<Rare>,
    /// What Python reported, if a pipeline failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    traceback: Option<Rare>,
    #[serde(skip)]
    headers: Box<[(HeaderName, HeaderValue)]>,
}

/// A text that few problems have: one word in the others, because each result of a handler may be a problem.
#[derive(Debug, Serialize)]
struct Rare(Box<Box<str>>);

impl From<String> for Rare {
    fn from(text: String) -> Self {
        Self(Box::new(text.into()))
    }
}

/// The status whose name is the title.
#[derive(Debug)]
struct Title(StatusCode);

impl Serialize for Title {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.canonical_reason().unwrap_or("Error"))
    }
}

/// The only kind.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
enum Kind {
    #[serde(rename = "about:blank")]
    Blank,
}

impl Problem {
    /// A problem with this status.
    pub(super) fn new(status: StatusCode, detail: impl Into<Box<str>>) -> Self {
        Self {
            kind: Kind::Blank,
            title: Title(status),
            status: status.as_u16(),
            detail: detail.into(),
            code: None,
            field: None,
            accepted: None,
            line: None,
            page_token: None,
            traceback: None,
            headers: Box::default(),
        }
    }

    /// A field or a parameter is invalid.
    pub(super) fn field(field: &str, detail: &dyn std::fmt::Display) -> Self {
        Self::of_field(StatusCode::BAD_REQUEST, field, detail.to_string())
    }

    /// A problem with this status and an invalid field, parameter or header.
    pub(super) fn of_field(status: StatusCode, field: &str, detail: impl Into<Box<str>>) -> Self {
        Self {
            field: Some(field.into()),
            ..Self::new(status, detail)
        }
    }

    /// Names the reason for programs.
    pub(super) fn with_code(self, code: &'static str) -> Self {
        Self {
            code: Some(code),
            ..self
        }
    }

    /// Names the token that goes on over the present state.
    pub(super) fn with_page_token(self, token: Option<String>) -> Self {
        Self {
            page_token: token.map(Into::into),
            ..self
        }
    }

    /// Adds a header to the response.
    pub(super) fn with_header(mut self, name: HeaderName, value: impl Into<HeaderValue>) -> Self {
        let mut headers = self.headers.into_vec();
        headers.push((name, value.into()));
        self.headers = headers.into();
        self
    }

    /// The same request may succeed after this time, rounded up to seconds.
    pub(super) fn retry(self, after: Duration) -> Self {
        let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        self.with_header(header::RETRY_AFTER, seconds)
    }

    /// How far a streamed request got before it failed.
    pub(super) fn after(self, accepted: u64, line: u64) -> Self {
        Self {
            accepted: Some(accepted),
            line: Some(line),
            ..self
        }
    }
}

/// A problem document as bytes, for a response that no handler made.
pub(in crate::net) fn document(status: StatusCode, detail: String) -> Vec<u8> {
    serde_json::to_vec(&Problem::new(status, detail)).expect("text and numbers")
}

impl From<AdminError> for Problem {
    fn from(error: AdminError) -> Self {
        let status = match error.kind {
            AdminErrorKind::NotFound => StatusCode::NOT_FOUND,
            AdminErrorKind::Invalid => StatusCode::BAD_REQUEST,
            AdminErrorKind::Conflict => StatusCode::CONFLICT,
            AdminErrorKind::NoAnswer => StatusCode::SERVICE_UNAVAILABLE,
            AdminErrorKind::Defect => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self {
            traceback: error.traceback.map(Into::into),
            ..Self::new(status, error.detail)
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self).expect("text and numbers");
        let status = StatusCode::from_u16(self.status).expect("it was made from one");
        let mut response = (status, Body::from(body)).into_response();
        let headers = response.headers_mut();
        headers.extend(self.headers);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        response
    }
}

impl From<&SubmitError> for Problem {
    fn from(error: &SubmitError) -> Self {
        let text = error.to_string();
        let problem = match error {
            SubmitError::DiskFull { retry_after } | SubmitError::NoDescriptors { retry_after } => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, text).retry(*retry_after)
            }
            SubmitError::Poisoned { .. } | SubmitError::Closing => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, text)
            }
            SubmitError::TooLarge { .. } => Self::new(StatusCode::PAYLOAD_TOO_LARGE, text),
        };
        problem.with_code(error.code())
    }
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        let text = denied.to_string();
        let of_key = |status| Self::of_field(status, "authorization", text.clone());
        match denied {
            Denied::NoKey | Denied::UnknownKey => of_key(StatusCode::UNAUTHORIZED)
                .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")),
            Denied::MissingScope { .. } | Denied::OtherMachine => of_key(StatusCode::FORBIDDEN),
            Denied::TooOften { retry_after, .. } => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, text).retry(retry_after)
            }
        }
    }
}

impl From<CallEnd> for Problem {
    fn from(end: CallEnd) -> Self {
        let text = end.to_string();
        let problem = match end {
            CallEnd::Revoked => Self::of_field(StatusCode::UNAUTHORIZED, "authorization", text)
                .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")),
            CallEnd::Aged => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, text).retry(Duration::from_secs(1))
            }
        };
        problem.with_code(end.code())
    }
}

impl From<FeedRefusal> for Problem {
    fn from(refusal: FeedRefusal) -> Self {
        let text = refusal.to_string();
        let unavailable = |text: String| Self::new(StatusCode::SERVICE_UNAVAILABLE, text);
        match refusal {
            FeedRefusal::Field { field, .. } => Self::field(field, &text),
            FeedRefusal::NeedsKey => {
                Self::of_field(StatusCode::UNAUTHORIZED, "authorization", text)
                    .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
            }
            FeedRefusal::Feed(FeedError::InUse { .. } | FeedError::TooMany) => {
                Self::of_field(StatusCode::CONFLICT, "consumer", text)
            }
            FeedRefusal::Feed(FeedError::NotWritten { .. }) => unavailable(text)
                .retry(Duration::from_secs(1))
                .with_code("POSITION_NOT_WRITTEN"),
            FeedRefusal::Feed(FeedError::Thread { .. }) => unavailable(text)
                .retry(Duration::from_secs(1))
                .with_code("NO_THREAD"),
            FeedRefusal::Feed(FeedError::Closed) => Self::from(&SubmitError::Closing),
            FeedRefusal::Feed(FeedError::Name { .. } | FeedError::Ahead { .. }) => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, text)
            }
        }
    }
}

impl From<QueryError> for Problem {
    fn from(reason: QueryError) -> Self {
        let text = reason.to_string();
        match reason {
            QueryError::Busy | QueryError::Unread => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, text)
                    .retry(Duration::from_secs(1))
                    .with_code(reason.code())
            }
            QueryError::Broken => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, text).with_code(reason.code())
            }
        }
    }
}
