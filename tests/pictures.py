"""The pictures of the documentation: ``python -m tests.pictures [console] [airflow]``.

It needs Chromium (Debian's package ``chromium``), and for Airflow's ``./automations up``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import requests
from playwright.sync_api import ViewportSize, sync_playwright

from automations.definitions.published import dag_id
from automations.launcher import stack
from automations.launcher.setup import owner_key_file
from automations.settings import Settings
from automations_client import Client
from automations_client.shapes import RunStatus
from tests.console import public_pages
from tests.console.screenshots import (
    CHROMIUM,
    addresses,
    filled,
    launched,
    serving,
    signed_in,
)
from tests.environment import Environment

FOLDER = Path(__file__).parents[1] / "docs" / "images"
MAX_BYTES = 200_000
SIZE: ViewportSize = {"width": 1280, "height": 800}
PHONE: ViewportSize = {"width": 390, "height": 844}
AIRFLOWS_COOKIE = "_token"
_WAITS: RunStatus = "PAUSED"

ASK = "boss"
ORDER: dict[str, Any] = {
    "name": "Order with approval",
    "status": "ACTIVE",
    "description": "Orders over 1,000 euros wait for the boss.",
    "trigger": {
        "type": "manual",
        "inputSchema": {
            "type": "object",
            "properties": {
                "name": {"type": "string", "title": "Who orders", "minLength": 2},
                "amount": {
                    "type": "number",
                    "title": "Amount",
                    "description": "In euros.",
                    "maximum": 50_000,
                },
                "speed": {
                    "title": "Delivery",
                    "oneOf": [
                        {"const": "normal", "title": "Within a week"},
                        {"const": "express", "title": "Tomorrow"},
                    ],
                },
                "mail": {"type": "string", "format": "email", "title": "Mail"},
            },
            "required": ["name", "amount", "mail"],
        },
    },
    "steps": [
        {
            "name": "Large?",
            "type": "condition",
            "config": {
                "expression": "input.amount > 1000",
                "then": [
                    {
                        "id": ASK,
                        "name": "Ask the boss",
                        "type": "approval",
                        "config": {
                            "message": "May **{{input.name}}** spend {{input.amount}} euros?",
                            "approvers": ["boss@example.com"],
                            "form": {
                                "sections": [
                                    {
                                        "id": "s",
                                        "fields": [
                                            {
                                                "id": "c",
                                                "key": "centre",
                                                "type": "number",
                                                "label": "Cost centre",
                                                "validation": {"required": True, "max": 9999},
                                            }
                                        ],
                                    }
                                ]
                            },
                        },
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
INPUT = {"name": "Ada", "amount": 1200, "speed": "express", "mail": "ada@example.com"}


@dataclass(frozen=True, slots=True)
class Picture:
    """One of the console: which page, and how it is looked at."""

    page: str
    scheme: Literal["light", "dark"] = "light"
    size: ViewportSize | None = None
    is_mailed: bool = False


CONSOLE: Mapping[str, Picture] = {
    "console-automation": Picture("workflow"),
    "console-builder": Picture("builder-mail"),
    "console-run-dark": Picture("run-asked", "dark"),
    "console-figures": Picture("figures"),
    "console-approval-phone": Picture("public-approval", size=PHONE, is_mailed=True),
}


def main() -> int:
    """Make each picture anew."""
    if not Path(CHROMIUM).exists():
        print("Chromium is not installed.", file=sys.stderr)
        return 1
    FOLDER.mkdir(exist_ok=True)
    wanted = sys.argv[1:] or ["console", "airflow"]
    made = [*(of_console() if "console" in wanted else ())]
    made += of_airflow() if "airflow" in wanted else ()
    large = [path for path in made if path.stat().st_size > MAX_BYTES]
    for path in made:
        print(f"{path}: {path.stat().st_size:,} bytes")
    return int(bool(large))


def of_console() -> list[Path]:
    """Pages of the console, of a workspace that is made for them."""
    before, made = dict(os.environ), []
    try:
        with filled() as there, serving() as url, sync_playwright() as playwright:
            pages = {**addresses(there), **public_pages.shown(there)}
            browser = launched(playwright)
            for name, one in CONSOLE.items():
                token = None if one.is_mailed else there.tokens["OWNER"]
                look: dict[str, Any] = {
                    "viewport": one.size or SIZE,
                    "color_scheme": one.scheme,
                }
                page = signed_in(browser, url, token, **look)
                page.goto(f"{url}{pages[one.page]}")
                made.append(FOLDER / f"{name}.png")
                page.screenshot(path=made[-1])
                page.context.close()
            browser.close()
    finally:
        os.environ.clear()
        os.environ.update(before)
        Environment.forget()
    return made


def of_airflow() -> list[Path]:
    """A run, its question and the form that starts it in Airflow's UI, of the home that is up."""
    settings = stack.open_home()
    with Client(settings.bridge_base, owner_key_file(settings).read_text().strip()) as api:
        workflow = api.workflows.create(ORDER)
        run = api.workflows.execute(workflow["id"], INPUT)["runId"]
        api.runs.wait(workflow["id"], run, until=(_WAITS,))
        made = photographed(settings, f"{settings.airflow_base}/dags/{dag_id(workflow['id'])}", run)
        api.runs.cancel(workflow["id"], run)
        api.workflows.update(workflow["id"], {"status": "ARCHIVED"})
    return made


def photographed(settings: Settings, dag: str, run: str) -> list[Path]:
    """Pages of Airflow's UI as its administrator sees them once they have loaded."""
    user = {"username": "admin", "password": settings.airflow_admin_password}
    answer = requests.post(f"{settings.airflow_base}/auth/token", json=user, timeout=30)
    answer.raise_for_status()
    token = answer.json()["access_token"]
    made = []
    with sync_playwright() as playwright:
        browser = launched(playwright)
        page = signed_in(browser, settings.airflow_base, token, AIRFLOWS_COOKIE, viewport=SIZE)

        # The first page takes long on a busy machine.
        page.set_default_timeout(120_000)

        def take(name: str) -> None:
            page.wait_for_load_state("networkidle")
            made.append(FOLDER / f"{name}.png")
            page.screenshot(path=made[-1])

        page.goto(f"{dag}/runs/{run}")
        page.get_by_text("Awaiting Input").first.wait_for()
        take("run")
        page.goto(f"{dag}/runs/{run}/tasks/{ASK}/required_actions")
        page.get_by_test_id("hitl-option-Approve").wait_for()
        take("airflow-question")
        page.goto(dag)
        page.get_by_test_id("trigger-dag-button").first.click()
        page.get_by_role("dialog").get_by_text("Amount").first.wait_for()
        take("airflow-trigger")
        browser.close()
    return made


if __name__ == "__main__":
    sys.exit(main())
