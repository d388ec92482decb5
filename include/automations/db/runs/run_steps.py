"""The steps of runs: the state and result of each, and the lines of the run's log."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import Update, bindparam, exists, func, null, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from automations.db.tables import RunStep, StepLog
from automations.db.tables.base import Json
from automations.domain.statuses import SETTLED, AttemptStatus, StepStatus
from automations.kit import common_clock
from automations.kit.values import JSON

LOG_OUTPUT_LENGTH = 500

ENDED = (StepStatus.DONE, StepStatus.FAILED)
"""Final statuses of a node that was run, unless it is cleared in Airflow."""


_JSON = ("output", "verdict", "input", "log_lines")
_ENDED = ", ".join(f"'{status}'" for status in ENDED)
_ALL_SETTLED = ", ".join(f"'{status}'" for status in SETTLED)

# Built once: compiling such a statement takes longer than PostgreSQL takes to execute it.
_BEGIN = select(RunStep).from_statement(
    text(f"""
    INSERT INTO run_step (run_id, node_id, attempt, status, generation, started_at)
    VALUES (:run, :node, 1, :status, :generation, :now)
    ON CONFLICT (run_id, node_id) DO UPDATE SET
        status = excluded.status, generation = excluded.generation,
        started_at = excluded.started_at,
        attempt = CASE WHEN run_step.generation = :generation THEN run_step.attempt ELSE 1 END,
        deaths = CASE WHEN run_step.generation = :generation THEN run_step.deaths ELSE 0 END,
        unseen_deaths =
            CASE WHEN run_step.generation = :generation THEN run_step.unseen_deaths ELSE 0 END,
        output = NULL, verdict = NULL, ended_at = NULL, retry_at = NULL, log_lines = NULL
    WHERE run_step.generation < :generation
        OR (run_step.generation = :generation AND run_step.status NOT IN ({_ENDED}))
    RETURNING *
    """)  # noqa: S608 -- the words are ours
)
_BEGIN_FIRST = select(RunStep).from_statement(
    text("""
    INSERT INTO run_step (run_id, node_id, attempt, status, generation, started_at)
    VALUES (:run, :node, 1, :status, :generation, :now)
    ON CONFLICT DO NOTHING RETURNING *
    """)
)
_END = text(f"""
UPDATE run_step SET status = :status, output = :output, verdict = :verdict, ended_at = :now,
    input = coalesce(:input, input), log_lines = :log_lines
WHERE run_id = :run AND node_id = :node AND generation = :generation
    AND status NOT IN ({_ENDED})
