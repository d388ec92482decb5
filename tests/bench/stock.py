"""Stock Airflow: its defaults but for ports, paths, sign-in and the database."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import requests

from automations.launcher.postgres import EmbeddedPostgres
from tests.bench.measuring import (
    BenchError,
    answer_of,
    end,
    free_ports,
    memory,
    plain_environment,
    until,
)

PARTS = ("api-server", "scheduler", "dag-processor", "triggerer")
DAG_ID = "chain"
DAG = f"""
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, chain

with DAG("{DAG_ID}", schedule=None, is_paused_upon_creation=False):
    chain(*[EmptyOperator(task_id=f"step_{{number}}") for number in range(5)])
"""
START = 180.0
PATIENCE = 120.0


class StockAirflow:
    """Airflow as it comes, on the same kind of PostgreSQL server as ours."""

    def __init__(self, folder: Path) -> None:
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
        (self._folder / "dags" / "chain.py").write_text(DAG)
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
        until("stock Airflow's DAG", self._has_dag, START, poll=0.5)

    def down(self) -> None:
        self._http.close()
        end(self._processes)
        self._postgres.stop()

    def memory(self) -> float:
        """MB of all processes, PostgreSQL's included, which is a child of this one."""
        assert self._postgres._process is not None
        pids = [process.pid for process in self._processes]
        return memory([*pids, self._postgres._process.pid])

    def time_run(self) -> float:
        """Seconds from triggering the chain until it is a success."""
        runs = f"{self._base}/api/v2/dags/{DAG_ID}/dagRuns"
        began = time.monotonic()
        run = answer_of(self._http.post(runs, json={"logical_date": None}, timeout=30))

        def ended() -> bool | None:
            state = answer_of(self._http.get(f"{runs}/{run['dag_run_id']}", timeout=30))["state"]
            if state == "failed":
                raise BenchError("stock Airflow's run failed")
            return state == "success" or None

        until("stock Airflow's run", ended, PATIENCE)
        return time.monotonic() - began

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

    def _has_dag(self) -> bool | None:
        self._alive()
        answer = self._http.get(f"{self._base}/api/v2/dags/{DAG_ID}", timeout=10)
        return answer.status_code == 200 or None


def prepare(folder: Path) -> Path:
    """A folder that the user PostgreSQL runs as can reach."""
    folder.mkdir()
    os.chmod(folder, 0o711)
    return folder
