"""Our stack, with a home and ports of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from datetime import datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import requests

from tests.bench.measuring import (
    POLL,
    ROOT,
    BenchError,
    answer_of,
    memory,
    plain_environment,
    tree,
    until,
)
from tests.free_ports import free_ports

PORTS = ("BRIDGE", "AIRFLOW", "POSTGRES", "MAIL_SMTP", "MAIL_WEB")
ENDED = ("COMPLETED", "FAILED", "CANCELLED")
TIMEOUT = 120.0
BURST_TIMEOUT = 900.0
_COMMAND = 300.0


class Stack:
    """A stack that runs between ``up`` and ``down``, and its client.

    Args:
        settings: what it is told by its environment.
    """

    def __init__(self, home: Path, **settings: str) -> None:
        self.home = home
        ports = free_ports(len(PORTS))
        self._environment = {
            **plain_environment(),
            "AUTOMATIONS_VENV": os.environ.get("AUTOMATIONS_VENV") or sys.prefix,
            "AUTOMATIONS_HOME": str(home),
            **{
                f"AUTOMATIONS_{name}_PORT": str(port)
                for name, port in zip(PORTS, ports, strict=True)
            },
            **settings,
        }
        self.bridge, self._airflow = (f"http://127.0.0.1:{port}" for port in ports[:2])
        self._postgres_port = ports[2]
        self._http = requests.Session()
        self._in_airflow = requests.Session()

    def up(self) -> float:
        """Start everything; return the seconds it took."""
        began = time.monotonic()
        answer = self._command("up", "--detach")
        seconds = time.monotonic() - began
        if answer.returncode != 0:
            raise BenchError(f"./automations up failed:\n{answer.stdout}{answer.stderr}")
        key = (self.home / "owner.key").read_text().strip()
        self._http.headers["Authorization"] = f"Bearer {key}"
        password = json.loads((self.home / "secrets.json").read_text())["airflow_password"]
        user = {"username": "bridge", "password": password}
        token = answer_of(requests.post(f"{self._airflow}/auth/token", json=user, timeout=30))
        self._in_airflow.headers["Authorization"] = f"Bearer {token['access_token']}"
        return seconds

    def down(self) -> None:
        """Stop everything, also what ``./automations down`` could not."""
        self._http.close()
        self._in_airflow.close()
        members = tree(self.pids())
        with suppress(BenchError):
            self._command("down")
        for member in members:
            with suppress(psutil.NoSuchProcess):
                member.kill()

    def memory(self) -> float:
        """MB of all processes of the stack."""
        return memory(self.pids())

    def post(self, path: str, body: Any, timeout: float = 60) -> Any:
        return answer_of(self._http.post(self.bridge + path, json=body, timeout=timeout))

    def patch(self, path: str, body: Mapping[str, Any]) -> Any:
        return answer_of(self._http.patch(self.bridge + path, json=body, timeout=60))

    def post_cloud_event(self, event: Mapping[str, Any]) -> Any:
        headers = {"Content-Type": "application/cloudevents+json"}
        url = f"{self.bridge}/api/events"
        return answer_of(self._http.post(url, json=event, headers=headers, timeout=60))

    def dsn(self) -> str:
        """Our database, for psycopg2."""
        password = json.loads((self.home / "secrets.json").read_text())["postgres_password"]
        return f"postgresql://automations:{password}@127.0.0.1:{self._postgres_port}/automations"

    def get(self, path: str) -> Any:
        return answer_of(self._http.get(self.bridge + path, timeout=60))

    def create(self, name: str, steps: Sequence[Mapping[str, Any]], **more: Any) -> str:
        body = {
            "name": name,
            "status": "ACTIVE",
            "trigger": {"type": "manual"},
            "steps": [{**step, "order": order} for order, step in enumerate(steps)],
            **more,
        }
        return str(self.post("/api/workflows", body)["id"])

    def execute(self, workflow: str) -> str:
        return str(self.post(f"/api/workflows/{workflow}/execute", {"input": {}})["runId"])

    def is_runnable(self, workflow: str) -> bool:
        """Whether Airflow knows the automation's DAG."""
        url = f"{self._airflow}/api/v2/dags/automation_{workflow}"
        answer = self._in_airflow.get(url, timeout=30)
        if answer.status_code not in (200, 404):
            raise BenchError(f"GET {url}: {answer.text}")
        return answer.status_code == 200

    def is_completed(self, workflow: str, run: str) -> bool:
        details = self.get(f"/api/workflows/{workflow}/runs/{run}")["run"]
        if details["status"] in ENDED[1:]:
            raise BenchError(f"run {run} is {details['status']}: {details.get('error')}")
        return bool(details["status"] == ENDED[0])

    def wait_runnable(self, workflow: str) -> None:
        until("the DAG", lambda: self.is_runnable(workflow) or None, TIMEOUT)

    def first_run(self, workflow: str, began: float) -> tuple[float, float]:
        """Execute at once; seconds since ``began`` until the DAG was there, and until the end."""
        run = self.execute(workflow)
        runnable: float | None = None
        while (now := time.monotonic() - began) < TIMEOUT:
            if runnable is None and self.is_runnable(workflow):
                runnable = time.monotonic() - began
            if self.is_completed(workflow, run):
                ended = time.monotonic() - began
                return ended if runnable is None else runnable, ended
            time.sleep(POLL)
        raise BenchError(f"the first run has not ended after {now:.0f} s")

    def wait_completed(self, workflow: str, run: str) -> None:
        until("the run's end", lambda: self.is_completed(workflow, run) or None, TIMEOUT)

    def time_run(self, workflow: str) -> float:
        """Seconds from sending an execute until the run is COMPLETED."""
        began = time.monotonic()
        self.wait_completed(workflow, self.execute(workflow))
        return time.monotonic() - began

    def time_express(self, workflow: str) -> float:
        """Seconds from the moment that a run was accepted until it was COMPLETED, by its record."""
        run = self.execute(workflow)
        until("the run's end", lambda: self.is_completed(workflow, run) or None, TIMEOUT)
        details = self.get(f"/api/workflows/{workflow}/runs/{run}")["run"]
        began, ended = (datetime.fromisoformat(details[at]) for at in ("startedAt", "completedAt"))
        return (ended - began).total_seconds()

    def send_executes(self, workflow: str, runs: int) -> None:
        """Start many runs, one after the other; for one of several threads, too."""
        path, body = f"/api/workflows/{workflow}/execute", json.dumps({"input": {}})
        headers = {**self._http.headers, "Content-Type": "application/json"}
        # Not by ``requests``, which takes as much of the processor as the answer does.
        with closing(HTTPConnection(urlsplit(self.bridge).netloc, timeout=TIMEOUT)) as client:
            for _ in range(runs):
                client.request("POST", path, body, headers)
                answer = client.getresponse()
                content = answer.read()
                if answer.status != 200:
                    raise BenchError(f"POST {path}: {content.decode(errors='replace')}")

    def time_burst(self, workflow: str, runs: int) -> float:
        """Seconds from sending the first of many executes until all their runs are COMPLETED."""
        before = self.statuses(workflow, ENDED)[ENDED[0]]
        began = time.monotonic()
        self.send_executes(workflow, runs)

        def done() -> bool | None:
            # One question a look: who asks takes the processor from those that are asked for.
            return self.statuses(workflow, ENDED[:1])[ENDED[0]] == before + runs or None

        try:
            until("the runs' ends", done, BURST_TIMEOUT, poll=0.2)
        except BenchError as error:
            raise BenchError(f"{error} They stand: {self.statuses(workflow)}") from None
        return time.monotonic() - began

    def statuses(self, workflow: str, of: Sequence[str] = (*ENDED, "PAUSED")) -> dict[str, int]:
        """How many of an automation's runs have which of some statuses."""
        runs = f"/api/workflows/{workflow}/runs?pageSize=1&status="
        return {one: int(self.get(runs + one)["pagination"]["total"]) for one in of}

    def pids(self) -> list[int]:
        """The process that has started all others, when there is one."""
        try:
            return [int(json.loads((self.home / "run" / "state.json").read_text())["pid"])]
        except (OSError, ValueError, KeyError):
            return []

    def _command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(
                [str(ROOT / "automations"), *arguments],
                env=self._environment,
                cwd=ROOT,
                capture_output=True,
                text=True,
                timeout=_COMMAND,
                check=False,
            )
        except subprocess.TimeoutExpired as slow:
            said = " ".join(arguments)
            raise BenchError(f"./automations {said} takes more than {_COMMAND:.0f} s") from slow
