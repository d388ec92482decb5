"""A workspace with one of everything, to be asked for by any role."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from automations.db.session import unit_of_work
from automations.db.tables import ApiKey, Notification
from tests.api.access.members import add as add_member
from tests.api.conftest import Api
from tests.api.documents.documents import create as create_document_template
from tests.api.documents.documents import generate
from tests.api.evidence.evidence import capture
from tests.api.matters.boards import board, matter
from tests.api.pipelines.pipelines import connection, mapping, push
from tests.api.tables.tables import add as add_row
from tests.api.tables.tables import table

BODIES: Mapping[tuple[str, str], Any] = {
    ("POST", "/api/submissions"): {"formId": "{form_id}", "data": {"email": "a@b.example"}},
    ("PATCH", "/api/submissions/{submission_id}"): {"data": {"email": "b@b.example"}},
    ("POST", "/api/matters"): {"templateId": "{board_id}", "title": "Acme"},
    ("POST", "/api/matters/{matter_id}/goto"): {"stepId": "{step_id}"},
    ("PATCH", "/api/matters/{matter_id}"): {"title": "Other"},
    ("PATCH", "/api/members/{member_id}"): {"name": "Eve"},
    # Doing the step needs more: tests/api/workflows/test_step_tests.py.
    ("POST", "/api/workflows/{workflow_id}/steps/{step_id}/test"): {"dryRun": True},
    ("PATCH", "/api/workflows/{workflow_id}"): {"name": "Other"},
    ("PATCH", "/api/forms/{form_id}"): {"title": "Other"},
    ("PUT", "/api/matter-templates/{template_id}"): {
        "name": "B",
        "steps": [{"name": "A", "type": "TASK"}],
    },
    ("PUT", "/api/tables/{table_id}"): {
        "name": "B",
        "columns": [{"key": "name", "type": "text"}],
    },
    ("POST", "/api/tables/{table_id}/aggregate"): {"function": "count"},
    ("POST", "/api/tables/{table_id}/rows"): {"data": {"name": "B"}},
    ("PATCH", "/api/tables/{table_id}/rows/{row_id}"): {"data": {"name": "B"}},
    ("POST", "/api/tables/{table_id}/rows/import"): [{"name": "B"}],
    ("PUT", "/api/secrets/{name}"): {"value": "a-secret-value"},
    ("POST", "/api/workflows"): {"name": "x"},
    ("POST", "/api/workflows/import"): {"name": "a new one"},
    ("POST", "/api/forms"): {"title": "x", "schema": {"sections": []}},
    ("POST", "/api/members"): {"name": "x", "email": "x@b.example"},
    ("POST", "/api/api-keys"): {"name": "x", "role": "VIEWER"},
    ("POST", "/api/matter-templates"): {"name": "B", "steps": [{"name": "A", "type": "TASK"}]},
    ("POST", "/api/tables"): {"name": "B", "columns": [{"key": "name", "type": "text"}]},
}
"""What is sent, where an empty object is not enough to come as far as the thing itself."""


@dataclass(frozen=True, slots=True)
class Needed:
    """What one route needs."""

    method: str
    path: str
    role: str | None
    scope: str | None

    @property
    def key(self) -> tuple[str, str]:
        return self.method, self.path

    @property
    def ids(self) -> list[str]:
        return re.findall(r"{(\w+)}", self.path)

    @property
    def is_kept(self) -> bool:
        return self.role is not None


@dataclass
class World:
    """A workspace with one of everything."""

    api: Api
    ids: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        api, ids = self.api, self.ids
        workflow = api.workflow(trigger={"type": "webhook", "config": {"verification": "none"}})
        ids["workflow_id"] = workflow["id"]
        ids["slug"] = "kyc-review"
        ids["workflow_step_id"] = ids["node_id"] = workflow["steps"][0]["id"]
        execute = f"/api/workflows/{workflow['id']}/execute"
        ids["run_id"] = api.call("POST", execute).json()["runId"]
        ids["form_id"] = api.form()
        submission = {"formId": ids["form_id"], "data": {"email": "a@b.example"}}
        ids["submission_id"] = api.call("POST", "/api/submissions", submission).json()["id"]
        event = api.call("GET", "/api/events").json()["events"][0]
        ids["event_id"] = event["id"]
        ids["member_id"] = add_member(api)["id"]
        key = {"name": "victim", "role": "VIEWER"}
        ids["key_id"] = api.call("POST", "/api/api-keys", key).json()["id"]
        ids["snapshot_id"] = capture()
        ids["board_id"] = board(api)["id"]
        made = matter(api, ids["board_id"])
        ids["matter_id"], ids["step_id"] = made["id"], made["steps"][0]["id"]
        ids["document_template_id"] = create_document_template(api)["id"]
        ids["document_id"] = generate(api)[1].id
        ids["table_id"] = table(api)["id"]
        ids["row_id"] = add_row(api, f"/api/tables/{ids['table_id']}/rows")["id"]
        ids["name"], ids["number"] = "A_SECRET", "1"
        api.call("PUT", "/api/secrets/A_SECRET", {"value": "a-secret-value"})
        hook = {"name": "hook", "type": "WEBHOOK"}
        ids["integration_id"] = api.call("POST", "/api/integrations", hook).json()["id"]
        made = connection(api, mapping(ids["table_id"], keyColumns=["name"]))
        ids["connection_id"] = made["id"]
        ids["sync_id"] = push(api, made, {"name": "Acme"})["id"]
        with unit_of_work() as session:
            for row in session.query(ApiKey).filter(ApiKey.name != "victim"):
                told = Notification(
                    workspace_id=row.workspace_id, user_id=row.id, type="AUTOMATION", title="Hi"
                )
                session.add(told)
                session.flush()
                ids[f"notification_id of {row.name.upper()}"] = told.id

    def path(self, route: Needed, role: str = "OWNER") -> str:
        """The address of a real thing."""
        mine = dict(self.ids)
        templates = "board_id" if "matter" in route.path else "document_template_id"
        mine["template_id"] = mine[templates]
        if "workflows" in route.path:
            mine["step_id"] = mine["workflow_step_id"]
        mine["notification_id"] = mine.get(f"notification_id of {role}", "none")
        return route.path.format_map(mine)

    def call(self, route: Needed, role: str) -> Any:
        """Ask a route for something of this workspace."""
        whose = "OWNER" if role == "STRANGER" else role
        body = BODIES.get(route.key, {}) if route.method in ("POST", "PUT", "PATCH") else None
        if isinstance(body, dict):
            body = {
                name: value.format_map(self.ids) if isinstance(value, str) else value
                for name, value in body.items()
            }
        return self.api.call(route.method, self.path(route, whose), body, role=role)
