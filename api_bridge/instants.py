"""Instants in queries and bodies."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime


def _in_utc(moment: datetime) -> datetime:
    # PostgreSQL refuses offsets that Python takes.
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("is out of range") from error


Instant = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""An instant with an offset, turned to UTC."""
