"""Bridges are killed while deliveries come in: what was answered is neither lost nor doubled."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
import requests
from sqlalchemy import func, select

from automations.db.session import unit_of_work
from automations.db.tables import Event, Run
from automations.domain.principals import Principal
from automations.services.access.bootstrap import ensure_workspace
from automations.services.workflows import webhook_addresses, workflows
from tests.api.bridge_process import TIMEOUT, BridgeProcess
from tests.doubles import ports
from tests.free_ports import free_port
from tests.waiting import until

DELIVERIES = 400
SENDERS = 8

HOOK = {
    "name": "Hook",
    "status": "ACTIVE",
    "trigger": {"type": "webhook", "verification": "none"},
    "steps": [{"name": "Check", "type": "condition", "order": 0, "config": {"expression": "true"}}],
}


def bridge(home: Path) -> BridgeProcess:
    """A bridge with its dispatcher."""
    # Airflow is away: matching does not need it.
    return BridgeProcess(home, AUTOMATIONS_AIRFLOW_URL=f"http://127.0.0.1:{free_port()}")


@pytest.fixture
def bridges(database: str, tmp_path: Path) -> Iterator[list[BridgeProcess]]:
    both = [bridge(tmp_path), bridge(tmp_path)]
    for one in both:
        one.start()
    try:
        for one in both:
            until("a bridge", one.answers)
        yield both
    finally:
        for one in both:
            one.kill()


def test_every_answered_delivery_makes_one_run_though_bridges_are_killed(
    bridges: list[BridgeProcess],
) -> None:
    found = workflows.create(Principal(ensure_workspace(), "ADMIN", "test"), HOOK, ports())
    url = webhook_addresses.url(found.webhook_salt, found.webhook_hash)
    path = str(url).split("/api/", 1)[1]
    answered: dict[int, str] = {}
    counts = threading.Condition()

    def send(number: int) -> None:
        """Until it is answered, as senders of webhooks do; now to one, now to the other bridge."""
        deadline = time.monotonic() + TIMEOUT
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
            except requests.RequestException:  # refused, cut off, or half of an answer
                time.sleep(0.02)
                continue
            assert answer.status_code in (200, 202), answer.text
            with counts:
                answered[number] = answer.json()["eventId"]
                counts.notify_all()
            return

    def answers(least: int) -> bool:
        return len(answered) >= least

    with ThreadPoolExecutor(SENDERS) as pool:
        sent = [pool.submit(send, number) for number in range(DELIVERIES)]
        for killed, reached in zip(bridges, (DELIVERIES // 4, DELIVERIES // 2), strict=True):
            with counts:
                assert counts.wait_for(partial(answers, reached), TIMEOUT)
            killed.kill()
            killed.start()
        for one in sent:
            one.result()

    assert len(set(answered.values())) == DELIVERIES
    until("all jobs", lambda: pending() == 0)
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
