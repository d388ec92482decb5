"""Decisions on submissions, their changes, and the versions of forms."""

from __future__ import annotations

import copy
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select

from automations.db.session import unit_of_work
from automations.db.tables import Event, Job
from tests.api.answers import INSTANT, errors
from tests.api.conftest import FORM, Api

DATA = {"email": "a@b.example", "age": 7}


def submit(api: Api, form: str | None = None) -> dict[str, Any]:
    answer = api.call("POST", "/api/submissions", {"formId": form or api.form(), "data": DATA})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def decisions() -> list[Event]:
    with unit_of_work() as session:
        query = select(Event).where(Event.type != "FORM_SUBMITTED")
        return list(session.scalars(query))


class TestDecide:
    @pytest.mark.parametrize(("act", "status"), [("approve", "APPROVED"), ("reject", "REJECTED")])
    def test_a_decision_and_its_event_are_one_transaction(
        self, api: Api, act: str, status: str
    ) -> None:
        made = submit(api)
        answer = api.call("POST", f"/api/submissions/{made['id']}/{act}", role="MEMBER")
        decided = answer.json()
        assert (answer.status_code, decided["status"]) == (200, status)
        assert decided["decidedBy"] == "member"
        assert re.fullmatch(INSTANT, decided["decidedAt"])
        assert api.call("GET", f"/api/submissions/{made['id']}").json() == decided
        (event,) = decisions()
        kind = f"FORM_{status}"
        assert (event.type, event.trigger_key) == (kind, f"event:{kind}:{made['formId']}")
        assert event.data == {
            "submissionId": made["id"],
            "formId": made["formId"],
            "formTitle": "Signup",
            "submission": DATA,
        }
        with unit_of_work() as session:
            assert event.id in set(session.scalars(select(Job.subject_id)))

    def test_a_second_decision_conflicts(self, api: Api) -> None:
        path = f"/api/submissions/{submit(api)['id']}"
        assert api.call("POST", f"{path}/reject").status_code == 200
        for act in ("approve", "reject"):
            answer = api.call("POST", f"{path}/{act}")
            assert (answer.status_code, answer.json()["code"]) == (409, "CONFLICT")
            assert "rejected before" in answer.json()["error"]
        assert len(decisions()) == 1

    def test_of_decisions_at_once_one_counts(self, api: Api) -> None:
        path = f"/api/submissions/{submit(api)['id']}"
        with ThreadPoolExecutor(8) as pool:
            answers = pool.map(
                lambda act: api.call("POST", f"{path}/{act}").status_code,
                ["approve", "reject"] * 4,
            )
            assert sorted(answers) == [200] + [409] * 7
        assert len(decisions()) == 1

    def test_a_submission_of_a_deleted_form_can_be_decided(self, api: Api) -> None:
        made = submit(api)
        assert api.call("DELETE", f"/api/forms/{made['formId']}").status_code == 204
        assert api.call("POST", f"/api/submissions/{made['id']}/approve").status_code == 200


class TestChange:
    def test_what_it_held_is_kept(self, api: Api) -> None:
        path = f"/api/submissions/{submit(api)['id']}"
        for age in (8, 9):
            body = {"data": {**DATA, "age": age}}
            answer = api.call("PATCH", path, body, role="MEMBER")
            assert (answer.status_code, answer.json()["data"]) == (200, body["data"])
        first, second = api.call("GET", f"{path}/snapshots", role="VIEWER").json()
        assert (first["number"], first["data"], first["changedBy"]) == (1, DATA, "member")
        assert (second["number"], second["data"]["age"]) == (2, 8)
        assert re.fullmatch(INSTANT, first["createdAt"])

    def test_changes_at_once_are_all_kept(self, api: Api) -> None:
        path = f"/api/submissions/{submit(api)['id']}"
        with ThreadPoolExecutor(6) as pool:
            answers = pool.map(
                lambda age: api.call("PATCH", path, {"data": {**DATA, "age": age}}).status_code,
                range(6),
            )
            assert list(answers) == [200] * 6
        snapshots = api.call("GET", f"{path}/snapshots").json()
        assert [row["number"] for row in snapshots] == [1, 2, 3, 4, 5, 6]
        page = api.call("GET", f"{path}/snapshots?limit=4")
        assert [row["number"] for row in page.json()] == [1, 2, 3, 4]
        following = api.call("GET", page.links["next"]["url"])
        assert [row["number"] for row in following.json()] == [5, 6]
        assert "next" not in following.links

    def test_values_are_checked_against_the_form_as_it_is_now(self, api: Api) -> None:
        made = submit(api)
        path = f"/api/submissions/{made['id']}"
        field_errors = errors(api.call("PATCH", path, {"data": {"email": "nobody", "zzz": 1}}))
        assert sorted(field_errors) == ["data.email", "data.zzz"]
        assert errors(api.call("PATCH", path, {"data": [1]}))
        assert errors(api.call("PATCH", path, {"status": "APPROVED"}))
        schema: Any = copy.deepcopy(FORM["schema"])
        schema["sections"][0]["fields"].pop()
        api.call("PATCH", f"/api/forms/{made['formId']}", {"schema": schema})
        assert list(errors(api.call("PATCH", path, {"data": DATA}))) == ["data.age"]
        answer = api.call("PATCH", path, {"data": {"email": "b@b.example"}})
        assert answer.json()["formVersion"] == 2

    def test_a_decided_one_stays_as_it_is(self, api: Api) -> None:
        path = f"/api/submissions/{submit(api)['id']}"
        api.call("POST", f"{path}/approve")
        assert api.call("PATCH", path, {"data": DATA}).status_code == 409
        assert api.call("GET", f"{path}/snapshots").json() == []

    def test_one_of_a_deleted_form_stays_as_it_is(self, api: Api) -> None:
        made = submit(api)
        api.call("DELETE", f"/api/forms/{made['formId']}")
        answer = api.call("PATCH", f"/api/submissions/{made['id']}", {"data": DATA})
        assert answer.status_code == 409


