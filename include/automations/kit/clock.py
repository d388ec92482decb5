"""Parses and formats instants."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

_DECIMALS = re.compile(r"[.,]([0-9]+)")
# Python takes any sign between a day and its time, and decimals of hours and minutes for those of
# seconds: "2026-03-01,09:30" and "2026-03-01T09:30.5" would be other moments than they say.
_WRITTEN = re.compile(
    r"[0-9W-]{7,10}"
    r"(?:[Tt ][0-9]{2}(?::?[0-9]{2}(?::?[0-9]{2}(?:[.,][0-9]+)?)?)?"
    r"(?:[Zz]|[+-][0-9]{2}(?::?[0-9]{2}(?::?[0-9]{2})?)?)?)?"
)


def timestamp(instant: datetime) -> str:
    """An instant as the API writes it: UTC with milliseconds and Z."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def to_utc(text: str, zone: str) -> str:
    """What an ISO 8601 date or time means, in UTC, with as many decimals as it has, three at least.

    Without their ``Z``, the order of such texts is their order in time.

    Raises:
        ValueError: as ``parse_instant``.
    """
    whole = (
        parse_instant(text, zone).astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat()
    )
    decimals = _DECIMALS.search(text)
    return f"{whole}.{(decimals[1] if decimals else '').rstrip('0'):0<3}Z"


def in_zone(text: str, zone: str) -> str:
    """An ISO 8601 date or time with the offset that it has, or has in a zone; decimals as given.

    Raises:
        ValueError: it is none.
    """
    read = _read(text)
    if read.tzinfo is not None:
        return text
    whole = read.replace(microsecond=0, tzinfo=ZoneInfo(zone)).isoformat().replace("+00:00", "Z")
    decimals = _DECIMALS.search(text)
    return f"{whole[:19]}.{decimals[1]}{whole[19:]}" if decimals else whole


def is_local(text: str) -> bool:
    """Whether an ISO 8601 date or time has no offset of its own.

    Raises:
        ValueError: it is none.
    """
    return _read(text).tzinfo is None


def _read(text: str) -> datetime:
    if not _WRITTEN.fullmatch(text):
        raise ValueError("must be an ISO 8601 date or time")
    # RFC 3339 lets the mark of UTC be a small letter, and Python does not.
    return datetime.fromisoformat(f"{text[:-1]}Z" if text.endswith("z") else text)


def parse_instant(text: str, zone: str) -> datetime:
    """The instant that an ISO 8601 date or time means.

    Args:
        zone: of a text without an offset. A wall time that a clock change skips is taken as if the
            clock had not changed; of one that comes twice the first is meant.

    Raises:
        ValueError: it is none, or lies beyond the calendar.
    """
    try:
        read = _read(text)
    except ValueError as error:
        raise ValueError("must be an ISO 8601 date or time") from error
    try:
        return (read if read.tzinfo else read.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)
    except OverflowError as error:
        raise ValueError("lies beyond the calendar") from error
