//! Solidity's types of a leaf, and their values as `abi.encode` and `abi.encodePacked` write them.
//!
//! Covers `address`, `bool`, `string`, `bytes`, `bytesN`, `uintN` and `intN`; arrays and tuples are refused. A value is
//! text: numbers in decimal or 0x-hexadecimal, bytes as 0x and lower-case digits, so that one value has one text.

use std::fmt;

use ruint::aliases::U256;

use super::{AddressError, EvmAddress, UnitsError, parse_units};
use crate::excerpt::quoted;

/// A type by its name, which is kept as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AbiType {
    name: Box<str>,
    kind: AbiKind,
}

/// What the values of a type are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AbiKind {
    Address,
    Bool,
    String,
    Bytes,
    /// Of this many bytes.
    FixedBytes(usize),
    /// Of this many bits.
    Uint(usize),
    /// Of this many bits.
    Int(usize),
}

/// Why a name is not a type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{} is not a type of a leaf (write address, uint256, bytes32, string, bytes, bool, or another size)",
    quoted(.0)
)]
pub struct TypeError(Box<str>);

/// Why a text is not a value of its type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// Not an address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// Not a number.
    #[error(transparent)]
    Number(#[from] UnitsError),
    /// A number that the type cannot hold.
    #[error("{} does not fit into {kind}", quoted(.text))]
    Range {
        /// The text.
        text: Box<str>,
        /// The type.
        kind: Box<str>,
    },
    /// Not bytes, or too many or too few.
    #[error("{} is not of the type {kind} (write 0x and lower-case hexadecimal digits, two for each byte)", quoted(.text))]
    Bytes {
        /// The text.
        text: Box<str>,
        /// The type.
        kind: Box<str>,
    },
    /// Neither true nor false.
    #[error("{} is not true or false", quoted(.0))]
    Bool(Box<str>),
}

impl AbiType {
    /// Reads a name, like `address` or `uint256`.
    pub fn parse(name: &str) -> Result<Self, TypeError> {
        let size = |prefix: &str| {
            let digits = name.strip_prefix(prefix)?;
            // No sign and no leading zero.
            let is_number = digits.starts_with(|first: char| ('1'..='9').contains(&first));
            digits.parse::<usize>().ok().filter(|_| is_number)
        };
        let bits = |prefix| size(prefix).filter(|bits| bits % 8 == 0 && *bits <= 256);
        let kind = match name {
            "address" => Some(AbiKind::Address),
            "bool" => Some(AbiKind::Bool),
            "string" => Some(AbiKind::String),
            "bytes" => Some(AbiKind::Bytes),
            "uint" => Some(AbiKind::Uint(256)),
            "int" => Some(AbiKind::Int(256)),
            _ => None,
        };
        let fixed = || size("bytes").filter(|bytes| *bytes <= 32);
        let kind = kind
            .or_else(|| fixed().map(AbiKind::FixedBytes))
            .or_else(|| bits("uint").map(AbiKind::Uint))
            .or_else(|| bits("int").map(AbiKind::Int));
        kind.map(|kind| Self {
            name: name.into(),
            kind,
        })
        .ok_or_else(|| TypeError(name.into()))
    }

    /// The types of a list of names.
    pub(super) fn of(names: &[&str]) -> Vec<Self> {
        let types = names.iter().map(|name| Self::parse(name));
        types.collect::<Result<_, _>>().expect("names of types")
    }

    pub(super) fn is_bool(&self) -> bool {
        self.kind == AbiKind::Bool
    }

    pub(super) fn kind(&self) -> AbiKind {
        self.kind
    }

