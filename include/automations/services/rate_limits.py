"""Limits on how often something may be tried."""

from __future__ import annotations

from collections.abc import Mapping

from automations.db import rate_limits
from automations.db.session import unit_of_work
from automations.errors import TooManyRequests

_WINDOW = 60


def check(limits: Mapping[str, int]) -> None:
    """Count a try under each key, by its limit a minute.

    Raises:
        TooManyRequests: one of them is over its limit.
    """
    with unit_of_work() as session:
        waits = [
            rate_limits.hit(session, key, limit=limit, seconds=_WINDOW)
            for key, limit in limits.items()
        ]
    over = [wait for wait in waits if wait is not None]
    if over:
        raise TooManyRequests(max(over))
