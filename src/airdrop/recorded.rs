//! Values as JSON documents of airdrops write them: instants, numbers and hashes as text that reads back as the same.

use std::fmt;

use ruint::aliases::U256;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::tree::Hash;
use super::{Format, HexHash, parse_units};
use crate::core::{Delta, Micros, Quantity, Score, Wad};
use crate::excerpt::quoted;

/// Decimal places of a score in weight-seconds.
pub const SCORE_PLACES: u8 = 24;
/// Decimal places of what is held.
const WEIGHT_PLACES: u8 = 18;

/// Text that reads back as the same value.
pub trait Recorded: Sized {
    /// The text.
    fn write(&self) -> String;

    /// Reads it, or says why it cannot be read.
    fn read(text: &str) -> Result<Self, String>;
}

/// A value that serde writes as its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text<T>(pub T);

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

/// A value whose text `Display` writes.
macro_rules! recorded {
    ($value:ty, $read:expr) => {
        impl Recorded for $value {
            fn write(&self) -> String {
                self.to_string()
            }

            fn read(text: &str) -> Result<Self, String> {
                let read = $read;
                read(text).map_err(|error| format!("{}: {error}", quoted(text)))
            }
        }
    };
}

recorded!(Micros, Self::parse);
recorded!(Wad, Self::parse);
recorded!(Delta, Self::parse);

/// A number in units of a decimal place, whose errors quote the text.
macro_rules! recorded_units {
    ($value:ty, $places:expr, $of_units:expr) => {
        impl Recorded for $value {
            fn write(&self) -> String {
                self.to_string()
            }

            fn read(text: &str) -> Result<Self, String> {
                let units = parse_units(text, $places).map_err(|error| error.to_string())?;
                Ok($of_units(units))
            }
        }
    };
}

recorded_units!(U256, 0, |units| units);
recorded_units!(Score, SCORE_PLACES, Self::from_steps);
recorded_units!(Quantity, WEIGHT_PLACES, Self::from_steps);

impl Recorded for Hash {
    fn write(&self) -> String {
        HexHash(self).to_string()
    }

    fn read(text: &str) -> Result<Self, String> {
        let mut hash = [0; 32];
        let digits = text.strip_prefix("0x").unwrap_or_default();
        match hex::decode_to_slice(digits, &mut hash) {
            Ok(()) => Ok(hash),
            Err(_) => Err(format!(
                "{} is not a hash (give 0x and 64 hexadecimal digits)",
                quoted(text)
            )),
        }
    }
}

impl Recorded for Format {
    fn write(&self) -> String {
        self.name().to_owned()
    }

    fn read(text: &str) -> Result<Self, String> {
        Self::named(text).ok_or_else(|| {
            let names = Self::ALL.map(Self::name);
            format!(
                "{} is not a format (write one of {})",
                quoted(text),
                names.join(", ")
            )
        })
    }
}
