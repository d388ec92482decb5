"""Ports on the loopback that nobody uses, for servers that tests and benches start.

Each is this process's own for as long as it runs: what starts a server in it may take a minute to
come to that, and what is tried with nobody behind it must stay so. They are below those that the
system chooses itself, so that neither a client nor a server on port 0 gets one meanwhile.
"""

from __future__ import annotations

import atexit
import random
import socket
from contextlib import ExitStack, suppress

_FIRST, _AFTER_LAST = 20_000, 30_000
_ours: set[int] = set()
_names = ExitStack()
"""What other processes of the tests see that a port is taken by: names, which go with us."""
atexit.register(_names.close)


def free_port() -> int:
    """One that is free."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """As many, all different."""
    found: list[int] = []
    while len(found) < count:
        port = random.randrange(_FIRST, _AFTER_LAST)
        if _is_ours(port):
            found.append(port)
    return found


def free_row(count: int) -> int:
    """The first of as many that follow each other."""
    while True:
        first = random.randrange(_FIRST, _AFTER_LAST - count)
        if all(_is_ours(port) for port in range(first, first + count)):
            return first


def _is_ours(port: int) -> bool:
    """Whether a port has become ours: no process of the tests has it, and nobody listens there."""
    if port in _ours:
        return False
    name, probe = socket.socket(socket.AF_UNIX), socket.socket()
    with probe, suppress(OSError):
        name.bind(f"\0automations-tests-port-{port}")
        # As servers do: those that have ended a moment ago are in nobody's way.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
        _ours.add(port)
        _names.enter_context(name)
        return True
    name.close()
    return False
