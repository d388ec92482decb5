"""The type of instants in queries and bodies."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BeforeValidator

_WRITTEN = re.compile(r"\d{4}-\d\d-\d\d[Tt ]")
_LOST_PLUS = re.compile(r"(.*[Tt ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?) (\d\d:?\d\d)")
"""In an address a plus that is not escaped is a blank; no instant has one before its offset."""


def _is_written(value: Any) -> Any:
    # A number would be taken as seconds, or milliseconds, since 1970.
    if not isinstance(value, datetime) and not (isinstance(value, str) and _WRITTEN.match(value)):
        raise ValueError("must be an instant such as 2026-03-01T12:00:00Z")
    lost = _LOST_PLUS.fullmatch(value) if isinstance(value, str) else None
    return value if lost is None else f"{lost[1]}+{lost[2]}"


def _in_utc(instant: datetime) -> datetime:
    # PostgreSQL refuses offsets that Python takes.
    try:
        return instant.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("is out of range") from error


Instant = Annotated[AwareDatetime, BeforeValidator(_is_written), AfterValidator(_in_utc)]
"""An instant with an offset, turned to UTC."""
