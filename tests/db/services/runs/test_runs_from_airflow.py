"""Runs that Airflow made itself, and what becomes of one that may not overlap."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from automations.db.queue import jobs
from automations.db.runs import runs
from automations.db.session import unit_of_work
from automations.db.tables import Job, JobKind, Run, Workflow
from automations.definitions import published
from automations.definitions.published import dag_id
from automations.dispatch.reconciler import Reconciler
from automations.domain.statuses import RunStatus, WorkflowStatus
from automations.errors import Conflict
from automations.execution.engine import Engine
from automations.execution.verdicts import GiveUp, Skip, Sleep, TaskRef
from automations.kit.ids import new_id
from automations.ports import DagRunFailure, DagRunState, DagRunStatus
from automations.services.runs.from_airflow import AirflowRun, record_run
from tests.db import workflows
from tests.db.counting import statements
from tests.doubles import Unreachable, ports
from tests.hostile import bodies as hostile

DUE = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


pytestmark = pytest.mark.usefixtures("database")


def scheduled(overlap: str = "skip") -> str:
    """An automation with a schedule; returns its id."""
    definition: dict[str, Any] = {
        "name": "Test",
        "trigger": {"type": "schedule", "cron": "30 2 * * *", "overlap": overlap},
        "steps": [
            {"id": "a", "name": "a", "type": "delay", "order": 0, "config": {"duration": "PT1H"}}
        ],
    }
    return workflows.inserted(definition)


def task(workflow: str, run: str, run_type: str = "scheduled") -> TaskRef:
    return TaskRef(run, workflow, 1, "a", run_type=run_type, due_at=DUE)


def run(run_id: str) -> Run:
    with unit_of_work() as session:
        return session.get_one(Run, run_id)


def test_a_scheduled_run_knows_when_it_was_due() -> None:
    workflow, run_id = scheduled(), new_id()
    assert isinstance(Engine(ports()).run(task(workflow, run_id)), Sleep)
    made = run(run_id)
    assert (made.trigger_type, made.status) == ("schedule", "PAUSED")
    assert made.trigger_data == {"scheduledFor": "2026-03-29T01:30:00.000Z"}
    assert made.variables == {"triggerType": "scheduled"}


def test_a_run_by_hand_in_airflow_is_none_of_the_schedule() -> None:
    workflow, run_id = scheduled(), new_id()
    Engine(ports()).run(task(workflow, run_id, "manual"))
    assert (run(run_id).trigger_type, run(run_id).trigger_data) == ("manual", {})


BACKFILLED = "backfill__2026-03-29T01:30:00+00:00"
"""An id as Airflow gives it to the runs of every DAG that are due at a time."""


@pytest.mark.parametrize("dag_run_id", [BACKFILLED, "by hand: the first"])
def test_dag_runs_of_one_id_are_runs_of_their_own_automations(dag_run_id: str) -> None:
    ids = []
    for workflow in (scheduled(), scheduled()):
        run_id = published.run_id(workflow, dag_run_id)
        ref = replace(task(workflow, run_id, "backfill"), dag_run_id=dag_run_id)
        assert isinstance(Engine(ports()).run(ref), Sleep)
        made = run(run_id)
        assert (made.workflow_id, made.in_airflow) == (workflow, dag_run_id)
        ids.append(made.id)
        # Seen by the reconciler, too, it is the same.
        state = DagRunState(
            dag_id(workflow), dag_run_id, DagRunStatus.RUNNING, "1", {}, None, "backfill", DUE
        )
        Reconciler(Unreachable()).apply(state)
    with unit_of_work() as session:
        assert sorted(session.scalars(select(Run.id))) == sorted(ids)


def test_a_backfilled_run_is_one_of_the_schedule_and_skipped_by_no_other() -> None:
    workflow, first, second = scheduled(), new_id(), new_id()
    engine = Engine(ports())
    engine.run(task(workflow, first))
    assert isinstance(engine.run(task(workflow, second, "backfill")), Sleep)
    made = run(second)
    assert (made.trigger_type, made.status) == ("schedule", "PAUSED")
    assert made.trigger_data == {"scheduledFor": "2026-03-29T01:30:00.000Z"}
    assert made.variables == {"triggerType": "scheduled"}


@pytest.mark.parametrize("run_type", ["manual", "scheduled", "backfill"])
@pytest.mark.parametrize("seen_by", ["a step", "the reconciler"])
def test_a_run_of_an_archived_automation_fails_at_once_and_does_nothing(
    run_type: str, seen_by: str
) -> None:
    workflow, run_id = scheduled(), new_id()
    with unit_of_work() as session:
        session.get_one(Workflow, workflow).status = WorkflowStatus.ARCHIVED
    state = DagRunState(
        dag_id(workflow), run_id, DagRunStatus.RUNNING, "1", {}, "anna", run_type, DUE
    )
    reconciler = Reconciler(Unreachable())
    if seen_by == "the reconciler":
        reconciler.apply(state)
    verdict = Engine(ports()).run(task(workflow, run_id, run_type))
    assert verdict == GiveUp("An archived automation cannot be executed.")
    reconciler.apply(replace(state, state=DagRunStatus.FAILED))
    made = run(run_id)
    assert (made.status, made.error) == ("FAILED", "An archived automation cannot be executed.")


@pytest.mark.parametrize("status", [WorkflowStatus.PAUSED, WorkflowStatus.DRAFT])
def test_one_of_an_automation_that_is_not_active_runs_by_hand_as_in_the_api(
    status: WorkflowStatus,
) -> None:
    workflow, run_id = scheduled(), new_id()
    with unit_of_work() as session:
        session.get_one(Workflow, workflow).status = status
    assert isinstance(Engine(ports()).run(task(workflow, run_id, "manual")), Sleep)


def test_a_dag_run_by_the_id_of_anothers_run_does_nothing_to_that() -> None:
    workflow, other, run_id = scheduled(), scheduled(), new_id()
    engine = Engine(ports())
    engine.run(task(workflow, run_id))
    with pytest.raises(Conflict, match="another automation's"):
        engine.run(task(other, run_id))
    assert (run(run_id).workflow_id, run(run_id).version) == (workflow, 1)


def test_the_reconciler_records_what_no_step_has_begun() -> None:
    workflow, run_id = scheduled(), new_id()
    state = DagRunState(
        dag_id(workflow), run_id, DagRunStatus.RUNNING, "1", {}, None, "scheduled", due_at=DUE
    )
    Reconciler(Unreachable()).apply(state)
    assert run(run_id).trigger_data == {"scheduledFor": "2026-03-29T01:30:00.000Z"}
    assert isinstance(Engine(ports()).run(task(workflow, run_id)), Sleep)


def test_a_second_scheduled_run_is_skipped_while_the_first_has_not_ended() -> None:
    workflow, first, second, third = scheduled(), new_id(), new_id(), new_id()
    engine = Engine(ports())
    engine.run(task(workflow, first))
    assert isinstance(engine.run(task(workflow, second)), Skip)
    skipped = run(second)
    assert (skipped.status, skipped.completed_at is not None) == ("CANCELLED", True)
    assert (
        skipped.error == f"Skipped: run {first} of this automation has not ended (overlap: skip)."
    )
    assert run(first).status == "PAUSED"
    with unit_of_work() as session:
        runs.end_run(session, first, RunStatus.COMPLETED)
    assert isinstance(engine.run(task(workflow, third)), Sleep)


def test_airflows_end_of_a_skipped_run_leaves_it_cancelled() -> None:
    workflow, first, second = scheduled(), new_id(), new_id()
    engine = Engine(ports())
    engine.run(task(workflow, first))
    engine.run(task(workflow, second))
    state = DagRunState(
        dag_id(workflow), second, DagRunStatus.SUCCESS, "1", {}, None, "scheduled", DUE
    )
    Reconciler(Unreachable()).apply(state)
    assert run(second).status == "CANCELLED"


@pytest.mark.parametrize("overlap", ["allow", "queue"])
def test_others_run_beside_one_another_as_airflow_lets_them(overlap: str) -> None:
    workflow, first, second = scheduled(overlap), new_id(), new_id()
    engine = Engine(ports())
    assert isinstance(engine.run(task(workflow, first)), Sleep)
    assert isinstance(engine.run(task(workflow, second)), Sleep)


def test_of_several_that_come_at_once_one_goes_on() -> None:
    workflow = scheduled()

    def come() -> None:
        with unit_of_work() as session:
            record_run(
                session,
                AirflowRun(
                    workflow_id=workflow,
                    run_id=new_id(),
                    run_type="scheduled",
                    conf={},
                    started_by=None,
                    version=1,
                    due_at=DUE,
                ),
            )

    coming = [threading.Thread(target=come) for _ in range(8)]
    for one in coming:
        one.start()
    for one in coming:
        one.join()
    with unit_of_work() as session:
        statuses = sorted(session.scalars(select(Run.status)))
    assert statuses == ["CANCELLED"] * 7 + ["RUNNING"]


def test_a_run_of_nobodys_is_left_alone() -> None:
    state = DagRunState(
        dag_id(new_id()), new_id(), DagRunStatus.RUNNING, "1", {}, None, "scheduled", DUE
    )
    Reconciler(Unreachable()).apply(state)
    with unit_of_work() as session:
        assert session.scalars(select(Run)).all() == []


class Telling(Unreachable):
    """An Airflow that tells of runs."""

    def __init__(self, *states: DagRunState) -> None:
        self._states = list(states)

    def changed_runs(self, since: datetime, offset: int, limit: int) -> list[DagRunState]:
        return self._states[offset : offset + limit]


def test_a_run_of_which_airflow_tells_nonsense_holds_up_no_other_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    workflow, good = scheduled(), new_id()
    told = DagRunState(
        dag_id(workflow), good, DagRunStatus.RUNNING, "1", {}, None, "scheduled", DUE
    )
    Reconciler(
        Telling(
            replace(told, run_id=new_id(), bundle_version="4f1c2ab"),
            # Of a DAG of other making, in a bundle that has revisions of another kind.
            replace(told, dag_id="automation_report", run_id=new_id(), bundle_version="4f1c2ab"),
            told,
        )
    ).follow()
    with unit_of_work() as session:
        assert session.scalars(select(Run.id)).all() == [good]
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_runs_that_stand_as_airflow_says_are_asked_for_at_once_however_many_there_are() -> None:
    workflow = scheduled("allow")
    told = DagRunState(
        dag_id(workflow), new_id(), DagRunStatus.RUNNING, "1", {}, None, "scheduled", DUE
    )
    under_way = [replace(told, run_id=new_id()) for _ in range(6)]
    Reconciler(Telling(*under_way)).follow()
    ended = [replace(state, state=DagRunStatus.SUCCESS) for state in under_way]
    Reconciler(Telling(*ended)).follow()

    def asked(*states: DagRunState) -> int:
        with statements() as seen:
            Reconciler(Telling(*states)).follow()
        return len(seen)

    assert asked(*ended) == asked(*ended[:1]) == asked(under_way[0], *ended[1:])
    with unit_of_work() as session:
        assert set(session.scalars(select(Run.status))) == {RunStatus.COMPLETED}


class Knowing(Unreachable):
    """An Airflow in which a run has failed, and that knows why."""

    def __init__(self, failure: DagRunFailure) -> None:
        self._failure = failure

    def failure(self, dag_id: str, run_id: str) -> DagRunFailure:
        return self._failure

    def run_state(self, dag_id: str, run_id: str) -> DagRunState:
        return DagRunState(dag_id, run_id, DagRunStatus.FAILED, "1", {}, None, "scheduled", DUE)


def fail_in_airflow(workflow: str, run_id: str, failure: DagRunFailure) -> None:
    state = DagRunState(
        dag_id(workflow), run_id, DagRunStatus.FAILED, "1", {}, None, "scheduled", DUE
    )
    Reconciler(Knowing(failure)).apply(state)


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (DagRunFailure("ada", ("Tell",)), "Marked as failed in Airflow by ada: step Tell."),
        (
            DagRunFailure("ada", ("A", "B"), None, "late"),
            "Marked as failed in Airflow by ada: steps A, B (late).",
        ),
        (
            DagRunFailure(None, ("Tell",), "ConnectError: refused"),
            "Tell: Airflow could not carry it out: ConnectError: refused",
        ),
        (
            DagRunFailure(None, ("Tell",)),
            "Tell: Airflow could not carry it out: its log in Airflow says why.",
        ),
        (
            DagRunFailure(backfill_cancelled_by="ada"),
            "Its backfill was cancelled in Airflow by ada.",
        ),
        (DagRunFailure(), "Airflow has ended it as failed, and knows of no step that did."),
    ],
)
def test_a_run_that_fails_in_airflow_says_why(failure: DagRunFailure, error: str) -> None:
    workflow, run_id = scheduled(), new_id()
    Engine(ports()).run(task(workflow, run_id))
    fail_in_airflow(workflow, run_id, failure)
    assert (run(run_id).status, run(run_id).error) == ("FAILED", error)


def test_what_a_step_has_said_of_its_failure_is_not_asked_of_airflow() -> None:
    workflow, run_id = scheduled(), new_id()
    Engine(ports()).run(task(workflow, run_id))
    with unit_of_work() as session:
        runs.end_run(session, run_id, RunStatus.FAILED, "a: gone")
    state = DagRunState(
        dag_id(workflow), run_id, DagRunStatus.FAILED, "1", {}, None, "scheduled", DUE
    )
    Reconciler(Unreachable()).apply(state)
    assert run(run_id).error == "a: gone"


@pytest.mark.parametrize(
    ("ended", "in_airflow", "becomes"),
    [
        (
            RunStatus.COMPLETED,
            DagRunStatus.FAILED,
            ("FAILED", "Marked as failed in Airflow by ada.", 1),
        ),
        (RunStatus.FAILED, DagRunStatus.SUCCESS, ("COMPLETED", None, 0)),
        (RunStatus.CANCELLED, DagRunStatus.FAILED, ("CANCELLED", "as it was", 0)),
        (RunStatus.CANCELLED, DagRunStatus.SUCCESS, ("CANCELLED", "as it was", 0)),
    ],
)
def test_how_a_run_has_ended_is_corrected_once(
    ended: RunStatus, in_airflow: DagRunStatus, becomes: tuple[str, str | None, int]
) -> None:
    workflow, run_id = scheduled(), new_id()
    Engine(ports()).run(task(workflow, run_id))
    with unit_of_work() as session:
        runs.end_run(session, run_id, ended, "as it was")
        jobs.cancel(session, JobKind.REPORT_FAILURE, run_id)
    state = DagRunState(dag_id(workflow), run_id, in_airflow, "1", {}, None, "scheduled", DUE)
    for _ in range(2):
        Reconciler(Knowing(DagRunFailure("ada"))).apply(state)
    with unit_of_work() as session:
        reports = session.scalars(select(Job).where(Job.kind == JobKind.REPORT_FAILURE)).all()
    assert (run(run_id).status, run(run_id).error, len(reports)) == becomes


@pytest.mark.parametrize("name", ["lists in lists", "a NUL", "half a pair in a key"])
def test_a_run_whose_conf_cannot_be_kept_is_told_so_and_does_nothing(name: str) -> None:
    workflow = scheduled()
    conf = {"deep": hostile.VALUES[name][0]}
    made = AirflowRun(workflow_id=workflow, run_id=new_id(), run_type="manual", conf=conf)
    with unit_of_work() as session:
        run = record_run(session, made)
        assert run is not None
        assert (run.status, run.input) == ("FAILED", {})
        assert "conf" in str(run.error)
