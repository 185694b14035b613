//! Parameters of a query string, each read once and by name; what is unknown is refused.

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use percent_encoding::percent_decode_str;

use super::problem::Problem;
use crate::core::{Micros, Window};

/// The pairs of a query string, in their order.
pub(super) struct Parameters {
    pairs: Vec<(String, String)>,
}

impl<S: Send + Sync> FromRequestParts<S> for Parameters {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        Self::read(parts.uri.query().unwrap_or(""))
    }
}

impl Parameters {
    /// Reads `name=value&name=value`, as forms write it; refuses text that is no UTF-8.
    fn read(query: &str) -> Result<Self, Problem> {
        let pairs = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                let name = text(name).ok_or_else(|| {
                    Problem::new(
                        StatusCode::BAD_REQUEST,
                        "the query string: the name of a parameter is not UTF-8 text",
                    )
                })?;
                let value = text(value)
                    .ok_or_else(|| Problem::field(&name, &format!("{name}: not UTF-8 text")))?;
                Ok((name, value))
            });
        Ok(Self {
            pairs: pairs.collect::<Result<_, Problem>>()?,
        })
    }

    /// The value of a parameter, which is given at most once.
    pub(super) fn take(&mut self, name: &str) -> Result<Option<String>, Problem> {
        let Some(first) = self.pairs.iter().position(|(found, _)| found == name) else {
            return Ok(None);
        };
        let (_, value) = self.pairs.remove(first);
        if self.pairs.iter().any(|(found, _)| found == name) {
            return Err(Problem::field(name, &format!("{name}: given twice")));
        }
        Ok(Some(value))
    }

    /// A text that is not empty.
    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>, Problem> {
        let value = self.take(name)?;
        if value.as_deref() == Some("") {
            return Err(Problem::field(name, &format!("{name}: empty")));
        }
        Ok(value)
    }

    /// An instant, as RFC 3339 text or in milliseconds.
    pub(super) fn instant(&mut self, name: &str) -> Result<Option<Micros>, Problem> {
        self.take(name)?
            .map(|text| {
                Micros::parse(&text).map_err(|error| {
                    let hint = if is_time_without_plus(&text) {
                        "; a plus sign stands for a space in a query, so write %2B instead"
                    } else {
                        ""
                    };
                    Problem::field(name, &format!("{name}: {error}{hint}"))
                })
            })
            .transpose()
    }

    /// `true` or `false`; `None` where it is absent.
    pub(super) fn flag(&mut self, name: &str) -> Result<Option<bool>, Problem> {
        self.take(name)?
            .map(|text| text.parse())
            .transpose()
            .map_err(|_| Problem::field(name, &format!("{name}: not true or false")))
    }

    /// A count from 1 to `most`.
    pub(super) fn count(&mut self, name: &str, none: usize, most: usize) -> Result<usize, Problem> {
        let Some(text) = self.take(name)? else {
            return Ok(none);
        };
        // A sign is no digit, although `parse` takes one.
        let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse()
            .ok()
            .filter(|count| is_digits && (1..=most).contains(count))
            .ok_or_else(|| {
                Problem::field(name, &format!("{name}: not an integer from 1 to {most}"))
            })
    }

    /// `as_of`, `from` and `closed_only`.
    pub(super) fn window(&mut self) -> Result<AskedWindow, Problem> {
        Ok(AskedWindow {
            as_of: self.instant("as_of")?,
            from: self.instant("from")?,
            closed_only: self.flag("closed_only")?,
        })
    }

    /// Refuses what nobody has taken.
    pub(super) fn end(self, known: &str) -> Result<(), Problem> {
        match self.pairs.first() {
            None => Ok(()),
            Some((name, _)) => Err(Problem::field(
                name,
                &format!("{name:?} is no parameter here; there are {known}"),
            )),
        }
    }
}

/// A name or a value without its escapes; `None` where it is no UTF-8.
fn text(written: &str) -> Option<String> {
    let spaced = written.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8().ok()?;
    Some(decoded.into_owned())
}

/// Whether a text would be a time if its last space were the plus sign that was read as one.
fn is_time_without_plus(text: &str) -> bool {
    text.rsplit_once(' ')
        .is_some_and(|(time, offset)| Micros::parse(&format!("{time}+{offset}")).is_ok())
}

/// A window as it was asked for.
#[derive(Clone, Copy)]
pub(super) struct AskedWindow {
    as_of: Option<Micros>,
    from: Option<Micros>,
    closed_only: Option<bool>,
}

impl AskedWindow {
    /// The window, ending now where it was not said.
    pub(super) fn at(self, now: Micros) -> Window {
        Window {
            from: self.from,
            as_of: self.as_of.unwrap_or(now),
            closed_only: self.closed_only.unwrap_or(false),
        }
    }

    /// Whether what was said, if anything, is `window`.
    pub(super) fn is_part_of(self, window: &Window) -> bool {
        self.as_of.is_none_or(|as_of| as_of == window.as_of)
            && self.from.is_none_or(|from| Some(from) == window.from)
            && self
                .closed_only
                .is_none_or(|closed| closed == window.closed_only)
    }
}
