"""How long a sync of very many records takes, and whether memory grows with it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

from automations.launcher.dependabot_source import alert
from tests.bench.lone_bridge import LoneBridge
from tests.bench.measuring import BenchError, answer_of, memory, until
from tests.servers.prompt_handler import PromptHandler

PAGE = 100
TIMEOUT = 600
COLUMNS = [
    {"key": "number", "name": "Alert", "type": "number", "required": True},
    {"key": "package", "name": "Package", "type": "text"},
    {"key": "severity", "name": "Severity", "type": "text"},
    {"key": "state", "name": "State", "type": "text"},
]
FIELDS = {
    "number": "number",
    "package": "dependency.package.name",
    "severity": "security_advisory.severity",
    "state": "state",
}


class Alerts(ThreadingHTTPServer):
    """A source of alerts in pages, which are made beforehand: it is not what is measured."""

    daemon_threads = True

    def __init__(self, count: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        pages = [range(first, min(first + PAGE, count)) for first in range(0, count, PAGE)]
        self.pages = [json.dumps([alert(n + 1) for n in page]).encode() for page in pages]

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    @contextmanager
    def answering(self) -> Iterator[None]:
        thread = threading.Thread(target=self.serve_forever, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self.shutdown()
            self.server_close()
            thread.join()


class _Handler(PromptHandler):
    server: Alerts
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer with one page."""
        number = int(parse_qs(urlsplit(self.path).query)["page"][0])
        pages = self.server.pages
        body = pages[number - 1] if number <= len(pages) else b"[]"
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Synced:
    """What a sync came to: seconds, and MB of the bridge before it and at its peak."""

    def __init__(self, seconds: float, before: float, peak: float) -> None:
        self.seconds, self.before, self.peak = seconds, before, peak


def pull(bridge: LoneBridge, source: Alerts, count: int) -> Synced:
    """Read all alerts into a new table."""
    connection = _connection(
        bridge,
        "http",
        {
            "url": f"http://{source.address}/alerts",
            "query": {"per_page": PAGE},
            "paging": {"type": "page"},
        },
        FIELDS,
    )
    return _watched(bridge, connection, {}, count)


def push(bridge: LoneBridge, count: int) -> Synced:
    """Send as many records in one request."""
    records = [
        {"number": n, "package": f"package-{n % 500}", "severity": "high", "state": "open"}
        for n in range(count)
    ]
    connection = _connection(bridge, "push", {}, {name: name for name in FIELDS})
    return _watched(bridge, connection, {"records": records}, count)


def _connection(
    bridge: LoneBridge, connector: str, config: dict[str, Any], fields: dict[str, str]
) -> str:
    table = _post(bridge, "/api/tables", {"name": f"By {connector}", "columns": COLUMNS})
    mapping = {"tableId": table["id"], "keyColumns": ["number"], "fieldMapping": fields}
    shape = {
        "name": f"By {connector}",
        "connectorType": connector,
        "config": config,
        "tables": [mapping],
    }
    return str(_post(bridge, "/api/pipelines/connections", shape)["id"])


def _watched(bridge: LoneBridge, connection: str, body: dict[str, Any], count: int) -> Synced:
    before = peak = memory([bridge.pid])
    path = f"/api/pipelines/connections/{connection}/runs"
    began = time.monotonic()
    run = _post(bridge, path, body)

    def ended() -> dict[str, Any] | None:
        nonlocal peak
        peak = max(peak, memory([bridge.pid]))
        found: dict[str, Any] = _get(bridge, f"{path}/{run['id']}")
        return None if found["status"] == "RUNNING" else found

    found = until("the sync's end", ended, TIMEOUT, poll=0.25)
    seconds = time.monotonic() - began
    if found["created"] != count:
        raise BenchError(f"{found['created']} of {count} rows were made: {found}")
    return Synced(seconds, before, peak)


def _post(bridge: LoneBridge, path: str, body: Any) -> Any:
    headers = {"Authorization": f"Bearer {bridge.key}"}
    return answer_of(requests.post(bridge.address + path, json=body, headers=headers, timeout=300))


def _get(bridge: LoneBridge, path: str) -> Any:
    headers = {"Authorization": f"Bearer {bridge.key}"}
    return answer_of(requests.get(bridge.address + path, headers=headers, timeout=60))
