"""Parking, against Airflow's own tables."""

from __future__ import annotations

import threading
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.models.dagrun import DagRun
from airflow.utils.session import create_session
from sqlalchemy import Connection, Engine, create_engine, event, insert, select, text, update

from automations_airflow import parking, scheduler_threads
from automations_airflow.waiting import QUESTION_KEY
from tests.airflow.definitions import workflow_id

DAG_ID = f"automation_{workflow_id(1)}"
START = datetime(2026, 1, 1, tzinfo=UTC)
LOOKED = datetime(2026, 1, 1, 0, 1, tzinfo=UTC)

WAITING = ("success", "awaiting_input", None)
BUSY = ("success", "running", None)


@pytest.fixture
def connection(airflow_database: Engine) -> Any:
    with airflow_database.connect() as connection:
        parking.prepare(connection)
        yield connection


def add_run(connection: Connection, states: tuple[str | None, ...], **more: Any) -> int:
    """A run whose tasks are in these states, which the scheduler has seen so."""
    table = DagRun.__table__
    fields = {
        "dag_id": DAG_ID,
        "run_id": uuid.uuid4().hex,
        "run_type": "manual",
        "state": "running",
        "run_after": START,
        "last_scheduling_decision": LOOKED,
        **more,
    }
    run = connection.execute(insert(table).values(**fields).returning(table.c.id)).scalar_one()
    for number, state in enumerate(states):
        connection.execute(
            text(
                "INSERT INTO task_instance (id, task_id, dag_id, run_id, map_index, try_number,"
                " pool, pool_slots, state, updated_at)"
                " VALUES (gen_random_uuid(), :task, :dag, :run, -1, 1, 'default_pool', 1, :state,"
                " :at)"
            ),
            {
                "task": f"t{number}",
                "dag": fields["dag_id"],
                "run": fields["run_id"],
                "state": state,
                "at": START,
            },
        )
    return int(run)


def set_task(connection: Connection, run: int, task: str, state: str | None, at: datetime) -> None:
    connection.execute(
        text(
            "UPDATE task_instance t SET state = :state, updated_at = :at FROM dag_run r"
            " WHERE r.id = :run AND t.run_id = r.run_id AND t.task_id = :task"
        ),
        {"run": run, "task": task, "state": state, "at": at},
    )


def read(connection: Connection, run: int) -> tuple[datetime, datetime | None]:
    """A run's run_after and last_scheduling_decision."""
    table = DagRun.__table__
    row = connection.execute(
        select(table.c.run_after, table.c.last_scheduling_decision).where(table.c.id == run)
    ).one()
    return row.run_after, row.last_scheduling_decision


def is_parked(connection: Connection, run: int) -> bool:
    return read(connection, run)[0] > datetime.now(UTC)


def test_a_run_that_only_waits_leaves_the_schedulers_rotation(connection: Connection) -> None:
    connection.execute(
        text(
            "INSERT INTO dag_bundle (name) VALUES ('b') ON CONFLICT DO NOTHING;"
            "INSERT INTO dag (dag_id, bundle_name, is_paused, is_stale, max_active_tasks,"
            " max_consecutive_failed_dag_runs, has_task_concurrency_limits, timetable_type,"
            " partition_mapper_info)"
            " VALUES (:dag, 'b', false, false, 16, 0, false, 't', '[]')"
        ),
        {"dag": DAG_ID},
    )
    parked, busy = add_run(connection, WAITING), add_run(connection, BUSY)
    assert parking.park(connection) == 1
    with create_session() as session:
        examined = {run.id for run in DagRun.get_running_dag_runs_to_examine(session=session)}
    assert examined == {busy}
    assert is_parked(connection, parked)


@pytest.mark.parametrize("state", ["awaiting_input", "deferred"])
def test_both_ways_of_waiting_are_parked(connection: Connection, state: str) -> None:
    assert is_parked(connection, add_run(connection, (state,))) is False
    assert parking.park(connection) == 1


@pytest.mark.parametrize(
    "state", ["scheduled", "queued", "running", "up_for_retry", "up_for_reschedule", "restarting"]
)
def test_a_run_with_a_task_on_its_way_is_left_alone(connection: Connection, state: str) -> None:
    add_run(connection, ("awaiting_input", state))
    assert parking.park(connection) == 0


def test_a_run_without_a_waiting_task_is_left_alone(connection: Connection) -> None:
    add_run(connection, ("success", None))
    assert parking.park(connection) == 0


def test_a_run_that_the_scheduler_has_not_looked_at_since_is_left_alone(
    connection: Connection,
) -> None:
    add_run(connection, WAITING, last_scheduling_decision=START - timedelta(seconds=1))
    add_run(connection, WAITING, last_scheduling_decision=None)
    assert parking.park(connection) == 0


@pytest.mark.parametrize("dag_id", ["sales", "automation_report", f"my_{DAG_ID}"])
def test_runs_of_other_dags_are_never_touched(connection: Connection, dag_id: str) -> None:
    add_run(connection, WAITING, dag_id=dag_id)
    assert parking.park(connection) == 0


@pytest.mark.parametrize("state", ["scheduled", "success", "failed", None])
def test_a_run_whose_task_no_longer_waits_comes_back_as_it_was(
    connection: Connection, state: str | None
) -> None:
    run = add_run(connection, WAITING)
    parking.park(connection)
    set_task(connection, run, "t1", state, datetime.now(UTC))
    assert parking.wake_answered(connection) == 1
    assert read(connection, run) == (START, None)
    assert parking.wake_answered(connection) == 0


