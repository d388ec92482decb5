"""What Celery's executor does with the tasks of a scheduler that has died."""

from __future__ import annotations

import uuid
from types import SimpleNamespace

import pytest
from airflow.providers.celery.executors import celery_executor_utils
from celery import states

from automations_airflow.executors.celery_executor import QueueExecutor


@pytest.fixture
def executor(airflow_dsn: str, monkeypatch: pytest.MonkeyPatch) -> QueueExecutor:
    monkeypatch.setenv("AIRFLOW__CELERY__RESULT_BACKEND", f"db+{airflow_dsn}")
    made = QueueExecutor()  # type: ignore[no-untyped-call]  # Airflow is partly untyped
    monkeypatch.setattr(celery_executor_utils.app, "_local", SimpleNamespace())
    monkeypatch.setitem(celery_executor_utils.app.conf, "result_backend", f"db+{airflow_dsn}")
    return made


def task(executor: QueueExecutor, said: str | None, state: str = "queued") -> SimpleNamespace:
    """A task of a dead scheduler, and what Celery's results have of it."""
    number = str(uuid.uuid4())
    if said is not None:
        executor.celery_app.backend.store_result(number, None, said)
    return SimpleNamespace(key=number, external_executor_id=number, state=state, max_tries=3)


def test_what_no_worker_has_begun_begins_anew_and_uses_up_no_attempt(
    executor: QueueExecutor,
) -> None:
    unknown = task(executor, None)
    begun = task(executor, states.STARTED)
    running = task(executor, None, "running")
    assert executor.try_adopt_task_instances([unknown, begun, running]) == [unknown]
    assert (unknown.max_tries, begun.max_tries) == (4, 3)
    assert executor.running == {begun.key, running.key}


def test_nothing_to_take_over_is_nothing(executor: QueueExecutor) -> None:
    assert executor.try_adopt_task_instances([]) == []
