"""Backups: what was saved is there again, readable, in another home; and nothing is lost by it."""

from __future__ import annotations

import hashlib
import io
import json
import stat
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from cryptography.fernet import Fernet
from sqlalchemy.engine import make_url

from automations.db import migrate, session
from automations.db.session import unit_of_work
from automations.db.tables import Job, Run
from automations.launcher import stack
from automations.launcher.archive import MANIFEST, BackupError, Manifest, pack, sha256
from automations.launcher.backup import SECRETS, backup
from automations.launcher.evidence import verify_evidence
from automations.launcher.restore import restore
from automations.ports import EvidenceRequest
from automations.services.access import api_keys
from automations.services.evidence.evidence import WorkspaceEvidence
from automations.services.integrations import secrets
from automations.settings import Settings, get_settings
from tests.conftest import Server
from tests.db.runs import begin
from tests.environment import Environment
from tests.free_ports import free_port

pytestmark = pytest.mark.slow  # each dumps and restores whole databases

VALUE = "s3cret-v4lue"


def execute(dsn: str, statement: str) -> list[tuple[Any, ...]]:
    url = make_url(dsn).set(drivername="postgresql").render_as_string(hide_password=False)
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


class Homes:
    """Homes on one server, one of which is in force at a time."""

    def __init__(self, server: Server, folder: Path, environment: Environment) -> None:
        self._server = server
        self._folder = folder
        self._environment = environment
        self.databases: list[str] = []

    def use(self, name: str, *, migrated: bool = False) -> Settings:
        """A home of this name; a new one has no secrets, and empty databases unless migrated."""
        for setting, kind in (("DATABASE_DSN", "ours"), ("AIRFLOW_DATABASE_DSN", "airflow")):
            database = f"backup_{kind}_{name}_{id(self)}"
            if database not in self.databases:
                template = "automations" if migrated and kind == "ours" else "template1"
                self._server.run(f"CREATE DATABASE {database} TEMPLATE {template}")
                self.databases.append(database)
            self._environment.set(**{f"AUTOMATIONS_{setting}": self._server.dsn(database)})
        session.dispose()
        self._environment.set(AUTOMATIONS_HOME=str(self._folder / name))
        return Settings()

    def drop(self) -> None:
        session.dispose()
        for database in self.databases:
            self._server.run(f"DROP DATABASE {database} WITH (FORCE)")


@pytest.fixture
def homes(postgres: Server, tmp_path: Path, environment: Environment) -> Iterator[Homes]:
    environment.set(AUTOMATIONS_ENCRYPTION_KEY=None)
    made = Homes(postgres, tmp_path, environment)
    yield made
    made.drop()


def fill() -> tuple[Run, str]:
    """A run, a secret, evidence and a key in the home that is in force; a table of Airflow's."""
    execute(
        get_settings().airflow_dsn, "CREATE TABLE dag_run AS SELECT n FROM generate_series(1, 50) n"
    )
    run = begin()
    secrets.put(run.workspace_id, "KEY", VALUE)
    for number in range(2):
        WorkspaceEvidence().capture(
            EvidenceRequest(run.workspace_id, run.id, f"k{number}", "ORG_MEMBERS", "People")
        )
    return run, api_keys.create_key("OWNER", "launcher", run.workspace_id)


@pytest.fixture
def saved(homes: Homes, tmp_path: Path) -> tuple[Path, Run, str]:
    """A backup of a home that was filled."""
    homes.use("first", migrated=True)
    settings = stack.open_home()
    run, key = fill()
    (settings.home / "owner.key").write_text(key)
    (settings.home / "settings.env").write_text("AUTOMATIONS_BRIDGE_PORT=9999\n")
    backup(settings, tmp_path / "saved.tar")
    return tmp_path / "saved.tar", run, key