    /// The word of a value of a static type; `None` if the type is `string` or `bytes`.
    fn word(&self, text: &str) -> Result<Option<[u8; 32]>, ValueError> {
        let mut word = [0; 32];
        match self.kind {
            AbiKind::Address => word[12..].copy_from_slice(EvmAddress::parse(text)?.bytes()),
            AbiKind::Bool => {
                word[31] = match text {
                    "true" => 1,
                    "false" => 0,
                    _ => return Err(ValueError::Bool(text.into())),
                }
            }
            AbiKind::FixedBytes(size) => {
                self.bytes_into(text, &mut word[..size])?;
            }
            AbiKind::Uint(bits) => {
                let value = magnitude(text)?;
                if value.bit_len() > bits {
                    return Err(self.out_of_range(text));
                }
                word = value.to_be_bytes();
            }
            AbiKind::Int(bits) => {
                let (is_negative, digits) = match text.strip_prefix('-') {
                    Some(digits) => (true, digits),
                    None => (false, text),
                };
                let value = magnitude(digits)?;
                let limit = U256::ONE << (bits - 1);
                let fits = if is_negative {
                    value <= limit
                } else {
                    value < limit
                };
                if !fits {
                    return Err(self.out_of_range(text));
                }
                let value = if is_negative {
                    value.wrapping_neg()
                } else {
                    value
                };
                word = value.to_be_bytes();
            }
            AbiKind::String | AbiKind::Bytes => return Ok(None),
        }
        Ok(Some(word))
    }

    fn out_of_range(&self, text: &str) -> ValueError {
        ValueError::Range {
            text: text.into(),
            kind: self.name.clone(),
        }
    }

    fn not_bytes(&self, text: &str) -> ValueError {
        ValueError::Bytes {
            text: text.into(),
            kind: self.name.clone(),
        }
    }

    fn bytes_into(&self, text: &str, out: &mut [u8]) -> Result<(), ValueError> {
        let digits = text.strip_prefix("0x").unwrap_or_default();
        let is_lower = !digits.bytes().any(|digit| digit.is_ascii_uppercase());
        let read = hex::decode_to_slice(digits, out).is_ok() && text.starts_with("0x");
        if read && is_lower {
            Ok(())
        } else {
            Err(self.not_bytes(text))
        }
    }
}

impl fmt::Display for AbiType {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.name)
    }
}

/// A number of the text, which may be hexadecimal after 0x.
pub(super) fn magnitude(text: &str) -> Result<U256, ValueError> {
    let Some(digits) = text.strip_prefix("0x") else {
        return Ok(parse_units(text, 0)?);
    };
    let is_hex = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    if !is_hex {
        return Err(UnitsError::NotANumber(text.into()).into());
    }
    U256::from_str_radix(digits, 16).map_err(|_| UnitsError::TooLarge(text.into()).into())
}

/// Encodes rows of values of the same types; keeps its buffers.
#[derive(Default)]
pub(super) struct AbiEncoder {
    head: Vec<u8>,
    tail: Vec<u8>,
}

impl AbiEncoder {
    /// `abi.encode` of a row. Fails with the column of the value that is not of its type.
    pub(super) fn encode<T: AsRef<str>>(
        &mut self,
        types: &[AbiType],
        row: impl Iterator<Item = T>,
    ) -> Result<&[u8], (usize, ValueError)> {
        self.head.clear();
        self.tail.clear();
        let head_size = 32 * types.len();
        for (column, (kind, text)) in types.iter().zip(row).enumerate() {
            let text = text.as_ref();
            let refused = |error| (column, error);
            if let Some(word) = kind.word(text).map_err(refused)? {
                self.head.extend_from_slice(&word);
                continue;
            }
            // The head holds where the tail of the value begins: its length, then its bytes, padded to words.
            self.head
                .extend_from_slice(&word_of(head_size + self.tail.len()));
            let begin = self.tail.len() + 32;
            if kind.kind == AbiKind::String {
                self.tail.extend_from_slice(&word_of(text.len()));
                self.tail.extend_from_slice(text.as_bytes());
            } else {
                let size = text.len().saturating_sub(2) / 2;
                self.tail.extend_from_slice(&word_of(size));
                self.tail.resize(begin + size, 0);
                kind.bytes_into(text, &mut self.tail[begin..])
                    .map_err(refused)?;
            }
            self.tail
                .resize(begin + (self.tail.len() - begin).next_multiple_of(32), 0);
        }
        self.head.extend_from_slice(&self.tail);
        Ok(&self.head)
    }

