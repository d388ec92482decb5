"""Parameters behind a header's value, such as the charset of a Content-Type: found in one go.

The standard library's reader takes a time that grows with the square of what it reads, and decodes
with whatever codec it is told, which are more than charsets.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from automations.kit import declared_text

# A quoted text ends with its quote, or with all; what it holds is looked at once.
_PIECE = re.compile(r'(?:[^;"]++|"(?:[^"\\]++|\\.)*+(?:"|\\?\Z))++', re.DOTALL)
_IN_PIECES = re.compile(r"(?P<name>[^*]+)\*[0-9]{1,9}\*?")


def parameter(header: str, name: str) -> str | None:
    """What a header's parameter says; None when it has none.

    Of one in two forms the one counts that holds all letters (RFC 8187: ``filename*=utf-8''…``).

    Raises:
        ValueError: its letters are in no charset that is known, or it is in several pieces.
    """
    found = None
    for piece in _PIECE.findall(header.partition(";")[2]):
        given, _, value = piece.partition("=")
        given, value = given.strip().lower(), value.strip()
        if given == f"{name}*":
            return _extended(value)
        if given == name and found is None:
            found = _unquoted(value)
        split = _IN_PIECES.fullmatch(given)
        if split is not None and split["name"] == name:
            raise ValueError(f"has the parameter '{name}' in pieces: write it as one")
    return found


def _unquoted(value: str) -> str:
    if len(value) < 2 or not (value[0] == value[-1] == '"'):
        return value
    # No other sign is escaped: whole paths of Windows are sent as they are.
    return value[1:-1].replace("\\\\", "\\").replace('\\"', '"')


def _extended(value: str) -> str:
    charset, _, rest = value.partition("'")
    encoded = unquote_to_bytes(rest.partition("'")[2])
    text = declared_text.decoded(encoded, charset or "utf-8")
    if text is None:
        raise ValueError(f"is not the {charset[:50] or 'utf-8'} that it says to be")
    return text
