"""Airflow's own scheduler makes the runs of a schedule."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.jobs.job import Job
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.models.dag import DagModel
from airflow.models.dagbundle import DagBundleModel
from airflow.models.dagrun import DagRun
from airflow.models.serialized_dag import SerializedDagModel
from airflow.serialization.definitions.dag import SerializedDAG
from airflow.serialization.serialized_objects import LazyDeserializedDAG
from airflow.utils.session import create_session
from sqlalchemy import Engine, select

from automations.kit.ids import PATTERN
from automations_airflow.dag_builder import build
from tests.airflow.definitions import email, published

HOUR = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
SINCE = HOUR - timedelta(hours=2, minutes=30)


@pytest.fixture(autouse=True)
def airflow(airflow_database: Engine) -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Airflow's own
        yield


def parsed(number: int, **config: Any) -> str:
    """What the dag-processor leaves after it has read an automation's DAG."""
    trigger = {"type": "schedule", "interval": "PT1H", **config}
    one = replace(
        published(email("a"), number=number, trigger=trigger), scheduled_since=SINCE.isoformat()
    )
    dag = build(one)
    lazy = LazyDeserializedDAG.from_dag(dag)
    with create_session() as session:
        session.merge(DagBundleModel(name="tests"))
        session.flush()
        SerializedDAG.bulk_write_to_db("tests", "1", [lazy], None, session=session)
        SerializedDagModel.write_dag(lazy, bundle_name="tests", bundle_version="1", session=session)
    return dag.dag_id


def turn() -> None:
    """One look of the scheduler at what is due."""
    runner = SchedulerJobRunner(job=Job())
    with create_session() as session:
        query, _ = DagModel.dags_needing_dagruns(session)
        due = [model for model in query if model.next_dagrun_create_after <= datetime.now(UTC)]
        runner._create_dag_runs(due, session)


def runs(dag_id: str) -> list[DagRun]:
    with create_session() as session:
        found = session.scalars(
            select(DagRun).where(DagRun.dag_id == dag_id).order_by(DagRun.logical_date)
        )
        return list(found)


def test_a_run_is_made_for_a_due_time_once_and_has_an_id_like_the_apis() -> None:
    one, other = parsed(1), parsed(2)
    for _ in range(3):
        turn()
    (first,), (second,) = runs(one), runs(other)
    assert first.run_type == "scheduled"
    # The hour may end meanwhile.
    assert {first.logical_date, second.logical_date} <= {HOUR, HOUR + timedelta(hours=1)}
    assert re.match(PATTERN, first.run_id)
    assert first.run_id != second.run_id


def test_catch_up_makes_every_missed_run() -> None:
    dag_id = parsed(3, catchup=True)
    for _ in range(5):
        turn()
    made = [run.logical_date for run in runs(dag_id)]
    assert made[:3] == [HOUR - timedelta(hours=2), HOUR - timedelta(hours=1), HOUR]


def test_a_queue_has_one_run_at_a_time() -> None:
    dag_id = parsed(4, catchup=True, overlap="queue")
    for _ in range(5):
        turn()
    assert len(runs(dag_id)) == 1
