"""``python -m tests.console.screenshots FOLDER``: every page at three sizes, light and dark."""

from __future__ import annotations

import base64
import os
import re
import secrets
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from api_bridge.cookies import COOKIE
from automations.db import migrate
from automations.launcher.postgres import EmbeddedPostgres
from automations.services.access import sign_ins, vouchers
from tests.console import public_pages, records, sample, sample_forms, things
from tests.console.sample import Sample
from tests.free_ports import free_port

SIZES = {"phone": (390, 844), "tablet": (820, 1180), "desktop": (1440, 900)}
CHROMIUM = "/usr/bin/chromium"
"""Debian's: a package of the system, not one of Playwright's downloads."""
TIMEOUT = 120_000
"""Milliseconds that a busy machine may take until a page is as it is expected."""


def launched(playwright: Any) -> Browser:
    """The system's Chromium, which root may start, too."""
    browser: Browser = playwright.chromium.launch(
        executable_path=CHROMIUM,
        args=["--no-sandbox", "--disable-dev-shm-usage"],
        timeout=TIMEOUT,
    )
    return browser


@contextmanager
def serving() -> Iterator[str]:
    """The bridge as a server on a free port; its address."""
    from api_bridge.app import create_app

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        server = uvicorn.Server(
            uvicorn.Config(create_app(), log_level="warning", timeout_graceful_shutdown=1)
        )
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            while not server.started:
                if not thread.is_alive():
                    raise RuntimeError("the bridge has not started")
                time.sleep(0.01)
            yield url
        finally:
            server.should_exit = True
            thread.join(30)


def signed_in(
    browser: Browser, url: str, token: str | None, cookie: str = COOKIE, **more: Any
) -> Page:
    """A page of a browser of its own, whose cookie has a session."""
    context = unhurried(browser, **more)
    if token is not None:
        context.add_cookies([{"name": cookie, "value": token, "url": url}])
    return context.new_page()


def unhurried(browser: Browser, **more: Any) -> BrowserContext:
    """A browser of its own that waits for as long as a busy machine takes."""
    context = browser.new_context(**more)
    context.set_default_timeout(TIMEOUT)
    return context


def addresses(there: Sample) -> dict[str, str]:
    """The pages that are worth a picture, by name."""
    workflow = f"/console/workflows/{there.workflow}"
    return {
        "start": "/console/start",
        "new": "/console/workflows/new",
        "workflows": "/console/workflows",
        "workflow": workflow,
        "versions": f"{workflow}/versions",
        "version": f"{workflow}/versions/2",
        "definition": f"{workflow}/definition",
        "run-form": f"{workflow}/run",
        "builder": f"{workflow}/edit?at=step.risky",
        "builder-mail": f"{workflow}/edit?at=step.hello",
        "builder-trigger": f"{workflow}/edit?at=trigger",
        "builder-add": f"{workflow}/edit?at=add./steps/2",
        "builder-settings": f"{workflow}/edit?at=settings",
        "builder-yaml": f"{workflow}/edit?at=yaml",
        "builder-sample": f"{workflow}/edit?at=sample",
        "builder-trial": f"{workflow}/edit?at=trial",
        "runs": "/console/runs",
        "run-failed": f"/console/runs/{there.runs['failed']}",
        "run-asked": f"/console/runs/{there.runs['asked']}",
        "step": f"/console/runs/{there.runs['failed']}/steps/register",
        "approvals": "/console/approvals",
        "approval": f"/console/approvals/{there.runs['asked']}",
        "events": "/console/events",
        "event": f"/console/events/{there.event}",
        "notifications": "/console/notifications",
        "submissions": "/console/submissions",
        **sample_forms.addresses(there),
        "members": "/console/members",
        "audit": "/console/audit",
        **records.pictures(there.table, there.rows, there.board, there.matters),
        "empty": "/console/workflows?q=nothing",
        **things.shown(there),
        "error": "/console/runs/nothing",
    }


def doors(there: Sample) -> dict[str, str]:
    """The pages of the console for who has not signed in yet, by name."""
    invitation = sign_ins.invite_by_address(there.workspace, "new@b.example", "MEMBER")
    voucher = vouchers.issue("Grace", "VIEWER", vouchers.browser_token(None))
    return {
        "from-airflow": f"/console/from-airflow?voucher={voucher}",
        "sign-in": "/console/sign-in",
        "invitation": f"/console/invitation/{invitation}",
    }


def take(there: Sample, folder: Path, wanted: str) -> None:
    """Take the pictures whose names fit."""
    public = public_pages.shown(there)
    with serving() as url, sync_playwright() as playwright:
        browser = launched(playwright)
        for size, (width, height) in SIZES.items():
            for scheme in ("light", "dark"):
                look: dict[str, Any] = {
                    "viewport": {"width": width, "height": height},
                    "color_scheme": scheme,
                }
                page = signed_in(browser, url, there.tokens["OWNER"], **look)
                visitor = signed_in(browser, url, None, **look)
                # First of all the doors: one of them is open for a minute.
                open_to_all = {**doors(there), **public}
                for name, path in {**open_to_all, **addresses(there)}.items():
                    file = f"{name}-{size}-{scheme}.png"
                    if not re.search(wanted, file):
                        continue
                    tab = visitor if name in open_to_all else page
                    tab.goto(f"{url}{path}")
                    tab.screenshot(path=str(folder / file), full_page=True)
        browser.close()


@contextmanager
def filled() -> Iterator[Sample]:
    """A database of its own, with something of everything in it."""
    with tempfile.TemporaryDirectory() as home:
        port = free_port()
        postgres = EmbeddedPostgres(Path(home) / "data", port, secrets.token_hex(8))
        os.environ |= {
            "AUTOMATIONS_HOME": home,
            "AUTOMATIONS_DISPATCHER": "off",
            "AUTOMATIONS_MAIL_TOKEN": "shown",
            "AUTOMATIONS_ENCRYPTION_KEY": base64.urlsafe_b64encode(bytes(32)).decode(),
            "AUTOMATIONS_DATABASE_DSN": "postgresql+psycopg2://automations:"
            f"{postgres.password}@127.0.0.1:{port}/automations",
        }
        postgres.start()
        try:
            postgres.ensure_databases()
            migrate.upgrade(os.environ["AUTOMATIONS_DATABASE_DSN"])
            there = sample.make()
            things.add_history(there)
            yield there
        finally:
            postgres.stop()


def main() -> None:
    """Fill a database, and take the pictures."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    with filled() as there:
        take(there, folder, sys.argv[2] if len(sys.argv) > 2 else "")


if __name__ == "__main__":
    main()
