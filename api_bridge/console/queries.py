"""What a list's form asks for: empty inputs ask for nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, TypeVar
from urllib.parse import urlencode

from fastapi import Query, Request

from automations.errors import ValidationFailed

E = TypeVar("E", bound=StrEnum)

Text = Annotated[str, Query(max_length=500)]
"""A text of a form that filters a list."""
PAGE_SIZE = 25
PERIODS = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7)}
"""How far a list goes back, by the words for it."""


def choice(kind: type[E], name: str, given: str) -> E | None:
    """One of several words; None when none was chosen.

    Raises:
        ValidationFailed: there is no such word.
    """
    if not given:
        return None
    try:
        return kind(given)
    except ValueError as error:
        raise ValidationFailed({name: [f"must be one of {', '.join(kind)}"]}) from error


def since(given: str) -> datetime | None:
    """From when on something is asked for; None for all that there is.

    Raises:
        ValidationFailed: there is no such period.
    """
    if not given:
        return None
    if given not in PERIODS:
        raise ValidationFailed({"since": [f"must be one of {', '.join(PERIODS)}"]})
    return datetime.now(UTC) - PERIODS[given]


def following(request: Request, cursor: str | None) -> str | None:
    """The address of a list's next page, asked for alike; None at the end."""
    if cursor is None:
        return None
    kept = [(name, value) for name, value in request.query_params.items() if name != "cursor"]
    return f"{request.url.path}?{urlencode([*kept, ('cursor', cursor)])}"
