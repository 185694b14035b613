"""Asks a running service over HTTP, with the standard library: the routes under `/admin`.

One request at a time. The files that are named are read here, and a problem document becomes one sentence.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from poh_holdmetrics.errors import HoldMetricsError, InputError, excerpt

#: A reload waits until current calls have ended.
_SECONDS = 60.0
#: The service never answers with more.
_BYTES_MAX = 64 << 20


class ServiceRefused(HoldMetricsError):  # noqa: N818 - an answer of the service, named as such
    """The service answered with a problem, or did not answer."""

    def __init__(self, url: str, problem: str, traceback: str = "") -> None:
        """`problem` is what the service says; `traceback` is that of the pipeline, if it failed."""
        super().__init__(f"{url}: {problem}")
        self.traceback = traceback


class Service:
    """A service at an address."""

    def __init__(self, url: str, *, context: ssl.SSLContext | None = None, key: str | None = None) -> None:
        self._url = url
        self._context = context
        self._headers = {"Accept": "application/json"}
        if key is not None:
            self._headers["Authorization"] = f"Bearer {key}"

    def ask(self, method: str, path: str) -> dict[str, Any]:
        """The answer to a request. Raises `ServiceRefused`."""
        request = urllib.request.Request(  # noqa: S310 - `service_at` lets http and https pass alone
            f"{self._url}{path}", method=method, headers=self._headers
        )
        # The address is the user's own; a proxy of the environment is not asked.
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=self._context)
        )
        try:
            with opener.open(request, timeout=_SECONDS) as response:
                answer: dict[str, Any] = json.loads(response.read(_BYTES_MAX))
                return answer
        except urllib.error.HTTPError as error:
            with error:
                raise self._problem(error) from error
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            problem = f"cannot be reached ({reason}); start the service, or correct --url"
            raise ServiceRefused(self._url, problem) from error
        except ValueError as error:
            problem = "the answer is not JSON; --url must be the HTTP address of a holdmetrics service"
            raise ServiceRefused(self._url, problem) from error

    def _problem(self, error: urllib.error.HTTPError) -> ServiceRefused:
        try:
            document = json.loads(error.read(_BYTES_MAX))
            return ServiceRefused(self._url, document["detail"], document.get("traceback", ""))
        except (ValueError, KeyError, TypeError, AttributeError):
            return ServiceRefused(self._url, f"{error.code} {error.reason}")


def service_at(url: str, *, authority: str | None = None, api_key_file: str | None = None) -> Service:
    """The service at `url`, asked with the key in a file. Raises `InputError` for what cannot be used."""
    address = _address(url)
    context = None
    if authority is not None:
        if not address.startswith("https:"):
            raise InputError("--ca", f"{address} is an address without TLS; begin --url with https://")
        try:
            context = ssl.create_default_context(cafile=authority)
        except (OSError, ssl.SSLError) as error:
            raise InputError("--ca", f"{authority} cannot be read as PEM ({error})") from error
    return Service(address, context=context, key=None if api_key_file is None else _key(api_key_file))


def _address(url: str) -> str:
    """The address without a slash at its end; one of this machine needs no http://."""
    text = url if "://" in url else f"http://{url}"
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https"):
        raise InputError("--url", f"{excerpt(url)} is not an address as in https://holdmetrics.example.org")
    if "://" not in url and not _is_own(host):
        raise InputError(
            "--url", f"{excerpt(url)} is not on this machine: say https://{url}, or http://{url} without TLS"
        )
    return text.rstrip("/")


def _is_own(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _key(file: str) -> str:
    try:
        key = Path(file).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("--api-key-file", f"{file} cannot be read ({error})") from error
    if not key or not key.isascii() or any(each.isspace() for each in key):
        raise InputError("--api-key-file", f"{file} holds no key")
    return key
