//! Values of settings that are neither numbers, times, texts nor paths.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a caller may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Ask questions.
    Read,
    /// Send events.
    Write,
    /// Read the metrics.
    Metrics,
    /// See sealed rounds and their proofs, which the scope for questions includes.
    Rounds,
    /// Operate the service, which includes its metrics and its rounds.
    Admin,
}

impl Scope {
    /// All scopes.
    pub const ALL: [Self; 5] = [
        Self::Read,
        Self::Write,
        Self::Metrics,
        Self::Rounds,
        Self::Admin,
    ];

    /// As files and flags name it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Metrics => "metrics",
            Self::Admin => "admin",
            Self::Rounds => "rounds",
        }
    }

    /// The scope of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }

    /// Whether a caller with this scope may do what needs `needed`.
    #[must_use]
    pub fn includes(self, needed: Self) -> bool {
        self == needed
            || matches!(
                (self, needed),
                (Self::Admin, Self::Metrics | Self::Rounds) | (Self::Read, Self::Rounds)
            )
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// The address of a storage. It may contain a password, which neither of its texts for people shows.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreAddress(String);

impl StoreAddress {
    /// `None` if `text` does not begin with a scheme, as in `sqlite://`. Which schemes there are, Python knows.
    pub(super) fn new(text: String) -> Option<Self> {
        let (scheme, _) = text.split_once("://")?;
        let is_letter =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'+';
        (!scheme.is_empty() && scheme.bytes().all(is_letter)).then_some(Self(text))
    }

    /// The whole address, with the password that it may have.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the address names a user, and so perhaps a password.
    #[must_use]
    pub fn has_user(&self) -> bool {
        !self.is_file() && self.0.contains('@')
    }

    fn is_file(&self) -> bool {
        self.0.starts_with("sqlite://")
    }
}

impl fmt::Display for StoreAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_file() {
            return out.write_str(&self.0);
        }
        out.write_str(&without_secrets(&self.0))
    }
}

impl fmt::Debug for StoreAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

/// An address without its user and password, and without its options, which may contain passwords as well.
pub(super) fn without_secrets(address: &str) -> String {
    let (scheme, rest) = address.split_once("://").unwrap_or(("", address));
    let rest = match rest.rsplit_once('@') {
        Some((_, rest)) => format!("***@{rest}"),
        None => rest.to_owned(),
    };
    let rest = match rest.split_once('?') {
        Some((rest, _)) => format!("{rest}?..."),
        None => rest,
    };
    match scheme {
        "" => rest,
        scheme => format!("{scheme}://{rest}"),
    }
}

/// What happens to events of which a pipeline reads too few.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventsFull {
    /// The journal keeps them, up to the limit of the lag.
    Lag,
    /// Those that have left memory are skipped and counted.
    Shed,
}

impl EventsFull {
    /// As files name it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lag => "lag",
            Self::Shed => "shed",
        }
    }
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}
