"""Pipeline connections and their tables, over HTTP."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from automations.db.session import unit_of_work
from automations.db.tables import Event
from tests.api.conftest import Api

CONNECTIONS = "/api/pipelines/connections"


COLUMNS = [
    {"key": "id", "type": "number"},
    {"key": "package", "type": "text"},
    {"key": "severity", "type": "select", "options": ["low", "high"]},
    {"key": "seen", "type": "datetime"},
    {"key": "whole", "type": "json"},
]


def register(api: Api, name: str = "Register") -> str:
    answer = api.call("POST", "/api/tables", {"name": name, "columns": COLUMNS})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def mapping(table: str, *keys: str, **more: Any) -> dict[str, Any]:
    return {"tableId": table, "keyColumns": list(keys or ["id"]), **more}


def connection(api: Api, *mappings: dict[str, Any], **more: Any) -> dict[str, Any]:
    body = {"name": "Scanner", "connectorType": "push", "tables": list(mappings), **more}
    answer = api.call("POST", CONNECTIONS, body, role="ADMIN")
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def push(api: Api, made: dict[str, Any], *records: Any) -> dict[str, Any]:
    path = f"{CONNECTIONS}/{made['id']}/runs"
    answer = api.call("POST", path, {"records": list(records)}, role="MEMBER")
    assert answer.status_code == 201, answer.text
    run: dict[str, Any] = answer.json()
    return run


def rows(api: Api, table: str) -> list[dict[str, Any]]:
    found = api.call("GET", f"/api/tables/{table}/rows?sort=id").json()["rows"]
    return [row["data"] for row in found]


def events() -> list[Event]:
    with unit_of_work() as session:
        return list(session.scalars(select(Event).order_by(Event.created_at)))
