"""Automations over HTTP: shapes, refusals and roles."""

from __future__ import annotations

import json
import re
from typing import Any, ClassVar

import pytest
from sqlalchemy import select

from automations.db.session import unit_of_work
from automations.db.tables import Event, Job, WorkflowVersion
from automations.kit.ids import PATTERN, new_id
from automations.launcher.demo import welcome
from tests.api.answers import INSTANT, errors
from tests.api.conftest import Api
from tests.environment import Environment


def stored(workflow_id: str) -> dict[str, Any]:
    """The newest definition, as it is kept."""
    query = (
        select(WorkflowVersion.definition)
        .where(WorkflowVersion.workflow_id == workflow_id)
        .order_by(WorkflowVersion.version.desc())
        .limit(1)
    )
    with unit_of_work() as session:
        found: dict[str, Any] = session.scalars(query).one()
        return found


class TestCreate:
    def test_the_specifications_example_is_taken_word_for_word(self, api: Api) -> None:
        form = api.form()
        answer = api.call("POST", "/api/workflows", welcome(form))
        assert answer.status_code == 201
        created = answer.json()
        assert re.fullmatch(PATTERN, created["id"])
        assert created["trigger"] == {
            "type": "form_submission",
            "formId": form,
            "config": {"formId": form},
        }
        assert created["steps"][0]["config"]["to"] == "{{submission.email}}"
        (listed,) = api.call("GET", "/api/workflows").json()
        assert listed["_count"] == {"runs": 0}
        assert re.fullmatch(INSTANT, listed["createdAt"])
        assert api.call("GET", f"/api/workflows/{created['id']}").json() == created

    @pytest.mark.parametrize(
        ("step", "path", "message"),
        [
            ({"type": "nope"}, "steps.0.type", "unknown type 'nope'"),
            (
                {"type": "email", "config": {"to": "a@b.example"}},
                "steps.0.config.subject",
                "is req",
            ),
            (
                {"type": "delay", "config": {"duration": "PT1S", "zzz": 1}},
                "steps.0.config.zzz",
                "unknown field",
            ),
            ({"type": "delay", "config": {"duration": "5m"}}, "steps.0.config.duration", "ISO"),
            (
                {"type": "delay", "retry": {"maxAttempts": "3"}},
                "steps.0.retry.maxAttempts",
                "whole",
            ),
            (
                {"type": "delay", "config": {"duration": "{{foo.x}}"}},
                "steps.0.config.duration",
                "unknown name 'foo'",
            ),
            (
                {"type": "delay", "config": {"duration": "{{steps.later.x}}"}},
                "steps.0.config.duration",
                "no step 'later'",
            ),
            (
                {"type": "delay", "config": {"duration": "{{ input."}},
                "steps.0.config.duration",
                "not a valid template",
            ),
        ],
    )
    def test_a_refusal_names_the_field(
        self, api: Api, step: dict[str, Any], path: str, message: str
    ) -> None:
        body = {"name": "x", "steps": [{"name": "a", "order": 0, "config": {}, **step}]}
        field_errors = errors(api.call("POST", "/api/workflows", body))
        assert message in field_errors[path][0]
        assert api.call("GET", "/api/workflows").json() == []

    def test_braces_in_code_are_no_template(self, api: Api) -> None:
        config = {"code": "const a = {b: {c: `${{}}{{foo`}}; return a", "input": "{{trigger}}"}
        step = {"name": "a", "type": "code", "order": 0, "config": config}
        answer = api.call("POST", "/api/workflows", {"name": "x", "steps": [step]})
        assert answer.status_code == 201, answer.text
        assert answer.json()["steps"][0]["config"] == config

    def test_either_shape_of_a_trigger_may_be_changed(self, api: Api) -> None:
        """What answers show is flat and nested: a change of one of both must not get lost."""
        forms = [api.form(), api.form()]
        automation = api.workflow(trigger={"type": "form_submission", "formId": forms[0]})
        path = f"/api/workflows/{automation['id']}"
        for change in ({"formId": forms[1]}, {"config": {"formId": forms[1]}}):
            answer = api.call("PATCH", path, {"trigger": {**automation["trigger"], **change}})
            assert answer.status_code == 200, answer.text
            trigger = answer.json()["trigger"]
            assert trigger["formId"] == trigger["config"]["formId"] == forms[1]
            answer = api.call("PATCH", path, {"trigger": automation["trigger"]})
            assert answer.json()["formId"] == forms[0]

    def test_a_secret_may_be_changed_in_either_shape(self, api: Api) -> None:
        hook = {
            "type": "webhook",
            "verification": "header",
            "header": "X-Key",
            "secret": "the-old-one",
        }
        automation = api.workflow(trigger=hook)
        path = f"/api/workflows/{automation['id']}"
        for change in ({"secret": "the-new-one"}, {"config": {"secret": "a-newer-one"}}):
            before = stored(automation["id"])["trigger"]["secret"]
            answer = api.call("PATCH", path, {"trigger": {**automation["trigger"], **change}})
            assert answer.status_code == 200, answer.text
            assert stored(automation["id"])["trigger"]["secret"] != before

    def test_a_trigger_that_says_two_new_things_is_refused(self, api: Api) -> None:
        forms = [api.form(), api.form(), api.form()]
        automation = api.workflow(trigger={"type": "form_submission", "formId": forms[0]})
        both = {"formId": forms[1], "config": {"formId": forms[2]}}
        for trigger in (
            {**automation["trigger"], **both},
            {**automation["trigger"], "config": {"type": "manual", "formId": forms[0]}},
        ):
            answer = api.call("PATCH", f"/api/workflows/{automation['id']}", {"trigger": trigger})
            assert answer.status_code == 400, answer.text
            (message,) = answer.json()["details"]["fieldErrors"]["trigger"]
            assert "say different things" in message

    def test_a_form_id_is_the_forms_that_starts_it_or_refused(self, api: Api) -> None:
        forms = [api.form(), api.form()]
        of_form = {"type": "form_submission", "config": {"formId": forms[0]}}
        of_event = {"type": "event", "config": {"triggerType": "FORM_APPROVED"}}
        for trigger in (of_form, of_event):
            body = {"name": "x", "formId": forms[1], "trigger": trigger}
            answer = api.call("POST", "/api/workflows", body)
            assert list(answer.json()["details"]["fieldErrors"]) == ["formId"], answer.text
        listening = f"/api/workflows/{api.workflow(trigger=of_event)['id']}"
        assert api.call("PATCH", listening, {"formId": forms[1]}).status_code == 400
        assert api.call("PATCH", listening, {"formId": None}).status_code == 200

    def test_a_form_id_alone_links_and_null_unlinks(self, api: Api) -> None:
        form, path = api.form(), f"/api/workflows/{api.workflow()['id']}"
        for given, kind in ((form, "form_submission"), (None, "manual"), (form, "form_submission")):
            changed = api.call("PATCH", path, {"formId": given}).json()
            assert (changed["formId"], changed["trigger"]["type"]) == (given, kind)
            assert api.call("PATCH", path, {"name": "Other"}).json()["formId"] == given

    def test_two_steps_of_one_list_cannot_share_an_order(self, api: Api) -> None:
        step = {"name": "a", "type": "delay", "order": 3, "config": {"duration": "PT1S"}}
        field_errors = errors(
            api.call("POST", "/api/workflows", {"name": "x", "steps": [step, step]})
        )
        assert "another step's order" in field_errors["steps.1.order"][0]

    def test_a_form_of_another_workspace_does_not_exist(self, api: Api) -> None:
        field_errors = errors(
            api.call("POST", "/api/workflows", welcome(api.form()), role="STRANGER")
        )
        assert list(field_errors) == ["trigger.config.formId"]

    def test_what_a_trigger_names_is_named_where_it_was_written(self, api: Api) -> None:
        gone = new_id()
        flat = {"type": "form_submission", "formId": gone}
        nested = {"type": "form_submission", "config": {"formId": gone}}
        schema = {"type": "manual", "inputSchema": {"type": "nope"}}
        secret = {"type": "webhook", "verification": "github", "secret": "{{input.key}}"}
        for body, field in (
            ({"formId": gone}, "formId"),
            ({"trigger": flat}, "trigger.formId"),
            ({"trigger": nested}, "trigger.config.formId"),
            ({"trigger": schema}, "trigger.inputSchema"),
            ({"trigger": secret}, "trigger.secret"),
        ):
            answer = api.call("POST", "/api/workflows", {"name": "x", **body})
            assert list(errors(answer)) == [field]

    @pytest.mark.parametrize(
        "body", [b"{bad", b'{"name": "\\u0000"}', b'{"name": NaN}', b"[" * 80 + b"]" * 80, b"\xff"]
    )
    def test_a_body_that_cannot_be_stored_is_refused(self, api: Api, body: bytes) -> None:
        headers = {
            "Authorization": f"Bearer {api.keys['OWNER']}",
            "Content-Type": "application/json",
        }
        answer = api.http.post("/api/workflows", content=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_ERROR")

    def test_a_body_that_is_too_large_is_refused(self, api: Api) -> None:
        answer = api.call("POST", "/api/workflows", {"name": "x" * 1_000_001})
        assert (answer.status_code, answer.json()["code"]) == (413, "PAYLOAD_TOO_LARGE")


class TestChange:
    def test_a_patch_makes_a_version_and_keeps_the_ids_of_its_steps(self, api: Api) -> None:
        before = api.workflow()
        step = {"name": "Wait", "type": "delay", "order": 0, "config": {"duration": "PT2H"}}
        answer = api.call("PATCH", f"/api/workflows/{before['id']}", {"steps": [step]})
        after = answer.json()
        assert (after["version"], after["status"]) == (2, "ACTIVE")
        assert after["steps"][0]["id"] == before["steps"][0]["id"]
        assert after["steps"][0]["config"] == {"duration": "PT2H"}

    @pytest.mark.parametrize("fields", [(), ("name",), ("status", "steps"), ("formId", "trigger")])
    def test_a_patch_that_changes_nothing_makes_no_version(
        self, api: Api, fields: tuple[str, ...]
    ) -> None:
        before = api.call("POST", "/api/workflows", welcome(api.form())).json()
        path = f"/api/workflows/{before['id']}"
        payload = {field: before[field] for field in fields}
        answer = api.call("PATCH", path, payload)
        assert answer.status_code == 200, answer.text
        assert answer.json() == {**before, "inFlight": answer.json()["inFlight"]}
        assert api.call("GET", path).json() == before
        assert api.call("PATCH", path, {"name": "Another"}).json()["version"] == 2

    @pytest.mark.parametrize(
        "more",
        [
            {},
            {"trigger": {"type": "webhook", "verification": "github", "secret": "top secret"}},
            {"trigger": {"type": "schedule", "cron": "0 9 * * 1"}, "timezone": "Europe/Warsaw"},
            {"variables": {"b": 1, "a": 2}, "description": "x", "budget": {"maxTokens": 9}},
            {"rateLimit": {"limit": 1, "per": "PT1H"}, "concurrency": {"limit": 2}, "key": "k"},
        ],
    )
    def test_what_is_read_and_sent_back_makes_no_version(
        self, api: Api, more: dict[str, Any]
    ) -> None:
        path = f"/api/workflows/{api.workflow(**more)['id']}"
        before = api.call("GET", path).json()
        answer = api.call("PATCH", path, before)
        assert answer.status_code == 200, answer.text
        assert answer.json() == {**before, "inFlight": answer.json()["inFlight"]}
        changed = {**before, "description": "other", "variables": {}}
        assert api.call("PATCH", path, changed).json()["version"] == 2

    def test_a_change_of_one_kind_of_value_is_a_change(self, api: Api) -> None:
        step = {"name": "Note", "type": "code", "order": 0, "config": {"code": "return 1"}}
        before = api.workflow(steps=[step], variables={"n": 1})
        path = f"/api/workflows/{before['id']}"
        assert api.call("PATCH", path, {"variables": {"n": 1}}).json()["version"] == 1
        assert api.call("PATCH", path, {"variables": {"n": True}}).json()["version"] == 2
        assert api.call("PATCH", path, {"status": "PAUSED"}).json()["version"] == 3

    def test_a_refused_patch_changes_nothing(self, api: Api) -> None:
        before = api.workflow()
        errors(api.call("PATCH", f"/api/workflows/{before['id']}", {"steps": [{}]}))
        assert api.call("GET", f"/api/workflows/{before['id']}").json() == before

    def test_a_deleted_automation_is_gone(self, api: Api) -> None:
        path = f"/api/workflows/{api.workflow()['id']}"
        assert api.call("DELETE", path).status_code == 204
        assert api.call("GET", path).status_code == 404
        assert api.call("GET", "/api/workflows").json() == []


class TestExecute:
    def test_a_run_is_committed_before_the_answer(self, api: Api) -> None:
        workflow = api.workflow()["id"]
        answer = api.call("POST", f"/api/workflows/{workflow}/execute").json()
        assert set(answer) == {"runId", "status", "startedAt"}
        assert answer["status"] == "RUNNING"
        with unit_of_work() as session:
            (job,) = session.scalars(select(Job)).all()
        assert (job.kind, job.subject_id) == ("start_run", answer["runId"])
        page = api.call("GET", f"/api/workflows/{workflow}/runs?page=1&pageSize=20").json()
        assert page["pagination"] == {"page": 1, "pageSize": 20, "total": 1, "totalPages": 1}
        assert set(page["runs"][0]) == {"id", "status", "startedAt", "completedAt", "error"}
        run = api.call("GET", f"/api/workflows/{workflow}/runs/{answer['runId']}").json()["run"]
        assert run["state"]["pendingNodeIds"]
        assert run["workflow"]["name"] == "Test"
        stats = api.call("GET", "/api/workflows/stats").json()
        assert (stats["workflows"]["active"], stats["runs"]["running"]) == (1, 1)

    def test_the_input_must_satisfy_the_triggers_schema(self, api: Api) -> None:
        schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
        workflow = api.workflow(trigger={"type": "manual", "inputSchema": schema})["id"]
        path = f"/api/workflows/{workflow}/execute"
        assert "input.n" in errors(api.call("POST", path, {"input": {"n": "x"}}))
        assert api.call("POST", path, {"input": {"n": 1}}).status_code == 200

    def test_an_archived_automation_is_not_executed(self, api: Api) -> None:
        workflow = api.workflow(status="ARCHIVED")["id"]
        assert api.call("POST", f"/api/workflows/{workflow}/execute").status_code == 409

    def test_a_run_that_does_not_wait_cannot_be_resumed(self, api: Api) -> None:
        workflow = api.workflow()["id"]
        run = api.call("POST", f"/api/workflows/{workflow}/execute").json()["runId"]
        answer = api.call("POST", f"/api/workflows/runs/{run}/resume", {"decision": "approved"})
        assert (answer.status_code, answer.json()["code"]) == (409, "CONFLICT")


class TestSubmissions:
    def test_a_submission_and_its_event_are_one_transaction(self, api: Api) -> None:
        form = api.form()
        body = {"formId": form, "data": {"email": "a@b.example", "age": 7}}
        answer = api.call("POST", "/api/submissions", body)
        assert (answer.status_code, answer.json()["status"]) == (201, "PENDING")
        with unit_of_work() as session:
            (event,) = session.scalars(select(Event)).all()
        assert event.data["submission"] == body["data"]
        assert event.data["submissionId"] == answer.json()["id"]

    def test_values_are_checked_against_the_form(self, api: Api) -> None:
        body = {"formId": api.form(), "data": {"email": "nobody", "age": "x", "zzz": 1}}
        field_errors = errors(api.call("POST", "/api/submissions", body))
        assert sorted(field_errors) == ["data.age", "data.email", "data.zzz"]


class TestAccess:
    def test_without_a_valid_key_nothing_is_answered(self, api: Api) -> None:
        for headers in ({}, {"Authorization": "Bearer sk_nope"}, {"Authorization": "Basic x"}):
            answer = api.http.get("/api/workflows", headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (401, "UNAUTHORIZED")
            assert answer.headers["www-authenticate"] == "Bearer"

    def test_every_route_keeps_its_role_and_its_workspace(self, api: Api) -> None:
        workflow, form = api.workflow()["id"], api.form()
        run = api.call("POST", f"/api/workflows/{workflow}/execute").json()["runId"]
        routes = [
            ("GET", f"/api/workflows/{workflow}", "VIEWER"),
            ("GET", f"/api/workflows/{workflow}/runs", "VIEWER"),
            ("GET", f"/api/workflows/{workflow}/runs/{run}", "VIEWER"),
            ("GET", f"/api/forms/{form}", "VIEWER"),
            ("POST", f"/api/workflows/{workflow}/execute", "MEMBER"),
            ("POST", f"/api/workflows/runs/{run}/resume", "MEMBER"),
            ("PATCH", f"/api/workflows/{workflow}", "ADMIN"),
            ("DELETE", f"/api/workflows/{workflow}", "ADMIN"),
        ]
        ranks = ["VIEWER", "MEMBER", "ADMIN", "OWNER"]
        for method, path, needed in routes:
            body: dict[str, Any] | None = {} if method in ("POST", "PATCH") else None
            for role in ranks[: ranks.index(needed)]:
                answer = api.call(method, path, body, role=role)
                assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN")
            stranger = api.call(method, path, body, role="STRANGER")
            assert stranger.status_code == 404, (method, path)
            assert stranger.json()["code"] == "NOT_FOUND"
            assert api.call(method, path, body, role=needed).status_code in (200, 204, 409)

    def test_unknown_paths_and_methods_are_answered_in_the_envelope(self, api: Api) -> None:
        for method, path, status in (("GET", "/api/nope", 404), ("PUT", "/api/workflows", 405)):
            answer = api.call(method, path)
            assert answer.status_code == status
            assert json.loads(answer.text)["success"] is False

    def test_a_callback_page_that_nobody_asked_for_is_not_found(self, api: Api) -> None:
        answer = api.http.get("/api/workflows/callback/nothing")
        assert answer.status_code == 404
        assert "no-store" in answer.headers["cache-control"]
        for _ in range(21):
            last = api.http.post("/api/workflows/callback/nothing", data={"decision": "approved"})
        assert last.status_code == 429
        assert int(last.headers["retry-after"]) > 0


class TestActivation:
    """An automation whose steps cannot run as things are set up is not activated."""

    QUESTION: ClassVar[dict[str, Any]] = {
        "name": "Ask",
        "type": "ai",
        "order": 0,
        "config": {"prompt": "Hi"},
    }

    def test_a_step_that_cannot_run_keeps_its_automation_from_being_active(self, api: Api) -> None:
        branch = {
            "name": "If",
            "type": "condition",
            "order": 0,
            "config": {"expression": "true", "then": [self.QUESTION]},
        }
        body = {"name": "x", "status": "ACTIVE", "steps": [branch]}
        field_errors = errors(api.call("POST", "/api/workflows", body))
        assert list(field_errors) == ["steps.0.config.then.0.type"]
        assert "AUTOMATIONS_AI_PROVIDER" in field_errors["steps.0.config.then.0.type"][0]
        assert api.call("GET", "/api/workflows").json() == []

    def test_a_draft_may_have_it_and_is_activated_once_it_is_set_up(
        self, api: Api, environment: Environment
    ) -> None:
        body = {"name": "x", "steps": [self.QUESTION]}
        created = api.call("POST", "/api/workflows", body)
        assert created.status_code == 201
        path = f"/api/workflows/{created.json()['id']}"
        field_errors = errors(api.call("PATCH", path, {"status": "ACTIVE"}))
        assert list(field_errors) == ["steps.0.type"]
        environment.set(
            AUTOMATIONS_AI_PROVIDER="openai",
            AUTOMATIONS_AI_API_KEY="sk-1",
            AUTOMATIONS_AI_MODEL="gpt-4o-mini",
        )
        assert api.call("PATCH", path, {"status": "ACTIVE"}).status_code == 200


def test_a_list_is_read_in_pages_that_the_link_header_leads_through(api: Api) -> None:
    made = [api.workflow(name=f"Number {number}")["id"] for number in range(5)]
    seen: list[str] = []
    address: str | None = "/api/workflows?limit=2"
    while address is not None:
        answer = api.call("GET", address)
        assert len(answer.json()) <= 2
        seen += [workflow["id"] for workflow in answer.json()]
        link = answer.links.get("next")
        address = link and link["url"]
    assert seen == made[::-1]
    assert "link" not in api.call("GET", "/api/workflows").headers
    refused = api.call("GET", "/api/workflows?cursor=nonsense")
    assert refused.status_code == 400
    assert "cursor" in refused.json()["details"]["fieldErrors"]
