"""Dispatchers that run, beside an Airflow that does what a test wants."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import func, select

from automations.db.session import unit_of_work
from automations.dispatch.dispatcher import Dispatcher
from automations.errors import OrchestratorError, OrchestratorUnavailable, VersionGone
from automations.ports import DoneBefore, NewDagRun, Visible
from automations.services.runs import by_hand
from automations.services.workflows import workflows
from tests.db.workspace import principal
from tests.doubles import ports

RULES = [{"field": "{{input.n}}", "operator": "exists"}]
STEP = {"id": "look", "name": "Look", "type": "condition", "order": 0, "config": {"rules": RULES}}


class Airflow:
    """Knows every DAG; it may be away, or fail at some runs."""

    def __init__(self) -> None:
        self.away = False
        self.fails_at: set[str] = set()
        self.gone: set[str] = set()
        """Runs whose versions it does not know any more."""
        self.unseen = 0
        """How often a DAG is asked for before it is there."""
        self.tries = 0
        self.made: list[str] = []
        self.before: dict[str, DoneBefore] = {}
        """What was done of those that are made, where anything was."""
        self.failed: list[str] = []

    def visible(self, dag_id: str) -> Visible | None:
        if self.unseen:
            self.unseen -= 1
            return None
        return Visible(1_000, 1_000)

    def start(self, runs: Sequence[NewDagRun]) -> list[OrchestratorError | None]:
        self.tries += 1
        if self.away:
            raise OrchestratorUnavailable("Airflow is away.")
        return [self.start_one(run) for run in runs]

    def start_one(self, run: NewDagRun) -> OrchestratorError | None:
        if run.run_id in self.fails_at:
            return OrchestratorUnavailable("Airflow fails at it.")
        if run.run_id in self.gone:
            return VersionGone("It is gone.")
        self.made.append(run.run_id)
        if run.before is not None:
            self.before[run.run_id] = run.before
        return None

    def fail(self, dag_id: str, run_id: str) -> None:
        self.failed.append(run_id)

    def changed_runs(self, *_: Any) -> list[Any]:
        return []

    def paused_dags(self) -> frozenset[str]:
        return frozenset()

    def assets(self, scheme: str) -> dict[str, int]:
        return {}

    def user_actions(self, *_: Any) -> tuple[list[Any], int]:
        return [], 0


@contextmanager
def dispatching(airflow: Airflow, **roles: Any) -> Iterator[Dispatcher]:
    dispatcher = Dispatcher(airflow, ports(**roles))  # type: ignore[arg-type]  # as much as is asked
    dispatcher.start()
    try:
        yield dispatcher
    finally:
        dispatcher.stop()


def automation(here: str) -> str:
    payload = {"name": "Test", "status": "ACTIVE", "steps": [STEP]}
    return workflows.create(principal(here), payload, ports()).id


def executed(here: str, workflow: str, count: int) -> list[str]:
    return [by_hand.execute(principal(here), workflow, {}).id for _ in range(count)]


def count(*conditions: Any) -> int:
    with unit_of_work() as session:
        return session.scalar(select(func.count()).where(*conditions)) or 0