    /// `abi.encodePacked` of a row of addresses and numbers: an address in 20 bytes, a number in 32.
    pub(super) fn pack<T: AsRef<str>>(
        &mut self,
        types: &[AbiType],
        row: impl Iterator<Item = T>,
    ) -> Result<&[u8], (usize, ValueError)> {
        self.head.clear();
        for (column, (kind, text)) in types.iter().zip(row).enumerate() {
            let word = kind
                .word(text.as_ref())
                .map_err(|error| (column, error))?
                .expect("addresses and numbers are static");
            let begin = if kind.kind == AbiKind::Address { 12 } else { 0 };
            self.head.extend_from_slice(&word[begin..]);
        }
        Ok(&self.head)
    }
}

fn word_of(number: usize) -> [u8; 32] {
    U256::from(number).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(types: &[&str], row: &[&str]) -> Result<String, (usize, String)> {
        let mut encoder = AbiEncoder::default();
        let bytes = encoder.encode(&AbiType::of(types), row.iter());
        bytes
            .map(hex::encode)
            .map_err(|(column, error)| (column, error.to_string()))
    }

    #[test]
    fn dynamic_values_follow_the_head() {
        // The example of Solidity's specification of the ABI, without its selector and with a string for its array.
        let found = encoded(
            &["bytes3", "bool", "string", "bytes"],
            &["0x616263", "true", "dave", "0x01"],
        );
        let words = [
            "6162630000000000000000000000000000000000000000000000000000000000",
            "0000000000000000000000000000000000000000000000000000000000000001",
            "0000000000000000000000000000000000000000000000000000000000000080",
            "00000000000000000000000000000000000000000000000000000000000000c0",
            "0000000000000000000000000000000000000000000000000000000000000004",
            "6461766500000000000000000000000000000000000000000000000000000000",
            "0000000000000000000000000000000000000000000000000000000000000001",
            "0100000000000000000000000000000000000000000000000000000000000000",
        ];
        assert_eq!(found, Ok(words.concat()));
    }

    #[test]
    fn numbers_are_checked_by_their_size() {
        let ones = "f".repeat(64);
        assert_eq!(encoded(&["int8"], &["-1"]), Ok(ones.clone()));
        assert_eq!(
            encoded(&["uint"], &[&U256::MAX.to_string()]),
            Ok(ones.clone())
        );
        assert_eq!(encoded(&["uint256"], &[&format!("0x{ones}")]), Ok(ones));
        assert!(encoded(&["int8"], &["-128"]).is_ok());
        for (kind, text) in [
            ("uint8", "256"),
            ("int8", "128"),
            ("int8", "-129"),
            ("uint8", "-1"),
            ("uint8", ""),
            ("uint8", "0x"),
            ("uint256", "1.5"),
        ] {
            let refused = encoded(&["bool", kind], &["true", text]);
            assert_eq!(
                refused.map_err(|(column, _)| column),
                Err(1),
                "{kind} {text}"
            );
        }
    }

    #[test]
    fn bytes_have_one_text() {
        for text in ["", "0x", "0xab", "0xABCD", "0xabcdef", "abcd", "0xabcg"] {
            let (column, said) = encoded(&["bytes2"], &[text]).unwrap_err();
            assert!(
                column == 0 && said.contains("is not of the type bytes2"),
                "{said}"
            );
        }
        assert!(encoded(&["bytes"], &["0x"]).is_ok());
        assert!(encoded(&["bytes"], &["0xabc"]).is_err());
    }

    #[test]
    fn other_types_are_refused() {
        for name in [
            "",
            "uint7",
            "uint264",
            "uint0",
            "uint08",
            "bytes0",
            "bytes33",
            "bytes+1",
            "address[]",
            "(uint8)",
        ] {
            assert!(AbiType::parse(name).is_err(), "{name}");
        }
        assert_eq!(AbiType::parse("uint").unwrap().to_string(), "uint");
    }
}
