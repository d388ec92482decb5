"""Instants and durations as people read them; scripts turn instants to the reader's own zone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from api_bridge.console import texts
from automations.errors import Conflict
from automations.kit.clock import timestamp

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_UNITS: Mapping[float, str] = {_MINUTE: "minute", _HOUR: "hour", _DAY: "day", 7 * _DAY: "week"}


def iso(instant: datetime) -> str:
    """An instant for machines."""
    return timestamp(instant)


def exact(instant: datetime) -> str:
    """An instant for people, in UTC."""
    return instant.astimezone(UTC).strftime("%d %b %Y, %H:%M:%S UTC").lstrip("0")


def stamp(instant: datetime) -> str:
    """An instant to the microsecond, by which a form knows again what it was shown."""
    return instant.astimezone(UTC).isoformat()


def parse_stamp(text: str) -> datetime | None:
    """The instant of such a form; None where that cannot be one."""
    try:
        instant = datetime.fromisoformat(text)
        return None if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def read_seen(text: str, now: datetime) -> datetime:
    """When something was changed last as a form was shown it; now where the form says nothing.

    Raises:
        Conflict: what it says cannot be read, so that nobody knows what was shown.
    """
    if not text:
        return now
    instant = parse_stamp(text)
    if instant is None:
        raise Conflict("The page does not say what it was made from: load it anew.")
    return instant


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


def interval(period: timedelta) -> str:
    """How often something happens."""
    unit = _UNITS.get(period.total_seconds())
    if unit is not None:
        return texts.text(f"interval.{unit}")
    return texts.text("interval.other", every=duration(period))


def _two(seconds: int, large: int, name: str, small: int, smaller: str) -> str:
    first, rest = divmod(seconds, large)
    second = rest // small
    return f"{first} {name} {second} {smaller}" if second else f"{first} {name}"
