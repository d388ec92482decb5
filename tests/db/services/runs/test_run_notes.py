"""What the note of a DagRun says of what started its run."""

from __future__ import annotations

import pytest

from automations.db.session import unit_of_work
from automations.db.tables import Run
from automations.definitions.published import dag_id
from automations.services.runs import by_hand, notes
from automations.services.workflows import workflows
from tests.db.workspace import principal, workspace
from tests.doubles import ports

STEP = {"name": "Wait", "type": "delay", "order": 0, "config": {"duration": "PT1H"}}


@pytest.fixture
def run_id(database: str) -> str:
    by = principal(workspace(), name="Anna_[x](y)")
    body = {"name": "Test", "status": "ACTIVE", "steps": [STEP]}
    return by_hand.execute(by, workflows.create(by, body, ports()).id, {}).id


def noted(run_id: str, **changed: str) -> str:
    with unit_of_work() as session:
        run = session.get_one(Run, run_id)
        for name, value in changed.items():
            setattr(run, name, value)
        return notes.origin(session, run)


def test_it_says_by_whom_and_writes_no_markdown_of_theirs(run_id: str) -> None:
    assert noted(run_id) == "Started by Anna\\_\\[x\\](y)."


def test_it_says_through_what(run_id: str) -> None:
    said = noted(run_id, trigger_type="webhook", started_by="GitHub")
    assert said == "Started through a webhook delivery by GitHub."
    assert noted(run_id, replay_of_run_id="c1").endswith(", as a replay of run c1.")


def test_what_nobody_has_started_airflow_shows_as_of_what_has(run_id: str) -> None:
    with unit_of_work() as session:
        run = session.get_one(Run, run_id)
        assert notes.starter(run) == "Anna_[x](y)"
        run.started_by, run.trigger_type = None, "event"
        assert notes.starter(run) == "an event"


def test_a_child_leads_to_its_parent(run_id: str) -> None:
    said = noted(run_id, trigger_type="workflow", parent_run_id=run_id)
    with unit_of_work() as session:
        dag = dag_id(session.get_one(Run, run_id).workflow_id)
    assert f"as a child of run [{run_id}](/dags/{dag}/runs/{run_id})." in said
