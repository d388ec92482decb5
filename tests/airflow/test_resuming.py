"""Resuming sleeping tasks, with both databases and no triggerer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.models.taskinstance import TaskInstance
from airflow.models.trigger import Trigger
from airflow.triggers.base import TriggerEvent
from airflow.utils.session import create_session
from sqlalchemy import Engine, create_engine, select, text

from automations.db.queue import jobs
from automations.db.session import unit_of_work
from automations.db.tables import Run, Wait
from automations.db.waits import waits
from automations.domain.statuses import Decision, WaitKind
from automations.services.waits.sleepers import Sleeper
from automations_airflow.waits import resuming as resuming_module
from automations_airflow.waits.resuming import Resumer, resume
from tests.db.runs import begin, step
from tests.waiting import until

NODE = "wait"
FAR = timedelta(days=1)


@pytest.fixture(autouse=True)
def _unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine a pause that ends in a moment is over for seconds before it is seen."""
    monkeypatch.setattr(resuming_module, "SLEEP_TIMEOUT", timedelta(seconds=30))


@pytest.fixture
def engine(airflow_database: Engine) -> Iterator[Engine]:
    made = create_engine(airflow_database.url)
    yield made
    made.dispose()


class Asleep:
    """A run that waits, in our database, and its task, in Airflow's."""

    def __init__(
        self, airflow: Engine, kind: WaitKind = WaitKind.CHILD, after: timedelta = FAR
    ) -> None:
        self.run: Run = begin(step(NODE, "delay", 0, {"duration": 1, "unit": "hours"}))
        new = waits.NewWait(self.run.id, NODE, 0, kind, datetime.now(UTC) + after)
        with unit_of_work() as session:
            self.wait: Wait = waits.open_wait(session, new)
        dag = f"automation_{self.run.workflow_id}"
        self._names = {"dag": dag, "run": self.run.id, "wait": self.wait.id, "task": NODE}
        with airflow.connect() as connection:
            connection.execute(
                text(
                    "INSERT INTO dag_bundle (name) VALUES ('b') ON CONFLICT DO NOTHING;"
                    "INSERT INTO dag (dag_id, bundle_name, is_paused, is_stale, max_active_tasks,"
                    " max_consecutive_failed_dag_runs, has_task_concurrency_limits,"
                    " timetable_type, partition_mapper_info)"
                    " VALUES (:dag, 'b', false, false, 16, 0, false, 't', '[]');"
                    "INSERT INTO dag_run (dag_id, run_id, run_type, state, run_after,"
                    " clear_number) VALUES (:dag, :run, 'manual', 'running', now(), 0);"
                    "INSERT INTO task_instance (id, task_id, dag_id, run_id, map_index,"
                    " try_number, pool, pool_slots, state, next_method, next_kwargs, updated_at)"
                    " VALUES (gen_random_uuid(), :task, :dag, :run, -1, 1, 'default_pool', 1,"
                    " 'running', 'resume', json_build_object('wait_id', CAST(:wait AS text)),"
                    " now())"
                ),
                self._names,
            )
        self._airflow = airflow

    def sleep(self) -> None:
        """As when its process has said that it waits."""
        with self._airflow.connect() as connection:
            connection.execute(
                text("UPDATE task_instance SET state = 'deferred' WHERE run_id = :run"),
                self._names,
            )

    def give_trigger(self) -> int:
        """Give it a trigger; its id."""
        with self._airflow.connect() as connection:
            made = connection.scalar(
                text(
                    "WITH made AS (INSERT INTO trigger (classpath, kwargs, created_date)"
                    " VALUES ('t', '{}', now()) RETURNING id) UPDATE task_instance t"
                    " SET trigger_id = made.id FROM made WHERE t.run_id = :run RETURNING made.id"
                ),
                self._names,
            )
        return int(made)

    def settle(self) -> None:
        with unit_of_work() as session:
            wait = session.get_one(Wait, self.wait.id)
            assert waits.settle(session, wait, waits.Ending(Decision.RESUMED))

    def tell(self) -> Any:
        """Say once more that it has ended, as whoever has ended it did."""
        with unit_of_work() as session:
            jobs.notify(session, waits.WOKEN, self.wait.id)

    @property
    def sleeper(self) -> Sleeper:
        wait = self.wait
        return Sleeper(wait.id, self.run.workflow_id, self.run.id, NODE, wait.due_at)

    def task(self) -> TaskInstance:
        query = select(TaskInstance).where(TaskInstance.run_id == self.run.id)
        with create_session() as session:
            return session.scalars(query).one()

    def is_resumed(self) -> bool:
        return self.task().state == "scheduled"

    @property
    def event(self) -> Any:
        return (self.task().next_kwargs or {}).get("event")


@contextmanager
def resuming(engine: Engine) -> Iterator[threading.Event]:
    """The thread, and whether it has had the runs looked at."""
    hurried = threading.Event()
    resumer = Resumer(engine, hurried.set)
    resumer.start()
    try:
        yield hurried
    finally:
        resumer.stop()
        resumer.join(60)
    assert not resumer.is_alive()


