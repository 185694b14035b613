//! Errors as a gRPC status with the details of `google.rpc`.
//!
//! `proto/poh/hold.proto` lists the codes. The texts are those of the errors themselves.

use std::collections::HashMap;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::config::Scope;
use crate::engine::gate::UNCHECKED_RETRY;
use crate::engine::{FeedError, SubmitError};
use crate::net::access::Denied;
use crate::net::feed::FeedRefusal;
use crate::net::lifetime::CallEnd;
use crate::net::page_token::PAGES_GONE;
use crate::net::query_pool::QueryError;

/// The domain of the reasons in `google.rpc.ErrorInfo`.
pub(super) const DOMAIN: &str = "holdmetrics";

/// A field of a request is invalid.
pub(in crate::net) fn bad_field(field: &str, reason: &dyn std::fmt::Display) -> Status {
    let reason = reason.to_string();
    let details = ErrorDetails::with_bad_request_violation(field, &reason);
    Status::with_error_details(Code::InvalidArgument, reason, details)
}

/// The status of a message that cannot be decoded.
///
/// `tonic` reports it as an internal error of the server. Its other statuses stay, such as those of a message
/// that is too large or compressed in an unknown way.
pub(in crate::net) fn unreadable(status: Status) -> Status {
    if status.code() != Code::Internal {
        return status;
    }
    let text = status.message();
    bad_field(
        "message",
        &format!("message: not valid for hold.proto ({text})"),
    )
}

/// A defect of the server. Its details distinguish it from the statuses of `tonic`; see [`unreadable`].
pub(in crate::net) fn defect(text: &dyn std::fmt::Display) -> Status {
    let details = ErrorDetails::with_error_info("DEFECT", DOMAIN, HashMap::new());
    Status::with_error_details(Code::Internal, text.to_string(), details)
}

/// Events were not accepted.
pub(in crate::net) fn not_taken(error: &SubmitError) -> Status {
    match error {
        SubmitError::DiskFull { retry_after } | SubmitError::NoDescriptors { retry_after } => {
            try_later(error, *retry_after, error.code())
        }
        SubmitError::Poisoned { .. } | SubmitError::Closing => unavailable(error, error.code()),
        SubmitError::TooLarge { .. } => {
            let details = ErrorDetails::with_error_info(error.code(), DOMAIN, HashMap::new());
            Status::with_error_details(Code::InvalidArgument, error.to_string(), details)
        }
    }
}

/// The server is shutting down.
pub(in crate::net) fn closing() -> Status {
    not_taken(&SubmitError::Closing)
}

/// The call may not stay open.
pub(in crate::net) fn call_ended(end: CallEnd) -> Status {
    match end {
        CallEnd::Revoked => {
            let details = ErrorDetails::with_error_info(end.code(), DOMAIN, HashMap::new());
            Status::with_error_details(Code::Unauthenticated, end.to_string(), details)
        }
        CallEnd::Aged => unavailable(&end, end.code()),
    }
}

/// A pipeline that checks events gave no answer; the same event may be accepted later.
pub(in crate::net) fn unchecked(reason: &str) -> Status {
    let mut details = ErrorDetails::with_retry_info(Some(UNCHECKED_RETRY));
    details.set_error_info("NOT_CHECKED", DOMAIN, HashMap::new());
    Status::with_error_details(Code::Unavailable, reason, details)
}

/// The same call may succeed after `after`.
pub(in crate::net) fn try_later(
    text: &dyn std::fmt::Display,
    after: Duration,
    reason: &str,
) -> Status {
    let mut details = ErrorDetails::with_retry_info(Some(after));
    details.set_error_info(reason, DOMAIN, HashMap::new());
    Status::with_error_details(Code::ResourceExhausted, text.to_string(), details)
}

/// The caller may not make this call, or not now.
pub(in crate::net) fn denied(denied: &Denied) -> Status {
    match denied {
        Denied::NoKey => not_allowed(Code::Unauthenticated, denied, "NO_API_KEY", None),
        Denied::UnknownKey => not_allowed(Code::Unauthenticated, denied, "UNKNOWN_API_KEY", None),
        Denied::MissingScope { scope, .. } => not_allowed(
            Code::PermissionDenied,
            denied,
            "MISSING_SCOPE",
            Some(*scope),
        ),
        Denied::OtherMachine => not_allowed(
            Code::PermissionDenied,
            denied,
            "NO_API_KEYS",
            Some(Scope::Admin),
        ),
        Denied::TooOften { retry_after, .. } => try_later(denied, *retry_after, "TOO_MANY_CALLS"),
    }
}

