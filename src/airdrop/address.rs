//! Addresses as text: EVM with the checksum of EIP-55, Solana in base58.
//!
//! A mixed-case EVM address must carry the right checksum, because a wrong one is a typing error that would
//! pay a stranger. One in lower or upper case alone states none.

use std::fmt;

use super::keccak::keccak;
use crate::excerpt::quoted;

/// What a holder must be to be paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressKind {
    /// 0x and 40 hexadecimal digits; written with the checksum of EIP-55.
    Evm,
    /// 32 bytes in base58.
    Solana,
    /// Any text, compared byte for byte.
    Text,
}

/// Why a text is not an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not 0x and 40 hexadecimal digits.
    #[error("{} is not an EVM address (write 0x and 40 hexadecimal digits)", quoted(.0))]
    NotEvm(Box<str>),
    /// The letters' case is not that of EIP-55.
    #[error("{} has a wrong checksum in the case of its letters; check it for a typing error, or write it in lower case to say that it is right", .0)]
    Checksum(Box<str>),
    /// Not 32 bytes in base58.
    #[error("{} is not a Solana address (write 32 bytes in base58)", quoted(.0))]
    NotSolana(Box<str>),
}

impl AddressKind {
    /// The one way in which lists write this address.
    pub fn canonical(self, text: &str) -> Result<Box<str>, AddressError> {
        match self {
            Self::Evm => Ok(EvmAddress::parse(text)?.to_string().into()),
            // Base58 has one text for 32 bytes.
            Self::Solana => solana_key(text).map(|_| text.into()),
            Self::Text => Ok(text.into()),
        }
    }
}

/// The 20 bytes of an EVM account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EvmAddress([u8; 20]);

impl EvmAddress {
    /// Reads 0x and 40 hexadecimal digits; in mixed case, with the checksum of EIP-55.
    ///
    /// ```
    /// use poh_holdmetrics_rust::airdrop::EvmAddress;
    ///
    /// let address = EvmAddress::parse("0xfb6916095ca1df60bb79ce92ce3ea74c37c5d359")?;
    /// assert_eq!(address.to_string(), "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359");
    /// # Ok::<(), poh_holdmetrics_rust::airdrop::AddressError>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let mut bytes = [0; 20];
        let digits = text.strip_prefix("0x").unwrap_or_default();
        if hex::decode_to_slice(digits, &mut bytes).is_err() {
            return Err(AddressError::NotEvm(text.into()));
        }
        let address = Self(bytes);
        if is_mixed(digits) && address.checksummed() != text.as_bytes() {
            return Err(AddressError::Checksum(text.into()));
        }
        Ok(address)
    }

    /// The bytes.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 20] {
        &self.0
    }

    /// The text with the checksum: a letter is upper case if the digit of the hash at its place is 8 or more.
    fn checksummed(self) -> [u8; 42] {
        let mut text = *b"0x0000000000000000000000000000000000000000";
        hex::encode_to_slice(self.0, &mut text[2..]).expect("twenty bytes are forty digits");
        let hash = keccak(&text[2..]);
        for (index, letter) in text[2..].iter_mut().enumerate() {
            let digit = hash[index / 2] >> (4 * (1 - index % 2)) & 0xf;
            if digit >= 8 {
                letter.make_ascii_uppercase();
            }
        }
        text
    }
}

impl fmt::Display for EvmAddress {
    /// With the checksum of EIP-55.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.checksummed();
        out.write_str(std::str::from_utf8(&text).expect("digits are ASCII"))
    }
}

/// Whether the digits of an EVM address state a checksum by their case. The x of 0x does not count.
pub(super) fn is_mixed(text: &str) -> bool {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    digits.bytes().any(|byte| byte.is_ascii_lowercase())
        && digits.bytes().any(|byte| byte.is_ascii_uppercase())
}

/// The 32 bytes of a Solana account.
pub(super) fn solana_key(text: &str) -> Result<[u8; 32], AddressError> {
    let refused = || AddressError::NotSolana(text.into());
    // A longer text cannot be 32 bytes, and decoding takes quadratic time.
    if text.len() > 44 {
        return Err(refused());
    }
    let mut key = [0; 32];
    match bs58::decode(text).onto(&mut key) {
        Ok(32) => Ok(key),
        Ok(_) | Err(_) => Err(refused()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the text of EIP-55.
    const CHECKSUMMED: [&str; 6] = [
        "0x52908400098527886E0F7030069857D2E4169EE7",
        "0xde709f2102306220921060314715629080e2fb77",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    ];

    #[test]
    fn the_checksum_is_that_of_eip_55() {
        for text in CHECKSUMMED {
            let lower = text.to_ascii_lowercase();
            let upper = format!("0x{}", text[2..].to_ascii_uppercase());
            for written in [text, &lower, &upper] {
                assert_eq!(&*AddressKind::Evm.canonical(written).unwrap(), text);
            }
        }
    }

    #[test]
    fn a_letter_in_the_wrong_case_is_refused() {
        for text in &CHECKSUMMED[2..] {
            for index in 2..42 {
                let mut wrong = text.as_bytes().to_vec();
                wrong[index] ^= 0x20;
                if wrong[index].is_ascii_alphabetic() {
                    let wrong = String::from_utf8(wrong).unwrap();
                    let refused = AddressError::Checksum(wrong.as_str().into());
                    assert_eq!(EvmAddress::parse(&wrong), Err(refused));
                }
            }
        }
    }

    #[test]
    fn what_is_not_an_address_of_the_kind_is_refused() {
        let digits = "1".repeat(40);
        for text in [
            "",
            "0x",
            "ann",
            &digits,
            &format!("0X{digits}"),
            &format!("0x{digits}1"),
            &format!("0x{}g", &digits[1..]),
            &format!(" 0x{digits}"),
        ] {
            assert_eq!(
                EvmAddress::parse(text),
                Err(AddressError::NotEvm(text.into()))
            );
        }
        let system = "1".repeat(32);
        assert_eq!(solana_key(&system), Ok([0; 32]));
        let key = bs58::encode([255; 32]).into_string();
        assert_eq!(solana_key(&key), Ok([255; 32]));
        let long = "1".repeat(33);
        for text in ["", "0OIl", &long, &key[..30], &"z".repeat(10_000_000)] {
            assert_eq!(solana_key(text), Err(AddressError::NotSolana(text.into())));
        }
    }
}
