"""Members over HTTP."""

from __future__ import annotations

import re
from typing import Any

import pytest

from automations.kit.ids import PATTERN
from tests.api.access.members import ADA, add
from tests.api.answers import INSTANT, errors
from tests.api.conftest import Api


class TestCreateAndList:
    def test_a_member_has_the_documented_shape(self, api: Api) -> None:
        made = add(api, "ADMIN", email="Ada@B.example")
        assert re.fullmatch(PATTERN, made["id"])
        assert re.fullmatch(INSTANT, made["createdAt"])
        assert {**made, "id": "", "createdAt": ""} == {**ADA, "id": "", "createdAt": ""}
        assert api.call("GET", "/api/members", role="VIEWER").json() == [made]
        assert api.call("GET", "/api/members", role="STRANGER").json() == []

    @pytest.mark.parametrize(
        ("change", "path"),
        [
            ({"email": "nobody"}, "email"),
            ({"email": "a@b.example\n"}, "email"),
            ({"email": "x" * 400}, "email"),
            ({"email": None}, "email"),
            ({"name": " "}, "name"),
            ({"name": 5}, "name"),
            ({"role": "ROOT"}, "role"),
            ({"password": "x"}, "password"),
        ],
    )
    def test_a_refusal_names_the_field(self, api: Api, change: dict[str, Any], path: str) -> None:
        assert path in errors(api.call("POST", "/api/members", {**ADA, **change}))

    def test_an_address_is_used_once(self, api: Api) -> None:
        add(api)
        answer = api.call("POST", "/api/members", ADA)
        assert (answer.status_code, answer.json()["code"]) == (409, "CONFLICT")

    def test_roles(self, api: Api) -> None:
        assert api.call("POST", "/api/members", ADA, role="MEMBER").status_code == 403
        owner = {**ADA, "role": "OWNER"}
        assert api.call("POST", "/api/members", owner, role="ADMIN").status_code == 403
        assert api.call("POST", "/api/members", owner, role="OWNER").status_code == 201


class TestUpdate:
    def test_only_what_is_given_changes(self, api: Api) -> None:
        made = add(api)
        path = f"/api/members/{made['id']}"
        answer = api.call("PATCH", path, {"role": "VIEWER"}, role="ADMIN")
        assert answer.json() == {**made, "role": "VIEWER"}
        answer = api.call("PATCH", path, {"name": "A", "email": "new@b.example"}, role="ADMIN")
        assert answer.json() == {**made, "role": "VIEWER", "name": "A", "email": "new@b.example"}
        assert api.call("PATCH", path, {}).json() == answer.json()

    @pytest.mark.parametrize(
        "change", [{"role": "CHIEF"}, {"name": ""}, {"email": "x"}, {"id": "x"}, {"email": ""}]
    )
    def test_a_wrong_value_is_refused(self, api: Api, change: dict[str, Any]) -> None:
        path = f"/api/members/{add(api)['id']}"
        assert list(errors(api.call("PATCH", path, change))) == list(change)

    def test_conflicts_roles_and_other_workspaces(self, api: Api) -> None:
        ada = add(api, role="OWNER")
        bob = add(api, email="bob@b.example")
        path = f"/api/members/{ada['id']}"
        assert api.call("PATCH", path, {"role": "ADMIN"}).status_code == 409
        assert api.call("PATCH", path, {"email": bob["email"]}).status_code == 409
        assert api.call("PATCH", path, {"name": "x"}, role="ADMIN").status_code == 403
        assert api.call("PATCH", path, {"name": "x"}, role="MEMBER").status_code == 403
        assert api.call("PATCH", path, {"name": "x"}, role="STRANGER").status_code == 404
        assert api.call("PATCH", "/api/members/nobody", {"name": "x"}).status_code == 404


class TestDelete:
    def test_the_last_owner_stays(self, api: Api) -> None:
        ada = add(api, role="OWNER")
        path = f"/api/members/{ada['id']}"
        answer = api.call("DELETE", path)
        assert (answer.status_code, answer.json()["code"]) == (409, "CONFLICT")
        add(api, email="bob@b.example", role="OWNER")
        assert api.call("DELETE", path, role="ADMIN").status_code == 403
        assert api.call("DELETE", path).status_code == 204
        assert api.call("DELETE", path).status_code == 404

    def test_roles_and_other_workspaces(self, api: Api) -> None:
        path = f"/api/members/{add(api)['id']}"
        assert api.call("DELETE", path, role="MEMBER").status_code == 403
        assert api.call("DELETE", path, role="STRANGER").status_code == 404
        assert api.call("DELETE", path, role="ADMIN").status_code == 204
        assert api.call("GET", "/api/members").json() == []
