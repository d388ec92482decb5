"""The steps of runs: what each came to, and the lines of the log."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Update, case, exists, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from automations.db.tables import RunStep, StepLog
from automations.domain.statuses import SETTLED, AttemptStatus, StepStatus
from automations.kit.values import JSON

LOG_OUTPUT_LENGTH = 500

ENDED = (StepStatus.DONE, StepStatus.FAILED)
"""What a node that was done stands as for good, unless it is cleared in Airflow."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """An attempt at a step that has ended.

    Args:
        iteration: in a loop: the item's index, after those of the loops around it.
    """

    step: Any
    status: AttemptStatus
    started_at: datetime
    ended_at: datetime
    output: str
    iteration: list[int] | None = None


def step(session: Session, run_id: str, node_id: str) -> RunStep | None:
    """Where a node stands."""
    return session.get(RunStep, (run_id, node_id), populate_existing=True)


def rows(session: Session, run_id: str) -> list[RunStep]:
    """Where all nodes of a run stand that it has come to."""
    query = select(RunStep).where(RunStep.run_id == run_id)
    return list(session.scalars(query, execution_options={"populate_existing": True}))


def override(
    session: Session, run_id: str, node_id: str, generation: int, output: dict[str, JSON]
) -> None:
    """Have a node stand as done, however it stood, since the orchestrator takes it for done."""
    now = datetime.now(UTC)
    stands = {
        "status": StepStatus.DONE,
        "generation": generation,
        "output": output,
        "verdict": {"summary": output, "targets": None},
        "ended_at": now,
    }
    query = insert(RunStep).values(
        run_id=run_id, node_id=node_id, attempt=0, started_at=now, **stands
    )
    session.execute(query.on_conflict_do_update(index_elements=["run_id", "node_id"], set_=stands))


def name_in_log(session: Session, run_id: str, step_id: str, old: str, new: str) -> None:
    """Say in the lines of a step who has decided, when that is known later."""
    session.execute(
        update(StepLog)
        .where(StepLog.run_id == run_id, StepLog.step_id == step_id)
        .values(output=func.replace(StepLog.output, json.dumps(old), json.dumps(new)))
    )


def has_begun(session: Session, run_id: str) -> bool:
    """Whether any step of a run was begun."""
    return session.scalar(select(exists().where(RunStep.run_id == run_id))) or False


def steps(session: Session, run_id: str, generation: int) -> dict[str, RunStep]:
    """Where the nodes stand that a generation has come to."""
    query = select(RunStep).where(RunStep.run_id == run_id, RunStep.generation == generation)
    return {row.node_id: row for row in session.scalars(query)}


def begin(
    session: Session, run_id: str, node_id: str, generation: int, status: StepStatus
) -> RunStep:
    """Have a node stand as begun in a generation, or as waiting to begin.

    It must neither have ended in this generation nor stand in a later one.
    """
    stands = {"status": status, "generation": generation, "started_at": datetime.now(UTC)}
    same = RunStep.generation == generation
    query = (
        insert(RunStep)
        .values(run_id=run_id, node_id=node_id, attempt=1, **stands)
        .on_conflict_do_update(
            index_elements=["run_id", "node_id"],
            set_={
                **stands,
                "attempt": case((same, RunStep.attempt), else_=1),
                "deaths": case((same, RunStep.deaths), else_=0),
                **dict.fromkeys(("output", "verdict", "ended_at", "retry_at")),
            },
            where=(RunStep.generation < generation) | (same & RunStep.status.not_in(ENDED)),
        )
        .returning(RunStep)
    )
    return session.scalars(query, execution_options={"populate_existing": True}).one()


def wait(session: Session, step: RunStep, output: dict[str, JSON] | None) -> None:
    """Have a node that was begun stand as waiting, with what it has put out so far."""
    session.execute(_unended(step).values(status=StepStatus.WAITING, output=output))


def end(
    session: Session,
    step: RunStep,
    status: StepStatus,
    output: dict[str, JSON],
    verdict: dict[str, JSON] | None,
) -> None:
    """Have a node that was begun stand as ended, with what it came to."""
    session.execute(
        _unended(step).values(
            status=status, output=output, verdict=verdict, ended_at=datetime.now(UTC)
        )
    )


def put_out(
    session: Session, run_id: str, node_id: str, generation: int, more: dict[str, JSON]
) -> None:
    """Add to what a node of a generation has put out."""
    found = session.get(RunStep, (run_id, node_id), with_for_update=True, populate_existing=True)
    if found is not None and found.generation == generation:
        found.output = {**(found.output or {}), **more}


def _unended(step: RunStep) -> Update:
    return update(RunStep).where(
        RunStep.run_id == step.run_id,
        RunStep.node_id == step.node_id,
        RunStep.generation == step.generation,
        RunStep.status.not_in(ENDED),
    )


def keep_input(session: Session, run_id: str, node_id: str, rendered: dict[str, JSON]) -> None:
    """Note with what a node is done."""
    session.execute(
        update(RunStep)
        .where(RunStep.run_id == run_id, RunStep.node_id == node_id)
        .values(input=rendered)
    )


def settled(session: Session, run_id: str) -> set[str]:
    """Ids of the nodes that are done or left out."""
    return set(
        session.scalars(
            select(RunStep.node_id).where(RunStep.run_id == run_id, RunStep.status.in_(SETTLED))
        )
    )


def outputs(session: Session, run_id: str) -> dict[str, JSON]:
    """Outputs by node of the nodes that are done."""
    rows = session.execute(
        select(RunStep.node_id, RunStep.output).where(
            RunStep.run_id == run_id, RunStep.status == StepStatus.DONE
        )
    )
    return {node_id: output for node_id, output in rows}  # noqa: C416


def skip(session: Session, run_id: str, node_ids: Iterable[str], generation: int) -> None:
    """Mark nodes as left out, unless this generation has been there."""
    rows = [
        {
            "run_id": run_id,
            "node_id": node_id,
            "status": StepStatus.SKIPPED,
            "generation": generation,
            "attempt": 0,
            "started_at": func.clock_timestamp(),
        }
        for node_id in node_ids
    ]
    if rows:
        query = insert(RunStep).values(rows)
        session.execute(
            query.on_conflict_do_update(
                index_elements=["run_id", "node_id"],
                set_={"status": StepStatus.SKIPPED, "generation": generation, "output": None},
                where=RunStep.generation < generation,
            )
        )


def log(session: Session, run_id: str, lines: Iterable[LogLine]) -> None:
    """Add lines to the run's log, their output cut as specified."""
    session.add_all(
        StepLog(
            run_id=run_id,
            step_id=line.step.id,
            step_type=line.step.type,
            step_name=line.step.name,
            status=line.status,
            duration_ms=max(0, round((line.ended_at - line.started_at).total_seconds() * 1000)),
            timestamp=line.ended_at,
            output=line.output[:LOG_OUTPUT_LENGTH],
            iteration=line.iteration,
        )
        for line in lines
    )


def count_lines(
    session: Session, run_id: str, step_ids: Iterable[str], since: datetime
) -> dict[bool, int]:
    """How many lines the log has of these steps, by whether they tell of failures."""
    failed = StepLog.status != AttemptStatus.SUCCESS
    counted = session.execute(
        select(failed, func.count())
        .where(
            StepLog.run_id == run_id,
            StepLog.step_id.in_(list(step_ids)),
            StepLog.timestamp >= since,
        )
        .group_by(failed)
    )
    return {bool(row[0]): int(row[1]) for row in counted}
