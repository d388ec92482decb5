"""Opaque cursors: where a list goes on, for lists in an order of (instant, id)."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import datetime

from automations.errors import ValidationFailed

_NOT_OURS = "is not a cursor that this list has given: leave it out to begin anew"
_LONGEST_NUMBER = 19
"""Digits that are too many for PostgreSQL's bigint, surely."""


def encode(at: datetime, row_id: str) -> str:
    """The cursor behind a row."""
    text = json.dumps([at.isoformat(), row_id])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(cursor: str) -> tuple[datetime, str]:
    """The row that a list goes on behind.

    Raises:
        ValidationFailed: it is no cursor of ours.
    """
    try:
        at, row_id = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None or not isinstance(row_id, str) or "\0" in row_id:
            raise ValueError(cursor)
    except (ValueError, TypeError, binascii.Error) as error:
        raise ValidationFailed({"cursor": [_NOT_OURS]}) from error
    return moment, row_id


def decode_numbered(cursor: str) -> tuple[datetime, int]:
    """The row that a list goes on behind, where ids are numbers.

    Raises:
        ValidationFailed: it is no cursor of such a list.
    """
    moment, row_id = decode(cursor)
    if not (row_id.isascii() and row_id.isdigit() and len(row_id) < _LONGEST_NUMBER):
        raise ValidationFailed({"cursor": [_NOT_OURS]})
    return moment, int(row_id)
