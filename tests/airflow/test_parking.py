"""Parking, against Airflow's own tables."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow import settings
from airflow.jobs import scheduler_job_runner
from airflow.models.dagrun import DagRun
from airflow.utils.session import create_session
from sqlalchemy import Connection, Engine, create_engine, event, insert, select, text, update

from automations.ports import OPERATOR_DAG
from automations_airflow.scheduler import scheduler_threads
from automations_airflow.scheduler.resting import Rest
from automations_airflow.waits import parking
from automations_airflow.waits.parking import Parker
from automations_airflow.waits.waiting import QUESTION_KEY
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


@pytest.fixture(autouse=True)
def airflows_own() -> Iterator[None]:
    """The scheduler's query is Airflow's own again after each test."""
    yield
    DagRun.get_running_dag_runs_to_examine = parking._EXAMINE  # type: ignore[method-assign]
    scheduler_job_runner.time = time  # type: ignore[attr-defined]


@pytest.fixture
def dag(connection: Connection) -> str:
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
    return DAG_ID


@pytest.fixture
def parker(airflow_database: Engine) -> Parker:
    """One that has looked a moment ago."""
    parker = Parker(airflow_database, Rest())
    parking.leave_out(parker, Rest())
    parker._looked = time.monotonic()
    return parker


def examined() -> set[int]:
    """The runs that the scheduler would look at now."""
    with create_session() as session:
        return {run.id for run in DagRun.get_running_dag_runs_to_examine(session=session)}


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


def ago(seconds: float) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)


def rows(connection: Connection) -> list[Any]:
    """All that Airflow keeps of runs."""
    return list(connection.execute(select(DagRun.__table__).order_by(DagRun.__table__.c.id)))


def is_parked(connection: Connection, run: int) -> bool:
    named = text("SELECT EXISTS (SELECT FROM automations_parked_run WHERE dag_run_id = :run)")
    return bool(connection.execute(named, {"run": run}).scalar())


def test_a_run_that_only_waits_leaves_the_schedulers_rotation_and_stays_as_it_is(
    connection: Connection, dag: str, parker: Parker
) -> None:
    parked, busy = add_run(connection, WAITING), add_run(connection, BUSY)
    before = rows(connection)
    assert examined() == {parked, busy}
    assert parking.park(connection) == 1
    assert examined() == {busy}
    assert rows(connection) == before
    set_task(connection, parked, "t1", "scheduled", datetime.now(UTC))
    parking.wake_answered(connection)
    assert examined() == {parked, busy}
    assert rows(connection) == before


def test_what_is_parked_is_left_out_only_while_somebody_looks_after_it(
    connection: Connection, dag: str, parker: Parker, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = add_run(connection, WAITING)
    parking.park(connection)
    assert examined() == set()
    monkeypatch.setattr(parking, "TRUST_TIMEOUT", 0.0)
    assert examined() == {run}


def test_a_scheduler_that_begins_anew_finds_what_was_parked(
    connection: Connection, dag: str, airflow_database: Engine
) -> None:
    """It looks at all until its own thread has looked, and then leaves them out."""
    run = add_run(connection, WAITING)
    parking.park(connection)
    parker = Parker(airflow_database, Rest())
    parking.prepare(connection)
    parking.leave_out(parker, Rest())
    assert examined() == {run}
    parker.look(connection)
    assert examined() == set()


def test_who_looks_reads_only_numbers_of_the_parked(
    connection: Connection, dag: str, parker: Parker
) -> None:
    """Their rows are wide: a thousand of them cost the scheduler more than all that it does."""
    for _ in range(300):
        add_run(connection, WAITING)
    busy = add_run(connection, BUSY)
    parking.park(connection)
    for table in ("dag_run", "task_instance", "automations_parked_run"):
        connection.execute(text(f"VACUUM ANALYZE {table}"))
    asked: list[Any] = []

    def note(*call: Any) -> None:
        asked.append(call[2:4])

    event.listen(settings.engine, "before_cursor_execute", note)
    try:
        assert examined() == {busy}
    finally:
        event.remove(settings.engine, "before_cursor_execute", note)
    query, values = next(call for call in asked if "automations_parked_run" in call[0])
    explain = f"EXPLAIN (FORMAT JSON) {query}"
    explained = connection.exec_driver_sql(explain, values).scalar_one()
    width = {scan["Alias"]: scan["Plan Width"] for scan in scans(explained[0]["Plan"])}
    assert width["dag_run_1"] < 10 < width["dag_run"]


def scans(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every look at the runs in a plan."""
    if plan.get("Relation Name") == "dag_run":
        yield plan
    for part in plan.get("Plans", ()):
        yield from scans(part)


