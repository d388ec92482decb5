"""An Airflow that somebody else configured, in an environment of its own, for our wheel to be in.

What the wheel needs is there already: the environment sees the packages that the tests run on. So
only the wheel is new, and nothing of the checkout is on any path.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
import venv
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import requests

from tests.free_ports import free_ports
from tests.servers.tls import Front, make_certificate

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("api-server", "scheduler", "dag-processor", "triggerer")
WORDS = {"ada": "lovelace-1815", "bridge": "over-troubled-water"}
"""Passwords by user."""
THEIRS = """
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG, chain

with DAG("{dag_id}", schedule=None, is_paused_upon_creation=False, tags=["theirs"]):
    chain(*[
        PythonOperator(task_id=f"step_{{number}}", python_callable=lambda: 1)
        for number in range({tasks})
    ])
"""
OUR_BUNDLE = {
    "name": "automations",
    "classpath": "automations_airflow.dags.bundle.AutomationBundle",
    "kwargs": {},
}


def tracked() -> list[str]:
    """The files of the checkout, as git names them, new ones among them."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    # What was just removed is still in the index.
    return [name for name in said.stdout.splitlines() if (ROOT / name).exists()]


def build_wheel(folder: Path) -> Path:
    """Build the distribution from a copy of what git has: a build leaves things beside it."""
    project = folder / "project"
    for name in tracked():
        target = project / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
    # The source distribution first, and the wheel from that: both hold what they must.
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder / "dist")]
    built = subprocess.run([*command, str(project)], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,) = (folder / "dist").glob("*.whl")
    return wheel


