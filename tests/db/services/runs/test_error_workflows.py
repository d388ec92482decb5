"""Error workflows: what starts them, with what, and what never does."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from automations.db.runs import runs
from automations.db.session import unit_of_work
from automations.db.tables import Event, Job, Run
from automations.dispatch.jobs.registry import Handlers
from automations.domain.runs import RunSummary
from automations.domain.statuses import RunStatus
from automations.errors import StepError, ValidationFailed
from automations.execution.engine import Engine
from automations.execution.verdicts import GiveUp, TaskRef
from automations.kit.ids import new_id
from automations.services.runs import by_hand
from automations.services.runs.starting import MAX_CHAIN_DEPTH
from automations.services.workflows import workflows
from tests.db.workspace import principal, workspace
from tests.doubles import ports

MAIL = {"to": "a@b.example", "subject": "x", "body": "y"}
STEP = {"id": "tell", "name": "Tell", "type": "email", "order": 0, "config": MAIL}


class Refusing:
    """A mailer that is refused."""

    def send(self, mail: Any) -> Any:
        raise StepError("no such box")


def automation(here: str, on_error: str | None = None, **more: Any) -> str:
    payload = {"name": "Test", "status": "ACTIVE", "steps": [STEP], **more}
    return workflows.create(principal(here), {**payload, "errorWorkflowId": on_error}, ports()).id


def executed(here: str, workflow: str) -> RunSummary:
    return by_hand.execute(principal(here), workflow, {})


def fail(run: RunSummary) -> None:
    """The run's only step fails."""
    engine = Engine(ports(mailer=Refusing()))
    assert isinstance(engine.run(TaskRef(run.id, run.workflow_id, 1, "tell")), GiveUp)


def carried(handlers: Handlers, *kinds: str) -> None:
    """Do what is queued of these kinds, one kind after the other."""
    for kind in kinds:
        with unit_of_work() as session:
            queued = session.scalars(select(Job).where(Job.kind == kind)).all()
        for job in queued:
            handlers.handle(job)


def runs_of(workflow: str) -> list[Run]:
    with unit_of_work() as session:
        return list(session.scalars(select(Run).where(Run.workflow_id == workflow)))


def last_event() -> Event:
    with unit_of_work() as session:
        return session.scalars(select(Event).order_by(Event.created_at.desc())).first()  # type: ignore[return-value]


def test_a_failure_starts_the_error_workflow_once_with_what_happened(
    here: str, handlers: Handlers
) -> None:
    handler = automation(here)
    broken = automation(here, handler, name="Broken")
    run = executed(here, broken)
    fail(run)
    carried(handlers, "report_failure", "match_event")
    (started,) = runs_of(handler)
    assert (started.trigger_type, started.depth, started.status) == ("error", 1, "RUNNING")
    given = dict(started.input)
    assert given.pop("failedAt").endswith("Z")
    assert given == {
        "runId": run.id,
        "workflowId": broken,
        "workflowName": "Broken",
        "error": "Tell: no such box",
        "stepId": "tell",
        "stepName": "Tell",
        "stepType": "email",
    }
    event = last_event()
    assert (event.type, event.status, event.cause_run_id) == ("RUN_FAILED", "MATCHED", run.id)


def test_a_run_that_is_cancelled_or_has_none_starts_nothing(here: str, handlers: Handlers) -> None:
    handler = automation(here)
    with unit_of_work() as session:
        runs.end_run(session, executed(here, automation(here, handler)).id, RunStatus.CANCELLED)
        runs.end_run(session, executed(here, automation(here)).id, RunStatus.FAILED, "x")
    carried(handlers, "report_failure", "match_event")
    assert runs_of(handler) == []


def test_each_failure_of_a_run_is_reported_and_a_repeated_report_is_not(
    here: str, handlers: Handlers
) -> None:
    handler = automation(here)
    run = executed(here, automation(here, handler))
    for _ in range(2):
        with unit_of_work() as session:
            session.get_one(Run, run.id).status = RunStatus.RUNNING
            session.flush()
            runs.end_run(session, run.id, RunStatus.FAILED, "x")
        with unit_of_work() as session:
            (job,) = session.scalars(select(Job).where(Job.kind == "report_failure"))
        handlers.handle(job)
        handlers.handle(job)
    carried(handlers, "match_event")
    assert len(runs_of(handler)) == 2


def test_one_that_is_not_active_says_so(here: str, handlers: Handlers) -> None:
    handler = automation(here, status="PAUSED")
    fail(executed(here, automation(here, handler)))
    carried(handlers, "report_failure", "match_event")
    assert (last_event().status, runs_of(handler)) == ("SKIPPED", [])
    assert "not ACTIVE: PAUSED" in str(last_event().reason)


def test_failures_of_failures_end(here: str, handlers: Handlers) -> None:
    handler = automation(here)
    run = executed(here, automation(here, handler))
    with unit_of_work() as session:
        session.get_one(Run, run.id).depth = MAX_CHAIN_DEPTH
    fail(run)
    carried(handlers, "report_failure", "match_event")
    assert runs_of(handler) == []
    assert "ends a chain" in str(last_event().reason)


def test_a_ring_and_one_that_is_not_there_are_refused(here: str) -> None:
    first = automation(here)
    second = automation(here, first)
    third = automation(here, second)
    for target in (first, second, third):
        with pytest.raises(ValidationFailed, match="by its own failures") as refused:
            workflows.update(principal(here), first, {"errorWorkflowId": target}, ports())
        assert list(refused.value.field_errors) == ["errorWorkflowId"]
    strangers = automation(workspace("other"))
    for target in (new_id(), strangers):
        with pytest.raises(ValidationFailed, match="there is no automation"):
            automation(here, target)
    workflows.update(principal(here), second, {"errorWorkflowId": None}, ports())
    workflows.update(principal(here), first, {"errorWorkflowId": third}, ports())
    assert workflows.get(here, first).definition["errorWorkflowId"] == third
