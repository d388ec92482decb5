"""Notifications over HTTP: each key sees what is meant for it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import select, update

from automations.db.session import unit_of_work
from automations.db.tables import ApiKey, Workflow
from automations.kit.ids import PATTERN
from automations.ports import Notice
from automations.services.integrations.notifications import WorkspaceNotifier
from tests.api.access.members import add
from tests.api.answers import INSTANT, errors
from tests.api.conftest import Api

LIST = "/api/notifications"


def tell(api: Api, *users: str, title: str = "Hi") -> str:
    """Tell users what a step of an automation of the OWNER key tells them."""
    workflow = api.workflow()["id"]
    with unit_of_work() as session:
        workspace = session.get_one(Workflow, workflow).workspace_id
    notice = Notice(workspace, workflow, workflow, users or None, title, "Text", "/matters")
    return WorkspaceNotifier().notify(notice).notification_ids[0]


def belongs(role: str, member_id: str) -> None:
    """Give the key of a role to a member."""
    with unit_of_work() as session:
        session.execute(
            update(ApiKey).where(ApiKey.name == role.lower()).values(member_id=member_id)
        )


def titles(api: Api, path: str = LIST, role: str = "OWNER") -> list[str]:
    answer = api.call("GET", path, role=role)
    assert answer.status_code == 200, answer.text
    return [row["title"] for row in answer.json()["notifications"]]


@pytest.fixture
def ada(api: Api) -> str:
    """A member whose key is the VIEWER's."""
    member = str(add(api)["id"])
    belongs("VIEWER", member)
    return member


class TestList:
    def test_a_notification_has_the_documented_shape(self, api: Api, ada: str) -> None:
        tell(api, ada)
        answer = api.call("GET", LIST, role="VIEWER").json()
        (row,) = answer["notifications"]
        assert re.fullmatch(PATTERN, row["id"])
        assert re.fullmatch(INSTANT, row["createdAt"])
        assert {**row, "id": "", "createdAt": ""} == {
            "id": "",
            "type": "AUTOMATION",
            "title": "Hi",
            "message": "Text",
            "link": "/matters",
            "read": False,
            "createdAt": "",
        }
        assert answer["pagination"] == {"page": 1, "limit": 20, "total": 1, "pages": 1}

    def test_pages_are_newest_first(self, api: Api, ada: str) -> None:
        for title in "abc":
            tell(api, ada, title=title)
        assert titles(api, f"{LIST}?limit=2", "VIEWER") == ["c", "b"]
        answer = api.call("GET", f"{LIST}?limit=2&page=2", role="VIEWER").json()
        assert [row["title"] for row in answer["notifications"]] == ["a"]
        assert answer["pagination"] == {"page": 2, "limit": 2, "total": 3, "pages": 2}

    @pytest.mark.parametrize("query", ["page=0", "limit=0", "limit=101", "unreadOnly=x", "page=x"])
    def test_a_wrong_query_is_refused(self, api: Api, query: str) -> None:
        assert list(errors(api.call("GET", f"{LIST}?{query}"))) == [query.split("=")[0]]

    def test_a_key_without_a_member_sees_its_own_or_as_admin_a_members(
        self, api: Api, ada: str
    ) -> None:
        tell(api, ada, title="for ada")
        tell(api, title="for the key")
        assert titles(api) == ["for the key"]
        assert titles(api, f"{LIST}?userId={ada}", "ADMIN") == ["for ada"]
        assert titles(api, role="MEMBER") == []
        assert titles(api, role="VIEWER") == ["for ada"]
        for role, status in (("MEMBER", 403), ("STRANGER", 404)):
            assert api.call("GET", f"{LIST}?userId={ada}", role=role).status_code == status
        other = add(api, email="bob@b.example")["id"]
        assert api.call("GET", f"{LIST}?userId={other}", role="VIEWER").status_code == 403

    def test_an_automation_remembers_the_key_that_made_it(self, api: Api) -> None:
        workflow = api.workflow()["id"]
        with unit_of_work() as session:
            made_by = session.get_one(Workflow, workflow).created_by_key_id
            assert made_by == session.scalar(select(ApiKey.id).where(ApiKey.name == "owner"))


class TestMark:
    def test_a_read_one_leaves_the_unread_list(self, api: Api, ada: str) -> None:
        path = f"{LIST}/{tell(api, ada)}"
        unread = f"{LIST}?unreadOnly=true"
        for body in (None, {}, {"read": True}):
            answer = api.call("PATCH", path, body, role="VIEWER")
            assert (answer.status_code, answer.json()["read"]) == (200, True)
        assert titles(api, unread, "VIEWER") == []
        assert titles(api, LIST, "VIEWER") == ["Hi"]
        assert api.call("PATCH", path, {"read": False}, role="VIEWER").json()["read"] is False
        assert titles(api, unread, "VIEWER") == ["Hi"]

    @pytest.mark.parametrize("body", [{"read": "yes"}, {"title": "x"}])
    def test_a_wrong_body_is_refused(self, api: Api, ada: str, body: dict[str, Any]) -> None:
        path = f"{LIST}/{tell(api, ada)}"
        assert list(errors(api.call("PATCH", path, body, role="VIEWER"))) == list(body)

    @pytest.mark.parametrize("method", ["PATCH", "POST"])
    def test_all_at_once_are_the_callers_only(self, api: Api, ada: str, method: str) -> None:
        bob = str(add(api, email="bob@b.example")["id"])
        tell(api, ada, bob)
        tell(api, ada)
        path = f"{LIST}/mark-all-read"
        assert api.call(method, path, role="VIEWER").json() == {"updated": 2}
        assert api.call(method, path, role="VIEWER").json() == {"updated": 0}
        assert titles(api, f"{LIST}?userId={bob}&unreadOnly=true") == ["Hi"]
        assert api.call(method, f"{path}?userId={bob}").json() == {"updated": 1}


class TestDelete:
    def test_a_deleted_one_is_gone(self, api: Api, ada: str) -> None:
        path = f"{LIST}/{tell(api, ada)}"
        assert api.call("DELETE", path, role="VIEWER").status_code == 204
        assert titles(api, role="VIEWER") == []
        assert api.call("DELETE", path, role="VIEWER").status_code == 404

    def test_what_is_meant_for_others_does_not_exist(self, api: Api, ada: str) -> None:
        path = f"{LIST}/{tell(api, ada)}"
        for role in ("OWNER", "MEMBER", "STRANGER"):
            for method in ("PATCH", "DELETE"):
                answer = api.call(method, path, role=role)
                assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")
        assert titles(api, role="VIEWER") == ["Hi"]
