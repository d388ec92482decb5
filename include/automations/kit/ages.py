"""Parses ages, such as ``90d``, as people write them."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_AGE = re.compile(r"([1-9]\d{0,4})([hdw])", re.ASCII)


def parse_age(value: Any) -> timedelta:
    """``48h``, ``90d`` or ``12w`` as a timedelta; ValueError says what is expected."""
    match = _AGE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError("must be a number of hours, days or weeks, such as 48h, 90d or 12w")
    return int(match[1]) * _UNITS[match[2]]
