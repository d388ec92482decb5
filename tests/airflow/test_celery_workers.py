"""What Celery's workers do otherwise than by themselves."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.executors.base_executor import BaseExecutor
from celery.signals import celeryd_init, heartbeat_sent
from setproctitle import getproctitle, setproctitle

from automations.db.tables import Run
from automations.definitions.published import dag_id
from automations.execution.engine import Engine
from automations_airflow.executors import celery_workers
from tests.airflow.ended_tasks import end_by_airflow
from tests.db.roles import Outbox
from tests.db.runs import MAIL, begin, row, step, task
from tests.doubles import ports
from tests.environment import Environment


def workload(dag: str, run: str) -> SimpleNamespace:
    ti = SimpleNamespace(dag_id=dag, run_id=run, task_id="mail")
    return SimpleNamespace(ti=ti)


def in_the_middle() -> Run:
    """A run whose step has begun and not ended."""
    run = begin(step("mail", "email", 0, MAIL))
    outbox = Outbox()
    outbox.failures = [KeyboardInterrupt()]  # type: ignore[list-item]  # so that no end is recorded
    with pytest.raises(KeyboardInterrupt):
        Engine(ports(mailer=outbox)).run(task(run, "mail"))
    return run


@pytest.mark.parametrize(("code", "deaths"), [(-9, 1), (0, 0), (1, 0)])
def test_the_death_of_a_tasks_process_is_noted_for_its_step(
    database: str, monkeypatch: pytest.MonkeyPatch, code: int, deaths: int
) -> None:
    run = in_the_middle()
    monkeypatch.setattr(BaseExecutor, "run_workload", staticmethod(lambda _workload, **_: code))
    celery_workers.begin()
    carried_out = BaseExecutor.run_workload(workload(dag_id(run.workflow_id), run.id))  # type: ignore[arg-type]
    assert carried_out == code
    known = row(run, "mail")
    assert known is not None
    assert known.unseen_deaths == deaths


def test_a_task_that_airflow_itself_has_ended_has_not_died(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = in_the_middle()
    monkeypatch.setattr(BaseExecutor, "run_workload", staticmethod(end_by_airflow))
    celery_workers.begin()
    assert BaseExecutor.run_workload(workload(dag_id(run.workflow_id), run.id)) == -signal.SIGKILL  # type: ignore[arg-type]
    known = row(run, "mail")
    assert known is not None
    assert known.unseen_deaths == 0


def test_what_is_no_task_of_an_automation_has_no_step() -> None:
    celery_workers.note_death(workload("somebody_elses", "manual__1"))
    celery_workers.note_death(SimpleNamespace(callback=None))


def test_a_worker_says_that_it_lives_by_a_file_of_its_name(
    tmp_path: Path, environment: Environment
) -> None:
    environment.set(AUTOMATIONS_HOME=str(tmp_path))
    (tmp_path / "run").mkdir()
    celeryd_init.send(sender="worker-2@here", instance=None, conf=None, options=None)
    heartbeat_sent.send(sender=None)
    assert (tmp_path / "run" / "worker-2.beat").exists()


def test_a_queue_that_is_away_is_asked_for_until_the_executor_gives_up() -> None:
    assert celery_workers.CONFIG["task_publish_retry_policy"]["max_retries"] is None
    assert celery_workers.CONFIG["broker_transport_options"]["visibility_timeout"] > 0


@pytest.mark.skipif(sys.platform == "darwin", reason="No process is named there.")
def test_a_process_that_has_ended_its_task_is_no_longer_named_by_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = getproctitle()

    def fail(_workload: Any, **_: Any) -> int:
        setproctitle("airflow supervisor: some task")
        raise ConnectionError("no server")

    monkeypatch.setattr(BaseExecutor, "run_workload", staticmethod(fail))
    celery_workers.begin()
    try:
        with pytest.raises(ConnectionError):
            BaseExecutor.run_workload(workload("somebody_elses", "manual__1"))  # type: ignore[arg-type]
        assert getproctitle().endswith("<idle>")
    finally:
        setproctitle(before)