def test_a_run_that_another_scheduler_has_in_hand_is_skipped_as_ever(
    connection: Connection, dag: str, parker: Parker
) -> None:
    run = add_run(connection, BUSY)
    with create_session() as session, ThreadPoolExecutor(1) as other:
        assert [
            dag_run.id for dag_run in DagRun.get_running_dag_runs_to_examine(session=session)
        ] == [run]
        assert other.submit(examined).result() == set(), "its row is locked"


@pytest.mark.parametrize("state", ["scheduled", "queued", "running"])
def test_a_run_of_which_nothing_has_changed_since_the_last_look_is_left_out(
    connection: Connection, dag: str, parker: Parker, state: str
) -> None:
    run = add_run(connection, ("success", state, None), last_scheduling_decision=ago(1))
    assert examined() == set()
    set_task(connection, run, "t1", "success", ago(0.1))
    assert examined() == {run}


def test_what_was_changed_shortly_before_the_last_look_may_not_have_been_seen_by_it(
    connection: Connection, dag: str, parker: Parker
) -> None:
    run = add_run(connection, BUSY, last_scheduling_decision=ago(1))
    set_task(connection, run, "t1", "running", ago(2))
    assert examined() == {run}


def test_a_run_with_a_task_in_hand_is_looked_at_once_in_a_while(
    connection: Connection, dag: str, parker: Parker
) -> None:
    run = add_run(connection, BUSY, last_scheduling_decision=ago(60))
    assert examined() == {run}


@pytest.mark.parametrize("tasks", [("success",), ("running", "up_for_retry"), (None, None)])
def test_a_run_in_which_something_may_be_due_is_looked_at(
    connection: Connection, dag: str, parker: Parker, tasks: tuple[str | None, ...]
) -> None:
    run = add_run(connection, tasks, last_scheduling_decision=ago(1))
    assert examined() == {run}


def test_runs_of_other_dags_are_looked_at_as_ever(
    connection: Connection, dag: str, parker: Parker
) -> None:
    connection.execute(text("UPDATE dag SET dag_id = 'theirs'"))
    run = add_run(connection, BUSY, dag_id="theirs", last_scheduling_decision=ago(1))
    assert examined() == {run}


def test_the_scheduler_does_not_rest_while_a_run_is_under_way(
    connection: Connection, dag: str, airflow_database: Engine
) -> None:
    class Noted(Rest):
        times = 0

        def note_runs(self) -> None:
            self.times += 1

    rest = Noted()
    parker = Parker(airflow_database, Rest())
    parking.leave_out(parker, rest)
    parker._looked = time.monotonic()
    waiting = add_run(connection, WAITING)
    parking.park(connection)
    assert examined() == set()
    assert rest.times == 0
    add_run(connection, BUSY, last_scheduling_decision=ago(1))
    assert examined() == set()
    assert rest.times == 1
    assert is_parked(connection, waiting)


@pytest.mark.parametrize("state", ["awaiting_input", "deferred"])
def test_both_ways_of_waiting_are_parked(connection: Connection, state: str) -> None:
    run = add_run(connection, (state,))
    assert parking.park(connection) == 1
    assert is_parked(connection, run)
    assert parking.park(connection) == 0, "it is there already"


