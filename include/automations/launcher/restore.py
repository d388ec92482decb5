"""Restores a backup into a home and databases that are empty or to be replaced."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.metadata import version
from pathlib import Path

import psycopg2
from packaging.version import Version
from sqlalchemy.engine import make_url

from automations.db.migrate import knows
from automations.db.tables.base import among
from automations.domain.statuses import UNFINISHED
from automations.launcher import pg_tools, stack
from automations.launcher.archive import BackupError, Manifest, unpack
from automations.launcher.backup import OWNER_KEY, SECRETS, databases
from automations.launcher.parts import embedded_postgres
from automations.launcher.run_state import RunFolder
from automations.launcher.secrets import write_private
from automations.launcher.setup import owner_key_file
from automations.settings import SETTINGS_FILE, Settings, default_home, get_settings

# What may have been on its way to Airflow when the backup was made; a start is made once only.
_AGAIN = f"""
INSERT INTO job (kind, subject_id)
SELECT 'start_run', id FROM run
WHERE {among("status", *UNFINISHED)} AND dag_run_id IS NULL
  AND dispatched_at > (SELECT max(dispatched_at) FROM run) - interval '1 minute'
ON CONFLICT DO NOTHING
"""  # noqa: S608 -- the statuses are ours
_OF_ONE_SERVER = "postgres_password"
"""The one secret that belongs to a server, and not to what is in it."""


def restore(source: Path, *, force: bool) -> Manifest:
    """Restore a backup into this home; its settings and databases say where.

    Args:
        force: replace what is there.

    Raises:
        BackupError: it cannot be, and nothing was changed.
    """
    home = default_home()
    with stack.writing(home):
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    if RunFolder(home).supervisor() is not None:
        raise BackupError("The home is up: ./automations down first.")
    with tempfile.TemporaryDirectory(prefix=".restore-", dir=home) as temporary:
        folder = Path(temporary)
        manifest = unpack(source, folder)
        _check_versions(manifest)
        with _secrets(home, folder, force=force) as settings, stack.database(settings):
            _ensure_databases(settings)
            _check_empty(settings, force=force)
            for name, dsn in reversed(databases(settings).items()):
                pg_tools.load(dsn, folder / f"{name}.dump")
            _start_again(settings.dsn)
            _keep_files(settings, folder)
    return manifest


def _check_versions(manifest: Manifest) -> None:
    revision = manifest.revisions.get("automations")
    if revision is not None and not knows(revision):
        raise BackupError(
            f"The backup's schema is {revision}, which this version does not know: restore it with "
            "the version that made it, or a newer one."
        )
    installed = version("apache-airflow")
    if Version(manifest.airflow) > Version(installed):
        raise BackupError(
            f"The backup was made with Airflow {manifest.airflow}, "
            f"which is newer than {installed} here."
        )


@contextmanager
def _secrets(home: Path, folder: Path, *, force: bool) -> Iterator[Settings]:
    """The settings with the backup's secrets, which stay only when all goes well."""
    path = home / SECRETS
    before = path.read_text() if path.exists() else None
    existing: dict[str, str] = json.loads(before) if before else {}
    saved: dict[str, str] = json.loads((folder / SECRETS).read_text())
    differs = any(existing.get(name) not in (None, value) for name, value in saved.items()
                  if name != _OF_ONE_SERVER)  # fmt: skip
    if differs and not force:
        raise BackupError(f"{home} has secrets of its own; --force replaces them.")
    own = {name: existing[name] for name in (_OF_ONE_SERVER,) if name in existing}
    write_private(path, json.dumps({**existing, **saved, **own}, indent=2) + "\n")
    try:
        settings = stack.open_home()
        if not set(saved["encryption_key"].split(",")) <= set(settings.encryption_key.split(",")):
            raise BackupError(
                "AUTOMATIONS_ENCRYPTION_KEY is set to another key than the backup's: unset it."
            )
        yield settings
    except BaseException:
        if before is None:
            path.unlink()
        else:
            write_private(path, before)
        get_settings.cache_clear()
        raise
    if differs and before is not None:
        write_private(home / f"{SECRETS}.replaced", before)


def _ensure_databases(settings: Settings) -> None:
    server = embedded_postgres(settings)
    if server is not None:
        server.ensure_databases()


def _check_empty(settings: Settings, *, force: bool) -> None:
    for name, dsn in databases(settings).items():
        with closing(_connect(dsn)) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
            (tables,) = cursor.fetchone() or (0,)
        if tables and not force:
            raise BackupError(
                f"The database {name} has {tables} tables already; --force replaces them."
            )


def _start_again(dsn: str) -> None:
    with closing(_connect(dsn)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('job') IS NOT NULL")
        if cursor.fetchone() == (True,):
            cursor.execute(_AGAIN)


def _keep_files(settings: Settings, folder: Path) -> None:
    owner_key = owner_key_file(settings)
    if (folder / OWNER_KEY).exists():
        write_private(owner_key, (folder / OWNER_KEY).read_text())
    elif owner_key.exists():
        owner_key.unlink()
    if (folder / SETTINGS_FILE).exists():
        # Not in force at once: they may name another machine's databases and ports.
        shutil.copyfile(folder / SETTINGS_FILE, settings.home / f"{SETTINGS_FILE}.restored")
    for path in (settings.home / "run").glob("migrated-*.json"):
        path.unlink()


def _connect(dsn: str) -> psycopg2.extensions.connection:
    url = make_url(dsn).set(drivername="postgresql")
    return psycopg2.connect(url.render_as_string(hide_password=False))
