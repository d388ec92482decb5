"""Verifies webhook signatures of Standard Webhooks, GitHub and Stripe, or a shared header."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence

from automations.errors import SignatureRefused
from automations.kit import common_clock

_TOLERANCE = 300
"""Seconds that a signed timestamp may be off, either way."""

DEFAULT_HEADER = "x-webhook-secret"


class WebhookSignatures:
    """Compares in constant time, on the bytes as they came."""

    def verify(
        self,
        scheme: str,
        secret: str,
        headers: Mapping[str, str],
        body: bytes,
        header: str | None = None,
    ) -> None:
        match scheme:
            case "standard":
                _standard(secret, headers, body)
            case "github":
                _github(secret, headers, body)
            case "stripe":
                _stripe(secret, headers, body)
            case _:
                token = _require(headers, (header or DEFAULT_HEADER).lower())
                _compare(token.encode("latin-1", "replace"), secret.encode())


def _standard(secret: str, headers: Mapping[str, str], body: bytes) -> None:
    # By Standard Webhooks' own library no body could be signed that is not UTF-8, and one signature
    # that is malformed would spoil the right one beside it.
    sender = "svix" if "svix-id" in headers and "webhook-id" not in headers else "webhook"
    message = _require(headers, f"{sender}-id")
    stamp = _require(headers, f"{sender}-timestamp")
    header = _require(headers, f"{sender}-signature")
    _check_age(f"{sender}-timestamp", stamp)
    try:
        key = base64.b64decode(secret.removeprefix("whsec_").rstrip("=") + "==")
    except ValueError as error:
        raise SignatureRefused("The secret is not base64.") from error
    content = f"{message}.{stamp}.".encode() + body
    expected = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest())
    # Several while a secret is being replaced, and in other versions, which are passed over.
    parts = [part.partition(",") for part in header.split()]
    _any([signed for version, _, signed in parts if version == "v1"], expected)


def _github(secret: str, headers: Mapping[str, str], body: bytes) -> None:
    signature = _require(headers, "x-hub-signature-256")
    _compare(signature.encode("latin-1", "replace"), f"sha256={_hmac(secret, body)}".encode())


def _stripe(secret: str, headers: Mapping[str, str], body: bytes) -> None:
    parts = [part.partition("=") for part in _require(headers, "stripe-signature").split(",")]
    stamp = next((value for name, _, value in parts if name.strip() == "t"), "")
    _check_age("Stripe-Signature", stamp)
    expected = _hmac(secret, f"{stamp}.".encode() + body).encode()
    # Several while a secret is being replaced.
    _any([value.strip() for name, _, value in parts if name.strip() == "v1"], expected)


def _check_age(header: str, stamp: str) -> None:
    if not (stamp.isascii() and stamp.isdigit()) or len(stamp) > 12:
        raise SignatureRefused(f"The {header} has no timestamp.")
    if abs(common_clock.now().timestamp() - int(stamp)) > _TOLERANCE:
        raise SignatureRefused(f"The {header}'s timestamp is too old or too new.")


def _any(signatures: Sequence[str], expected: bytes) -> None:
    matches = [
        hmac.compare_digest(signature.encode("latin-1", "replace"), expected)
        for signature in signatures
    ]
    if not any(matches):
        raise SignatureRefused


def _hmac(secret: str, content: bytes) -> str:
    return hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()


def _require(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name)
    if not value:
        raise SignatureRefused(f"The header {name} is missing.")
    return value


def _compare(actual: bytes, expected: bytes) -> None:
    if not hmac.compare_digest(actual, expected):
        raise SignatureRefused
