"""Whether a part works, asked of servers that say so, or do not."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from automations.launcher import probes
from automations.launcher.probes import Blocked
from tests.servers.prompt_handler import PromptHandler


class Airflow(ThreadingHTTPServer):
    """Answers the paths that it has something for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: dict[str, Any] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(PromptHandler):
    server: Airflow

    def do_GET(self) -> None:
        body = json.dumps(self.server.answers.get(self.path)).encode()
        self.send_response(200 if self.path in self.server.answers else 503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def airflow() -> Iterator[Airflow]:
    server = Airflow()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def health(database: str) -> dict[str, Any]:
    return {"metadatabase": {"status": database}}


@pytest.mark.parametrize(("age", "works"), [(1, True), (probes.HEARTBEAT_TIMEOUT + 10, False)])
def test_a_part_of_airflow_works_while_its_heartbeat_is_young(
    airflow: Airflow, age: float, works: bool
) -> None:
    at = datetime.now(UTC) - timedelta(seconds=age)
    # Airflow's own word: a part is healthy for minutes after it has died.
    scheduler = {"status": "healthy", "latest_scheduler_heartbeat": at.isoformat()}
    airflow.answers["/api/v2/monitor/health"] = {**health("healthy"), "scheduler": scheduler}
    probe = probes.airflow_job(airflow.url, "scheduler")
    assert probe(0) is works
    assert not probe(at.timestamp() + 1)


def test_airflows_api_works_when_it_also_answers_what_tasks_ask(airflow: Airflow) -> None:
    probe = probes.airflow_api(airflow.url)
    assert not probe(0)
    airflow.answers["/api/v2/monitor/health"] = health("healthy")
    assert not probe(0)
    airflow.answers["/execution/health"] = {"status": "healthy"}
    assert probe(0)


def test_without_its_database_airflows_api_is_blocked(airflow: Airflow) -> None:
    airflow.answers["/api/v2/monitor/health"] = health("unhealthy")
    with pytest.raises(Blocked):
        probes.airflow_api(airflow.url)(0)


def test_a_part_that_touches_a_file_lives_while_it_does(tmp_path: Path) -> None:
    path = tmp_path / "worker.beat"
    probe = probes.beat(path)
    assert not probe(0)
    path.touch()
    now = time.time()
    assert probe(now - 5)
    os.utime(path, (now - probes.HEARTBEAT_TIMEOUT - 10,) * 2)
    assert not probe(0)
    path.touch()
    assert not probe(time.time() + 5), "its predecessor's word does not count"
