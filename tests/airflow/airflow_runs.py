"""A run in Airflow's own tables, looked at by its scheduler's code."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.jobs.job import Job
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.models.dagbundle import DagBundleModel
from airflow.models.dagrun import DagRun
from airflow.models.serialized_dag import SerializedDagModel
from airflow.models.taskinstance import TaskInstance, clear_task_instances
from airflow.models.xcom import XComModel
from airflow.serialization.definitions.dag import SerializedDAG
from airflow.serialization.serialized_objects import LazyDeserializedDAG
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from sqlalchemy import select

from automations.definitions.published import Published
from automations.kit.ids import new_id
from automations_airflow.dags.dag_builder import build

START = datetime(2026, 1, 1, 12, tzinfo=UTC)


class AirflowRun:
    """A run in Airflow, of a DAG of ours.

    Args:
        published: what the DAG is built from.
        run_id: None for a new one.
    """

    def __init__(self, published: Published, run_id: str | None = None) -> None:
        dag = build(published)
        lazy = LazyDeserializedDAG.from_dag(dag)
        self.dag_id, self.run_id = dag.dag_id, run_id or new_id()
        with create_session() as session:
            session.merge(DagBundleModel(name="tests"))
            session.flush()
            SerializedDAG.bulk_write_to_db("tests", "1", [lazy], None, session=session)
            SerializedDagModel.write_dag(
                lazy, bundle_name="tests", bundle_version="1", session=session
            )
            session.flush()
            stored = SerializedDagModel.get_dag(self.dag_id, session=session)
            assert stored is not None
            stored.create_dagrun(
                run_id=self.run_id,
                run_after=START,
                start_date=START,
                run_type=DagRunType.MANUAL,
                triggered_by=DagRunTriggeredByType.TEST,
                state=DagRunState.RUNNING,
                session=session,
            )
        self.schedule()

    def schedule(self) -> None:
        """One look of Airflow's scheduler at the run."""
        runner = SchedulerJobRunner(job=Job())
        with create_session() as session:
            runner._schedule_dag_run(self.dag_run(session), session)

    def dag_run(self, session: Any) -> DagRun:
        found = session.scalar(select(DagRun).where(DagRun.run_id == self.run_id))
        assert isinstance(found, DagRun)
        return found

    def put(self, task: str, state: str | None) -> None:
        with create_session() as session:
            self.task(task, session).state = state

    def task(self, task: str, session: Any = None) -> TaskInstance:
        query = select(TaskInstance).where(
            TaskInstance.run_id == self.run_id, TaskInstance.task_id == task
        )
        if session is not None:
            found = session.scalar(query)
        else:
            with create_session() as opened:
                found = opened.scalar(query)
        assert isinstance(found, TaskInstance)
        return found

    def states(self) -> dict[str, str | None]:
        with create_session() as session:
            rows = session.scalars(select(TaskInstance).where(TaskInstance.run_id == self.run_id))
            return {row.task_id: row.state for row in rows}

    @property
    def state(self) -> str:
        with create_session() as session:
            return str(self.dag_run(session).state)

    def clear(self, *tasks: str) -> None:
        """As somebody does it in Airflow."""
        with create_session() as session:
            clear_task_instances([self.task(task, session) for task in tasks], session)

    def xcoms(self, task: str) -> dict[str, Any]:
        with create_session() as session:
            query = select(XComModel).where(
                XComModel.run_id == self.run_id, XComModel.task_id == task
            )
            return {row.key: row.value for row in session.scalars(query)}
