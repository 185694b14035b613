//! Parameters of a query string, each read once and by name; what is unknown is refused.

use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequestParts, Query};
use axum::http::StatusCode;
use axum::http::request::Parts;

use super::problem::Problem;
use crate::core::{Micros, Window};

/// The pairs of a query string, in their order.
pub(super) struct Parameters {
    pairs: Vec<(String, String)>,
}

impl<S: Send + Sync> FromRequestParts<S> for Parameters {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = Query::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        let Query(pairs) = read.map_err(|rejection: QueryRejection| {
            Problem::new(
                StatusCode::BAD_REQUEST,
                format!("the query string cannot be read: {}", rejection.body_text()),
            )
        })?;
        Ok(Self { pairs })
    }
}

impl Parameters {
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
            .map(|text| Micros::parse(&text))
            .transpose()
            .map_err(|error| Problem::field(name, &format!("{name}: {error}")))
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
        text.parse()
            .ok()
            .filter(|count| (1..=most).contains(count))
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
