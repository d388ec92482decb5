"""What each operation of the API takes, with an address at which there is something."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI

from automations.steps.registry import STEP_TYPES
from tests.api.access.members import add as add_member
from tests.api.conftest import FORM, Api
from tests.api.matters.boards import board, matter
from tests.api.pipelines.pipelines import connection, mapping

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
        process = board(api)["id"]
        open_one = matter(api, process)
        hook = {"name": "hook", "type": "WEBHOOK"}
        key = {"name": "another", "role": "VIEWER"}
        self.ids = {
            "workflow_id": workflow,
            "other_id": api.workflow(name="Other")["id"],
            "step_id": "a",
            "board_id": process,
            "matter_id": open_one["id"],
            "matter_step_id": open_one["currentStepId"],
            "member_id": add_member(api)["id"],
            "connection_id": connection(api, mapping(table, "text"))["id"],
            "integration_id": api.call("POST", "/api/integrations", hook).json()["id"],
            "key_id": api.call("POST", "/api/api-keys", key).json()["id"],
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
        """An address, or a body, with ids in the place of their names."""
        if "/matter-templates/" in path:
            path = path.replace("{template_id}", "{board_id}")
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


def steps() -> list[dict[str, Any]]:
    return [
        {"name": name, "type": name, "order": order, "config": dict(kind.example)}
        for order, (name, kind) in enumerate(STEP_TYPES.items())
    ]


MAPPING = {"tableId": "{table_id}", "keyColumns": ["text"], "fieldMapping": {"text": "a.b"}}
STAGE = {"id": "a", "name": "A", "type": "TASK", "order": 1}
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
FITTING: list[tuple[str, str, Any]] = [
    *(("POST", "/api/workflows", {"name": "x", "steps": [step]}) for step in steps()),
    *(
        ("POST", "/api/workflows", {"name": "x", "steps": [], "trigger": trigger})
        for trigger in TRIGGERS
    ),
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
    (
        "PATCH",
        "/api/workflows/{workflow_id}",
        {
            "name": "x",
            "key": "a-key",
            "description": "x",
            "status": "DRAFT",
            "timezone": "UTC",
            "variables": {"a": {"b": 1}},
            "execution": "express",
            "errorWorkflowId": "{other_id}",
        },
    ),
    ("POST", "/api/workflows/{workflow_id}/test", {"input": {"a": 1}, "answers": {"a": {}}}),
    ("POST", "/api/workflows/import", {"name": "y", "variables": {"a": 1}}),
    (
        "PATCH",
        "/api/forms/{form_id}",
        {
            "title": "x",
            "description": "y",
            "public": True,
            "schema": {
                "sections": [
                    {
                        "id": "s",
                        "title": "t",
                        "repeatable": True,
                        "repeatableConfig": {"minItems": 1, "maxItems": 2},
                        "fields": [
                            {
                                "id": "c",
                                "key": "c",
                                "type": "select",
                                "label": "l",
                                "help": "h",
                                "options": [{"label": "o", "value": "v"}],
                                "layout": {"width": 1},
                            }
                        ],
                    }
                ]
            },
        },
    ),
    ("PUT", "/api/matter-templates/{board_id}", {"name": "x", "steps": [STAGE]}),
    (
        "POST",
        "/api/matters",
        {
            "templateId": "{board_id}",
            "title": "x",
            "tags": ["a"],
            "priority": "LOW",
            "assigneeId": "{member_id}",
            "properties": {"a": [1]},
        },
    ),
    ("PATCH", "/api/matters/{matter_id}", {"title": "x", "tags": ["a"], "properties": {"a": 1}}),
    ("POST", "/api/matters/{matter_id}/goto", {"stepId": "{matter_step_id}"}),
    ("POST", "/api/matters/{matter_id}/advance", {"fromStepId": "{matter_step_id}"}),
    ("PATCH", "/api/members/{member_id}", {"name": "x", "email": "y@b.example", "role": "VIEWER"}),
    ("POST", "/api/api-keys/{key_id}/rotate", {"graceSeconds": 5}),
    (
        "PATCH",
        "/api/integrations/{integration_id}",
        {"name": "h", "config": {"a": [1]}, "credentials": {"token": "a secret"}},
    ),
    (
        "POST",
        "/api/integrations",
        {
            "name": "y",
            "type": "AI_PROVIDER",
            "config": {"provider": "openai", "model": "m", "baseUrl": "https://m.example"},
            "credentials": {"apiKey": "xxxxx"},
        },
    ),
    (
        "POST",
        "/api/integrations",
        {
            "name": "z",
            "type": "SLACK",
            "config": {"channel": "#a"},
            "credentials": {"token": "xxxxx"},
        },
    ),
    (
        "POST",
        "/api/pipelines/connections",
        {
            "name": "y",
            "connectorType": "http",
            "interval": "PT1H",
            "enabled": False,
            "tables": [MAPPING],
            "config": {
                "url": "https://erp.example/a?b=c",
                "query": {"a": "b"},
                "headers": {"x-a": "b"},
                "auth": {"type": "header", "secret": "NAME", "name": "x-key"},
                "recordsPath": "a.b",
                "paging": {"type": "cursor", "parameter": "c", "path": "d.e"},
                "maxPages": 5,
            },
        },
    ),
    (
        "PATCH",
        "/api/pipelines/connections/{connection_id}",
        {"name": "z", "tables": [MAPPING], "enabled": True},
    ),
    (
        "POST",
        "/api/pipelines/connections/{connection_id}/runs",
        {"records": [{"text": "a", "number": 1, "json": {"a": 1}}]},
    ),
    ("POST", "/api/tables/{table_id}/rows/import", [{"text": "a", "json": [1], "url": "http://a"}]),
    (
        "POST",
        "/api/document-templates",
        {"name": "x", "format": "markdown", "content": "SGkge3sgbmFtZSB9fQ=="},
    ),
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
