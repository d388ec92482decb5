"""Bridges are killed while they carry out requests with keys: each is done once, and at once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from sqlalchemy import func, select, text

from automations.db.session import unit_of_work
from automations.db.tables import Run, Workflow
from automations.domain.principals import Principal
from automations.services.access.api_keys import create_key
from automations.services.access.bootstrap import ensure_workspace
from automations.services.workflows import workflows
from tests.api.bridge_process import BridgeProcess, send_while_killing, two_bridges
from tests.doubles import ports
from tests.waiting import until

REQUESTS = 200

AUTOMATION = {
    "name": "Started",
    "status": "ACTIVE",
    "steps": [{"name": "Check", "type": "condition", "order": 0, "config": {"expression": "true"}}],
}


@pytest.fixture
def bridges(database: str, tmp_path: Path) -> Iterator[list[BridgeProcess]]:
    with two_bridges(tmp_path, AUTOMATIONS_DISPATCHER="off") as both:
        yield both


@pytest.fixture
def headers(database: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {create_key('OWNER', 'owner')}"}


@pytest.fixture
def workflow_id(database: str) -> str:
    by = Principal(ensure_workspace(), "ADMIN", "test")
    return workflows.create(by, AUTOMATION, ports()).id


def runs() -> int:
    with unit_of_work() as session:
        return session.scalar(select(func.count()).select_from(Run)) or 0


def somebody_waits() -> bool:
    """Whether a bridge has begun, and waits for a lock of ours."""
    with unit_of_work(apart=True) as session:
        waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        return bool(session.scalar(waiting))


@pytest.mark.slow
def test_a_key_makes_one_run_though_bridges_are_killed(
    bridges: list[BridgeProcess], headers: dict[str, str], workflow_id: str
) -> None:
    path = f"/api/workflows/{workflow_id}/execute"

    def send(bridge: BridgeProcess, number: int) -> str | None:
        answer = requests.post(
            bridge.address + path,
            json={"input": {"number": number}},
            headers={**headers, "Idempotency-Key": f"key-{number}"},
            timeout=30,
        )
        if answer.status_code == 409:  # the killed one's connection is not closed yet
            return None
        assert answer.status_code == 200, answer.text
        return str(answer.json()["runId"])

    answered = send_while_killing(bridges, REQUESTS, send)
    assert len(set(answered.values())) == REQUESTS
    assert runs() == REQUESTS
    # What was answered is answered so for ever, by whichever bridge.
    again = requests.post(
        bridges[0].address + path,
        json={"input": {"number": 0}},
        headers={**headers, "Idempotency-Key": "key-0"},
        timeout=30,
    )
    assert (again.json()["runId"], again.headers["idempotent-replayed"]) == (answered[0], "true")


@pytest.mark.slow
def test_a_request_that_was_killed_with_its_bridge_is_carried_out_by_the_next(
    bridges: list[BridgeProcess], headers: dict[str, str], workflow_id: str
) -> None:
    def send(bridge: BridgeProcess) -> requests.Response:
        return requests.post(
            f"{bridge.address}/api/workflows/{workflow_id}/execute",
            json={},
            headers={**headers, "Idempotency-Key": "key"},
            timeout=60,
        )

    with ThreadPoolExecutor(1) as pool:
        with unit_of_work() as session:
            # While it is locked, no run of it can be inserted.
            session.get_one(Workflow, workflow_id, with_for_update=True)
            first = pool.submit(send, bridges[0])
            # Else the other one might be first, and wait for us.
            until("a transaction that waits", somebody_waits)
            until("the refusal", lambda: send(bridges[1]).status_code == 409)
            bridges[0].kill()
        with pytest.raises(requests.RequestException):
            first.result()
    until("the answer", lambda: send(bridges[1]).status_code == 200)
    assert runs() == 1
