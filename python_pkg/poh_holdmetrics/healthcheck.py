"""The health check of the container: exit code 0 if the service on this machine answers GET /healthz.

    python -m poh_holdmetrics.healthcheck

It asks over TLS if the service speaks TLS, and does not verify the certificate, which names the service and
not 127.0.0.1. A service that demands a certificate of its clients ends the connection after its own part of
the handshake, which is an answer too. `HTTP_PORT` names the port.
"""

from __future__ import annotations

import contextlib
import os
import ssl
import sys
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection

#: Seconds for each attempt; the image allows five for both.
_PATIENCE = 2


def is_healthy(port: int) -> bool:
    """Ask without TLS, then with it."""
    unverified = ssl.create_default_context()
    unverified.check_hostname = False
    unverified.verify_mode = ssl.CERT_NONE
    plain = HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
    with_tls = HTTPSConnection("127.0.0.1", port, timeout=_PATIENCE, context=unverified)
    return _answers(plain) or _answers(with_tls)


def _answers(connection: HTTPConnection) -> bool:
    with contextlib.suppress(OSError, HTTPException), contextlib.closing(connection):
        connection.connect()
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == HTTPStatus.OK
        except (ConnectionError, ssl.SSLError):
            # Once TLS stands, a service does so if it wants to see a certificate.
            return isinstance(connection, HTTPSConnection)
    return False


if __name__ == "__main__":
    sys.exit(not is_healthy(int(os.environ.get("HTTP_PORT") or "8000")))
