"""Airflow's own scheduler makes the runs of a schedule."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.api.common.mark_tasks import get_run_ids
from airflow.jobs.job import Job
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.models.backfill import ReprocessBehavior, _create_backfill, _do_dry_run
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.models.serialized_dag import SerializedDagModel
from airflow.utils.session import create_session
from sqlalchemy import Engine, select

from automations.definitions.published import run_id, workflow_id
from automations.kit.ids import PATTERN
from tests.airflow.definitions import email, published
from tests.airflow.parsing import parse

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
    return parse(one)


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


def test_a_backfill_makes_the_runs_that_it_has_shown_first() -> None:
    one, other = parsed(5), parsed(6)
    # From before the activation, and to after now.
    stretch: dict[str, Any] = {
        "from_date": HOUR - timedelta(hours=4),
        "to_date": HOUR + timedelta(hours=3),
        "reverse": False,
    }
    wanted = [HOUR - timedelta(hours=back) for back in (4, 3, 2, 1, 0)]
    for dag_id in (one, other):
        with create_session() as session:
            shown = _do_dry_run(
                dag_id=dag_id, reprocess_behavior=ReprocessBehavior.NONE, session=session, **stretch
            )
            assert [info.logical_date for info in shown][:5] == wanted
        _create_backfill(
            dag_id=dag_id,
            max_active_runs=2,
            dag_run_conf={},
            triggering_user_name="anna",
            reprocess_behavior=ReprocessBehavior.NONE,
            **stretch,
        )
        made = runs(dag_id)[:5]
        assert [(run.run_type, run.logical_date) for run in made] == [
            ("backfill", date) for date in wanted
        ]
    # Airflow gives them ids that say the time only; ours are their own all the same.
    pairs = list(zip(runs(one), runs(other), strict=True))
    assert {first.run_id == second.run_id for first, second in pairs} == {True}
    ids = {run_id(str(workflow_id(run.dag_id)), run.run_id) for pair in pairs for run in pair}
    assert len(ids) == 2 * len(pairs)
    assert all(re.match(PATTERN, one) for one in ids)


def test_marking_the_runs_before_and_after_another_comes_to_an_end() -> None:
    dag_id = parsed(7, catchup=True)
    for _ in range(3):
        turn()
    made = [run.run_id for run in runs(dag_id)]
    with create_session() as session:
        dag = session.scalars(
            select(SerializedDagModel).where(SerializedDagModel.dag_id == dag_id)
        ).one()
        before = get_run_ids(dag.dag, made[1], future=False, past=True, session=session)
        after = get_run_ids(dag.dag, made[1], future=True, past=False, session=session)
    assert (set(before), set(after)) == (set(made[:2]), set(made[1:]))
