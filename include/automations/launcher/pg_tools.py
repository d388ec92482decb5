"""PostgreSQL's own programs for dumps, as they come with the embedded server."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg2
from sqlalchemy.engine import URL, make_url

from automations.launcher.archive import BackupError
from automations.launcher.postgres import binaries

_RESET = b"DROP SCHEMA public CASCADE;\nCREATE SCHEMA public;\n"


@contextmanager
def snapshot(dsn: str) -> Iterator[tuple[str, Any]]:
    """One consistent sight of a database: its name for ``dump``, and a cursor that has it."""
    with closing(psycopg2.connect(_libpq(dsn, hide_password=False))) as connection:
        connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
        cursor = connection.cursor()
        cursor.execute("SELECT pg_export_snapshot()")
        (name,) = cursor.fetchone() or ("",)
        yield str(name), cursor


def dump(dsn: str, snapshot_name: str, target: Path) -> None:
    """Write all of a database as one snapshot sees it."""
    _run(
        dsn,
        "pg_dump",
        "--format=custom",
        f"--snapshot={snapshot_name}",
        "--no-owner",
        "--no-privileges",
        # Counts of rate limits: losing them only forgives.
        "--no-unlogged-table-data",
        f"--file={target}",
    )


def load(dsn: str, source: Path) -> None:
    """Put a dump in place of all that a database holds, in one transaction."""
    options = ("--quiet", "--no-psqlrc", "--single-transaction", "--set=ON_ERROR_STOP=1")
    read = [str(binaries() / "pg_restore"), "--no-owner", "--no-privileges", "--file=-"]
    write = [*_command(dsn, "psql"), *options, "--output=/dev/null", "--file=-"]
    environment = _environment(dsn)
    with tempfile.TemporaryFile() as stderr_file:
        reader = subprocess.Popen(
            [*read, str(source)], stdout=subprocess.PIPE, stderr=stderr_file, env=environment
        )
        writer = subprocess.Popen(write, stdin=subprocess.PIPE, stderr=stderr_file, env=environment)
        assert reader.stdout is not None
        assert writer.stdin is not None
        with reader.stdout, suppress(BrokenPipeError), writer.stdin:
            writer.stdin.write(_RESET)
            shutil.copyfileobj(reader.stdout, writer.stdin, 1 << 20)
            if reader.wait() != 0:
                # It must not see an end, at which it would commit.
                writer.kill()
        failed = [writer.wait(), reader.wait()]
        if any(failed):
            stderr_file.seek(0)
            raise BackupError(f"The dump could not be read in: {_last(stderr_file.read())}")


def _run(dsn: str, program: str, *options: str) -> None:
    command = [*_command(dsn, program), *options]
    done = subprocess.run(command, env=_environment(dsn), capture_output=True)
    if done.returncode != 0:
        raise BackupError(f"{program} failed: {_last(done.stderr)}")


def _command(dsn: str, program: str) -> list[str]:
    return [str(binaries() / program), f"--dbname={_libpq(dsn)}", "--no-password"]


def _libpq(dsn: str, hide_password: bool = True) -> str:
    """The address for libpq; the password would be seen by everybody who lists processes."""
    url: URL = make_url(dsn).set(drivername="postgresql")
    if hide_password:
        url = URL.create(
            "postgresql", url.username, None, url.host, url.port, url.database, url.query
        )
    return url.render_as_string(hide_password=False)


def _environment(dsn: str) -> dict[str, str]:
    # Without the caller's own PG* settings.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    password = make_url(dsn).password
    # Else it lists what a reset drops.
    environment["PGOPTIONS"] = "-c client_min_messages=warning"
    return {**environment, "PGPASSWORD": str(password)} if password else environment


def _last(output: bytes) -> str:
    lines = output.decode(errors="replace").strip().splitlines()
    return " ".join(lines[-3:]) or "it did not say why."
