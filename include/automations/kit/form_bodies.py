"""Forms as browsers and services send them, read in the charset that they are declared to be in."""

from __future__ import annotations

import base64
import quopri
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from automations.kit import json_text, multipart
from automations.kit.declared_text import decode_field
from automations.kit.header_parameters import parameter
from automations.kit.values import JSON

URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"

CHARSET = "_charset_"
"""The field in which a browser says what charset it has used."""
_PAYPAL_CHARSET, _PAYPAL_SIGN = "charset", "verify_sign"
"""The field in which PayPal says it, and one by which its notifications are known."""

_PLAIN = ("", "7bit", "8bit", "binary")
_BLANKS = b" \t\r\n\f\v"


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


def fields(body: bytes, content_type: str, max_fields: int) -> list[Part]:
    """The values of a form of one of the two kinds, in their order.

    Raises:
        ValueError: it is no such form, is cut off, or has more values than ``most``.
    """
    if media_type(content_type) == MULTIPART:
        return _multipart(body, content_type, max_fields)
    pairs = body.split(b"&", max_fields)
    if len(pairs) > max_fields:
        raise ValueError(f"has more than {max_fields} fields")
    read = []
    for pair in filter(None, pairs):
        name, _, value = pair.replace(b"+", b" ").partition(b"=")
        read.append((unquote_to_bytes(name), unquote_to_bytes(value)))
    # The names are in the same charset as the values.
    charset = charset_of(content_type) or _declared_charset(
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
    declared = charset_of(content_type) or _declared_charset(pairs)
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


def group(pairs: Iterable[tuple[str, JSON]]) -> dict[str, JSON]:
    """A value by name; a list where a name comes more than once."""
    values: dict[str, list[JSON]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    return {name: entries[0] if len(entries) == 1 else entries for name, entries in values.items()}


def _declared_charset(pairs: Sequence[tuple[str, bytes]]) -> str | None:
    """The charset that a form has in a field of its own."""
    by_name = dict(reversed(pairs))
    charset = by_name.get(CHARSET) or (
        by_name.get(_PAYPAL_CHARSET) if _PAYPAL_SIGN in by_name else None
    )
    return charset.decode("latin-1") if charset else None


def _by_name(parts: Iterable[Part]) -> Mapping[str, str]:
    """The charsets that inbound mail by SendGrid gives for each field."""
    content = next((part.content for part in parts if part.name == "charsets"), b"")
    try:
        named = json_text.parse_json(content.decode())
    except ValueError:
        return {}
    pairs = named.items() if isinstance(named, dict) else ()
    return {name: charset for name, charset in pairs if isinstance(charset, str)}


def _text(content: bytes, charset: str | None) -> str:
    try:
        text = decode_field(content, charset or "utf-8")
    except ValueError as error:
        raise Undecodable(str(error)) from error
    if text is None:
        raise Undecodable(f"is not {(charset or 'UTF-8')[:40]}")
    return text


def _multipart(body: bytes, content_type: str, max_fields: int) -> list[Part]:
    boundary = parameter(content_type, "boundary")
    if not boundary:
        raise ValueError("has no boundary in its content type")
    charset = charset_of(content_type)
    parts: list[Part] = []
    for headers, content in multipart.parts(body, boundary.encode("latin-1", "replace")):
        if len(parts) == max_fields:
            raise ValueError(f"has more than {max_fields} fields")
        parts.append(
            _part(
                {name.decode("latin-1"): _header(value, charset) for name, value in headers},
                content,
            )
        )
    return parts


def _header(value: bytes, charset: str | None) -> str:
    # Browsers write names in UTF-8, whatever the header's own charset would be.
    try:
        return _text(value, None)
    except Undecodable:
        return _text(value, charset)


def _part(headers: Mapping[str, str], content: bytes) -> Part:
    disposition = headers.get("content-disposition", "")
    try:
        name = parameter(disposition, "name")
        filename = parameter(disposition, "filename")
    except ValueError as error:
        raise ValueError(f"has a part that {error}") from error
    if name is None:
        raise ValueError("has a part without a name")
    encoding = headers.get("content-transfer-encoding", "").strip().lower()
    return Part(
        name, _decode_transfer(content, encoding), filename, headers.get("content-type", "")
    )


def _decode_transfer(content: bytes, encoding: str) -> bytes:
    """What a part holds that is written for a way that carries no bytes."""
    if encoding in _PLAIN:
        return content
    try:
        if encoding == "base64":
            return base64.b64decode(content.translate(None, _BLANKS), validate=True)
        if encoding == "quoted-printable":
            return quopri.decodestring(content)
    except ValueError as error:
        raise ValueError(f"has a part that is not the {encoding} that it says to be") from error
    raise ValueError(f"has a part in the transfer encoding '{encoding[:50]}', which is not known")
