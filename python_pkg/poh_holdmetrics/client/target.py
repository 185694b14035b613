"""The service that a client talks to: its address, the API key, and the files of TLS.

`http://`, `https://`, `grpc://` and `grpcs://`; nothing is connected here.
"""

from __future__ import annotations

import ipaddress
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from poh_holdmetrics.errors import InputError, excerpt

#: The API key, unless it is given as an argument.
API_KEY_VARIABLE = "HOLDMETRICS_API_KEY"
_FORMS = "http://HOST:PORT, https://HOST:PORT, grpc://HOST:PORT or grpcs://HOST:PORT"
_TLS = ("https", "grpcs")


@dataclass(frozen=True)
class Target:
    """Where a service is; `is_own` says that it is on this machine, where no proxy is used."""

    url: str
    scheme: str
    authority: str
    is_own: bool
    api_key: str | None
    ca: Path | None
    certificate: Path | None
    key: Path | None

    @property
    def is_grpc(self) -> bool:
        """Whether gRPC is spoken, and not HTTP."""
        return self.scheme.startswith("grpc")

    @property
    def has_tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.scheme in _TLS

    def tls_context(self) -> ssl.SSLContext:
        """What the Python standard library needs for TLS; raises `InputError` for files that are not PEM."""
        try:
            context = ssl.create_default_context(cafile=self.ca)
            if self.certificate is not None:
                context.load_cert_chain(self.certificate, self.key)
        except (OSError, ssl.SSLError) as error:
            files = ", ".join(str(file) for file in (self.ca, self.certificate, self.key) if file)
            raise InputError("ca, certificate, key", f"{files} cannot be used as PEM ({error})") from error
        return context

    def tls_bytes(self) -> tuple[bytes | None, bytes | None, bytes | None]:
        """Authorities, key and certificate, as gRPC takes them; checks them as `tls_context` does."""
        self.tls_context()
        files = (self.ca, self.key, self.certificate)
        authorities, key, certificate = (None if file is None else file.read_bytes() for file in files)
        return authorities, key, certificate


def target(
    url: str,
    *,
    api_key: str | None = None,
    ca: str | Path | None = None,
    certificate: str | Path | None = None,
    key: str | Path | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Target:
    """The target of a client; raises `InputError` for an address or a combination that cannot be used."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise InputError("url", f"expected {_FORMS}; found {excerpt(url)}") from None
    if not host or parts.scheme not in ("http", "grpc", *_TLS) or parts.query or parts.fragment:
        raise InputError("url", f"expected {_FORMS}; found {excerpt(url)}")
    if parts.username is not None:
        raise InputError("url", "a password in the address is not used; give api_key")
    if parts.scheme.startswith("grpc") and (parts.port is None or parts.path.strip("/")):
        raise InputError("url", f"expected {parts.scheme}://HOST:PORT; found {excerpt(url)}")
    if parts.scheme not in _TLS and (ca or certificate or key):
        secure = "grpcs" if parts.scheme == "grpc" else "https"
        raise InputError("ca, certificate, key", f"{url} is without TLS; begin the address with {secure}://")
    if (certificate is None) != (key is None):
        raise InputError("certificate, key", "one is missing; give both, or none")
    found = environment.get(API_KEY_VARIABLE) if api_key is None else api_key
    if found and (not found.isascii() or any(each.isspace() for each in found)):
        raise InputError("api_key", "contains blanks or characters that no key has")
    paths = (None if file is None else Path(file) for file in (ca, certificate, key))
    return Target(url.rstrip("/"), parts.scheme, parts.netloc, _is_own(host), found or None, *paths)


def _is_own(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
