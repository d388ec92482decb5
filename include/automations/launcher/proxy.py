"""The proxy in front of several bridges and api-servers: HAProxy, and its configuration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from automations.launcher.profiles import BACKEND, program
from automations.launcher.secrets import write_private

# A server that refuses connections is left out at once, and asked every second whether it is back.
# A request that has reached no server is given to the next one; what one may have begun is not
# sent again: whoever has sent it does that, under its Idempotency-Key. Pages that follow a run are
# held open, and say every 15 seconds that they live.
_HEAD = """\
global
    maxconn 4096
defaults
    mode http
    option forwardfor
    option redispatch 1
    retries 3
    timeout connect 5s
    timeout client 5m
    timeout server 5m
    timeout check 15s
    default-server check inter 1s fall 2 rise 1 observe layer4 error-limit 1 on-error mark-down
"""
_ONE = """\
listen {name}
    bind {address}
    balance leastconn
    option httpchk
    http-check send meth GET uri {check} ver HTTP/1.1 hdr Host localhost
    http-check expect status 200
"""


@dataclass(frozen=True)
class Front:
    """One address, and the servers that are asked in turn behind it.

    Args:
        check: the path by which a server says that it works.
    """

    name: str
    host: str
    port: int
    servers: Sequence[int]
    check: str


class Proxy:
    """HAProxy of one home."""

    def __init__(self, home: Path, fronts: Sequence[Front]) -> None:
        self._file = home / "run" / "proxy.cfg"
        self._fronts = fronts

    def prepare(self) -> None:
        """Write what it is configured by."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        write_private(self._file, self.configuration())

    def configuration(self) -> str:
        """What it is told, in its own language."""
        parts = [_HEAD]
        for front in self._fronts:
            host = f"[{front.host}]" if ":" in front.host else front.host
            address = f"{host}:{front.port}"
            parts.append(_ONE.format(name=front.name, address=address, check=front.check))
            for number, port in enumerate(front.servers, start=1):
                parts.append(f"    server {front.name}-{number} {BACKEND}:{port}\n")
        return "".join(parts)

    def command(self) -> list[str]:
        """How it is started."""
        return [program("haproxy"), "-db", "-f", str(self._file)]
