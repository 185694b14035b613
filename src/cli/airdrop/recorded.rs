//! Values as a manifest writes them: instants and numbers as text, choices by their words.

use std::fmt;

use clap::ValueEnum;
use ruint::aliases::U256;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::airdrop::parse_units;
use crate::core::Micros;

/// Text that reads back as the same value.
pub(super) trait Recorded: Sized {
    /// The text.
    fn write(&self) -> String;

    /// Reads it, or says why it cannot be read.
    fn read(text: &str) -> Result<Self, String>;
}

/// A value that serde writes as its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Text<T>(pub(super) T);

impl<T: Recorded> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&self.0.write())
    }
}

impl<'de, T: Recorded> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        T::read(&text).map(Self).map_err(D::Error::custom)
    }
}

impl<T: Recorded> fmt::Display for Text<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0.write())
    }
}

impl Recorded for Micros {
    fn write(&self) -> String {
        self.to_string()
    }

    fn read(text: &str) -> Result<Self, String> {
        Self::parse(text).map_err(|error| error.to_string())
    }
}

impl Recorded for U256 {
    fn write(&self) -> String {
        self.to_string()
    }

    fn read(text: &str) -> Result<Self, String> {
        parse_units(text, 0).map_err(|error| error.to_string())
    }
}

/// A choice of the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Choice<T>(pub(super) T);

impl<T: ValueEnum> Recorded for Choice<T> {
    fn write(&self) -> String {
        let word = self.0.to_possible_value().expect("every choice has a word");
        word.get_name().to_owned()
    }

    fn read(text: &str) -> Result<Self, String> {
        T::from_str(text, false).map(Self)
    }
}
