"""An Airflow with DAGs that are no automations, and the jobs that bring runs of them to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import select

from automations.db.session import unit_of_work
from automations.db.tables import DagCall, Job, Run
from automations.dispatch.jobs.registry import Handlers
from automations.errors import OrchestratorError, OrchestratorUnavailable
from automations.execution.engine import Engine
from automations.execution.verdicts import Sleep
from automations.ports import (
    OPERATOR_DAG,
    DagRunFailure,
    DagRunState,
    DagRunStatus,
    DagStatus,
    NewDagRun,
)
from tests.db.runs import reload, row, task
from tests.doubles import ports

JOBS = ("call_dag", "end_dag_run")


class Airflow:
    """Has the DAG ``etl_daily`` and that which runs operators, and the runs made of them."""

    def __init__(self) -> None:
        self.dag_statuses: dict[str, DagStatus] = {
            "etl_daily": DagStatus(),
            OPERATOR_DAG: DagStatus(),
        }
        self.runs: dict[str, DagRunStatus] = {}
        self.made: list[NewDagRun] = []
        self.failed: list[str] = []
        self.outputs: Mapping[str, Any] = {}
        self.refuses: OrchestratorError | None = None
        self.dies_after_making = False
        self.while_making: Callable[[NewDagRun], None] = lambda _: None
        self.why = DagRunFailure(tasks=("load",))

    def dag_status(self, dag_id: str) -> DagStatus | None:
        return self.dag_statuses.get(dag_id)

    def trigger(self, run: NewDagRun) -> None:
        if self.refuses is not None:
            raise self.refuses
        self.made.append(run)
        self.runs[run.run_id] = DagRunStatus.RUNNING
        self.while_making(run)
        if self.dies_after_making:
            raise OrchestratorUnavailable("The answer was lost.")

    def run_state(self, dag_id: str, run_id: str) -> DagRunState | None:
        state = self.runs.get(run_id)
        if state is None:
            return None
        return DagRunState(dag_id, run_id, state, None, {}, None, "manual")

    def fail(self, dag_id: str, run_id: str) -> None:
        self.failed.append(run_id)

    def failure(self, dag_id: str, run_id: str) -> DagRunFailure:
        return self.why

    def return_values(self, dag_id: str, run_id: str, limit: int) -> Mapping[str, Any]:
        return self.outputs

    def end(self, state: str) -> None:
        self.runs = dict.fromkeys(self.runs, DagRunStatus(state))


def asleep(engine: Engine, run: Run) -> Sleep:
    """How the step of a run that calls begins to wait."""
    verdict = engine.run(task(run, "call"))
    assert isinstance(verdict, Sleep)
    assert reload(run).status == "WAITING_FOR_CHILD"
    return verdict


def output(run: Run) -> Any:
    """What that step has put out."""
    done = row(run, "call")
    assert done is not None
    return done.output


def dispatch(airflow: Airflow) -> None:
    """Carry the jobs that there are, also those that would come back later."""
    handlers = Handlers(airflow, ports())  # type: ignore[arg-type]  # as much as is asked
    with unit_of_work() as session:
        todo: Sequence[Job] = session.scalars(select(Job).where(Job.kind.in_(JOBS))).all()
    for job in todo:
        handlers.handle(job)


def call() -> DagCall:
    with unit_of_work() as session:
        return session.scalars(select(DagCall)).one()


def left() -> set[str]:
    with unit_of_work() as session:
        return set(session.scalars(select(Job.kind).where(Job.kind.in_(JOBS))))
