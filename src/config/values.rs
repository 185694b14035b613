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
    /// Operate the service, which includes its metrics.
    Admin,
}

impl Scope {
    /// All scopes.
    pub const ALL: [Self; 4] = [Self::Read, Self::Write, Self::Metrics, Self::Admin];

    /// As files and flags name it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Metrics => "metrics",
            Self::Admin => "admin",
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
        self == needed || (self, needed) == (Self::Admin, Self::Metrics)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
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
