"""Makes backups: both databases as of one time, and the secrets needed to read them."""

from __future__ import annotations

import json
import shutil
import tempfile
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from psycopg2 import errors

from automations.launcher import pg_tools
from automations.launcher.archive import BackupError, Manifest, pack, sha256
from automations.launcher.secrets import GENERATORS, write_private
from automations.launcher.setup import owner_key_file
from automations.settings import SETTINGS_FILE, Settings

SECRETS = "secrets.json"
OWNER_KEY = "owner.key"


def databases(settings: Settings) -> dict[str, str]:
    """Addresses of the databases by name, in the order in which they are looked at.

    Airflow's is seen a moment before ours, never after: a step that we know to be done is answered
    again when Airflow has it done again, and an unknown one would be lost.
    """
    return {"airflow": settings.airflow_dsn, "automations": settings.dsn}


def backup(settings: Settings, target: Path) -> Manifest:
    """Save everything to a file.

    Raises:
        BackupError: a database cannot be dumped, or the file not be written.
    """
    target = target.absolute()
    if not target.parent.is_dir():
        raise BackupError(f"There is no folder {target.parent}.")
    if target.is_dir():
        raise BackupError(f"{target} is a folder: name a file in it.")
    try:
        return _save(settings, target)
    except OSError as error:
        raise BackupError(f"{error.filename or target}: {error.strerror}") from error


def _save(settings: Settings, target: Path) -> Manifest:
    with ExitStack() as held:
        # Beside the target, where there is room, and for nobody else's eyes.
        temporary = tempfile.mkdtemp(prefix=".backup-", dir=target.parent)
        held.callback(shutil.rmtree, temporary, ignore_errors=True)
        folder = Path(temporary)
        seen = {
            name: held.enter_context(pg_tools.snapshot(dsn))
            for name, dsn in databases(settings).items()
        }
        for name, dsn in databases(settings).items():
            pg_tools.dump(dsn, seen[name][0], folder / f"{name}.dump")
        _keep_secrets(settings, folder)
        manifest = Manifest(
            made_at=datetime.now(UTC).isoformat(timespec="seconds"),
            airflow=version("apache-airflow"),
            postgres=_query_value(seen["automations"][1], "SHOW server_version"),
            revisions={name: _revision(cursor) for name, (_, cursor) in seen.items()},
            sha256={path.name: sha256(path) for path in sorted(folder.iterdir())},
        )
        pack(target, folder, manifest)
    return manifest


def _keep_secrets(settings: Settings, folder: Path) -> None:
    """Save those that are in force, wherever they are set."""
    secrets = {name: getattr(settings, name) for name in GENERATORS}
    write_private(folder / SECRETS, json.dumps(secrets, indent=2) + "\n")
    for path in (owner_key_file(settings), settings.home / SETTINGS_FILE):
        if path.exists():
            write_private(folder / path.name, path.read_text())


def _revision(cursor: Any) -> str | None:
    cursor.execute("SAVEPOINT looking")
    try:
        return _query_value(cursor, "SELECT version_num FROM alembic_version")
    except errors.UndefinedTable:
        cursor.execute("ROLLBACK TO SAVEPOINT looking")
        return None


def _query_value(cursor: Any, query: str) -> str:
    cursor.execute(query)
    return str(cursor.fetchone()[0])
