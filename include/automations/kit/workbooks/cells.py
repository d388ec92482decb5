"""What a workbook's cell holds: numbers, some of which are shown as dates, and escaped texts."""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta
from typing import Literal

Kind = Literal["date", "time", "duration"]

_BUILT_IN: dict[int, Kind] = {
    **dict.fromkeys((*range(14, 18), 22, *range(27, 32), *range(50, 59)), "date"),
    **dict.fromkeys((*range(18, 22), *range(32, 36), 45, 47), "time"),
    36: "date",
    46: "duration",
}
"""Formats that have a number and no code."""
_NOT_CODE = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?!(?:h+|m+|s+)\])[^\]]*\]', re.IGNORECASE)
"""What a format shows as it is, and colours, currencies and conditions."""
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_UNWRITABLE = re.compile(r"[\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")
_DAY_MS = 86_400_000
_FIRST = datetime(1899, 12, 30)
_FIRST_OF_1904 = datetime(1904, 1, 1)
_FIRST_RELIABLE = 61
"""1900-03-01: before it lies a day that was none, which one program wrote and all others keep."""
_IN_DIGITS = 1e21
"""Larger numbers are powers of ten to whoever reads them."""


class Dates:
    """From when a workbook counts days."""

    def __init__(self, is_of_1904: bool) -> None:
        self._first = _FIRST_OF_1904 if is_of_1904 else _FIRST
        self._from = 0 if is_of_1904 else _FIRST_RELIABLE

    def wall_time(self, days: float) -> datetime | None:
        """The wall time that a number of days means, to the millisecond; None for what is none."""
        if not self._from <= days < 2_958_466:
            return None
        return self._first + timedelta(milliseconds=round(days * _DAY_MS))


def days_of(wall_time: datetime) -> float | None:
    """The number that stands for a wall time; None where there is no reliable one."""
    days = (wall_time - _FIRST) / timedelta(days=1)
    return days if days >= _FIRST_RELIABLE else None


def date_kind(number: str, code: str | None) -> Kind | None:
    """Whether a format shows numbers as dates, as times of a day, or as durations."""
    if code is None:
        return _BUILT_IN.get(int(number)) if number.isascii() and number.isdigit() else None
    bare = _NOT_CODE.sub("", code.partition(";")[0]).lower()
    if "general" in bare:
        return None
    if "y" in bare or "d" in bare:
        return "date"
    if "[" in bare:
        return "duration"
    if "h" in bare or "s" in bare:
        return "time"
    return "date" if "m" in bare else None


def number(written: str, kind: str | None, dates: Dates) -> str:
    """A number as it is written elsewhere, or the date or time that it is shown as."""
    try:
        value = float(written)
    except ValueError:
        return written
    if not math.isfinite(value):
        return written
    # Of a day and its time a sheet may show the time alone.
    has_day = kind == "date" or (kind == "time" and value >= _FIRST_RELIABLE)
    if has_day and (wall_time := dates.wall_time(value)) is not None:
        text = wall_time.isoformat(timespec="milliseconds").removesuffix(".000")
        return text.removesuffix("T00:00:00")
    if kind in ("time", "duration") and 0 <= value < _IN_DIGITS:
        seconds, milliseconds = divmod(round(value * _DAY_MS), 1000)
        text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        return f"{text}.{milliseconds:03}" if milliseconds else text
    if written.removeprefix("-").isdigit():
        return written
    return str(int(value)) if value.is_integer() and abs(value) < _IN_DIGITS else repr(value)


def unescape_text(text: str) -> str:
    """A text with the characters that XML has no place for."""
    return _ESCAPED.sub(_character, text) if "_x" in text else text


def escape_text(text: str) -> str:
    """A text without them, of which ``unescape_text`` makes the same again."""
    return _UNWRITABLE.sub(lambda match: f"_x{ord(match[0]):04X}_", text)


def _character(match: re.Match[str]) -> str:
    code = int(match[1], 16)
    # What no text can have stays as it is written.
    return match[0] if code == 0 or 0xD800 <= code < 0xE000 else chr(code)
