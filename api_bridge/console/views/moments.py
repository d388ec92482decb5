"""Instants and durations as people read them; scripts turn instants to the reader's own zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from automations.kit.clock import timestamp

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


def iso(moment: datetime) -> str:
    """An instant for machines."""
    return timestamp(moment)


def exact(moment: datetime) -> str:
    """An instant for people, in UTC."""
    return moment.astimezone(UTC).strftime("%d %b %Y, %H:%M:%S UTC").lstrip("0")


def duration(taken: timedelta | float) -> str:
    """How long something took, in at most two units.

    Args:
        taken: seconds, when it is a number.
    """
    seconds = taken.total_seconds() if isinstance(taken, timedelta) else taken
    seconds = max(seconds, 0.0)
    if seconds < 1:
        return f"{round(seconds * 1000)} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return _two(whole, _MINUTE, "min", 1, "s")
    if whole < _DAY:
        return _two(whole, _HOUR, "h", _MINUTE, "min")
    return _two(whole, _DAY, "d", _HOUR, "h")


def _two(seconds: int, large: int, name: str, small: int, smaller: str) -> str:
    first, rest = divmod(seconds, large)
    second = rest // small
    return f"{first} {name} {second} {smaller}" if second else f"{first} {name}"