def test_what_was_saved_is_there_again_and_can_be_read(
    homes: Homes, saved: tuple[Path, Run, str], capsys: pytest.CaptureFixture[str]
) -> None:
    file, run, key = saved
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir() if path.name != "first"] == ["saved.tar"]
    home = homes.use("second").home
    manifest = restore(file, force=False)
    assert manifest.revisions["airflow"] is None
    settings = get_settings()
    assert execute(settings.airflow_dsn, "SELECT count(*) FROM dag_run") == [(50,)]
    assert secrets.read(run.workspace_id, {"KEY"}) == {"KEY": VALUE}
    assert verify_evidence() == 0
    assert "2 snapshots hold" in capsys.readouterr().out
    assert api_keys.authenticate(key).role == "OWNER"
    assert migrate.is_current(settings.dsn)
    assert (home / "owner.key").read_text() == key
    assert stat.S_IMODE((home / "secrets.json").stat().st_mode) == 0o600
    # In force they might lead to the first home's databases.
    assert not (home / "settings.env").exists()
    assert (home / "settings.env.restored").exists()
    assert settings.bridge_port == 8800


def test_triggers_count_on_after_a_restore_and_nothing_twice(
    homes: Homes, saved: tuple[Path, Run, str]
) -> None:
    homes.use("second")
    restore(saved[0], force=False)
    started = "SELECT sum(n) FROM counter WHERE kind = 'run_started'"
    assert execute(get_settings().dsn, started) == [(1,)]
    execute(
        get_settings().dsn,
        "INSERT INTO run (id, workspace_id, workflow_id, version, trigger_type, trigger_data,"
        " input, variables, starters)"
        " SELECT 'again', workspace_id, workflow_id, 1, 'manual', '{}', '{}', '{}', '[]' FROM run",
    )
    assert execute(get_settings().dsn, started) == [(2,)]


def test_all_of_it_is_of_one_moment(homes: Homes, tmp_path: Path) -> None:
    settings = homes.use("first")
    stack.open_home()
    for dsn in (settings.dsn, settings.airflow_dsn):
        execute(dsn, "CREATE TABLE a AS SELECT 0 AS n; CREATE TABLE b AS SELECT 0 AS n")
    airflow = make_url(settings.airflow_dsn).set(drivername="postgresql")
    command = [sys.executable, "-m", "automations.launcher", "backup", str(tmp_path / "f.tar")]
    with (
        closing(psycopg2.connect(airflow.render_as_string(hide_password=False))) as other,
        other.cursor() as cursor,
        # The first dump waits for this table, and meanwhile both databases change.
        subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as saving,
    ):
        cursor.execute("LOCK TABLE b IN ACCESS EXCLUSIVE MODE")
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            f" AND datname = '{airflow.database}'"
        )
        while execute(settings.dsn, waiting) == [(0,)]:
            assert saving.poll() is None, saving.communicate()
        execute(settings.dsn, "UPDATE a SET n = 1; UPDATE b SET n = 1")
        execute(settings.airflow_dsn, "UPDATE a SET n = 1")
        cursor.execute("UPDATE b SET n = 1")
        other.commit()
        assert saving.wait(60) == 0, saving.communicate()
    homes.use("second")
    restore(tmp_path / "f.tar", force=False)
    for dsn in (get_settings().dsn, get_settings().airflow_dsn):
        assert execute(dsn, "SELECT a.n, b.n FROM a, b") == [(0, 0)]


def test_what_was_on_its_way_to_airflow_is_started_again(homes: Homes, tmp_path: Path) -> None:
    homes.use("first", migrated=True)
    settings = stack.open_home()
    run, _ = fill()
    now = datetime.now(UTC)
    with unit_of_work() as found:
        found.get_one(Run, run.id).dispatched_at = now
        for run_id, status, age, dag_run_id in (
            ("c" + "1" * 24, "PAUSED", timedelta(hours=1), None),
            ("c" + "2" * 24, "COMPLETED", timedelta(0), None),
            ("c" + "3" * 24, "PAUSED", timedelta(0), "backfill__1"),
        ):
            found.add(
                Run(
                    id=run_id,
                    workspace_id=run.workspace_id,
                    workflow_id=run.workflow_id,
                    version=1,
                    trigger_type="manual",
                    status=status,
                    dispatched_at=now - age,
                    dag_run_id=dag_run_id,
                )
            )
    backup(settings, tmp_path / "f.tar")
    homes.use("second")
    restore(tmp_path / "f.tar", force=False)
    with unit_of_work() as found:
        assert [job.subject_id for job in found.query(Job).filter_by(kind="start_run")] == [run.id]


