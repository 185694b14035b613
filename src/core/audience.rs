//! Whom a refusal addresses, because its cure differs: files are read with options; what is sent to a service and what
//! an argument says are not.
//!
//! Every reason is written by [`Addressed::write_to`] alone; its `Display` is the one for files. Knows no reason
//! itself.

use std::fmt;

/// Whom a refusal addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Files are read by a command, which has options.
    Files,
    /// An event was sent to a service, or an argument was given: there are no options.
    Service,
}

impl Audience {
    /// The words for this audience.
    pub(crate) const fn choose(self, files: &'static str, service: &'static str) -> &'static str {
        match self {
            Self::Files => files,
            Self::Service => service,
        }
    }
}

/// A reason that names its cure.
pub trait Addressed {
    /// Writes the reason and the cure that this audience has.
    ///
    /// # Errors
    /// If `out` takes no more.
    fn write_to(&self, audience: Audience, out: &mut fmt::Formatter<'_>) -> fmt::Result;

    /// The text for this audience.
    fn to(&self, audience: Audience) -> To<'_, Self> {
        To(self, audience)
    }

    /// The text for a client of a service.
    fn for_service(&self) -> String {
        self.to(Audience::Service).to_string()
    }
}

/// A reason for one audience.
#[derive(Clone, Copy, Debug)]
pub struct To<'a, T: ?Sized>(&'a T, Audience);

impl<T: Addressed + ?Sized> fmt::Display for To<'_, T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write_to(self.1, out)
    }
}
