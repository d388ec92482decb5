"""Parses the parameters of a header's value, such as the charset of a Content-Type, in linear time.

The standard library's reader takes a time that grows with the square of what it reads, and decodes
with whatever codec it is told, which are more than charsets.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

from automations.kit import declared_text

# A quoted text ends with its quote, or with all; what it holds is looked at once.
_PIECE = re.compile(r'(?:[^;"]++|"(?:[^"\\]++|\\.)*+(?:"|\\?\Z))++', re.DOTALL)
_IN_PIECES = re.compile(r"(?P<name>[^*]+)\*(?P<place>[0-9]{1,3})(?P<encoded>\*?)")


def parameter(header: str, name: str) -> str | None:
    """What a header's parameter says; None when it has none.

    Of one in two forms the one counts that holds all letters (RFC 8187: ``filename*=utf-8''…``,
    or in pieces, ``filename*0=…; filename*1=…``).

    Raises:
        ValueError: its letters are in no charset that is known, or a piece of it is missing.
    """
    plain = None
    split: dict[int, tuple[str, bool]] = {}
    for piece in _PIECE.findall(header.partition(";")[2]):
        key, _, value = piece.partition("=")
        key, value = key.strip().lower(), value.strip()
        if key == f"{name}*":
            return _decode_extended(value)
        if key == name and plain is None:
            plain = _unquote(value)
        numbered = _IN_PIECES.fullmatch(key)
        if numbered is not None and numbered["name"] == name:
            split.setdefault(int(numbered["place"]), (value, numbered["encoded"] == "*"))
    return _join(name, split) if split else plain


def _join(name: str, split: Mapping[int, tuple[str, bool]]) -> str:
    """A text that is in several pieces, as programs of mail write it (RFC 2231)."""
    if sorted(split) != list(range(len(split))):
        raise ValueError(f"has the parameter '{name}' in pieces, not all of which are there")
    charset = ""
    text, waiting = "", ""
    for place in range(len(split)):
        value, is_encoded = split[place]
        if is_encoded:
            if place == 0:
                charset, _, rest = value.partition("'")
                value = rest.partition("'")[2]
            # Decoded together: a letter of several bytes may be in two pieces.
            waiting += value
        else:
            text, waiting = f"{text}{_decode(waiting, charset)}{_unquote(value)}", ""
    return text + _decode(waiting, charset)


def _unquote(value: str) -> str:
    if len(value) < 2 or not (value[0] == value[-1] == '"'):
        return value
    # No other sign is escaped: whole paths of Windows are sent as they are.
    return value[1:-1].replace("\\\\", "\\").replace('\\"', '"')


def _decode_extended(value: str) -> str:
    charset, _, rest = value.partition("'")
    return _decode(rest.partition("'")[2], charset)


def _decode(value: str, charset: str) -> str:
    text = declared_text.decode(unquote_to_bytes(value), charset or "utf-8")
    if text is None:
        raise ValueError(f"is not the {charset[:50] or 'utf-8'} that it says to be")
    return text