class TestRefusals:
    def test_databases_that_are_in_use_are_replaced_only_by_force(
        self, homes: Homes, saved: tuple[Path, Run, str]
    ) -> None:
        file, run, _ = saved
        settings = homes.use("second", migrated=True)
        execute(settings.airflow_dsn, "CREATE TABLE mine (n int)")
        with pytest.raises(BackupError, match="airflow has 1 tables already; --force"):
            restore(file, force=False)
        assert not (settings.home / "secrets.json").exists(), "nothing half done"
        assert execute(settings.dsn, "SELECT count(*) FROM run") == [(0,)]
        restore(file, force=True)
        assert execute(settings.airflow_dsn, "SELECT to_regclass('mine')") == [(None,)]
        assert secrets.read(run.workspace_id, {"KEY"}) == {"KEY": VALUE}

    def test_a_home_with_other_secrets_keeps_them_unless_forced(
        self, homes: Homes, saved: tuple[Path, Run, str], environment: Environment
    ) -> None:
        file, run, _ = saved
        home = homes.use("second").home
        mine = stack.open_home()
        before = (home / "secrets.json").read_text()
        with pytest.raises(BackupError, match="secrets of its own"):
            restore(file, force=False)
        assert (home / "secrets.json").read_text() == before
        environment.forget()
        restore(file, force=True)
        assert secrets.read(run.workspace_id, {"KEY"}) == {"KEY": VALUE}
        # The server there was made with its own.
        assert get_settings().postgres_password == mine.postgres_password
        assert (home / "secrets.json.replaced").read_text() == before

    def test_another_key_in_the_environment_is_found_out_first(
        self, homes: Homes, saved: tuple[Path, Run, str], environment: Environment
    ) -> None:
        settings = homes.use("second")
        other = Fernet.generate_key().decode()
        environment.set(AUTOMATIONS_ENCRYPTION_KEY=other)
        with pytest.raises(BackupError, match="AUTOMATIONS_ENCRYPTION_KEY"):
            restore(saved[0], force=True)
        assert execute(settings.dsn, "SELECT to_regclass('run')") == [(None,)]
        known = json.loads((settings.home.parent / "first" / "secrets.json").read_text())
        environment.set(AUTOMATIONS_ENCRYPTION_KEY=f"{other},{known['encryption_key']}")
        restore(saved[0], force=False)
        assert secrets.read(saved[1].workspace_id, {"KEY"}) == {"KEY": VALUE}

    def test_a_home_that_is_up(
        self, homes: Homes, saved: tuple[Path, Run, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        homes.use("second")
        monkeypatch.setattr("automations.launcher.run_state.RunFolder.supervisor", lambda _: 1)
        with pytest.raises(BackupError, match="is up"):
            restore(saved[0], force=True)

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ({"format": 2}, "has format 2"),
            ({"revisions": {"automations": "9999"}}, "schema is 9999"),
            ({"airflow": "99.0"}, "Airflow 99.0, which is newer"),
            ({"sha256": {SECRETS: "0"}}, "damaged"),
            ({"sha256": {"gone.dump": "0"}}, "damaged"),
            ({"more": 1}, "is no backup"),
        ],
    )
    def test_what_this_version_cannot_restore(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], reason: str
    ) -> None:
        home = tmp_path / "home"
        monkeypatch.setenv("AUTOMATIONS_HOME", str(home))
        known = {
            "made_at": "2026-03-01T12:00:00+00:00",
            "airflow": "3.3.2",
            "postgres": "18.4",
            "revisions": {"automations": "0001"},
            "format": 1,
            "sha256": {SECRETS: hashlib.sha256(b"{}").hexdigest()},
        }
        (tmp_path / SECRETS).write_bytes(b"{}")
        (tmp_path / MANIFEST).write_text(json.dumps(known | change))
        with tarfile.open(tmp_path / "file.tar", "w") as tar:
            for name in (SECRETS, MANIFEST):
                tar.add(tmp_path / name, name)
        with pytest.raises(BackupError, match=reason):
            restore(tmp_path / "file.tar", force=True)
        assert not (home / SECRETS).exists()
        assert not list(home.glob(".restore-*"))

    @pytest.mark.parametrize("name", ["../outside", "/tmp/outside", "a/b"])
    def test_names_that_lead_out_of_the_archive(
        self, homes: Homes, tmp_path: Path, name: str
    ) -> None:
        homes.use("second")
        with tarfile.open(tmp_path / "evil.tar", "w") as tar:
            tar.addfile(tarfile.TarInfo(name), io.BytesIO())
        with pytest.raises(BackupError, match="which no backup does"):
            restore(tmp_path / "evil.tar", force=True)

    def test_files_that_are_no_backup(self, homes: Homes, tmp_path: Path) -> None:
        homes.use("second")
        (tmp_path / "text").write_text("hello")
        for name in ("text", "missing"):
            with pytest.raises(BackupError, match="is no backup"):
                restore(tmp_path / name, force=True)

    def test_a_dump_that_cannot_be_read_in_leaves_the_database_as_it_was(
        self, homes: Homes, saved: tuple[Path, Run, str]
    ) -> None:
        file = damaged(saved[0], "automations.dump")
        settings = homes.use("second")
        execute(settings.dsn, "CREATE TABLE mine (n int)")
        with pytest.raises(BackupError, match="could not be read in"):
            restore(file, force=True)
        tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        assert execute(settings.dsn, tables) == [("mine",)]


