"""The pictures of the documentation, made of a running home: ``python -m tests.pictures``.

It needs Chromium (Debian's package ``chromium``) and ``./automations up``. Cookies belong to a
host, not to its port: a page of our own signs the browser in, and leads it to Airflow's UI.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from automations.launcher import stack
from automations.launcher.setup import owner_key_file
from automations.settings import Settings
from automations_client import Client
from automations_client.shapes import RunStatus

FOLDER = Path(__file__).parents[1] / "docs" / "images"
MAX_BYTES = 150_000
SIZE = "1280,760"
_WAITS: RunStatus = "PAUSED"
_LOADING = 25_000
"""Milliseconds that the browser's own clock goes on while the page loads what it shows."""

ORDER: dict[str, Any] = {
    "name": "Order with approval",
    "status": "ACTIVE",
    "steps": [
        {
            "name": "Large?",
            "type": "condition",
            "config": {
                "expression": "input.amount > 1000",
                "then": [
                    {
                        "name": "Ask the boss",
                        "type": "approval",
                        "config": {"message": "May {{input.name}} spend {{input.amount}} euros?"},
                    }
                ],
                "else": [
                    {
                        "name": "Note it",
                        "type": "code",
                        "config": {"code": "return {noted: input}", "input": "{{input.name}}"},
                    }
                ],
            },
        },
        {
            "name": "Tell the customer",
            "type": "email",
            "config": {
                "to": "{{input.mail}}",
                "subject": "Your order",
                "body": "It is on its way.",
            },
        },
    ],
}
INPUT = {"name": "Ada", "amount": 1200, "mail": "ada@example.com"}


def main() -> int:
    """Make each picture anew."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        print("Chromium is not installed.", file=sys.stderr)
        return 1
    settings = stack.open_home()
    with Client(settings.bridge_base, owner_key_file(settings).read_text().strip()) as api:
        workflow = api.workflows.create(ORDER)
        run = api.workflows.execute(workflow["id"], INPUT)["runId"]
        api.runs.wait(workflow["id"], run, until=(_WAITS,))
        page = f"{settings.airflow_base}/dags/automation_{workflow['id']}/runs/{run}"
        FOLDER.mkdir(exist_ok=True)
        made = FOLDER / "run.png"
        with signed_in(settings, page) as address:
            photograph(browser, address, made)
        api.runs.cancel(workflow["id"], run)
    size = made.stat().st_size
    print(f"{made}: {size:,} bytes")
    return int(size > MAX_BYTES)


@contextmanager
def signed_in(settings: Settings, page: str) -> Iterator[str]:
    """An address from which a browser comes to a page of Airflow's UI as its administrator."""
    user = {"username": "admin", "password": settings.airflow_admin_password}
    answer = requests.post(f"{settings.airflow_base}/auth/token", json=user, timeout=30)
    answer.raise_for_status()
    token = answer.json()["access_token"]

    class Door(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(302)
            self.send_header("Set-Cookie", f"_token={token}; Path=/")
            self.send_header("Location", page)
            self.end_headers()

        def log_message(self, *message: Any) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer((urlsplit(page).hostname or "127.0.0.1", 0), Door) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://{urlsplit(page).hostname}:{server.server_port}/"
        finally:
            server.shutdown()


def photograph(browser: str, address: str, made: Path) -> None:
    """A page as a browser shows it once it has loaded."""
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run(
            [
                *(browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
                *(f"--user-data-dir={profile}", f"--window-size={SIZE}"),
                *(f"--virtual-time-budget={_LOADING}", f"--screenshot={made}", address),
            ],
            check=True,
            capture_output=True,
            timeout=120,
        )


if __name__ == "__main__":
    sys.exit(main())
