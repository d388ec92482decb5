"""Tables and their rows, over HTTP."""

from __future__ import annotations

from typing import Any

from tests.api.conftest import Api

TABLES = "/api/tables"


SHAPE: dict[str, Any] = {
    "name": "Companies",
    "columns": [
        {"key": "name", "name": "Name", "type": "text", "required": True},
        {"key": "size", "type": "number"},
        {"key": "active", "type": "boolean"},
        {"key": "founded", "type": "date"},
        {"key": "seen", "type": "datetime"},
        {"key": "kind", "type": "select", "options": ["a", {"label": "Bee", "value": "b"}]},
        {"key": "tags", "type": "multiselect", "options": ["x", "y"]},
        {"key": "mail", "type": "email"},
        {"key": "site", "type": "url"},
        {"key": "more", "type": "json"},
    ],
}


def table(api: Api, **more: Any) -> dict[str, Any]:
    answer = api.call("POST", TABLES, {**SHAPE, **more}, role="ADMIN")
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def rows_of(api: Api) -> str:
    return f"{TABLES}/{table(api)['id']}/rows"


def add(api: Api, rows: str, **data: Any) -> dict[str, Any]:
    answer = api.call("POST", rows, {"data": {"name": "Acme", **data}}, role="MEMBER")
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made