class TestForms:
    def test_a_change_makes_a_version_and_the_ones_before_stay(self, api: Api) -> None:
        path = f"/api/forms/{api.form()}"
        before = api.call("GET", path).json()
        after = api.call("PATCH", path, {"title": "New", "description": "D"}).json()
        assert (after["version"], after["title"], after["description"]) == (2, "New", "D")
        assert after["schema"] == before["schema"]
        old = api.call("GET", f"{path}?version=1", role="VIEWER").json()
        assert {**old, "updatedAt": ""} == {**before, "updatedAt": ""}
        assert api.call("GET", f"{path}?version=2").json() == after
        assert api.call("GET", f"{path}?version=3").status_code == 404
        assert errors(api.call("GET", f"{path}?version=0"))

    def test_what_changes_nothing_makes_no_version(self, api: Api) -> None:
        path = f"/api/forms/{api.form()}"
        before = api.call("GET", path).json()
        for body in ({}, {"title": before["title"]}, {"schema": FORM["schema"]}):
            assert api.call("PATCH", path, body).json() == before

    @pytest.mark.parametrize(
        "body",
        [{"title": ""}, {"schema": {}}, {"version": 9}],
    )
    def test_a_wrong_change_is_refused(self, api: Api, body: dict[str, Any]) -> None:
        path = f"/api/forms/{api.form()}"
        assert errors(api.call("PATCH", path, body))
        assert api.call("GET", path).json()["version"] == 1

    def test_fields_have_a_key_each(self, api: Api) -> None:
        fields = [{"id": str(place), "key": "a", "type": "text"} for place in range(2)]
        body = {"title": "x", "schema": {"sections": [{"id": "s", "fields": fields}]}}
        where = ["schema.sections.0.fields.1.key"]
        assert list(errors(api.call("POST", "/api/forms", body))) == where
        assert list(errors(api.call("PATCH", f"/api/forms/{api.form()}", body))) == where

    def test_a_deleted_form_is_gone_and_its_submissions_stay(self, api: Api) -> None:
        made = submit(api)
        path = f"/api/forms/{made['formId']}"
        assert api.call("DELETE", path).status_code == 204
        assert api.call("GET", path).status_code == 404
        assert api.call("PATCH", path, {"title": "x"}).status_code == 404
        assert api.call("DELETE", path).status_code == 404
        assert api.call("GET", "/api/forms").json() == []
        body = {"formId": made["formId"], "data": DATA}
        assert api.call("POST", "/api/submissions", body).status_code == 404
        assert api.call("GET", f"/api/submissions/{made['id']}").json()["data"] == DATA


class TestList:
    def test_pages_lead_through_all_of_a_form_and_a_status(self, api: Api) -> None:
        form = api.form()
        made = [submit(api, form)["id"] for _ in range(5)]
        other, decided = submit(api)["id"], made.pop(1)
        assert api.call("POST", f"/api/submissions/{decided}/approve").status_code == 200
        seen: list[str] = []
        address: str | None = f"/api/submissions?formId={form}&status=PENDING&limit=2"
        while address is not None:
            answer = api.call("GET", address, role="VIEWER")
            seen += [submission["id"] for submission in answer.json()]
            link = answer.links.get("next")
            address = link and link["url"]
        assert seen == made[::-1]
        whole = api.call("GET", "/api/submissions")
        assert {submission["id"] for submission in whole.json()} == {*made, other, decided}
        assert "link" not in whole.headers

    @pytest.mark.parametrize("query", ["status=pending", "cursor=x", "limit=101"])
    def test_a_wrong_parameter_is_named(self, api: Api, query: str) -> None:
        answer = api.call("GET", f"/api/submissions?{query}")
        assert list(errors(answer)) == [query.partition("=")[0]]


class TestAccess:
    def test_every_route_keeps_its_role_and_its_workspace(self, api: Api) -> None:
        form = api.form()
        one, two = submit(api, form)["id"], submit(api, form)["id"]
        routes: list[tuple[str, str, Any, str]] = [
            ("GET", f"/api/submissions/{one}/snapshots", None, "VIEWER"),
            ("PATCH", f"/api/submissions/{one}", {"data": DATA}, "MEMBER"),
            ("POST", f"/api/submissions/{one}/approve", None, "MEMBER"),
            ("POST", f"/api/submissions/{two}/reject", None, "MEMBER"),
            ("PATCH", f"/api/forms/{form}", {"title": "x"}, "ADMIN"),
            ("DELETE", f"/api/forms/{form}", None, "ADMIN"),
        ]
        ranks = ["VIEWER", "MEMBER", "ADMIN", "OWNER"]
        for method, path, body, needed in routes:
            for role in ranks[: ranks.index(needed)]:
                answer = api.call(method, path, body, role=role)
                assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN"), path
            stranger = api.call(method, path, body, role="STRANGER")
            assert (stranger.status_code, stranger.json()["code"]) == (404, "NOT_FOUND"), path
            assert api.call(method, path, body, role=needed).status_code in (200, 204), path
