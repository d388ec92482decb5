"""Matters and their boards over HTTP."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import select

from automations.db.session import unit_of_work
from automations.db.tables import Event
from automations.kit.ids import PATTERN
from automations.kit.values import JSON
from tests.api.access.members import add
from tests.api.answers import INSTANT, errors
from tests.api.conftest import Api
from tests.api.matters.boards import BOARDS, MATTERS, board, matter
from tests.db.workspace import BOARD


def events() -> list[str]:
    with unit_of_work() as session:
        return list(session.scalars(select(Event.type).order_by(Event.created_at)))


class TestTemplates:
    def test_a_board_has_the_documented_shape(self, api: Api) -> None:
        made = board(api, boardType="KANBAN", description="D")
        assert re.fullmatch(PATTERN, made["id"])
        assert (made["name"], made["boardType"], made["description"]) == (
            "Onboarding",
            "KANBAN",
            "D",
        )
        assert made["steps"][1] == {
            "id": "check",
            "name": "KYC Review",
            "type": "APPROVAL",
            "order": 1,
        }
        assert re.fullmatch(INSTANT, made["createdAt"])
        assert api.call("GET", BOARDS, role="VIEWER").json() == [made]
        assert api.call("GET", f"{BOARDS}/{made['id']}", role="VIEWER").json() == made
        assert api.call("GET", BOARDS, role="STRANGER").json() == []

    def test_put_replaces_and_delete_removes(self, api: Api) -> None:
        made = board(api)
        path = f"{BOARDS}/{made['id']}"
        body = {"name": "B", "boardType": "PIPELINE", "steps": [{"name": "A", "type": "TASK"}]}
        after = api.call("PUT", path, body, role="ADMIN").json()
        assert (after["id"], after["name"], after["boardType"]) == (made["id"], "B", "PIPELINE")
        assert [step["name"] for step in after["steps"]] == ["A"]
        assert api.call("DELETE", path, role="ADMIN").status_code == 204
        assert api.call("GET", path).status_code == 404
        assert api.call("DELETE", path).status_code == 404
        assert api.call("GET", BOARDS).json() == []
        answer = api.call("POST", MATTERS, {"templateId": made["id"], "title": "x"})
        assert answer.status_code == 404

    @pytest.mark.parametrize("method", ["POST", "PUT"])
    @pytest.mark.parametrize(
        ("change", "path"),
        [
            ({"name": ""}, "name"),
            ({"boardType": "SCRUM"}, "boardType"),
            ({"steps": []}, "steps"),
            ({"steps": None}, "steps"),
            ({"steps": [{"name": "A", "type": "nope"}]}, "steps.0.type"),
            ({"steps": [{"name": "A", "type": "TASK", "order": "x"}]}, "steps.0.order"),
            ({"steps": [{"name": "A", "type": "TASK", "color": "x"}]}, "steps.0.color"),
            ({"steps": [{"id": "a", "name": "A", "type": "TASK"}] * 2}, "body"),
            ({"kind": "x"}, "kind"),
        ],
    )
    def test_a_refusal_names_the_field(
        self, api: Api, method: str, change: dict[str, Any], path: str
    ) -> None:
        where = BOARDS if method == "POST" else f"{BOARDS}/{board(api)['id']}"
        assert path in errors(api.call(method, where, {**BOARD, **change}))


class TestCreate:
    def test_a_matter_has_the_documented_shape(self, api: Api) -> None:
        ada = add(api)["id"]
        template = board(api)["id"]
        made = matter(
            api,
            template,
            tags=["kyc", "kyc", "eu"],
            priority="URGENT",
            assigneeId=ada,
            properties={"amount": 7},
        )
        steps = made["steps"]
        fixed = {**made, "id": "", "createdAt": "", "updatedAt": "", "steps": []}
        assert fixed == {
            "id": "",
            "number": "MAT-0001",
            "templateId": template,
            "title": "Acme",
            "status": "ACTIVE",
            "priority": "URGENT",
            "tags": ["kyc", "eu"],
            "assigneeId": ada,
            "properties": {"amount": 7},
            "currentStepId": steps[0]["id"],
            "createdBy": "member",
            "createdAt": "",
            "updatedAt": "",
            "completedAt": None,
            "steps": [],
        }
        assert [(step["name"], step["type"], step["status"]) for step in steps] == [
            ("Fill in", "FORM", "PENDING"),
            ("KYC Review", "APPROVAL", "PENDING"),
            ("Sign", "SIGN_DOCUMENTS", "PENDING"),
        ]
        assert api.call("GET", f"{MATTERS}/{made['id']}", role="VIEWER").json() == made
        assert matter(api)["number"] == "MAT-0002"

    @pytest.mark.parametrize(
        ("change", "path"),
        [
            ({"title": " "}, "title"),
            ({"title": 5}, "title"),
            ({"tags": "a"}, "tags"),
            ({"tags": [""]}, "tags.0"),
            ({"tags": ["x"] * 51}, "tags"),
            ({"priority": "high"}, "priority"),
            ({"assigneeId": "nobody"}, "assigneeId"),
            ({"assigneeId": 5}, "assigneeId"),
            ({"properties": []}, "properties"),
            ({"number": "MAT-1"}, "number"),
        ],
    )
    def test_a_refusal_names_the_field(self, api: Api, change: dict[str, Any], path: str) -> None:
        body = {"templateId": board(api)["id"], "title": "Acme", **change}
        assert path in errors(api.call("POST", MATTERS, body))
        made = matter(api)
        if path != "number":
            assert path in errors(api.call("PATCH", f"{MATTERS}/{made['id']}", change))
        assert api.call("GET", MATTERS).json()["pagination"]["total"] == 1

    def test_what_another_workspace_has_does_not_exist(self, api: Api) -> None:
        body = {"templateId": board(api)["id"], "title": "x"}
        assert api.call("POST", MATTERS, body, role="STRANGER").status_code == 404
        stranger = api.call(
            "POST", "/api/members", {"name": "E", "email": "e@b.example"}, role="STRANGER"
        ).json()["id"]
        field_errors = errors(api.call("POST", MATTERS, {**body, "assigneeId": stranger}))
        assert field_errors == {"assigneeId": [f"there is no member {stranger}"]}


class TestList:
    def test_filters_and_pages(self, api: Api) -> None:
        one, two = board(api)["id"], board(api)["id"]
        first, second, third = matter(api, one), matter(api, two), matter(api, one)
        api.call("DELETE", f"{MATTERS}/{third['id']}")

        def numbers(query: str) -> list[str]:
            answer = api.call("GET", f"{MATTERS}?{query}", role="VIEWER").json()
            return [row["number"] for row in answer["matters"]]

        assert numbers("") == ["MAT-0003", "MAT-0002", "MAT-0001"]
        assert numbers(f"templateId={one}") == ["MAT-0003", "MAT-0001"]
        assert numbers("status=ACTIVE") == [second["number"], first["number"]]
        assert numbers(f"status=CANCELLED&templateId={two}") == []
        answer = api.call("GET", f"{MATTERS}?limit=2&page=2").json()
        assert answer["pagination"] == {"page": 2, "limit": 2, "total": 3, "pages": 2}
        assert [row["id"] for row in answer["matters"]] == [first["id"]]
        assert "steps" not in answer["matters"][0]
        assert api.call("GET", MATTERS, role="STRANGER").json()["matters"] == []

    @pytest.mark.parametrize("query", ["status=open", "page=0", "limit=101", "limit=x"])
    def test_a_wrong_query_is_refused(self, api: Api, query: str) -> None:
        assert list(errors(api.call("GET", f"{MATTERS}?{query}"))) == [query.split("=")[0]]


class TestUpdateAndCancel:
    def test_only_what_is_given_changes(self, api: Api) -> None:
        ada = add(api)["id"]
        made = matter(api, assigneeId=ada, tags=["a"], properties={"n": 1})
        path = f"{MATTERS}/{made['id']}"
        after = api.call("PATCH", path, {"priority": "LOW"}, role="MEMBER").json()
        assert after["updatedAt"] >= made["updatedAt"]
        assert {**after, "updatedAt": ""} == {**made, "priority": "LOW", "updatedAt": ""}
        body: dict[str, JSON] = {"title": "B", "tags": [], "assigneeId": None, "properties": {}}
        after = api.call("PATCH", path, body).json()
        assert {name: after[name] for name in body} == body
        assert api.call("PATCH", path, {}).json() == after

    def test_each_tag_is_there_once_however_it_came(self, api: Api) -> None:
        made = matter(api, tags=["a", "b", "a "])
        changed = api.call("PATCH", f"{MATTERS}/{made['id']}", {"tags": ["b, c", "a", "b, c"]})
        assert (made["tags"], changed.json()["tags"]) == (["a", "b"], ["b, c", "a"])

    def test_a_cancelled_matter_can_be_read_only(self, api: Api) -> None:
        made = matter(api)
        path = f"{MATTERS}/{made['id']}"
        answer = api.call("DELETE", path, role="MEMBER")
        assert (answer.status_code, answer.json()["status"]) == (200, "CANCELLED")
        step = f"{path}/steps/{made['steps'][0]['id']}"
        for method, where, body in (
            ("DELETE", path, None),
            ("PATCH", path, {"title": "x"}),
            ("POST", f"{path}/advance", None),
            ("POST", f"{path}/goto", {"stepId": made["steps"][0]["id"]}),
            ("POST", f"{step}/complete", None),
            ("POST", f"{step}/reject", None),
        ):
            answer = api.call(method, where, body)
            assert (answer.status_code, answer.json()["code"]) == (409, "CONFLICT"), where
        assert api.call("GET", path).json()["status"] == "CANCELLED"


class TestSteps:
    def test_a_second_decision_conflicts(self, api: Api) -> None:
        made = matter(api)
        path = f"{MATTERS}/{made['id']}/steps/{made['steps'][0]['id']}"
        answer = api.call("POST", f"{path}/complete", role="MEMBER")
        assert answer.status_code == 200
        step = answer.json()["steps"][0]
        assert (step["status"], step["decidedBy"]) == ("COMPLETED", "member")
        assert re.fullmatch(INSTANT, step["decidedAt"])
        for act in ("complete", "reject"):
            assert api.call("POST", f"{path}/{act}").status_code == 409
        assert events() == ["MATTER_STEP_COMPLETED"]

    def test_a_rejected_step_is_opened_by_going_to_it(self, api: Api) -> None:
        made = matter(api)
        path, step = f"{MATTERS}/{made['id']}", made["steps"][0]["id"]
        answer = api.call("POST", f"{path}/steps/{step}/reject")
        assert answer.json()["steps"][0]["status"] == "REJECTED"
        assert api.call("POST", f"{path}/advance").status_code == 409
        assert api.call("POST", f"{path}/goto", {"stepId": step}).status_code == 200
        assert api.call("POST", f"{path}/advance", {"fromStepId": step}).status_code == 200
        assert events() == ["MATTER_STEP_REJECTED", "MATTER_STEP_COMPLETED"]

    def test_advancing_from_another_step_conflicts(self, api: Api) -> None:
        made = matter(api)
        body = {"fromStepId": made["steps"][1]["id"]}
        assert api.call("POST", f"{MATTERS}/{made['id']}/advance", body).status_code == 409
        assert events() == []

    def test_a_step_of_another_matter_is_not_found(self, api: Api) -> None:
        made, other = matter(api), matter(api)
        path, step = f"{MATTERS}/{made['id']}", other["steps"][0]["id"]
        assert api.call("POST", f"{path}/steps/{step}/complete").status_code == 404
        assert api.call("POST", f"{path}/steps/{step}/reject").status_code == 404
        assert api.call("POST", f"{path}/goto", {"stepId": step}).status_code == 404

    @pytest.mark.parametrize("body", [{}, {"stepId": 5}, {"stepId": "x", "more": 1}])
    def test_a_wrong_goto_is_refused(self, api: Api, body: dict[str, Any]) -> None:
        assert errors(api.call("POST", f"{MATTERS}/{matter(api)['id']}/goto", body))


class TestAccess:
    def test_every_route_keeps_its_role_and_its_workspace(self, api: Api) -> None:
        template = board(api)["id"]
        made = matter(api, template)
        step = made["steps"][0]["id"]
        path = f"{MATTERS}/{made['id']}"
        goto = {"stepId": step}
        routes: list[tuple[str, str, Any, str]] = [
            ("GET", f"{BOARDS}/{template}", None, "VIEWER"),
            ("GET", path, None, "VIEWER"),
            ("PATCH", path, {}, "MEMBER"),
            ("POST", f"{path}/steps/{step}/complete", None, "MEMBER"),
            ("POST", f"{path}/goto", goto, "MEMBER"),
            ("POST", f"{path}/steps/{step}/reject", None, "MEMBER"),
            ("POST", f"{path}/goto", goto, "MEMBER"),
            ("POST", f"{path}/advance", None, "MEMBER"),
            ("DELETE", path, None, "MEMBER"),
            ("PUT", f"{BOARDS}/{template}", BOARD, "ADMIN"),
            ("DELETE", f"{BOARDS}/{template}", None, "ADMIN"),
        ]
        ranks = ["VIEWER", "MEMBER", "ADMIN", "OWNER"]
        for method, where, body, needed in routes:
            for role in ranks[: ranks.index(needed)]:
                answer = api.call(method, where, body, role=role)
                assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN"), where
            stranger = api.call(method, where, body, role="STRANGER")
            assert (stranger.status_code, stranger.json()["code"]) == (404, "NOT_FOUND"), where
            answer = api.call(method, where, body, role=needed)
            assert answer.status_code in (200, 204), (where, answer.text)
        assert api.call("POST", BOARDS, BOARD, role="MEMBER").status_code == 403
        body = {"templateId": template, "title": "x"}
        assert api.call("POST", MATTERS, body, role="VIEWER").status_code == 403
