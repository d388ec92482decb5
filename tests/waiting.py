"""Waiting for what comes about elsewhere: in other threads, processes and on servers."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(what: str, look: Callable[[], T | None], seconds: float = 120, poll: float = 0.02) -> T:
    """Look again and again until there is something: neither None nor False.

    Args:
        what: is waited for, for whoever reads that it did not come.
    """
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found is not None and found is not False:
            return found
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s for {what}"
        time.sleep(poll)