def damaged(file: Path, name: str) -> Path:
    """The same archive with a dump that ends too early, though its sum is right."""
    folder = file.parent / "damaged"
    folder.mkdir()
    with tarfile.open(file) as tar:
        for member in tar:
            kept = tar.extractfile(member)
            assert kept is not None
            (folder / member.name).write_bytes(kept.read())
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: len(whole) * 2 // 3])
    known = json.loads((folder / MANIFEST).read_text())
    known["sha256"][name] = sha256(folder / name)
    pack(folder / "file.tar", folder, Manifest(**known))
    return folder / "file.tar"


def test_with_embedded_servers_by_the_commands(tmp_path: Path, environment: Environment) -> None:
    """From one home to a fresh one, each with a server of its own."""
    environment.set(
        AUTOMATIONS_DATABASE_DSN=None,
        AUTOMATIONS_AIRFLOW_DATABASE_DSN=None,
        AUTOMATIONS_ENCRYPTION_KEY=None,
    )

    def use(name: str) -> Settings:
        session.dispose()
        environment.set(
            AUTOMATIONS_HOME=str(tmp_path / name), AUTOMATIONS_POSTGRES_PORT=str(free_port())
        )
        return Settings()

    def command(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "automations.launcher", *words], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    try:
        use("first")
        settings = stack.open_home()
        with stack.database(settings):
            migrate.upgrade(settings.dsn)
            run, key = fill()
            # While it is up.
            backup(settings, tmp_path / "up.tar")
            session.dispose()
        assert "keep it like a password" in command("backup", str(tmp_path / "down.tar"))
        for file in ("up.tar", "down.tar"):
            use(f"from-{file}")
            assert "./automations up" in command("restore", str(tmp_path / file))
            settings = stack.open_home()
            with stack.database(settings):
                assert secrets.read(run.workspace_id, {"KEY"}) == {"KEY": VALUE}
                assert verify_evidence() == 0
                assert api_keys.authenticate(key).role == "OWNER"
                session.dispose()
    finally:
        session.dispose()