def test_a_run_that_was_ended_gets_its_run_after_back(connection: Connection) -> None:
    run = add_run(connection, WAITING)
    parking.park(connection)
    connection.execute(update(DagRun.__table__).values(state="failed"))
    assert parking.wake_answered(connection) == 1
    assert read(connection, run) == (START, LOOKED)


def test_clearing_another_task_wakes_a_run_that_still_waits(connection: Connection) -> None:
    run = add_run(connection, WAITING)
    parking.park(connection)
    set_task(connection, run, "t0", None, datetime.now(UTC))
    assert parking.wake_answered(connection) == 0
    assert parking.wake_busy(connection) == 1
    assert read(connection, run) == (START, None)


def test_a_run_that_still_waits_stays_parked(connection: Connection) -> None:
    run = add_run(connection, WAITING)
    parking.park(connection)
    assert parking.wake_answered(connection) + parking.wake_busy(connection) == 0
    assert is_parked(connection, run)


def test_a_run_whose_lease_ended_is_parked_again_and_keeps_its_original(
    connection: Connection,
) -> None:
    run = add_run(connection, WAITING)
    parking.park(connection, lease=timedelta(seconds=-1))
    assert not is_parked(connection, run)
    assert parking.park(connection) == 1
    assert is_parked(connection, run)
    assert parking.wake_all(connection) == 1
    assert read(connection, run)[0] == START


def test_a_run_after_that_somebody_else_set_is_kept(connection: Connection) -> None:
    run = add_run(connection, WAITING)
    parking.park(connection)
    connection.execute(update(DagRun.__table__).values(run_after=LOOKED))
    parking.prepare(connection)
    assert parking.wake_all(connection) == 0
    assert read(connection, run)[0] == LOOKED


def test_what_is_kept_of_a_deleted_run_does_not_hit_another(connection: Connection) -> None:
    add_run(connection, WAITING)
    parking.park(connection)
    connection.execute(text("DELETE FROM dag_run"))
    parking.prepare(connection)
    assert connection.execute(text("SELECT count(*) FROM automations_parked_run")).scalar() == 0


def test_two_schedulers_park_and_wake_without_losing_a_run(airflow_database: Engine) -> None:
    with airflow_database.connect() as connection:
        parking.prepare(connection)
        runs = [add_run(connection, WAITING) for _ in range(60)]
    failures: list[BaseException] = []

    def park_and_wake() -> None:
        try:
            with airflow_database.connect() as own:
                for _ in range(25):
                    parking.park(own)
                    parking.wake_all(own)
                    connection_reset(own)
        except BaseException as error:  # noqa: BLE001 -- the test itself fails by it
            failures.append(error)

    def connection_reset(own: Connection) -> None:
        own.execute(update(DagRun.__table__).values(last_scheduling_decision=LOOKED))

    threads = [threading.Thread(target=park_and_wake) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with airflow_database.connect() as connection:
        parking.wake_all(connection)
        assert not failures
        assert {read(connection, run)[0] for run in runs} == {START}
        assert connection.execute(text("SELECT count(*) FROM automations_parked_run")).scalar() == 0


def test_a_repeated_question_shows_its_new_text(connection: Connection) -> None:
    run = add_run(connection, WAITING)
    connection.execute(
        text(
            "INSERT INTO hitl_detail (ti_id, options, subject, params, params_input, created_at,"
            " multiple) SELECT id, '[\"A\"]', 'old', '{}', '{}', now(), false FROM task_instance"
            " WHERE task_id = 't1';"
            "INSERT INTO xcom (dag_run_id, task_id, map_index, key, dag_id, run_id, value,"
            " timestamp) SELECT r.id, 't1', -1, :key, r.dag_id, r.run_id,"
            ' \'{"subject": "new", "body": "b", "options": ["B"], "params": {"c": {}}}\', now()'
            " FROM dag_run r WHERE r.id = :run"
        ),
        {"key": QUESTION_KEY, "run": run},
    )
    assert parking.refresh_questions(connection) == 1
    row = connection.execute(text("SELECT subject, body, options, params FROM hitl_detail")).one()
    assert tuple(row) == ("new", "b", ["B"], {"c": {}})
    assert parking.refresh_questions(connection) == 0


def test_the_thread_parks_and_wakes_by_itself(airflow_database: Engine) -> None:
    with airflow_database.connect() as connection:
        run = add_run(connection, WAITING)
        parker = parking.Parker(airflow_database)
        parker.start()
        try:
            assert eventually(lambda: is_parked(connection, run))
            set_task(connection, run, "t1", "scheduled", datetime.now(UTC))
            assert eventually(lambda: read(connection, run) == (START, None))
        finally:
            parker.stop()
            parker.join(5)
        assert not parker.is_alive()


def test_the_thread_goes_on_after_any_error(
    airflow_database: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(scheduler_threads, "RECONNECT_INTERVAL", 0.01)
    errors: list[Exception] = [RuntimeError("not of the database"), KeyError("a bug of ours")]

    def fail(*_: Any) -> None:
        if errors:
            raise errors.pop()

    with airflow_database.connect() as connection:
        run = add_run(connection, WAITING)
        broken = create_engine(airflow_database.url, isolation_level="AUTOCOMMIT")
        event.listen(broken, "before_cursor_execute", fail)
        parker = parking.Parker(broken)
        parker.start()
        try:
            assert eventually(lambda: is_parked(connection, run))
        finally:
            parker.stop()
            parker.join(5)
            broken.dispose()
    assert errors == []
    seen = [record.exc_info[0] for record in caplog.records if record.exc_info]
    assert seen == [KeyError, RuntimeError]


def eventually(condition: Any, seconds: float = 5) -> bool:
    turn = threading.Event()
    for _ in range(int(seconds / 0.05)):
        if condition():
            return True
        turn.wait(0.05)
    return False
