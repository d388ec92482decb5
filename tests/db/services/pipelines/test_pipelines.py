"""Syncs against a real database: no doubles, what they start, and how fast they are."""

from __future__ import annotations

import gc
import tracemalloc
from functools import partial
from typing import Any

import pytest
from sqlalchemy import select

from automations.db.session import unit_of_work
from automations.db.tables import DataRow, Event, Run
from automations.definitions.pipelines import shape_of
from automations.dispatch.jobs.registry import Handlers
from automations.domain.tables.columns import TableShape
from automations.services.pipelines import connections, syncs
from automations.services.tables import rows, tables
from tests.db.counting import statements
from tests.db.events import automation, matched
from tests.db.workspace import at_once
from tests.doubles import ports

COLUMNS: list[dict[str, Any]] = [
    {"key": "id", "type": "number"},
    {"key": "name", "type": "text"},
    {"key": "level", "type": "select", "options": ["low", "high"]},
    {"key": "at", "type": "datetime"},
    {"key": "site", "type": "url"},
]


def table(here: str) -> str:
    shape = {"name": "Register", "columns": COLUMNS}
    return tables.create(here, TableShape.model_validate(shape)).id


def connection(here: str, place: str, *keys: str, **more: Any) -> str:
    mapping = {"tableId": place, "keyColumns": list(keys or ["id"])}
    given = {"name": "Scanner", "connectorType": "push", "tables": [mapping], **more}
    return connections.create(here, shape_of(given)).id


def push(here: str, source: str, *records: Any) -> tuple[int, ...]:
    return tuple(syncs.push(here, source, records).totals.values())


def kept(place: str) -> list[dict[str, Any]]:
    query = select(DataRow.data).where(DataRow.table_id == place).order_by(DataRow.created_at)
    with unit_of_work() as session:
        return list(session.scalars(query))


def events() -> list[Event]:
    with unit_of_work() as session:
        return list(session.scalars(select(Event).order_by(Event.created_at)))


def test_syncs_at_once_make_no_doubles(here: str) -> None:
    place = table(here)
    source = connection(here, place)
    records = [{"id": number, "name": "a"} for number in range(300)]
    first, second = records, records[::-1]
    found = at_once(*(partial(push, here, source, *part) for part in (first, second, first)))
    assert sorted(found) == [(0, 0, 300, 0), (0, 0, 300, 0), (300, 0, 0, 0)]  # type: ignore[type-var]
    assert len(kept(place)) == 300


def test_a_sync_and_single_upserts_at_once_make_no_doubles(here: str) -> None:
    place = table(here)
    source = connection(here, place)

    def upsert(number: int) -> None:
        with unit_of_work() as session:
            rows.upsert(session, here, place, ["id"], {"id": number, "name": "one"})

    records = [{"id": number, "name": "many"} for number in range(40)]
    at_once(partial(push, here, source, *records), *(partial(upsert, n) for n in range(0, 40, 4)))
    assert sorted(row["id"] for row in kept(place)) == list(range(40))


def test_rows_that_were_made_otherwise_are_known_by_their_values(here: str) -> None:
    place = table(here)
    rows.load(here, place, [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}])
    by_name = connection(here, place, "name", "id", name="By name")
    by_id = connection(here, place)
    assert push(here, by_id, {"id": 1.0, "level": "low"}, {"id": 2}) == (0, 1, 1, 0)
    assert push(here, by_name, {"id": 2, "name": "b", "level": "high"}) == (0, 1, 0, 0)
    assert push(here, by_id, {"id": 2, "level": "low"}, {"id": 1}) == (0, 1, 1, 0)
    assert kept(place) == [
        {"id": 1, "name": "a", "level": "low"},
        {"id": 2, "name": "b", "level": "low"},
    ]
    assert push(here, by_id, {"id": 1.0}, {"id": 2}) == (0, 0, 2, 0)
    assert [str(row["id"]) for row in kept(place)] == ["1.0", "2"]


