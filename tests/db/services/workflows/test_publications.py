"""What the DAG bundle reads: what is published since a revision."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from automations.db.session import statement, unit_of_work
from automations.db.workflows import workflows as db_workflows
from automations.db.workflows.publications import SqlPublications
from automations.services.workflows import workflows
from tests.db.dispatching import STEP, automation
from tests.db.workspace import principal, workspace
from tests.doubles import ports


@pytest.fixture
def here(database: str) -> str:
    return workspace()


def number_of(workflow: str) -> int:
    with statement() as connection:
        query = text("SELECT number FROM workflow WHERE id = :id")
        return int(connection.execute(query, {"id": workflow}).scalar_one())


@pytest.mark.slow
def test_packs_that_have_changed_since_a_revision_are_named_once(here: str) -> None:
    published = SqlPublications()
    made = [automation(here) for _ in range(45)]
    packs = sorted({number_of(workflow_id) // 20 for workflow_id in made})
    assert published.packs(0) == packs
    seen = published.revision()
    assert published.packs(seen) == []
    for one in (made[-1], made[-1], made[0]):
        payload = {"name": "Edited", "status": "ACTIVE", "steps": [STEP]}
        workflows.update(principal(here), one, payload, ports())
    expected = sorted({number_of(made[0]) // 20, number_of(made[-1]) // 20})
    assert published.packs(seen) == expected
    seen = published.revision()
    with unit_of_work() as session:
        db_workflows.republish(session, made[0])
    assert published.packs(seen) == [number_of(made[0]) // 20]


def test_an_edit_beside_very_many_automations_reads_little(here: str) -> None:
    edited = automation(here)
    with statement() as connection:
        connection.execute(
            text("""
                INSERT INTO workflow (id, workspace_id, name, status, version)
                SELECT 'w' || n, :here, 'Many ' || n, 'ACTIVE', 1 FROM generate_series(1, 5000) n
            """),
            {"here": here},
        )
        connection.execute(
            text("""
                INSERT INTO workflow_version
                    (id, workflow_id, version, revision, status, definition)
                SELECT 'v' || n || '-' || v, 'w' || n, v, 1000 + n * 10 + v, 'ACTIVE', '{}'
                FROM generate_series(1, 5000) n, generate_series(1, 4) v
            """)
        )
        connection.execute(text("ANALYZE workflow, workflow_version"))
    published = SqlPublications()
    seen = published.revision()
    with unit_of_work() as session:
        db_workflows.republish(session, edited)
    asked: list[Any] = []

    def note(*call: Any) -> None:
        asked.append(call[2:4])

    event.listen(Engine, "before_cursor_execute", note)
    try:
        assert published.packs(seen) == [number_of(edited) // 20]
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    query, values = next(call for call in asked if "UNION" in call[0])
    with statement() as connection:
        explain = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {query}"
        (planned,) = connection.exec_driver_sql(explain, values).scalar_one()
    plan = planned["Plan"]
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 100, planned
