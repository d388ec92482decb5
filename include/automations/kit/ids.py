"""Identifiers like the specification's: ``c`` and 24 base-36 characters (cuid, version 1)."""

from __future__ import annotations

import hashlib
import itertools
import os
import secrets
import socket
import time
from functools import lru_cache

PATTERN = r"^c[0-9a-z]{24}$"

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_counter = itertools.count(secrets.randbelow(36**4))


def new_id() -> str:
    """A fresh id; ids of one process sort by the millisecond they were made in.

    They are guessable: nothing secret may rest on one.
    """
    return (
        "c"
        + _base36(int(time.time() * 1000), 8)
        + _base36(next(_counter), 4)
        + _fingerprint(os.getpid())
        + _base36(secrets.randbelow(36**8), 8)
    )


def tail() -> str:
    """What tells apart the few hundred names that begin alike."""
    return _base36(secrets.randbelow(36**6), 6)


def id_for(name: str) -> str:
    """The id that stands for a name of another form, always the same."""
    number = int.from_bytes(hashlib.sha256(name.encode()).digest())
    return "c" + _base36(number, 24)


@lru_cache(maxsize=2)
def _fingerprint(pid: int) -> str:
    # Keyed by the pid, so that a fork gets a fingerprint of its own.
    return _base36(pid, 2) + _base36(sum(socket.gethostname().encode()), 2)


def _base36(number: int, width: int) -> str:
    digits = ""
    for _ in range(width):
        number, rest = divmod(number, 36)
        digits = _DIGITS[rest] + digits
    return digits
