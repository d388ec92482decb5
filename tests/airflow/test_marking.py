"""Marking tasks that were done ahead, against Airflow's own tables, scheduler code and clearing."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from airflow.jobs.job import Job
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.models.dagrun import DagRun
from airflow.models.renderedtifields import RenderedTaskInstanceFields
from airflow.models.taskinstance import clear_task_instances
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState
from sqlalchemy import Connection, Engine, create_engine, select, text

from automations.services.runs import handovers
from automations_airflow.scheduler.marking import Mark, Marker, Marks, mark
from tests.airflow.airflow_runs import START, AirflowRun
from tests.airflow.definitions import condition, email, published
from tests.db.runs import MAIL, begin, step

pytestmark = pytest.mark.usefixtures("airflow")


@pytest.fixture
def engine(airflow_database: Engine) -> Iterator[Engine]:
    made = create_engine(airflow_database.url)
    yield made
    made.dispose()


class Running(AirflowRun):
    """A run in Airflow whose first task has begun."""

    def __init__(self, *steps: dict[str, Any]) -> None:
        super().__init__(published(*(steps or (email("a"), email("b", 1), email("c", 2)))))
        self.put("a", "running")

    def marks(self, *tasks: Mark, generation: int = 0) -> Marks:
        return Marks(
            dag=self.dag_id,
            run=self.run_id,
            generation=generation,
            leader=("a", str(self.task("a").id)),
            host="worker-1",
            user="ada",
            pid=77,
            tasks=tasks or (done("b"), done("c", 1)),
        )


def done(task: str, number: int = 0, **xcoms: Any) -> Mark:
    started = START + timedelta(seconds=number)
    ended = started + timedelta(milliseconds=500)
    return Mark(task, "success", started.isoformat(), ended.isoformat(), xcoms)


def skipped(task: str) -> Mark:
    return Mark(task, "skipped", START.isoformat(), START.isoformat(), {})


def do(engine: Engine, marks: Marks) -> bool:
    with engine.begin() as connection:
        return mark(connection, marks)


def test_a_run_that_was_done_ahead_is_ended_by_the_scheduler_by_itself(engine: Engine) -> None:
    run = Running()
    assert do(engine, run.marks())
    assert run.states() == {"a": "running", "b": "success", "c": "success"}
    run.schedule()
    assert run.state == "running"
    run.put("a", "success")
    run.schedule()
    assert run.state == "success"


def test_a_task_done_ahead_has_its_times_its_first_try_and_its_process(engine: Engine) -> None:
    run = Running()
    do(engine, run.marks())
    task = run.task("c")
    assert (task.start_date, task.end_date) == (
        START + timedelta(seconds=1),
        START + timedelta(seconds=1.5),
    )
    assert (task.duration, task.try_number) == (0.5, 1)
    assert (task.hostname, task.unixname, task.pid) == ("worker-1", "ada", 77)
    assert task.queued_dttm == task.scheduled_dttm == task.start_date


def test_what_it_would_have_pushed_is_there(engine: Engine) -> None:
    run = Running()
    do(engine, run.marks(done("b", return_value={"status": 200}), done("c", 1, return_value={})))
    assert run.xcoms("b") == {"return_value": {"status": 200}}
    with create_session() as session:
        query = XComModel.get_many(
            key="return_value", task_ids="b", dag_ids=run.dag_id, run_id=run.run_id
        )
        (pushed,) = session.scalars(query)
        assert XComModel.deserialize_value(pushed) == {"status": 200}


def test_its_rendered_templates_are_there(engine: Engine) -> None:
    run = Running()
    shown = {"config": {"to": "ada@b.example"}}
    do(engine, run.marks(replace(done("b"), rendered=shown), done("c", 1)))
    with create_session() as session:
        assert RenderedTaskInstanceFields.get_templated_fields(run.task("b", session)) == shown
        assert RenderedTaskInstanceFields.get_templated_fields(run.task("c", session)) is None


def test_what_a_branch_leaves_out_is_skipped_and_stays_so_when_it_is_cleared(
    engine: Engine,
) -> None:
    branch = condition("choose", 1, then=[email("yes")], else_=[email("no"), email("more", 1)])
    run = Running(email("a"), branch, email("end", 2))
    choice = done("choose", skipmixin_key={"skipped": ["no"]})
    marks = run.marks(choice, done("yes", 1), done("end", 2), skipped("no"), skipped("more"))
    assert do(engine, marks)
    run.put("a", "success")
    run.schedule()
    assert run.state == "success"
    task = run.task("no")
    assert (task.state, task.try_number, task.start_date) == ("skipped", 0, START)
    # Airflow finds by the XCom that the one that was cleared is left out as before.
    run.clear("no", "more")
    run.schedule()
    run.schedule()
    assert {task: run.states()[task] for task in ("no", "more")} == {
        "no": "skipped",
        "more": "skipped",
    }


def test_a_task_behind_what_was_done_ahead_is_begun_by_the_scheduler(engine: Engine) -> None:
    run = Running()
    assert do(engine, run.marks(done("b")))
    run.schedule()
    assert run.states() == {"a": "running", "b": "success", "c": "scheduled"}


def test_the_third_step_is_done_anew_when_it_is_cleared_afterwards(engine: Engine) -> None:
    run = Running()
    do(engine, run.marks())
    run.put("a", "success")
    run.schedule()
    run.clear("c")
    with create_session() as session:
        run.dag_run(session).state = DagRunState.RUNNING
    run.schedule()
    task = run.task("c")
    assert (task.state, task.try_number) == ("scheduled", 2)


def test_marking_twice_changes_nothing_the_second_time(engine: Engine) -> None:
    run = Running()
    marks = run.marks()
    assert do(engine, marks)
    assert not do(engine, replace(marks, tasks=[done("b", 30), done("c", 40)]))
    assert run.task("b").start_date == START


def test_a_task_that_airflow_has_begun_is_left_to_it_with_all_others(engine: Engine) -> None:
    run = Running()
    marks = run.marks()
    run.put("a", "success")
    run.schedule()
    assert run.states()["b"] == "scheduled"
    assert not do(engine, marks)
    assert run.states() == {"a": "success", "b": "scheduled", "c": None}


@pytest.mark.parametrize("state", ["failed", "skipped", "upstream_failed"])
def test_a_task_that_somebody_has_marked_keeps_all_from_being_marked(
    engine: Engine, state: str
) -> None:
    run = Running()
    marks = run.marks()
    run.put("b", state)
    assert not do(engine, marks)
    assert run.states() == {"a": "running", "b": state, "c": None}


@pytest.mark.parametrize("state", ["failed", "restarting", "up_for_retry", None])
def test_nothing_is_marked_for_a_leader_that_is_not_the_one_that_runs(
    engine: Engine, state: str | None
) -> None:
    run = Running()
    marks = run.marks()
    run.put("a", state)
    assert not do(engine, marks)
    assert run.states() == {"a": state, "b": None, "c": None}


@pytest.mark.parametrize("state", ["failed", "success", "queued"])
def test_nothing_is_marked_in_a_run_that_has_ended(engine: Engine, state: str) -> None:
    run = Running()
    marks = run.marks()
    with create_session() as session:
        run.dag_run(session).state = DagRunState(state)
    assert not do(engine, marks)
    assert run.states()["b"] is None


def test_nothing_is_marked_in_a_run_that_was_cleared(engine: Engine) -> None:
    run = Running()
    marks = run.marks()
    run.clear("b")
    assert not do(engine, marks)
    assert run.states()["b"] is None


def test_nothing_is_marked_when_a_task_is_not_there(engine: Engine) -> None:
    run = Running()
    assert not do(engine, run.marks(done("b"), done("elsewhere")))
    assert run.states()["b"] is None


@contextmanager
def meanwhile(engine: Engine, marks: Marks) -> Iterator[list[bool]]:
    """Mark by another connection until the block ends, which has rows locked."""
    came_to: list[bool] = []
    thread = threading.Thread(target=lambda: came_to.append(do(engine, marks)))
    thread.start()
    try:
        with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as watching:
            waits = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
            while watching.scalar(waits) == 0 and thread.is_alive():
                time.sleep(0.005)
        yield came_to
    finally:
        thread.join(60)


def test_what_is_cleared_while_it_waits_for_the_run_is_not_marked(engine: Engine) -> None:
    run = Running()
    marks = run.marks()
    with create_session() as session:
        clear_task_instances([run.task("b", session)], session)
        session.flush()
        with meanwhile(engine, marks) as came_to:
            session.commit()
    assert came_to == [False]
    assert run.states() == {"a": "running", "b": None, "c": None}


def test_what_is_failed_while_it_waits_for_the_run_is_not_marked(engine: Engine) -> None:
    run = Running()
    marks = run.marks()
    with create_session() as session:
        run.dag_run(session).state = DagRunState.FAILED
        session.flush()
        with meanwhile(engine, marks) as came_to:
            session.commit()
    assert came_to == [False]
    assert run.states()["b"] is None


def test_a_scheduler_that_looks_at_the_run_is_waited_for(engine: Engine) -> None:
    run = Running()
    marks = run.marks()
    with create_session() as session:
        locked = select(DagRun).where(DagRun.run_id == run.run_id).with_for_update()
        SchedulerJobRunner(job=Job())._schedule_dag_run(session.scalars(locked).one(), session)
        session.flush()
        with meanwhile(engine, marks) as came_to:
            session.commit()
    assert came_to == [True]
    assert run.states() == {"a": "running", "b": "success", "c": "success"}


class TestTheThread:
    @pytest.fixture
    def marker(self, database: str, engine: Engine) -> Iterator[Marker]:
        marker = Marker(engine)
        marker.start()
        yield marker
        marker.stop()
        marker.join(60)
        assert not marker.is_alive()

    def test_who_hands_over_is_told_when_it_is_marked(self, marker: Marker) -> None:
        run, ours = Running(), begin(step("a", "email", 0, MAIL))
        assert handovers.hand_over(ours.id, run.marks().to_json(), timedelta(seconds=120))
        assert run.states() == {"a": "running", "b": "success", "c": "success"}

    def test_what_cannot_be_marked_is_acknowledged_all_the_same(self, marker: Marker) -> None:
        run, ours = Running(), begin(step("a", "email", 0, MAIL))
        marks = run.marks()
        run.clear("b")
        assert handovers.hand_over(ours.id, marks.to_json(), timedelta(seconds=120))
        assert run.states()["b"] is None

    def test_a_handover_that_cannot_be_read_holds_up_no_other(self, marker: Marker) -> None:
        run, ours = Running(), begin(step("a", "email", 0, MAIL))
        assert handovers.hand_over(ours.id, {"run": "?"}, timedelta(seconds=120))
        assert handovers.hand_over(ours.id, run.marks().to_json(), timedelta(seconds=120))
        assert run.states()["c"] == "success"

    def test_a_locked_task_is_marked_when_it_is_free_and_blocks_nobody(
        self, marker: Marker, airflow_database: Engine
    ) -> None:
        run, ours = Running(), begin(step("a", "email", 0, MAIL))
        with airflow_database.connect() as connection:
            holder: Connection = connection.execution_options(isolation_level="READ COMMITTED")
            with holder.begin():
                lock = "SELECT FROM task_instance WHERE run_id = :run FOR UPDATE"
                holder.execute(text(lock), {"run": run.run_id})
                taken = handovers.hand_over(ours.id, run.marks().to_json(), timedelta(seconds=1))
                assert not taken
                # Others lock tasks first, and then the run: in a ring this one has given way.
                lock = "SELECT FROM dag_run WHERE run_id = :run FOR UPDATE"
                holder.execute(text(lock), {"run": run.run_id})
        until = time.monotonic() + 60
        while run.states()["c"] is None and time.monotonic() < until:
            time.sleep(0.02)
        assert run.states() == {"a": "running", "b": "success", "c": "success"}


def test_without_a_scheduler_it_is_waited_for_a_short_while_and_taken_later(
    database: str, engine: Engine
) -> None:
    run, ours = Running(), begin(step("a", "email", 0, MAIL))
    assert not handovers.hand_over(ours.id, run.marks().to_json(), timedelta(seconds=0.05))
    with engine.connect() as connection:
        Marker(engine).look(connection)
    assert run.states()["c"] == "success"
