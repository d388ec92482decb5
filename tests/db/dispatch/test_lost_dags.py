"""A DAG that was deleted in Airflow is published anew, and its runs go on where they were."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from automations.db.runs import runs
from automations.db.session import unit_of_work
from automations.db.tables import AuditLog, Job, Run, Wait
from automations.db.workflows.publications import SqlPublications
from automations.definitions.published import dag_id
from automations.dispatch.reconciler import Reconciler
from automations.domain.statuses import Decision
from automations.execution.engine import Engine
from automations.execution.verdicts import AskPeople, Proceed, TaskRef
from automations.ports import DagRunState
from automations.services.runs import by_hand, lost_dags
from automations.services.waits import decisions
from automations.services.workflows import workflows
from automations.steps.outcomes import Answer
from tests.db.runs import forget_how_to_read
from tests.db.workspace import principal
from tests.doubles import ports

SET = {
    "id": "set",
    "name": "Set",
    "type": "condition",
    "order": 0,
    "config": {"expression": "true"},
}
ASK = {"id": "ask", "name": "Ask", "type": "approval", "order": 1, "config": {"message": "OK?"}}


def automation(here: str) -> str:
    body = {"name": "Test", "status": "ACTIVE", "steps": [SET, ASK]}
    return workflows.create(principal(here), body, ports()).id


def asked(here: str, workflow: str) -> tuple[str, AskPeople]:
    """A run that Airflow has, and that waits for an approval."""
    run_id = by_hand.execute(principal(here), workflow, {}).id
    with unit_of_work() as session:
        runs.mark_dispatched(session, run_id)
        session.execute(delete(Job))
    engine = Engine(ports())
    assert isinstance(engine.run(TaskRef(run_id, workflow, 1, "set")), Proceed)
    waits = engine.run(TaskRef(run_id, workflow, 1, "ask"))
    assert isinstance(waits, AskPeople)
    return run_id, waits


def load(run_id: str) -> Run:
    with unit_of_work() as session:
        return session.get_one(Run, run_id)


def jobs() -> list[tuple[str, str]]:
    with unit_of_work() as session:
        return list(session.execute(select(Job.kind, Job.subject_id)))


def deleted(workflow: str) -> None:
    lost_dags.recover(workflow, "ada", datetime.now(UTC) + timedelta(seconds=1))


def test_a_deletion_that_is_told_of_once_more_changes_nothing(here: str) -> None:
    workflow = automation(here)
    run_id, _ = asked(here, workflow)
    at = datetime.now(UTC) + timedelta(seconds=1)
    lost_dags.recover(workflow, "ada", at)
    with unit_of_work() as session:
        runs.mark_dispatched(session, run_id)
        session.execute(delete(Job))
    lost_dags.recover(workflow, "ada", at)
    assert load(run_id).dispatched_at is not None
    assert jobs() == []


def test_a_run_that_waits_is_begun_once_more_and_waits_where_it_did(here: str) -> None:
    workflow = automation(here)
    run_id, waits = asked(here, workflow)
    deleted(workflow)
    seen = load(run_id)
    assert (seen.status, seen.dispatched_at) == ("PAUSED", None)
    assert jobs() == [("start_run", run_id)]
    engine = Engine(ports())
    # As the tasks of a new DagRun do: what is behind is not done again, and nobody is asked twice.
    assert isinstance(engine.run(TaskRef(run_id, workflow, 1, "set")), Proceed)
    assert engine.run(TaskRef(run_id, workflow, 1, "ask")) == waits
    decisions.resume(principal(here), run_id, decision="approved", data=None)
    verdict = engine.resume(TaskRef(run_id, workflow, 1, "ask"), waits.wait_id, None)
    assert isinstance(verdict, Proceed)
    assert load(run_id).status == "COMPLETED"
    with unit_of_work() as session:
        acts = {row.action: row.actor for row in session.scalars(select(AuditLog))}
    assert {acts["run.restart"], acts["workflow.republish"]} == {"ada"}


def test_an_answer_that_came_meanwhile_is_not_lost(here: str) -> None:
    workflow = automation(here)
    run_id, waits = asked(here, workflow)
    decisions.resume(principal(here), run_id, decision="approved", data=None)
    deleted(workflow)
    engine = Engine(ports())
    engine.run(TaskRef(run_id, workflow, 1, "ask"))
    said = Answer(Decision.ELAPSED, None, datetime.now(UTC))
    verdict = engine.resume(TaskRef(run_id, workflow, 1, "ask"), waits.wait_id, said)
    assert isinstance(verdict, Proceed)
    with unit_of_work() as session:
        assert session.scalars(select(Wait.decision)).all() == ["approved"]


def test_the_automation_is_published_at_a_new_revision_as_it_was(here: str) -> None:
    first, other = automation(here), automation(here)
    published = SqlPublications()
    before, (pack,) = published.revision(), published.packs(0)
    deleted(first)
    assert published.revision() == before + 1
    assert published.packs(before) == [pack]
    found = {one.workflow_id: one for one in published.pack(pack)}
    assert (found[first].version, found[first].republished) == (1, before + 1)
    assert found[other].republished == 0
    workflows.update(principal(here), other, {"name": "Other"}, ports())
    assert published.revision() == before + 2


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"generation": 1}, "steps of it had been cleared"),
        ({"reviving": True}, "steps of it had been cleared or retried"),
    ],
)
def test_a_run_that_cannot_be_begun_once_more_fails_and_says_by_whom(
    here: str, changed: dict[str, Any], reason: str
) -> None:
    workflow = automation(here)
    run_id, _ = asked(here, workflow)
    with unit_of_work() as session:
        session.execute(update(Run).values(**changed))
    deleted(workflow)
    assert load(run_id).status == "FAILED"
    error = str(load(run_id).error)
    assert error.startswith("Its DAG was deleted in Airflow by ada, and the run with it: ")
    assert reason in error


def test_after_an_edit_a_run_goes_on_by_the_newest_version_or_says_why_not(here: str) -> None:
    fits, differs = automation(here), automation(here)
    (going, _), (failing, _) = asked(here, fits), asked(here, differs)
    more = {**SET, "id": "more", "order": 2}
    workflows.update(principal(here), fits, {"steps": [SET, ASK, more]}, ports())
    workflows.update(principal(here), differs, {"steps": [ASK]}, ports())
    deleted(fits)
    deleted(differs)
    assert (load(going).status, load(going).version) == ("PAUSED", 2)
    assert load(failing).status == "FAILED"
    assert "it cannot go on by version 2: step 'Set'" in str(load(failing).error)


def test_a_run_whose_version_cannot_be_read_any_more_fails_and_keeps_no_other_one(
    here: str,
) -> None:
    workflow = automation(here)
    (failing, _), (going, _) = asked(here, workflow), asked(here, workflow)
    workflows.update(principal(here), workflow, {"name": "Other"}, ports())
    with unit_of_work() as session:
        session.execute(update(Run).where(Run.id == going).values(version=2))
    forget_how_to_read(load(failing))
    deleted(workflow)
    assert load(failing).status == "FAILED"
    assert "cannot be read any more" in str(load(failing).error)
    assert (load(going).status, load(going).dispatched_at) == ("PAUSED", None)


def test_what_airflow_was_given_since_is_left_alone(here: str) -> None:
    workflow = automation(here)
    run_id, _ = asked(here, workflow)
    lost_dags.recover(workflow, "ada", datetime.now(UTC) - timedelta(hours=1))
    assert load(run_id).dispatched_at is not None
    assert jobs() == []


class Airflow:
    """Has lost every DagRun, and perhaps their DAG."""

    def __init__(self, knows: bool) -> None:
        self._knows = knows

    def run_state(self, *_: Any) -> DagRunState | None:
        return None

    def knows(self, dag: str) -> bool:
        return self._knows

    def deleted_by(self, *_: Any) -> str:
        return "ada"


@pytest.mark.parametrize("knows", [True, False])
def test_a_dag_run_that_was_deleted_alone_fails_its_run_and_one_with_its_dag_does_not(
    here: str, knows: bool
) -> None:
    workflow = automation(here)
    run_id, _ = asked(here, workflow)
    with unit_of_work() as session:
        long_ago = datetime.now(UTC) - timedelta(minutes=5)
        session.execute(update(Run).values(dispatched_at=long_ago))
    assert dag_id(workflow)
    Reconciler(Airflow(knows)).sweep()  # type: ignore[arg-type]  # only what is asked here
    seen = load(run_id)
    if knows:
        assert (seen.status, seen.error) == ("FAILED", "The DagRun was deleted in Airflow by ada.")
    else:
        assert seen.status == "PAUSED"


def test_what_airflows_command_line_has_tried_and_deleted_has_not_failed(here: str) -> None:
    run_id, _ = asked(here, automation(here))
    with unit_of_work() as session:
        run = session.get_one(Run, run_id)
        run.dag_run_id = "__airflow_temporary_run_2026-12-01T17:40:22.416753+00:00__"
        run.dispatched_at = datetime.now(UTC) - timedelta(minutes=5)
    Reconciler(Airflow(knows=True)).sweep()  # type: ignore[arg-type]  # only what is asked here
    seen = load(run_id)
    said = "It was a test by Airflow's command line by ada."
    assert (seen.status, seen.error) == ("CANCELLED", said)


def test_several_schedulers_that_see_a_deletion_at_once_recover_from_it_once(here: str) -> None:
    workflow = automation(here)
    run_id, _ = asked(here, workflow)
    at = datetime.now(UTC) + timedelta(seconds=1)
    with ThreadPoolExecutor(4) as schedulers:
        tries = [schedulers.submit(lost_dags.recover, workflow, "ada", at) for _ in range(4)]
        for one in tries:
            one.result()
    with unit_of_work() as session:
        actions = session.scalars(select(AuditLog.action)).all()
    assert actions.count("workflow.republish") == actions.count("run.restart") == 1
    assert load(run_id).dispatched_at is None
