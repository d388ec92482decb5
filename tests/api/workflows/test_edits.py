"""What the API gives out it takes back: read, changed, and sent again."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest

from tests.api.conftest import FORM, Api

STEP = {"name": "Wait", "type": "delay", "order": 0, "config": {"duration": "PT1H"}}
COLUMNS = [{"key": "name", "type": "text"}]
BOARD = {"name": "Board", "steps": [{"name": "Check", "type": "TASK"}]}
Made = tuple[str, str, Any]
"""Where it is, by which method it is changed, and what is changed of it."""


def made(api: Api, path: str, body: dict[str, Any]) -> str:
    answer = api.call("POST", path, body)
    assert answer.status_code == 201, answer.text
    return f"{path}/{answer.json()['id']}"


def workflow(api: Api) -> Made:
    trigger = {"type": "webhook", "config": {"verification": "header", "secret": "a long secret"}}
    body = {"name": "a", "status": "ACTIVE", "trigger": trigger, "steps": [STEP]}
    return made(api, "/api/workflows", body), "PATCH", {"name": "b"}


def form(api: Api) -> Made:
    return made(api, "/api/forms", dict(FORM)), "PATCH", {"title": "b"}


def table(api: Api) -> Made:
    return made(api, "/api/tables", {"name": "a", "columns": COLUMNS}), "PUT", {"name": "b"}


def row(api: Api) -> Made:
    path = made(api, "/api/tables", {"name": "a", "columns": COLUMNS})
    return made(api, f"{path}/rows", {"data": {"name": "a"}}), "PATCH", {"data": {"name": "b"}}


def submission(api: Api) -> Made:
    body = {"formId": api.form(), "data": {"email": "a@b.example"}}
    return made(api, "/api/submissions", body), "PATCH", {"data": {"email": "c@d.example"}}


def board(api: Api) -> Made:
    return made(api, "/api/matter-templates", BOARD), "PUT", {"name": "b"}


def matter(api: Api) -> Made:
    of = made(api, "/api/matter-templates", BOARD).rpartition("/")[2]
    return made(api, "/api/matters", {"templateId": of, "title": "a"}), "PATCH", {"title": "b"}


def integration(api: Api) -> Made:
    body = {
        "name": "a",
        "type": "EMAIL_PROVIDER",
        "config": {"host": "smtp.example.com", "port": 587, "fromEmail": "a@b.example"},
    }
    return made(api, "/api/integrations", body), "PATCH", {"name": "b"}


def pipeline(api: Api) -> Made:
    of = made(api, "/api/tables", {"name": "a", "columns": COLUMNS}).rpartition("/")[2]
    mapping = {"tableId": of, "keyColumns": ["name"], "fieldMapping": {"name": "name"}}
    body = {"name": "a", "connectorType": "push", "tables": [mapping]}
    return made(api, "/api/pipelines/connections", body), "PATCH", {"name": "b"}


def template(api: Api) -> Made:
    content = base64.b64encode(b"# Hi").decode()
    body = {"name": "a", "format": "markdown", "content": content}
    return made(api, "/api/document-templates", body), "PUT", {"name": "b"}


KINDS = [workflow, form, table, row, submission, board, matter, integration, pipeline, template]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_what_was_read_is_taken_back_with_a_change(api: Api, kind: Callable[[Api], Made]) -> None:
    path, method, change = kind(api)
    read = api.call("GET", path).json()
    same = api.call(method, path, read)
    assert same.status_code == 200, same.text
    changed = api.call(method, path, {**api.call("GET", path).json(), **change})
    assert changed.status_code == 200, changed.text
    found = api.call("GET", path).json()
    assert found.items() >= change.items()
    assert found["id"] == read["id"]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_what_cannot_be_changed_is_named(api: Api, kind: Callable[[Api], Made]) -> None:
    path, method, change = kind(api)
    read = api.call("GET", path).json()
    for name, value in (("id", "c000000000000000000000001"), ("createdAt", None), ("zzz", 1)):
        refused = api.call(method, path, {**read, **change, name: value})
        assert refused.status_code == 400, refused.text
        assert list(refused.json()["details"]["fieldErrors"]) == [name]
    assert api.call("GET", path).json() == read


def test_runs_that_have_begun_meanwhile_hinder_no_change(api: Api) -> None:
    path, _, change = workflow(api)
    read = api.call("GET", path).json()
    assert api.call("POST", f"{path}/execute").status_code == 200
    assert api.call("PATCH", path, {**read, **change}).status_code == 200
    more = api.call("PATCH", path, {"_count": {"runs": 7}})
    assert list(more.json()["details"]["fieldErrors"]) == ["_count"]


def test_what_somebody_else_has_changed_meanwhile_is_not_undone(api: Api) -> None:
    path, _, change = workflow(api)
    read = api.call("GET", path).json()
    assert api.call("PATCH", path, {"description": "Mine"}).status_code == 200
    refused = api.call("PATCH", path, {**read, **change})
    assert list(refused.json()["details"]["fieldErrors"]) == ["version", "updatedAt"]
    assert api.call("GET", path).json()["description"] == "Mine"
