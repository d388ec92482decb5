"""Records runs that Airflow itself created, by a schedule or for a person in its UI."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from automations.db.queue import jobs
from automations.db.runs import new_runs, runs
from automations.db.runs.new_runs import NewRun
from automations.db.session import Session
from automations.db.tables import JobKind, Run, Workflow
from automations.db.workflows import versions, workflows
from automations.definitions import published
from automations.domain import people
from automations.domain.statuses import UNFINISHED, RunStatus, SlotStatus, WorkflowStatus
from automations.errors import DomainError, RateLimited
from automations.kit.clock import timestamp
from automations.kit.storable import fault
from automations.kit.values import JSON
from automations.services.audit import audit
from automations.services.runs import by_hand, starting
from automations.services.workflows import payloads

_SCHEDULED = "scheduled"
_BACKFILL = "backfill"
"""Airflow's words."""


@dataclass(frozen=True, slots=True)
class AirflowRun:
    """A run of an automation that Airflow has created.

    Args:
        run_id: the DagRun's, which becomes our run's id if it has our form.
        run_type: the DagRun's (``manual``, ``scheduled``, …).
        conf: the DagRun's, which becomes our run's input.
        version: the version that Airflow runs; None for the newest one, if it is not known.
        due_at: when a scheduled run was due, or one of a backfill would have been.
    """

    workflow_id: str
    run_id: str
    run_type: str
    conf: Mapping[str, Any] = field(default_factory=dict)
    started_by: str | None = None
    version: int | None = None
    due_at: datetime | None = None


def record_run(session: Session, airflow_run: AirflowRun) -> Run | None:
    """Record a run that Airflow has; None if it is recorded already or belongs to no automation.

    A run whose input cannot be stored or does not fit the trigger's schema is FAILED at once, and
    so is one of an ARCHIVED automation. A run over the rate limit is CANCELLED at once, and so is a
    scheduled run that must not overlap while another one has not ended.
    """
    is_scheduled = airflow_run.run_type in (_SCHEDULED, _BACKFILL)
    # If two come at once, one of them must see the other.
    lock = workflows.lock if is_scheduled else workflows.by_id
    workflow = lock(session, airflow_run.workflow_id)
    if workflow is None:
        return None
    # Airflow accepts confs that we cannot store, or that would crash whoever shows them.
    problem = fault(dict(airflow_run.conf))
    version = airflow_run.version or workflow.version
    stored = versions.definition(session, workflow.id, version) or {}
    new = _new_run(airflow_run, stored, is_scheduled=is_scheduled, is_storable=problem is None)
    prepared = starting.prepare(session, workflow, new, stored)
    run = new_runs.insert_run(session, workflow, prepared.new)
    if run is None:
        return None
    if airflow_run.started_by:
        by = audit.Actor("airflow", airflow_run.started_by)
        more = {"runId": run.id, **new.trigger_data}
        audit.record(session, "workflow.execute", workflow, by=by, name=workflow.name, **more)
    end = _end_at_once(workflow, problem, prepared.rejection)
    if end is not None:
        runs.end_run(session, run.id, *end)
        session.refresh(run)
    # A backfill has its own limit of concurrent runs.
    elif airflow_run.run_type == _SCHEDULED and stored.get("trigger", {}).get("overlap") == "skip":
        _skip_when_overlapping(session, workflow, run)
    if run.slot == SlotStatus.WAITING and run.status in UNFINISHED:
        jobs.enqueue(session, JobKind.ADMIT_RUN, run.id)
    return run


def _new_run(
    airflow_run: AirflowRun, stored: Mapping[str, Any], *, is_scheduled: bool, is_storable: bool
) -> NewRun:
    data: dict[str, JSON] = {}
    if is_scheduled and airflow_run.due_at is not None:
        data["scheduledFor"] = timestamp(airflow_run.due_at)
    run_id = published.run_id(airflow_run.workflow_id, airflow_run.run_id)
    return NewRun(
        id=run_id,
        dag_run_id=airflow_run.run_id if airflow_run.run_id != run_id else None,
        trigger_type="schedule" if is_scheduled else airflow_run.run_type,
        trigger_data=data,
        input=payloads.drop_blanks(stored, airflow_run.conf) if is_storable else {},
        started_by=airflow_run.started_by,
        starters=[people.airflow_user(airflow_run.started_by)] if airflow_run.started_by else [],
        version=airflow_run.version,
        dispatched=True,
    )


def _end_at_once(
    workflow: Workflow, problem: str | None, rejection: DomainError | None
) -> tuple[RunStatus, str] | None:
    """How a run ends that may not begin, and why; None if it may."""
    if workflow.status == WorkflowStatus.ARCHIVED:
        return RunStatus.FAILED, by_hand.ARCHIVED
    if problem is not None:
        return RunStatus.FAILED, f"Its conf {problem}."
    if isinstance(rejection, RateLimited):
        return RunStatus.CANCELLED, f"Skipped: {rejection.rule}."
    return None if rejection is None else (RunStatus.FAILED, rejection.message)


def _skip_when_overlapping(session: Session, workflow: Workflow, run: Run) -> None:
    other = runs.other_unfinished(session, workflow.id, run.id)
    if other is not None:
        reason = f"Skipped: run {other} of this automation has not ended (overlap: skip)."
        runs.end_run(session, run.id, RunStatus.CANCELLED, reason)
        session.refresh(run)
