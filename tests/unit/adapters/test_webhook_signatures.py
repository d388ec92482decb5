"""Which deliveries are genuine."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from standardwebhooks.webhooks import Webhook

from automations.adapters.webhook_signatures import WebhookSignatures
from automations.errors import SignatureRefused

BODY = '{"amount": 12, "name": "Łódź"}'.encode()
KEY = "whsec_" + base64.b64encode(b"k" * 24).decode()
VERIFIER = WebhookSignatures()


def standard(body: bytes = BODY, age: float = 0, key: str = KEY) -> dict[str, str]:
    stamp = time.time() - age
    signature = Webhook(key).sign("msg_1", datetime.fromtimestamp(stamp, UTC), body.decode())
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(stamp)),
        "webhook-signature": signature,
    }


def stripe(body: bytes = BODY, age: float = 0, key: str = "stripe-key") -> dict[str, str]:
    stamp = int(time.time() - age)
    signed = hmac.new(key.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    return {"stripe-signature": f"t={stamp},v1={signed}"}


def github(body: bytes = BODY, key: str = "github-key") -> dict[str, str]:
    signed = hmac.new(key.encode(), body, hashlib.sha256).hexdigest()
    return {"x-hub-signature-256": f"sha256={signed}"}


SIGNED: dict[str, tuple[str, Callable[[], dict[str, str]]]] = {
    "standard": (KEY, standard),
    "stripe": ("stripe-key", stripe),
    "github": ("github-key", github),
}


@pytest.mark.parametrize("scheme", SIGNED)
def test_a_signed_body_is_genuine_and_another_body_is_not(scheme: str) -> None:
    secret, sign = SIGNED[scheme]
    VERIFIER.verify(scheme, secret, sign(), BODY)
    with pytest.raises(SignatureRefused):
        VERIFIER.verify(scheme, secret, sign(), BODY + b" ")
    with pytest.raises(SignatureRefused):
        VERIFIER.verify(scheme, secret, {}, BODY)


@pytest.mark.parametrize("scheme", ["standard", "stripe"])
@pytest.mark.parametrize("age", [400, -400])
def test_a_timestamp_that_is_far_off_is_refused(scheme: str, age: float) -> None:
    secret, _ = SIGNED[scheme]
    signed = standard(age=age) if scheme == "standard" else stripe(age=age)
    with pytest.raises(SignatureRefused, match=r"too (old|new)"):
        VERIFIER.verify(scheme, secret, signed, BODY)


def test_one_of_several_signatures_is_enough_while_a_secret_is_replaced() -> None:
    old = standard(key="whsec_" + base64.b64encode(b"o" * 24).decode())
    both = standard()
    both["webhook-signature"] = f"{old['webhook-signature']} {both['webhook-signature']}"
    VERIFIER.verify("standard", KEY, both, BODY)
    header = stripe()["stripe-signature"]
    stamp, _, signed = header.partition(",")
    VERIFIER.verify("stripe", "stripe-key", {"stripe-signature": f"{stamp},v1=00,{signed}"}, BODY)


@pytest.mark.parametrize(
    ("scheme", "headers"),
    [
        ("standard", {"webhook-signature": "v1"}),
        ("standard", {"webhook-signature": "v1,???"}),
        ("standard", {"webhook-signature": "v2,AAAA"}),
        ("standard", {"webhook-signature": "v1,żółć"}),
        ("standard", {"webhook-timestamp": "nan"}),
        ("standard", {"webhook-timestamp": "1e400"}),
        ("standard", {"webhook-id": ""}),
        ("github", {"x-hub-signature-256": "sha1=00"}),
        ("github", {"x-hub-signature-256": "ż"}),
        ("stripe", {"stripe-signature": "v1=00"}),
        ("stripe", {"stripe-signature": "t=²,v1=00"}),
        ("stripe", {"stripe-signature": "t=9999999999999999999999,v1=00"}),
        ("stripe", {"stripe-signature": "nonsense"}),
        ("stripe", {"stripe-signature": f"t={int(time.time())},v1=ż"}),
        ("header", {"x-webhook-secret": "wrong"}),
        ("header", {"x-webhook-secret": "€"}),
    ],
)
def test_a_malformed_signature_is_refused(scheme: str, headers: dict[str, str]) -> None:
    secret, sign = SIGNED.get(scheme, ("shared-secret", dict))
    with pytest.raises(SignatureRefused):
        VERIFIER.verify(scheme, secret, {**sign(), **headers}, BODY)


def test_a_body_that_is_no_text_is_signed_like_any_other() -> None:
    body, stamp = b"\xff\xfe", str(int(time.time()))
    content = f"msg_1.{stamp}.".encode() + body
    signed = base64.b64encode(hmac.new(b"k" * 24, content, hashlib.sha256).digest()).decode()
    headers = {"webhook-id": "msg_1", "webhook-timestamp": stamp}
    VERIFIER.verify("standard", KEY, {**headers, "webhook-signature": f"v1,{signed}"}, body)
    with pytest.raises(SignatureRefused):
        VERIFIER.verify("standard", KEY, standard(), body)


@pytest.mark.parametrize("spoiled", ["v1", "v1,???", "v1a,żółć", "nonsense,,", "v1,żółć", ","])
def test_a_malformed_signature_does_not_spoil_a_right_one_beside_it(spoiled: str) -> None:
    right = standard()
    for both in (
        f"{spoiled} {right['webhook-signature']}",
        f"{right['webhook-signature']} {spoiled}",
    ):
        VERIFIER.verify("standard", KEY, {**right, "webhook-signature": both}, BODY)


def test_svix_names_its_headers_by_itself() -> None:
    named = {name.replace("webhook-", "svix-"): value for name, value in standard().items()}
    VERIFIER.verify("standard", KEY, named, BODY)
    with pytest.raises(SignatureRefused):
        VERIFIER.verify("standard", KEY, named, BODY + b" ")
    with pytest.raises(SignatureRefused, match="webhook-timestamp is missing"):
        VERIFIER.verify("standard", KEY, {**named, "webhook-id": "msg_1"}, BODY)


def test_a_shared_secret_is_looked_for_in_the_header_that_is_named() -> None:
    VERIFIER.verify("header", "shared-secret", {"x-webhook-secret": "shared-secret"}, BODY)
    VERIFIER.verify("header", "shared-secret", {"x-mine": "shared-secret"}, BODY, "X-Mine")
    with pytest.raises(SignatureRefused, match="x-mine is missing"):
        VERIFIER.verify(
            "header", "shared-secret", {"x-webhook-secret": "shared-secret"}, BODY, "X-Mine"
        )