@pytest.mark.parametrize(
    "state", ["scheduled", "queued", "running", "up_for_retry", "up_for_reschedule", "restarting"]
)
def test_a_run_with_a_task_on_its_way_is_left_alone(connection: Connection, state: str) -> None:
    add_run(connection, ("awaiting_input", state))
    assert parking.park(connection) == 0


def test_a_run_without_a_waiting_task_is_left_alone(connection: Connection) -> None:
    add_run(connection, ("success", None))
    assert parking.park(connection) == 0


def test_a_deferred_operator_that_a_step_waits_for_is_parked(connection: Connection) -> None:
    run = add_run(connection, ("deferred",), dag_id=OPERATOR_DAG)
    assert parking.park(connection) == 1
    assert is_parked(connection, run)


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
def test_a_run_whose_task_no_longer_waits_comes_back(
    connection: Connection, state: str | None
) -> None:
    run = add_run(connection, WAITING)
    parking.park(connection)
    set_task(connection, run, "t1", state, datetime.now(UTC))
    assert parking.wake_answered(connection) == 1
    assert not is_parked(connection, run)
    assert parking.wake_answered(connection) == 0


def test_a_run_that_was_ended_is_parked_no_more(connection: Connection) -> None:
    run = add_run(connection, WAITING)
    parking.park(connection)
    connection.execute(update(DagRun.__table__).values(state="failed"))
    assert parking.wake_busy(connection) == 1
    assert not is_parked(connection, run)


def test_clearing_another_task_wakes_a_run_that_still_waits(connection: Connection) -> None:
    run = add_run(connection, WAITING)
    parking.park(connection)
    set_task(connection, run, "t0", None, datetime.now(UTC))
    assert parking.wake_answered(connection) == 0
    assert parking.wake_busy(connection) == 1
    assert parking.park(connection) == 0, "the scheduler has not looked at it since"


def test_a_run_that_still_waits_stays_parked(connection: Connection) -> None:
    run = add_run(connection, WAITING)
    parking.park(connection)
    assert parking.wake_answered(connection) + parking.wake_busy(connection) == 0
    assert is_parked(connection, run)


def test_a_run_that_is_due_later_is_left_alone(connection: Connection) -> None:
    add_run(connection, WAITING, run_after=datetime.now(UTC) + timedelta(hours=1))
    assert parking.park(connection) == 0


@pytest.mark.parametrize("tidy", [parking.prepare, parking.wake_answered])
def test_what_is_kept_of_a_deleted_run_does_not_hit_another(
    connection: Connection, tidy: Callable[[Connection], object]
) -> None:
    add_run(connection, WAITING)
    parking.park(connection)
    connection.execute(text("DELETE FROM dag_run"))
    tidy(connection)
    assert connection.execute(text("SELECT count(*) FROM automations_parked_run")).scalar() == 0


