"""Turns a delivery to a webhook URL into an event's data, without secrets."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from automations.domain.forms.uploads import Upload, upload
from automations.errors import TooLarge, ValidationFailed
from automations.kit import json_text
from automations.kit.declared_text import text_of
from automations.kit.form_bodies import (
    MULTIPART,
    URLENCODED,
    Part,
    Undecodable,
    charset_of,
    fields,
    group,
    media_type,
    texts,
)
from automations.kit.values import JSON

_MAX_HEADERS, _MAX_HEADER_BYTES = 100, 16_000
_MAX_FIELDS = 1_000
"""Parsed, each takes far more than its bytes."""
_MAX_ID_LENGTH = 200
"""It is in an index."""
_MAX_INLINE = 500_000
"""Bytes of files that are no documents: in base64 they are in the event, and in its run."""
_TEXT_OR_JSON = ("", "text/plain")
_BINARY = re.compile(
    r"(?:image|audio|video|font)/(?!svg\+xml).*"
    r"|application/(?:octet-stream|pdf|zip|gzip|x-gzip|x-protobuf|protobuf|msgpack|x-msgpack|cbor)"
)
_SECRET_HEADER = re.compile(r"authorization|cookie|secret|token|signature|api-?key|password")
_ID_HEADERS = {
    "standard": ("webhook-id", "svix-id"),
    "github": ("x-github-delivery",),
    "stripe": (),
    **dict.fromkeys(
        ("header", "none"),
        ("idempotency-key", "webhook-id", "svix-id", "x-github-delivery", "x-amz-sns-message-id"),
    ),
}

BODIES: Sequence[tuple[str, str]] = (
    (
        "`application/json`, `*+json`, `text/json`, `application/x-json`",
        "the JSON, in the declared charset, else UTF-8, or UTF-16 or 32 if it is detected; a byte "
        "order mark is dropped. Invalid JSON is refused",
    ),
    (
        "`text/plain`, or no type at all",
        "the JSON, if the whole body is an object or a list (as Amazon SNS sends it); "
        "else the text. JSON that cannot be stored unchanged is refused, here and below",
    ),
    (
        "`application/x-www-form-urlencoded`",
        "an object with a text for each field, or a list of texts for a repeated field; if a field "
        "`payload` contains an object or a list in JSON, that is the body (as GitHub and Slack "
        "send it). If the whole body is an object or a list in JSON, that is the body (as "
        "`curl -d` sends it)",
    ),
    (
        "`multipart/form-data`",
        "the same; a part that is declared as JSON is read as JSON, or refused. A file of a type "
        "that forms accept becomes a document: `{documentId, filename, contentType, size}`. Other "
        "files are `{filename, contentType, size, base64}`, 500 kB of these together at most",
    ),
    (
        "`application/xml`, `text/xml`, `*+xml`, `text/html`",
        "the text, in the declared charset, or the one that it names itself",
    ),
    (
        "images, sound, video, `application/octet-stream`, `application/pdf`, archives",
        "null; `trigger.bodyBase64` has the bytes",
    ),
    ("any other", "the text"),
    ("whatever its type, when it is empty", "null"),
)
"""What ``trigger.body`` is, by the content type of a delivery; as the documentation has it."""


@dataclass(frozen=True, slots=True)
class Content:
    """A delivery's body as it is read.

    Args:
        shown: ``body``, and ``bodyBase64`` where that is null because of bytes.
        uploads: the files that it names as documents.
    """

    shown: Mapping[str, JSON]
    uploads: Sequence[Upload] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request to a webhook URL.

    Args:
        headers: with their names in lower case.
    """

    method: str
    headers: Mapping[str, str]
    query: bytes
    body: bytes

    def check(self) -> None:
        """Raise TooLarge or ValidationFailed for headers that nobody sends in earnest."""
        size = sum(len(name) + len(value) for name, value in self.headers.items())
        if len(self.headers) > _MAX_HEADERS or size > _MAX_HEADER_BYTES:
            raise TooLarge(f"The headers are over {_MAX_HEADERS} or {_MAX_HEADER_BYTES} bytes.")
        if any("\0" in value for value in self.headers.values()):
            raise ValidationFailed({"headers": ["must not hold a NUL character"]})

    def id(self, scheme: str, content: Content) -> str | None:
        """What its sender calls it, by which a repeat is known."""
        delivery_id = next(
            (self.headers[name] for name in _ID_HEADERS[scheme] if self.headers.get(name)), None
        )
        if scheme == "stripe":
            event = content.shown["body"]
            stripe_id = event.get("id") if isinstance(event, dict) else None
            delivery_id = stripe_id if isinstance(stripe_id, str) and stripe_id else None
        if delivery_id is not None and len(delivery_id) > _MAX_ID_LENGTH:
            return f"sha256:{hashlib.sha256(delivery_id.encode()).hexdigest()}"
        return delivery_id

    def signature(self, scheme: str) -> str | None:
        """By what a repeat is known whose sender does not sign the id, as GitHub does not."""
        return self.headers.get("x-hub-signature-256") if scheme == "github" else None

    def data(self, scheme: str, secret_header: str | None, content: Content) -> dict[str, JSON]:
        """What steps find under ``trigger``.

        Raises:
            ValidationFailed: the query is not in UTF-8.
        """
        hidden = (secret_header or "").lower()
        shown: dict[str, JSON] = {
            name: _of_header(value)
            for name, value in self.headers.items()
            if name != hidden and not _SECRET_HEADER.search(name)
        }
        return {
            "method": self.method,
            "headers": shown,
            "query": self._query_fields(),
            "deliveryId": self.id(scheme, content),
            **content.shown,
        }

    def content(self) -> Content:
        """The body as its content type says, by ``BODIES``; in base64 where it is no text.

        Raises:
            ValidationFailed: it is not what its content type says.
            TooLarge: its files are.
        """
        content_type = self.headers.get("content-type", "")
        kind = media_type(content_type)
        if not self.body:
            return Content({"body": None})
        if json_text.is_json_type(kind):
            try:
                text = json_text.decode(self.body, charset_of(content_type))
                return Content({"body": json_text.parse_json(text)})
            except ValueError as error:
                raise ValidationFailed({"body": [str(error)]}) from error
        try:
            if kind == URLENCODED and self.body.lstrip().startswith((b"{", b"[")):
                # Whoever has JSON and says nothing of it, such as curl, says that it is a form.
                read = _json_or_text(self._text(kind, content_type), "")
                if not isinstance(read, str):
                    return Content({"body": read})
            if kind in (URLENCODED, MULTIPART):
                return self._form(content_type)
            return Content({"body": self._text(kind, content_type)})
        except Undecodable:
            encoded = base64.b64encode(self.body).decode()
            return Content({"body": None, "bodyBase64": encoded})

    def _text(self, kind: str, content_type: str) -> JSON:
        if _BINARY.fullmatch(kind):
            raise Undecodable(kind)
        try:
            text = text_of(self.body, content_type)
        except ValueError as error:
            raise Undecodable(str(error)) from error
        if "\0" in text:  # PostgreSQL stores none in JSON
            raise Undecodable(kind)
        return _json_or_text(text, "") if kind in _TEXT_OR_JSON else text

    def _form(self, content_type: str) -> Content:
        try:
            parts = fields(self.body, content_type, _MAX_FIELDS)
            pairs: list[tuple[str, JSON]] = list(texts(parts, content_type))
        except Undecodable:
            raise
        except ValueError as error:
            raise ValidationFailed({"body": [str(error)]}) from error
        _check_nul(pairs, "body")
        remaining = iter(pairs)
        files = _Files()
        values = [
            next(remaining) if part.filename is None else (part.name, files.value(part))
            for part in parts
        ]
        kinds = [media_type(part.content_type) for part in parts]
        read = [
            (name, _of_part(name, value, kind))
            for (name, value), kind in zip(values, kinds, strict=True)
        ]
        return Content({"body": group(read)}, files.uploads)

    def _query_fields(self) -> dict[str, JSON]:
        try:
            pairs = texts(fields(self.query, URLENCODED, _MAX_FIELDS), URLENCODED)
        except ValueError as error:
            raise ValidationFailed({"query": [str(error)]}) from error
        _check_nul(pairs, "query")
        return group(pairs)


