"""Whatever JSON a route is sent, it is taken or refused: never a failure of ours."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from automations.steps.registry import STEP_TYPES
from tests.api.conftest import FORM, Api

NUMBERS = (
    st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([10**400, -(10**3_900), 2**63, 10**18, 5e-324, 1.7e308, -0.0])
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    [
        *("{{input.a}}", "{{ 1", "{% for %}", "a@b.example", "P1D", "PT1H", "UTC", "0", "-1"),
        *("manual", "delay", "email", "code", "loop", "push", "http", "equals", "count", "id"),
        *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-01-01"),
        *("\u202e", "x" * 300),
    ]
)  # fmt: skip
PLAIN = st.none() | st.booleans() | NUMBERS | TEXTS
KEYS = TEXTS | st.sampled_from(["type", "name", "key", "config", "rules", "fields", "value", "id"])
VALUES: st.SearchStrategy[Any] = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
TABLE = {
    "name": "x",
    "columns": [
        {"key": kind, "type": kind}
        for kind in ("text", "number", "boolean", "date", "datetime", "json", "multiselect", "url")
    ],
}
WRITES = ("post", "put", "patch")
NOT_HERE = ("/api/workflows/send-email", "/api/session", "/api/integrations/{integration_id}/test")
"""Which ask others than the database, or sign out."""


class Writes:
    """Every operation that takes JSON, with an address at which there is something."""

    def __init__(self, api: Api, app: FastAPI) -> None:
        self.api = api
        step = {"name": "a", "type": "delay", "order": 0, "config": {"duration": "PT1H"}}
        workflow = api.workflow(steps=[{**step, "id": "a"}])["id"]
        table = api.call("POST", "/api/tables", TABLE).json()["id"]
        form = api.call("POST", "/api/forms", {**FORM, "public": True}).json()["id"]
        given = {"formId": form, "data": {"email": "a@b.example"}}
        self.ids = {
            "workflow_id": workflow,
            "step_id": "a",
            "table_id": table,
            "form_id": form,
            "submission_id": api.call("POST", "/api/submissions", given).json()["id"],
            "row_id": api.call("POST", f"/api/tables/{table}/rows", {"data": {}}).json()["id"],
            "run_id": api.call("POST", f"/api/workflows/{workflow}/execute").json()["runId"],
        }
        document = app.openapi()
        self.schemas, self._paths = document["components"]["schemas"], document["paths"]
        self.all = [
            (method.upper(), path, self._names(operation["requestBody"]))
            for path, operations in sorted(self._paths.items())
            for method, operation in sorted(operations.items())
            if method in WRITES and "requestBody" in operation and path not in NOT_HERE
        ]

    def address(self, path: str) -> str:
        return re.sub(r"\{(\w+)\}", lambda found: self.ids.get(found[1], "x"), path)

    def optional(self) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
        """Every field that may be absent, with its schema."""
        for method, path, _ in self.all:
            operation = self._paths[path][method.lower()]
            schema = self._schema(operation["requestBody"])
            for name, field in schema.get("properties", {}).items():
                if name not in schema.get("required", ()):
                    yield method, path, name, field

    def _names(self, body: dict[str, Any]) -> list[str]:
        return sorted(self._schema(body).get("properties", {}))

    def _schema(self, body: dict[str, Any]) -> dict[str, Any]:
        schema: dict[str, Any] = body["content"].get("application/json", {}).get("schema", {})
        while "$ref" in schema or "anyOf" in schema:
            schema = (
                schema["anyOf"][0]
                if "anyOf" in schema
                else self.schemas[schema["$ref"].split("/")[-1]]
            )
        return schema


def _steps() -> list[dict[str, Any]]:
    return [
        {"name": name, "type": name, "order": order, "config": dict(kind.example)}
        for order, (name, kind) in enumerate(STEP_TYPES.items())
    ]


MAPPING = {"tableId": "{table_id}", "keyColumns": ["text"], "fieldMapping": {"text": "a.b"}}
RULE = {"field": "number", "operator": "gt", "value": 1}
FIELDS = [
    {"id": kind, "key": kind, "type": kind, "validation": {"required": False, "max": 5}}
    for kind in ("text", "number", "select", "date", "datetime", "time", "table_fill", "rating")
]
TRIGGERS: list[dict[str, Any]] = [
    {"type": "schedule", "cron": "0 9 * * *", "timezone": "UTC"},
    {"type": "schedule", "interval": "PT1H"},
    {"type": "webhook", "verification": "none", "respond": "result", "respondTimeout": "PT5S"},
    {"type": "event", "triggerType": "x.y"},
    {"type": "manual", "inputSchema": {"properties": {"a": {"maximum": 5, "pattern": "a"}}}},
]
FITTING: list[tuple[str, str, dict[str, Any]]] = [
    *(("POST", "/api/workflows", {"name": "x", "steps": [one]}) for one in _steps()),
    *(("POST", "/api/workflows", {"name": "x", "steps": [], "trigger": one}) for one in TRIGGERS),
    (
        "PATCH",
        "/api/workflows/{workflow_id}",
        {
            "concurrency": {"limit": 1, "key": "{{input.a}}"},
            "rateLimit": {"limit": 1, "per": "PT1H"},
            "budget": {"maxCost": 1, "maxTokens": 5},
            "timezone": "UTC",
        },
    ),
    ("POST", "/api/workflows/{workflow_id}/execute", {"input": {"a": [1, {"b": 2}]}}),
    (
        "POST",
        "/api/workflows/{workflow_id}/steps/{step_id}/test",
        {"input": {"a": 1}, "variables": {"b": 1}, "trigger": {}, "dryRun": True},
    ),
    ("POST", "/api/workflows/runs/{run_id}/resume", {"decision": "approved", "data": {"a": 1}}),
    ("POST", "/api/workflows/{workflow_id}/runs/replay", {"status": "FAILED", "limit": 5}),
    ("POST", "/api/forms", {"title": "x", "schema": {"sections": [{"id": "s", "fields": FIELDS}]}}),
    (
        "POST",
        "/api/submissions",
        {"formId": "{form_id}", "data": {"email": "a@b.example", "age": 1}},
    ),
    ("PATCH", "/api/submissions/{submission_id}", {"data": {"email": "a@b.example", "age": 1.5}}),
    ("POST", "/api/tables", TABLE),
    ("PUT", "/api/tables/{table_id}", TABLE),
    (
        "POST",
        "/api/tables/{table_id}/rows",
        {
            "data": {
                "text": "a",
                "number": 1,
                "boolean": True,
                "date": "2026-01-01",
                "datetime": "2026-01-01T00:00:00Z",
                "json": {"a": [1]},
                "multiselect": ["a"],
            }
        },
    ),
    (
        "PATCH",
        "/api/tables/{table_id}/rows/{row_id}",
        {"data": {"number": 5, "json": [1, {"a": 2}]}},
    ),
    (
        "POST",
        "/api/tables/{table_id}/rows/query",
        {"filter": {"match": "any", "rules": [RULE]}, "sort": "-number", "limit": 5},
    ),
    (
        "POST",
        "/api/tables/{table_id}/aggregate",
        {"function": "sum", "column": "number", "groupBy": "text", "filter": {"rules": [RULE]}},
    ),
    (
        "POST",
        "/api/pipelines/connections",
        {"name": "x", "connectorType": "push", "tables": [MAPPING], "config": {}},
    ),
    (
        "POST",
        "/api/matter-templates",
        {"name": "x", "steps": [{"id": "a", "name": "A", "type": "TASK"}]},
    ),
    ("POST", "/api/members", {"name": "x", "email": "x@b.example", "role": "MEMBER"}),
    ("POST", "/api/api-keys", {"name": "x", "role": "VIEWER", "expiresAt": "2030-01-01T00:00:00Z"}),
    (
        "POST",
        "/api/integrations",
        {
            "name": "x",
            "type": "EMAIL_PROVIDER",
            "config": {
                "host": "127.0.0.1",
                "port": 2526,
                "security": "none",
                "fromEmail": "a@b.example",
                "fromName": "x",
            },
            "credentials": {"username": "x", "password": "xxxxx"},
        },
    ),
    ("PUT", "/api/secrets/NAME", {"value": "a secret"}),
]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    parts = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value if isinstance(value, list) else ())
    )
    for key, item in parts:
        yield from places(item, (*path, key))


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """A value with another one at a place of it."""
    if not path:
        return new
    copied = dict(value) if isinstance(value, dict) else list(value)
    copied[path[0]] = replaced(copied[path[0]], path[1:], new)
    return copied


@pytest.fixture
def writes(api: Api, app: FastAPI) -> Writes:
    return Writes(api, app)


@pytest.fixture
def everything(api: Api) -> str:
    """An automation with a step of every type, of which each goes on when one fails."""
    steps = [
        {"id": one["name"], "onError": "continue", "disabled": one["type"] == "code", **one}
        for one in _steps()
    ]
    return str(api.workflow(steps=steps, status="DRAFT")["id"])


once = settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@given(data=st.data())
@once
def test_no_part_of_a_body_that_fits_is_a_failure_of_ours(
    writes: Writes, data: st.DataObject
) -> None:
    method, path, fits = data.draw(st.sampled_from(FITTING))
    fits = json.loads(writes.address(json.dumps(fits)))
    place = data.draw(st.sampled_from(list(places(fits))))
    body = replaced(fits, place, data.draw(VALUES))
    answer = writes.api.call(method, writes.address(path), body)
    assert answer.status_code not in (500, 502), (method, path, body, answer.text)
    if answer.status_code == 201 and method == "POST" and "id" in answer.json():
        made = writes.api.call("GET", f"{writes.address(path)}/{answer.json()['id']}")
        assert made.status_code in (200, 404, 405), (path, body, made.text)


@given(data=st.data())
@once
def test_no_body_is_a_failure_of_ours(writes: Writes, data: st.DataObject) -> None:
    method, path, names = data.draw(st.sampled_from(writes.all))
    body = data.draw(
        st.dictionaries(st.sampled_from(names), VALUES, max_size=6) if names else VALUES
    )
    headers = {"Accept": "application/json"}
    answer = writes.api.call(method, writes.address(path), body, headers=headers)
    assert answer.status_code not in (500, 502), (method, path, body, answer.text)
    if answer.status_code == 400:
        assert answer.json()["details"]["fieldErrors"], (method, path, body)


@given(data=st.data())
@once
def test_no_data_of_a_trial_is_a_failure_of_ours(
    everything: str, api: Api, data: st.DataObject
) -> None:
    kinds = st.sampled_from(list(STEP_TYPES))
    outputs = st.dictionaries(kinds, st.dictionaries(KEYS, VALUES, max_size=3), max_size=4)
    decided = st.sampled_from(["approved", "rejected", "expired", None])
    answer = st.fixed_dictionaries({"decision": decided, "data": VALUES})
    body = {
        "input": data.draw(st.dictionaries(KEYS, VALUES, max_size=3)),
        "steps": data.draw(outputs),
        "trigger": data.draw(st.dictionaries(KEYS, VALUES, max_size=2)),
        "submission": data.draw(st.dictionaries(KEYS, VALUES, max_size=2)),
        "variables": data.draw(st.dictionaries(KEYS, VALUES, max_size=2)),
        "answers": data.draw(st.dictionaries(kinds, answer, max_size=4)),
    }
    tried = api.call("POST", f"/api/workflows/{everything}/test", body)
    assert tried.status_code in (200, 400), (body, tried.text)
    internal = [
        one
        for one in tried.json().get("steps", ())
        if (one["error"] or {}).get("kind") == "internal"
    ]
    assert internal == [], (body, internal)


def test_the_bodies_that_are_changed_fit(writes: Writes) -> None:
    for method, path, fits in FITTING:
        body = json.loads(writes.address(json.dumps(fits)))
        answer = writes.api.call(method, writes.address(path), body)
        assert answer.status_code in (200, 201, 409), (path, answer.text)


def test_null_says_that_a_field_is_absent_wherever_one_may_be(writes: Writes) -> None:
    for method, path, name, _ in writes.optional():
        answer = writes.api.call(method, writes.address(path), {name: None})
        told = answer.json() if answer.content and answer.status_code >= 400 else {}
        wrong = told.get("details", {}).get("fieldErrors", {})
        # What is changed keeps its name: null takes away what may be absent.
        if (method, name) != ("PATCH", "name"):
            assert name not in wrong, (method, path, wrong)
