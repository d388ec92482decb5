"""CloudEvents as the official SDK sends them, to a bridge as a server, in every mode."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx
import pytest
from cloudevents.core.bindings import http as binding
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent as Event
from cloudevents.v1.conversion import to_binary, to_structured
from cloudevents.v1.http import CloudEvent as OldEvent

from tests.api.conftest import Live

SHOP = {"type": "com.example.paid", "source": "/shop"}
_BYTES = b"\x00\xff\x89"
DATA: list[tuple[str | None, Any, dict[str, Any]]] = [
    (None, {"amount": 5, "items": [1.5, None]}, {"amount": 5, "items": [1.5, None]}),
    (None, {}, {}),
    (None, None, {"data": None}),
    (None, _BYTES, {"data": None, "dataBase64": base64.b64encode(_BYTES).decode()}),
    ("application/json", {"zeta": 1, "a": 2}, {"zeta": 1, "a": 2}),
    ("application/json; charset=utf-8", {"name": "Łódź"}, {"name": "Łódź"}),
    ("application/vnd.shop+json", {"n": 9007199254740993}, {"n": 9007199254740993}),
    ("application/json", b"[1, 2]", {"data": [1, 2]}),
    ("text/plain", "zażółć", {"data": "zażółć"}),
    ("text/plain", '{"not": "parsed"}', {"data": '{"not": "parsed"}'}),
    ("text/plain; charset=windows-1252", "José".encode("cp1252"), {"data": "José"}),
    ("application/xml", "<a>ż</a>", {"data": "<a>ż</a>"}),
    (
        "application/xml",
        '<?xml version="1.0" encoding="ISO-8859-1"?><n>José</n>'.encode("latin-1"),
        {"data": '<?xml version="1.0" encoding="ISO-8859-1"?><n>José</n>'},
    ),
    ("text/json", b'{"n": 9007199254740993}', {"n": 9007199254740993}),
    ("application/x-json", b'{"n": 1}', {"n": 1}),
    (None, {"type": "card", "submission": {"a": 1}}, {"type": "card", "submission": {"a": 1}}),
    ("application/x-yaml", "a: ż", {"data": "a: ż"}),
    ("application/x-ndjson", '{"a": 1}\n', {"data": '{"a": 1}\n'}),
    ("application/vnd.own; charset=iso88591", "é".encode("latin-1"), {"data": "é"}),
    ("application/octet-stream", _BYTES, {"data": None, "dataBase64": "AP+J"}),
    ("application/octet-stream", b"text", {"data": None, "dataBase64": "dGV4dA=="}),
    ("image/png", _BYTES, {"data": None, "dataBase64": "AP+J"}),
]
ATTRIBUTES: list[dict[str, Any]] = [
    {},
    {"subject": 'Zamówienie 7 % "x"', "dataschema": "https://shop.example/schema"},
    {"type": "3d.print"},
    {"type": "x"},
    {"type": "ORDER:paid/é"},
    {"source": "urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66", "id": "ł 1"},
    {"team": "sales", "comexampleextension1": "100% of ü"},
]


def post(live: Live, headers: dict[str, str], body: bytes | str | None) -> Any:
    authorized = {"Authorization": f"Bearer {live.key}", **headers}
    answer = httpx.post(
        f"{live.url}/api/events", headers=authorized, content=body or b"", timeout=60
    )
    assert answer.status_code == 202, answer.text
    return answer.json()


def arrived(live: Live, taken: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """An event's attributes and its data, as steps find them."""
    authorized = {"Authorization": f"Bearer {live.key}"}
    answer = httpx.get(f"{live.url}/api/events/{taken['id']}", headers=authorized, timeout=60)
    data = answer.json()["data"]
    return data.pop("cloudEvent"), data


def check(live: Live, event: Event, data: dict[str, Any]) -> None:
    """The event arrives as it was sent, and both modes are the same event."""
    messages = [
        binding.to_binary(event, JSONFormat()),
        binding.to_structured(event, JSONFormat()),
    ]
    first, again = (post(live, message.headers, message.body) for message in messages)
    assert again == {"id": first["id"], "duplicate": True}
    attributes, found = arrived(live, first)
    sent = {name: value for name, value in event.get_attributes().items() if value is not None}
    time = sent.pop("time", None)
    if time is not None:
        assert attributes.pop("time") == time.isoformat().replace("+00:00", "Z")
    assert attributes == sent
    assert found == data


