"""Records of hand-written DAGs become rows of tables, events and lineage."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG, AssetAlias
from airflow.sdk.execution_time.context import OutletEventAccessors
from sqlalchemy import select

from automations.db.session import unit_of_work
from automations.db.tables import AuditLog, DataRow, Event, PipelineRun
from automations.definitions.pipelines import shape_of
from automations.domain.tables.columns import TableShape
from automations.errors import Conflict, NotFound, ValidationFailed
from automations.services.access.bootstrap import ensure_workspace
from automations.services.pipelines import connections, loads, syncs
from automations.services.tables import tables
from automations.settings import ROOT
from automations_airflow.table_sync import TableSyncOperator
from tests.db.workspace import workspace

COLUMNS = [
    {"key": "sku", "type": "text"},
    {"key": "place", "type": "text"},
    {"key": "level", "type": "number"},
]
NAME = "Stock levels"


@pytest.fixture
def table(database: str) -> str:
    here = ensure_workspace()
    shape = TableShape.model_validate({"name": "Stock", "columns": COLUMNS})
    table = tables.create(here, shape).id
    mapping = {"tableId": table, "keyColumns": ["sku", "place"]}
    given = {"name": NAME, "connectorType": "push", "tables": [mapping]}
    connections.create(here, shape_of(given))
    return table


def stock(count: int, level: int = 1) -> list[dict[str, Any]]:
    return [{"sku": f"s{n}", "place": "Lyon", "level": level} for n in range(count)]


def run(records: Any, connection: str = NAME) -> tuple[dict[str, Any], list[Any]]:
    """What the task gives, and the asset events that it has by then."""
    with DAG("load"):
        task = TableSyncOperator(task_id="sync", connection=connection, records=records)
    ti = SimpleNamespace(dag_id="load", task_id="sync", run_id="r1", map_index=-1)
    outlets = OutletEventAccessors()
    given = task.execute({"ti": ti, "outlet_events": outlets})
    return given, outlets[task.alias].asset_alias_events


def events() -> list[Event]:
    with unit_of_work() as session:
        return list(session.scalars(select(Event).order_by(Event.created_at)))


def runs() -> list[PipelineRun]:
    with unit_of_work() as session:
        return list(session.scalars(select(PipelineRun).order_by(PipelineRun.started_at)))


def test_records_are_rows_one_event_and_one_change_of_an_asset(table: str) -> None:
    given, changed = run([*stock(2), {"sku": "s9"}, {"sku": "s9", "place": "Porto", "level": "x"}])
    counts = {"created": 2, "updated": 0, "unchanged": 0, "failed": 2}
    assert given == {"pipelineRunId": runs()[0].id, "records": 4, **counts}
    (event,) = events()
    assert (event.type, event.data["tableId"], event.data["created"]) == ("TABLE_SYNCED", table, 2)
    (asset,) = changed
    assert asset.dest_asset_key.uri == f"automation://table/{table}"
    assert asset.extra == {"pipelineRunId": runs()[0].id, "created": 2, "updated": 0}
    assert run(stock(2))[1] == []
    assert len(events()) == 1
    with unit_of_work() as session:
        line = session.scalars(select(AuditLog).where(AuditLog.action == "pipeline.sync")).first()
    assert line is not None
    assert (line.actor_type, line.actor) == ("airflow", "load.sync")


@pytest.mark.usefixtures("table")
def test_a_generator_is_written_as_it_is_read_and_is_still_one_event() -> None:
    written = []

    def read(context: Any) -> Iterator[dict[str, Any]]:
        assert context["ti"].task_id == "sync"
        for record in stock(2_500):
            if record["sku"] in ("s1000", "s2000"):
                with unit_of_work() as session:
                    written.append(len(list(session.scalars(select(DataRow.id)))))
            yield record

    given, _ = run(read)
    assert (given["created"], written) == (2_500, [1_000, 2_000])
    (event,) = events()
    assert event.data["created"] == 2_500


@pytest.mark.usefixtures("table")
def test_what_a_failed_task_has_written_is_announced_and_a_retry_goes_on() -> None:
    def failing(_: Any) -> Iterator[dict[str, Any]]:
        yield from stock(1_000)
        raise OSError("the warehouse is away")

    with pytest.raises(OSError, match="away"):
        run(failing)
    assert [one.status for one in runs()] == ["FAILED"]
    assert "the warehouse is away" in str(runs()[0].error)
    assert events()[0].data["created"] == 1_000
    given, _ = run(stock(1_001))
    assert (given["created"], given["unchanged"]) == (1, 1_000)


def test_a_task_that_was_killed_goes_on_with_its_sync_when_it_is_tried_again(table: str) -> None:
    script = f"""
import os, signal
from automations.services.pipelines import loads
def records():
    yield from ({{"sku": f"s{{n}}", "place": "Lyon", "level": 1}} for n in range(1000))
    os.kill(os.getpid(), signal.SIGKILL)
loads.load({NAME!r}, "load.sync:r1:-1", "load.sync", records())
"""
    path = os.pathsep.join([str(ROOT / "include"), str(ROOT / "plugins")])
    died = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": path}, check=False
    )
    assert died.returncode == -signal.SIGKILL
    assert ([one.status for one in runs()], events()) == (["RUNNING"], [])
    given, _ = run(stock(1_001))
    assert (given["created"], given["unchanged"]) == (1_001, 1_000)
    assert [one.status for one in runs()] == ["COMPLETED"]
    (event,) = events()
    assert (event.data["tableId"], event.data["created"]) == (table, 1_001)


@pytest.mark.usefixtures("table")
def test_a_sync_that_was_stopped_writes_nothing_more() -> None:
    def stopped(_: Any) -> Iterator[dict[str, Any]]:
        yield from stock(1_000)
        (one,) = runs()
        syncs.stop(one.workspace_id, one.connection_id, one.id)
        yield from stock(2_000)

    with pytest.raises(Conflict, match="STOPPED"):
        run(stopped)
    assert (runs()[0].status, runs()[0].records) == ("STOPPED", 1_000)


def test_a_connection_is_named_or_given_by_its_id(table: str) -> None:
    with pytest.raises(NotFound, match="'Nope'"):
        run([], "Nope")
    here = workspace("elsewhere")
    shape = TableShape.model_validate({"name": "Theirs", "columns": COLUMNS})
    mapping = {"tableId": tables.create(here, shape).id, "keyColumns": ["sku"]}
    theirs = connections.create(
        here, shape_of({"name": "Theirs", "connectorType": "push", "tables": [mapping]})
    )
    with pytest.raises(NotFound):
        run([], "Theirs")
    assert run(stock(1), theirs.id)[0]["created"] == 1
    config = {"url": "https://b.example"}
    reading = connections.create(
        here,
        shape_of({"name": "H", "connectorType": "http", "config": config, "tables": [mapping]}),
    )
    with pytest.raises(ValidationFailed):
        loads.load(reading.id, "k", "me", [])


def test_the_example_hands_what_it_reads_to_the_sync() -> None:
    spec = importlib.util.spec_from_file_location("stock_levels", ROOT / "dags" / "stock_levels.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sync = module.example.get_task("sync")
    assert (sync.upstream_task_ids, sync.connection) == ({"read"}, NAME)
    assert any(isinstance(outlet, AssetAlias) for outlet in sync.outlets)