def test_a_task_goes_on_when_what_it_waits_for_has_ended(
    database: str, airflow_database: Engine, engine: Engine
) -> None:
    asleep, other = Asleep(airflow_database), Asleep(airflow_database)
    for one in (asleep, other):
        one.sleep()
    asleep.settle()
    with resuming(engine) as hurried:
        # It may not listen yet.
        until("the task", lambda: asleep.tell() or asleep.is_resumed())
        assert hurried.wait(60)
    assert asleep.event == {"woken": "notified"}
    assert asleep.task().trigger_id is None
    assert other.task().state == "deferred"


def test_what_has_ended_before_its_task_sleeps_wakes_it_as_soon_as_it_does(
    database: str, airflow_database: Engine, engine: Engine
) -> None:
    asleep = Asleep(airflow_database)
    asleep.settle()
    with resuming(engine) as hurried:
        # It may not listen yet; then it knows, and finds nobody asleep.
        until("its first look", lambda: asleep.tell() or hurried.is_set())
        assert asleep.task().state == "running"
        asleep.sleep()
        until("the task", asleep.is_resumed)


def test_a_delay_ends_by_the_clock(database: str, airflow_database: Engine, engine: Engine) -> None:
    asleep = Asleep(airflow_database, WaitKind.DELAY, timedelta(seconds=0.2))
    asleep.sleep()
    with resuming(engine):
        until("the task", asleep.is_resumed)
    assert asleep.event == {"woken": "elapsed"}
    assert datetime.now(UTC) >= asleep.wait.due_at


def test_what_is_overdue_for_long_is_left_to_its_trigger(
    database: str, airflow_database: Engine, engine: Engine
) -> None:
    # Of a run whose DAG is paused, say: its pause is open until the task has begun.
    overdue = Asleep(airflow_database, WaitKind.DELAY, -timedelta(minutes=1))
    due = Asleep(airflow_database, WaitKind.DELAY, timedelta(seconds=0.2))
    for one in (overdue, due):
        one.sleep()
    with resuming(engine):
        until("the other task", due.is_resumed)
    assert overdue.task().state == "deferred"


def test_who_is_resumed_is_so_once_though_the_pause_stays_open(
    database: str, airflow_database: Engine, engine: Engine
) -> None:
    asleep = Asleep(airflow_database, WaitKind.DELAY, timedelta(seconds=0.2))
    asleep.sleep()
    other = Asleep(airflow_database, WaitKind.DELAY, timedelta(seconds=2.5))
    other.sleep()
    with resuming(engine):
        until("the task", asleep.is_resumed)
        asleep.sleep()  # for its next pause, as far as anybody knows
        until("the other task, looks later", other.is_resumed)
    assert asleep.task().state == "deferred"


def test_the_triggerer_takes_back_nobody_whom_another_has_resumed_meanwhile(
    database: str, airflow_database: Engine, engine: Engine
) -> None:
    asleep = Asleep(airflow_database)
    asleep.sleep()
    trigger = asleep.give_trigger()
    submit = Trigger.submit_event
    resuming_module.take_turns()
    try:
        with engine.begin() as ours:
            ours.execute(text("UPDATE task_instance SET state = 'queued', trigger_id = NULL"))
            event = TriggerEvent({"woken": "elapsed"})
            theirs = threading.Thread(target=Trigger.submit_event, args=(trigger, event))
            theirs.start()
            waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
            with airflow_database.connect() as looking:
                until("the triggerer", lambda: looking.scalar(waiting) == 1)
        theirs.join(60)
    finally:
        Trigger.submit_event = submit  # type: ignore[method-assign]
    assert asleep.task().state == "queued"
    assert asleep.event is None


def test_a_task_that_sleeps_for_its_next_pause_already_sleeps_on(
    database: str, airflow_database: Engine, engine: Engine
) -> None:
    asleep = Asleep(airflow_database)
    asleep.sleep()
    earlier = Sleeper("c0", asleep.run.workflow_id, asleep.run.id, NODE, asleep.wait.due_at)
    with create_session() as session:
        assert resume(session, {"c0": (earlier, "notified")}) == set()
    assert asleep.task().state == "deferred"


def test_a_task_that_somebody_has_in_hand_is_left_to_them(
    database: str, airflow_database: Engine, engine: Engine
) -> None:
    asleep = Asleep(airflow_database)
    asleep.sleep()
    ended = {asleep.wait.id: (asleep.sleeper, "notified")}
    with engine.begin() as theirs:
        theirs.execute(
            text("SELECT 1 FROM task_instance WHERE run_id = :run FOR UPDATE"),
            {"run": asleep.run.id},
        )
        with create_session() as session:
            assert resume(session, ended) == set()
    with create_session() as session:
        assert resume(session, ended) == {asleep.wait.id}
    with create_session() as session:
        assert resume(session, ended) == set()
