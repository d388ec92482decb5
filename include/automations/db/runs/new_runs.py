"""New runs: what is known of a run when it begins, and its row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from sqlalchemy import Boolean, Table, bindparam, case, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from automations.db.tables import Run, Workflow
from automations.domain.statuses import SlotStatus
from automations.kit import tracing
from automations.kit.ids import new_id
from automations.kit.values import JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """What is known of a run when it begins.

    Args:
        starters: identities of the people who started it.
        id: the DagRun's, if Airflow has created it; otherwise a new one is made.
        version: None for the automation's newest one; Airflow may have chosen another.
        variables: their first values.
        event_id: the event that starts it; an event starts one run of each automation.
        depth: how many runs have led to it, each the cause of the next.
        awaited: whether the parent waits for it, so that it ends with the parent.
        dispatched: whether Airflow has it already.
        dag_run_id: the DagRun's id, if that has another form than ours.
        slot_key: its key in the limit of concurrent runs, if it must wait for a slot.
        rate_key: its key in the rate limit, if it counts there.
        express: whether express workers run its first steps.
    """

    trigger_type: str
    trigger_data: Mapping[str, JSON]
    input: Mapping[str, JSON]
    started_by: str | None
    starters: Sequence[str] = ()
    id: str | None = None
    version: int | None = None
    variables: Mapping[str, JSON] = field(default_factory=dict)
    event_id: str | None = None
    replay_of: str | None = None
    depth: int = 0
    parent_run_id: str | None = None
    awaited: bool = False
    dispatched: bool = False
    dag_run_id: str | None = None
    slot_key: str | None = None
    rate_key: str | None = None
    express: bool = False


_VALUES = (
    *("id", "workspace_id", "workflow_id", "version", "trigger_type", "trigger_data", "input"),
    *("variables", "slot_key", "rate_key", "slot", "event_id", "replay_of_run_id", "depth"),
    *("parent_run_id", "awaited", "traceparent", "express", "started_by", "starters"),
    "dag_run_id",
)
# Made once: to make a statement of so many columns costs more than to ask it.
_INSERT = select(Run).from_statement(
    insert(cast(Table, Run.__table__))
    .values(
        **{name: bindparam(name) for name in _VALUES},
        dispatched_at=case((bindparam("dispatched", type_=Boolean), func.clock_timestamp())),
    )
    # If two processes record the same run, or match the same event, the first one wins.
    .on_conflict_do_nothing()
    .returning(Run)
)


def insert_run(session: Session, workflow: Workflow, new: NewRun) -> Run | None:
    """Insert a run; None if its id, or a run of the automation for its event, exists already."""
    run_id = new.id or new_id()
    span, traceparent = tracing.beginning("run", run_id=run_id, workflow_id=workflow.id)
    values = {
        "id": run_id,
        "workspace_id": workflow.workspace_id,
        "workflow_id": workflow.id,
        "version": new.version or workflow.version,
        "trigger_type": new.trigger_type,
        "trigger_data": new.trigger_data,
        "input": new.input,
        "variables": new.variables,
        "slot_key": new.slot_key,
        "rate_key": new.rate_key,
        "slot": None if new.slot_key is None else SlotStatus.WAITING,
        "event_id": new.event_id,
        "replay_of_run_id": new.replay_of,
        "depth": new.depth,
        "parent_run_id": new.parent_run_id,
        "awaited": new.awaited,
        "traceparent": traceparent,
        "express": new.express,
        "started_by": new.started_by,
        "starters": list(new.starters),
        "dispatched": new.dispatched,
        "dag_run_id": new.dag_run_id,
    }
    run: Run | None = session.scalar(_INSERT, values)
    if run is not None:
        span.end()
    return run
