"""Limits on how often something may be tried."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Mapping

from automations.db.access import rate_limits
from automations.db.session import unit_of_work
from automations.errors import TooManyRequests
from automations.kit.networks import network

_WINDOW = 60
"""Seconds."""
_MAX_MISSES = 60
"""In a minute of one network; a sender with an old URL makes a few."""
_LOCAL_BATCH_SIZE = 50
"""Tries that are counted here before the database is told: the fewer, the more it writes."""

_uncounted: Counter[str] = Counter()
_over: dict[str, float] = {}
_lock = threading.Lock()
_now = time.monotonic


def check(limits: Mapping[str, int], *, seconds: int = _WINDOW) -> None:
    """Count a try under each key, by its limit a minute, or in as many seconds.

    Raises:
        TooManyRequests: one of them is over its limit.
    """
    # Apart: a request that is undone was tried all the same, and no other one waits for its end.
    with unit_of_work(apart=True) as session:
        waits = [
            rate_limits.hit(session, key, limit=limit, seconds=seconds)
            for key, limit in limits.items()
        ]
    delays = [wait for wait in waits if wait is not None]
    if delays:
        raise TooManyRequests(max(delays))


def check_exhausted(key: str, limit: int) -> None:
    """Look whether a key has reached its limit, counting nothing.

    Raises:
        TooManyRequests: it has.
    """
    with unit_of_work(apart=True) as session:
        wait = rate_limits.wait(session, key, limit=limit - 1)
    if wait is not None:
        raise TooManyRequests(wait)


def check_misses(address: str) -> None:
    """Count a webhook URL that nothing has, so that nobody finds one by trying.

    Raises:
        TooManyRequests: too many came from there within a minute.
    """
    check({f"webhook:unknown:{network(address)}": _MAX_MISSES})


def check_roughly(key: str, limit: int) -> None:
    """The same for a hot path: tries are counted here, and brought to the database by the fifty.

    Raises:
        TooManyRequests: this key was over its limit when it was last brought there.
    """
    now = _now()
    with _lock:
        closed = _over.get(key, 0) - now
        _uncounted[key] += 1
        share = _uncounted.pop(key) if _uncounted[key] >= min(_LOCAL_BATCH_SIZE, limit) else 0
    if share:
        with unit_of_work(apart=True) as session:
            wait = rate_limits.hit(session, key, limit=limit, seconds=_WINDOW, by=share)
        with _lock:
            _over.pop(key, None)
            if wait is not None:
                _over[key] = now + wait
                closed = wait
            else:
                closed = 0
    if closed > 0:
        raise TooManyRequests(math.ceil(closed))
