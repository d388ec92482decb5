"""The console on the bridge, as a browser without scripts has it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from fastapi import FastAPI
from lxml import html
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import expect, sync_playwright
from starlette.testclient import TestClient

from api_bridge.app import create_app
from api_bridge.cookies import COOKIE
from tests.conftest import Server
from tests.console.kept import KeptSample
from tests.console.sample import Sample
from tests.console.screenshots import TIMEOUT, launched

HEADERS = {
    "Accept": "text/html,application/xhtml+xml",
    "Origin": "http://testserver",
    "Sec-Fetch-Site": "same-origin",
}


def sent(value: str) -> str:
    """A text as a browser sends it: with line breaks of its own."""
    return "\r\n".join(re.split(r"\r\n|\r|\n", value))


class Browser:
    """A browser that keeps cookies, follows redirects and runs no script."""

    def __init__(self, app: FastAPI, token: str | None = None) -> None:
        self.http = TestClient(app, raise_server_exceptions=False, headers=HEADERS)
        if token is not None:
            self.http.cookies.set(COOKIE, token, domain="testserver.local")
        self.answer: Any = None
        self.root: Any = None

    def open(self, path: str, **more: Any) -> Any:
        """Load a page."""
        return self._take(self.http.get(path, **more))

    def press(
        self,
        action: str,
        number: int = 0,
        typed: Mapping[str, str] | None = None,
        to: str | None = None,
        **values: str,
    ) -> Any:
        """Send the form of the page with this action, with values typed into it.

        Args:
            to: where a button sends it instead.
        """
        forms = [form for form in self.root.forms if (form.action or self.path) == action]
        # A browser leaves out the line break behind an area's tag, and those within one line.
        areas = {field.get("name") for field in forms[number].iter("textarea")}
        lines = {field.get("name") for field in forms[number].iter("input") if field.type == "text"}
        data: dict[str, list[str]] = {}
        for name, value in forms[number].form_values():
            if name in areas:
                value = (value or "").removeprefix("\n")
            elif name in lines:
                value = value.replace("\r", "").replace("\n", "")
            data.setdefault(name, []).append(sent(value))
        return self._take(self.http.post(to or action, data={**data, **(typed or {}), **values}))

    def send(self, path: str, token: str | None = None, **values: str) -> Any:
        """Send a form that is on no page, with a token of one's own or the right one."""
        if token is None:
            (token,) = set(self.root.xpath("//input[@name='csrf']/@value"))
        return self._take(self.http.post(path, data={"csrf": token, **values}))

    def post(self, path: str, **more: Any) -> Any:
        """Send something as it is, and take the page that answers."""
        return self._take(self.http.post(path, **more))

    @property
    def path(self) -> str:
        """Where the page is that is shown."""
        return str(self.answer.url.path)

    @property
    def text(self) -> str:
        """What the page says."""
        return " ".join(self.root.text_content().split())

    def heading(self) -> str:
        """The page's heading."""
        (found,) = self.root.xpath("//h1")
        return " ".join(found.text_content().split())

    def actions(self) -> set[str]:
        """Where the forms of the page are sent to, but for those of its frame."""
        found = {form.action for form in self.root.forms if form.method == "POST"}
        return {one for one in found if one not in ("/console/theme", "/console/sign-out")}

    def _take(self, answer: Any) -> Any:
        self.answer = answer
        is_page = answer.headers.get("content-type", "").startswith("text/html")
        self.root = html.fromstring(answer.text) if is_page else None
        return answer


@pytest.fixture(scope="session")
def app() -> FastAPI:
    """An app has no state: one serves every test."""
    return create_app()


@pytest.fixture(scope="session")
def kept(postgres: Server) -> KeptSample:
    """The sample of a moment ago."""
    return KeptSample(postgres)


@pytest.fixture
def there(database: str, kept: KeptSample, monkeypatch: pytest.MonkeyPatch) -> Sample:
    """A workspace with something of everything."""
    monkeypatch.setenv("AUTOMATIONS_DISPATCHER", "off")
    return kept.there()


@pytest.fixture
def browsers(app: FastAPI, there: Sample) -> Iterator[dict[str, Browser]]:
    """A browser of a member of each role, signed in."""
    with TestClient(app):
        yield {role: Browser(app, token) for role, token in there.tokens.items()}


@pytest.fixture
def owner(browsers: dict[str, Browser]) -> Browser:
    """The owner's browser."""
    return browsers["OWNER"]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    """Debian's Chromium, which ``./automations test`` installs where it may."""
    if shutil.which("chromium") is None:
        pytest.skip("apt-get install chromium")
    expect.set_options(timeout=TIMEOUT)
    with sync_playwright() as playwright:
        browser = launched(playwright)
        yield browser
        browser.close()
