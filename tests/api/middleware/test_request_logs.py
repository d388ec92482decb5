"""What the bridge logs of requests."""

from __future__ import annotations

import pytest
from fastapi import FastAPI

from api_bridge.app import create_app
from tests import journal
from tests.api.conftest import Api


@pytest.fixture
def app() -> FastAPI:
    """An app that may be given a broken route."""
    return create_app()


def test_a_request_is_logged_by_its_route_with_the_id_of_its_envelope(api: Api) -> None:
    with journal.kept() as logged:
        answer = api.call("GET", "/api/workflows/callback/abcdefghijklmnopqrst?x=secret-query")
    (line,) = logged.of("api_bridge.requests")
    assert line["requestId"] == answer.headers["x-request-id"]
    assert line["route"] == "/api/workflows/callback/{token}"
    assert (line["method"], line["status"]) == ("GET", answer.status_code)
    assert line["milliseconds"] > 0
    assert "abcdefghijklmnopqrst" not in logged.text
    assert "secret-query" not in logged.text


def test_the_line_names_who_asked_and_in_which_workspace(api: Api) -> None:
    with journal.kept() as logged:
        refused = api.call("GET", "/api/workflows/nothing", role="STRANGER")
        api.http.get("/api/workflows", headers={"X-Request-Id": "mine-1"})
    theirs, nobodys = logged.of("api_bridge.requests")
    assert refused.json()["requestId"] == theirs["requestId"]
    assert (theirs["status"], theirs["actor"]) == (404, "api_key")
    assert theirs["workspaceId"]
    assert nobodys["requestId"] == "mine-1"
    assert (nobodys["status"], nobodys["actor"], nobodys["workspaceId"]) == (401, "anonymous", None)
    assert api.keys["STRANGER"] not in logged.text


def test_what_machines_ask_all_the_time_is_not_logged(api: Api) -> None:
    with journal.kept() as logged:
        api.http.get("/healthz")
        api.http.get("/nothing/here")
    assert [line["route"] for line in logged.of("api_bridge.requests")] == ["unmatched"]


def test_every_line_of_a_request_has_its_id(api: Api) -> None:
    def broken() -> None:
        raise RuntimeError("a bug with sk_1234567890abcdef")

    api.http.app.get("/broken")(broken)  # type: ignore[attr-defined]
    with journal.kept() as logged:
        answer = api.http.get("/broken")
    assert answer.status_code == 500
    assert "bug" not in answer.text
    assert {line["requestId"] for line in logged.lines} == {answer.headers["x-request-id"]}
    assert [line["status"] for line in logged.of("api_bridge.requests")] == [500]
    (bug,) = logged.of("api_bridge.errors")
    assert "RuntimeError: a bug with ***" in bug["exception"]
