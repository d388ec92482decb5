"""Retries on the newest version: what Airflow is asked, and when a run is left as it is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from automations.db.runs import new_runs, run_steps, runs
from automations.db.session import unit_of_work
from automations.db.tables import Job, Run, Workflow
from automations.db.workflows import workflows
from automations.definitions.published import dag_id
from automations.dispatch.jobs.registry import Handlers
from automations.dispatch.reconciler import Reconciler
from automations.domain.statuses import RunStatus
from automations.errors import Conflict, NotVisibleYet
from automations.ports import DagRunFailure, DagRunState, DagRunStatus, Visible
from automations.services.runs import replays
from tests.db.workspace import workspace
from tests.doubles import ports


class Airflow:
    """Knows one DAG at a version, and notes what is retried."""

    def __init__(self) -> None:
        self.version = 1
        self.retried: list[tuple[str, bool]] = []
        self.state: DagRunState | None = None

    def visible(self, dag_id: str) -> Visible:
        return Visible(self.version, self.version)

    def retry(self, dag_id: str, run_id: str, *, latest: bool = False) -> None:
        self.retried.append((run_id, latest))

    def run_state(self, dag_id: str, run_id: str) -> DagRunState | None:
        return self.state

    def failure(self, dag_id: str, run_id: str) -> DagRunFailure:
        return DagRunFailure(None, (), None)


@pytest.fixture
def airflow() -> Airflow:
    return Airflow()


@pytest.fixture
def handlers(airflow: Airflow) -> Handlers:
    return Handlers(airflow, ports())  # type: ignore[arg-type]  # only what is asked here


def wait(name: str, order: int) -> dict[str, Any]:
    config = {"duration": "PT1S"}
    return {"id": name, "name": name, "type": "delay", "order": order, "config": config}


def edit(workflow_id: str, *steps: dict[str, Any], **more: Any) -> int:
    with unit_of_work() as session:
        workflow = session.get_one(Workflow, workflow_id)
        workflow.version += 1
        definition = {"name": "Test", "steps": list(steps), **more}
        workflows.add_version(session, workflow, definition, None)
        return workflow.version


@pytest.fixture
def failed(database: str) -> Run:
    """A run of two steps that has failed at the second."""
    with unit_of_work() as session:
        workflow = Workflow(workspace_id=workspace(), name="Test", status="ACTIVE", version=0)
        session.add(workflow)
    edit(workflow.id, wait("a", 0), wait("b", 1), variables={"kept": 1})
    with unit_of_work() as session:
        run = new_runs.insert_run(
            session,
            session.get_one(Workflow, workflow.id),
            new_runs.NewRun(
                trigger_type="manual",
                trigger_data={},
                input={},
                started_by="test",
                variables={"kept": 1, "triggerType": "manual"},
                dispatched=True,
            ),
        )
        assert run is not None
        run_steps.skip(session, run.id, ["a"], 0)
        runs.end_run(session, run.id, RunStatus.FAILED, "b: it broke")
    return reload(run)


def reload(run: Run) -> Run:
    with unit_of_work() as session:
        return session.get_one(Run, run.id)


def retry(run: Run, *, latest: bool = True) -> Job:
    replays.retry(run.workspace_id, run.workflow_id, run.id, latest=latest)
    with unit_of_work() as session:
        query = select(Job).where(Job.subject_id == run.id, Job.kind.startswith("retry_"))
        return session.scalars(query).one()


def test_a_run_goes_on_by_the_newest_version_with_its_new_variables(
    failed: Run, handlers: Handlers, airflow: Airflow
) -> None:
    edit(failed.workflow_id, wait("a", 0), wait("b", 1), variables={"kept": 2, "new": 3})
    job = retry(failed)
    with pytest.raises(NotVisibleYet):
        handlers.handle(job)
    assert (airflow.retried, reload(failed).version) == ([], 1)
    airflow.version = 2
    handlers.handle(job)
    assert airflow.retried == [(failed.id, True)]
    moved = reload(failed)
    assert moved.version == 2
    assert {"kept": 1, "new": 3}.items() <= moved.variables.items()


def test_a_version_that_does_not_fit_is_refused_at_once(failed: Run) -> None:
    edit(failed.workflow_id, wait("b", 0))
    with pytest.raises(Conflict, match="version 2: step 'a', which the run has behind it"):
        retry(failed)
    assert retry(failed, latest=False).kind == "retry_run"


def test_a_version_that_came_meanwhile_and_does_not_fit_leaves_the_run_failed(
    failed: Run, handlers: Handlers, airflow: Airflow
) -> None:
    job = retry(failed)
    airflow.version = edit(failed.workflow_id, wait("b", 0))
    handlers.handle(job)
    left = reload(failed)
    assert (airflow.retried, left.status, left.version) == ([], "FAILED", 1)
    assert str(left.error).startswith("It could not be retried on version 2: step 'a'")


@pytest.mark.parametrize("latest", [True, False])
def test_a_run_that_is_retried_says_so_from_then_on(
    failed: Run, handlers: Handlers, airflow: Airflow, latest: bool
) -> None:
    job = retry(failed, latest=latest)
    seen = reload(failed)
    assert (seen.status, seen.error, seen.completed_at) == ("RUNNING", None, None)
    # Airflow goes on saying what it said before, until it is told.
    said = DagRunState(
        dag_id(seen.workflow_id), seen.id, DagRunStatus.FAILED, "1", {}, None, "manual"
    )
    airflow.state = said
    Reconciler(airflow).apply(said)  # type: ignore[arg-type]  # only what is asked here
    assert reload(failed).status == "RUNNING"
    handlers.handle(job)
    assert airflow.retried == [(failed.id, latest)]
    # What was read before that is no news.
    airflow.state = replace(said, state=DagRunStatus.RUNNING)
    Reconciler(airflow).apply(said)  # type: ignore[arg-type]
    assert reload(failed).status == "RUNNING"
    airflow.state = said
    Reconciler(airflow).apply(said)  # type: ignore[arg-type]
    assert reload(failed).status == "FAILED"


def test_a_retry_that_is_delivered_twice_is_one(
    failed: Run, handlers: Handlers, airflow: Airflow
) -> None:
    job = retry(failed, latest=False)
    with unit_of_work() as session:
        # As its first step does.
        runs.renew(session, session.get_one(Run, failed.id), 1)
    handlers.handle(job)
    assert airflow.retried == []


def test_a_run_that_was_cancelled_before_its_retry_stays_so(
    failed: Run, handlers: Handlers, airflow: Airflow
) -> None:
    job = retry(failed, latest=False)
    with unit_of_work() as session:
        runs.end_run(session, failed.id, RunStatus.CANCELLED, "Cancelled.")
    handlers.handle(job)
    assert (airflow.retried, reload(failed).status) == ([], "CANCELLED")


@pytest.mark.parametrize("latest", [True, False])
def test_a_retry_that_airflow_refuses_fails_the_run_and_says_why(
    failed: Run, handlers: Handlers, latest: bool
) -> None:
    job = retry(failed, latest=latest)
    handlers.give_up(job, "OrchestratorError: no")
    assert (reload(failed).status, reload(failed).error) == (
        "FAILED",
        "Could not be retried: OrchestratorError: no",
    )
    assert retry(failed, latest=latest).dead_at is None


def test_one_retry_at_a_time_decides_the_version(failed: Run) -> None:
    retry(failed)
    retry(failed)
    with pytest.raises(Conflict, match="on another version already"):
        retry(failed, latest=False)
