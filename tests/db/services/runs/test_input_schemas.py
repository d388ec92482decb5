"""A run's input is held against its trigger's schema, whatever starts it."""

from __future__ import annotations

from typing import Any

import pytest

from automations.db.session import unit_of_work
from automations.db.tables import Run
from automations.errors import StepError, ValidationFailed
from automations.kit.ids import new_id
from automations.services.runs import by_hand, replays
from automations.services.runs.children import StartedRuns
from automations.services.runs.from_airflow import AirflowRun, record_run
from automations.services.workflows import workflows
from tests.db.workspace import principal
from tests.doubles import ports

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


def automation(here: str, **trigger: Any) -> str:
    payload = {
        "name": "Test",
        "status": "ACTIVE",
        "steps": [],
        "trigger": {"type": "manual", **trigger},
    }
    return workflows.create(principal(here), payload, ports()).id


def test_a_person_or_a_client(here: str) -> None:
    workflow = automation(here, inputSchema=SCHEMA)
    with pytest.raises(ValidationFailed) as refused:
        by_hand.execute(principal(here), workflow, {"n": "x"})
    assert list(refused.value.field_errors) == ["input.n"]
    by_hand.execute(principal(here), workflow, {"n": 1})


def test_a_replay_by_a_version_that_asks_for_more(here: str) -> None:
    workflow = automation(here)
    run = by_hand.execute(principal(here), workflow, {}).id
    trigger = {"trigger": {"type": "manual", "inputSchema": SCHEMA}}
    workflows.update(principal(here), workflow, trigger, ports())
    with pytest.raises(ValidationFailed):
        replays.replay(principal(here), workflow, run)


def test_a_parent_run(here: str) -> None:
    parent = by_hand.execute(principal(here), automation(here), {}).id
    workflow = automation(here, inputSchema=SCHEMA)
    with pytest.raises(StepError) as refused:
        StartedRuns().start(parent, workflow, {"n": "x"}, "key", awaited=False)
    assert (refused.value.kind, refused.value.retryable) == ("config", False)
    assert "input.n" in refused.value.message
    assert StartedRuns().start(parent, workflow, {"n": 1}, "key", awaited=False)


def test_airflow(here: str) -> None:
    workflow = automation(here, inputSchema=SCHEMA)
    with unit_of_work() as session:
        for number, n in enumerate(("x", 1)):
            made = AirflowRun(workflow, f"{new_id()}{number}", "manual", {"n": n})
            run = record_run(session, made)
            assert run is not None
            status = "RUNNING" if number else "FAILED"
            assert session.get_one(Run, run.id).status == status
            assert ("input.n" in str(run.error)) is (status == "FAILED")


def input_in_airflow(here: str, schema: dict[str, Any], conf: dict[str, Any]) -> Run:
    with unit_of_work() as session:
        made = AirflowRun(automation(here, inputSchema=schema), new_id(), "manual", conf)
        run = record_run(session, made)
        assert run is not None
        return session.get_one(Run, run.id)


FORM = {
    "$defs": {"text": {"type": "string"}},
    "properties": {
        "n": {"type": "integer"},
        "note": {"$ref": "#/$defs/text"},
        "none": {"type": ["string", "null"]},
    },
    "required": ["n"],
}


def test_what_is_left_empty_in_airflows_form_is_absent(here: str) -> None:
    run = input_in_airflow(here, FORM, {"n": 1, "note": None, "none": None, "else": None})
    assert run.status == "RUNNING"
    # What the schema takes as null, or says nothing of, is as it was sent.
    assert run.input == {"n": 1, "none": None, "else": None}


def test_what_is_required_and_left_empty_fails_the_run_before_its_first_step(here: str) -> None:
    run = input_in_airflow(here, FORM, {"n": None})
    assert run.status == "FAILED"
    assert "input" in str(run.error)


def test_dates_are_checked_for_which_the_form_has_inputs(here: str) -> None:
    fields = {"day": {"format": "date"}, "at": {"format": "date-time"}, "mail": {"format": "email"}}
    workflow = automation(here, inputSchema={"properties": fields})
    given = {"day": "2026-02-30", "at": "2026-02-28 10:00", "mail": "no address"}
    with pytest.raises(ValidationFailed) as refused:
        by_hand.execute(principal(here), workflow, given)
    assert sorted(refused.value.field_errors) == ["input.at", "input.day"]
    by_hand.execute(principal(here), workflow, {"day": "2026-02-28", "at": "2026-02-28T10:00:00Z"})
