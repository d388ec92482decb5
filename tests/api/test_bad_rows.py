"""What is stored though it could not be stored today keeps no list, and nobody else, away."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import select, update

from automations.db.queue import jobs
from automations.db.session import unit_of_work
from automations.db.tables import (
    DataRow,
    Event,
    Matter,
    Run,
    Submission,
    WorkflowVersion,
)
from automations.dispatch.jobs.registry import Handlers
from automations.services.workflows import definitions
from tests.api.conftest import Api
from tests.db.dispatching import Airflow
from tests.doubles import ports


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
    found = {automation["id"] for automation in api.call("GET", "/api/workflows").json()}
    assert found == {workflow, fine}
    assert len(api.call("GET", f"/api/tables/{table}/rows").json()["rows"]) == 2
    assert shown in api.call("GET", "/api/workflows").text
    # And it can be mended.
    mended = api.call("PATCH", f"/api/workflows/{workflow}", {"variables": {}})
    assert mended.status_code == 200, mended.text


DELAY = {"id": "a", "name": "A", "type": "delay", "order": 0, "config": {"duration": "PT1H"}}
NO_DEFINITION: dict[str, dict[str, Any]] = {
    "a step of a type that is gone": {"steps": [{**DELAY, "type": "gone"}]},
    "a step without a name": {"steps": [{"id": "a", "type": "delay", "config": {}, "order": 0}]},
    "steps that are no list": {"steps": {"a": DELAY}},
    "steps that are none": {"steps": [5, None, "a"]},
    "arms that are no list": {
        "steps": [{**DELAY, "type": "condition", "config": {"rules": [], "then": 5}}]
    },
    "steps that are a text": {"steps": "none"},
    "a trigger of a type that is gone": {"trigger": {"type": "gone", "secret": "hush"}},
    "a trigger that is none": {"trigger": "gone"},
    "a trigger of no type": {"trigger": {}},
    "a limit that is none": {"concurrency": {"limit": "many"}},
    "half a pair in the name": {"name": "half \ud800"},
    "depth": {"description": deep(255)},
}


def replaced(workflow: str, change: dict[str, Any]) -> None:
    """Have a workflow's definition be one that could not be stored today."""
    with unit_of_work() as session:
        of_workflow = WorkflowVersion.workflow_id == workflow
        stored = session.scalars(select(WorkflowVersion.definition).where(of_workflow)).one()
        values = {"definition": {**stored, **change}}
        session.execute(update(WorkflowVersion).where(of_workflow).values(values))
    definitions.forget()


@pytest.mark.parametrize("change", NO_DEFINITION.values(), ids=NO_DEFINITION)
def test_a_definition_that_cannot_be_read_any_more_costs_only_itself(
    api: Api, app: FastAPI, change: dict[str, Any]
) -> None:
    bad = api.workflow(name="Bad", key="bad", steps=[DELAY])["id"]
    fine = api.workflow(name="Fine", key="fine")["id"]
    run = api.call("POST", f"/api/workflows/{bad}/execute").json()["runId"]
    replaced(bad, change)
    ids = {"workflow_id": bad, "run_id": run, "step_id": "a"}
    for path, operations in app.openapi()["paths"].items():
        if path.startswith("/api/workflows") and "get" in operations and "{token}" not in path:
            address = re.sub(r"\{(\w+)\}", lambda found: ids[found[1]], path)
            answer = api.call("GET", address)
            assert answer.status_code in (200, 409), (path, answer.text)
            assert "hush" not in answer.text
    assert api.call("GET", f"/api/workflows/{bad}/runs/{run}").status_code == 200
    assert {automation["id"] for automation in api.call("GET", "/api/workflows").json()} == {
        bad,
        fine,
    }
    whole = api.call("GET", "/api/workflows/export?format=json")
    assert whole.headers["X-Left-Out"] == bad
    assert json.loads(whole.text)["key"] == "fine"
    assert re.match(
        rf"# Bad \({bad}\) is left out: \S.+\n(---\n)?key: fine\n",
        api.call("GET", f"/api/workflows/export?id={fine}&id={bad}").text,
    )
    refused = api.call("GET", f"/api/workflows/{bad}/export")
    assert refused.json()["error"].startswith("The definition of automation")
    assert api.call("PATCH", f"/api/workflows/{bad}", {"description": "x"}).status_code in (
        200,
        400,
    )
    # And it can be mended, by its file or a change of what is wrong.
    file = {"key": "bad", "name": "Bad", "steps": [DELAY]}
    mended = api.call("POST", "/api/workflows/import", file)
    assert [automation["action"] for automation in mended.json()["automations"]] == ["update"], (
        mended.text
    )
    assert "X-Left-Out" not in api.call("GET", "/api/workflows/export").headers


def test_an_event_starts_the_others_all_the_same(api: Api) -> None:
    trigger = {"type": "event", "triggerType": "order.placed"}
    bad, fine = (api.workflow(name=name, trigger=trigger)["id"] for name in ("Bad", "Fine"))
    replaced(bad, {"concurrency": {"limit": "many"}})
    event = {"specversion": "1.0", "id": "1", "source": "/s", "type": "order.placed", "data": {}}
    kind = {"Content-Type": "application/cloudevents+json"}
    assert api.call("POST", "/api/events", event, headers=kind).status_code == 202
    with unit_of_work() as session:
        (job,) = jobs.claim(session, 1, {"match_event"})
    Handlers(Airflow(), ports()).handle(job)  # type: ignore[arg-type]  # as much as is asked
    with unit_of_work() as session:
        assert session.scalars(select(Run.workflow_id)).all() == [fine]
        reason = session.scalars(select(Event.reason)).one()
    assert reason is not None
    assert reason.startswith("'Bad' was not started: The definition of the automation cannot")
