"""Automations that stand still in Airflow, since somebody has paused or deleted their DAG."""

from __future__ import annotations

from collections.abc import Set
from datetime import UTC, datetime

import pytest

from automations.db.session import unit_of_work
from automations.db.tables import Workflow
from automations.db.workflows import held_up
from automations.db.workflows.publications import SqlPublications
from automations.definitions.published import dag_id
from automations.dispatch.holds import Holds
from automations.domain.workflows import HeldUp
from automations.services.runs import by_hand, lost_dags, reading
from automations.services.workflows import workflows
from tests.db.workspace import principal, workspace
from tests.doubles import Unreachable, ports

SINCE = datetime(2026, 3, 1, 9, tzinfo=UTC)
STEP = {"name": "Wait", "type": "delay", "order": 0, "config": {"duration": "PT1H"}}


class Airflow(Unreachable):
    """One whose DAGs somebody pauses and deletes."""

    def __init__(self) -> None:
        self.stopped: set[str] = set()
        self.deleted: set[str] = set()
        self.named = True
        self.asked: list[str] = []

    def paused_dags(self) -> Set[str]:
        return self.stopped

    def paused_by(self, dag: str) -> tuple[str, datetime] | None:
        return ("anna", SINCE) if self.named else None

    def knows(self, dag: str) -> bool:
        self.asked.append(dag)
        return dag not in self.deleted


@pytest.fixture
def here(database: str) -> str:
    return workspace()


def automation(here: str) -> str:
    body = {"name": "Test", "status": "ACTIVE", "steps": [STEP]}
    return workflows.create(principal(here), body, ports()).id


def held(workflow: str) -> HeldUp | None:
    with unit_of_work() as session:
        return held_up.get(session.get_one(Workflow, workflow))


def test_a_dag_that_is_paused_is_known_until_it_is_unpaused(here: str) -> None:
    one, other = automation(here), automation(here)
    airflow = Airflow()
    airflow.stopped = {dag_id(one), "somebody_elses"}
    holds = Holds(airflow)
    for _ in range(2):
        holds.poll()
    hold = held(one)
    assert hold == HeldUp(hold.kind, "anna", SINCE) if hold else False
    assert "paused in Airflow by anna" in (hold.reason if hold else "")
    assert held(other) is None
    with unit_of_work() as session:
        assert held_up.count(session) == {"paused": 1, "deleted": 0}
    airflow.stopped = set()
    holds.poll()
    assert held(one) is None


def test_one_of_whom_nobody_knows_who_has_paused_it_is_known_all_the_same(here: str) -> None:
    workflow, airflow = automation(here), Airflow()
    airflow.stopped, airflow.named = {dag_id(workflow)}, False
    Holds(airflow).poll()
    hold = held(workflow)
    assert hold is not None
    assert hold.reason.startswith("Its DAG was paused in Airflow: ")


def test_whoever_starts_a_run_then_is_told_why_it_does_not_begin(here: str) -> None:
    workflow, airflow = automation(here), Airflow()
    by = principal(here)
    begun = by_hand.execute(by, workflow, {})
    assert begun.held_up is None
    airflow.stopped = {dag_id(workflow)}
    Holds(airflow).poll()
    waits = by_hand.execute(by, workflow, {})
    for found in (waits, reading.detail(here, workflow, waits.id)):
        assert found.held_up is not None
        assert found.held_up.by == "anna"
    assert reading.detail(here, workflow, waits.id).queued
    assert [workflow.held_up is not None for workflow in workflows.list_all(here)] == [True]
    assert workflows.get(here, workflow).held_up == waits.held_up


def test_a_dag_that_is_deleted_is_known_until_it_is_back(here: str) -> None:
    workflow, airflow = automation(here), Airflow()
    airflow.deleted = {dag_id(workflow)}
    lost_dags.recover(workflow, "anna", SINCE)
    Holds(airflow).poll()
    hold = held(workflow)
    assert hold is not None
    assert (hold.kind, hold.by, hold.since) == ("deleted", "anna", SINCE)
    airflow.deleted = set()
    Holds(airflow).poll()
    assert held(workflow) is None


@pytest.mark.parametrize("deleted_there_first", [True, False])
def test_a_dag_of_an_automation_that_is_deleted_here_too_is_not_waited_for(
    here: str, deleted_there_first: bool
) -> None:
    workflow, airflow = automation(here), Airflow()
    airflow.deleted = {dag_id(workflow)}
    if deleted_there_first:
        lost_dags.recover(workflow, "anna", SINCE)
    workflows.delete(principal(here), workflow)
    revision = SqlPublications().revision()
    if not deleted_there_first:
        lost_dags.recover(workflow, "anna", SINCE)
    Holds(airflow).poll()
    assert airflow.asked == []
    assert SqlPublications().revision() == revision
