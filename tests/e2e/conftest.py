"""The real stack, brought up once for the session on free ports, as a user would."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg2
import pytest
import requests

from automations_client import Client
from tests.e2e.counterparts import Counterparts
from tests.foreign_airflow import build_wheel
from tests.free_ports import free_ports, free_row
from tests.servers.collector import Collector
from tests.servers.mailbox import Mailbox
from tests.waiting import until

ROOT = Path(__file__).resolve().parents[2]
PORTS = ("BRIDGE", "AIRFLOW", "POSTGRES", "MAIL_SMTP", "MAIL_WEB", "DEMO")
BACKENDS = 8
"""Ports of what is behind the proxy of the profile distributed."""
METRICS_TOKEN = "of-the-tests"
"""For the profile distributed: behind its proxy, no reader counts as on this machine."""
AIRFLOWS_USERS = {"admin": "admin", "bridge": "op", "ulla": "user", "vera": "viewer"}
"""With the roles that they have in Airflow."""


class Stack:
    """A running stack and its clients."""

    def __init__(
        self, home: Path, counterparts: Counterparts, collector: Collector, **settings: str
    ) -> None:
        self.home = home
        self.sources = ROOT
        """The release that a command is of; another one takes over what is there."""
        self._open = ExitStack()
        self.counterparts = counterparts
        self.collector = collector
        self.is_distributed = settings.get("AUTOMATIONS_PROFILE") == "distributed"
        ports = free_ports(len(PORTS))
        self.backend_port = free_row(BACKENDS)
        self._environment = {
            **os.environ,
            "AUTOMATIONS_HOME": str(home),
            **counterparts.environment(),
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            # Only what a caller wants to have traced.
            "OTEL_TRACES_SAMPLER": "parentbased_always_off",
            "AUTOMATIONS_AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(
                f"{name}:{role}" for name, role in AIRFLOWS_USERS.items()
            ),
            "AUTOMATIONS_HTTP_ALLOW": f"{counterparts.address},127.0.0.1:{ports[5]}",
            **{
                f"AUTOMATIONS_{name}_PORT": str(port)
                for name, port in zip(PORTS, ports, strict=True)
            },
            "AUTOMATIONS_BACKEND_PORT": str(self.backend_port),
            # A busy machine must not decide how far a task's process goes on.
            "AUTOMATIONS_RUN_AHEAD_SECONDS": "60",
            **({"AUTOMATIONS_METRICS_TOKEN": METRICS_TOKEN} if self.is_distributed else {}),
            **settings,
        }
        self.bridge, self.airflow = (f"http://127.0.0.1:{port}" for port in ports[:2])
        self.postgres_port = ports[2]
        self._mail = f"http://127.0.0.1:{ports[4]}"
        self.demo_port = ports[5]

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "automations.launcher", *arguments],
            env=self.environment(self.sources),
            cwd=self.sources,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )

    def environment(self, sources: Path) -> dict[str, str]:
        """What a process of a release needs to take part."""
        path = (sources / "include", sources / "plugins", sources)
        return {**self._environment, "PYTHONPATH": os.pathsep.join(map(str, path))}

    def again(self) -> None:
        """Start what has ended, as a user does: by one command."""
        answer = self.command("up", "--detach")
        assert answer.returncode == 0, answer.stdout + answer.stderr

    def up(self) -> None:
        self.http = self._open.enter_context(requests.Session())
        self.again()
        key = (self.home / "owner.key").read_text().strip()
        self.http.headers["Authorization"] = f"Bearer {key}"
        self.client = self._open.enter_context(Client(self.bridge, key))
        secrets = json.loads((self.home / "secrets.json").read_text())
        self._admin = {"username": "admin", "password": secrets["airflow_admin_password"]}
        self.mail = f"{self._mail}/{secrets['mail_token']}"

    def down(self) -> None:
        self._open.close()
        self.command("down")

    def anew(self, **settings: str) -> None:
        """Take it down, and bring it up with other settings."""
        self.command("down")
        self._environment |= settings
        self.again()

    def api(self, method: str, path: str, body: Any = None, *, expect: int | None = None) -> Any:
        """Ask the API once: for what a test says about statuses."""
        answer = self.http.request(method, self.bridge + path, json=body, timeout=60)
        assert answer.status_code == expect if expect else answer.ok, answer.text
        return answer.json() if answer.content else None

    def in_airflow(self, method: str, path: str, body: Any = None) -> Any:
        """Do what a person does in Airflow's UI, which uses the same API."""
        answer = self.tried_in_airflow(method, path, body)
        assert answer.ok, answer.text
        return answer.json() if answer.content else None

    def tried_in_airflow(self, method: str, path: str, body: Any = None) -> requests.Response:
        """The same, for what a test says about statuses."""
        with requests.Session() as session:
            token = session.post(f"{self.airflow}/auth/token", json=self._admin, timeout=60)
            return session.request(
                method,
                f"{self.airflow}/api/v2{path}",
                json=body,
                headers={"Authorization": f"Bearer {token.json()['access_token']}"},
                timeout=60,
            )

    def create(self, *steps: Mapping[str, Any], **more: Any) -> str:
        body = {"name": "Test", "status": "ACTIVE", "steps": list(steps), **more}
        return self.client.workflows.create(body)["id"]

    def execute(self, workflow: str, **given: Any) -> str:
        started = self.client.workflows.execute(workflow, given)
        assert started["status"] == "RUNNING"
        return started["runId"]

    def run(self, workflow: str, run: str) -> dict[str, Any]:
        return dict(self.client.runs.get(workflow, run))

    def wait(self, workflow: str, run: str, status: str, seconds: float = 180) -> dict[str, Any]:
        last: dict[str, Any] = {}

        def look() -> dict[str, Any] | None:
            last.update(self.run(workflow, run))
            return last if last["status"] == status else None

        try:
            return until(f"{run} to be {status}", look, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}: {json.dumps(last)}") from None

    def in_database(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        """Do what only time does, to what the tests made; or see what is on record."""
        secrets = json.loads((self.home / "secrets.json").read_text())
        with (
            closing(
                psycopg2.connect(
                    host="127.0.0.1",
                    port=self.postgres_port,
                    dbname="automations",
                    user="automations",
                    password=secrets["postgres_password"],
                )
            ) as connection,
            connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def mails(self, address: str) -> list[dict[str, Any]]:
        messages = requests.get(f"{self.mail}/api/messages", timeout=60).json()
        return [mail for mail in messages if address in str(mail["to"])]

    def pid(self, part: str) -> int:
        state = json.loads((self.home / "run" / "state.json").read_text())
        return int(state["parts"][part]["pid"])

    def metrics(self) -> str:
        """The page of metrics."""
        headers = {"Authorization": f"Bearer {METRICS_TOKEN}"} if self.is_distributed else {}
        answer = requests.get(f"{self.bridge}/metrics", headers=headers, timeout=60)
        assert answer.ok, answer.text
        return answer.text

    def kill_all(self, part: str) -> None:
        """Kill each process of a part: ``express``, ``express-2`` and so on."""
        state = json.loads((self.home / "run" / "state.json").read_text())
        for name in state["parts"]:
            if name.partition("-")[0] == part:
                self.kill(name)

    def kill(self, part: str) -> int:
        """Kill -9 a part, and wait until it is dead."""
        pid = self.pid(part)
        process = psutil.Process(pid)
        os.kill(pid, signal.SIGKILL)
        process.wait(60)
        return pid

    def healthy(self) -> None:
        until(
            "all parts to be healthy",
            lambda: True if self.command("status").returncode == 0 else None,
            300,
        )


def profile(config: pytest.Config) -> str:
    """Which one the stack is to have: the environment's, or that of the one file asked for."""
    asked = {Path(argument.partition("::")[0]).name for argument in config.args}
    default = "distributed" if asked == {"test_distributed.py"} else "single"
    return os.environ.get("AUTOMATIONS_PROFILE") or default


@contextmanager
def running(home: Path, config: pytest.Config, **settings: str) -> Iterator[Stack]:
    """A stack that is up within the block, with what its steps speak to."""
    counterparts, collector = Counterparts(), Collector()
    counterparts.start()
    stack = Stack(home, counterparts, collector, AUTOMATIONS_PROFILE=profile(config), **settings)
    with collector.listening():
        try:
            stack.up()
            yield stack
        finally:
            stack.down()
            counterparts.stop()


@pytest.fixture(scope="session")
def stack(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Stack]:
    with running(tmp_path_factory.mktemp("home"), request.config) as stack:
        yield stack


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our wheel, built of what git has."""
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    found = Mailbox()
    found.start()
    yield found
    found.stop()
