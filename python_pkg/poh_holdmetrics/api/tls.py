"""The certificate of the servers, and the authorities whose clients they accept.

Files are read once, when the service starts; a new certificate needs a restart.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from poh_holdmetrics.errors import InputError


@dataclass(frozen=True, slots=True)
class Tls:
    """Files in PEM: a certificate chain, its private key, and perhaps the authorities of clients."""

    certificate: Path
    key: Path
    client_ca: Path | None = None

    @classmethod
    def of(cls, certificate: str | None, key: str | None, client_ca: str | None) -> Self | None:
        """The files of these paths, checked; None without any. Raises `InputError` that names a file."""
        if certificate is None and key is None and client_ca is None:
            return None
        if certificate is None or key is None:
            raise InputError("--tls-cert, --tls-key", "one is missing; TLS needs a certificate and its key")
        tls = cls(Path(certificate), Path(key), None if client_ca is None else Path(client_ca))
        tls._check()
        return tls

    def _check(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        for file in filter(None, (self.certificate, self.key, self.client_ca)):
            try:
                file.read_bytes()
            except OSError as error:
                raise InputError(str(file), f"cannot be read ({error.strerror or error})") from error
        try:
            # A key with a passphrase would ask for it on the terminal.
            context.load_cert_chain(self.certificate, self.key, password="")
        except ssl.SSLError as error:
            where = f"{self.certificate}, {self.key}"
            raise InputError(where, "not a certificate and its private key in PEM") from error
        if self.client_ca is not None:
            try:
                context.load_verify_locations(self.client_ca)
            except ssl.SSLError as error:
                raise InputError(str(self.client_ca), "contains no certificate in PEM") from error
