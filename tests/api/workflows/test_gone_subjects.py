"""What an automation names may be deleted: it can be changed all the same, but not begin anew."""

from __future__ import annotations

from typing import Any

import pytest

from automations.definitions.triggers import FILTERS
from tests.api.conftest import Api
from tests.api.matters.boards import board
from tests.api.tables.tables import SHAPE, add, table
from tests.environment import Environment

QUESTION = {"name": "Ask", "type": "ai", "order": 0, "config": {"prompt": "Hi"}}


def listener(kind: str, subject: str) -> dict[str, Any]:
    return {"trigger": {"type": "event", "triggerType": kind, FILTERS[kind]: subject}}


def named(api: Api, kind: str) -> tuple[str, dict[str, Any]]:
    """Where something is, and what names it."""
    if kind == "form":
        form = api.form()
        return f"forms/{form}", {"trigger": {"type": "form_submission", "formId": form}}
    if kind == "decided form":
        form = api.form()
        return f"forms/{form}", listener("FORM_APPROVED", form)
    if kind == "table":
        one = table(api)["id"]
        return f"tables/{one}", listener("ROW_ADDED", one)
    if kind == "board":
        one = board(api)["id"]
        return f"matter-templates/{one}", listener("MATTER_STEP_REJECTED", one)
    one = api.workflow()["id"]
    return f"workflows/{one}", {"errorWorkflowId": one}


def test_what_is_of_another_workspace_is_not_there(api: Api) -> None:
    theirs = {"name": "x", "steps": []}
    child = api.call("POST", "/api/workflows", theirs, role="STRANGER").json()["id"]
    step = {"name": "x", "type": "run_workflow", "order": 0, "config": {"workflowId": child}}
    refused = api.call("POST", "/api/workflows", {"name": "x", "status": "ACTIVE", "steps": [step]})
    assert refused.json()["details"]["fieldErrors"] == {
        "steps.0.config.workflowId": [f"there is no automation {child}"]
    }


def test_automations_of_one_file_may_name_each_other_before_they_are_there(api: Api) -> None:
    config = {"workflowKey": "child"}
    step = {"name": "x", "type": "run_workflow", "order": 0, "config": config}
    file = [
        {"key": "parent", "name": "Parent", "status": "ACTIVE", "steps": [step]},
        {"key": "child", "name": "Child", "status": "ACTIVE", "steps": []},
    ]
    taken = api.call("POST", "/api/workflows/import", file)
    assert taken.status_code == 200, taken.text


@pytest.mark.parametrize("kind", ["form", "decided form", "table", "board", "error workflow"])
def test_what_is_gone_keeps_nobody_from_another_change(api: Api, kind: str) -> None:
    where, given = named(api, kind)
    path = f"/api/workflows/{api.workflow(**given)['id']}"
    if kind != "error workflow":
        refused = api.call("DELETE", f"/api/{where}")
        assert refused.status_code == 409
        assert refused.json()["details"] == {"automations": ["Test"]}
        assert "?force=true" in refused.json()["error"]
        assert api.call("GET", f"/api/{where}").status_code == 200
        where += "?force=true"
    assert api.call("DELETE", f"/api/{where}").status_code == 204
    others: tuple[dict[str, Any], ...] = ({"name": "Other"}, {"steps": []}, {"status": "PAUSED"})
    for change in others:
        assert api.call("PATCH", path, change).status_code == 200
    for change in ({"status": "ACTIVE"}, given):
        assert api.call("PATCH", path, change).status_code == 400
    assert api.call("PATCH", path, {"status": "ARCHIVED"}).status_code == 200


def test_a_provider_that_is_gone_keeps_nobody_from_another_change(
    api: Api, environment: Environment
) -> None:
    environment.set(
        AUTOMATIONS_AI_PROVIDER="openai", AUTOMATIONS_AI_API_KEY="sk-1", AUTOMATIONS_AI_MODEL="m"
    )
    path = f"/api/workflows/{api.workflow(steps=[QUESTION])['id']}"
    environment.set(AUTOMATIONS_AI_PROVIDER=None)
    assert api.call("PATCH", path, {"name": "Other"}).status_code == 200
    assert api.call("PATCH", path, {"steps": [QUESTION]}).status_code == 400
    assert api.call("PATCH", path, {"status": "PAUSED"}).status_code == 200
    assert api.call("PATCH", path, {"status": "ACTIVE"}).status_code == 400


NOWHERE = "c000000000000000000000001"
STEPS: list[tuple[str, str, dict[str, Any]]] = [
    ("send_form", "formId", {"recipients": ["ada@b.example"]}),
    ("table_operations", "tableId", {"operation": "query"}),
    ("evidence_snapshot", "tableId", {"source": "TABLE_ROWS"}),
    ("generate_document", "templateId", {"data": {}}),
    ("create_matter", "templateId", {"title": "x"}),
    ("send_document", "documentId", {"recipients": ["ada@b.example"]}),
    ("run_workflow", "workflowId", {}),
    ("create_matter", "assigneeId", {"title": "x", "templateId": "{{input.board}}"}),
    ("table_operations", "rowId", {"operation": "delete", "tableId": "{{input.table}}"}),
]