def test_two_schedulers_park_and_wake_without_losing_a_run(airflow_database: Engine) -> None:
    with airflow_database.connect() as connection:
        parking.prepare(connection)
        runs = [add_run(connection, WAITING) for _ in range(60)]
        before = rows(connection)
    failures: list[BaseException] = []

    def park_and_wake() -> None:
        try:
            with airflow_database.connect() as own:
                for _ in range(25):
                    parking.park(own)
                    parking.wake_all(own)
        except BaseException as error:  # noqa: BLE001 -- the test itself fails by it
            failures.append(error)

    threads = [threading.Thread(target=park_and_wake) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with airflow_database.connect() as connection:
        parking.wake_all(connection)
        assert not failures
        assert rows(connection) == before
        assert parking.park(connection) == len(runs)
        parking.wake_all(connection)
        assert connection.execute(text("SELECT count(*) FROM automations_parked_run")).scalar() == 0


def test_a_repeated_question_shows_its_new_text_and_its_form_in_its_order(
    connection: Connection,
) -> None:
    run = add_run(connection, WAITING)
    fields: dict[str, Any] = {"longer": {}, "c": {}, "b": {}}
    asked = {"subject": "new", "body": "b", "options": ["B"], "params": json.dumps(fields)}
    connection.execute(
        text(
            "INSERT INTO hitl_detail (ti_id, options, subject, params, params_input, created_at,"
            " multiple) SELECT id, '[\"A\"]', 'old', '{}', '{}', now(), false FROM task_instance"
            " WHERE task_id = 't1';"
            "INSERT INTO xcom (dag_run_id, task_id, map_index, key, dag_id, run_id, value,"
            " timestamp) SELECT r.id, 't1', -1, :key, r.dag_id, r.run_id,"
            " CAST(:asked AS jsonb), now() FROM dag_run r WHERE r.id = :run"
        ),
        {"key": QUESTION_KEY, "run": run, "asked": json.dumps(asked)},
    )
    assert parking.refresh_questions(connection) == 1
    row = connection.execute(text("SELECT subject, body, options, params FROM hitl_detail")).one()
    assert tuple(row) == ("new", "b", ["B"], fields)
    assert list(row.params) == list(fields)
    assert parking.refresh_questions(connection) == 0


def test_the_thread_parks_and_wakes_by_itself(airflow_database: Engine) -> None:
    with airflow_database.connect() as connection:
        parking.prepare(connection)
        run = add_run(connection, WAITING)
        parker = Parker(airflow_database, Rest())
        parker.start()
        try:
            assert eventually(lambda: is_parked(connection, run))
            set_task(connection, run, "t1", "scheduled", datetime.now(UTC))
            assert eventually(lambda: not is_parked(connection, run))
        finally:
            parker.stop()
            parker.join(60)
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
        parking.prepare(connection)
        run = add_run(connection, WAITING)
        broken = create_engine(airflow_database.url, isolation_level="AUTOCOMMIT")
        event.listen(broken, "before_cursor_execute", fail)
        parker = Parker(broken, Rest())
        parker.start()
        try:
            assert eventually(lambda: is_parked(connection, run))
        finally:
            parker.stop()
            parker.join(60)
            broken.dispose()
    assert errors == []
    seen = [record.exc_info[0] for record in caplog.records if record.exc_info]
    assert seen == [KeyError, RuntimeError]


def eventually(condition: Any) -> bool:
    deadline = time.monotonic() + 60
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_several_schedulers_that_begin_at_once_make_the_table_once(
    airflow_database: Engine,
) -> None:
    def begin(barrier: threading.Barrier) -> None:
        with airflow_database.connect() as connection:
            barrier.wait()
            parking.prepare(connection)

    with ThreadPoolExecutor(4) as schedulers:
        for _ in range(5):
            with airflow_database.connect() as connection:
                connection.execute(text("DROP TABLE IF EXISTS automations_parked_run"))
            barrier = threading.Barrier(4)
            for done in [schedulers.submit(begin, barrier) for _ in range(4)]:
                done.result()


def test_several_schedulers_park_and_wake_the_same_runs_one_after_the_other(
    airflow_database: Engine, connection: Connection, dag: str
) -> None:
    runs = [add_run(connection, WAITING) for _ in range(60)]

    def look() -> None:
        parker = Parker(airflow_database, Rest())
        with airflow_database.connect() as own:
            for _ in range(20):
                parker.look(own)

    with ThreadPoolExecutor(3) as schedulers:
        looking = [schedulers.submit(look) for _ in range(3)]
        for run in runs[::2]:
            set_task(connection, run, "t1", "scheduled", datetime.now(UTC))
        for done in looking:
            done.result()
    Parker(airflow_database, Rest()).look(connection)
    assert [is_parked(connection, run) for run in runs] == [False, True] * 30
