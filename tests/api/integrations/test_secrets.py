"""Secrets over HTTP: written, listed, and never read."""

from __future__ import annotations

import pytest

from tests.api.conftest import Api

VALUE = "s3cret-value"


def test_a_secret_is_set_listed_by_name_replaced_and_deleted(api: Api) -> None:
    first = api.call("PUT", "/api/secrets/API_KEY", {"value": VALUE}, role="ADMIN")
    assert first.status_code == 200
    assert set(first.json()) == {"name", "fingerprint", "createdAt", "updatedAt"}
    listed = api.call("GET", "/api/secrets", role="ADMIN")
    assert listed.json() == [first.json()]
    second = api.call("PUT", "/api/secrets/API_KEY", {"value": VALUE + "2"}).json()
    assert second["fingerprint"] != first.json()["fingerprint"]
    assert second["createdAt"] == first.json()["createdAt"]
    assert VALUE not in first.text + listed.text
    assert api.call("DELETE", "/api/secrets/API_KEY").status_code == 204
    assert api.call("DELETE", "/api/secrets/API_KEY").status_code == 404
    assert api.call("GET", "/api/secrets").json() == []


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("lower", {"value": VALUE}, "name"),
        ("A-B", {"value": VALUE}, "name"),
        ("A%0A", {"value": VALUE}, "name"),
        ("KEY", {"value": "abcd"}, "value"),
        ("KEY", {"value": 12345}, "value"),
        ("KEY", {"value": None}, "value"),
        ("KEY", {}, "value"),
        ("KEY", {"value": VALUE, "more": 1}, "more"),
    ],
)
def test_what_cannot_be_a_secret_is_refused_and_the_field_named(
    api: Api, path: str, body: object, field: str
) -> None:
    answer = api.call("PUT", f"/api/secrets/{path}", body)
    assert answer.status_code == 400, answer.text
    assert list(answer.json()["details"]["fieldErrors"]) == [field]
    assert api.call("GET", "/api/secrets").json() == []


def test_only_administrators_see_or_change_them(api: Api) -> None:
    for role in ("VIEWER", "MEMBER"):
        for method, path in (("GET", ""), ("PUT", "/KEY"), ("DELETE", "/KEY")):
            body = {"value": VALUE} if method == "PUT" else None
            assert api.call(method, f"/api/secrets{path}", body, role=role).status_code == 403


def test_another_workspace_neither_sees_nor_changes_them(api: Api) -> None:
    api.call("PUT", "/api/secrets/KEY", {"value": VALUE})
    assert api.call("GET", "/api/secrets", role="STRANGER").json() == []
    assert api.call("DELETE", "/api/secrets/KEY", role="STRANGER").status_code == 404
    api.call("PUT", "/api/secrets/KEY", {"value": "another-value"}, role="STRANGER")
    (own,), (others,) = (
        api.call("GET", "/api/secrets", role=role).json() for role in ("OWNER", "STRANGER")
    )
    assert own["fingerprint"] != others["fingerprint"]


def test_a_definition_may_name_secrets_one_by_one(api: Api) -> None:
    config = {"url": "https://a.example/", "headers": {"x-key": "{{secret.KEY}}"}}
    step = {"name": "Call", "type": "http_request", "order": 0, "config": config}
    assert api.workflow(steps=[step])["steps"][0]["config"] == config
    config = {"url": "https://a.example/", "headers": {"x-key": "{{secret}}"}}
    answer = api.call(
        "POST", "/api/workflows", {"name": "x", "steps": [{**step, "config": config}]}
    )
    found = answer.json()["details"]["fieldErrors"]["steps.0.config.headers.x-key"]
    assert "name one secret" in found[0]


def test_a_secret_itself_does_not_belong_in_a_definition(api: Api) -> None:
    config = {"url": "https://a.example/", "auth": {"type": "bearer", "secret": "sk-live-12345"}}
    step = {"name": "Call", "type": "http_request", "order": 0, "config": config}
    answer = api.call("POST", "/api/workflows", {"name": "x", "steps": [step]})
    assert answer.status_code == 400
    assert "sk-live-12345" not in answer.text
