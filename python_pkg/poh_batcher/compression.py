"""Compression of payloads: Zstandard where Python has it, else gzip. The same bytes give the same bytes.

Zstandard is `compression.zstd` of Python 3.14, or `backports.zstd` (extra `zstd`), which has the same calls.
Decompression stops at a bound, so that a small file cannot fill the memory.
"""

from __future__ import annotations

import gzip
import importlib
import zlib
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from poh_batcher.errors import BatchDamaged, excerpt

if TYPE_CHECKING:
    from poh_batcher.types import Codec

#: How large a payload may become when it is decompressed, unless the caller says otherwise.
DECOMPRESSED_BYTES_MAX = 256 * 1024 * 1024

_GZIP_WINDOW = 16 + zlib.MAX_WBITS
#: Lowest, default and highest level of each codec. At level 6 of gzip acknowledgements are 3 % smaller and
#: take a quarter longer.
_LEVELS = {"gzip": (0, 1, 9), "zstd": (1, 3, 22)}


@cache
def _zstd() -> Any:
    for name in ("compression.zstd", "backports.zstd"):
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError:
            continue
    return None


def zstd_available() -> bool:
    """Whether Zstandard is installed."""
    return _zstd() is not None


def compress(data: bytes, level: int | None = None, *, codec: Codec | None = None) -> tuple[Codec, bytes]:
    """The codec and the compressed bytes; without `codec`, Zstandard if it is installed, else gzip.

    `level` is 0 to 9 for gzip (default 1) and 1 to 22 for zstd (default 3); `none` has no levels. Raises
    `ValueError` if it is another one, `RuntimeError` if zstd is asked for and not installed.
    """
    chosen, checked = checked_codec(codec, level)
    match chosen:
        case "none":
            return chosen, bytes(data)
        case "gzip":
            # Without the time, which would change the bytes.
            return chosen, gzip.compress(data, checked, mtime=0)
        case "zstd":
            return chosen, cast("bytes", _required_zstd().compress(data, checked))


def checked_codec(codec: Codec | None, level: int | None) -> tuple[Codec, int]:
    """The codec and the level that `compress` takes for these, 0 for `none`; raises as it does."""
    chosen: Codec = codec or ("zstd" if zstd_available() else "gzip")
    if chosen == "none":
        if level is not None:
            raise ValueError(f"level: codec none has no levels; found {level}")
        return chosen, 0
    if chosen not in _LEVELS:
        raise _unknown(chosen)
    if chosen == "zstd":
        _required_zstd()
    return chosen, _checked_level(chosen, level)


def decompress(codec: str, data: bytes, *, max_bytes: int = DECOMPRESSED_BYTES_MAX) -> bytes:
    """The bytes that `compress` was given.

    Raises `BatchDamaged` if they are not what the codec writes, end early, or become more than `max_bytes`;
    `ValueError` if the codec is unknown, `RuntimeError` if it is zstd and that is not installed.
    """
    match codec:
        case "none":
            found = bytes(data)
        case "gzip":
            found = _decompressed(
                lambda: zlib.decompressobj(_GZIP_WINDOW), zlib.error, codec, data, max_bytes
            )
        case "zstd":
            zstd = _required_zstd()
            found = _decompressed(zstd.ZstdDecompressor, zstd.ZstdError, codec, data, max_bytes)
        case _:
            raise _unknown(codec)
    if len(found) > max_bytes:
        raise BatchDamaged(
            f"payload: more than {max_bytes} bytes when decompressed; raise max_bytes to read it"
        )
    return found


def _decompressed(
    new_decompressor: Any,
    error: type[Exception],
    codec: str,
    data: bytes,
    max_bytes: int,
) -> bytes:
    """Member after member, up to one byte more than `max_bytes`."""
    found = b""
    rest = data
    while True:
        decompressor = new_decompressor()
        try:
            found += cast("bytes", decompressor.decompress(rest, max_bytes + 1 - len(found)))
        except error as cause:
            raise BatchDamaged(f"payload: damaged {codec}: {cause}") from cause
        if len(found) > max_bytes:
            return found
        if not decompressor.eof:
            raise BatchDamaged(f"payload: the {codec} data end early")
        rest = decompressor.unused_data
        if not rest:
            return found


def _checked_level(codec: str, level: int | None) -> int:
    lowest, default, highest = _LEVELS[codec]
    if level is None:
        return default
    if not lowest <= level <= highest:
        raise ValueError(f"level: {codec} takes {lowest} to {highest}; found {level}")
    return level


def _required_zstd() -> Any:
    zstd = _zstd()
    if zstd is None:
        raise RuntimeError("zstd is not installed; run pip install 'poh-batcher[zstd]'")
    return zstd


def _unknown(codec: object) -> ValueError:
    return ValueError(f"codec: expected gzip, zstd or none; found {excerpt(codec)}")
