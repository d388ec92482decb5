"""The Retry-After header."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

MAX_DELAY = timedelta(hours=1)


def wished_delay(value: str | None, now: datetime) -> timedelta | None:
    """How long the other side wants us to wait, an hour at most; None when it does not say."""
    if value is None:
        return None
    try:
        delay = timedelta(seconds=int(value))
    except OverflowError:
        return MAX_DELAY
    except ValueError:
        try:
            delay = parsedate_to_datetime(value).astimezone(UTC) - now
        except (ValueError, OverflowError):
            return None
    return min(max(delay, timedelta(0)), MAX_DELAY)
