"""Runs that Airflow made itself, by its schedule or for a person in its UI, get a row of ours."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from automations.db import jobs, runs, versions, workflows
from automations.db.session import Session
from automations.db.tables import JobKind, Run, Workflow
from automations.definitions.flow_control import FlowControl
from automations.errors import RateLimited
from automations.kit.clock import timestamp
from automations.kit.values import JSON
from automations.services.runs import admission, template_names
from automations.services.runs.template_names import names_at_start

_SCHEDULED = "scheduled"
"""Airflow's word for it."""


def record_run(
    session: Session,
    workflow_id: str,
    *,
    run_id: str,
    run_type: str,
    conf: Mapping[str, Any],
    started_by: str | None,
    version: int | None,
    due_at: datetime | None,
) -> Run | None:
    """Record a run that Airflow has; None when it is recorded already or nobody's.

    One that is over the rate limit is CANCELLED at once, and so is a scheduled one that may not
    overlap while another has not ended.
    """
    scheduled = run_type == _SCHEDULED
    # Of two that come at once, one must see the other.
    lock = workflows.lock if scheduled else workflows.by_id
    workflow = lock(session, workflow_id)
    if workflow is None:
        return None
    data: dict[str, JSON] = {}
    if scheduled and due_at is not None:
        data["scheduledFor"] = timestamp(due_at)
    trigger_type = "schedule" if scheduled else run_type
    stored = versions.definition(session, workflow.id, version or workflow.version) or {}
    variables = template_names.first_variables(stored, trigger_type, data)
    flow = FlowControl.of(stored)
    names = names_at_start(trigger_type, data, conf, variables)
    rate_key, refused = None, None
    try:
        rate_key = admission.rate_key(session, workflow.id, flow, names)
    except RateLimited as limited:
        refused = limited
    run = runs.insert_run(
        session,
        workflow,
        trigger_type=trigger_type,
        trigger_data=data,
        input=dict(conf),
        started_by=started_by,
        run_id=run_id,
        version=version,
        dispatched=True,
        variables=variables,
        slot_key=admission.slot_key(workflow.id, flow, names),
        rate_key=rate_key,
    )
    if run is None:
        return None
    if refused is not None:
        runs.end_run(session, run.id, "CANCELLED", f"Skipped: {refused.rule}.")
        session.refresh(run)
    elif scheduled and stored.get("trigger", {}).get("overlap") == "skip":
        _skip_when_overlapping(session, workflow, run)
    if run.slot == "WAITING" and run.status in runs.UNFINISHED:
        jobs.enqueue(session, JobKind.ADMIT_RUN, run.id)
    return run


def _skip_when_overlapping(session: Session, workflow: Workflow, run: Run) -> None:
    other = runs.other_unfinished(session, workflow.id, run.id)
    if other is not None:
        reason = f"Skipped: run {other} of this automation has not ended (overlap: skip)."
        runs.end_run(session, run.id, "CANCELLED", reason)
        session.refresh(run)
