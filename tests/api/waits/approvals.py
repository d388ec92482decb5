"""Runs that wait for an approval, and the link that was mailed."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import update

from automations.db.session import unit_of_work
from automations.db.tables import Approver
from automations.db.waits import waits
from automations.domain.statuses import WaitKind
from automations.tokens import hash_token
from tests.api.conftest import Api


@dataclass
class Asked:
    """A run that waits for one person's decision."""

    api: Api
    workflow: str
    run: str
    token: str

    @property
    def path(self) -> str:
        return f"/api/workflows/callback/{self.token}"

    def status(self) -> str:
        found = self.api.call("GET", f"/api/workflows/{self.workflow}/runs/{self.run}").json()
        return str(found["run"]["status"])


def ask(api: Api, form: dict[str, Any] | None = None, body: str = "May we?") -> Asked:
    config = {"approvers": ["boss@example.com"], "message": "May we?"}
    step = {"name": "Ask", "type": "approval", "order": 0, "config": config}
    workflow = api.workflow(steps=[step])
    run = api.call("POST", f"/api/workflows/{workflow['id']}/execute").json()["runId"]
    token = secrets.token_urlsafe(32)
    question = {"subject": "Approval needed", "body": body, "data": {"n": 1}, "form": form}
    with unit_of_work() as session:
        wait = waits.open_wait(
            session,
            waits.NewWait(
                run_id=run,
                node_id=workflow["steps"][0]["id"],
                generation=0,
                kind=WaitKind.DECISION,
                due_at=datetime.now(UTC) + timedelta(days=1),
                question=question,
                approvers=["boss@example.com"],
            ),
        )
        session.execute(
            update(Approver).where(Approver.wait_id == wait.id).values(token_hash=hash_token(token))
        )
    return Asked(api, workflow["id"], run, token)
