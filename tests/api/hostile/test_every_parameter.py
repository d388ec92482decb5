"""Every field of every body, and every parameter of every address, sent what it is not for.

Each is kept as it was sent, or refused by its name; nothing is a failure of ours.
"""

from __future__ import annotations

import json
import re
from datetime import date, datetime
from typing import Any
from urllib.parse import quote

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from automations.kit import numbers
from automations.kit.storable import same
from automations.kit.values import JSON
from tests.api.conftest import Api
from tests.api.hostile.fitting import FITTING, Writes, places, replaced
from tests.api.roles import Needed, World
from tests.hostile.turns import turns
from tests.hostile.values import HEADERS, NEVER, OTHERS, TEXTS

AT_EACH = 5
"""Of the values at each place; those behind take the next ones, so that all are tried on each kind
of field."""
SAYS_OTHER = (
    "/test",
    "/execute",
    "/resume",
    "/query",
    "/aggregate",
    "/runs",
    "/import",
    "/secrets",
)
"""Ends of addresses whose answers do not hold what was sent."""


def send(api: Api, method: str, path: str, body: Any) -> Any:
    """A request whose JSON may hold what no text can be encoded of."""
    headers = {"Authorization": f"Bearer {api.keys['OWNER']}", "Content-Type": "application/json"}
    return api.http.request(method, path, content=json.dumps(body), headers=headers)


def named(answer: Any) -> set[str]:
    """The fields that a refusal names, by the first parts of their paths."""
    wrong = answer.json()["details"]["fieldErrors"]
    assert wrong, answer.text
    return {part for path in wrong for part in path.split(".")}


def at(value: Any, path: tuple[Any, ...]) -> Any:
    """What is at a place of an answer; None where nothing is."""
    for part in path:
        try:
            value = value[part]
        except (LookupError, TypeError):
            return None
    return value


def is_kept(sent: JSON, found: JSON) -> bool:
    """Whether a value is what was sent, or the one way in which its field writes the same."""
    if same(sent, found):
        return True
    if isinstance(sent, dict) and isinstance(found, dict):
        return all(key in found and is_kept(sent[key], found[key]) for key in sent)
    if isinstance(sent, list) and isinstance(found, list):
        return list(dict.fromkeys(map(str, sent))) == found
    if isinstance(sent, int | float):
        # PostgreSQL writes all digits of large ones.
        return isinstance(found, int | float) and float(sent) == float(found)
    if not isinstance(sent, str):
        return sent is None
    bare = sent.strip()
    if found is None or isinstance(found, str):
        return bare == (found or "") or is_same_day(bare, str(found))
    return bool(numbers.parse_number(bare) == found)


def is_same_day(sent: str, found: str) -> bool:
    try:
        if len(found) == len("2026-03-01"):
            return date.fromisoformat(sent) == date.fromisoformat(found)
        return datetime.fromisoformat(sent).replace(tzinfo=None) == datetime.fromisoformat(
            found
        ).replace(tzinfo=None)
    except ValueError:
        return False


@pytest.mark.slow
def test_each_field_is_kept_as_it_was_sent_or_refused_by_its_name(api: Api, app: FastAPI) -> None:
    writes = Writes(api, app)
    values = turns({**TEXTS, **OTHERS}, AT_EACH)
    for method, path, fits in FITTING:
        address, body = writes.address(path), json.loads(writes.address(json.dumps(fits)))
        for place in places(body):
            if not place:
                continue
            for what, value in next(values):
                answer = send(api, method, address, replaced(body, place, value))
                told = (method, path, place, what, answer.text[:300])
                assert answer.status_code < 500, told
                if answer.status_code == 400:
                    assert named(answer), told
                shown = answer.json() if answer.is_success and answer.content else {}
                if not path.endswith(SAYS_OTHER) and place[0] in shown:
                    assert is_kept(value, at(shown, place)), told


