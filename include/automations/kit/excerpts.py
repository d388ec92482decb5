"""The beginning of a value as text, at a cost that depends only on the excerpt's length."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from automations.kit.values import JSON

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")


def excerpt(value: JSON, length: int) -> str:
    """A text as it is, anything else as JSON; its beginning, when it is longer."""
    if isinstance(value, str):
        # A cut of a large text costs what is shown of it.
        text = value[: length + 1]
    else:
        text = _beginning(json.JSONEncoder(ensure_ascii=False).iterencode(value), length)
    # What moves a terminal's cursor, or ends a line where a reader of logs sees none.
    text = _CONTROLS.sub("\ufffd", text)
    return text if len(text) <= length else f"{text[:length]}…"


def _beginning(pieces: Iterator[str], length: int) -> str:
    kept_pieces: list[str] = []
    left = length
    for piece in pieces:
        kept_pieces.append(piece[: left + 1])
        left -= len(piece)
        if left < 0:
            break
    return "".join(kept_pieces)
