"""Names of nothing but blanks are refused wherever something is named."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update

from automations.db.session import unit_of_work
from automations.db.tables import WorkflowVersion
from automations.services.workflows import definitions
from tests.api.conftest import FORM, Api

STEP = {"name": "Wait", "type": "delay", "order": 0, "config": {"duration": "PT1H"}}
COLUMN = {"key": "x", "type": "text"}
HTTP = {"connectorType": "webhook", "tables": [{"tableId": "x"}]}
BOARD = {"boardType": "KANBAN", "steps": [{"name": "Do", "type": "TASK"}]}
SLACK = {"type": "SLACK", "credentials": {"token": "xoxb-1"}}
BLANKS = ["", " ", "\t\n", "\u00a0\u2003"]


@pytest.mark.parametrize("blank", BLANKS)
@pytest.mark.parametrize(
    ("path", "field", "body"),
    [
        ("/api/workflows", "name", {"steps": [STEP]}),
        ("/api/workflows", "steps.0.name", {"name": "x"}),
        ("/api/forms", "title", FORM),
        ("/api/tables", "name", {"columns": [COLUMN]}),
        ("/api/integrations", "name", SLACK),
        ("/api/matters", "title", {}),
        ("/api/matter-templates", "name", BOARD),
        ("/api/pipelines/connections", "name", HTTP),
        ("/api/members", "name", {"email": "a@b.example", "role": "VIEWER"}),
        ("/api/api-keys", "name", {"role": "VIEWER"}),
        ("/api/document-templates", "name", {"format": "markdown", "content": "eA=="}),
    ],
)
def test_nothing_is_called_by_blanks_only(
    api: Api, path: str, field: str, body: dict[str, Any], blank: str
) -> None:
    if field == "steps.0.name":
        body = {**body, "steps": [{**STEP, "name": blank}]}
    else:
        body = {**body, field: blank}
    answer = api.call("POST", path, body)
    assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_ERROR"), answer.text
    assert field in answer.json()["details"]["fieldErrors"]


def test_nothing_comes_to_be_called_by_blanks_only(api: Api) -> None:
    form, workflow = f"/api/forms/{api.form()}", f"/api/workflows/{api.workflow()['id']}"
    for path, field in ((form, "title"), (workflow, "name")):
        before = api.call("GET", path).json()
        refused = api.call("PATCH", path, {field: " "}).json()["details"]["fieldErrors"]
        assert refused == {field: ["must not be empty"]}
        assert api.call("GET", path).json() == before


def test_blanks_around_a_title_are_left_out(api: Api) -> None:
    created = api.call("POST", "/api/forms", {**FORM, "title": " Signup \n"}).json()
    assert created["title"] == "Signup"


def test_a_version_that_was_stored_with_such_a_name_still_runs(api: Api) -> None:
    workflow = api.workflow()
    steps = [{**workflow["steps"][0], "name": " "}]
    with unit_of_work() as session:
        session.execute(update(WorkflowVersion).values(definition={"name": " ", "steps": steps}))
    with unit_of_work() as session:
        loaded = definitions.load(session, workflow["id"], 1)
    assert [node.step.name for node in loaded.plan.nodes.values()] == [" "]