RETURNING ARRAY(
    SELECT other.node_id FROM run_step other
    WHERE other.run_id = :run AND other.status IN ({_ALL_SETTLED})
)
""").bindparams(  # noqa: S608 -- the words are ours
    *(bindparam(name, type_=Json(none_as_null=True)) for name in _JSON),
)
# As one document: building two statements of many rows takes longer than executing this.
_ADD_ENDED = text(f"""
WITH ended AS MATERIALIZED (
    SELECT * FROM json_to_recordset(CAST(:steps AS json)) AS step (
        step_id text, step_type text, step_name text, status text, duration_ms integer,
        output text, started_at timestamptz, timestamp timestamptz,
        input json, result json, verdict json, log_lines json
    )
), added AS (
    INSERT INTO run_step (
        run_id, node_id, attempt, status, generation, started_at, ended_at,
        input, output, verdict, log_lines
    )
    SELECT :run, step_id, 1, '{StepStatus.DONE}', :generation, started_at, timestamp,
        input, result, verdict, log_lines
    FROM ended
    ON CONFLICT DO NOTHING RETURNING node_id
), logged AS (
    INSERT INTO step_log (
        run_id, step_id, step_type, step_name, status, duration_ms, timestamp, output
    )
    SELECT :run, step_id, step_type, step_name, status, duration_ms, timestamp, output FROM ended
)
SELECT count(*) FROM added
""")  # noqa: S608 -- the word is ours
_LOG = insert(StepLog)
_SETTLED = select(RunStep.node_id).where(
    RunStep.run_id == bindparam("run"), RunStep.status.in_(SETTLED)
)
_OUTPUTS = select(RunStep.node_id, RunStep.output).where(
    RunStep.run_id == bindparam("run"), RunStep.status == StepStatus.DONE
)


_DIED = text(f"""
UPDATE run_step SET unseen_deaths = unseen_deaths + 1
WHERE run_id = :run AND status = '{StepStatus.RUNNING}'
""")  # noqa: S608 -- the word is ours


@dataclass(frozen=True, slots=True)
class LogLine:
    """An attempt at a step that has ended.

    Args:
        iteration: in a loop, the item's index, after those of the enclosing loops.
    """

    step: Any
    status: AttemptStatus
    started_at: datetime
    ended_at: datetime
    output: str
    iteration: list[int] | None = None


@dataclass(frozen=True, slots=True)
class EndedStep:
    """A node that is done at its first attempt, and has no row yet.

    Args:
        line: what the run's log says of it.
        input: its config in its recordable form.
        log_lines: for the log of its task.
    """

    line: LogLine
    input: dict[str, JSON]
    output: dict[str, JSON]
    verdict: dict[str, JSON]
    log_lines: list[Any] | None

    def to_json(self) -> dict[str, JSON]:
        """The parameters of ``_ADD_ENDED``."""
        return {
            **_columns(self.line),
            "started_at": self.line.started_at.isoformat(),
            "timestamp": self.line.ended_at.isoformat(),
            "input": self.input,
            "result": self.output,
            "verdict": self.verdict,
            "log_lines": self.log_lines,
        }


def step(session: Session, run_id: str, node_id: str) -> RunStep | None:
    """The row of a node, if it was entered."""
    return session.get(RunStep, (run_id, node_id), populate_existing=True)


def rows(session: Session, run_id: str) -> list[RunStep]:
    """The rows of all nodes of a run that were entered."""
    query = select(RunStep).where(RunStep.run_id == run_id)
    return list(session.scalars(query, execution_options={"populate_existing": True}))


def of_runs(session: Session, run_ids: Iterable[str]) -> dict[str, list[RunStep]]:
    """The rows of the nodes of some runs, by run."""
    by_run: dict[str, list[RunStep]] = {}
    for row in session.scalars(select(RunStep).where(RunStep.run_id.in_(list(run_ids)))):
        by_run.setdefault(row.run_id, []).append(row)
    return by_run


def forget_log_lines(session: Session, run_ids: Iterable[str]) -> None:
    """Delete the log lines kept for tasks, once the orchestrator has them."""
    session.execute(
        update(RunStep)
        .where(RunStep.run_id.in_(list(run_ids)), RunStep.log_lines.is_not(None))
        .values(log_lines=null())
    )


def override(
    session: Session, run_id: str, node_id: str, generation: int, output: dict[str, JSON]
) -> None:
    """Mark a node as done, whatever its status, since it is done for the orchestrator."""
    now = common_clock.now()
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
    """Correct in a step's log lines who decided, when that becomes known later."""
    session.execute(
        update(StepLog)
        .where(StepLog.run_id == run_id, StepLog.step_id == step_id)
        .values(output=func.replace(StepLog.output, json.dumps(old), json.dumps(new)))
    )


def has_begun(session: Session, run_id: str) -> bool:
    """Whether any step of a run has begun."""
    return session.scalar(select(exists().where(RunStep.run_id == run_id))) or False


def steps(session: Session, run_id: str, generation: int) -> dict[str, RunStep]:
    """The rows of the nodes that a generation has entered, by node."""
    query = select(RunStep).where(RunStep.run_id == run_id, RunStep.generation == generation)
    return {row.node_id: row for row in session.scalars(query)}


def begin(
    session: Session, run_id: str, node_id: str, generation: int, status: StepStatus
) -> RunStep:
    """Mark a node as begun in a generation, or as waiting to begin.

    It must neither have ended in this generation nor belong to a later one.
    """
    values = {"run": run_id, "node": node_id, "status": status, "generation": generation}
    values["now"] = common_clock.now()
    begun = session.scalars(_BEGIN, values, execution_options={"populate_existing": True})
    row: RunStep = begun.one()
    return row


def begin_first(
    session: Session, run_id: str, node_id: str, generation: int, started_at: datetime
) -> RunStep | None:
    """Mark a node as begun that nobody has entered yet; None if somebody has."""
    values = {"run": run_id, "node": node_id, "generation": generation}
    values |= {"status": StepStatus.RUNNING, "now": started_at}
    begun: RunStep | None = session.scalars(_BEGIN_FIRST, values).one_or_none()
    return begun


