"""Stock Airflow: its defaults but for ports, paths, sign-in and the database."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
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
TASKS = """
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG, chain

with DAG("{dag_id}", schedule=None, is_paused_upon_creation=False):
    chain(*[
        PythonOperator(task_id=f"step_{{number}}", python_callable=lambda: {{"result": True}})
        for number in range({count})
    ])
"""
"""As somebody would write by hand what our automation of so many light steps does."""
START = 180.0
PATIENCE = 300.0
BURST_PATIENCE = 1_800.0


def tasks_dag(count: int) -> str:
    """The id of the DAG with so many light tasks in a row."""
    return f"tasks_{count}"


class StockAirflow:
    """Airflow as it comes, on the same kind of PostgreSQL server as ours.

    Args:
        chains: of how many light tasks it has DAGs, beside that of empty ones.
    """

    def __init__(self, folder: Path, chains: Sequence[int] = ()) -> None:
        self._chains = chains
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
        for count in self._chains:
            dag = TASKS.format(dag_id=tasks_dag(count), count=count)
            (self._folder / "dags" / f"{tasks_dag(count)}.py").write_text(dag)
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
        for dag_id in (DAG_ID, *map(tasks_dag, self._chains)):
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
        path = f"{self._base}/api/v2/dags/{dag_id}/dagRuns"
        began = time.monotonic()
        going = {
            answer_of(self._http.post(path, json={"logical_date": None}, timeout=30))["dag_run_id"]
            for _ in range(runs)
        }

        def ended() -> bool | None:
            for run in list(going):
                state = answer_of(self._http.get(f"{path}/{run}", timeout=30))["state"]
                if state == "failed":
                    raise BenchError("stock Airflow's run failed")
                if state != "success":
                    return None
                going.discard(run)
            return True

        until("stock Airflow's runs", ended, PATIENCE if runs == 1 else BURST_PATIENCE)
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

    def _has_dag(self, dag_id: str) -> bool | None:
        self._alive()
        answer = self._http.get(f"{self._base}/api/v2/dags/{dag_id}", timeout=10)
        return answer.status_code == 200 or None


def prepare(folder: Path) -> Path:
    """A folder that the user PostgreSQL runs as can reach."""
    folder.mkdir()
    os.chmod(folder, 0o711)
    return folder
