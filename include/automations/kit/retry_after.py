"""The Retry-After header."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

MAX_DELAY = timedelta(hours=1)
"""A server that wishes for more has most likely a wrong clock."""
_SECONDS = re.compile(r"-?[0-9]+")


def requested_delay(value: str | None, now: datetime) -> timedelta | None:
    """How long the other side wants us to wait, an hour at most; None when it does not say."""
    if value is None:
        return None
    value = value.strip()
    if _SECONDS.fullmatch(value):
        # More digits than that are longer than the longest wait anyway.
        delay = timedelta(seconds=int(value[:13]))
    else:
        date = _date(value)
        if date is None:
            return None
        delay = date - now
    return min(max(delay, timedelta(0)), MAX_DELAY)


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
        # A date of HTTP is one of Greenwich, also when its zone is missing, or -0000.
        return date.replace(tzinfo=date.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
