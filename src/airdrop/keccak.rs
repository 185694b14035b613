//! Keccak-256 as Ethereum uses it: the original padding, not that of SHA3-256.

use sha3::{Digest, Keccak256};

/// The hash of `bytes`.
pub(super) fn keccak(bytes: &[u8]) -> [u8; 32] {
    Keccak256::digest(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_padding_is_the_original_one() {
        assert_eq!(
            hex::encode(keccak(b"")),
            "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
        );
    }
}
