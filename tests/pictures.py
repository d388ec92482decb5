"""The pictures of the documentation, made of a running home: ``python -m tests.pictures``.

It needs Chromium (Debian's package ``chromium``) and ``./automations up``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import requests
from playwright.sync_api import ViewportSize, sync_playwright

from automations.launcher import stack
from automations.launcher.setup import owner_key_file
from automations.settings import Settings
from automations_client import Client
from automations_client.shapes import RunStatus
from tests.console.screenshots import CHROMIUM, launched, signed_in

FOLDER = Path(__file__).parents[1] / "docs" / "images"
MAX_BYTES = 150_000
SIZE: ViewportSize = {"width": 1280, "height": 760}
AIRFLOWS_COOKIE = "_token"
_WAITS: RunStatus = "PAUSED"

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
    if not Path(CHROMIUM).exists():
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
        photograph(settings, page, made)
        api.runs.cancel(workflow["id"], run)
    size = made.stat().st_size
    print(f"{made}: {size:,} bytes")
    return int(size > MAX_BYTES)


def photograph(settings: Settings, address: str, made: Path) -> None:
    """A page of Airflow's UI as its administrator sees it once it has loaded."""
    user = {"username": "admin", "password": settings.airflow_admin_password}
    answer = requests.post(f"{settings.airflow_base}/auth/token", json=user, timeout=30)
    answer.raise_for_status()
    token = answer.json()["access_token"]
    with sync_playwright() as playwright:
        browser = launched(playwright)
        page = signed_in(browser, settings.airflow_base, token, AIRFLOWS_COOKIE, viewport=SIZE)
        page.goto(address)
        page.get_by_text("Awaiting Input").first.wait_for()
        page.wait_for_load_state("networkidle")
        page.screenshot(path=made)
        browser.close()


if __name__ == "__main__":
    sys.exit(main())
