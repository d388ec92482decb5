"""The reference as pages: whole without internet, and with no script of somebody else's."""

from __future__ import annotations

import re
from typing import Any

import pytest
from lxml import html
from starlette.testclient import TestClient

from api_bridge.app import create_app
from tests.api.conftest import Api

_ADDRESSES = ("src", "href", "spec-url", "action")
PAGES = ("/docs", "/redoc")


def loaded(api: Api, path: str) -> list[str]:
    """The addresses of all that a page names."""
    root: Any = html.fromstring(api.http.get(path).text)
    return [
        element.get(name) for element in root.iter() for name in _ADDRESSES if element.get(name)
    ]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_loads_nothing_from_elsewhere_and_all_that_it_names_is_there(
    api: Api, path: str
) -> None:
    addresses = loaded(api, path)
    assert len(addresses) >= 3
    for address in addresses:
        assert re.match(r"/[a-z]", address), address
        answer = api.http.get(address)
        assert answer.status_code == 200
        assert answer.content
        if address.endswith(".js"):
            assert answer.headers["content-type"].startswith("text/javascript")


@pytest.mark.parametrize("path", PAGES)
def test_a_pages_policy_lets_only_files_of_ours_run(api: Api, path: str) -> None:
    page = api.http.get(path)
    policy = dict(
        rule.strip().split(" ", 1) for rule in page.headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    scripts: list[Any] = list(html.fromstring(page.text).iter("script"))
    assert all(script.get("src") and not script.text for script in scripts)
    assert page.headers["x-content-type-options"] == "nosniff"


def test_swagger_ui_is_started_with_the_apis_description(api: Api) -> None:
    assert 'url: "/openapi.json"' in api.http.get("/docs/start.js").text


def test_the_bare_address_leads_to_the_console(api: Api) -> None:
    answer = api.http.get("/", follow_redirects=False)
    assert answer.headers["location"] == "/console"


@pytest.mark.parametrize("path", ["/docs/assets/../start.js", "/docs/assets/%2e%2e/core.py"])
def test_nothing_beside_the_files_is_served(api: Api, path: str) -> None:
    assert "core" not in api.http.get(path).text


def test_the_description_is_made_once_however_often_it_is_asked_for(database: str) -> None:
    app = create_app()
    made: list[int] = []

    def describe() -> dict[str, Any]:
        made.append(1)
        return {"openapi": "3.1.0"}

    app.openapi = describe  # type: ignore[method-assign]  # FastAPI's own way
    http = TestClient(app, base_url="http://127.0.0.1")
    assert [http.get("/openapi.json").json() for _ in range(3)] == [{"openapi": "3.1.0"}] * 3
    assert len(made) == 1