class _Files:
    """The files of a form, as steps find them."""

    def __init__(self) -> None:
        self.uploads: list[Upload] = []
        self._inline = 0

    def value(self, part: Part) -> JSON:
        """What the body holds in a file's place; nothing where none was chosen."""
        if not part.filename and not part.content:
            return None
        try:
            taken = upload(part.filename or "", part.content)
        except ValueError:
            return self._store_inline(part)
        self.uploads.append(taken)
        return taken.value

    def _store_inline(self, part: Part) -> JSON:
        self._inline += len(part.content)
        if self._inline > _MAX_INLINE:
            raise TooLarge(f"Files that are no documents are over {_MAX_INLINE} bytes together.")
        return {
            "filename": part.filename,
            "contentType": media_type(part.content_type) or None,
            "size": len(part.content),
            "base64": base64.b64encode(part.content).decode(),
        }


def _of_header(value: str) -> str:
    """A header as its sender wrote it: in UTF-8, or else in ISO 8859-1, as a server reads it."""
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        return value


def _json_or_text(text: JSON, prefix: str) -> JSON:
    """An object or a list, where all of a text is one in JSON; else the text.

    Args:
        prefix: what has it, as a refusal begins; empty for the body itself.

    Raises:
        ValidationFailed: it is JSON that cannot be kept.
    """
    if not isinstance(text, str) or not text.lstrip().startswith(("{", "[")):
        return text
    try:
        return json_text.parse_any(text)
    except ValueError as error:
        raise ValidationFailed({"body": [f"{prefix}{error}"]}) from error


def _of_part(name: str, value: JSON, kind: str) -> JSON:
    """A form's value: JSON where it is declared as that, or may be by its name.

    Raises:
        ValidationFailed: it is declared as JSON, and none that can be kept.
    """
    if not isinstance(value, str):
        return value
    if json_text.is_json_type(kind):
        text = value.removeprefix("\ufeff")
        try:
            return json_text.parse_json(text) if text.strip() else None
        except ValueError as error:
            raise ValidationFailed({"body": [f"has a part '{name}' that {error}"]}) from error
    if name != "payload":
        return value
    read = _json_or_text(value.removeprefix("\ufeff"), f"has a part '{name}' that ")
    return value if isinstance(read, str) else read


def _check_nul(pairs: Sequence[tuple[str, JSON]], where: str) -> None:
    if any("\0" in str(part) for pair in pairs for part in pair):
        raise ValidationFailed({where: ["must not hold a NUL character"]})
