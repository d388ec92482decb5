"""Resolves names within a deadline, which the system's resolver cannot."""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from ipaddress import ip_address
from queue import Empty, SimpleQueue

Resolve = Callable[[str, int], Iterable[str]]

MAX_LOOKUPS, MAX_OF_A_DOMAIN = 200, 20
"""At once in one process: whoever has given up waiting leaves a thread, until the system does, too.
Names of one domain have the same name servers, and those of the others go on beside them."""


def system_resolver(host: str, port: int) -> list[str]:
    """Every address that the system knows for a host."""
    entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in entries))


class Lookups:
    """How many lookups go on in this process, of all names and of each domain."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._counts: Counter[str] = Counter()

    def begin(self, host: str, deadline: float) -> None:
        """Begin one, when there is a place for it.

        Raises:
            TimeoutError: there is none until the deadline.
        """
        domain = _domain(host)

        def is_room() -> bool:
            return self._counts.total() < MAX_LOOKUPS and self._counts[domain] < MAX_OF_A_DOMAIN

        with self._changed:
            if not self._changed.wait_for(is_room, max(0.0, deadline - time.monotonic())):
                raise TimeoutError(host)
            self._counts[domain] += 1

    def end(self, host: str) -> None:
        """One is over."""
        with self._changed:
            self._counts[_domain(host)] -= 1
            # Of names that nobody asks for, nothing is kept.
            self._counts += Counter()
            self._changed.notify_all()


_lookups = Lookups()


def resolve_within(deadline: float, resolve: Resolve, host: str, port: int) -> list[str]:
    """What a resolver finds until a moment of ``time.monotonic``.

    Raises:
        TimeoutError: nothing by then. Whoever asks is let go; the resolver comes to its own end.
        OSError, UnicodeError: as the resolver does.
    """
    if _is_address(host):
        return list(resolve(host, port))
    answers: SimpleQueue[list[str] | OSError | UnicodeError] = SimpleQueue()

    def ask() -> None:
        try:
            answers.put(list(resolve(host, port)))
        except (OSError, UnicodeError) as error:
            answers.put(error)
        finally:
            _lookups.end(host)

    _lookups.begin(host, deadline)
    try:
        threading.Thread(target=ask, name="lookup", daemon=True).start()
    except RuntimeError:  # the system has no more threads
        _lookups.end(host)
        raise
    try:
        answer = answers.get(timeout=max(0.0, deadline - time.monotonic()))
    except Empty as silent:
        raise TimeoutError(host) from silent
    if isinstance(answer, Exception):
        raise answer
    return answer


def _domain(host: str) -> str:
    """Whose name servers are asked, as far as a name says it."""
    return ".".join(host.lower().rstrip(".").split(".")[-2:])


def _is_address(host: str) -> bool:
    try:
        return bool(ip_address(host))
    except ValueError:
        return False
