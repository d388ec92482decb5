"""Airflow is told when tables change and automations complete that its DAGs wait for."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from automations.adapters.documents.renderer import ConfinedRenderer
from automations.db.events import asset_changes
from automations.db.runs import runs
from automations.db.session import unit_of_work
from automations.db.tables import Event, Run, Workspace
from automations.definitions.pipelines import shape_of
from automations.dispatch.asset_events import AssetEvents
from automations.domain import assets
from automations.domain.statuses import RunStatus
from automations.domain.tables.columns import TableShape
from automations.errors import OrchestratorError, OrchestratorUnavailable
from automations.ports import DocumentOrder, EvidenceRequest
from automations.services.documents import templates
from automations.services.documents.documents import StoredDocuments
from automations.services.evidence.evidence import WorkspaceEvidence
from automations.services.pipelines import connections, loads
from automations.services.tables import rows, tables
from tests.db.runs import begin, step
from tests.db.workspace import workspace
from tests.doubles import Unreachable
from tests.letters import letter

SHAPE = {"name": "Companies", "columns": [{"key": "name", "type": "text", "required": True}]}
NOTHING = step("look", "condition", 0, {"expression": "true"})


class Airflow(Unreachable):
    """Has DAGs that wait for these addresses, and keeps what it is told."""

    def __init__(self, *uris: str) -> None:
        self.uris = uris
        self.told: list[tuple[str, Mapping[str, Any]]] = []
        self.is_away = False
        self.refuses: str | None = None
        self.away_for: str | None = None

    def assets(self, scheme: str) -> Mapping[str, int]:
        return {uri: number for number, uri in enumerate(self.uris)}

    def change_asset(self, asset_id: int, extra: Mapping[str, Any]) -> None:
        uri = self.uris[asset_id]
        if self.is_away or uri == self.away_for:
            raise OrchestratorUnavailable
        if uri == self.refuses:
            raise OrchestratorError("Airflow refused it: 403")
        self.told.append((uri, extra))


def now() -> datetime:
    return datetime.now(UTC)


def following(airflow: Airflow) -> AssetEvents:
    """One that has looked once."""
    made = AssetEvents(airflow)
    made.poll()
    made.tell(datetime.now(UTC))
    return made


def completed(run: Run, status: RunStatus = RunStatus.COMPLETED) -> None:
    with unit_of_work() as session:
        assert runs.end_run(session, run.id, status)


@pytest.fixture
def table(here: str) -> str:
    return tables.create(here, TableShape.model_validate(SHAPE)).id


def add(here: str, table: str, name: str) -> None:
    with unit_of_work() as session:
        rows.add(session, here, table, {"name": name})


def test_rows_that_are_added_are_one_event_of_their_table(here: str, table: str) -> None:
    airflow = Airflow("automation://table/another", assets.table(table))
    follows = following(airflow)
    add(here, table, "Acme")
    add(here, table, "Beta")
    follows.tell(now())
    ((uri, extra),) = airflow.told
    assert uri == assets.table(table)
    assert (extra["tableId"], extra["events"]) == (table, 2)
    follows.tell(now())
    assert len(airflow.told) == 1, "it is told once"


def test_an_automation_changes_when_a_run_has_completed(database: str) -> None:
    run, other = begin(NOTHING), begin(NOTHING)
    airflow = Airflow(assets.workflow(run.workflow_id))
    follows = following(airflow)
    completed(other)
    completed(run)
    follows.tell(now())
    ((_, extra),) = airflow.told
    assert extra == {"workflowId": run.workflow_id, "runs": 1, "lastRunId": run.id}


def test_a_run_that_has_failed_is_no_change(database: str) -> None:
    run = begin(NOTHING)
    airflow = Airflow(assets.workflow(run.workflow_id))
    follows = following(airflow)
    completed(run, RunStatus.FAILED)
    follows.tell(now())
    assert airflow.told == []


def test_documents_that_are_made_are_a_change_of_their_template(here: str) -> None:
    made, other = (
        templates.create(
            ConfinedRenderer(),
            here,
            name=name,
            template_format="docx",
            content=letter("Dear {{ name }}"),
        ).id
        for name in ("Letter", "Other")
    )
    airflow = Airflow(assets.documents(made))
    follows = following(airflow)
    for key, template in (("a", made), ("b", other), ("c", made)):
        order = DocumentOrder(here, "run", key, template, "docx", None, {"name": "Ada"})
        last = StoredDocuments(ConfinedRenderer()).generate(order).id
    follows.tell(now())
    ((_, extra),) = airflow.told
    assert extra == {"templateId": made, "documents": 2, "lastDocumentId": last}


def test_evidence_that_is_taken_is_a_change_of_its_workspace(here: str) -> None:
    with unit_of_work() as session:
        slug = session.get_one(Workspace, here).slug
    airflow = Airflow(assets.evidence(slug))

    def capture(key: str, home: str = here) -> str:
        request = EvidenceRequest(home, None, key, "AUDIT_LOGS", key)
        return WorkspaceEvidence().capture(request).snapshot_id

    capture("before")
    follows = following(airflow)
    airflow.told.clear()
    # Their moments are whole milliseconds.
    time.sleep(0.002)
    capture("of another", workspace("elsewhere"))
    capture("first")
    last = capture("second")
    follows.tell(now())
    follows.tell(now() + timedelta(seconds=1))
    ((_, extra),) = airflow.told
    assert extra == {"workspace": slug, "snapshots": 2, "lastSnapshotId": last}


def test_what_was_before_any_dag_waited_for_it_is_not_told(here: str, table: str) -> None:
    add(here, table, "Acme")
    with unit_of_work() as session:
        session.execute(update(Event).values(created_at=datetime.now(UTC) - timedelta(minutes=1)))
    airflow = Airflow(assets.table(table))
    following(airflow).tell(now())
    assert airflow.told == []


def test_what_comes_while_nobody_follows_is_told_by_the_next_one(here: str, table: str) -> None:
    airflow = Airflow(assets.table(table))
    following(airflow)
    add(here, table, "Acme")
    AssetEvents(airflow).poll()
    following(airflow).tell(now())
    assert [uri for uri, _ in airflow.told] == [assets.table(table)]


def test_what_an_airflow_that_is_away_was_not_told_is_told_when_it_is_back(
    here: str, table: str
) -> None:
    airflow = Airflow(assets.table(table))
    follows = following(airflow)
    add(here, table, "Acme")
    airflow.is_away = True
    with pytest.raises(OrchestratorUnavailable):
        follows.tell(now())
    airflow.is_away = False
    follows.tell(now())
    assert len(airflow.told) == 1


@pytest.fixture
def others(here: str, table: str) -> list[str]:
    """The table and another one, by their addresses, in the order in which they are told."""
    second = tables.create(here, TableShape.model_validate({**SHAPE, "name": "Others"})).id
    return sorted(assets.table(one) for one in (table, second))


def test_what_airflow_refuses_of_one_keeps_no_other_from_being_told(
    here: str, others: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    airflow = Airflow(*others)
    follows = following(airflow)
    for uri in others:
        add(here, uri.removeprefix(assets.table("")), "Acme")
    airflow.refuses = others[0]
    follows.tell(now())
    follows.tell(now())
    assert [uri for uri, _ in airflow.told] == [others[1]]
    assert f"Airflow refused it: 403: {others[0]}" in caplog.text


def test_what_was_told_before_airflow_went_away_is_not_told_again(
    here: str, others: list[str]
) -> None:
    airflow = Airflow(*others)
    follows = following(airflow)
    for uri in others:
        add(here, uri.removeprefix(assets.table("")), "Acme")
    airflow.away_for = others[1]
    for _ in range(2):
        with pytest.raises(OrchestratorUnavailable):
            follows.tell(datetime.now(UTC))
    airflow.away_for = None
    add(here, others[1].removeprefix(assets.table("")), "Beta")
    follows.tell(datetime.now(UTC))
    follows.tell(datetime.now(UTC))
    told = [(uri, extra["events"]) for uri, extra in airflow.told]
    assert told == [(others[0], 1), (others[1], 1), (others[1], 1)]


def test_what_another_has_told_meanwhile_is_not_told_again(here: str, table: str) -> None:
    airflow = Airflow(assets.table(table))
    follows, other = following(airflow), following(airflow)
    add(here, table, "Acme")
    airflow.is_away = True
    with pytest.raises(OrchestratorUnavailable):
        follows.tell(now())
    airflow.is_away = False
    other.tell(now())
    follows.tell(now())
    assert len(airflow.told) == 1


def test_what_is_not_committed_yet_is_waited_for(here: str, table: str) -> None:
    timeout = timedelta(minutes=5)
    with unit_of_work() as writing:
        rows.add(writing, here, table, {"name": "Acme"})
        began = writing.scalars(select(func.now())).one()
        with unit_of_work() as session:
            assert asset_changes.settled_until(session, timeout) < began
        with unit_of_work() as session:
            longest = asset_changes.settled_until(session, timedelta(0))
    with unit_of_work() as session:
        stamped = session.scalars(select(Event.created_at)).one()
        after = asset_changes.settled_until(session, timeout)
    second = timedelta(seconds=1)
    assert began < stamped < after + second
    assert began < longest + second, "a writer holds it up for so long, and no longer"


def test_a_sync_that_a_dag_has_handed_over_is_told_by_that_dag(here: str, table: str) -> None:
    airflow = Airflow(assets.table(table))
    follows = following(airflow)
    mapping = {"tableId": table, "keyColumns": ["name"]}
    made = {"name": "Feed", "connectorType": "push", "tables": [mapping]}
    connection = connections.create(here, shape_of(made))
    loads.load(connection.id, "k", "etl.sync", [{"name": "Acme"}])
    follows.tell(now())
    assert airflow.told == []
