"""What every route asks of a request: who, which parameters, a whole body of the right type."""

from __future__ import annotations

import base64
import json
import re
import socket
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from fastapi.dependencies.utils import get_flat_dependant
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from api_bridge import routing
from api_bridge.app import app as served
from api_bridge.bodies import limit_of
from automations.db.session import unit_of_work
from automations.settings import get_settings
from tests import whole_tables
from tests.api.conftest import FORM, Api, Live
from tests.hostile import bodies as hostile
from tests.hostile import cursors, parameters

TABLE = {
    "name": "x",
    "columns": [{"key": "id", "type": "text"}, {"key": "j", "type": "json"}],
}
once = settings(
    deadline=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def routes() -> Iterator[tuple[str, str, routing.Route]]:
    for route in served.routes:
        if isinstance(route, routing.Route):
            for method in sorted(route.methods):
                yield method, re.sub(r"\{\w+(:\w+)?\}", "x", route.path), route


def needs_key(route: routing.Route) -> bool:
    return any(part.name == "caller" for part in route.dependant.dependencies)


BODIES = [
    (method, path)
    for method, path, route in routes()
    if needs_key(route) and route.body_field is not None
]
READ = [path for method, path, _ in routes() if method == "GET"]


class Doors:
    """Where JSON comes in."""

    def __init__(self, api: Api) -> None:
        self.api = api
        form = api.call("POST", "/api/forms", {**FORM, "public": True}).json()["id"]
        self.table = table = api.call("POST", "/api/tables", TABLE).json()["id"]
        free = {"id": "t", "key": "t", "type": "table_fill"}
        body = {"title": "x", "schema": {"sections": [{"id": "s", "fields": [free]}]}}
        self.free = api.call("POST", "/api/forms", body).json()["id"]
        hook = api.workflow(trigger={"type": "webhook", "verification": "none"})["webhookUrl"]
        self.paths = [
            *("/api/workflows", "/api/forms", "/api/submissions", "/api/integrations"),
            *("/api/workflows/import", "/api/workflows/send-email", f"/api/tables/{table}/rows"),
            *(f"/api/tables/{table}/rows/import", f"/api/forms/{form}/public"),
            str(hook).removeprefix(get_settings().bridge_base),
        ]

    def post(self, path: str, body: bytes, kind: str = "application/json") -> Any:
        headers = {"Authorization": f"Bearer {self.api.keys['OWNER']}", "Content-Type": kind}
        return self.api.http.post(path, content=body, headers=headers)


def alike(sent: Any, kept: Any) -> bool:
    """Whether a value is what was sent; a whole double may come back as an integer."""
    if isinstance(sent, float) and isinstance(kept, int | float) and not isinstance(kept, bool):
        return sent == float(kept)
    if isinstance(sent, list) and isinstance(kept, list):
        return len(sent) == len(kept) and all(map(alike, sent, kept))
    if isinstance(sent, dict) and isinstance(kept, dict):
        return sent.keys() == kept.keys() and all(alike(sent[key], kept[key]) for key in sent)
    return type(sent) is type(kept) and bool(sent == kept)


@pytest.fixture
def doors(api: Api) -> Doors:
    return Doors(api)


class TestWho:
    def test_without_a_key_no_body_is_looked_at(self, api: Api) -> None:
        headers = {"Authorization": "Bearer nobody's", "Content-Type": "application/json"}
        for method, path, route in routes():
            if not needs_key(route):
                continue
            for body in (b"[" * 900, bytes(limit_of(route.endpoint).plain + 1)):
                answer = api.http.request(method, path, content=body, headers=headers)
                assert answer.status_code == 401, (method, path)

    def test_who_may_not_is_told_so_before_what_is_wrong_with_the_body(self, api: Api) -> None:
        headers = {"Authorization": f"Bearer {api.keys['VIEWER']}"}
        assert api.http.post("/api/workflows", content=b"{", headers=headers).status_code == 403


class TestJson:
    def test_no_door_takes_what_cannot_be_kept(self, doors: Doors) -> None:
        for name, body in hostile.TEXTS.items():
            for path in doors.paths:
                answer = doors.post(path, body)
                assert answer.status_code == 400, (name, path, answer.text)
                assert len(answer.json()["details"]["fieldErrors"]) == 1, (name, path)

    def test_every_type_that_is_json_is_read_alike(self, doors: Doors) -> None:
        for kind in hostile.JSON_TYPES:
            for path in doors.paths:
                answer = doors.post(path, hostile.TEXTS["a NUL"], kind)
                assert answer.status_code == 400, (path, answer.text)
                assert "NUL" in answer.json()["error"]

    def test_thousands_of_faults_are_counted_and_not_named(self, doors: Doors) -> None:
        unknown = {f"a{number}": 1 for number in range(50_000)}
        for path in doors.paths:
            for body in (
                unknown,
                {"data": unknown},
                {"steps": [1] * 50_000},
                {"data": [1] * 9_000},
            ):
                answer = doors.post(path, json.dumps(body).encode())
                assert answer.status_code < 500, (path, answer.text)
                assert len(answer.content) < 60_000, path

    def test_no_charset_is_a_failure_of_ours(self, doors: Doors) -> None:
        for more in parameters.CHARSETS:
            for path in doors.paths:
                answer = doors.post(path, b'{"a": 1}', f"application/json; {more}")
                assert answer.status_code < 500, (more, path, answer.text)

    def test_a_body_of_another_type_is_refused_as_such(self, api: Api) -> None:
        key = api.keys["OWNER"].encode()
        for kind in (*hostile.OTHER_TYPES, None):
            headers = [(b"Authorization", b"Bearer " + key)]
            headers += [] if kind is None else [(b"Content-Type", kind.encode("latin-1"))]
            for method, path in BODIES:
                answer = api.http.request(method, path, content=b"{}", headers=headers)
                shown = (answer.status_code, answer.json()["code"])
                assert shown == (415, "UNSUPPORTED_MEDIA_TYPE"), (method, path, kind)

    @given(body=st.binary(max_size=100) | st.text('[]{}",:0.eE-\\u', max_size=50).map(str.encode))
    @once
    def test_no_bytes_are_a_failure_of_ours(self, doors: Doors, body: bytes) -> None:
        for path in doors.paths:
            assert doors.post(path, body).status_code < 500, path

    @given(
        value=st.recursive(
            st.none()
            | st.booleans()
            | st.integers(-(10**300), 10**300)
            | st.floats(allow_nan=False, allow_infinity=False)
            | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
            lambda inner: st.lists(inner) | st.dictionaries(st.text("ab", max_size=2), inner),
        )
    )
    @once
    def test_no_value_changes_on_its_way(self, doors: Doors, value: Any) -> None:
        api, row, filled = doors.api, {"data": {"j": value}}, {"t": value}
        sent = {"name": "x", "steps": [], "variables": {"v": value}}
        made = api.call("POST", "/api/workflows", sent).json()
        kept = [api.call("GET", f"/api/workflows/{made['id']}").json()["variables"]["v"]]
        path = f"/api/tables/{doors.table}/rows"
        added = api.call("POST", path, row).json()
        kept.append(api.call("GET", f"{path}/{added['id']}").json()["data"]["j"])
        taken = api.call("POST", "/api/submissions", {"formId": doors.free, "data": filled})
        kept.append(api.call("GET", f"/api/submissions/{taken.json()['id']}").json()["data"]["t"])
        assert [kept_value for kept_value in kept if not alike(value, kept_value)] == []


class TestQuery:
    def test_a_parameter_that_nobody_knows_is_refused(self, api: Api) -> None:
        known = [(method, path, route) for method, path, route in routes() if needs_key(route)]
        for method, path, _ in known:
            answer = api.call(method, f"{path}?nope=1", {} if method in ("POST", "PUT") else None)
            errors = answer.json()["details"].get("fieldErrors", {})
            assert (answer.status_code, list(errors)) == (400, ["nope"]), (method, path)
            assert errors["nope"][0].startswith("unknown parameter; there are ")

    @pytest.mark.parametrize(
        ("path", "name"),
        [
            ("/api/workflows/x/runs?triggertype=schedule", "triggertype"),
            ("/api/workflows/x/runs/export?runid=x", "runid"),
            ("/api/documents?limit=1", "limit"),
            ("/api/events?limit=1&limit=2", "limit"),
            ("/healthz?x", "x"),
        ],
    )
    def test_a_typo_is_told(self, api: Api, path: str, name: str) -> None:
        answer = api.call("GET", path)
        assert answer.status_code == 400
        assert list(answer.json()["details"]["fieldErrors"]) == [name]

    @pytest.mark.parametrize("number", ["1_0", "1.0", "0x1", "1e1", "٥", "true", ""])
    def test_a_number_is_written_in_digits(self, api: Api, number: str) -> None:
        for path, name in (
            ("/api/workflows", "limit"),
            ("/api/workflows/x/runs", "pageSize"),
            ("/api/workflows/x/schedule", "count"),
            ("/api/documents", "pageSize"),
            ("/api/tables/x/rows", "limit"),
        ):
            answer = api.call("GET", path, params={name: number})
            assert answer.status_code == 400, (path, answer.text)
            assert list(answer.json()["details"]["fieldErrors"]) == [name], path

    def test_a_parameter_that_is_a_list_may_come_often(self, api: Api) -> None:
        first, second = api.workflow()["id"], api.workflow(name="Other")["id"]
        path = f"/api/workflows/export?id={first}&id={second}&format=json"
        assert len(api.call("GET", path).json()) == 2

    def test_what_a_mail_program_adds_to_a_link_keeps_nobody_from_a_page(
        self, doors: Doors
    ) -> None:
        (page,) = (path for path in doors.paths if path.endswith("/public"))
        assert doors.api.http.get(f"{page}?utm_source=mail&utm_source=x").status_code == 200


def everything() -> dict[str, list[Any]]:
    """What is in the database, but for what counts requests."""
    with unit_of_work() as session:
        return {
            name: sorted(map(str, session.execute(text(f'SELECT * FROM "{name}"'))))
            for name in whole_tables.names(session)
            if not name.startswith("rate_limit")
        }


class TestHead:
    def test_head_is_answered_as_get_is_without_a_body(self, doors: Doors) -> None:
        for path in [*READ, *(path for path in doors.paths if path.endswith("/public"))]:
            got = doors.api.call("GET", path)
            asked = doors.api.call("HEAD", path)
            assert (asked.status_code, asked.content) == (got.status_code, b""), path
            types = (asked.headers.get("content-type"), got.headers.get("content-type"))
            assert types[0] == types[1], path

    def test_head_changes_nothing(self, api: Api) -> None:
        table = api.call("POST", "/api/tables", TABLE).json()["id"]
        mapping = {"tableId": table, "keyColumns": ["id"]}
        body = {"name": "x", "connectorType": "push", "tables": [mapping]}
        connection = api.call("POST", "/api/pipelines/connections", body).json()["id"]
        path = f"/api/pipelines/connections/{connection}/webhook-url"
        api.call("GET", "/api/session")
        before = everything()
        for asked in (*READ, path):
            api.call("HEAD", asked)
        changed = {name for name, rows in everything().items() if rows != before[name]}
        assert changed <= {"api_key", "security_event"}
        assert api.call("HEAD", path).status_code == 200

    def test_head_needs_the_scope_of_get(self, api: Api) -> None:
        made = api.call("POST", "/api/api-keys", {"name": "x", "scopes": ["pipelines:read"]})
        headers = {"Authorization": f"Bearer {made.json()['token']}"}
        path = "/api/pipelines/connections/x/webhook-url"
        for method in ("GET", "HEAD"):
            assert api.http.request(method, path, headers=headers).status_code == 403

    def test_where_nothing_is_read_there_is_no_head(self, api: Api) -> None:
        answer = api.call("HEAD", "/api/workflows/x/execute")
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def broken_off(live: Live, path: str, head: str, body: bytes) -> bytes:
    """What comes back for a request of which only the beginning is sent."""
    host, _, port = live.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as connection:
        sent = f"POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\n{head}\r\n\r\n".encode() + body
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(30)
        answer = b""
        while part := connection.recv(65_536):
            answer += part
        return answer


HALVES = {
    "a form": (
        "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 21",
        b"email=ada@example.com"[:17],
    ),
    "JSON that is whole": (
        "Content-Type: application/json\r\nContent-Length: 400",
        json.dumps({"data": {"email": "ada@example.com"}, "decision": "approved"}).encode(),
    ),
    "chunks without an end": (
        "Content-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked",
        b"11\r\nemail=ada@example.com\r\n"[:4] + b"email=ada@exampl\r\n",
    ),
    "nothing of what was announced": ("Content-Length: 3", b""),
}


@pytest.mark.parametrize("name", sorted(HALVES))
def test_of_a_request_that_breaks_off_nothing_is_done(live: Live, api: Api, name: str) -> None:
    doors = Doors(api)
    workflow = api.workflow()["id"]
    head, body = HALVES[name]
    before = everything()
    for path in [*doors.paths, f"/api/workflows/{workflow}/execute", "/api/pipelines/run-all"]:
        answer = broken_off(
            live, path, f"Authorization: Bearer {api.keys['OWNER']}\r\n{head}", body
        )
        assert answer == b"" or b" 400 " in answer.split(b"\r\n")[0], (path, answer[:200])
    changed = {table for table, rows in everything().items() if rows != before[table]}
    assert changed <= {"api_key", "security_event"}


LISTS = (
    *("/api/workflows", "/api/submissions", "/api/events", "/api/evidence", "/api/audit-logs"),
    *("/api/security-events", "/api/workflows/{workflow}/runs", "/api/tables/{table}/rows"),
    *("/api/tables/{table}/rows?sort=id", "/api/tables/{table}/rows?sort=-n"),
    "/api/pipelines/connections/{connection}/runs",
)


class TestCursors:
    @pytest.fixture
    def lists(self, api: Api) -> list[str]:
        columns = [{"key": "id", "type": "text"}, {"key": "n", "type": "number"}]
        table = api.call("POST", "/api/tables", {"name": "x", "columns": columns}).json()["id"]
        mapping = {"tableId": table, "keyColumns": ["id"]}
        body = {"name": "x", "connectorType": "push", "tables": [mapping]}
        connection = api.call("POST", "/api/pipelines/connections", body).json()["id"]
        names = {"workflow": api.workflow()["id"], "table": table, "connection": connection}
        return [path.format(**names) for path in LISTS]

    @staticmethod
    def _asked(api: Api, path: str, cursor: str) -> Any:
        return api.call("GET", f"{path}{'&' if '?' in path else '?'}cursor={quote(cursor)}")

    def test_one_that_was_made_by_hand_is_refused_in_words(
        self, api: Api, lists: list[str]
    ) -> None:
        for name, made in cursors.REFUSED.items():
            for path in lists:
                answer = self._asked(api, path, made)
                assert answer.status_code == 400, (name, path, answer.text)
                assert list(answer.json()["details"]["fieldErrors"]) == ["cursor"]

    @given(
        place=st.lists(
            st.none()
            | st.booleans()
            | st.integers()
            | st.floats()
            | st.text(max_size=9)
            | st.sampled_from(["id", "n", "1"])
            | st.datetimes(timezones=st.timezones()).map(datetime.isoformat),
            max_size=5,
        )
    )
    @once
    def test_no_place_is_a_failure_of_ours(
        self, api: Api, lists: list[str], place: list[Any]
    ) -> None:
        made = base64.urlsafe_b64encode(json.dumps(place).encode()).decode()
        for path in lists:
            assert self._asked(api, path, made).status_code in (200, 400), (path, place)


@given(
    name=st.sampled_from(
        [
            *("accept", "content-type", "cookie", "traceparent", "x-request-id", "origin"),
            *("x-forwarded-for", "if-none-match", "range", "webhook-id", "idempotency-key"),
        ]
    ),
    value=st.binary(max_size=80).filter(lambda found: not set(found) & {0, 10, 13}),
)
@once
def test_no_header_is_a_failure_of_ours(doors: Doors, name: str, value: bytes) -> None:
    key = b"Bearer " + doors.api.keys["OWNER"].encode()
    headers = [(b"Authorization", key), (name.encode(), value)]
    for path in doors.paths:
        answer = doors.api.http.post(path, content=b'{"a": 1}', headers=headers)
        assert answer.status_code < 500, (path, answer.text)


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example"])
def test_no_redirect_leads_to_the_host_that_a_request_names(api: Api, host: str) -> None:
    for path in ("/api/workflows/", "//evil.example/", "//api/workflows/", "/docs/"):
        for named in ({"Host": host}, {"X-Forwarded-Host": host}):
            answer = api.http.get(path, headers=named, follow_redirects=False)
            assert "evil" not in answer.headers.get("location", ""), (path, named)
    answer = api.http.get("/api/workflows/a%3Fb/?c=%2F", follow_redirects=False)
    assert answer.headers["location"] == "/api/workflows/a%3Fb?c=%2F"
    assert api.call("GET", "/api/workflows/%2F", follow_redirects=False).status_code == 404


def test_runs_are_listed_by_what_has_started_them(api: Api) -> None:
    workflow = api.workflow()["id"]
    run = api.call("POST", f"/api/workflows/{workflow}/execute").json()["runId"]
    path = f"/api/workflows/{workflow}/runs?triggerType="
    for more in ("", "&cursor="):
        found = [run["id"] for run in api.call("GET", f"{path}manual{more}").json()["runs"]]
        assert found == [run]
        assert api.call("GET", f"{path}schedule{more}").json()["runs"] == []
    assert api.call("GET", f"{path}schedule").json()["pagination"]["total"] == 0
    refused = api.call("GET", f"{path}scheduled")
    assert (refused.status_code, list(refused.json()["details"]["fieldErrors"])) == (
        400,
        ["triggerType"],
    )
    body = {"triggerType": "webhook"}
    answer = api.call("POST", f"/api/workflows/{workflow}/runs/replay", body)
    assert answer.json()["replayed"] == 0


ODD = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
READABLE = [
    route
    for method, _, route in routes()
    if method == "GET" and needs_key(route) and "verify" not in route.path
]


@given(data=st.data())
@settings(once, max_examples=150)
def test_no_address_is_a_failure_of_ours(api: Api, data: st.DataObject) -> None:
    route = data.draw(st.sampled_from(READABLE))
    path = re.sub(r"\{\w+\}", lambda _: quote(data.draw(ODD), safe=""), route.path)
    names = [field.alias for field in get_flat_dependant(route.dependant).query_params]
    query = {name: data.draw(ODD) for name in names if data.draw(st.booleans())}
    answer = api.call("GET", path, params=query)
    assert answer.status_code < 500, (path, query, answer.text)


class TestLive:
    """What only a socket shows."""

    def test_without_a_key_nobody_is_asked_for_a_body(self, live: Live) -> None:
        host, _, port = live.url.removeprefix("http://").partition(":")
        for path, head in (
            ("/api/workflows/send-email", "Content-Length: 15000000\r\nExpect: 100-continue"),
            ("/api/tables/x/rows/import", "Transfer-Encoding: chunked"),
        ):
            with socket.create_connection((host, int(port))) as connection:
                request = f"POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\n{head}\r\n\r\n"
                connection.sendall(request.encode())
                connection.settimeout(30)
                assert connection.recv(65_536).startswith(b"HTTP/1.1 401 ")

    def test_what_is_too_large_is_refused_by_what_it_says_of_itself(self, live: Live) -> None:
        host, _, port = live.url.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(
                f"POST /api/workflows HTTP/1.1\r\nHost: {host}:{port}\r\n"
                f"Authorization: Bearer {live.key}\r\nContent-Length: 1000001\r\n\r\n".encode()
            )
            connection.settimeout(30)
            assert connection.recv(65_536).startswith(b"HTTP/1.1 413 ")

    def test_every_hostile_body_is_answered(self, live: Live) -> None:
        headers = {"Authorization": f"Bearer {live.key}"}
        with httpx.Client(base_url=live.url, headers=headers, timeout=60) as client:
            for name, body in hostile.TEXTS.items():
                for kind in hostile.JSON_TYPES:
                    sent = client.post(
                        "/api/workflows", content=body, headers={"Content-Type": kind}
                    )
                    assert sent.status_code == 400, (name, kind, sent.text)
                    assert client.head("/api/workflows").status_code == 200
            for name, body in hostile.KEPT.items():
                sent = client.post(
                    "/api/forms", content=body, headers={"Content-Type": "application/json"}
                )
                assert sent.status_code == 400, name
                assert "body" not in sent.json()["details"]["fieldErrors"] or b"[" in body, name
