"""Certificates of tests, and their keys, made by openssl."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


def issue(folder: Path, name: str, *options: str) -> tuple[Path, Path]:
    """A certificate and its key, signed by itself unless `options` name an authority; needs openssl."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-nodes", "-days", "2", "-subj", f"/CN={name}", *options),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key


def issue_for_localhost(folder: Path) -> tuple[Path, Path]:
    """A certificate of `localhost` that has signed itself, and its key."""
    return issue(folder, "localhost", "-addext", "subjectAltName=DNS:localhost")
