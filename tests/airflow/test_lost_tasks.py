"""Tasks whose processes are gone, as Airflow's own tables tell of them."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from airflow.utils.net import get_hostname
from sqlalchemy import Connection, Engine, text

from automations_airflow.scheduler import lost_tasks
from automations_airflow.scheduler.lost_tasks import LostTasks

LATE = 15.0

_SUPERVISOR = """
import sys
from setproctitle import setproctitle
setproctitle(f"airflow supervisor: {sys.argv[1]}")
print("named", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def connection(airflow_database: Engine) -> Iterator[Connection]:
    with airflow_database.connect() as connection:
        connection.execute(
            text(
                "INSERT INTO dag_bundle (name) VALUES ('b') ON CONFLICT DO NOTHING;"
                "INSERT INTO dag (dag_id, bundle_name, is_paused, is_stale, max_active_tasks,"
                " max_consecutive_failed_dag_runs, has_task_concurrency_limits, timetable_type,"
                " partition_mapper_info) VALUES ('d', 'b', false, false, 16, 0, false, 't', '[]');"
                "INSERT INTO dag_run (dag_id, run_id, run_type, state, run_after)"
                " VALUES ('d', 'r', 'manual', 'running', now())"
            )
        )
        yield connection


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE
    ) as process:
        yield process


def add(connection: Connection, task: str, pid: int, silent: float = LATE, **more: str) -> datetime:
    """A task at work; returns when it was last heard of."""
    heard = datetime.now(UTC) - timedelta(seconds=silent)
    connection.execute(
        text(
            "INSERT INTO task_instance (id, task_id, dag_id, run_id, map_index, try_number, pool,"
            " pool_slots, state, hostname, pid, last_heartbeat_at)"
            " VALUES (gen_random_uuid(), :task, 'd', 'r', -1, 1, 'default_pool', 1, :state, :host,"
            " :pid, :heard)"
        ),
        {"task": task, "pid": pid, "heard": heard, "state": "running", "host": get_hostname()}
        | more,
    )
    return heard


def heard(connection: Connection) -> dict[str, datetime]:
    query = text("SELECT task_id, last_heartbeat_at FROM task_instance")
    return {row.task_id: row.last_heartbeat_at for row in connection.execute(query)}


@pytest.fixture
def gone() -> int:
    """The number of a process that has ended."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return ended.pid


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that is missed was so for long."""
    monkeypatch.setattr(lost_tasks, "HEARTBEAT_TIMEOUT", 0.0)


@pytest.mark.usefixtures("patient")
def test_a_task_whose_process_is_gone_is_said_to_be_silent_for_long(
    connection: Connection, airflow_database: Engine, gone: int
) -> None:
    lost = add(connection, "lost", gone)
    LostTasks(airflow_database).look(connection)
    assert heard(connection)["lost"] < lost - timedelta(days=365)


def test_a_task_is_lost_when_it_was_missed_for_long_however_the_clock_was_set(
    connection: Connection, airflow_database: Engine, gone: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = LostTasks(airflow_database)
    before = {"lost": add(connection, "lost", gone), "heard": add(connection, "heard", gone)}
    tasks.look(connection)
    assert heard(connection) == before
    since = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: since + lost_tasks.HEARTBEAT_TIMEOUT)
    connection.execute(
        text("UPDATE task_instance SET last_heartbeat_at = now() WHERE task_id = 'heard'")
    )
    tasks.look(connection)
    after = heard(connection)
    assert after["lost"] < before["lost"] - timedelta(days=365)
    assert after["heard"] > before["heard"]


@pytest.mark.usefixtures("patient")
def test_a_task_whose_supervisor_is_there_is_told_of_by_that(
    connection: Connection, airflow_database: Engine, gone: int
) -> None:
    before = {"ending": add(connection, "ending", gone)}
    task = connection.scalar(text("SELECT id::text FROM task_instance"))
    with subprocess.Popen(
        [sys.executable, "-c", _SUPERVISOR, str(task)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as supervisor:
        assert supervisor.stdout is not None
        supervisor.stdout.readline()
        LostTasks(airflow_database).look(connection)
        assert heard(connection) == before
        supervisor.kill()
    LostTasks(airflow_database).look(connection)
    assert heard(connection)["ending"] < before["ending"] - timedelta(days=365)


@pytest.mark.usefixtures("patient")
def test_others_are_left_to_their_heartbeats(
    connection: Connection, airflow_database: Engine, process: subprocess.Popen[bytes], gone: int
) -> None:
    before = {
        "living": add(connection, "living", process.pid, silent=0),
        # The first of all processes, which lives as long as the machine.
        "starved": add(connection, "starved", 1),
        "elsewhere": add(connection, "elsewhere", gone, host="another machine"),
        "over": add(connection, "over", gone, state="success"),
    }
    LostTasks(airflow_database).look(connection)
    assert heard(connection) == before


@pytest.mark.usefixtures("patient")
def test_a_number_that_another_process_has_by_now_is_no_life(
    connection: Connection, airflow_database: Engine, process: subprocess.Popen[bytes]
) -> None:
    # It began after the task was last heard of.
    at = add(connection, "lost", process.pid, silent=3600)
    LostTasks(airflow_database).look(connection)
    assert heard(connection)["lost"] < at - timedelta(days=365)
