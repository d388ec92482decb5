"""Assets of any team's DAG start automations."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from airflow.listeners.listener import get_listener_manager
from airflow.listeners.types import AssetEvent
from airflow.serialization.definitions.assets import SerializedAsset
from sqlalchemy import select

from automations.db.queue import jobs
from automations.db.session import unit_of_work
from automations.db.tables import Event, JobKind, Run
from automations.dispatch.jobs.registry import Handlers
from automations.domain.principals import Principal
from automations.services.access.bootstrap import ensure_workspace
from automations.services.workflows import workflows
from tests.doubles import Unreachable, ports
from tests.environment import Environment
from tests.hostile import bodies as hostile

URI = "automation://table/c000000000000000000000001"


def emitted(
    name: str = "sales", uri: str = URI, extra: Any = None, *, by: str | None = "load"
) -> None:
    """What Airflow does after a task with the outlet has succeeded, or when its API is told."""
    asset = SerializedAsset(name=name, uri=uri, group="asset", extra={}, watchers=[])
    event = AssetEvent(
        asset=asset,
        extra=extra or {},
        source_dag_id=by,
        source_task_id="sync" if by else None,
        source_run_id="r1" if by else None,
        source_map_index=-1,
        source_aliases=[],
        partition_key=None,
    )
    get_listener_manager().hook.on_asset_event_emitted(asset_event=event)


def listening(trigger_type: str) -> str:
    trigger = {"type": "event", "config": {"triggerType": trigger_type}}
    payload = {"name": trigger_type, "status": "ACTIVE", "trigger": trigger}
    return workflows.create(Principal(ensure_workspace(), "ADMIN", "test"), payload, ports()).id


@pytest.mark.usefixtures("database")
def test_an_automation_listens_to_an_assets_name_or_to_its_uri() -> None:
    by_name, by_uri, _ = listening("sales"), listening(URI), listening("costs")
    emitted(extra={"rows": 3})
    with unit_of_work() as session:
        (job,) = jobs.claim(session, 5, JobKind)
    Handlers(Unreachable(), ports()).handle(job)
    with unit_of_work() as session:
        event = session.scalars(select(Event)).one()
        runs = session.scalars(select(Run)).all()
    assert {run.workflow_id for run in runs} == {by_name, by_uri}
    assert (event.type, event.status) == ("ASSET", "MATCHED")
    assert runs[0].trigger_data == {
        "assetName": "sales",
        "assetUri": URI,
        "extra": {"rows": 3},
        "sourceDagId": "load",
        "sourceTaskId": "sync",
        "sourceRunId": "r1",
    }


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("name", "uri"), [("ROW_ADDED", "ROW_ADDED"), ("s", "ROW_ADDED:c000000000000000000000001")]
)
def test_an_asset_with_the_name_of_an_event_of_ours_is_not_taken_for_one(
    name: str, uri: str
) -> None:
    listening("ROW_ADDED")
    emitted(name, uri)
    with unit_of_work() as session:
        (job,) = jobs.claim(session, 5, JobKind)
    Handlers(Unreachable(), ports()).handle(job)
    with unit_of_work() as session:
        assert session.scalars(select(Event)).one().status == "SKIPPED"
        assert session.scalars(select(Run)).all() == []


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("name", sorted(hostile.VALUES))
def test_what_cannot_be_kept_of_an_event_keeps_nothing_from_being_started(name: str) -> None:
    value, says = hostile.VALUES[name]
    workflow = listening("sales")
    emitted(extra={"x": value})
    with unit_of_work() as session:
        (job,) = jobs.claim(session, 5, JobKind)
    Handlers(Unreachable(), ports()).handle(job)
    with unit_of_work() as session:
        (run,) = session.scalars(select(Run)).all()
        data = session.scalars(select(Event)).one().data
    assert (run.workflow_id, data["extra"]) == (workflow, {})
    assert says in data["extraFault"]


@pytest.mark.usefixtures("database")
def test_an_asset_that_nobody_listens_to_is_recorded_with_the_reason() -> None:
    emitted("unheard", "s3://bucket/unheard")
    with unit_of_work() as session:
        (job,) = jobs.claim(session, 5, JobKind)
    Handlers(Unreachable(), ports()).handle(job)
    with unit_of_work() as session:
        event = session.scalars(select(Event)).one()
    assert event.status == "SKIPPED"
    assert event.reason is not None


@pytest.mark.usefixtures("database")
def test_what_the_bridge_tells_airflow_does_not_come_back() -> None:
    listening(URI)
    emitted(by=None)
    emitted("of others", "s3://bucket/of-others", by=None)
    with unit_of_work() as session:
        assert [event.data["assetName"] for event in session.scalars(select(Event))] == [
            "of others"
        ]


def test_without_our_database_airflows_own_work_goes_on(
    environment: Environment, caplog: pytest.LogCaptureFixture
) -> None:
    environment.set(AUTOMATIONS_DATABASE_DSN="postgresql+psycopg2://nobody@127.0.0.1:1/none")
    with caplog.at_level(logging.ERROR):
        emitted()
    assert "sales" in caplog.text
