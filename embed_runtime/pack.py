"""Packs an assembled folder: an archive of it, and one executable file with that folder behind a launcher.

    FOLDER/bin/python3.14 embed_runtime/pack.py BUNDLE --launcher PATH --name NAME --out DIR

The archive is a tar.zst, or a zip for Windows. Every entry has the time SOURCE_DATE_EPOCH and no owner, so
that the same folder gives the same bytes. The footer of the one file is read by launcher/src/payload.rs, its
machine code by launcher/src/calls.rs; they must agree.
"""

import argparse
import hashlib
import importlib
import io
import os
import re
import struct
import tarfile
import time
import zipfile
from pathlib import Path

from bundle import MANIFEST

#: The highest level, with the largest window that every zstd accepts unasked.
LEVEL = 22
WINDOW_LOG = 27
MARK = b"holdmetrics-one1"


def write_zip(bundle: Path, name: str, target: Path) -> None:
    """Write a bundle as zip, below a folder of its name."""
    date = time.gmtime(int(os.environ["SOURCE_DATE_EPOCH"]))[:6]
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as out:
        for path in sorted(path for path in bundle.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo((Path(name) / path.relative_to(bundle)).as_posix(), date)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            out.writestr(entry, path.read_bytes())


def with_places_of_calls(content: bytes) -> bytes:
    """Return machine code with the place that is called instead of the distance to it: it compresses better.

    Read by launcher/src/calls.rs; the two must agree. Other content is returned as it is. Programs and
    libraries are told by how they begin; whatever they contain, it comes back as it was.
    """
    if not content.startswith((b"\x7fELF", b"MZ")):
        return content
    changed = bytearray(content)
    size = len(content)
    free_from = 0
    for found in re.finditer(rb"[\xe8\xe9]", content):
        at = found.start()
        # The four bytes of a number are not looked at again.
        if at < free_from or at + 5 > size:
            continue
        free_from = at + 5
        (distance,) = struct.unpack_from("<i", content, at + 1)
        if -at <= distance < size:
            place = distance + at if distance < size - at else distance - size
            struct.pack_into("<i", changed, at + 1, place)
    return bytes(changed)


def write_tar(bundle: Path, name: str, target: Path, level: int, *, for_launcher: bool) -> None:
    """Write a bundle as tar.zst, below a folder of its name."""
    epoch = int(os.environ["SOURCE_DATE_EPOCH"])
    # Only Python 3.14, which runs this, has it; the checks run with older ones.
    zstd = importlib.import_module("compression.zstd")
    parameter = zstd.CompressionParameter
    options = {parameter.compression_level: level, parameter.window_log: WINDOW_LOG}
    with zstd.open(target, "wb", options=options) as out, tarfile.open(fileobj=out, mode="w|") as tar:
        for path in [bundle, *sorted(bundle.rglob("*"))]:
            entry = tar.gettarinfo(path, (Path(name) / path.relative_to(bundle)).as_posix())
            entry.uid = entry.gid = 0
            entry.uname = entry.gname = ""
            entry.mtime = epoch
            if path.is_file():
                content = path.read_bytes()
                tar.addfile(entry, io.BytesIO(with_places_of_calls(content) if for_launcher else content))
            else:
                tar.addfile(entry)


def one_file(launcher: Path, payload: Path, manifest: Path, target: Path) -> None:
    """Write the launcher, the payload and the footer into one executable file."""
    content = payload.read_bytes()
    footer = struct.pack("<Q", len(content))
    for digest in (hashlib.sha256(content), hashlib.sha256(manifest.read_bytes())):
        footer += digest.digest()
    target.write_bytes(launcher.read_bytes() + content + footer + MARK)
    target.chmod(0o755)


def main() -> None:
    """Pack one bundle."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("bundle", type=Path, help="the folder that bundle.py made")
    parser.add_argument("--launcher", type=Path, required=True)
    parser.add_argument("--name", required=True, help="of the files, without what they end with")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--level", type=int, default=LEVEL, help="of the compression")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    payload = arguments.out / f"{arguments.name}.payload"
    program = arguments.out / arguments.name
    if "windows" in arguments.name:
        program = program.with_name(program.name + ".exe")
        written = arguments.out / f"{arguments.name}.zip"
        write_zip(arguments.bundle, arguments.name, written)
    else:
        written = arguments.out / f"{arguments.name}.tar.zst"
        write_tar(arguments.bundle, arguments.name, written, arguments.level, for_launcher=False)
    write_tar(arguments.bundle, arguments.name, payload, arguments.level, for_launcher=True)
    one_file(arguments.launcher, payload, arguments.bundle / "embed_runtime" / MANIFEST, program)
    payload.unlink()
    for path in (written, program):
        print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
