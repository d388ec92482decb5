"""The audit log over HTTP: who did what, from where, together with what was done."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from automations.db.session import unit_of_work
from automations.db.tables import AuditLog
from tests.api.audit.audit import logs
from tests.api.conftest import Api

STEP = {"name": "Wait", "type": "delay", "order": 0, "config": {"duration": "PT1H"}}


def test_a_line_says_who_what_when_and_from_where(api: Api) -> None:
    answer = api.call(
        "POST",
        "/api/workflows",
        {"name": "Audited", "steps": [STEP]},
        role="ADMIN",
        headers={"X-Request-Id": "request-1"},
    )
    (line,) = logs(api, action="workflow.create")
    assert line["actor"]["type"] == "api_key"
    assert line["actor"]["name"] == "admin"
    assert line["resource"] == {"type": "workflow", "id": answer.json()["id"]}
    assert (line["ip"], line["requestId"]) == ("testclient", "request-1")
    assert line["details"] == {"name": "Audited", "status": "DRAFT"}


def test_every_write_of_an_automation_is_on_record(api: Api) -> None:
    workflow = api.workflow()["id"]
    path = f"/api/workflows/{workflow}"
    api.call("PATCH", path, {"name": "New", "status": "PAUSED"})
    api.call("POST", f"{path}/execute", {})
    api.call("DELETE", path)
    audit_logs = logs(api, resourceId=workflow)
    assert [line["action"] for line in audit_logs] == [
        "workflow.delete",
        "workflow.execute",
        "workflow.update",
        "workflow.create",
    ]
    assert audit_logs[2]["details"] == {
        "name": "New",
        "version": 2,
        "fields": ["name"],
        "status": ["ACTIVE", "PAUSED"],
    }


def test_what_was_refused_leaves_no_line(api: Api) -> None:
    api.call("POST", "/api/workflows", {"name": "x", "steps": [{"type": "nope"}]})
    api.call("DELETE", "/api/workflows/cnothing")
    assert [line["action"] for line in logs(api) if line["action"] != "api_key.use"] == [
        "api_key.create"
    ] * 4


def test_no_value_of_a_secret_or_of_a_submission_is_in_the_log(api: Api) -> None:
    form = api.form()
    api.call("PUT", "/api/secrets/TOKEN", {"value": "hush-hush-hush"})
    api.call("POST", "/api/submissions", {"formId": form, "data": {"email": "ada@b.example"}})
    api.call("DELETE", "/api/secrets/TOKEN")
    with unit_of_work() as session:
        lines = [
            (row.action, str(row.details), row.resource_id)
            for row in session.scalars(select(AuditLog))
        ]
    assert {"secret.set", "secret.delete", "submission.create", "form.create"} <= {
        action for action, _, _ in lines
    }
    assert "hush" not in str(lines)
    assert "ada@b.example" not in str(lines)


def test_decisions_on_submissions_members_and_boards_are_on_record(api: Api) -> None:
    form = api.form()
    data = {"formId": form, "data": {"email": "ada@b.example"}}
    submission = api.call("POST", "/api/submissions", data).json()["id"]
    api.call("POST", f"/api/submissions/{submission}/approve")
    member = {"name": "Ada", "email": "ada@b.example", "role": "MEMBER"}
    member_id = api.call("POST", "/api/members", member).json()["id"]
    api.call("PATCH", f"/api/members/{member_id}", {"role": "ADMIN"})
    api.call("DELETE", f"/api/members/{member_id}")
    board = {"name": "Board", "steps": [{"name": "One", "type": "TASK"}]}
    template = api.call("POST", "/api/matter-templates", board).json()["id"]
    matter = api.call("POST", "/api/matters", {"templateId": template, "title": "M"}).json()
    api.call("POST", f"/api/matters/{matter['id']}/advance", {})
    actions = [line["action"] for line in logs(api) if not line["action"].startswith("api_key")]
    assert actions == [
        "matter.complete_step",
        "matter.create",
        "matter_template.create",
        "member.delete",
        "member.update",
        "member.create",
        "submission.approve",
        "submission.create",
        "form.create",
    ]


def test_the_use_of_a_key_is_on_record_once_an_hour_and_address(api: Api) -> None:
    for _ in range(3):
        api.call("GET", "/api/workflows", role="VIEWER")
    (line,) = logs(api, action="api_key.use", actor="viewer")
    assert line["resource"]["id"] == line["actor"]["id"]


def test_pages_hang_together(api: Api) -> None:
    for number in range(5):
        api.workflow(name=f"W{number}")
    names: list[str] = []
    cursor = ""
    while True:
        query = {"action": "workflow.create", "limit": 2, **({"cursor": cursor} if cursor else {})}
        page = api.call("GET", "/api/audit-logs", params=query).json()
        names += [line["details"]["name"] for line in page["auditLogs"]]
        cursor = page["pagination"]["nextCursor"]
        if not cursor:
            break
    assert names == ["W4", "W3", "W2", "W1", "W0"]


def test_the_log_is_filtered_by_actor_resource_and_time(api: Api) -> None:
    api.workflow()
    api.form()
    middle = logs(api, action="workflow.create")[0]["at"]
    assert {line["resource"]["type"] for line in logs(api, resourceType="form")} == {"form"}
    assert logs(api, actor="nobody") == []
    assert all(line["at"] >= middle for line in logs(api, since=middle))
    assert all(line["at"] < middle for line in logs(api, until=middle))
    assert len(logs(api, since=middle)) + len(logs(api, until=middle)) == len(logs(api))


@pytest.mark.parametrize(
    "query",
    [
        {"since": "yesterday"},
        {"since": "0001-01-01T00:00:00+20:00"},
        {"cursor": "x"},
        {"cursor": "WyIyMDI2LTAxLTAxVDAwOjAwOjAwKzAwOjAwIiwgIngiXQ"},
        {"limit": 0},
        {"limit": 1000},
    ],
)
def test_a_wrong_parameter_is_refused(api: Api, query: dict[str, Any]) -> None:
    answer = api.call("GET", "/api/audit-logs", params=query)
    assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_ERROR")


def test_another_workspace_sees_nothing_of_it(api: Api) -> None:
    api.workflow()
    answer = api.call("GET", "/api/audit-logs", role="STRANGER").json()["auditLogs"]
    assert {line["actor"]["name"] for line in answer} <= {"stranger", "system"}
    assert "workflow.create" not in {line["action"] for line in answer}


def test_an_instant_may_have_any_offset(api: Api) -> None:
    api.workflow()
    assert logs(api, since="0142-07-03T04:21:52+20:25") == logs(api)
