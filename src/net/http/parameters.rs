//! The query parameters of each route: read by axum's `Query`, and documented from the same structs.
//!
//! Unknown and repeated parameters are refused. Older names of a parameter stay valid as aliases. The routes
//! are in `queries`.

use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

use super::event_schema::Time;
use super::problem::Problem;
use crate::config::time_from_text;
use crate::core::{Addressed, Audience, Micros, Window};
use crate::engine::{Question, Start};
use crate::excerpt::quoted;

const LIMIT_MAX: usize = 10_000;
/// The rows of a page, unless the request says otherwise.
pub(super) const PAGE_LIMIT: Limit = Limit(1_000);

/// The parameters of `GET /leaderboard`.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct LeaderboardParameters {
    /// Holders that are listed; 100 if absent. `n` and `top` are accepted too.
    #[serde(alias = "n", alias = "top")]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 10_000)]
    pub(super) limit: Option<Limit>,
    /// The first instant that does not count, as text with an offset, a date (its midnight in UTC) or
    /// milliseconds since 1970; now if absent.
    #[param(value_type = Option<Time>)]
    pub(super) as_of: Option<Instant>,
    /// The first instant that counts; the beginning of time if absent.
    #[param(value_type = Option<Time>)]
    pub(super) from: Option<Instant>,
    /// Leaves out the time after a key's last mark.
    #[param(value_type = Option<bool>)]
    pub(super) closed_only: Option<Flag>,
    /// Counts this token only. `token` is accepted too.
    #[serde(alias = "token")]
    #[param(value_type = Option<String>, min_length = 1)]
    pub(super) token_id: Option<Text>,
    /// The policy under which scores are published, by its name in the settings; the scores themselves if absent.
    #[param(value_type = Option<String>, min_length = 1)]
    pub(super) policy: Option<Text>,
}

/// The parameters of `GET /stats`.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct StatsParameters {
    /// Holders per page; 1,000 if absent. `page_size` is accepted too.
    #[serde(alias = "page_size")]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 10_000)]
    pub(super) limit: Option<Limit>,
    /// `next_page_token` of the page before. It contains the window and the token filter, which are left out or
    /// stay the same.
    #[param(value_type = Option<String>, min_length = 1, pattern = "^[A-Za-z0-9_-]+$")]
    pub(super) page_token: Option<Text>,
    /// The first instant that does not count, as text with an offset, a date (its midnight in UTC) or
    /// milliseconds since 1970; now if absent.
    #[param(value_type = Option<Time>)]
    pub(super) as_of: Option<Instant>,
    /// The first instant that counts; the beginning of time if absent.
    #[param(value_type = Option<Time>)]
    pub(super) from: Option<Instant>,
    /// Leaves out the time after a key's last mark.
    #[param(value_type = Option<bool>)]
    pub(super) closed_only: Option<Flag>,
    /// Counts this token only. `token` is accepted too.
    #[serde(alias = "token")]
    #[param(value_type = Option<String>, min_length = 1)]
    pub(super) token_id: Option<Text>,
    /// Lists this holder only. `holder` is accepted too.
    #[serde(alias = "holder")]
    #[param(value_type = Option<String>, min_length = 1)]
    pub(super) holder_id: Option<Text>,
    /// The policy under which scores are published, by its name in the settings; the scores themselves if absent.
    #[param(value_type = Option<String>, min_length = 1)]
    pub(super) policy: Option<Text>,
}

/// The parameters of `GET /holders/{holder_id}`.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct HolderParameters {
    /// The first instant that does not count, as text with an offset, a date (its midnight in UTC) or
    /// milliseconds since 1970; now if absent.
    #[param(value_type = Option<Time>)]
    pub(super) as_of: Option<Instant>,
    /// The first instant that counts; the beginning of time if absent.
    #[param(value_type = Option<Time>)]
    pub(super) from: Option<Instant>,
    /// Leaves out the time after a key's last mark.
    #[param(value_type = Option<bool>)]
    pub(super) closed_only: Option<Flag>,
    /// Counts this token only. `token` is accepted too.
    #[serde(alias = "token")]
    #[param(value_type = Option<String>, min_length = 1)]
    pub(super) token_id: Option<Text>,
}

