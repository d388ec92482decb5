"""Renders values of any kind for pages: with titles, as JSON, and as tables."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from api_bridge.public_pages import public_texts
from automations.kit.storable import showable

MAX_SHOWN = 8_000
"""Characters of a value that a page shows: whoever wants more of it has the API."""
_MAX_COLUMNS = 8
_PER_VALUE = 20
"""Characters that a value counts for beside its own: what stands around it on a page."""
_MAX_HEADING = 140
_PARTS_AT_ONCE = 500
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,60}(?<!_)")
_PARTS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_ABBREVIATIONS = ("api", "id", "url")


def label(key: object) -> str:
    """The name of a value as people read it; what an author has written as words stays."""
    text = str(key)
    if not _NAME.fullmatch(text):
        return text
    words = _PARTS.sub(" ", text.replace("_", " ")).split()
    shown = [word if word.isupper() and len(word) > 1 else word.lower() for word in words]
    first = shown[0].upper() if shown[0] in _ABBREVIATIONS else shown[0][0].upper() + shown[0][1:]
    return " ".join([first, *shown[1:]])


def columns(rows: Sequence[Any]) -> list[str]:
    """The keys of records that are alike enough to be shown as a table; none of other values."""
    names: dict[str, None] = {}
    for row in rows:
        if not isinstance(row, Mapping):
            return []
        names |= dict.fromkeys(row)
        if len(names) > _MAX_COLUMNS:
            return []
    return list(names)


def plain(value: Any) -> str:
    """A value within others, in words where it is not too deep for them."""
    match value:
        case None:
            return public_texts.text("value.none")
        case bool():
            return public_texts.text("yes" if value else "no")
        case str():
            return value
        case int() | float():
            return str(value)
        case list() if all(map(_is_flat, value)):
            return ", ".join(map(plain, value))
        case Mapping() if all(map(_is_flat, value.values())):
            return ", ".join(f"{label(key)}: {plain(item)}" for key, item in value.items())
    return pretty(value)


def within(value: Any, max_characters: int = MAX_SHOWN) -> Any:
    """A value as far as a page shows it: what is beyond so many characters is left out."""
    return _cut(value, [max_characters])


def _cut(value: Any, left: list[int]) -> Any:
    left[0] -= _PER_VALUE
    match value:
        case str():
            shown = value if len(value) <= left[0] else f"{value[: max(left[0], 0)]}…"
            left[0] -= len(shown)
            return shown
        case Mapping():
            shortened = {}
            for place, (key, item) in enumerate(value.items(), 1):
                if left[0] <= 0:
                    break
                left[0] -= len(str(key))
                # However long one is, those behind it are shown, too.
                share = left[0] if place == len(value) else (left[0] + 1) // 2
                rest = [share]
                shortened[key] = _cut(item, rest)
                left[0] -= share - rest[0]
            return shortened
        case list():
            return [_cut(element, left) for element in value if left[0] > 0]
    return value


def headline(text: str, otherwise: str) -> tuple[str, str]:
    """What a question is headed by, and what follows: its first line, where that is short."""
    first, _, rest = text.strip().partition("\n")
    if not first or len(first) > _MAX_HEADING:
        return otherwise, text
    return first.strip(), rest.strip()


def _is_flat(value: Any) -> bool:
    return not isinstance(value, list | Mapping)


def pretty(value: Any) -> str:
    """A JSON value as a person reads it, cut where a page would be too long."""
    parts = json.JSONEncoder(indent=2, ensure_ascii=False).iterencode(showable(value))
    text = ""
    # Of a long value no more is written than is shown.
    while len(text) <= MAX_SHOWN and (part := "".join(islice(parts, _PARTS_AT_ONCE))):
        text += part
    return (
        text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}\n{public_texts.text('value.cut')}"
    )
