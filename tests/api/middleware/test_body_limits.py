"""How much each route takes: little, unless it says otherwise at the route itself."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from starlette.routing import Mount, Route

from api_bridge import routing
from api_bridge.app import app
from api_bridge.bodies import MAX_BODY_BYTES, MAX_FILES_BYTES, BodyLimit, limit_of
from tests.api.conftest import Api

MULTIPART = "multipart/form-data; boundary=x"
FILES = BodyLimit(MAX_FILES_BYTES, MAX_FILES_BYTES)
FILES_OF_A_FORM = BodyLimit(MAX_BODY_BYTES, MAX_FILES_BYTES)
LITTLE = BodyLimit(20_000, 20_000)
SMALLER = {
    ("POST", "/api/session"): LITTLE,
    ("POST", "/api/session/invitation"): LITTLE,
    ("POST", "/console/sign-in"): LITTLE,
    ("POST", "/console/from-airflow"): LITTLE,
    ("POST", "/console/invitation/x"): LITTLE,
}
LARGER = {
    ("POST", "/api/workflows/send-email"): FILES,
    ("POST", "/api/tables/x/rows/import"): FILES,
    ("POST", "/api/workflows/import"): FILES,
    ("POST", "/api/pipelines/connections/x/runs"): FILES,
    ("POST", "/api/document-templates"): BodyLimit(7_500_000, 7_500_000),
    ("PUT", "/api/document-templates/x"): BodyLimit(7_500_000, 7_500_000),
    ("POST", "/api/workflows/callback/x"): FILES_OF_A_FORM,
    ("POST", "/api/forms/requests/x"): FILES_OF_A_FORM,
    ("POST", "/api/forms/x/public"): FILES_OF_A_FORM,
    ("POST", "/api/webhooks/x"): FILES_OF_A_FORM,
    ("PUT", "/api/webhooks/x"): FILES_OF_A_FORM,
    ("POST", "/console/approvals/x"): FILES_OF_A_FORM,
    ("POST", "/console/documents/templates"): FILES_OF_A_FORM,
    ("POST", "/console/documents/templates/x"): FILES_OF_A_FORM,
    ("POST", "/console/tables/x/import"): FILES_OF_A_FORM,
}


def routes() -> Iterator[tuple[str, str, BodyLimit]]:
    """The routes that take a body."""
    for route in app.routes:
        if isinstance(route, Mount):
            continue  # files of an installed package, which are only read
        assert isinstance(route, Route)
        for method in sorted((route.methods or set()) - {"GET", "HEAD"}):
            assert isinstance(route, routing.Route), route.path
            yield method, re.sub(r"\{\w+(:\w+)?\}", "x", route.path), limit_of(route.endpoint)


def status(
    api: Api, method: str, path: str, content_type: str, size: int, key: str | None = None
) -> tuple[int, str]:
    token = api.keys["OWNER"] if key is None else key
    headers = {"Content-Type": content_type, "Authorization": f"Bearer {token}"}
    answer = api.http.request(method, path, content=bytes(size), headers=headers)
    return answer.status_code, answer.text


def test_the_routes_that_take_more_or_less_than_others_are_these() -> None:
    found = {(method, path): takes for method, path, takes in routes()}
    assert len(found) > 70
    assert {where: one for where, one in found.items() if one != BodyLimit()} == {
        **LARGER,
        **SMALLER,
    }


def test_every_route_refuses_one_byte_more_than_it_takes(api: Api) -> None:
    for method, path, takes in routes():
        sizes = {takes.plain: "text/x", takes.multipart: MULTIPART}
        for most, content_type in sizes.items():
            refused, text = status(api, method, path, content_type, most + 1)
            assert f"over {most} bytes" in text, (method, path)
            assert refused == 413, (method, path, content_type)


@pytest.mark.parametrize(("method", "path"), LARGER)
def test_one_that_takes_more_does(api: Api, method: str, path: str) -> None:
    takes = LARGER[method, path]
    for content_type, most in (("text/x", takes.plain), (MULTIPART, takes.multipart)):
        assert status(api, method, path, content_type, most)[0] != 413


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/api/nowhere"), ("PUT", "/api/workflows/send-email"), ("POST", "/")],
)
def test_of_what_is_no_route_the_body_is_not_looked_at(api: Api, method: str, path: str) -> None:
    assert status(api, method, path, "text/x", MAX_BODY_BYTES + 1)[0] in (404, 405)