/// The parameters of `GET /deficits`.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DeficitParameters {
    /// Deficits per page; 1,000 if absent. `page_size` is accepted too.
    #[serde(alias = "page_size")]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 10_000)]
    pub(super) limit: Option<Limit>,
    /// `next_page_token` of the page before. It contains `as_of` and the token filter, which are left out or stay
    /// the same.
    #[param(value_type = Option<String>, min_length = 1, pattern = "^[A-Za-z0-9_-]+$")]
    pub(super) page_token: Option<Text>,
    /// Lists the keys whose balance is below 0 at some instant before, given as text with an offset, a date (its
    /// midnight in UTC) or milliseconds since 1970; now if absent.
    #[param(value_type = Option<Time>)]
    pub(super) as_of: Option<Instant>,
    /// Lists keys of this token only. `token` is accepted too.
    #[serde(alias = "token")]
    #[param(value_type = Option<String>, min_length = 1)]
    pub(super) token_id: Option<Text>,
}

/// The parameters of `GET /rounds`.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RoundParameters {
    /// Rounds per page; 1,000 if absent. `page_size` is accepted too.
    #[serde(alias = "page_size")]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 10_000)]
    pub(super) limit: Option<Limit>,
    /// `next_page_token` of the page before.
    #[param(value_type = Option<String>, min_length = 1, pattern = "^[A-Za-z0-9_-]+$")]
    pub(super) page_token: Option<Text>,
}

/// The parameters of `POST /admin/pipelines/reload`.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ReloadParameters {
    /// This pipeline only; all if absent.
    #[param(value_type = Option<String>, min_length = 1)]
    pub(super) name: Option<Text>,
}

/// The parameters of `POST /admin/pipelines/{name}/replay`.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ReplayParameters {
    /// The batches of this sink only; those of all if absent.
    #[param(value_type = Option<String>, min_length = 1)]
    pub(super) handler: Option<Text>,
}

/// The parameters of `GET /feed`.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct FeedParameters {
    /// Where to begin if there is no consumer, or if it has no position yet: with the event of this sequence number,
    /// with the facts in force (`beginning`), or after the last event (`now`); `now` if absent.
    #[param(value_type = Option<String>, min_length = 1, example = "beginning")]
    pub(super) from: Option<Beginning>,
    /// The name whose position the service keeps, without `/`; nothing is kept if absent.
    #[param(value_type = Option<String>, min_length = 1, max_length = 256, pattern = "^[^/]+$")]
    pub(super) consumer: Option<Text>,
    /// Everything up to this sequence number is processed: the consumer continues after it, now and next time.
    #[param(value_type = Option<u64>)]
    pub(super) ack: Option<Position>,
    /// Tokens that are wanted: `*` stands for any text, `?` for one character; all if absent.
    #[param(value_type = Option<String>, min_length = 1, max_length = 256)]
    pub(super) token: Option<Text>,
    /// Holders that are wanted, in the same form.
    #[param(value_type = Option<String>, min_length = 1, max_length = 256)]
    pub(super) holder: Option<Text>,
    /// Events that are sent; 1,000 if absent. Facts are sent to their end.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 10_000)]
    pub(super) limit: Option<Limit>,
    /// How long to wait for an event if there is none, such as `30s`, at most the time limit of requests; 0 if
    /// absent.
    #[param(value_type = Option<String>, min_length = 1, example = "250ms")]
    pub(super) wait: Option<Wait>,
}

/// The window that a request asks for.
pub(super) fn window(
    from: Option<Instant>,
    as_of: Option<Instant>,
    closed_only: Option<Flag>,
    now: Micros,
) -> Window {
    Window {
        from: from.map(|Instant(from)| from),
        as_of: as_of.map_or(now, |Instant(as_of)| as_of),
        closed_only: closed_only.is_some_and(|Flag(closed_only)| closed_only),
    }
}

