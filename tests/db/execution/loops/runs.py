"""Runs of a loop, and what it puts out and keeps."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select

from automations.db.session import unit_of_work
from automations.db.tables import LoopCursor, LoopResult, Run
from automations.execution.engine import Engine
from automations.execution.verdicts import Sleep
from automations.services.waits import decisions
from tests.db.runs import MAIL, row, step, task
from tests.db.workspace import principal


def mail(name: str = "mail", body: str = "{{loop.item}}", order: int = 0, **more: Any) -> Any:
    return step(name, "email", order, {**MAIL, "body": body}, **more)


def loop(*body: dict[str, Any], over: Any, name: str = "loop", **config: Any) -> dict[str, Any]:
    return step(name, "loop", 0, {"collection": over, "steps": list(body), **config})


def output(run: Run, node: str = "loop") -> dict[str, Any]:
    found = row(run, node)
    assert found is not None
    return found.output or {}


def kept() -> int:
    """Rows that are kept of loops."""
    with unit_of_work() as session:
        return sum(
            session.scalar(select(func.count()).select_from(table)) or 0
            for table in (LoopCursor, LoopResult)
        )


def resumed(engine: Engine, run: Run, verdict: Any = None) -> Any:
    """What the loop comes to when all its pauses are ended."""
    verdict = verdict or engine.run(task(run, "loop"))
    while isinstance(verdict, Sleep):
        decisions.resume(principal(run.workspace_id, name="key"), run.id, decision=None, data=None)
        verdict = engine.resume(task(run, "loop"), verdict.wait_id, None)
    return verdict
