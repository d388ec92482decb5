"""``./automations demo dependabot``: alerts of a local GitHub become rows, and rows start a run."""

from __future__ import annotations

import os
import secrets
from itertools import islice
from typing import Any

from rich.table import Table

from automations.launcher.demo import Demo, DemoError
from automations.launcher.dependabot_source import DependabotSource, alert
from automations.settings import Settings, get_settings
from automations_client.shapes import EventDetail, Sync, Verdict

_SECRET = "DEMO_GITHUB_TOKEN"  # noqa: S105 -- its name
_ADDRESS = "security@example.com"
_COUNTS = ("created", "updated", "unchanged", "failed")

REGISTER: dict[str, Any] = {
    "name": "Vulnerability Register",
    "description": "What Dependabot has found in our repositories.",
    "category": "PIPELINE",
    "columns": [
        {"key": "number", "name": "Alert", "type": "number", "required": True},
        {"key": "package", "name": "Package", "type": "text"},
        {"key": "ecosystem", "name": "Ecosystem", "type": "text"},
        {
            "key": "severity",
            "name": "Severity",
            "type": "select",
            "options": ["low", "medium", "high", "critical"],
        },
        {"key": "score", "name": "CVSS", "type": "number"},
        {"key": "cve", "name": "CVE", "type": "text"},
        {"key": "summary", "name": "Summary", "type": "text"},
        {"key": "state", "name": "State", "type": "text"},
        {"key": "created", "name": "Found", "type": "datetime"},
        {"key": "link", "name": "Link", "type": "url"},
    ],
}


def connection(name: str, url: str, table_id: str, secret: str) -> dict[str, Any]:
    """The connection to a repository's alerts, as GitHub gives them, a few on each page."""
    return {
        "name": name,
        "connectorType": "http",
        "config": {
            "url": url,
            "query": {"per_page": 3},
            "headers": {
                "Accept": "application/vnd.github+json",
                "X-GitHub-Api-Version": "2022-11-28",
            },
            "auth": {"type": "bearer", "secret": secret},
            "paging": {"type": "link"},
        },
        "tables": [
            {
                "tableId": table_id,
                "keyColumns": ["number"],
                "fieldMapping": {
                    "number": "number",
                    "package": "dependency.package.name",
                    "ecosystem": "dependency.package.ecosystem",
                    "severity": "security_advisory.severity",
                    "score": "security_advisory.cvss.score",
                    "cve": "security_advisory.cve_id",
                    "summary": "security_advisory.summary",
                    "state": "state",
                    "created": "created_at",
                    "link": "html_url",
                },
            }
        ],
    }


def report(table_id: str, address: str) -> dict[str, Any]:
    """An automation that hears of new alerts, once for a sync, and reports the critical ones."""
    rows = "{% for row in steps['Critical'].rows %}\n* {{row.data.package}}: {{row.data.cve}}, "
    return {
        "name": "Report new vulnerabilities",
        "status": "ACTIVE",
        "trigger": {
            "type": "event",
            "config": {"triggerType": "ROW_ADDED", "filterTableId": table_id},
        },
        "steps": [
            {
                "name": "Critical",
                "type": "table_operations",
                "order": 0,
                "config": {
                    "operation": "query",
                    "tableId": "{{trigger.tableId}}",
                    "filter": {
                        "match": "all",
                        "rules": [
                            {"field": "severity", "operator": "equals", "value": "critical"},
                            {"field": "state", "operator": "equals", "value": "open"},
                        ],
                    },
                    "sort": "-score",
                },
            },
            {
                "name": "Report",
                "type": "email",
                "order": 1,
                "config": {
                    "to": address,
                    "subject": "{{trigger.count}} new in {{trigger.tableName}}",
                    "body": f"Critical and open:\n{rows}{{{{row.data.score}}}}{{% endfor %}}",
                },
            },
        ],
    }


