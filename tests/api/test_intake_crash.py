"""Bridges are killed while deliveries come in: what was answered is neither lost nor doubled."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from sqlalchemy import func, select

from automations.db.session import unit_of_work
from automations.db.tables import Event, Run
from automations.services import webhooks, workflows
from automations.services.bootstrap import ensure_workspace
from tests.conftest import free_port

ROOT = Path(__file__).resolve().parents[2]
DELIVERIES = 400
SENDERS = 8
PATIENCE = 120

HOOK = {
    "name": "Hook",
    "status": "ACTIVE",
    "trigger": {"type": "webhook", "verification": "none"},
    "steps": [{"name": "Check", "type": "condition", "order": 0, "config": {"expression": "true"}}],
}


class Bridge:
    """A bridge with its dispatcher, which can be killed and started anew."""

    def __init__(self, home: Path) -> None:
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self._environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(
                [str(ROOT / "include"), str(ROOT / "plugins"), str(ROOT)]
            ),
            "AUTOMATIONS_HOME": str(home),
            # Airflow is away: matching does not need it.
            "AUTOMATIONS_AIRFLOW_URL": f"http://127.0.0.1:{free_port()}",
        }

    def start(self) -> None:
        command = [sys.executable, "-m", "uvicorn", "api_bridge.app:app", "--host", "127.0.0.1"]
        command += ["--port", str(self.port), "--no-access-log", "--log-level", "critical"]
        self._process = subprocess.Popen(command, env=self._environment, cwd=ROOT)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(10)

    def await_answer(self) -> None:
        until(self._answers)

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.address}/docs", timeout=5).ok
        except requests.ConnectionError:
            return False


def until(look: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not look():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


@pytest.fixture
def bridges(database: str, tmp_path: Path) -> Iterator[list[Bridge]]:
    both = [Bridge(tmp_path), Bridge(tmp_path)]
    for bridge in both:
        bridge.start()
    try:
        for bridge in both:
            bridge.await_answer()
        yield both
    finally:
        for bridge in both:
            bridge.kill()


def test_every_answered_delivery_makes_one_run_though_bridges_are_killed(
    bridges: list[Bridge],
) -> None:
    found = workflows.create(ensure_workspace(), HOOK, "test")
    path = webhooks.url(str(found.workflow.webhook_token)).split("/api/", 1)[1]
    answered: dict[int, str] = {}
    counts = threading.Condition()

    def send(number: int) -> None:
        """Until it is answered, as senders of webhooks do; now to one, now to the other bridge."""
        deadline = time.monotonic() + PATIENCE
        turn = number
        while time.monotonic() < deadline:
            turn += 1
            try:
                answer = requests.post(
                    f"{bridges[turn % 2].address}/api/{path}",
                    json={"number": number},
                    headers={"webhook-id": f"delivery-{number}"},
                    timeout=30,
                )
            except requests.ConnectionError:
                time.sleep(0.02)
                continue
            assert answer.status_code in (200, 202), answer.text
            with counts:
                answered[number] = answer.json()["eventId"]
                counts.notify_all()
            return

    with ThreadPoolExecutor(SENDERS) as pool:
        sent = [pool.submit(send, number) for number in range(DELIVERIES)]
        for bridge, reached in zip(bridges, (DELIVERIES // 4, DELIVERIES // 2), strict=True):
            with counts:
                assert counts.wait_for(lambda reached=reached: len(answered) >= reached, PATIENCE)
            bridge.kill()
            bridge.start()
        for one in sent:
            one.result()

    assert len(set(answered.values())) == DELIVERIES
    until(lambda: pending() == 0)
    with unit_of_work() as session:
        runs = session.execute(select(Run.event_id, func.count()).group_by(Run.event_id)).all()
        events = session.execute(select(Event.id, Event.external_id)).all()
    assert {row[0]: row[1] for row in runs} == dict.fromkeys(answered.values(), 1)
    assert {row[1]: row[0] for row in events} == {
        f"delivery-{number}": event for number, event in answered.items()
    }


def pending() -> int:
    with unit_of_work() as session:
        return session.scalar(select(func.count()).where(Event.status == "PENDING")) or 0
