"""What every request must have in order before anybody looks at what it is for."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from pydantic import ValidationError
from sqlalchemy import select
from starlette.testclient import TestClient

from automations.db.session import unit_of_work
from automations.db.tables import AuditLog, SecurityEvent
from automations.settings import Settings
from tests.api.bridge_process import BridgeProcess
from tests.api.conftest import Api, Live
from tests.environment import Environment
from tests.waiting import until

ONCE = (
    *("Content-Type", "Authorization", "Idempotency-Key", "Content-Encoding", "Cookie", "Origin"),
    *("X-Request-Id", "traceparent", "Expect", "Sec-Fetch-Site"),
    *("webhook-id", "webhook-signature", "webhook-timestamp", "Stripe-Signature"),
    *("X-Hub-Signature-256", "X-GitHub-Delivery", "ce-id", "ce-type"),
)


def ask(
    live: Live,
    headers: Iterable[tuple[str, str]] = (),
    *,
    method: str = "GET",
    path: str = "/api/workflows",
    body: bytes = b"",
    host: str | None = None,
) -> tuple[int, dict[str, str], Any]:
    """One request with exactly these headers, a Host and a length."""
    place = urlsplit(live.url)
    with closing(http.client.HTTPConnection(place.hostname or "", place.port, timeout=30)) as one:
        one.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        if host != "":
            one.putheader("Host", host or place.netloc)
        for name, value in headers:
            one.putheader(name, value)
        if body:
            one.putheader("Content-Length", str(len(body)))
        one.endheaders(body)
        with one.getresponse() as answer:
            content = answer.read()
            shown = {name.lower(): value for name, value in answer.getheaders()}
            is_json = "json" in shown.get("content-type", "")
            return answer.status, shown, json.loads(content) if is_json else content


def key(live: Live) -> tuple[str, str]:
    return "Authorization", f"Bearer {live.key}"


class TestTwoOfAHeader:
    def test_of_which_one_may_come_is_refused(self, live: Live) -> None:
        for name in ONCE:
            for path in ("/api/workflows", "/api/webhooks/x", "/nowhere"):
                twice = [(name, "application/json"), (name.upper(), "text/plain")]
                status, headers, body = ask(live, twice, method="POST", path=path, body=b"{}")
                assert (status, body["code"]) == (400, "VALIDATION_ERROR"), name
                assert list(body["details"]["fieldErrors"]) == [name.lower()]
                assert headers["x-request-id"] == body["requestId"]
        assert ask(live, [("Host", "localhost"), key(live)])[0] == 400

    def test_lengths_is_refused(self, live: Live) -> None:
        for lengths in (("2", "2"), ("2", "3")):
            headers = [("Content-Length", length) for length in lengths]
            headers.append(("Content-Type", "application/json"))
            assert ask(live, headers, method="POST")[0] == 400

    def test_lists_may_come_in_parts(self, live: Live) -> None:
        parts = [("Accept", "text/html"), ("Accept", "*/*")]
        forwarded = [("X-Forwarded-For", "a"), ("X-Forwarded-For", "b")]
        assert ask(live, [*parts, *forwarded, key(live)])[0] == 200

    def test_as_a_problem_for_who_asks_for_that(self, live: Live) -> None:
        headers = [("Accept", "application/problem+json"), ("Origin", "a"), ("Origin", "b")]
        status, _, body = ask(live, headers)
        assert (status, body["title"]) == (400, "Bad Request")


class TestHost:
    def test_of_somebody_else_is_refused(self, live: Live) -> None:
        for host in ("evil.example", "localhost.evil.example", "a b", "10.0.0.1"):
            for path in ("/api/workflows", "/docs", "/healthz", "/nowhere"):
                status, _, body = ask(live, [key(live)], path=path, host=host)
                assert (status, list(body["details"]["fieldErrors"])) == (400, ["host"]), host

    def test_of_this_machine_or_the_settings_is_answered(self, live: Live) -> None:
        for host in ("localhost", "127.0.0.1:1", "[::1]:8800", "testserver"):
            assert ask(live, [key(live)], host=host)[0] == 200, host

    def test_of_the_public_url_is_answered(self, live: Live, environment: Environment) -> None:
        environment.set(AUTOMATIONS_PUBLIC_URL="https://automations.example.com/base")
        environment.set(AUTOMATIONS_ALLOWED_HOSTS="*.internal.example, second.example")
        for host in ("automations.example.com", "a.internal.example:8800", "second.example"):
            assert ask(live, [key(live)], host=host)[0] == 200
        assert ask(live, [key(live)], host="example.com")[0] == 400

    def test_missing_is_refused(self, live: Live) -> None:
        assert ask(live, [key(live)], host="")[0] == 400


class TestOtherOrigins:
    def asked(self, live: Live, method: str = "GET") -> dict[str, str]:
        headers = {
            "Origin": "https://app.example.com",
            "Access-Control-Request-Method": "PATCH",
            "Access-Control-Request-Headers": "authorization",
            "Authorization": f"Bearer {live.key}",
        }
        answer = httpx.request(method, f"{live.url}/api/workflows", headers=headers)
        return {k: v for k, v in answer.headers.items() if k.startswith("access-control")}

    def test_are_not_answered_without_a_setting(self, live: Live) -> None:
        assert self.asked(live) == self.asked(live, "OPTIONS") == {}

    def test_are_answered_where_they_are_named_and_never_with_cookies(
        self, live: Live, environment: Environment
    ) -> None:
        environment.set(AUTOMATIONS_CORS_ORIGINS="https://app.example.com")
        assert self.asked(live)["access-control-allow-origin"] == "https://app.example.com"
        asked = self.asked(live, "OPTIONS")
        assert "PATCH" in asked["access-control-allow-methods"]
        assert asked["access-control-allow-headers"] == "authorization"
        assert "access-control-allow-credentials" not in asked
        environment.set(AUTOMATIONS_CORS_ORIGINS="https://other.example.com")
        assert "access-control-allow-origin" not in self.asked(live)


class TestSlash:
    def test_too_many_leads_to_a_path_of_no_host(self, live: Live) -> None:
        for given, right in (
            ("/api/workflows/", "/api/workflows"),
            ("/api/workflows///?limit=1&cursor=a%2Fb", "/api/workflows?limit=1&cursor=a%2Fb"),
        ):
            status, headers, _ = ask(live, [key(live)], path=given)
            assert (status, headers["location"]) == (307, right)

    def test_behind_no_route_leads_nowhere(self, live: Live) -> None:
        for path in ("//evil.example/", "/nowhere/", "//evil.example/api/forms/", "//"):
            status, headers, body = ask(live, [key(live)], path=path)
            assert (status, body["code"]) == (404, "NOT_FOUND"), path
            assert "location" not in headers


class TestAddress:
    """Of a bridge as it is started, whose server has ideas of its own about proxies."""

    @pytest.fixture
    def bridge(self, database: str, tmp_path: Path) -> Iterator[BridgeProcess]:
        made = BridgeProcess(tmp_path, AUTOMATIONS_DISPATCHER="off")
        made.start()
        try:
            until("the bridge", made.answers)
            yield made
        finally:
            made.kill()

    def test_that_somebody_only_claims_is_neither_noted_nor_counted(
        self, bridge: BridgeProcess
    ) -> None:
        live = Live(bridge.address, "")
        for number in range(25):
            credentials = {"email": f"a{number}@b.example", "password": "x"}
            claimed = [("X-Forwarded-For", f"203.0.113.{number}"), ("X-Real-IP", "203.0.113.1")]
            status, _, _ = ask(
                live,
                [*claimed, ("Content-Type", "application/json")],
                method="POST",
                path="/api/session",
                body=json.dumps(credentials).encode(),
            )
        assert status == 429
        with unit_of_work() as session:
            assert set(session.scalars(select(SecurityEvent.ip))) == {"127.0.0.1"}


class TestTrustedProxy:
    """The whole of its clients share its address, and must not share its limits."""

    @pytest.fixture
    def http(self, api: Api, environment: Environment) -> TestClient:
        environment.set(AUTOMATIONS_TRUSTED_PROXIES="192.0.2.0/24, 2001:db8::/32")
        return TestClient(api.http.app, client=("192.0.2.1", 1))

    def sign_in(self, http: TestClient, number: int, address: str) -> int:
        credentials = {"email": f"a{number}@b.example", "password": "x"}
        headers = {"X-Forwarded-For": f"198.51.100.1, {address}"}
        return int(http.post("/api/session", json=credentials, headers=headers).status_code)

    def test_its_clients_are_limited_each_for_themselves(self, http: TestClient) -> None:
        for number in range(25):
            assert self.sign_in(http, number, f"203.0.113.{number}") == 401

    def test_one_of_its_clients_is_limited(self, http: TestClient) -> None:
        statuses = [self.sign_in(http, number, "203.0.113.9") for number in range(22)]
        assert statuses[-1] == 429

    def test_a_client_with_a_network_of_its_own_is_one(self, http: TestClient) -> None:
        places = (f"2001:db9:1:1::{number:x}" for number in range(1, 23))
        statuses = [self.sign_in(http, number, place) for number, place in enumerate(places)]
        assert statuses[-1] == 429

    def test_what_is_written_down_is_the_clients_address(self, api: Api, http: TestClient) -> None:
        token = {"Authorization": f"Bearer {api.keys['OWNER']}"}
        http.get("/api/forms", headers={**token, "X-Forwarded-For": "1.1.1.1, 203.0.113.9"})
        self.sign_in(http, 1, "203.0.113.8")
        with unit_of_work() as session:
            assert set(session.scalars(select(AuditLog.ip))) >= {"203.0.113.9"}
            assert set(session.scalars(select(SecurityEvent.ip))) == {"203.0.113.8"}


@pytest.mark.parametrize("value", ["10.0.0.1/8", "proxy.example", "*"])
def test_a_proxy_that_is_no_network_keeps_the_bridge_from_starting(
    environment: Environment, value: str
) -> None:
    environment.set(AUTOMATIONS_TRUSTED_PROXIES=value)
    with pytest.raises(ValidationError, match="trusted_proxies"):
        Settings()


@pytest.mark.parametrize("unit", [";", "a=", '"', ";a*0='", "=?", "/"])
def test_a_type_of_content_that_is_a_book_is_refused(api: Api, unit: str) -> None:
    for path in ("/api/session", "/api/forms/x/public", "/api/webhooks/x", "/api/tables"):
        kind = "application/json" + unit * (60_000 // len(unit))
        answer = api.http.post(path, content=b"{}", headers={"Content-Type": kind})
        assert answer.status_code == 400
        assert "Content-Type is over 1000 bytes" in answer.text