class DependabotDemo(Demo):
    """Shows a sync and what it starts."""

    def show(self, source: DependabotSource) -> None:
        """Alerts are synced, twice; each sync is one event and starts one run."""
        self._title("1. Alerts of Dependabot become rows of a table")
        self._api.secrets.put(_SECRET, source.token)
        self._say(f"A local GitHub gives {len(source.alerts)} alerts, 3 on a page: {source.url}")
        table = self._api.tables.create(REGISTER)
        name = f"Dependabot {table['id'][-6:]}"
        definition = connection(name, source.url, table["id"], _SECRET)
        self._check(self._api.pipelines.test(definition["connectorType"], definition["config"]))
        pipeline = self._api.pipelines.create(definition)
        address = f"{table['id'][-6:]}.{_ADDRESS}"
        workflow = self._api.workflows.create(report(table["id"], address))
        self._say(
            f"Created the table [bold]{table['name']}[/] ({table['id']}), the connection "
            f"[bold]{name}[/] and the automation [bold]{workflow['name']}[/]"
        )
        self._sync(pipeline["id"])
        self._rows(table["id"])
        self._events(table["id"], 1)
        run = self._until("the sync to start a run", lambda: self._first_run(workflow["id"]))
        self._follow(workflow["id"], run, "COMPLETED")
        self._show_mail(address)

        self._title("2. Only what has changed is written and announced")
        number = len(source.alerts) + 1
        source.alerts[0] |= {"state": "fixed", "fixed_at": "2026-03-01T12:00:00Z"}
        source.alerts.append(alert(number))
        self._say(f"Alert 1 is fixed, and alert {number} is new.")
        self._sync(pipeline["id"])
        self._events(table["id"], 2)
        again = self._until("the second run", lambda: self._another_run(workflow["id"], str(run)))
        self._follow(workflow["id"], again, "COMPLETED")

    def _check(self, tried: Verdict) -> None:
        if not tried["success"]:
            raise DemoError(
                f"{tried['message']} The stack was started without this demo, so it may not reach "
                "the local source: ./automations down, and start the demo again."
                if "AUTOMATIONS_HTTP_ALLOW" in tried["message"]
                else tried["message"]
            )

    def _sync(self, connection_id: str) -> None:
        begun = self._api.pipelines.sync(connection_id)

        def find_ended() -> Sync | None:
            run = self._api.pipelines.get_sync(connection_id, begun["id"])
            return None if run["status"] == "RUNNING" else run

        run = self._until("the sync to end", find_ended)
        counts = ", ".join(f"{run[part]} {part}" for part in _COUNTS)
        self._say(
            f"Sync {run['id']} is [bold green]{run['status']}[/]: {run['records']} records "
            f"on {run['pages']} pages, {counts}"
        )
        if run["status"] != "COMPLETED":
            raise DemoError(f"The sync is {run['status']}: {run['error']}")

    def _rows(self, table_id: str) -> None:
        shown = ("number", "package", "severity", "score", "cve", "state")
        grid = Table(*shown, title="Vulnerability Register")
        for row in self._api.rows.iterate(table_id, sort="-score"):
            grid.add_row(*(str(row["data"][column]) for column in shown))
        self._console.print(grid)

    def _events(self, table_id: str, number: int) -> None:
        def find_matched() -> list[EventDetail] | None:
            listed = islice(self._api.events.iterate(20, kind="TABLE_SYNCED"), 20)
            whole = [self._api.events.get(event["id"]) for event in listed]
            matched = [event for event in whole if event["data"]["tableId"] == table_id]
            waits = len(matched) < number or any(event["status"] == "PENDING" for event in matched)
            return None if waits else matched

        events = self._until("the event to be matched", find_matched)
        if len(events) != number:
            raise DemoError(f"{len(events)} events for {number} syncs of one table.")
        data = events[0]["data"]
        self._say(
            f"One event for the table: {events[0]['id']}, {events[0]['type']}, "
            f"{events[0]['status']}; {data['created']} created, {data['updated']} updated, "
            f"first row {data['rowId']}"
        )

    def _another_run(self, workflow_id: str, previous: str) -> str | None:
        newest = self._first_run(workflow_id)
        return None if newest == previous else newest


def new_source(settings: Settings) -> DependabotSource:
    """The local source, at the port that is kept for it."""
    alerts = [alert(number) for number in range(1, 8)]
    try:
        return DependabotSource(alerts, f"ghp_{secrets.token_hex(16)}", settings.demo_port)
    except OSError as error:
        raise DemoError(
            f"Port {settings.demo_port} cannot be used ({error.strerror}): "
            "set AUTOMATIONS_DEMO_PORT."
        ) from error


def allow(source: DependabotSource) -> Settings:
    """Let the stack that is about to start reach the source."""
    allowed = [*get_settings().http_allow, source.address]
    os.environ["AUTOMATIONS_HTTP_ALLOW"] = ",".join(allowed)
    get_settings.cache_clear()
    return get_settings()
