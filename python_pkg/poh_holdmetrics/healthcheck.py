"""The health check of the container: exit code 0 if the service on this machine answers GET /healthz.

    python -m poh_holdmetrics.healthcheck

It asks over TLS if the service speaks TLS, and does not verify the certificate, which names the service and not
127.0.0.1. A service that demands a certificate of its clients answers by that demand. `HTTP_PORT` names the port.
"""

from __future__ import annotations

import os
import ssl
import sys
import urllib.request
from http.client import HTTPException
from urllib.error import URLError

#: Seconds for each attempt; the image allows five for both.
_PATIENCE = 2


def is_healthy(port: str) -> bool:
    """Ask without TLS, then with it."""
    unverified = ssl.create_default_context()
    unverified.check_hostname = False
    unverified.verify_mode = ssl.CERT_NONE
    for scheme in ("http", "https"):
        try:
            with urllib.request.urlopen(  # noqa: S310 - both schemes are ours
                f"{scheme}://127.0.0.1:{port}/healthz", timeout=_PATIENCE, context=unverified
            ):
                # Other answers than 2xx are errors.
                return True
        except (OSError, HTTPException) as error:
            reason = error.reason if isinstance(error, URLError) else error
            if isinstance(reason, ssl.SSLError) and "CERTIFICATE_REQUIRED" in (reason.reason or ""):
                return True
    return False


if __name__ == "__main__":
    sys.exit(not is_healthy(os.environ.get("HTTP_PORT") or "8000"))
