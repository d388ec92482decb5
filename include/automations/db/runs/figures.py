"""Statistics of runs, computed from at most the newest ones, by an index."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from sqlalchemy import (
    ARRAY,
    CTE,
    ColumnElement,
    Float,
    Integer,
    Text,
    case,
    cast,
    extract,
    func,
    literal,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by, array
from sqlalchemy.orm import Session

from automations.db.runs.run_queries import NEWEST_FIRST, conditions
from automations.db.tables import Run, StepLog, Wait
from automations.domain.figures import (
    AGES,
    NO_OUTCOMES,
    QUANTILES,
    CountedRuns,
    FailingStep,
    Outcomes,
    Period,
)
from automations.domain.runs import RunFilter
from automations.domain.statuses import (
    UNFINISHED,
    AttemptStatus,
    RunStatus,
    WaitKind,
    WaitStatus,
)


def outcomes(
    session: Session, workspace_id: str, workflow_id: str | None, period: Period, limit: int
) -> CountedRuns:
    """What became of the runs that began in a period.

    Args:
        workflow_id: None for those of all automations.
        limit: so many are counted, the newest.
    """
    recent = _recent(workspace_id, workflow_id, period, limit)
    begun = extract("epoch", recent.c.started_at - literal(period.since))
    taken = extract("epoch", recent.c.completed_at - recent.c.started_at)
    runs = select(
        recent,
        cast(func.floor(begun / period.width.total_seconds()), Integer).label("part"),
        case((recent.c.status == RunStatus.COMPLETED, cast(taken, Float))).label("seconds"),
    ).cte("runs")
    quantiles = func.percentile_cont(cast(array(QUANTILES), ARRAY(Float)))
    query = select(
        runs.c.part,
        runs.c.workflow_id,
        func.min(runs.c.started_at),
        func.sum(runs.c.model_cost),
        func.sum(runs.c.model_tokens),
        quantiles.within_group(runs.c.seconds),
        *(func.count().filter(runs.c.status == status) for status in RunStatus),
    ).group_by(func.grouping_sets(tuple_(runs.c.part), tuple_(runs.c.workflow_id), tuple_()))
    whole, oldest = NO_OUTCOMES, None
    parts: dict[int, Outcomes] = {}
    automations: dict[str, Outcomes] = {}
    for part, workflow, first, cost, tokens, seconds, *counts in session.execute(query):
        counted = Outcomes(
            {status: n for status, n in zip(RunStatus, counts, strict=True) if n},
            seconds,
            cost or Decimal(0),
            int(tokens or 0),
        )
        if part is not None:
            parts[part] = counted
        elif workflow is not None:
            automations[workflow] = counted
        else:
            whole, oldest = counted, first
    return CountedRuns(whole, parts, automations, oldest)


def failing_steps(
    session: Session,
    workspace_id: str,
    workflow_id: str | None,
    period: Period,
    *,
    limit: int,
    max_failed: int,
    max_steps: int,
) -> Sequence[FailingStep]:
    """The steps at which the most runs of a period have failed.

    Args:
        limit: so many runs are looked at, the newest.
        max_failed: of so many of them is asked at which step they failed.
        max_steps: so many are returned.
    """
    recent = _recent(workspace_id, workflow_id, period, limit)
    failed = (
        select(recent)
        .where(recent.c.status == RunStatus.FAILED)
        .order_by(recent.c.started_at.desc())
        .limit(max_failed)
        .cte("failed")
    )
    line = (
        select(StepLog.step_id, StepLog.step_type, StepLog.step_name)
        .where(StepLog.run_id == failed.c.id, StepLog.status == AttemptStatus.FAILED)
        .order_by(StepLog.id.desc())
        .limit(1)
        .lateral("line")
    )
    newest_first = failed.c.started_at.desc()

    def newest(column: ColumnElement[str]) -> ColumnElement[str]:
        ordered = aggregate_order_by(column, newest_first)
        return func.array_agg(ordered, type_=ARRAY(Text))[1]

    number = func.count()
    query = (
        select(
            failed.c.workflow_id,
            line.c.step_id,
            newest(line.c.step_type),
            newest(line.c.step_name),
            number,
            newest(failed.c.id),
        )
        .select_from(failed)
        .outerjoin(line, true())
        .group_by(failed.c.workflow_id, line.c.step_id)
        .order_by(number.desc(), failed.c.workflow_id, line.c.step_id)
        .limit(max_steps)
    )
    return [FailingStep(*row) for row in session.execute(query)]


def waits(
    session: Session, workspace_id: str, workflow_id: str | None, limit: int
) -> dict[WaitKind, list[int]]:
    """How many unfinished runs wait for what, by how long.

    Args:
        limit: so many unfinished runs are looked at, the oldest: somebody should look after them.
    """
    unfinished = (
        select(Run.id)
        .where(Run.workspace_id == workspace_id, Run.status.in_(UNFINISHED))
        .where(*conditions(workflow_id, RunFilter()))
        .order_by(Run.started_at)
        .limit(limit)
        .cte("unfinished")
    )
    seconds = cast(extract("epoch", func.clock_timestamp() - Wait.created_at), Float)
    bounds = cast(array([age.total_seconds() for age in AGES]), ARRAY(Float))
    age = func.width_bucket(seconds, bounds)
    query = (
        select(Wait.kind, age, func.count())
        .join(unfinished, unfinished.c.id == Wait.run_id)
        .where(Wait.status == WaitStatus.OPEN)
        .group_by(Wait.kind, age)
    )
    by_kind: dict[WaitKind, list[int]] = {}
    for kind, place, n in session.execute(query):
        by_kind.setdefault(kind, [0] * (len(AGES) + 1))[place] = n
    return by_kind


def _recent(workspace_id: str, workflow_id: str | None, period: Period, limit: int) -> CTE:
    """The newest runs of a period."""
    criteria = RunFilter(since=period.since, until=period.until)
    return (
        select(
            Run.id,
            Run.workflow_id,
            Run.status,
            Run.started_at,
            Run.completed_at,
            Run.model_cost,
            Run.model_tokens,
        )
        .where(Run.workspace_id == workspace_id, *conditions(workflow_id, criteria))
        .order_by(*NEWEST_FIRST)
        .limit(limit)
        .cte("recent")
    )
