"""Reads runs for clients."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Executable,
    bindparam,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session, aliased

from automations.db.plain_rows import plain_rows
from automations.db.tables import Run, RunStep, Wait, Workflow
from automations.db.tables import StepLog as LogRow
from automations.db.tables.base import Json
from automations.domain.runs import Pause, RunFilter, RunSummary, StepLog, StepState
from automations.domain.statuses import (
    UNFINISHED,
    AttemptStatus,
    RunStatus,
    SlotStatus,
    StepStatus,
    WaitKind,
    WaitStatus,
)
from automations.domain.workflows import HeldUp
from automations.kit.values import JSON

NEWEST_FIRST = (Run.started_at.desc(), Run.id)
SUMMARY = (
    Run.id,
    Run.workflow_id,
    Run.status,
    Run.started_at,
    Run.completed_at,
    Run.error,
    Run.replay_of_run_id,
)
"""The columns of a ``RunSummary``."""

_RUN_ID: BindParameter[str] = bindparam("run_id")


def _gathered(columns: Sequence[Any], condition: ColumnElement[bool], order: Any) -> Any:
    """The rows of another table as one value: a list of lists."""
    row = func.json_build_array(*columns)
    rows = func.json_agg(aggregate_order_by(row, order), type_=Json)
    return select(func.coalesce(rows, text("'[]'"), type_=Json)).where(condition).scalar_subquery()


_Child = aliased(Run)
# Of one moment, so that a run and its parts agree; and made once, for whoever follows a run asks it
# again and again, and to make a statement costs as much as to ask it.
_RECORD = (
    select(
        *SUMMARY,
        Run.version,
        Run.trigger_type,
        Run.slot,
        Run.started_by,
        Run.variables,
        Run.model_tokens,
        Run.model_cost,
        Workflow.name,
        _gathered(
            (RunStep.node_id, RunStep.status, RunStep.input, RunStep.output, RunStep.retries),
            RunStep.run_id == _RUN_ID,
            RunStep.started_at,
        ),
        _gathered(
            (
                LogRow.step_id,
                LogRow.step_type,
                LogRow.step_name,
                LogRow.status,
                LogRow.duration_ms,
                LogRow.timestamp,
                LogRow.output,
                LogRow.iteration,
            ),
            LogRow.run_id == _RUN_ID,
            LogRow.id,
        ),
        _gathered(
            [getattr(_Child, column.key) for column in SUMMARY],
            _Child.parent_run_id == _RUN_ID,
            _Child.started_at,
        ),
        Workflow.held_up,
        Workflow.held_up_by,
        Workflow.held_up_since,
        Wait.kind,
        Wait.node_id,
        Wait.due_at,
    )
    .join(Workflow, Workflow.id == Run.workflow_id)
    .outerjoin(
        Wait,
        (Wait.run_id == Run.id) & (Wait.status == WaitStatus.OPEN) & (Wait.kind != WaitKind.SLOT),
    )
    .where(Run.id == _RUN_ID, Run.workflow_id == bindparam("workflow_id"))
    .where(Workflow.workspace_id == bindparam("workspace_id"))
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run as it is stored, and what it waits for, if that is not a turn.

    Args:
        steps: in the order in which they were begun.
        held_up: why the automation's runs stand still in Airflow, when they do.
    """

    run: RunSummary
    version: int
    trigger_type: str
    slot: SlotStatus | None
    started_by: str | None
    variables: dict[str, JSON]
    model_tokens: int
    model_cost: Decimal
    workflow_name: str
    steps: Sequence[StepState]
    logs: Sequence[StepLog]
    children: Sequence[RunSummary]
    held_up: HeldUp | None
    pause: Pause | None


def statuses(session: Session, run_ids: Collection[str]) -> dict[str, RunStatus]:
    """How runs stand, by id; of those that are not there, nothing."""
    query = select(Run.id, Run.status).where(Run.id.in_(run_ids))
    return {row[0]: row[1] for row in session.execute(query)}


def page(
    session: Session,
    workspace_id: str,
    workflow_id: str,
    criteria: RunFilter,
    offset: int,
    limit: int,
) -> Sequence[RunSummary]:
    """One page of the runs of an automation of a workspace, newest first."""
    filters = {name: value for name, value in asdict(criteria).items() if value is not None}
    return _summaries(
        session,
        _page(frozenset(filters)),
        **filters,
        workspace_id=workspace_id,
        workflow_id=workflow_id,
        offset=offset,
        limit=limit,
    )


@lru_cache(maxsize=16)
def _page(filters: frozenset[str]) -> Executable:
    placeholders: dict[str, Any] = {name: bindparam(name) for name in filters}
    return (
        select(*SUMMARY)
        .where(
            *conditions(bindparam("workflow_id"), RunFilter(**placeholders)),
            Run.workspace_id == bindparam("workspace_id"),
        )
        .order_by(*NEWEST_FIRST)
        .offset(bindparam("offset", type_=BigInteger))
        .limit(bindparam("limit", type_=BigInteger))
    )


def count(session: Session, workflow_id: str, criteria: RunFilter) -> int:
    """How many of an automation's runs are asked for, by counting them."""
    query = select(func.count()).select_from(Run).where(*conditions(workflow_id, criteria))
    return session.scalar(query) or 0


