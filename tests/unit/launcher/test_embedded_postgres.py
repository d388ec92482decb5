"""The embedded PostgreSQL, for real: on free ports, in awkward places, after a kill."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from automations.kit import parent_death
from automations.launcher.postgres import EmbeddedPostgres, PostgresError
from tests.free_ports import free_port

pytestmark = pytest.mark.slow  # each starts servers of its own

Make = Callable[[Path], EmbeddedPostgres]


@pytest.fixture
def make() -> Iterator[Make]:
    """Servers that are stopped whatever happens."""
    servers = []

    def make(folder: Path) -> EmbeddedPostgres:
        server = EmbeddedPostgres(folder, free_port(), "secret")
        servers.append(server)
        return server

    yield make
    for server in servers:
        server.stop()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that only its owner may enter, as below root's own home."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def execute(server: EmbeddedPostgres, statement: str) -> list[tuple[object, ...]]:
    url = server.dsn("automations").replace("+psycopg2", "")
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []


def postmaster(server: EmbeddedPostgres) -> int:
    return int((server.data_dir / "postmaster.pid").read_text().split()[0])


def test_it_has_both_databases_after_a_start(make: Make, tmp_path: Path) -> None:
    server = make(tmp_path / "data")
    server.start(timeout=300)
    names = {row[0] for row in execute(server, "SELECT datname FROM pg_database")}
    assert {"automations", "airflow"} <= names


def test_it_asks_for_the_password(make: Make, tmp_path: Path) -> None:
    server = make(tmp_path / "data")
    server.start(timeout=300)
    with pytest.raises(psycopg2.OperationalError, match="password"):
        psycopg2.connect(
            host="127.0.0.1",
            port=server.port,
            user="automations",
            password="wrong",
            dbname="postgres",
        )


def test_it_keeps_its_rows_over_a_stop(make: Make, tmp_path: Path) -> None:
    server = make(tmp_path / "data")
    server.start(timeout=300)
    execute(server, "CREATE TABLE kept AS SELECT 42 AS answer")
    server.stop()
    assert not server.is_ready()
    server.start(timeout=300)
    assert execute(server, "SELECT answer FROM kept") == [(42,)]


def test_it_recovers_after_its_postmaster_was_killed(make: Make, tmp_path: Path) -> None:
    server = make(tmp_path / "data")
    server.start(timeout=300)
    execute(server, "CREATE TABLE kept AS SELECT 42 AS answer")
    os.kill(postmaster(server), signal.SIGKILL)
    server.start(timeout=300)
    assert execute(server, "SELECT answer FROM kept") == [(42,)]


def test_a_pid_file_that_names_a_stranger_does_not_keep_it_from_starting(
    make: Make, tmp_path: Path
) -> None:
    server = make(tmp_path / "data")
    server.start(timeout=300)
    pid_file = server.data_dir / "postmaster.pid"
    left_behind = pid_file.read_text().split("\n")
    server.stop()
    pid_file.write_text("\n".join([str(os.getpid()), *left_behind[1:]]))
    server.start(timeout=300)
    assert server.is_ready()


def test_an_interrupted_initialisation_is_redone(make: Make, tmp_path: Path) -> None:
    half = tmp_path / "data.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18")
    server = make(tmp_path / "data")
    server.start(timeout=300)
    assert server.is_ready()
    assert not half.exists()


def test_a_very_long_path_with_spaces_works(make: Make, folder: Path) -> None:
    server = make(folder / ("long " * 40) / ("longer " * 30) / "data")
    server.start(timeout=300)
    assert server.is_ready()


def test_a_folder_that_only_we_may_enter_works(make: Make, folder: Path) -> None:
    assert folder.stat().st_mode & 0o077 == 0
    server = make(folder / "data")
    server.start(timeout=300)
    assert server.is_ready()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as somebody else")
def test_programs_in_a_folder_that_only_root_may_enter_are_found(make: Make, folder: Path) -> None:
    program = folder / "program"
    program.write_text("#!/bin/sh")
    program.chmod(0o755)
    # initdb asks access(2) for postgres, as test does: a capability alone does not satisfy it.
    as_owner = make(folder / "data").command()[: make(folder / "data").command().index("--")]
    assert subprocess.run([*as_owner, "test", "-x", str(program)]).returncode == 0


def test_two_servers_run_side_by_side(make: Make, tmp_path: Path) -> None:
    first, second = make(tmp_path / "first"), make(tmp_path / "second")
    first.start(timeout=300)
    second.start(timeout=300)
    assert first.is_ready()
    assert second.is_ready()


def test_a_taken_port_is_an_error_that_names_the_log(make: Make, tmp_path: Path) -> None:
    server = make(tmp_path / "data")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", server.port))
        taken.listen()
        with pytest.raises(PostgresError, match=r"data\.log"):
            server.start(timeout=3)


def test_it_dies_with_the_process_that_started_it(make: Make, tmp_path: Path) -> None:
    server = make(tmp_path / "data")
    server.prepare()
    parent = subprocess.Popen(
        [
            *(sys.executable, "-c"),
            "import os, subprocess, sys, time\n"
            "subprocess.Popen([*sys.argv[1:6], str(os.getpid()), *sys.argv[6:]])\n"
            "time.sleep(120)",
            *(
                sys.executable,
                "-I",
                "-S",
                parent_death.__file__,
                str(int(signal.SIGINT)),
                *server.command(),
            ),
        ],
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while not server.is_ready():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    parent.kill()
    parent.wait()
    while (server.data_dir / "postmaster.pid").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert not server.is_ready()
