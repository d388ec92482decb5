"""JSON as senders write it: in any charset, and only what can be kept as it is."""

from __future__ import annotations

import codecs
import json
import re
from typing import Any

from automations.kit.numbers import InexactNumber, of_json
from automations.kit.values import JSON

MAX_DEPTH = 64
"""Levels; some thousands would end the process that parses or stores them."""
# Possessive, and up to the end when it is not closed: so no text is looked at twice.
_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_NO_CHARSETS = frozenset({"idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape"})
"""Python decodes them as it does charsets, but nobody declares them in earnest."""
_BOM = "\ufeff"


def decoded(body: bytes, charset: str | None) -> str:
    """A text in the charset that it is declared to be in, without byte order marks.

    Args:
        charset: None when none is declared: then it is UTF-8, or UTF-16 or 32 if it looks so.

    Raises:
        ValueError: it is not; says so.
    """
    if charset is None:
        charset = json.detect_encoding(body)
    try:
        codec = codecs.lookup(charset)
        if codec.name in _NO_CHARSETS:
            raise LookupError
        return body.decode(codec.name).lstrip(_BOM)
    except (LookupError, ValueError) as error:
        name = "UTF-8" if charset in ("utf-8", "utf-8-sig") else charset[:40]
        raise ValueError(f"is not {name}") from error


def parsed(text: str) -> JSON:
    """What a text in JSON says.

    Raises:
        ValueError: it is not JSON, or PostgreSQL would not keep it; says what it is.
    """
    depth = deepest = 0
    for mark in _STRING.sub("", text):
        depth += (mark in "[{") - (mark in "]}")
        deepest = max(deepest, depth)
    if deepest > MAX_DEPTH:
        raise ValueError(f"is nested deeper than {MAX_DEPTH} levels")
    try:
        value = json.loads(text, parse_constant=_no_constant, parse_float=of_json)
    except InexactNumber:
        raise
    except ValueError as error:
        raise ValueError(f"is not valid JSON: {error}") from error
    if "\\u" in text:
        _check_escapes(text, value)
    return value


def _check_escapes(text: str, value: JSON) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise ValueError("holds half of a surrogate pair") from error
    if "\\u0000" in text and _has_nul(value):
        raise ValueError("holds a NUL character")


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_has_nul(key) or _has_nul(item) for key, item in value.items())
    return isinstance(value, list) and any(_has_nul(item) for item in value)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
