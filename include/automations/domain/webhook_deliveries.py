"""What a delivery to a webhook URL becomes: an event's data, without secrets."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from automations.errors import TooLarge, ValidationFailed
from automations.kit.values import JSON

_MAX_HEADERS, _MAX_HEADER_BYTES = 100, 16_000
_MAX_FIELDS = 1_000
_MAX_ID_LENGTH = 200
_JSON_TYPE = re.compile(r"application/(?:[a-z0-9.+-]+\+)?json")
_SECRET_HEADER = re.compile(r"authorization|cookie|secret|token|signature|api-?key|password")
_ID_HEADERS = {
    "standard": ("webhook-id",),
    "github": ("x-github-delivery",),
    "stripe": (),
    "header": ("idempotency-key", "webhook-id", "x-github-delivery"),
    "none": ("idempotency-key", "webhook-id", "x-github-delivery"),
}


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request to a webhook URL.

    Args:
        headers: with their names in lower case.
    """

    method: str
    headers: Mapping[str, str]
    query: Sequence[tuple[str, str]]
    body: bytes

    def check(self) -> None:
        """Raise TooLarge or ValidationFailed for headers that nobody sends in earnest."""
        size = sum(len(name) + len(value) for name, value in self.headers.items())
        if len(self.headers) > _MAX_HEADERS or size > _MAX_HEADER_BYTES:
            raise TooLarge(f"The headers are over {_MAX_HEADERS} or {_MAX_HEADER_BYTES} bytes.")
        if any("\0" in value for value in self.headers.values()):
            raise ValidationFailed({"headers": ["must not hold a NUL character"]})

    def id(self, scheme: str) -> str | None:
        """What its sender calls it, by which a repeat is known."""
        given = next(
            (self.headers[name] for name in _ID_HEADERS[scheme] if self.headers.get(name)), None
        )
        if scheme == "stripe":
            event = self.content().get("body")
            stripe_id = event.get("id") if isinstance(event, dict) else None
            given = stripe_id if isinstance(stripe_id, str) and stripe_id else None
        if given is not None and len(given) > _MAX_ID_LENGTH:
            return f"sha256:{hashlib.sha256(given.encode()).hexdigest()}"
        return given

    def data(self, scheme: str, secret_header: str | None) -> dict[str, JSON]:
        """What steps find under ``trigger``.

        Raises:
            ValidationFailed: the body is not what its content type says.
        """
        hidden = (secret_header or "").lower()
        shown: dict[str, JSON] = {
            name: value
            for name, value in self.headers.items()
            if name != hidden and not _SECRET_HEADER.search(name)
        }
        return {
            "method": self.method,
            "headers": shown,
            "query": _grouped(self.query),
            "deliveryId": self.id(scheme),
            **self.content(),
        }

    def content(self) -> dict[str, Any]:
        """The body: parsed, as text, or in base64 when it is neither."""
        kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if not self.body:
            return {"body": None}
        if _JSON_TYPE.fullmatch(kind):
            try:
                return {"body": json.loads(self.body)}
            except ValueError as error:
                raise ValidationFailed({"body": [f"is not valid JSON: {error}"]}) from error
        if kind == "application/x-www-form-urlencoded":
            return {"body": self._form()}
        try:
            text = self.body.decode()
        except UnicodeDecodeError:
            text = "\0"
        if "\0" in text:  # PostgreSQL stores none in JSON
            return {"body": None, "bodyBase64": base64.b64encode(self.body).decode()}
        return {"body": text}

    def _form(self) -> dict[str, JSON]:
        try:
            pairs = parse_qsl(
                self.body.decode(), keep_blank_values=True, max_num_fields=_MAX_FIELDS
            )
        except ValueError as error:
            raise ValidationFailed({"body": [f"is not a valid form: {error}"]}) from error
        if any("\0" in part for pair in pairs for part in pair):
            raise ValidationFailed({"body": ["must not hold a NUL character"]})
        return _grouped(pairs)


def _grouped(pairs: Sequence[tuple[str, str]]) -> dict[str, JSON]:
    """A value by name; a list where a name comes more than once."""
    values: dict[str, list[JSON]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    return {name: found[0] if len(found) == 1 else found for name, found in values.items()}
