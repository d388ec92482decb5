"""What a delivery becomes."""

from __future__ import annotations

from typing import Any

import pytest

from automations.domain.webhook_deliveries import Delivery
from automations.errors import TooLarge, ValidationFailed

FORM = "application/x-www-form-urlencoded"


def delivery(body: bytes = b"", kind: str = "application/json", **headers: str) -> Delivery:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Delivery("POST", {"content-type": kind, **named}, [("a", "1"), ("a", "2")], body)


@pytest.mark.parametrize(
    ("kind", "body", "content"),
    [
        ("application/json; charset=utf-8", b'{"a": [1]}', {"body": {"a": [1]}}),
        ("application/vnd.github+json", b"[]", {"body": []}),
        (FORM, b"a=1&b=&b=%C5%82", {"body": {"a": "1", "b": ["", "ł"]}}),
        ("text/plain", "zażółć".encode(), {"body": "zażółć"}),
        ("", b"{}", {"body": "{}"}),
        ("application/octet-stream", b"\xff\x00", {"body": None, "bodyBase64": "/wA="}),
        ("text/plain", b"a\0b", {"body": None, "bodyBase64": "YQBi"}),
        ("application/json", b"", {"body": None}),
    ],
)  # fmt: skip
def test_a_body_is_read_as_its_content_type_says(
    kind: str, body: bytes, content: dict[str, Any]
) -> None:
    assert delivery(body, kind).content() == content


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b"{"),
        (FORM, b"a=%00"),
        (FORM, b"\xff"),
        (FORM, b"a&" * 1001),
    ],
)
def test_a_body_that_is_not_what_it_says_is_refused(kind: str, body: bytes) -> None:
    with pytest.raises(ValidationFailed):
        delivery(body, kind).content()


def test_secrets_do_not_come_to_the_steps() -> None:
    sent = delivery(
        b"{}",
        authorization="Bearer x",
        cookie="x",
        stripe_signature="x",
        x_api_key="x",
        x_mine="x",
        user_agent="curl",
    )
    data = sent.data("none", "X-Mine")
    assert data["headers"] == {"content-type": "application/json", "user-agent": "curl"}
    assert data["query"] == {"a": ["1", "2"]}
    assert (data["method"], data["body"]) == ("POST", {})


def test_each_sender_names_a_delivery_in_its_own_way() -> None:
    named = {"webhook_id": "w", "x_github_delivery": "g", "idempotency_key": "i"}
    sent = delivery(b'{"id": "evt_1"}', **named)
    ids = {scheme: sent.id(scheme) for scheme in ("standard", "github", "stripe", "header", "none")}
    assert ids == {"standard": "w", "github": "g", "stripe": "evt_1", "header": "i", "none": "i"}
    assert delivery(b'{"id": 7}').id("stripe") is None
    assert delivery(b"[]").id("stripe") is None
    assert delivery().id("none") is None


def test_a_very_long_id_is_told_apart_by_its_hash() -> None:
    one, other = (delivery(idempotency_key="x" * 300 + end).id("none") for end in "ab")
    assert one != other
    assert one is not None
    assert len(one) < 100


def test_headers_have_bounds() -> None:
    delivery(x="y").check()
    with pytest.raises(TooLarge):
        delivery(x="y" * 16_000).check()
    with pytest.raises(TooLarge):
        delivery(**{f"x{number}": "y" for number in range(101)}).check()
    with pytest.raises(ValidationFailed):
        delivery(x="\0").check()
