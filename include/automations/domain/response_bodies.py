"""Decodes the body of an HTTP answer by its Content-Type, never by its looks."""

from __future__ import annotations

import base64
import json
import re
from typing import Any, Literal

from automations.kit.declared_text import is_text_type, text_of
from automations.kit.json_text import is_json_type, parse_json, parse_lenient
from automations.kit.storable import MAX_DEPTH
from automations.kit.values import JSON

_ONE = re.compile(r'(?:[^,"]|"[^"]*"?)+')
Reading = Literal["auto", "json", "text", "base64"]


def body_of(content: bytes, content_type: str, reading: Reading = "auto") -> JSON:
    """A body as JSON, text or base64; None when there is none.

    Raises:
        ValueError: it is not what it says to be, or cannot be kept; for people.
    """
    if not content:
        return None
    content_type = _last(content_type)
    kind = content_type.partition(";")[0].strip().lower()
    if reading == "auto":
        reading = _reading(kind, content_type)
    if reading == "auto":
        # Nothing is said of it.
        try:
            return _check_storable(text_of(content, content_type))
        except ValueError:
            reading = "base64"
    match reading:
        case "json":
            return json_of(content, content_type)
        case "text":
            return _check_storable(text_of(content, content_type))
        case _:
            return base64.b64encode(content).decode()


def _last(content_type: str) -> str:
    """The last of several: a server and what stands before it may both have said one."""
    parts = [part.strip() for part in _ONE.findall(content_type)]
    return next((part for part in reversed(parts) if "/" in part.partition(";")[0]), content_type)


def json_of(content: bytes, content_type: str) -> JSON:
    """A body that is JSON.

    Raises:
        ValueError: it is none, or cannot be kept; for people.
    """
    return parse_json(_text_of_json(content, content_type), MAX_DEPTH)


def json_in_parts(content: bytes, content_type: str) -> Any:
    """The same with what cannot be kept in it, as ``json_text.parse_lenient`` has it.

    Raises:
        ValueError: it is no JSON; for people.
    """
    return parse_lenient(_text_of_json(content, content_type))


def _text_of_json(content: bytes, content_type: str) -> str:
    if "charset" not in content_type.lower() and not content.startswith(b"\xef\xbb\xbf"):
        # JSON in UTF-16 or UTF-32 needs no mark.
        content_type = f"application/json; charset={_plain(json.detect_encoding(content))}"
    return text_of(content, content_type)


def _reading(kind: str, content_type: str) -> Reading:
    if not kind:
        return "auto"
    if is_json_type(kind):
        return "json"
    return "text" if is_text_type(content_type) else "base64"


def _check_storable(text: str) -> str:
    if "\0" in text:
        raise ValueError("is text with a NUL character, which cannot be kept")
    return text


def _plain(charset: str) -> str:
    # As the json module says it of what has a mark, which is looked at before.
    return charset.removesuffix("-sig")
