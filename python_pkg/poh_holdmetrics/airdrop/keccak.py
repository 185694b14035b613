"""keccak256, the hash of Ethereum, from pycryptodome; and addresses, which carry a checksum of it.

Without native code; `libraries` names the extra if the library is missing.
"""

from __future__ import annotations

import re

from poh_holdmetrics import native
from poh_holdmetrics.errors import InputError, excerpt
from poh_holdmetrics.libraries import library

_ADDRESS = re.compile(r"0[xX]([0-9a-fA-F]{40})", re.ASCII)
#: A letter is upper-case if the digit of the hash is at least this.
_UPPER_FROM = 8


def keccak256(data: bytes) -> bytes:
    """The original Keccak with 32 bytes, not SHA3-256."""
    keccak = library("Crypto.Hash.keccak", "a Merkle tree without native code", "airdrop")
    digest: bytes = keccak.new(digest_bits=256, data=data).digest()
    return digest


def checksummed(address: str) -> str:
    """An EVM address with the checksum of EIP-55; raises `InputError` for other text or another checksum."""
    namespace = native.namespace()
    if namespace is not None:
        try:
            return namespace.checksummed_address(address)
        except ValueError as refusal:
            raise InputError("address", str(refusal).removeprefix("address: ")) from refusal
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise InputError("address", f"{excerpt(address)} is not 0x and 40 hexadecimal digits")
    digits = found[1].lower()
    hash_digits = keccak256(digits.encode()).hex()
    pairs = zip(digits, hash_digits, strict=False)
    text = "".join(digit.upper() if int(of_hash, 16) >= _UPPER_FROM else digit for digit, of_hash in pairs)
    if found[1] not in (digits, digits.upper(), text):
        raise InputError(
            "address", f"{excerpt(address)} has a wrong checksum (check it, or write it in lower case)"
        )
    return f"0x{text}"
