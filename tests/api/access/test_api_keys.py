"""API keys over HTTP: no key makes one that may do more, and tokens are shown once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from automations.db.session import unit_of_work
from automations.db.tables import ApiKey
from automations.domain.principals import Principal
from automations.services.access import key_cache
from tests.api.answers import errors
from tests.api.conftest import Api
from tests.waiting import until

ROUTES = [
    ("GET", "/api/api-keys", None),
    ("POST", "/api/api-keys", {"name": "x"}),
    ("POST", "/api/api-keys/{id}/rotate", {}),
    ("DELETE", "/api/api-keys/{id}", None),
    ("GET", "/api/audit-logs", None),
    ("GET", "/api/security-events", None),
]


def make(api: Api, by: str = "OWNER", **more: Any) -> dict[str, Any]:
    answer = api.call("POST", "/api/api-keys", {"name": "Made", **more}, role=by)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def status(api: Api, token: str, path: str = "/api/workflows", method: str = "GET") -> int:
    answer = api.http.request(method, path, headers={"Authorization": f"Bearer {token}"}, json={})
    return int(answer.status_code)


def key_id(api: Api, name: str) -> str:
    keys = api.call("GET", "/api/api-keys").json()
    return str(next(key["id"] for key in keys if key["name"] == name))


@pytest.mark.parametrize(("method", "path", "body"), ROUTES)
@pytest.mark.parametrize(
    ("role", "allowed"), [("OWNER", True), ("ADMIN", True), ("MEMBER", False), ("VIEWER", False)]
)
def test_only_administrators_may(
    api: Api, method: str, path: str, body: Any, role: str, allowed: bool
) -> None:
    path = path.replace("{id}", make(api)["id"])
    answer = api.call(method, path, body, role=role)
    assert (answer.status_code in (200, 201, 204)) is allowed
    assert allowed or answer.status_code == 403


@pytest.mark.parametrize(("method", "path"), [("POST", "/{id}/rotate"), ("DELETE", "/{id}")])
def test_a_key_of_another_workspace_is_not_found(api: Api, method: str, path: str) -> None:
    made = make(api)
    path = "/api/api-keys" + path.replace("{id}", made["id"])
    assert api.call(method, path, role="STRANGER").status_code == 404
    assert status(api, made["token"]) == 200


def test_a_token_is_shown_once_and_never_listed(api: Api) -> None:
    made = make(api, role="ADMIN", scopes=["workflows:read"])
    assert made["token"].startswith(made["prefix"])
    listed = api.call("GET", "/api/api-keys")
    assert made["token"] not in listed.text
    (found,) = [key for key in listed.json() if key["id"] == made["id"]]
    assert found == {key: value for key, value in made.items() if key != "token"}
    assert found["scopes"] == ["workflows:read"]


def test_last_use_is_listed(api: Api) -> None:
    made = make(api)
    status(api, made["token"])
    (listed,) = [key for key in api.call("GET", "/api/api-keys").json() if key["id"] == made["id"]]
    assert (made["lastUsedAt"], listed["lastUsedAt"] is not None) == (None, True)


def test_a_revoked_key_is_of_no_use_and_no_longer_listed(api: Api) -> None:
    made = make(api)
    assert status(api, made["token"]) == 200
    assert api.call("DELETE", f"/api/api-keys/{made['id']}").status_code == 204
    assert status(api, made["token"]) == 401
    assert made["id"] not in {key["id"] for key in api.call("GET", "/api/api-keys").json()}
    assert api.call("DELETE", f"/api/api-keys/{made['id']}").status_code == 404
    assert api.call("POST", f"/api/api-keys/{made['id']}/rotate").status_code == 404


def test_a_key_expires(api: Api) -> None:
    soon = datetime.now(UTC) + timedelta(hours=1)
    made = make(api, expiresAt=soon.isoformat())
    assert status(api, made["token"]) == 200
    with unit_of_work() as session:
        session.execute(
            update(ApiKey).where(ApiKey.id == made["id"]).values(expires_at=datetime.now(UTC))
        )
    until("the refusal", lambda: status(api, made["token"]) == 401)


def test_a_key_that_another_process_revokes_is_refused_soon_after(api: Api) -> None:
    made = make(api)
    assert status(api, made["token"]) == 200
    with unit_of_work() as session:
        session.execute(
            update(ApiKey).where(ApiKey.id == made["id"]).values(revoked_at=datetime.now(UTC))
        )
    until("the refusal", lambda: status(api, made["token"]) == 401)


def test_a_key_that_is_revoked_while_it_is_checked_is_not_kept() -> None:
    place = key_cache.place()
    key_cache.forget()
    key_cache.keep(place, "hash", Principal("workspace", "VIEWER", "name", key_id="id"))
    assert key_cache.find("hash") is None


class TestRotation:
    def test_the_token_before_is_of_no_use_at_once(self, api: Api) -> None:
        made = make(api, scopes=["workflows:read"], expiresAt="2099-01-01T00:00:00Z")
        rotated = api.call("POST", f"/api/api-keys/{made['id']}/rotate").json()
        assert (status(api, made["token"]), status(api, rotated["token"])) == (401, 200)
        for field in ("id", "name", "role", "scopes", "expiresAt", "createdAt"):
            assert rotated[field] == made[field]

    def test_or_works_for_a_grace(self, api: Api) -> None:
        made = make(api)
        path = f"/api/api-keys/{made['id']}/rotate"
        rotated = api.call("POST", path, {"graceSeconds": 3600}).json()
        assert (status(api, made["token"]), status(api, rotated["token"])) == (200, 200)
        with unit_of_work() as session:
            past = datetime.now(UTC) - timedelta(seconds=1)
            session.execute(update(ApiKey).values(previous_expires_at=past))
        until("the refusal", lambda: status(api, made["token"]) == 401)
        assert status(api, rotated["token"]) == 200

    def test_another_rotation_ends_a_grace(self, api: Api) -> None:
        made = make(api)
        path = f"/api/api-keys/{made['id']}/rotate"
        api.call("POST", path, {"graceSeconds": 3600})
        api.call("POST", path, {})
        assert status(api, made["token"]) == 401

    def test_revoking_ends_a_grace(self, api: Api) -> None:
        made = make(api)
        api.call("POST", f"/api/api-keys/{made['id']}/rotate", {"graceSeconds": 3600})
        api.call("DELETE", f"/api/api-keys/{made['id']}")
        assert status(api, made["token"]) == 401

    @pytest.mark.parametrize("grace", [-1, 604_801, "1", 1.5])
    def test_a_grace_out_of_bounds_is_refused(self, api: Api, grace: Any) -> None:
        path = f"/api/api-keys/{make(api)['id']}/rotate"
        assert "graceSeconds" in errors(api.call("POST", path, {"graceSeconds": grace}))


class TestPrivileges:
    @pytest.mark.parametrize(
        ("path", "method"), [("", "POST"), ("/{id}/rotate", "POST"), ("/{id}", "DELETE")]
    )
    def test_an_admin_has_no_hold_on_owners(self, api: Api, path: str, method: str) -> None:
        made = make(api, role="OWNER")
        body = {"name": "x", "role": "OWNER"} if not path else None
        path = "/api/api-keys" + path.replace("{id}", key_id(api, "owner"))
        assert api.call(method, path, body, role="ADMIN").status_code == 403
        assert status(api, made["token"]) == 200

    def test_a_limited_key_makes_only_keys_within_its_limits(self, api: Api) -> None:
        limited = make(api, role="OWNER", scopes=["api-keys:write", "forms:read"])
        api.keys["LIMITED"] = limited["token"]
        for scopes in (None, ["workflows:read"], ["forms:read", "workflows:read"]):
            body = {"name": "x", **({"scopes": scopes} if scopes else {})}
            assert api.call("POST", "/api/api-keys", body, role="LIMITED").status_code == 403
        make(api, "LIMITED", scopes=["forms:read"])
        path = f"/api/api-keys/{key_id(api, 'admin')}/rotate"
        assert api.call("POST", path, role="LIMITED").status_code == 403

    def test_a_key_belongs_to_a_member_and_may_no_more_than_they(self, api: Api) -> None:
        member = {"name": "Ada", "email": "ada@b.example", "role": "MEMBER"}
        ada = api.call("POST", "/api/members", member).json()["id"]
        assert make(api, memberId=ada)["memberId"] == ada
        body = {"name": "x", "memberId": ada, "role": "ADMIN"}
        assert "role" in errors(api.call("POST", "/api/api-keys", body))
        owner = {**member, "email": "o@b.example", "role": "OWNER"}
        owner_id = api.call("POST", "/api/members", owner).json()["id"]
        body = {"name": "x", "memberId": owner_id, "role": "VIEWER"}
        assert api.call("POST", "/api/api-keys", body, role="ADMIN").status_code == 403
        body["memberId"] = "cnobody"
        assert "memberId" in errors(api.call("POST", "/api/api-keys", body))

    def test_a_member_whose_role_is_lowered_keeps_no_key_of_the_old_one(self, api: Api) -> None:
        member = {"name": "Ada", "email": "ada@b.example", "role": "ADMIN"}
        ada = api.call("POST", "/api/members", member).json()["id"]
        above, within = (make(api, memberId=ada, role=role) for role in ("ADMIN", "VIEWER"))
        others = make(api, role="ADMIN")
        path = "/api/api-keys"
        assert status(api, above["token"], path) == 200
        assert api.call("PATCH", f"/api/members/{ada}", {"role": "MEMBER"}).status_code == 200
        assert status(api, above["token"], path) == 403
        assert status(api, above["token"]) == 200
        roles = {key["id"]: key["role"] for key in api.call("GET", path).json()}
        wanted = {above["id"]: "MEMBER", within["id"]: "VIEWER", others["id"]: "ADMIN"}
        assert {id_: roles[id_] for id_ in wanted} == wanted
        assert api.call("PATCH", f"/api/members/{ada}", {"role": "ADMIN"}).status_code == 200
        assert status(api, above["token"], path) == 403


class TestScopes:
    def test_a_scope_opens_its_routes_and_no_others(self, api: Api) -> None:
        workflow = api.workflow()["id"]
        token = make(api, role="ADMIN", scopes=["workflows:read", "workflows:execute"])["token"]
        assert status(api, token) == 200
        assert status(api, token, f"/api/workflows/{workflow}/execute", "POST") == 200
        assert status(api, token, "/api/forms") == 403
        assert status(api, token, "/api/workflows", "POST") == 403
        assert status(api, token, f"/api/workflows/{workflow}", "DELETE") == 403
        assert status(api, token, f"/api/workflows/{workflow}/runs") == 403

    def test_a_refusal_names_the_scope(self, api: Api) -> None:
        api.keys["LIMITED"] = make(api, scopes=["forms:submit"])["token"]
        answer = api.call("GET", "/api/forms", role="LIMITED")
        assert (answer.status_code, "forms:read" in answer.json()["error"]) == (403, True)
        body = {"formId": api.form(), "data": {"email": "ada@b.example"}}
        assert api.call("POST", "/api/submissions", body, role="LIMITED").status_code == 201

    def test_a_scope_lifts_no_role(self, api: Api) -> None:
        api.keys["LIMITED"] = make(api, role="VIEWER", scopes=["workflows:write"])["token"]
        assert api.call("POST", "/api/workflows", {}, role="LIMITED").status_code == 403


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"name": " "}, "name"),
        ({"role": "ROOT"}, "role"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["nope:read"]}, "scopes"),
        ({"scopes": ["callback:read"]}, "scopes"),
        ({"scopes": "workflows:read"}, "scopes"),
        ({"expiresAt": "2020-01-01T00:00:00Z"}, "expiresAt"),
        ({"expiresAt": "2099-01-01T00:00:00"}, "expiresAt"),
        ({"token": "x"}, "token"),
    ],
)
def test_a_wrong_key_is_refused_by_field(api: Api, change: dict[str, Any], path: str) -> None:
    field_errors = errors(api.call("POST", "/api/api-keys", {"name": "x", **change}))
    assert any(key.startswith(path) for key in field_errors)
