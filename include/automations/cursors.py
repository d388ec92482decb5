"""Opaque cursors: where a list goes on, for lists in an order of (instant, id)."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import datetime

from automations.errors import ValidationFailed


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
        raise ValidationFailed(
            {"cursor": ["is not a cursor that this list has given: leave it out to begin anew"]}
        ) from error
    return moment, row_id