impl StatsParameters {
    /// Whether the parameters that are given agree with the window and the token of a page token.
    pub(super) fn agree_with(&self, window: &Window, token_id: Option<&str>) -> bool {
        self.as_of.is_none_or(|as_of| as_of.0 == window.as_of)
            && self.from.is_none_or(|from| Some(from.0) == window.from)
            && self
                .closed_only
                .is_none_or(|Flag(closed_only)| closed_only == window.closed_only)
            && self
                .token_id
                .as_ref()
                .is_none_or(|given| token_id == Some(&*given.0))
    }
}

impl DeficitParameters {
    /// Whether the parameters that are given agree with the question of a page token.
    pub(super) fn agree_with(&self, question: &Question) -> bool {
        self.as_of
            .is_none_or(|as_of| as_of.0 == question.window.as_of)
            && self
                .token_id
                .as_ref()
                .is_none_or(|given| question.token_id.as_deref() == Some(&*given.0))
    }
}

/// How many rows are listed: 1 to 10,000.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Limit(pub(super) usize);

impl TryFrom<String> for Limit {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        number(&text)
            .and_then(|limit| usize::try_from(limit).ok())
            .filter(|limit| (1..=LIMIT_MAX).contains(limit))
            .map(Self)
            .ok_or_else(|| {
                let value = quoted(&text);
                format!("must be an integer from 1 to {LIMIT_MAX}, not {value}")
            })
    }
}

/// `true` or `false`.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Flag(bool);

impl TryFrom<String> for Flag {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
            .map(Self)
            .map_err(|_| format!("must be true or false, not {}", quoted(&text)))
    }
}

/// An instant, as text with an offset, a date alone or in milliseconds since 1970.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Instant(pub(super) Micros);

impl TryFrom<String> for Instant {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Micros::parse_argument(&text).map(Self).map_err(|error| {
            let hint = if is_time_without_plus(&text) {
                "; a plus sign means a space in a query, write %2B instead"
            } else {
                ""
            };
            let reason = error.to(Audience::Service);
            format!("{reason}{hint}; found {}", quoted(&text))
        })
    }
}

/// Whether a text would be a time if its last space were a plus sign.
fn is_time_without_plus(text: &str) -> bool {
    text.rsplit_once(' ')
        .is_some_and(|(time, offset)| Micros::parse(&format!("{time}+{offset}")).is_ok())
}

/// Where a feed begins.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Beginning(pub(super) Start);

impl TryFrom<String> for Beginning {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let start = match &*text {
            "now" => Some(Start::Now),
            "beginning" => Some(Start::Beginning),
            digits => number(digits)
                .filter(|sequence| *sequence > 0)
                .map(Start::Sequence),
        };
        start.map(Self).ok_or_else(|| {
            let value = quoted(&text);
            format!("must be a sequence number from 1, beginning or now, not {value}")
        })
    }
}

/// A sequence number, or 0 for the time before the first event.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Position(pub(super) u64);

impl TryFrom<String> for Position {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        number(&text)
            .map(Self)
            .ok_or_else(|| format!("must be a sequence number, not {}", quoted(&text)))
    }
}

/// How long a request waits.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Wait(pub(super) Duration);

impl TryFrom<String> for Wait {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        time_from_text(&text)
            .map(Self)
            .ok_or_else(|| format!("must be a time such as 500ms or 30s, not {}", quoted(&text)))
    }
}

/// The number in digits alone; `parse` also accepts a sign.
fn number(text: &str) -> Option<u64> {
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_digits)
}

/// A text that is not empty.
#[derive(Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Text(pub(super) String);

impl TryFrom<String> for Text {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        if text.is_empty() {
            return Err("empty; leave the parameter out or give it a value");
        }
        Ok(Self(text))
    }
}

/// The query parameters of a request; a [`Problem`] that names the parameter if they are invalid.
pub(super) struct Parameters<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        require_utf8(parts.uri.query().unwrap_or_default())?;
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(parameters)) => Ok(Self(parameters)),
            Err(rejection) => Err(invalid(&rejection)),
        }
    }
}