def test_of_rows_that_are_the_same_the_oldest_is_changed(here: str) -> None:
    place = table(here)
    rows.load(here, place, [{"id": 1, "name": "old"}, {"id": 1, "name": "new"}])
    source = connection(here, place)
    for level in ("low", "high"):
        assert push(here, source, {"id": 1, "level": level}) == (0, 1, 0, 0)
    assert [row.get("level") for row in kept(place)] == ["high", None]


def test_a_row_whose_key_was_changed_by_hand_is_another_row(here: str) -> None:
    place = table(here)
    source = connection(here, place)
    push(here, source, {"id": 1, "name": "a"})
    first = events()[0].data["rowId"]
    rows.change(here, place, first, {"id": 9})
    assert push(here, source, {"id": 1, "name": "b"}, {"id": 9, "name": "c"}) == (1, 1, 0, 0)
    assert {row["id"]: row["name"] for row in kept(place)} == {9: "c", 1: "b"}


def test_a_sync_starts_each_automation_once_with_the_rows_that_it_asks_for(here: str) -> None:
    place, other = table(here), table(here)
    source = connection(here, place)
    push(here, source, {"id": 1})
    triggers: dict[str, dict[str, str]] = {
        "added": {"triggerType": "ROW_ADDED", "filterTableId": place},
        "added anywhere": {"triggerType": "ROW_ADDED"},
        "updated": {"triggerType": "RECORD_UPDATED", "filterTableId": place},
        "synced": {"triggerType": "TABLE_SYNCED", "filterTableId": place},
        "other": {"triggerType": "ROW_ADDED", "filterTableId": other},
    }
    made = {automation(here, trigger): name for name, trigger in triggers.items()}
    records = [{"id": 1, "name": "new"}, {"id": 2}, {"id": 3}]
    assert push(here, source, *records) == (2, 1, 0, 0)
    event = events()[1]
    matched(event.id, Handlers(ports(), ports()))  # type: ignore[arg-type]  # no Airflow here
    with unit_of_work() as session:
        runs = list(session.scalars(select(Run)))
    started = {made[run.workflow_id]: run.trigger_data for run in runs}
    assert started.keys() == triggers.keys() - {"other"}
    created, (updated,) = event.data["createdRowIds"], event.data["updatedRowIds"]
    assert started["added"]["rowId"] == created[0]
    assert (started["added"]["rowIds"], started["added"]["count"]) == (created, 2)
    assert (started["updated"]["rowId"], started["updated"]["count"]) == (updated, 1)
    assert started["synced"] == event.data
    assert {run.variables["tableId"] for run in runs} == {place}
    assert push(here, source, {"id": 1, "name": "newer"}) == (0, 1, 0, 0)
    matched(events()[2].id, Handlers(ports(), ports()))  # type: ignore[arg-type]
    with unit_of_work() as session:
        last = session.scalars(select(Run.workflow_id).where(Run.event_id == events()[2].id))
        assert {made[row_id] for row_id in last} == {"updated", "synced"}


@pytest.mark.slow
def test_fifty_thousand_records_are_synced_by_few_statements_in_flat_memory(here: str) -> None:
    place = table(here)
    source = connection(here, place)
    records = [
        {
            "id": number,
            "name": f"package-{number}",
            "level": "low",
            "at": "2026-03-01T09:30:00Z",
            "site": f"https://b.example/{number}",
        }
        for number in range(50_000)
    ]
    for name in ("created", "unchanged"):
        with statements() as made:
            run = syncs.push(here, source, records)
        assert run.totals[name] == 50_000
        assert len(made) < 50_000 / 50
    seldom = gc.get_threshold()
    # What is let go of is not to be counted.
    gc.set_threshold(700, 10, 10)
    tracemalloc.start()
    try:
        for record in records:
            record["level"] = "high"
        syncs.push(here, source, records[:5_000])
        _, few = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        syncs.push(here, source, records[5_000:30_000])
        _, many = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        gc.set_threshold(*seldom)
    assert many < few * 2
    assert len(events()) == 3
    assert len(events()[0].data["rowIds"]) == rows.MAX_NAMED_ROWS
