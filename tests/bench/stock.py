"""Stock Airflow: its defaults but for ports, paths, sign-in and the database."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import requests

from automations.launcher.postgres import EmbeddedPostgres
from tests.bench.measuring import (
    BenchError,
    answer_of,
    end,
    memory,
    plain_environment,
    until,
)
from tests.free_ports import free_ports

PARTS = ("api-server", "scheduler", "dag-processor", "triggerer")
DAG_ID = "chain"
DAG = f"""
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, chain

with DAG("{DAG_ID}", schedule=None, is_paused_upon_creation=False):
    chain(*[EmptyOperator(task_id=f"step_{{number}}") for number in range(5)])
"""
START = 180.0
TIMEOUT = 300.0
BURST_TIMEOUT = 1_800.0
SETTLES = 8.0
"""Seconds before a question is answered: an answer that comes before the scheduler has heard of
the end of the process that has asked, five seconds later, fails the run or is lost."""


class StockAirflow:
    """Airflow as it comes, on the same kind of PostgreSQL server as ours.

    Args:
        dags: the code of DAGs that it has beside that of empty tasks, by their ids.
    """

    def __init__(self, folder: Path, dags: Mapping[str, str] | None = None) -> None:
        self._dags = {DAG_ID: DAG, **(dags or {})}
        self._folder = folder
        postgres_port, self._port, log_port, trigger_log_port = free_ports(4)
        self._postgres = EmbeddedPostgres(folder / "postgres", postgres_port, "stock")
        self._base = f"http://127.0.0.1:{self._port}"
        self._environment = {
            **plain_environment(),
            "PYTHONPATH": "",
            "AIRFLOW_HOME": str(folder),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self._base}/execution/",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self._port),
            "AIRFLOW__API__SECRET_KEY": "stock" * 8,
            "AIRFLOW__API_AUTH__JWT_SECRET": "stock" * 16,
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": self._postgres.dsn("airflow"),
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(log_port),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(trigger_log_port),
        }
        self._processes: list[subprocess.Popen[bytes]] = []
        self._http = requests.Session()

    def up(self) -> None:
        (self._folder / "dags").mkdir(parents=True)
        for dag_id, source in self._dags.items():
            (self._folder / "dags" / f"{dag_id}.py").write_text(source)
        self._postgres.start()
        migration = self._start("db", "migrate")
        try:
            code = migration.wait(START)
        except subprocess.TimeoutExpired:
            code = -1
        if code != 0:
            raise BenchError(f"airflow db migrate failed: {self._log('db')}")
        self._processes.remove(migration)
        for part in PARTS:
            self._start(part)
        until("stock Airflow's API", self._signed_in, START, poll=0.5)
        for dag_id in self._dags:
            until("stock Airflow's DAG", partial(self._has_dag, dag_id), START, poll=0.5)

    def down(self) -> None:
        self._http.close()
        end(self._processes)
        self._postgres.stop()

    def memory(self) -> float:
        """MB of all processes."""
        return memory(self.pids())

    def pids(self) -> list[int]:
        """The processes that have started all others, PostgreSQL's included."""
        assert self._postgres._process is not None
        return [*(process.pid for process in self._processes), self._postgres._process.pid]

    def time_run(self, dag_id: str = DAG_ID) -> float:
        """Seconds from triggering a DAG until its run is a success."""
        return self.time_burst(1, dag_id)

    def time_burst(self, runs: int, dag_id: str = DAG_ID) -> float:
        """Seconds from triggering the first of many runs until all are a success."""
        began = time.monotonic()
        going = [self._trigger(dag_id) for _ in range(runs)]

        def ended() -> bool | None:
            while going:
                if not self._is_success(dag_id, going[-1]):
                    return None
                going.pop()
            return True

        until("stock Airflow's runs", ended, TIMEOUT if runs == 1 else BURST_TIMEOUT)
        return time.monotonic() - began

    def time_answer(self, dag_id: str, task_id: str) -> float:
        """Seconds from the answer to an approval until the run is a success."""
        run = self._trigger(dag_id)
        task = f"{self._runs(dag_id)}/{run}/taskInstances/{task_id}"
        path = f"{task}/-1/hitlDetails"

        def asked() -> bool | None:
            asks = answer_of(self._http.get(task, timeout=30))["state"] == "awaiting_input"
            return asks or None

        until("stock Airflow's question", asked, TIMEOUT)
        time.sleep(SETTLES)
        began = time.monotonic()
        answer_of(self._http.patch(path, json={"chosen_options": ["Approve"]}, timeout=30))
        until("the run", lambda: self._is_success(dag_id, run) or None, TIMEOUT)
        return time.monotonic() - began

    def _runs(self, dag_id: str) -> str:
        return f"{self._base}/api/v2/dags/{dag_id}/dagRuns"

    def _trigger(self, dag_id: str) -> str:
        made = self._http.post(self._runs(dag_id), json={"logical_date": None}, timeout=30)
        return str(answer_of(made)["dag_run_id"])

    def _is_success(self, dag_id: str, run: str) -> bool:
        state = answer_of(self._http.get(f"{self._runs(dag_id)}/{run}", timeout=30))["state"]
        if state == "failed":
            raise BenchError("stock Airflow's run failed")
        return bool(state == "success")

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        with (self._folder / f"{arguments[0]}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "airflow", *arguments],
                env=self._environment,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._processes.append(process)
        return process

    def _log(self, name: str) -> str:
        return (self._folder / f"{name}.log").read_text(errors="replace")[-2000:]

    def _alive(self) -> None:
        for process in self._processes:
            if process.poll() is not None:
                part = str(list(process.args)[3])  # type: ignore[arg-type]
                raise BenchError(f"stock Airflow's {part} ended: {self._log(part)}")

    def _signed_in(self) -> bool | None:
        self._alive()
        try:
            answer = requests.get(f"{self._base}/auth/token", timeout=10)
        except requests.ConnectionError:
            return None
        token = answer_of(answer)["access_token"]
        self._http.headers["Authorization"] = f"Bearer {token}"
        return True

    def _has_dag(self, dag_id: str) -> bool | None:
        self._alive()
        answer = self._http.get(f"{self._base}/api/v2/dags/{dag_id}", timeout=10)
        return answer.status_code == 200 or None


def prepare(folder: Path) -> Path:
    """A folder that the user PostgreSQL runs as can reach."""
    folder.mkdir()
    os.chmod(folder, 0o711)
    return folder