/// `Query` would replace bytes that are not UTF-8, and so ask about another holder or token.
fn require_utf8(query: &str) -> Result<(), Problem> {
    let is_utf8 = |pair: &&str| percent_decode_str(pair).decode_utf8().is_ok();
    let Some(pair) = query.split('&').find(|pair| !is_utf8(pair)) else {
        return Ok(());
    };
    let (name, _) = pair.split_once('=').unwrap_or((pair, ""));
    let name = percent_decode_str(name).decode_utf8_lossy();
    Err(Problem::field(&name, &format!("{name}: not UTF-8 text")))
}

/// The parameter to blame, in the words of serde: `PATH: REASON`, where an unknown parameter is its own path, or
/// a repeated one without a path.
fn invalid(rejection: &QueryRejection) -> Problem {
    let text = std::error::Error::source(rejection).map_or_else(String::new, ToString::to_string);
    if let Some(name) = text
        .strip_prefix("duplicate field `")
        .and_then(|rest| rest.strip_suffix('`'))
    {
        return Problem::field(name, &format!("{name}: given more than once"));
    }
    if let Some((name, rest)) = text.split_once(": unknown field `")
        && let Some(known) = rest
            .strip_prefix(name)
            .and_then(|rest| rest.strip_prefix("`, "))
    {
        let known = known.replace('`', "");
        return Problem::field(
            name,
            &format!("{}: unknown parameter; {known}", quoted(name)),
        );
    }
    let (name, _) = text.split_once(": ").unwrap_or((&text, ""));
    Problem::field(name, &text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<LeaderboardParameters, String> {
        let (mut parts, ()) = axum::http::Request::builder()
            .uri(format!("/leaderboard?{query}"))
            .body(())
            .unwrap()
            .into_parts();
        let read = Parameters::from_request_parts(&mut parts, &());
        let read = futures_util::FutureExt::now_or_never(read).expect("it waits for nothing");
        read.map(|Parameters(parameters)| parameters)
            .map_err(|problem| serde_json::to_value(&problem).unwrap()["detail"].to_string())
    }

    #[test]
    fn older_names_of_a_parameter_are_aliases() {
        for query in ["limit=7&token_id=T", "n=7&token=T", "top=7&token_id=T"] {
            let parameters = read(query).unwrap();
            assert_eq!(parameters.limit.unwrap().0, 7, "{query}");
            assert_eq!(parameters.token_id.unwrap().0, "T", "{query}");
        }
    }

    #[test]
    fn a_date_alone_is_its_midnight_and_a_lost_plus_sign_is_explained() {
        for text in ["2025-07-21", "1753056000000", "2025-07-21T09:00%2B09"] {
            let parameters = read(&format!("as_of={text}")).unwrap();
            let micros = parameters.as_of.unwrap().0.get();
            assert_eq!(micros, 1_753_056_000_000_000, "{text}");
        }
        let refused = read("as_of=2025-07-21T09:00+0900").err().unwrap();
        assert!(refused.contains("write %2B instead"), "{refused}");
    }

    #[test]
    fn a_refusal_names_the_parameter_and_quotes_its_beginning() {
        let long = "9".repeat(1_000);
        for (query, expected) in [
            (
                format!("n={long}"),
                format!(
                    "n: must be an integer from 1 to 10000, not \\\"{}\\\"...",
                    &long[..40]
                ),
            ),
            (
                "limit=1&n=2".to_owned(),
                "limit: given more than once".to_owned(),
            ),
            (
                "colour=red".to_owned(),
                "\\\"colour\\\": unknown parameter; expected one of limit, ".to_owned(),
            ),
            (
                "a%3A%20b=1".to_owned(),
                "\\\"a: b\\\": unknown parameter; ".to_owned(),
            ),
            (
                "token_id=".to_owned(),
                "token_id: empty; leave the parameter out".to_owned(),
            ),
            (
                "as_of=yesterday".to_owned(),
                "as_of: not a time (write ".to_owned(),
            ),
            (
                "closed_only=1".to_owned(),
                "closed_only: must be true or false, not \\\"1\\\"".to_owned(),
            ),
        ] {
            let found = read(&query).err().expect("refused");
            assert!(found.starts_with(&format!("\"{expected}")), "{found}");
        }
    }
}