class Place:
    """A virtual environment that has what the tests run on, and what is installed into it."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder, with_pip=False, symlinks=True)
        self.folder = folder
        self.python = folder / "bin" / "python"
        (packages,) = folder.glob("lib/python*/site-packages")
        self.packages = packages
        (packages / "theirs.pth").write_text(sysconfig.get_path("purelib") + "\n")

    def pip(self, *arguments: str) -> None:
        """Have pip do something to the environment, without an index."""
        done = self._pip(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr

    def _pip(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "pip", "--python", str(self.python), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def lacks(self, requirements: Path) -> str | None:
        """Install what a lock names from the index; why not, where that cannot be done."""
        done = self._pip(
            "install", "--no-deps", "--require-hashes", "--retries=1", "-r", str(requirements)
        )
        return None if done.returncode == 0 else done.stderr

    def install(self, wheel: Path) -> None:
        self.pip("install", "--quiet", "--no-deps", "--no-index", str(wheel))

    def uninstall(self) -> None:
        self.pip("uninstall", "--quiet", "--yes", "airflow-automations")


class ForeignAirflow:
    """Airflow with its defaults, LocalExecutor among them, users, other DAGs, and TLS before it.

    Args:
        folder: AIRFLOW_HOME, which it makes.
        dsn: of its database, empty so far.
        more: of its configuration, as the environment has it.
    """

    def __init__(
        self, folder: Path, place: Place, dsn: str, more: Mapping[str, str] | None = None
    ) -> None:
        self.place, self.folder = place, folder
        for name in ("dags", "second", "plugins"):
            (folder / name).mkdir(parents=True)
        (folder / "passwords.json").write_text(json.dumps(WORDS))
        self.port, tls, logs, trigger_logs = free_ports(4)
        self._certificate = make_certificate(folder)
        self.open = ExitStack()
        """What is closed when it goes down."""
        self.address = f"https://localhost:{tls}"
        self._front = (tls, self.port)
        self.bundles: list[Mapping[str, Any]] = [
            {
                "name": name,
                "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
                "kwargs": {"path": str(folder / path)},
            }
            for name, path in (("main", "dags"), ("second", "second"))
        ]
        self.environment = {
            **plain_environment(),
            "AIRFLOW_HOME": str(folder),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{self.port}/execution/",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "ada:admin,bridge:op",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(folder / "passwords.json"),
            "AIRFLOW__API__BASE_URL": self.address,
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__SECRET_KEY": "theirs" * 8,
            "AIRFLOW__API_AUTH__JWT_SECRET": "theirs" * 12,
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": dsn,
            "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH": str(folder / "bundles"),
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(logs),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(trigger_logs),
            "REQUESTS_CA_BUNDLE": str(self._certificate),
            **(more or {}),
        }
        self.http = requests.Session()
        # It would have this machine's certificates instead.
        self.http.trust_env = False
        self.http.verify = str(self._certificate)
        self._processes: list[subprocess.Popen[bytes]] = []

    def write(self, dag_id: str, tasks: int = 1, bundle: str = "dags") -> None:
        """Give it a DAG of its own."""
        (self.folder / bundle / f"{dag_id}.py").write_text(
            THEIRS.format(dag_id=dag_id, tasks=tasks)
        )

    def airflow(self, *arguments: str) -> str:
        """Run one of Airflow's commands; what it has printed."""
        return self.run(str(self.place.python), "-m", "airflow", *arguments)

    def automations(self, *arguments: str) -> str:
        """Run our own program, as it is installed."""
        return self.run(str(self.place.folder / "bin" / "automations"), *arguments)

    def run(self, *command: str) -> str:
        done = self.tried(*command)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def tried(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            env=self._whole(),
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
        )

    def up(self, parts: tuple[str, ...] = PARTS) -> None:
        """Start it, and sign in."""
        self.open.enter_context(Front(*self._front, self._certificate))
        for part in parts:
            self.start(part, str(self.place.python), "-m", "airflow", part)
        self.await_that("Airflow answers", self._signs_in, 240)

    def start(self, name: str, *command: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                command,
                env=self._whole(),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._processes.append(process)
        return process

    def down(self) -> None:
        """Stop whatever was started."""
        self.open.close()
        members = []
        for process in self._processes:
            try:
                members += psutil.Process(process.pid).children(recursive=True)
            except psutil.NoSuchProcess:
                continue
            process.terminate()
        psutil.wait_procs(members, timeout=10)
        for member in members:
            if member.is_running():
                member.kill()
        for process in self._processes:
            process.kill()
            process.wait(60)
        self._processes.clear()

    def api(self, method: str, path: str, body: Any = None) -> Any:
        """Ask Airflow's API as its administrator."""
        answer = self.http.request(method, f"{self.address}/api/v2{path}", json=body, timeout=60)
        assert answer.ok, answer.text
        return answer.json() if answer.content else None

    def await_that(self, what: str, look: Any, seconds: float = 120) -> Any:
        """Look again and again until there is something to see, and all is still up."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if found := look():
                return found
            for process in self._processes:
                assert process.poll() is None, f"{process.args!r} ended:\n{self.said()}"
            time.sleep(0.1)
        raise AssertionError(f"waited {seconds:.0f} s until {what}:\n{self.said()}")

    def said(self) -> str:
        """The ends of all logs."""
        logs = sorted(self.folder.glob("*.log"))
        return "\n".join(f"{log.name}:\n{log.read_text()[-2000:]}" for log in logs)

    def has(self, dag_id: str) -> bool:
        path = f"{self.address}/api/v2/dags/{dag_id}"
        return self.http.get(path, timeout=60).status_code == 200

    def trigger(self, dag_id: str) -> str:
        return str(
            self.api("POST", f"/dags/{dag_id}/dagRuns", {"logical_date": None})["dag_run_id"]
        )

    def state(self, dag_id: str, run_id: str) -> str:
        return str(self.api("GET", f"/dags/{dag_id}/dagRuns/{run_id}")["state"])

    def _signs_in(self) -> bool:
        who = {"username": "ada", "password": WORDS["ada"]}
        try:
            answer = self.http.post(f"{self.address}/auth/token", json=who, timeout=60)
        except requests.RequestException:
            return False
        if not answer.ok:
            return False
        self.http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        return True

    def _whole(self) -> dict[str, str]:
        listed = json.dumps(self.bundles)
        return {**self.environment, "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": listed}


def plain_environment() -> dict[str, str]:
    """The environment without an installation of ours or of Airflow, nor a path to a checkout."""
    others = ("AIRFLOW_", "AUTOMATIONS_", "PYTHON", "VIRTUAL_ENV", "COV_")
    return {name: value for name, value in os.environ.items() if not name.startswith(others)}
