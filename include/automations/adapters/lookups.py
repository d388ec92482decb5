"""The addresses of a name, within a time: the system's resolver knows no other than its own."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterable
from ipaddress import ip_address
from queue import Empty, SimpleQueue

Resolve = Callable[[str, int], Iterable[str]]


def system_resolver(host: str, port: int) -> list[str]:
    """Every address that the system knows for a host."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def found_within(deadline: float, resolve: Resolve, host: str, port: int) -> list[str]:
    """What a resolver finds until a moment of ``time.monotonic``.

    Raises:
        TimeoutError: nothing by then. Whoever asks is let go; the resolver comes to its own end.
        OSError, UnicodeError: as the resolver does.
    """
    if _is_address(host):
        return list(resolve(host, port))
    said: SimpleQueue[list[str] | OSError | UnicodeError] = SimpleQueue()

    def ask() -> None:
        try:
            said.put(list(resolve(host, port)))
        except (OSError, UnicodeError) as error:
            said.put(error)

    threading.Thread(target=ask, name="lookup", daemon=True).start()
    try:
        found = said.get(timeout=max(0.0, deadline - time.monotonic()))
    except Empty as silent:
        raise TimeoutError(host) from silent
    if isinstance(found, Exception):
        raise found
    return found


def _is_address(host: str) -> bool:
    try:
        return bool(ip_address(host))
    except ValueError:
        return False
