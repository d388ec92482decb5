"""Verifies deliveries as Standard Webhooks, GitHub and Stripe sign them, or by a shared header."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Mapping

from automations.errors import SignatureRefused

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
                given = _required(headers, (header or DEFAULT_HEADER).lower())
                _compare(given.encode("latin-1", "replace"), secret.encode())


def _standard(secret: str, headers: Mapping[str, str], body: bytes) -> None:
    from standardwebhooks.webhooks import Webhook, WebhookVerificationError

    for name in ("webhook-id", "webhook-timestamp", "webhook-signature"):
        _required(headers, name)
    try:
        Webhook(secret).verify(body, dict(headers), json_parse=False)
    except WebhookVerificationError as error:
        raise SignatureRefused(f"The delivery is refused: {error}.") from error
    except ValueError as error:  # a malformed signature, or a body that is not UTF-8
        raise SignatureRefused("The webhook-signature is malformed.") from error


def _github(secret: str, headers: Mapping[str, str], body: bytes) -> None:
    given = _required(headers, "x-hub-signature-256")
    _compare(given.encode("latin-1", "replace"), f"sha256={_hmac(secret, body)}".encode())


def _stripe(secret: str, headers: Mapping[str, str], body: bytes) -> None:
    parts = [part.partition("=") for part in _required(headers, "stripe-signature").split(",")]
    stamp = next((value for name, _, value in parts if name.strip() == "t"), "")
    if not (stamp.isascii() and stamp.isdigit()) or len(stamp) > 12:
        raise SignatureRefused("The Stripe-Signature has no timestamp.")
    if abs(time.time() - int(stamp)) > _TOLERANCE:
        raise SignatureRefused("The Stripe-Signature's timestamp is too old or too new.")
    expected = _hmac(secret, f"{stamp}.".encode() + body).encode()
    signed = [value.strip() for name, _, value in parts if name.strip() == "v1"]
    # Several while a secret is being replaced.
    matches = [hmac.compare_digest(one.encode("latin-1", "replace"), expected) for one in signed]
    if not any(matches):
        raise SignatureRefused


def _hmac(secret: str, content: bytes) -> str:
    return hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()


def _required(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name)
    if not value:
        raise SignatureRefused(f"The header {name} is missing.")
    return value


def _compare(given: bytes, expected: bytes) -> None:
    if not hmac.compare_digest(given, expected):
        raise SignatureRefused
