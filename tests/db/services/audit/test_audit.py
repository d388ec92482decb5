"""The audit log is written with what it records, or not at all."""

from __future__ import annotations

import contextvars
import threading
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from automations.db.session import unit_of_work
from automations.db.tables import AuditLog
from automations.domain.statuses import Decision
from automations.errors import Conflict
from automations.execution.engine import Engine
from automations.execution.verdicts import AskPeople
from automations.services.audit import audit
from automations.steps.outcomes import Answer
from tests.db.runs import approval, begin, task
from tests.db.workspace import workspace
from tests.doubles import ports


@pytest.fixture
def home(database: str) -> str:
    return workspace()


def lines() -> list[AuditLog]:
    with unit_of_work() as session:
        return list(session.scalars(select(AuditLog).order_by(AuditLog.id)))


def test_what_is_undone_is_not_on_record(home: str) -> None:
    def refused() -> None:
        with unit_of_work() as session:
            audit.record(session, "thing.create", audit.Resource(home, "thing", "1"))
            raise Conflict

    with pytest.raises(Conflict):
        refused()
    assert lines() == []


def test_outside_of_a_request_the_system_acts(home: str) -> None:
    with unit_of_work() as session:
        audit.record(session, "thing.create", audit.Resource(home, "thing", "1"))
    (line,) = lines()
    assert (line.actor_type, line.actor, line.ip) == ("system", "system", None)


def test_an_actor_named_in_one_thread_of_a_request_acts_in_the_others_and_nowhere_else(
    home: str,
) -> None:
    def request() -> None:
        audit.begin("192.0.2.1", "request-1")
        # A dependency and a route run in threads with copies of the request's context.
        for body in (
            lambda: audit.identify(home, audit.Actor("api_key", "ada", "key-1")),
            write,
        ):
            thread = threading.Thread(target=contextvars.copy_context().run, args=(body,))
            thread.start()
            thread.join()

    def write() -> None:
        with unit_of_work() as session:
            audit.record(session, "thing.create", audit.Resource(home, "thing", "1"))

    contextvars.copy_context().run(request)
    (line,) = lines()
    assert (line.actor, line.actor_id, line.ip, line.request_id) == (
        "ada",
        "key-1",
        "192.0.2.1",
        "request-1",
    )
    assert audit.current().actor == audit.SYSTEM


def test_an_answer_in_airflow_is_its_users(database: str) -> None:
    engine = Engine(ports())
    run = begin(approval())
    parked = engine.run(task(run, "ask"))
    assert isinstance(parked, AskPeople)
    answer = Answer(Decision.APPROVED, "airflow:admin", datetime.now(UTC))
    engine.resume(task(run, "ask"), parked.wait_id, answer)
    (line,) = lines()
    assert (line.action, line.actor_type, line.actor) == ("run.resume", "airflow", "admin")
    assert line.details == {"stepId": "ask", "decision": "approved", "override": True}
