"""What is stored though it could not be stored today keeps no list, and nobody else, away."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update

from automations.db.session import unit_of_work
from automations.db.tables import (
    DataRow,
    Event,
    Matter,
    Run,
    Submission,
    WorkflowVersion,
)
from tests.api.conftest import Api


def deep(depth: int) -> Any:
    value: Any = "in"
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("bad", "shown"),
    [
        (deep(255), "nested too deep to be shown"),
        (deep(700), "nested too deep to be shown"),
        ("half \ud800", "half ?"),
        ({"\udfff": "\0"}, '"?":'),
    ],
    ids=["deep", "deeper", "half a pair", "keys"],
)
def test_one_bad_thing_is_shown_as_far_as_it_can_be(api: Api, bad: Any, shown: str) -> None:
    workflow = api.workflow(name="deep")["id"]
    fine = api.workflow(name="fine")["id"]
    run = api.call("POST", f"/api/workflows/{workflow}/execute").json()["runId"]
    form = api.form()
    for _ in range(2):
        api.call("POST", "/api/submissions", {"formId": form, "data": {"email": "a@b.example"}})
    columns = [{"key": "j", "type": "json"}]
    table = api.call("POST", "/api/tables", {"name": "x", "columns": columns}).json()["id"]
    for _ in range(2):
        api.call("POST", f"/api/tables/{table}/rows", {"data": {"j": 1}})
    with unit_of_work() as session:
        definition = WorkflowVersion.definition
        of_workflow = WorkflowVersion.workflow_id == workflow
        stored = session.scalars(
            WorkflowVersion.__table__.select()
            .with_only_columns(definition)
            .where(WorkflowVersion.workflow_id == workflow)
        ).one()
        changed = {**stored, "variables": {"deep": bad}}
        session.execute(update(WorkflowVersion).where(of_workflow).values(definition=changed))
        session.execute(update(Submission).values(data={"email": bad}))
        session.execute(update(Event).values(data={"deep": bad}))
        session.execute(update(Run).values(input={"deep": bad}, variables={"deep": bad}))
        session.execute(update(Matter).values(properties={"deep": bad}))
        if isinstance(bad, list):
            # The others PostgreSQL itself does not hold where queries look into a value.
            session.execute(update(DataRow).values(data={"j": bad}))
    for path in (
        *("/api/workflows", f"/api/workflows/{workflow}", "/api/submissions", "/api/matters"),
        *(f"/api/tables/{table}/rows", "/api/events", f"/api/workflows/{workflow}/runs"),
        *(f"/api/workflows/{workflow}/runs/{run}", f"/api/workflows/{workflow}/runs/export"),
    ):
        answer = api.call("GET", path)
        assert answer.status_code == 200, (path, answer.text)
        answer.json()
    found = {one["id"] for one in api.call("GET", "/api/workflows").json()}
    assert found == {workflow, fine}
    assert len(api.call("GET", f"/api/tables/{table}/rows").json()["rows"]) == 2
    assert shown in api.call("GET", "/api/workflows").text
    # And it can be mended.
    mended = api.call("PATCH", f"/api/workflows/{workflow}", {"variables": {}})
    assert mended.status_code == 200, mended.text
