"""Rows and syncs that start runs on the real stack, whichever way they come."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, expect

from automations.launcher.dependabot_demo import REGISTER, connection
from automations.launcher.dependabot_source import DependabotSource, alert
from tests.console.conftest import chromium  # noqa: F401 -- a fixture
from tests.e2e.automations import first_run
from tests.e2e.browsing_airflow import USERS, page_of
from tests.e2e.conftest import Stack
from tests.e2e.in_airflow import run_path
from tests.waiting import until

STOCK = {
    "name": "Stock",
    "columns": [
        {"key": "sku", "type": "text"},
        {"key": "place", "type": "text"},
        {"key": "level", "type": "number"},
    ],
}
TOKEN = "ghp_e2e-token"


ROW = "{{trigger.tableName}} {{trigger.tableId}} {{rowId}}"


def tell(address: str, body: str = ROW) -> dict[str, Any]:
    config = {"to": address, "subject": "Row", "body": body}
    return {"name": "Tell", "type": "email", "order": 0, "config": config}


def listening(stack: Stack, table: str, prefix: str, *kinds: str) -> dict[str, str]:
    """An automation for each type of event, which tells of a row of the table."""
    return {
        kind: stack.create(
            tell(f"{prefix}.{kind.lower()}@example.com"),
            trigger={"type": "event", "config": {"triggerType": kind, "filterTableId": table}},
        )
        for kind in kinds
    }


def runs(stack: Stack, workflow: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stack.api("GET", f"/api/workflows/{workflow}/runs")["runs"]
    return found


def events_of(stack: Stack, table: str, kind: str = "TABLE_SYNCED") -> list[dict[str, Any]]:
    """The matched events of a table, with their data, the newest first."""
    listed = stack.api("GET", f"/api/events?type={kind}&limit=100")["events"]
    whole = [stack.api("GET", f"/api/events/{event['id']}") for event in listed]
    return [event for event in whole if table in str(event["data"])]


def ended(stack: Stack, path: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        run: dict[str, Any] = stack.api("GET", path)
        return None if run["status"] == "RUNNING" else run

    # What a killed bridge was doing is done by the next one a minute later.
    return until("the sync to end", look, 150)


@pytest.fixture
def source(stack: Stack) -> Iterator[DependabotSource]:
    alerts = [alert(number) for number in range(1, 8)]
    with DependabotSource(alerts, TOKEN, stack.demo_port).answering() as answering:
        yield answering


def test_a_row_that_is_added_or_updated_starts_who_listens_to_that(stack: Stack) -> None:
    table = stack.api("POST", "/api/tables", STOCK, expect=201)["id"]
    other = stack.api("POST", "/api/tables", STOCK, expect=201)["id"]
    here = listening(stack, table, "row", "ROW_ADDED", "RECORD_UPDATED")
    there = listening(stack, other, "other", "ROW_ADDED", "RECORD_UPDATED")
    rows = f"/api/tables/{table}/rows"
    row = stack.api("POST", rows, {"data": {"sku": "a", "level": 1}}, expect=201)["id"]
    added = stack.wait(here["ROW_ADDED"], first_run(stack, here["ROW_ADDED"]), "COMPLETED")
    assert runs(stack, here["RECORD_UPDATED"]) == []
    stack.api("PATCH", f"{rows}/{row}", {"data": {"level": 2}})
    updated = stack.wait(
        here["RECORD_UPDATED"], first_run(stack, here["RECORD_UPDATED"]), "COMPLETED"
    )
    for run in (added, updated):
        assert run["state"]["variables"] == {
            "triggerType": "event",
            "tableId": table,
            "tableName": "Stock",
            "rowId": row,
        }
    for kind, workflow in here.items():
        assert len(runs(stack, workflow)) == 1
        (mail,) = stack.mails(f"row.{kind.lower()}@example.com")
        assert mail["text"].strip() == f"Stock {table} {row}"
    assert [runs(stack, workflow) for workflow in there.values()] == [[], []]


def test_records_that_are_pushed_start_one_run_for_each_automation(stack: Stack) -> None:
    table = stack.api("POST", "/api/tables", STOCK, expect=201)["id"]
    started = listening(stack, table, "push", "ROW_ADDED", "RECORD_UPDATED", "TABLE_SYNCED")
    mapping = {"tableId": table, "keyColumns": ["sku"]}
    body = {"name": "Pushed stock", "connectorType": "push", "tables": [mapping]}
    made = stack.api("POST", "/api/pipelines/connections", body, expect=201)
    path = f"/api/pipelines/connections/{made['id']}/runs"
    records = [{"sku": f"s{number}", "level": 1} for number in range(500)]
    first = stack.api("POST", path, {"records": records}, expect=201)
    assert (first["status"], first["created"]) == ("COMPLETED", 500)
    run = stack.wait(started["ROW_ADDED"], first_run(stack, started["ROW_ADDED"]), "COMPLETED")
    (event,) = events_of(stack, table)
    assert (event["data"]["created"], event["data"]["count"]) == (500, 500)
    assert run["state"]["variables"]["rowId"] == event["data"]["rowId"]
    assert runs(stack, started["RECORD_UPDATED"]) == []
    second = stack.api("POST", path, {"records": [{"sku": "s7", "level": 2}]}, expect=201)
    assert (second["updated"], second["created"]) == (1, 0)
    changed = started["RECORD_UPDATED"]
    stack.wait(changed, first_run(stack, changed), "COMPLETED")
    until("both", lambda: True if len(runs(stack, started["TABLE_SYNCED"])) == 2 else None)
    assert [len(runs(stack, started[kind])) for kind in ("ROW_ADDED", "RECORD_UPDATED")] == [1, 1]
    assert len(events_of(stack, table)) == 2


def test_a_pull_goes_on_when_the_bridge_is_killed(stack: Stack, source: DependabotSource) -> None:
    stack.api("PUT", "/api/secrets/E2E_GITHUB", {"value": TOKEN})
    table = stack.api("POST", "/api/tables", REGISTER, expect=201)["id"]
    started = listening(stack, table, "pull", "ROW_ADDED")["ROW_ADDED"]
    body = connection("E2E Dependabot", source.url, table, "E2E_GITHUB")
    made = stack.api("POST", "/api/pipelines/connections", body, expect=201)
    path = f"/api/pipelines/connections/{made['id']}/runs"
    # It is away for a while after the first page, which is when the bridge is killed.
    source.refusals[:] = [(503, {"Retry-After": "3"})]
    begun = stack.api("POST", path, {}, expect=202)
    until("the source to be asked", lambda: source.asked or None)
    stack.kill("bridge")
    stack.healthy()
    run = ended(stack, f"{path}/{begun['id']}")
    assert (run["status"], run["records"], run["created"]) == ("COMPLETED", 7, 7)
    (event,) = events_of(stack, table)
    assert event["data"]["created"] == 7
    stack.wait(started, first_run(stack, started), "COMPLETED")
    assert len(runs(stack, started)) == 1
    (mail,) = stack.mails("pull.row_added@example.com")
    assert mail["text"].startswith(f"Vulnerability Register {table}")


def test_the_example_dag_syncs_and_its_lineage_starts_an_automation(
    stack: Stack,
    chromium: Browser,  # noqa: F811 -- that fixture
) -> None:
    table = stack.api("POST", "/api/tables", STOCK, expect=201)["id"]
    mapping = {"tableId": table, "keyColumns": ["sku", "place"]}
    body = {"name": "Stock levels", "connectorType": "push", "tables": [mapping]}
    made = stack.api("POST", "/api/pipelines/connections", body, expect=201)
    by_event = listening(stack, table, "dag", "TABLE_SYNCED")["TABLE_SYNCED"]
    by_asset = stack.create(
        tell("asset@example.com", "{{trigger.sourceDagId}}"),
        trigger={"type": "event", "config": {"triggerType": f"automation://table/{table}"}},
    )
    dag = "/dags/stock_levels"
    stack.in_airflow("PATCH", dag, {"is_paused": False})
    begun = stack.in_airflow("POST", f"{dag}/dagRuns", {"logical_date": None})

    def done() -> str | None:
        state = stack.in_airflow("GET", f"{dag}/dagRuns/{begun['dag_run_id']}")["state"]
        return state if state in ("success", "failed") else None

    assert until("the DAG to end", done) == "success"
    run = stack.api("GET", f"/api/pipelines/connections/{made['id']}/runs")["runs"][0]
    assert (run["startedBy"], run["status"], run["created"]) == ("airflow", "COMPLETED", 3)
    for workflow in (by_event, by_asset):
        stack.wait(workflow, first_run(stack, workflow), "COMPLETED")
        assert len(runs(stack, workflow)) == 1
    (mail,) = stack.mails("asset@example.com")
    assert mail["text"].strip() == "stock_levels"
    (asset,) = events_of(stack, table, "ASSET")
    assert asset["data"]["assetUri"] == f"automation://table/{table}"
    assert asset["data"]["extra"]["created"] == 3
    # The run shows the task that has made the event, and the asset who consumes it.
    path = f"{run_path(by_asset, first_run(stack, by_asset))}/upstreamAssetEvents"
    (source,) = stack.in_airflow("GET", path)["asset_events"]
    assert (source["source_dag_id"], source["source_run_id"]) == (
        "stock_levels",
        begun["dag_run_id"],
    )

    def consumers() -> list[str] | None:
        pattern = f"/assets?uri_pattern=automation://table/{table}"
        found = stack.in_airflow("GET", pattern)["assets"]
        named = [task["dag_id"] for asset in found for task in asset["consuming_tasks"]]
        return named or None

    assert until("the consumer to be named", consumers) == [f"automation_{by_asset}"]
    (shown,) = stack.in_airflow("GET", f"/assets?uri_pattern=automation://table/{table}")["assets"]
    consumed = first_run(stack, by_asset)
    for user in USERS:
        with page_of(chromium, stack, user) as page:
            uri = quote(f"automation://table/{table}", safe="")
            page.goto(f"{stack.airflow}/assets?name_pattern={uri}")
            row = page.locator("tbody tr").filter(has_text=table)
            expect(row).to_contain_text("1 Task", timeout=120_000)
            page.goto(f"{stack.airflow}/assets/{shown['id']}")
            content = page.locator("body")
            for said in ("stock_levels", "1 Task", "1 Asset Event", f"automation_{by_asset}"):
                expect(content).to_contain_text(said, timeout=120_000)
            of_run = f"{stack.airflow}/dags/automation_{by_asset}/runs/{consumed}"
            page.goto(f"{of_run}/asset_events")
            for said in ("1 Asset Event", f"automation://table/{table}", "stock_levels"):
                expect(content).to_contain_text(said, timeout=120_000)


def test_the_demo_of_dependabot_shows_what_it_promises(stack: Stack) -> None:
    shown = stack.command("demo", "dependabot")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "7 created, 0 updated" in " ".join(shown.stdout.split())
    assert "1 created, 1 updated" in " ".join(shown.stdout.split())
