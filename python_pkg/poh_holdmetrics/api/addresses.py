"""Where the servers listen: read from flags and variables, and refused if other machines could reach it.

Without TLS an address outside loopback needs the word of the operator. Opens no socket.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from poh_holdmetrics.errors import InputError

_PORT_MAX = 65_535


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a port; port 0 chooses a free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, where: str, text: str) -> Address:
        """The address `HOST:PORT`; raises `InputError` that begins with `where`."""
        host, _, port = text.rpartition(":")
        return cls.of(where, host.removeprefix("[").removesuffix("]"), port)

    @classmethod
    def of(cls, where: str, host: str, port: str) -> Address:
        """The address of a host and the digits of a port; raises `InputError` that begins with `where`."""
        is_port = port.isascii() and port.isdigit() and int(port[:6]) <= _PORT_MAX
        if not host or not is_port:
            found = f"{host}:{port}"
            raise InputError(
                where, f"expected HOST:PORT with a port from 0 to {_PORT_MAX}, not {found[:40]!r}"
            )
        return cls(host, int(port))

    def check_reach(self, *, has_tls: bool = False, insecure_bind: bool) -> None:
        """Raise `InputError` if other machines can reach the address and that is not allowed."""
        if not has_tls and not insecure_bind and not self._is_loopback():
            raise InputError(
                str(self),
                "can be reached from other machines and has no TLS: give --tls-cert and --tls-key, bind to "
                "127.0.0.1, or allow it with --insecure-bind",
            )

    def _is_loopback(self) -> bool:
        try:
            ip = ipaddress.ip_address(self.host)
        except ValueError:
            return self.host == "localhost"
        mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
        return (mapped or ip).is_loopback
