"""Prepares an installation before its parts start: databases, a workspace, an owner key."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

import psycopg2
from psycopg2 import errors
from sqlalchemy.engine import make_url

from automations.errors import Conflict, ValidationFailed
from automations.launcher.airflow_config import (
    airflow_environment,
    parts_environment,
    write_passwords,
)
from automations.launcher.parts import embedded_postgres
from automations.launcher.secrets import write_private
from automations.settings import IS_CHECKOUT, Settings

MIGRATIONS = Path(__file__).resolve().parents[1] / "db" / "migrations"


class SetupError(Exception):
    """A step of the setup failed."""


def set_up(settings: Settings) -> None:
    """Do everything that is not done yet."""
    write_passwords(settings)
    migrate(settings)
    ensure_owner_key(settings)


def migrate(settings: Settings, force: bool = False) -> None:
    """Bring both databases to the newest revision; nothing is loaded when they are there.

    Where the product is installed in an Airflow, that one's database is whose it is.
    """
    server = embedded_postgres(settings)
    if server is not None:
        server.ensure_databases()
    airflow = _Migration(settings, "airflow", settings.airflow_dsn, version("apache-airflow-core"))
    own_schema = _Migration(settings, "automations", settings.dsn, _fingerprint(MIGRATIONS))
    process = None
    if IS_CHECKOUT and (force or not airflow.is_done()):
        print("Migrating Airflow's database.", flush=True)
        process = subprocess.Popen(
            [sys.executable, "-m", "airflow", "db", "migrate"],
            env=airflow_environment(settings, parts_environment(settings)),
        )
    try:
        if force or not own_schema.is_done():
            print("Migrating our database.", flush=True)
            _upgrade(settings.dsn)
            own_schema.remember()
    finally:
        # What fails here does not leave it at work behind our back.
        code = None if process is None else process.wait()
    if code is not None:
        if code != 0:
            raise SetupError("airflow db migrate failed.")
        airflow.remember()


def _upgrade(dsn: str) -> None:
    from automations.db.migrate import fault, knows, upgrade

    current = revision(dsn)
    if current is None or knows(current):
        upgrade(dsn)
    if (problem := fault(dsn)) is not None:
        raise SetupError(problem)


def ensure_owner_key(settings: Settings) -> None:
    """Create the first API key, once, and keep it where only the owner of the home can read it."""
    path = owner_key_file(settings)
    if path.exists():
        return
    write_private(path, create_key("OWNER", "launcher") + "\n")


def create_key(role: str, name: str, workspace: str | None = None) -> str:
    """A new API key for a workspace, made when it is not there; the default one if None."""
    from automations.services.access.api_keys import create_key as create
    from automations.services.access.bootstrap import ensure_workspace

    return create(role, name, ensure_workspace(workspace))


def invite(email: str, role: str, workspace: str | None = None) -> str:
    """The token of an invitation for a member of a workspace, made when there is none.

    Who cannot be invited leaves no workspace behind.
    """
    from automations.db.session import together
    from automations.services.access.bootstrap import ensure_workspace
    from automations.services.access.sign_ins import invite_by_address

    try:
        with together():
            return invite_by_address(ensure_workspace(workspace), email, role)
    except (Conflict, ValidationFailed) as error:
        raise SetupError(error.message) from error


def owner_key_file(settings: Settings) -> Path:
    """Where the first API key is kept."""
    return settings.home / "owner.key"


class _Migration:
    """One database: the revision it has, and the code its revision was last brought up to."""

    def __init__(self, settings: Settings, name: str, dsn: str, code: str) -> None:
        self._file = settings.home / "run" / f"migrated-{name}.json"
        self._dsn = dsn
        self._code = code

    def is_done(self) -> bool:
        try:
            remembered = json.loads(self._file.read_text())
        except (FileNotFoundError, ValueError):
            return False
        current = revision(self._dsn)
        return current is not None and remembered == [self._code, current]

    def remember(self) -> None:
        write_private(self._file, json.dumps([self._code, revision(self._dsn)]))


def revision(dsn: str) -> str | None:
    """The revision of a database's schema; None before it has any."""
    url = make_url(dsn).set(drivername="postgresql")
    with closing(psycopg2.connect(url.render_as_string(hide_password=False))) as connection:
        cursor = connection.cursor()
        try:
            cursor.execute("SELECT version_num FROM alembic_version")
        except errors.UndefinedTable:
            return None
        row = cursor.fetchone()
        return str(row[0]) if row else None


def _fingerprint(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
