"""Opaque cursors for lists ordered by (instant, id)."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from automations.errors import ValidationFailed
from automations.kit.json_text import parse_json
from automations.kit.values import JSON

T = TypeVar("T")

_NOT_OURS = "is not a cursor that this list has given: leave it out to begin anew"
_MAX_DIGITS = 19
"""Digits that are too many for PostgreSQL's bigint, surely."""


def encode(at: datetime, row_id: str, *order: JSON) -> str:
    """The cursor behind a row; ``order`` says where it is in a list with another order first."""
    text = json.dumps([at.isoformat(), row_id, *order])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def page(
    items: Sequence[T], size: int, place: Callable[[T], tuple[datetime, str]]
) -> tuple[Sequence[T], str | None]:
    """A page of a list of which one row more was read, and the next cursor.

    Args:
        place: gives a row's instant and id.
    """
    rows = items[:size]
    return rows, encode(*place(rows[-1])) if len(items) > size else None


def decode(cursor: str) -> tuple[datetime, str]:
    """The row that a list goes on behind.

    Raises:
        ValidationFailed: it is no cursor of ours.
    """
    at, row_id, order = decode_ordered(cursor)
    if order:
        raise unknown_cursor()
    return at, row_id


def decode_ordered(cursor: str) -> tuple[datetime, str, list[JSON]]:
    """The row that a list goes on behind, and what ``encode`` was given of its order.

    Raises:
        ValidationFailed: it is no cursor of ours.
    """
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        at, row_id, *order = parse_json(text)
        instant = datetime.fromisoformat(at)
        if instant.tzinfo is None or not isinstance(row_id, str):
            raise ValueError(cursor)
        # The year that an offset leads to may be none.
        return instant.astimezone(UTC), row_id, order
    except (ValueError, TypeError, OverflowError) as error:
        raise unknown_cursor() from error


def decode_numbered(cursor: str) -> tuple[datetime, int]:
    """The row that a list goes on behind, where ids are numbers.

    Raises:
        ValidationFailed: it is no cursor of such a list.
    """
    instant, row_id = decode(cursor)
    if not (row_id.isascii() and row_id.isdigit() and len(row_id) < _MAX_DIGITS):
        raise unknown_cursor()
    return instant, int(row_id)


def unknown_cursor() -> ValidationFailed:
    """The refusal of a cursor that a list has not given."""
    return ValidationFailed({"cursor": [_NOT_OURS]})
