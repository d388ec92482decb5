"""Encodes people's texts as headers of a mail, unchanged and without adding headers.

Encoded here, since the standard library's newer classes take an encoded word within a text for what
it decodes to, line breaks and all, and each Python in its own way.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote

FOLD = "\r\n "
_LINE_WIDTH = 76
_PRINTABLE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
_ATOMS = re.compile(r"[\w!#$%&'*+/^`{|}~-]+(?: [\w!#$%&'*+/^`{|}~-]+)*", re.ASCII)
_PLAIN_NAME = re.compile(r"[\w!#$&+.,;@^`{}~()-]+(?: [\w!#$&+.,;@^`{}~()-]+)*", re.ASCII)
_WORD_BYTES, _PARAMETER_BYTES = 39, 18
"""Bytes of text in a piece: encoded, none makes a line longer than it may be."""


def text(written: str, name: str) -> str:
    """A header of free text, such as a subject.

    Args:
        name: of the header, which begins its line.
    """
    _check(written)
    lines = _lines(written, len(name) + 2)
    short = max(map(len, lines)) <= 2 * _LINE_WIDTH
    if not written or (short and _is_plain(written) and "  " not in written):
        return FOLD.join(lines)
    return _words(written)


def mailbox(address: str, name: str = "") -> str:
    """An address, with the name of whose it is."""
    _check(address)
    if not name:
        return address
    return f"{_phrase(name)} <{address}>"


def mailboxes(addresses: Iterable[str]) -> str:
    """Several addresses; nobody when there are none."""
    return f",{FOLD}".join(map(mailbox, addresses)) or "undisclosed-recipients:;"


def parameter(name: str, written: str) -> str:
    """A parameter behind a header's value, by RFC 2231 when a quoted text cannot hold it."""
    _check(written)
    if _PLAIN_NAME.fullmatch(written) and len(written) <= _LINE_WIDTH - len(name) - 4:
        return f';{FOLD}{name}="{written}"'
    pieces = [quote(piece, safe="") for piece in _pieces(written, _PARAMETER_BYTES)]
    if len(pieces) == 1:
        return f";{FOLD}{name}*=utf-8''{pieces[0]}"
    lines = (f"{name}*{place}*={piece}" for place, piece in enumerate(pieces[1:], 1))
    return f";{FOLD}".join(("", f"{name}*0*=utf-8''{pieces[0]}", *lines))


def _lines(written: str, begun: int) -> list[str]:
    """A text broken where it has a blank, the first line after something else."""
    lines, room = [""], _LINE_WIDTH - begun
    for word in written.split(" "):
        if lines[-1] and len(lines[-1]) + 1 + len(word) > room:
            lines, room = [*lines, word], _LINE_WIDTH - 1
        else:
            lines[-1] = f"{lines[-1]} {word}" if lines[-1] else word
    return lines


def _phrase(name: str) -> str:
    _check(name)
    if _ATOMS.fullmatch(name) and len(name) <= _LINE_WIDTH - 10:
        return name
    if _is_plain(name) and len(name) <= _LINE_WIDTH - 20:
        escaped = re.sub(r'(["\\])', r"\\\1", name)
        return f'"{escaped}"'
    return _words(name)


def _is_plain(written: str) -> bool:
    return _PRINTABLE.fullmatch(written) is not None and "=?" not in written


def _words(written: str) -> str:
    """Encoded words (RFC 2047), each of whole characters."""
    encoded = (base64.b64encode(piece).decode() for piece in _pieces(written, _WORD_BYTES))
    return FOLD.join(f"=?utf-8?b?{piece}?=" for piece in encoded)


def _pieces(written: str, max_length: int) -> Iterator[bytes]:
    piece = b""
    for character in written:
        encoded = character.encode()
        if len(piece) + len(encoded) > max_length:
            yield piece
            piece = b""
        piece += encoded
    yield piece


def _check(written: str) -> None:
    if re.search(r"[\r\n]", written):
        raise ValueError("a header is one line")