fn not_allowed(code: Code, text: &Denied, reason: &str, scope: Option<Scope>) -> Status {
    let facts: HashMap<String, String> = scope
        .map(|scope| ("scope".to_owned(), scope.to_string()))
        .into_iter()
        .collect();
    let details = ErrorDetails::with_error_info(reason, DOMAIN, facts);
    Status::with_error_details(code, text.to_string(), details)
}

/// The feed cannot be read, or a position not be kept.
pub(in crate::net) fn feed_refused(refusal: &FeedRefusal) -> Status {
    let failed = |reason: &str| {
        let details = ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new());
        Status::with_error_details(Code::FailedPrecondition, refusal.to_string(), details)
    };
    match refusal {
        FeedRefusal::Field { field, reason } => bad_field(field, reason),
        FeedRefusal::NeedsKey => {
            let details = ErrorDetails::with_error_info("NO_API_KEY", DOMAIN, HashMap::new());
            Status::with_error_details(Code::Unauthenticated, refusal.to_string(), details)
        }
        FeedRefusal::Feed(FeedError::InUse { .. }) => failed("CONSUMER_IN_USE"),
        FeedRefusal::Feed(FeedError::TooMany) => failed("TOO_MANY_CONSUMERS"),
        FeedRefusal::Feed(FeedError::NotWritten { .. }) => {
            unavailable(refusal, "POSITION_NOT_WRITTEN")
        }
        FeedRefusal::Feed(FeedError::Thread { .. }) => {
            try_later(refusal, Duration::from_secs(1), "NO_THREAD")
        }
        FeedRefusal::Feed(FeedError::Closed) => closing(),
        FeedRefusal::Feed(FeedError::Name { .. } | FeedError::Ahead { .. }) => defect(refusal),
    }
}

/// The leaderboard of a page is no longer kept; the token `by_key` goes on over the present state.
pub(in crate::net) fn pages_gone(text: &dyn std::fmt::Display, by_key: Option<String>) -> Status {
    let facts = by_key.map(|token| ("page_token".to_owned(), token));
    let details = ErrorDetails::with_error_info(PAGES_GONE, DOMAIN, HashMap::from_iter(facts));
    Status::with_error_details(Code::Aborted, format!("page_token: {text}"), details)
}

/// A query could not be answered.
pub(in crate::net) fn query_failed(reason: QueryError) -> Status {
    match reason {
        QueryError::Busy | QueryError::Unread => {
            try_later(&reason, Duration::from_secs(1), reason.code())
        }
        QueryError::Broken => defect(&reason),
    }
}

pub(super) fn unavailable(text: &dyn std::fmt::Display, reason: &str) -> Status {
    let details = ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new());
    Status::with_error_details(Code::Unavailable, text.to_string(), details)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn undecodable_bytes_are_blamed_on_the_message_and_other_statuses_stay() {
        let status = unreadable(Status::internal("failed to decode Protobuf message"));
        assert_eq!(status.code(), Code::InvalidArgument);
        assert_eq!(
            status.message(),
            "message: not valid for hold.proto (failed to decode Protobuf message)"
        );
        let details = status.get_details_bad_request().expect("a BadRequest");
        assert_eq!(details.field_violations[0].field, "message");
        for code in [
            Code::OutOfRange,
            Code::ResourceExhausted,
            Code::Unimplemented,
        ] {
            assert_eq!(unreadable(Status::new(code, "")).code(), code);
        }
    }

    #[test]
    fn a_busy_server_says_when_to_ask_again() {
        let status = query_failed(QueryError::Busy);
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert!(status.get_details_retry_info().is_some());
        assert_eq!(status.get_details_error_info().unwrap().reason, "BUSY");
        assert_eq!(query_failed(QueryError::Broken).code(), Code::Internal);
    }
}