@pytest.mark.slow
def test_what_nothing_can_keep_is_refused_at_each_field(api: Api, app: FastAPI) -> None:
    writes = Writes(api, app)
    for method, path, fits in FITTING:
        address, body = writes.address(path), json.loads(writes.address(json.dumps(fits)))
        for place in places(body):
            for what, value in NEVER.items() if place else ():
                answer = send(api, method, address, replaced(body, place, value))
                told = (method, path, place, what, answer.text[:300])
                assert answer.status_code == 400, told
                assert named(answer) & {"body", str(place[0])}, told


def test_each_operation_has_a_body_that_fits(api: Api, app: FastAPI) -> None:
    tried = {(method, path) for method, path, _ in FITTING}
    writes = Writes(api, app)
    left = {(method, path) for method, path, names in writes.all if names} - {
        (method, re.sub("{board_id}", "{template_id}", path)) for method, path in tried
    }
    # These send, sign in, or change what the others need.
    assert left == {
        ("PATCH", "/api/notifications/{notification_id}"),
        ("POST", "/api/pipelines/connections/test"),
        ("POST", "/api/session/invitation"),
        ("POST", "/api/workflows/{workflow_id}/runs/{run_id}/retry"),
        ("PUT", "/api/document-templates/{template_id}"),
        ("PUT", "/api/secrets/{name}"),
        ("PUT", "/api/session/password"),
    }


def test_each_parameter_of_an_address_is_refused_by_its_name(api: Api, app: FastAPI) -> None:
    world = World(api)
    values = turns({**TEXTS, "half a pair": "\ud800"}, AT_EACH)
    for path, operations in sorted(app.openapi()["paths"].items()):
        given = operations.get("get", {}).get("parameters", ())
        asked = [parameter for parameter in given if parameter["in"] == "query"]
        address = world.path(Needed("GET", path, None, None)) if asked else ""
        for parameter in asked:
            name, schema = parameter["name"], json.dumps(parameter["schema"])
            for what, value in next(values):
                answer = api.call("GET", f"{address}?{name}={encoded(value)}")
                told = (path, name, what, answer.text[:300])
                assert answer.status_code < 500, told
                if answer.status_code == 400:
                    assert named(answer) & {name, "path"}, told
            if '"array"' not in schema:
                twice = api.call("GET", f"{address}?{name}=1&{name}=2")
                assert named(twice) == {name}, (path, name)


def test_nothing_is_found_by_a_name_that_nothing_has(api: Api, app: FastAPI) -> None:
    world = World(api)
    values = turns({what: value for what, value in TEXTS.items() if value}, 2)
    for route in app.routes:
        if not isinstance(route, APIRoute) or not route.param_convertors:
            continue
        for method in sorted(route.methods - {"HEAD"}):
            for name in route.param_convertors:
                known = {**world.ids, **dict.fromkeys(("token", "notification_id"), "x")}
                known["template_id"] = known["board_id"]
                for what, value in next(values):
                    path = route.path.format_map({**known, name: encoded(value)})
                    status = api.call(method, path).status_code
                    assert status < 500, (method, route.path, what)


def test_each_header_is_passed_over_or_refused(api: Api) -> None:
    values = turns(TEXTS, AT_EACH)
    for header in HEADERS:
        for what, value in next(values):
            sent = value.encode()
            if b"\n" in sent or b"\r" in sent:
                continue  # No server takes it for one.
            for method, path in (("GET", "/api/tables"), ("POST", "/api/events")):
                answer = api.http.request(
                    method,
                    path,
                    headers=[
                        (b"authorization", f"Bearer {api.keys['OWNER']}".encode()),
                        (header.encode(), sent),
                    ],
                    content=b"{}" if method == "POST" else None,
                )
                assert answer.status_code < 500, (header, what, answer.text)


def encoded(value: str) -> str:
    """A value as an address has it."""
    return quote(value[:500].encode("utf-8", "surrogatepass"), safe="")
