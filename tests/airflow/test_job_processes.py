"""What a dead scheduler had is taken over at once, and what a living one has is not."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest
from airflow.dag_processing.manager import DagFileProcessorManager
from airflow.jobs.job import Job
from airflow.models.dagcode import DagCode
from airflow.utils.session import create_session
from sqlalchemy import Connection, Engine, event, select, text

from automations.launcher import probes, processes
from automations.launcher.run_state import PartState, RunFolder, RunState
from automations_airflow import listener
from automations_airflow.dags import dag_code
from automations_airflow.executors import job_processes

HOST = "one"


@pytest.fixture
def connection(airflow_database: Engine) -> Iterator[Connection]:
    with airflow_database.connect() as connection:
        connection.execute(text("TRUNCATE job, trigger CASCADE"))
        connection.execute(text("DROP TABLE IF EXISTS automations_job_process"))
        yield connection


@pytest.fixture
def other() -> Iterator[subprocess.Popen[bytes]]:
    """A process that is another scheduler."""
    with subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE
    ) as process:
        yield process


def add_job(connection: Connection, kind: str = "SchedulerJob", silent: float = 0) -> int:
    at = datetime.now(UTC) - timedelta(seconds=silent)
    job = connection.execute(
        text(
            "INSERT INTO job (state, job_type, hostname, latest_heartbeat)"
            " VALUES ('running', :kind, :host, :at) RETURNING id"
        ),
        {"kind": kind, "host": HOST, "at": at},
    )
    return int(job.scalar_one())


def note(
    connection: Connection, job: int, pid: int, namespace: str | None = None, host: str = HOST
) -> None:
    """Note a job as that process would have done."""
    job_processes.take_over(connection, job, host)
    connection.execute(
        text(
            "UPDATE automations_job_process SET pid = :pid, created = :created,"
            " processes = coalesce(:namespace, processes) WHERE job_id = :job"
        ),
        {
            "job": job,
            "pid": pid,
            "created": processes.create_time(pid),
            "namespace": namespace,
        },
    )


def states(connection: Connection) -> dict[int, str]:
    return {row.id: row.state for row in connection.execute(text("SELECT id, state FROM job"))}


def test_the_job_of_a_process_that_is_gone_is_ended(
    connection: Connection, other: subprocess.Popen[bytes]
) -> None:
    dead = add_job(connection)
    note(connection, dead, other.pid)
    other.kill()
    other.wait()
    mine = add_job(connection)
    assert job_processes.take_over(connection, mine, HOST) == [dead]
    assert states(connection) == {dead: "failed", mine: "running"}


def test_the_job_of_a_process_that_lives_is_left_alone_however_starved_it_is(
    connection: Connection, other: subprocess.Popen[bytes]
) -> None:
    living = add_job(connection, silent=3600)
    note(connection, living, other.pid)
    assert job_processes.take_over(connection, add_job(connection), HOST) == []


def test_a_clock_that_was_set_ends_no_life(
    connection: Connection, other: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    living = add_job(connection)
    note(connection, living, other.pid)
    before = psutil.boot_time()
    monkeypatch.setattr(psutil._pslinux, "boot_time", lambda: before + 60)
    assert processes.to_unix_time(0) == before + 60
    assert job_processes.take_over(connection, add_job(connection), HOST) == []


def test_another_machine_of_the_same_name_is_seen_by_its_heartbeats_alone(
    connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    boot = tmp_path / "boot_id"
    boot.write_text("another machine's\n")
    living = add_job(connection)
    with monkeypatch.context() as there:
        there.setattr(processes, "BOOT_ID", boot)
        note(connection, living, 1_000_000)
    assert job_processes.take_over(connection, add_job(connection), HOST) == []


def test_a_number_that_belongs_to_another_process_by_now_is_no_life(
    connection: Connection,
) -> None:
    dead = add_job(connection)
    note(connection, dead, os.getpid())
    assert job_processes.take_over(connection, add_job(connection), HOST) == [dead]


def test_jobs_of_other_machines_are_left_to_their_heartbeats(connection: Connection) -> None:
    elsewhere = add_job(connection, silent=3600)
    note(connection, elsewhere, 1_000_000, host="two")
    assert job_processes.take_over(connection, add_job(connection), HOST) == []


@pytest.mark.parametrize(("silent", "ended"), [(0, False), (60, True)])
def test_where_processes_cannot_be_seen_the_heartbeat_counts(
    connection: Connection, silent: float, ended: bool
) -> None:
    job = add_job(connection, silent=silent)
    note(connection, job, os.getpid(), namespace="pid:[another container]")
    assert job_processes.take_over(connection, add_job(connection), HOST) == [job] * ended


def test_what_has_ended_is_forgotten(connection: Connection) -> None:
    for _ in range(3):
        job = add_job(connection)
        note(connection, job, 1_000_000)
    rows = connection.execute(text("SELECT job_id FROM automations_job_process"))
    assert rows.scalars().all() == [job]


def test_airflows_own_job_is_noted_with_it_and_a_dead_triggerer_counts_as_none(
    connection: Connection,
) -> None:
    dead = add_job(connection, "TriggererJob")
    note(connection, dead, 1_000_000)
    job_processes.watch(Job)
    try:
        with create_session() as session:
            mine = Job(job_type="TriggererJob", state="running")
            mine.hostname = HOST
            session.add(mine)
            session.flush()
            noted = session.execute(text("SELECT job_id, pid FROM automations_job_process"))
            # As Airflow asks whose triggers are to be left alone.
            living = select(Job.id).where(Job.end_date.is_(None), Job.job_type == "TriggererJob")
            assert session.scalars(living).all() == [mine.id]
            assert noted.all() == [(mine.id, os.getpid())]
    finally:
        event.remove(Job, "after_insert", job_processes._on_insert)


def test_a_dag_processor_that_starts_takes_note_that_the_one_before_it_is_dead(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = add_job(connection, "DagProcessorJob")
    note(connection, dead, 1_000_000)
    # Only in the launcher's own Airflow.
    monkeypatch.setenv(
        "AIRFLOW__LOGGING__LOGGING_CONFIG_CLASS", "automations_airflow.ui.task_logs.LOGGING_CONFIG"
    )
    monkeypatch.setattr(sys, "argv", ["airflow", "dag-processor"])
    monkeypatch.setattr(listener, "_started_in", set())
    # As it is afterwards, too.
    serve = DagFileProcessorManager._service_processor_sockets
    monkeypatch.setattr(DagFileProcessorManager, "_service_processor_sockets", serve)
    listener.on_starting(Job())
    try:
        with create_session() as session:
            mine = Job(job_type="DagProcessorJob", state="running")
            mine.hostname = HOST
            session.add(mine)
        assert states(connection) == {dead: "failed", mine.id: "running"}
    finally:
        event.remove(Job, "after_insert", job_processes._on_insert)
        for when in ("before_insert", "before_update"):
            event.remove(DagCode, when, dag_code._show)


def test_each_of_several_parts_of_a_kind_is_known_by_its_own_heartbeat(
    connection: Connection,
    airflow_dsn: str,
    other: subprocess.Popen[bytes],
    tmp_path: Path,
) -> None:
    here = socket.gethostname()
    RunFolder(tmp_path).write(
        RunState(
            parts={"scheduler": PartState(pid=other.pid), "scheduler-2": PartState(pid=os.getpid())}
        )
    )

    def works(name: str) -> bool:
        return probes.airflow_process(airflow_dsn, tmp_path, name)(0)

    assert not works("scheduler"), "none has begun on this database"
    for pid, silent in ((other.pid, 0.0), (os.getpid(), probes.HEARTBEAT_TIMEOUT + 10)):
        note(connection, add_job(connection, silent=silent), pid, host=here)
    assert works("scheduler")
    assert not works("scheduler-2")
    assert not works("scheduler-3")
