"""Bridges are killed while deliveries come in: what was answered is neither lost nor doubled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from sqlalchemy import func, select

from automations.db.session import unit_of_work
from automations.db.tables import Event, Run
from automations.domain.principals import Principal
from automations.services.access.bootstrap import ensure_workspace
from automations.services.workflows import webhook_addresses, workflows
from tests.api.bridge_process import BridgeProcess, send_while_killing, two_bridges
from tests.doubles import ports
from tests.free_ports import free_port
from tests.waiting import until

DELIVERIES = 400

HOOK = {
    "name": "Hook",
    "status": "ACTIVE",
    "trigger": {"type": "webhook", "verification": "none"},
    "steps": [{"name": "Check", "type": "condition", "order": 0, "config": {"expression": "true"}}],
}


@pytest.fixture
def bridges(database: str, tmp_path: Path) -> Iterator[list[BridgeProcess]]:
    # They have dispatchers. Airflow is away: matching does not need it.
    with two_bridges(tmp_path, AUTOMATIONS_AIRFLOW_URL=f"http://127.0.0.1:{free_port()}") as both:
        yield both


def test_every_answered_delivery_makes_one_run_though_bridges_are_killed(
    bridges: list[BridgeProcess],
) -> None:
    found = workflows.create(Principal(ensure_workspace(), "ADMIN", "test"), HOOK, ports())
    url = webhook_addresses.url(found.webhook_salt, found.webhook_hash)
    path = str(url).split("/api/", 1)[1]

    def send(bridge: BridgeProcess, number: int) -> str:
        answer = requests.post(
            f"{bridge.address}/api/{path}",
            json={"number": number},
            headers={"webhook-id": f"delivery-{number}"},
            timeout=30,
        )
        assert answer.status_code in (200, 202), answer.text
        return str(answer.json()["eventId"])

    answered = send_while_killing(bridges, DELIVERIES, send)
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
