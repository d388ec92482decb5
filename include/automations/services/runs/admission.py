"""Admits runs: lets them begin when their automation's limits have room for them.

A run that may not begin yet is RUNNING and waits for a slot: it has no DagRun, or, if Airflow
created that itself, its first task sleeps. Slots are handed out under a lock on the key; whoever
ends a run in flight enqueues a job that admits the next one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import timedelta

from automations.db.queue import jobs
from automations.db.runs import rates, run_steps, runs, slots
from automations.db.session import Session
from automations.db.tables import JobKind, Run, Workflow
from automations.db.waits import waits
from automations.db.workflows import versions
from automations.definitions.flow_control import FlowControl, key_of
from automations.domain.fields import parse_duration
from automations.domain.statuses import UNFINISHED, Decision, RunStatus, WaitKind
from automations.errors import RateLimited
from automations.kit.values import JSON
from automations.services.runs import cancellations

_MAX_BATCH = 100
"""Runs that are considered in one transaction; another job goes on with the rest."""
_SHOW_DELAY = timedelta(seconds=0.5)
"""So that runs that have ended are shown in Airflow in batches, and not during a burst."""


def rate_key(
    session: Session, workflow_id: str, flow: FlowControl, names: Mapping[str, JSON]
) -> str | None:
    """The key of a run that begins now in the automation's rate limit, if that applies to it.

    Raises:
        RateLimited: too many runs with this key have begun.
    """
    limit = flow.rate_limit
    if limit is None:
        return None
    key = key_of(limit, names, workflow_id)
    if key is None:
        return None
    left = rates.time_to_wait(session, key, limit.limit, parse_duration(limit.per))
    if left is not None:
        raise RateLimited(limit.rule(), math.ceil(left.total_seconds()) or 1)
    return key


def slot_key(workflow_id: str, flow: FlowControl, names: Mapping[str, JSON]) -> str | None:
    """The key of a run in the automation's limit of concurrent runs, if it has one."""
    return key_of(flow.concurrency, names, workflow_id) if flow.concurrency else None


def enqueue(session: Session, run: Run) -> None:
    """Have the dispatcher start a run, as soon as there is a slot for it if it needs one."""
    if run.slot_key is None:
        start(session, run)
    else:
        jobs.enqueue(session, JobKind.ADMIT_RUN, run.id)


def admit(session: Session, run: Run) -> None:
    """Hand out the free slots of a run's key, first come first served, by the newest limit."""
    if run.slot_key is None:
        return
    # Before anything is read: otherwise two processes could both hand out the last slot.
    slots.lock(session, run.slot_key)
    workflow = session.get_one(Workflow, run.workflow_id, populate_existing=True)
    stored = versions.definition(session, workflow.id, workflow.version) or {}
    limit = FlowControl.of(stored).concurrency
    held = slots.count_held(session, run.slot_key)
    queued = limit is not None and limit.policy == "queue"
    free = limit.limit - held if limit is not None else _MAX_BATCH
    waiting = slots.waiting(session, run.slot_key, max(free, 0) if queued else _MAX_BATCH)
    for earlier in waiting:
        if limit is None or held < limit.limit:
            held += 1
        elif limit.policy == "skip":
            _skip(session, earlier, f"{limit.limit} in flight (concurrency: skip)")
            continue
        else:
            reason = f"Run {earlier.id} took its place (concurrency: cancel_running)."
            cancellations.end(session, slots.oldest_held(session, run.slot_key), reason)
        _hold(session, earlier)
    if len(waiting) == _MAX_BATCH:
        jobs.enqueue(session, JobKind.ADMIT_RUN, waiting[-1].id)


def _hold(session: Session, run: Run) -> None:
    slots.hold(session, run.id)
    wait = waits.open_wait_of(session, run.id)
    if wait is not None and wait.kind == WaitKind.SLOT:
        waits.settle(session, wait, waits.Ending(Decision.RESUMED))
    elif run.dispatched_at is None and run_steps.has_begun(session, run.id):
        bring(session, run)  # Express workers have had it.
    elif run.dispatched_at is None:
        start(session, run)


def start(session: Session, run: Run) -> None:
    """Have a run begin that needs no slot, or holds one."""
    if run.express:
        jobs.enqueue(session, JobKind.EXPRESS_RUN, run.id)
    else:
        bring(session, run)


def bring(session: Session, run: Run) -> None:
    """Have the dispatcher bring a run to Airflow, which runs what is left of it."""
    # A run that waits for this one is in Airflow already, and goes on only after it.
    jobs.enqueue(session, JobKind.START_CHILD if run.awaited else JobKind.START_RUN, run.id)


def leave_express(session: Session, run: Run) -> None:
    """Have Airflow given a run that express workers are finished with.

    A run that has ended is shown there. One that has failed fails there in its own task, which
    reads the recorded verdict.
    """
    if run.status in UNFINISHED or run.status == RunStatus.FAILED:
        bring(session, run)
    elif run_steps.has_begun(session, run.id):
        jobs.enqueue(session, JobKind.SHOW_RUN, run.id, _SHOW_DELAY)


def _skip(session: Session, run: Run, why: str) -> None:
    reason = f"Skipped: the automation has {why}."
    if waits.open_wait_of(session, run.id) is None:
        # Its first task, if there is one, finds it ended.
        runs.end_run(session, run.id, RunStatus.CANCELLED, reason)
    else:
        cancellations.end(session, run, reason)
