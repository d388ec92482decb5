"""Forms as browsers and services send them, read in the charset that they are declared to be in."""

from __future__ import annotations

import base64
import logging
import quopri
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser

from automations.kit import json_text
from automations.kit.declared_text import of_field
from automations.kit.header_parameters import parameter
from automations.kit.values import JSON

URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"

CHARSET = "_charset_"
"""The field in which a browser says what charset it has used."""
_PAYPAL_CHARSET, _PAYPAL_SIGN = "charset", "verify_sign"
"""The field in which PayPal says it, and one by which its notifications are known."""

# A line for each body that is none: whoever sends such would fill the log.
logging.getLogger("python_multipart").setLevel(logging.ERROR)

_PLAIN = ("", "7bit", "8bit", "binary")


class Undecodable(ValueError):
    """A form's text is not in the charset that it is said to be in."""


@dataclass(frozen=True, slots=True)
class Part:
    """One value of a form.

    Args:
        filename: None for a text.
    """

    name: str
    content: bytes
    filename: str | None = None
    content_type: str = ""


def media_type(content_type: str) -> str:
    """A content type without its parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower()


def charset_of(content_type: str) -> str | None:
    """The charset that a content type declares.

    Raises:
        ValueError: it cannot be read.
    """
    return parameter(content_type, "charset") or None


def fields(body: bytes, content_type: str, most: int) -> list[Part]:
    """The values of a form of one of the two kinds, in their order.

    Raises:
        ValueError: it is no such form, is cut off, or has more values than ``most``.
    """
    if media_type(content_type) == MULTIPART:
        return _multipart(body, content_type, most)
    pairs = body.split(b"&", most)
    if len(pairs) > most:
        raise ValueError(f"has more than {most} fields")
    read = []
    for pair in filter(None, pairs):
        name, _, value = pair.replace(b"+", b" ").partition(b"=")
        read.append((unquote_to_bytes(name), unquote_to_bytes(value)))
    # The names are in the same charset as the values.
    charset = charset_of(content_type) or _told(
        [(name.decode("latin-1"), value) for name, value in read]
    )
    return [Part(_text(name, charset), value) for name, value in read]


def texts(parts: Iterable[Part], content_type: str) -> list[tuple[str, str]]:
    """The names and values of a form's texts, decoded.

    Raises:
        Undecodable: one is not in the charset that it is declared to be in, or else in UTF-8.
    """
    parts = list(parts)
    pairs = [(part.name, part.content) for part in parts]
    declared = charset_of(content_type) or _told(pairs)
    by_name = _by_name(parts)
    return [
        (
            part.name,
            _text(
                part.content,
                charset_of(part.content_type) or by_name.get(part.name) or declared,
            ),
        )
        for part in parts
        if part.filename is None
    ]


def grouped(pairs: Iterable[tuple[str, JSON]]) -> dict[str, JSON]:
    """A value by name; a list where a name comes more than once."""
    values: dict[str, list[JSON]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    return {name: found[0] if len(found) == 1 else found for name, found in values.items()}


def _told(pairs: Sequence[tuple[str, bytes]]) -> str | None:
    """The charset that a form has in a field of its own."""
    given = dict(reversed(pairs))
    told = given.get(CHARSET) or (given.get(_PAYPAL_CHARSET) if _PAYPAL_SIGN in given else None)
    return told.decode("latin-1") if told else None


def _by_name(parts: Iterable[Part]) -> Mapping[str, str]:
    """The charsets that inbound mail by SendGrid gives for each field."""
    told = next((part.content for part in parts if part.name == "charsets"), b"")
    try:
        named = json_text.parsed(told.decode())
    except ValueError:
        return {}
    pairs = named.items() if isinstance(named, dict) else ()
    return {name: charset for name, charset in pairs if isinstance(charset, str)}


def _text(content: bytes, charset: str | None) -> str:
    try:
        text = of_field(content, charset or "utf-8")
    except ValueError as error:
        raise Undecodable(str(error)) from error
    if text is None:
        raise Undecodable(f"is not {(charset or 'UTF-8')[:40]}")
    return text


def _multipart(body: bytes, content_type: str, most: int) -> list[Part]:
    boundary = parameter(content_type, "boundary")
    if not boundary:
        raise ValueError("has no boundary in its content type")
    reading = _Reading(most, charset_of(content_type))
    try:
        parser = MultipartParser(
            boundary.encode("latin-1", "replace"),
            {
                "on_part_begin": reading.begin,
                "on_part_data": reading.data,
                "on_part_end": reading.end_of_part,
                "on_header_field": reading.header_name,
                "on_header_value": reading.header_value,
                "on_header_end": reading.end_of_header,
                "on_end": reading.end,
            },
        )
        parser.write(_without_preamble(body, boundary.encode("latin-1", "replace")))
    except FormParserError as error:
        raise ValueError(f"is not a valid form: {error}") from error
    if not reading.is_whole:
        raise ValueError("is a form that was cut off")
    return reading.parts


def _without_preamble(body: bytes, boundary: bytes) -> bytes:
    """What begins with the first boundary: what stands before it is for nobody."""
    start = body.find(b"--" + boundary)
    return body[start:] if start > 0 and body[start - 1 : start] == b"\n" else body


def _carried(content: bytes, encoding: str) -> bytes:
    """What a part holds that is written for a way that carries no bytes."""
    if encoding in _PLAIN:
        return content
    try:
        if encoding == "base64":
            return base64.b64decode(b"".join(content.split()), validate=True)
        if encoding == "quoted-printable":
            return quopri.decodestring(content)
    except ValueError as error:
        raise ValueError(f"has a part that is not the {encoding} that it says to be") from error
    raise ValueError(f"has a part in the transfer encoding '{encoding[:50]}', which is not known")


class _Reading:
    """What a parser has found of a body so far."""

    def __init__(self, most: int, charset: str | None) -> None:
        self.parts: list[Part] = []
        self.is_whole = False
        self._most = most
        self._charset = charset
        self._headers: dict[str, str] = {}
        self._name, self._value, self._content = b"", b"", bytearray()

    def begin(self) -> None:
        if len(self.parts) == self._most:
            raise ValueError(f"has more than {self._most} fields")
        self._headers, self._content = {}, bytearray()

    def header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def end_of_header(self) -> None:
        # Browsers write names in UTF-8, whatever the header's own charset would be.
        try:
            text = _text(self._value, None)
        except Undecodable:
            text = _text(self._value, self._charset)
        self._headers[self._name.decode("latin-1").lower()] = text
        self._name = self._value = b""

    def data(self, data: bytes, start: int, end: int) -> None:
        self._content += data[start:end]

    def end_of_part(self) -> None:
        disposition = self._headers.get("content-disposition", "")
        try:
            name = parameter(disposition, "name")
            filename = parameter(disposition, "filename")
        except ValueError as error:
            raise ValueError(f"has a part that {error}") from error
        if name is None:
            raise ValueError("has a part without a name")
        kind = self._headers.get("content-type", "")
        encoding = self._headers.get("content-transfer-encoding", "").strip().lower()
        self.parts.append(Part(name, _carried(bytes(self._content), encoding), filename, kind))

    def end(self) -> None:
        self.is_whole = True