@pytest.mark.parametrize(("kind", "field", "config"), STEPS)
def test_what_a_step_names_must_be_there_when_it_is_to_begin(
    api: Api, kind: str, field: str, config: dict[str, Any]
) -> None:
    step = {"name": "x", "type": kind, "order": 0, "config": {**config, field: NOWHERE}}
    body = {"name": "x", "status": "ACTIVE", "steps": [step]}
    refused = api.call("POST", "/api/workflows", body)
    assert refused.status_code == 400, refused.text
    assert list(refused.json()["details"]["fieldErrors"]) == [f"steps.0.config.{field}"]
    draft = api.call("POST", "/api/workflows", {**body, "status": "DRAFT"}).json()
    path = f"/api/workflows/{draft['id']}"
    assert api.call("PATCH", path, {"status": "ACTIVE"}).status_code == 400
    step["config"][field] = "{{input.id}}"  # type: ignore[index]  # the config's own dict
    assert api.call("PATCH", path, {"steps": [step], "status": "ACTIVE"}).status_code == 200


def test_each_of_several_that_a_step_names_is_looked_for(api: Api) -> None:
    ada = {"name": "Ada", "email": "a@b.example"}
    me = api.call("POST", "/api/members", ada).json()["id"]
    files = [{"documentId": "{{input.id}}"}, {"documentId": NOWHERE}]
    told = {"title": "x", "userIds": [me, "{{input.id}}", NOWHERE]}
    mail = {"to": "a@b.example", "subject": "x", "body": "x", "attachments": files}
    tell = {"name": "Tell", "type": "notification", "order": 0, "config": told}
    asked = {"message": "Well?", "approvers": ["a@b.example"], "onReject": [tell]}
    ask = {"name": "Ask", "type": "approval", "order": 0, "config": asked}
    steps = [ask, {"name": "Send", "type": "email", "order": 1, "config": mail}]
    refused = api.call("POST", "/api/workflows", {"name": "x", "status": "ACTIVE", "steps": steps})
    assert refused.json()["details"]["fieldErrors"] == {
        "steps.0.config.onReject.0.config.userIds.2": [f"there is no member {NOWHERE}"],
        "steps.1.config.attachments.1.documentId": [f"there is no document {NOWHERE}"],
    }


def test_a_row_that_a_step_names_is_looked_for_in_its_table(api: Api) -> None:
    ours, other = table(api), table(api, name="Other")
    row = add(api, f"/api/tables/{ours['id']}/rows")["id"]

    def naming(table_id: str, row_id: str) -> Any:
        config = {"operation": "delete", "tableId": table_id, "rowId": row_id}
        step = {"name": "x", "type": "table_operations", "order": 0, "config": config}
        return api.call(
            "POST", "/api/workflows", {"name": "x", "status": "ACTIVE", "steps": [step]}
        )

    assert naming(ours["id"], row).status_code == 201
    refused = naming(other["id"], row).json()["details"]["fieldErrors"]
    assert refused == {"steps.0.config.rowId": [f"there is no row {row}"]}
    theirs = api.call("POST", "/api/tables", SHAPE, role="STRANGER").json()["id"]
    rows = f"/api/tables/{theirs}/rows"
    row = api.call("POST", rows, {"data": {"name": "x"}}, role="STRANGER").json()["id"]
    refused = naming("{{input.table}}", row).json()["details"]["fieldErrors"]
    assert refused == {"steps.0.config.rowId": [f"there is no row {row}"]}


@pytest.mark.parametrize("status", ["DRAFT", "PAUSED", "ARCHIVED", "deleted"])
def test_what_only_others_than_active_ones_name_is_deleted(api: Api, status: str) -> None:
    where, given = named(api, "table")
    path = f"/api/workflows/{api.workflow(**given)['id']}"
    if status == "deleted":
        api.call("DELETE", path)
    else:
        api.call("PATCH", path, {"status": status})
    assert api.call("DELETE", f"/api/{where}").status_code == 204


def test_what_a_step_names_is_not_deleted_under_it(api: Api) -> None:
    one = table(api)["id"]
    config = {"operation": "query", "tableId": one}
    step = {"name": "x", "type": "table_operations", "order": 0, "config": config}
    workflow = api.workflow(name="Reads", steps=[step])["id"]
    assert "Reads" in api.call("DELETE", f"/api/tables/{one}").json()["error"]
    api.call("PATCH", f"/api/workflows/{workflow}", {"steps": []})
    assert api.call("DELETE", f"/api/tables/{one}").status_code == 204