def wait(session: Session, step: RunStep, output: dict[str, JSON] | None) -> None:
    """Mark a node that has begun as waiting, with its output so far."""
    session.execute(_update_unended(step).values(status=StepStatus.WAITING, output=output))


def end(
    session: Session,
    step: RunStep,
    status: StepStatus,
    output: dict[str, JSON],
    verdict: dict[str, JSON] | None,
    more: Mapping[str, Any] = MappingProxyType({}),
) -> set[str]:
    """Mark a node that has begun as ended, with its result.

    Args:
        more: other columns to set.

    Returns:
        Ids of the nodes that are done or skipped, itself included.
    """
    columns = {"input": None, "log_lines": None, **more}
    others = session.connection().scalar(
        _END,
        {
            "run": step.run_id,
            "node": step.node_id,
            "generation": step.generation,
            "status": status,
            "output": output,
            "verdict": verdict,
            "now": common_clock.now(),
            **columns,
        },
    )
    return {step.node_id, *(others or ())}


def add_ended(session: Session, run_id: str, generation: int, steps: Iterable[EndedStep]) -> bool:
    """Add the rows and log lines of nodes that nobody has entered before.

    Returns:
        False if somebody has: what was added must be rolled back.
    """
    rows = [step.to_json() for step in steps]
    values = {"run": run_id, "generation": generation, "steps": json.dumps(rows)}
    added: int = session.connection().scalar(_ADD_ENDED, values) or 0
    return added == len(rows)


def add_output(
    session: Session, run_id: str, node_id: str, generation: int, more: dict[str, JSON]
) -> None:
    """Add to the output of a node of a generation."""
    run_step = session.get(RunStep, (run_id, node_id), with_for_update=True, populate_existing=True)
    if run_step is not None and run_step.generation == generation:
        run_step.output = {**(run_step.output or {}), **more}


def _update_unended(step: RunStep) -> Update:
    return update(RunStep).where(
        RunStep.run_id == step.run_id,
        RunStep.node_id == step.node_id,
        RunStep.generation == step.generation,
        RunStep.status.not_in(ENDED),
    )


def keep_input(session: Session, run_id: str, node_id: str, rendered: dict[str, JSON]) -> None:
    """Store the rendered config of a node."""
    session.execute(
        update(RunStep)
        .where(RunStep.run_id == run_id, RunStep.node_id == node_id)
        .values(input=rendered)
    )


def settled_nodes(session: Session, run_id: str) -> set[str]:
    """Ids of the nodes that are done or skipped."""
    return set(session.scalars(_SETTLED, {"run": run_id}))


def outputs(session: Session, run_id: str) -> dict[str, JSON]:
    """Outputs by node of the nodes that are done."""
    rows = session.execute(_OUTPUTS, {"run": run_id})
    return {node_id: output for node_id, output in rows}  # noqa: C416


def skip(session: Session, run_id: str, node_ids: Iterable[str], generation: int) -> None:
    """Mark nodes as skipped, unless this generation has entered them."""
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


def leave_out(session: Session, step: RunStep) -> None:
    """Mark a node that has begun as skipped."""
    now = common_clock.now()
    left = {"status": StepStatus.SKIPPED, "output": None, "ended_at": now}
    session.execute(_update_unended(step).values(**left))


def log(session: Session, run_id: str, lines: Iterable[LogLine]) -> None:
    """Add lines to the run's log, their output cut to ``LOG_OUTPUT_LENGTH``."""
    rows = [
        {
            **_columns(line),
            "run_id": run_id,
            "timestamp": line.ended_at,
            "iteration": line.iteration,
        }
        for line in lines
    ]
    if rows:
        session.connection().execute(_LOG, rows)


def _columns(line: LogLine) -> dict[str, JSON]:
    return {
        "step_id": line.step.id,
        "step_type": line.step.type,
        "step_name": line.step.name,
        "status": line.status,
        "duration_ms": max(0, round((line.ended_at - line.started_at).total_seconds() * 1000)),
        "output": line.output[:LOG_OUTPUT_LENGTH],
    }


def count_lines(
    session: Session, run_id: str, step_ids: Iterable[str], since: datetime
) -> dict[bool, int]:
    """How many lines the log has for these steps, by whether they report failures."""
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


def note_death(session: Session, run_id: str) -> None:
    """Count a death for the steps that a run was running, until they begin again."""
    session.execute(_DIED, {"run": run_id})
