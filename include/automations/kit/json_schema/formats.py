"""The formats of texts that are checked, for which pages have inputs of their own."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DATETIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?"
    r"([Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)


def _is_date(value: object) -> bool:
    return not isinstance(value, str) or _reads(date.fromisoformat, value, _DATE)


def _is_datetime(value: object) -> bool:
    # Fractions of any length are in RFC 3339, and none says which instant it is not.
    return not isinstance(value, str) or _reads(
        lambda text: datetime.fromisoformat(text[:19]), value, _DATETIME
    )


def _reads(read: Callable[[str], object], text: str, pattern: re.Pattern[str]) -> bool:
    if not pattern.fullmatch(text):
        return False
    try:
        read(text)
    except ValueError:
        return False
    return True


DATES: Mapping[str, Callable[[object], bool]] = {"date": _is_date, "date-time": _is_datetime}
"""``date`` and ``date-time`` as RFC 3339 has them."""