def page_after(
    session: Session,
    workflow_id: str,
    criteria: RunFilter,
    after: tuple[datetime, str] | None,
    limit: int,
) -> Sequence[RunSummary]:
    """The runs that come behind one in a list with the newest first; a deep list stays fast."""
    query = select(*SUMMARY).where(*conditions(workflow_id, criteria), *older_than(after))
    return _summaries(session, query.order_by(*NEWEST_FIRST).limit(limit))


def newest(
    session: Session, workflow_id: str, criteria: RunFilter, limit: int, without: str
) -> Sequence[Run]:
    """The newest runs that are asked for, whole.

    Args:
        without: a trigger type whose runs are passed over.
    """
    query = select(Run).where(*conditions(workflow_id, criteria), Run.trigger_type != without)
    return session.scalars(query.order_by(*NEWEST_FIRST).limit(limit)).all()


def older_than(after: tuple[datetime, str] | None) -> list[ColumnElement[bool]]:
    """Only runs that come behind one in a list with the newest first."""
    if after is None:
        return []
    at, run_id = after
    return [(Run.started_at < at) | ((Run.started_at == at) & (Run.id > run_id))]


def conditions(workflow_id: Any, criteria: RunFilter) -> list[ColumnElement[bool]]:
    """Only runs that are asked for, of one automation when it is named.

    Args:
        workflow_id: an id, or a statement's placeholder for one; so may be what ``criteria`` has.
    """
    clauses = [] if workflow_id is None else [Run.workflow_id == workflow_id]
    if criteria.status is not None:
        clauses.append(Run.status == criteria.status)
    if criteria.since is not None:
        clauses.append(Run.started_at >= criteria.since)
    if criteria.until is not None:
        clauses.append(Run.started_at < criteria.until)
    if criteria.trigger_type is not None:
        clauses.append(Run.trigger_type == criteria.trigger_type)
    return clauses


def _summaries(session: Session, query: Executable, **values: Any) -> Sequence[RunSummary]:
    return [RunSummary(*row) for row in plain_rows(session, query, values)]


def in_flight(
    session: Session, workflow_id: str, before_version: int, kept_nodes: Collection[str]
) -> tuple[int, dict[str, str]]:
    """The unfinished runs of an automation that began on an older version.

    Returns:
        How many they are, and where those wait that wait at a node which is not kept, by run.
    """
    older = (
        Run.workflow_id == workflow_id,
        Run.version < before_version,
        Run.status.in_(UNFINISHED),
    )
    number = session.scalar(select(func.count()).select_from(Run).where(*older)) or 0
    rows = session.execute(
        select(Wait.run_id, Wait.node_id)
        .join(Run, Run.id == Wait.run_id)
        .where(*older, Wait.status == WaitStatus.OPEN, Wait.node_id.not_in(kept_nodes))
        .order_by(Run.started_at, Run.id)
    )
    return number, {run_id: node_id for run_id, node_id in rows}  # noqa: C416 -- a Row is no pair


def find(session: Session, workflow_id: str, run_id: str) -> Run | None:
    """A run of an automation."""
    return session.scalar(select(Run).where(Run.id == run_id, Run.workflow_id == workflow_id))


def find_record(
    session: Session, workspace_id: str, workflow_id: str, run_id: str
) -> RunRecord | None:
    """A run of an automation of a workspace."""
    values = {"workspace_id": workspace_id, "workflow_id": workflow_id, "run_id": run_id}
    rows = plain_rows(session, _RECORD, values)
    return _record(*rows[0]) if rows else None


def _record(*columns: Any) -> RunRecord:
    *record, steps, logs, children, hold, held_by, held_since, wait, node_id, due_at = columns
    length = len(SUMMARY)
    return RunRecord(
        RunSummary(*record[:length]),
        *[
            *record[length:],
            [_step(*step) for step in steps],
            [_log(*line) for line in logs],
            [_child(*child) for child in children],
            HeldUp(hold, held_by, held_since) if hold else None,
            Pause(wait, node_id, due_at) if wait else None,
        ],
    )


def _step(node_id: str, status: str, *values: Any) -> StepState:
    return StepState(node_id, StepStatus(status), *values)


def _log(
    step_id: str, kind: str, name: str, status: str, milliseconds: int, at: str, *values: Any
) -> StepLog:
    timestamp = datetime.fromisoformat(at)
    return StepLog(step_id, kind, name, AttemptStatus(status), milliseconds, timestamp, *values)


def _child(
    run_id: str, workflow_id: str, status: str, started: str, ended: str | None, *values: Any
) -> RunSummary:
    completed_at = datetime.fromisoformat(ended) if ended else None
    started_at = datetime.fromisoformat(started)
    return RunSummary(run_id, workflow_id, RunStatus(status), started_at, completed_at, *values)


def find_failed_step(session: Session, run_id: str) -> RunStep | None:
    """The step by which a run has failed last, if it was one."""
    return session.scalar(
        select(RunStep)
        .where(RunStep.run_id == run_id, RunStep.status == StepStatus.FAILED)
        .order_by(RunStep.ended_at.desc())
        .limit(1)
    )
