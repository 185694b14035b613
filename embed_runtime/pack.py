"""Packs an assembled folder: an archive of it, and one executable file with that folder behind a launcher.

    FOLDER/bin/python3.14 embed_runtime/pack.py BUNDLE --launcher PATH --name NAME --out DIR

The archive is a tar.zst, or a zip for Windows. Every entry has the time SOURCE_DATE_EPOCH and no owner, so
that the same folder gives the same bytes. The footer of the one file is read by launcher/src/payload.rs; the
two must agree.
"""

import argparse
import hashlib
import importlib
import os
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


def write_tar(bundle: Path, name: str, target: Path, level: int) -> None:
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
                with path.open("rb") as content:
                    tar.addfile(entry, content)
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
    payload = arguments.out / f"{arguments.name}.tar.zst"
    program = arguments.out / arguments.name
    write_tar(arguments.bundle, arguments.name, payload, arguments.level)
    written = payload
    if "windows" in arguments.name:
        program = program.with_name(program.name + ".exe")
        written = payload.with_name(f"{arguments.name}.zip")
        write_zip(arguments.bundle, arguments.name, written)
    one_file(arguments.launcher, payload, arguments.bundle / "embed_runtime" / MANIFEST, program)
    if written != payload:
        payload.unlink()
    for path in (written, program):
        print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
