"""Limits on how often something may be asked."""

from __future__ import annotations

import time
from collections.abc import Mapping

from automations.db import rate_limits
from automations.db.session import unit_of_work
from automations.errors import TooManyRequests

_WINDOW = 60
_KEPT_WINDOWS = 60


def check(limits: Mapping[str, int]) -> None:
    """Count one request against each key's limit per minute.

    The count is a transaction of its own, so that a refused request counts too.

    Raises:
        TooManyRequests: one of the limits is exceeded.
    """
    now = time.time()
    window = int(now // _WINDOW)
    with unit_of_work() as session:
        exceeded = False
        for key, limit in sorted(limits.items()):
            hits = rate_limits.hit(session, key, window)
            exceeded = exceeded or hits > limit
            if hits == 1:
                rate_limits.forget(session, window - _KEPT_WINDOWS)
    if exceeded:
        raise TooManyRequests(max(1, round((window + 1) * _WINDOW - now)))
