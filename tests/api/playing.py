"""Runs that go as far as they can without Airflow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from automations import wiring
from automations.db.session import unit_of_work
from automations.db.tables import Job, Run
from automations.dispatch.jobs.registry import Handlers
from automations.execution.verdicts import TaskRef
from tests.doubles import ports

if TYPE_CHECKING:
    # Where its fixture is made: that module imports this one.
    from tests.api.conftest import Api

EVIDENCE = {
    "name": "Capture security events",
    "type": "evidence_snapshot",
    "order": 0,
    "config": {"source": "SECURITY_EVENTS"},
}


class Playing:
    """What Airflow and the dispatcher do for a run, done at once."""

    def __init__(self, api: Api) -> None:
        self.api = api

    def workflow(self, *steps: dict[str, Any], **more: Any) -> str:
        return str(
            self.api.workflow(name="Daily Security Monitor", steps=list(steps), **more)["id"]
        )

    def match_events(self) -> None:
        """Let events start what listens to them."""
        handlers = Handlers(ports(), ports())  # type: ignore[arg-type]  # no Airflow here
        with unit_of_work() as session:
            found = session.scalars(select(Job).where(Job.kind == "match_event")).all()
        for job in found:
            handlers.handle(job)

    def finish(self, run_id: str) -> None:
        """Do a run's steps, one after another."""
        with unit_of_work() as session:
            run = session.get_one(Run, run_id)
        detail = self.detail(run.workflow_id, run_id)
        for node in detail["state"]["pendingNodeIds"]:
            wiring.engine().run(TaskRef(run_id, run.workflow_id, run.version, node, 0))

    def execute(self, workflow: str, **given: Any) -> str:
        body = {"input": given}
        answer = self.api.call("POST", f"/api/workflows/{workflow}/execute", body)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["runId"])

    def completed(self, *steps: dict[str, Any]) -> tuple[str, str]:
        workflow = self.workflow(*(steps or (EVIDENCE,)))
        run = self.execute(workflow)
        self.finish(run)
        assert self.detail(workflow, run)["status"] == "COMPLETED"
        return workflow, run

    def asked(self) -> tuple[str, str]:
        """A run that waits for approval."""
        step = {"name": "Ask", "type": "approval", "order": 0, "config": {"message": "May we?"}}
        workflow = self.workflow(step)
        run = self.execute(workflow)
        self.finish(run)
        return workflow, run

    def detail(self, workflow: str, run: str) -> dict[str, Any]:
        answer = self.api.call("GET", f"/api/workflows/{workflow}/runs/{run}", role="VIEWER")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()["run"]
        return found

    def runs(self, workflow: str, query: str = "") -> Any:
        return self.api.call("GET", f"/api/workflows/{workflow}/runs{query}").json()
