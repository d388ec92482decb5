"""Instants in queries and bodies."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BeforeValidator

_WRITTEN = re.compile(r"\d{4}-\d\d-\d\d[Tt ]")


def _is_written(value: Any) -> Any:
    # A number would be taken as seconds, or milliseconds, since 1970.
    if not isinstance(value, datetime) and not (isinstance(value, str) and _WRITTEN.match(value)):
        raise ValueError("must be an instant such as 2026-03-01T12:00:00Z")
    return value


def _in_utc(moment: datetime) -> datetime:
    # PostgreSQL refuses offsets that Python takes.
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("is out of range") from error


Instant = Annotated[AwareDatetime, BeforeValidator(_is_written), AfterValidator(_in_utc)]
"""An instant with an offset, turned to UTC."""