@pytest.mark.parametrize(("kind", "data", "found"), DATA)
def test_data_of_each_type_arrives_as_it_was_sent(
    live: Live, kind: str | None, data: Any, found: dict[str, Any]
) -> None:
    attributes = {**SHOP, **({"datacontenttype": kind} if kind else {})}
    check(live, Event(attributes, data), found)
    other = Event({**attributes, "id": "structured"}, data)
    message = binding.to_structured(other, JSONFormat())
    assert arrived(live, post(live, message.headers, message.body))[1] == found


@pytest.mark.parametrize("more", ATTRIBUTES)
def test_each_attribute_arrives_as_it_was_sent(live: Live, more: dict[str, Any]) -> None:
    check(live, Event({**SHOP, **more}, {"n": 1}), {"n": 1})


def test_the_sdk_of_before_is_understood_too(live: Live) -> None:
    event = OldEvent({**SHOP, "id": "1"}, {"n": 1})
    for convert, duplicate in ((to_binary, False), (to_structured, True)):
        headers, body = convert(event)
        taken = post(live, dict(headers), body)
        assert taken["duplicate"] is duplicate
        assert arrived(live, taken)[1] == {"n": 1}


def refused(live: Live, headers: dict[str, str], body: bytes) -> list[str]:
    authorized = {"Authorization": f"Bearer {live.key}", **headers}
    answer = httpx.post(f"{live.url}/api/events", headers=authorized, content=body, timeout=60)
    assert answer.status_code == 400, answer.text
    return list(answer.json()["details"]["fieldErrors"])


def test_what_contradicts_itself_or_cannot_be_read_is_named(live: Live) -> None:
    one = {"Content-Type": "application/cloudevents+json"}
    base = b'"specversion": "1.0", "id": "1", "source": "/a", "type": "a.b"'
    both = b'{%s, "data": 1, "data_base64": "AA=="}' % base
    assert refused(live, one, both) == ["data_base64"]
    assert refused(live, one, b'{%s, "data": {"cloudEvent": 1}}' % base) == ["data.cloudEvent"]
    binary = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/a", "ce-type": "a.b"}
    assert refused(live, {**binary, "ce-subject": "%FF"}, b"") == ["subject"]
    assert refused(live, {**binary, "Content-Type": "application/json"}, b"{") == ["body"]
    assert refused(live, {**binary, "ce-type": "a%20b"}, b"") == ["type"]
    del binary["ce-source"]
    assert refused(live, binary, b"") == ["source"]


def test_a_quoted_header_is_what_is_quoted(live: Live) -> None:
    binary = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/a", "ce-type": "a.b"}
    taken = post(live, {**binary, "ce-subject": r'"a \"b\" %C5%82"'}, b"")
    assert arrived(live, taken)[0]["subject"] == 'a "b" ł'


def test_what_is_wrong_in_a_batch_is_named_with_its_place(live: Live) -> None:
    one = {"specversion": "1.0", "id": "1", "source": "/a", "type": "a.b"}
    batch = {"Content-Type": "application/cloudevents-batch+json"}
    for change, named in [
        ({"type": "ROW_ADDED"}, "1.type"),
        ({"source": "/ł"}, "1.source"),
        ({"time": "x"}, "1.time"),
    ]:
        body = json.dumps([one, {**one, "id": "2", **change}]).encode()
        assert refused(live, batch, body) == [named]


def test_a_source_or_a_type_that_cannot_be_is_refused_in_words(live: Live) -> None:
    one = {"specversion": "1.0", "id": "1", "source": "/a", "type": "a.b"}
    headers = {
        "Authorization": f"Bearer {live.key}",
        "Content-Type": "application/cloudevents+json",
    }
    for change, told in [({"source": "/ł"}, "must be a URI"), ({"type": "a b"}, "without blanks")]:
        answer = httpx.post(
            f"{live.url}/api/events", headers=headers, json={**one, **change}, timeout=60
        )
        assert told in answer.text
