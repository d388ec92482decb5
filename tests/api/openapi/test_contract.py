"""The specification, from top to bottom, against the running bridge: every example is replayed
and its answer's shape compared, every rule is tried.
"""

from __future__ import annotations

import base64
import json
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.routing import APIRoute
from sqlalchemy import insert, select, update

from api_bridge.app import create_app
from automations.db.session import unit_of_work
from automations.db.tables import Approver, Event, Job, Run, RunStep, Wait
from automations.definitions.triggers import FILTERS, TRIGGER_TYPES
from automations.domain.statuses import RunStatus, WorkflowStatus
from automations.kit.ids import new_id
from automations.kit.values import JSON
from automations.steps.registry import STEP_TYPES
from automations.tokens import hash_token
from tests import specification
from tests.api.conftest import FORM, Api
from tests.api.matters.boards import board
from tests.api.openapi.shapes import differences, example
from tests.api.playing import EVIDENCE, Playing
from tests.api.tables.tables import table
from tests.servers.mailbox import Mailbox

MAIL = {
    "name": "Send Email",
    "type": "email",
    "order": 0,
    "config": {"to": "{{submission.email}}", "subject": "Welcome!", "body": "Thank you."},
}


TOKEN = "a-token-of-this-test"


def replay(api: Api, name: str, role: str = "OWNER", **ids: str) -> Any:
    """Send an example's request as it is, and compare the answer with the example's."""
    case = example(name)
    path = case["path"]
    for key, value in ids.items():
        path = path.replace(f":{key}", value)
    answer = api.call(case["method"], path, case.get("body"), role=role)
    assert answer.status_code == case["status"], answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"]
    if "answer" in case:
        assert differences(case["answer"], answer.json(), case.get("added")) == []
    return answer


def field_errors(answer: Any) -> dict[str, list[str]]:
    """The standardized envelope of a refused payload."""
    assert answer.status_code == 400, answer.text
    refused(answer, 400, "VALIDATION_ERROR")
    found: dict[str, list[str]] = answer.json()["details"]["fieldErrors"]
    assert all(isinstance(text, str) for texts in found.values() for text in texts)
    return found


def refused(answer: Any, status: int, code: str) -> None:
    """The standardized envelope, exactly."""
    body = answer.json()
    assert (answer.status_code, body.get("code")) == (status, code), answer.text
    assert set(body) == {"success", "error", "code", "details", "requestId"}
    assert body["success"] is False
    assert body["error"]
    assert isinstance(body["details"], dict)
    assert body["requestId"] == answer.headers["x-request-id"]


class TestRouteConventions:
    """Route conventions, and the table of endpoints."""

    @pytest.mark.parametrize("method", ["PATCH", "DELETE"])
    def test_changes_need_an_admin_and_refusals_are_standard(self, api: Api, method: str) -> None:
        path = f"/api/workflows/{api.workflow()['id']}"
        body = {"name": "x"} if method == "PATCH" else None
        for role in ("MEMBER", "VIEWER"):
            refused(api.call(method, path, body, role=role), 403, "FORBIDDEN")
        refused(api.call(method, path, body, role="STRANGER"), 404, "NOT_FOUND")
        refused(api.http.request(method, path, json=body), 401, "UNAUTHORIZED")
        assert api.call("GET", path).json()["name"] == "Test"
        assert api.call(method, path, body, role="ADMIN").is_success

    def test_an_update_is_validated_before_anything_is_written(self, api: Api) -> None:
        before = api.workflow()
        path = f"/api/workflows/{before['id']}"
        step = {"name": "a", "type": "nope", "order": 0, "config": {}}
        found = field_errors(
            api.call("PATCH", path, {"name": "Other", "status": "PAUSED", "steps": [step]})
        )
        assert list(found) == ["steps.0.type"]
        assert api.call("GET", path).json() == before

    def test_every_endpoint_is_there(self) -> None:
        table = """
            GET /api/workflows
            POST /api/workflows
            GET /api/workflows/:id
            PATCH /api/workflows/:id
            DELETE /api/workflows/:id
            POST /api/workflows/:id/execute
            GET /api/workflows/:id/runs
            GET /api/workflows/:id/runs/:id
            GET /api/workflows/:id/runs/export
            POST /api/workflows/runs/:id/resume
            GET /api/workflows/callback/:id
            POST /api/workflows/callback/:id
            GET /api/workflows/stats
            POST /api/workflows/send-email
        """
        there = {
            f"{method} {re.sub(r'{[^}]*}', ':id', route.path)}"
            for route in create_app().routes
            if isinstance(route, APIRoute)
            for method in route.methods
        }
        assert {line.strip() for line in table.strip().splitlines()} <= there

    def test_fixed_words_win_over_ids(self, api: Api) -> None:
        workflow = api.workflow()["id"]
        assert set(api.call("GET", "/api/workflows/stats").json()) == {"workflows", "runs"}
        export = api.call("GET", f"/api/workflows/{workflow}/runs/export").json()
        assert set(export) == {"workflow", "exportedAt", "runCount", "runs"}
        page = api.http.get("/api/workflows/callback/stats")
        assert (page.status_code, "link is unknown" in page.text) == (404, True)
        assert "to" in field_errors(api.call("POST", "/api/workflows/send-email", {}))
        refused(api.call("POST", "/api/workflows/runs/execute/resume", {}), 404, "NOT_FOUND")


class TestListAutomations:
    def test_the_example(self, playing: Playing) -> None:
        form = playing.api.form()
        trigger = {"type": "form_submission", "config": {"formId": form}}
        workflow = playing.workflow(MAIL, trigger=trigger)
        playing.execute(workflow)
        (listed,) = replay(playing.api, "list-automations", "VIEWER").json()
        assert listed["trigger"]["formId"] == form
        assert listed["_count"] == {"runs": 1}

    def test_all_of_the_workspace_are_there_and_no_others(self, api: Api) -> None:
        assert replay(api, "statistics").json()["workflows"]["total"] == 0
        made = [api.workflow(status=status)["id"] for status in WorkflowStatus]
        listed = api.call("GET", "/api/workflows").json()
        assert {automation["id"] for automation in listed} == set(made)
        assert api.call("GET", "/api/workflows", role="STRANGER").json() == []


class TestCreateAutomation:
    def test_the_example(self, api: Api) -> None:
        form = api.form()
        body = json.loads(json.dumps(example("create-automation")["body"]).replace("cm...", form))
        answer = api.call("POST", "/api/workflows", body, role="ADMIN")
        assert answer.status_code == 201
        created = answer.json()
        case = example("list-automations")
        added = {path.removeprefix("[]").lstrip("."): more for path, more in case["added"].items()}
        assert differences(case["answer"][0], created, added) == []
        for field in ("name", "description", "formId", "status"):
            assert created[field] == body[field]
        for field, value in body["steps"][0].items():
            assert created["steps"][0][field] == value
        assert api.call("GET", f"/api/workflows/{created['id']}").json() == created

    def test_it_needs_an_admin_or_owner(self, api: Api) -> None:
        for role, status in (("OWNER", 201), ("ADMIN", 201), ("MEMBER", 403), ("VIEWER", 403)):
            answer = api.call("POST", "/api/workflows", {"name": "x"}, role=role)
            assert answer.status_code == status

    def test_only_the_name_is_required(self, api: Api) -> None:
        made = api.call("POST", "/api/workflows", {"name": "x"}).json()
        assert (made["status"], made["steps"], made["formId"]) == ("DRAFT", [], None)
        assert list(field_errors(api.call("POST", "/api/workflows", {}))) == ["name"]
        for name in ("", None, 5, ["x"]):
            answer = api.call("POST", "/api/workflows", {"name": name})
            assert list(field_errors(answer)) == ["name"]

    def test_the_statuses_are_four(self, api: Api) -> None:
        assert list(WorkflowStatus) == ["DRAFT", "ACTIVE", "PAUSED", "ARCHIVED"]
        for status in WorkflowStatus:
            assert api.workflow(status=status)["status"] == status
        others: tuple[JSON, ...] = ("active", "DELETED", "", 1, [])
        for other in others:
            answer = api.call("POST", "/api/workflows", {"name": "x", "status": other})
            assert list(field_errors(answer)) == ["status"]

    def test_the_trigger_types_are_those_and_manual(self, api: Api) -> None:
        assert set(TRIGGER_TYPES) == {"form_submission", "webhook", "schedule", "event", "manual"}
        answer = api.call("POST", "/api/workflows", {"name": "x", "trigger": {"type": "email"}})
        assert list(field_errors(answer)) == ["trigger.type"]

    def test_a_form_id_links_a_form(self, api: Api) -> None:
        form = api.form()
        made = api.call("POST", "/api/workflows", {"name": "x", "formId": form}).json()
        assert made["trigger"] == {
            "type": "form_submission",
            "formId": form,
            "config": {"formId": form},
        }

    @pytest.mark.parametrize("value", [{}, "x", 5])
    def test_steps_are_a_list(self, api: Api, value: Any) -> None:
        answer = api.call("POST", "/api/workflows", {"name": "x", "steps": value})
        assert list(field_errors(answer)) == ["steps"]


class TestStepTypes:
    def test_all_seventeen_are_there(self) -> None:
        assert len(specification.STEP_TYPES) == 17
        assert set(STEP_TYPES) >= specification.STEP_TYPES

    def test_they_run_one_after_another(self, playing: Playing) -> None:
        second = {**EVIDENCE, "name": "Second", "order": 7, "config": {"source": "AUDIT_LOGS"}}
        workflow, run = playing.completed(second, EVIDENCE)
        logs = playing.detail(workflow, run)["logs"]
        assert [line["stepName"] for line in logs] == ["Capture security events", "Second"]

    @pytest.mark.parametrize(
        "source", ["TABLE_ROWS", "AUDIT_LOGS", "SECURITY_EVENTS", "ORG_MEMBERS"]
    )
    def test_evidence_has_four_sources(self, playing: Playing, source: str) -> None:
        config: dict[str, Any] = {"source": source}
        if source == "TABLE_ROWS":
            config["tableId"] = table(playing.api)["id"]
        workflow, run = playing.completed({**EVIDENCE, "config": config})
        (line,) = playing.detail(workflow, run)["logs"]
        assert json.loads(line["output"])["source"] == source


class TestExecute:
    def test_the_example(self, api: Api) -> None:
        workflow = api.workflow()["id"]
        answer = replay(api, "execute-automation", "MEMBER", id=workflow).json()
        assert answer["status"] == "RUNNING"

    def test_the_run_goes_on_after_the_answer(self, playing: Playing) -> None:
        workflow = playing.workflow(EVIDENCE)
        run = playing.execute(workflow)
        assert playing.detail(workflow, run)["status"] == "RUNNING"
        with unit_of_work() as session:
            assert session.scalars(select(Job.subject_id)).all() == [run]
        playing.finish(run)
        assert playing.detail(workflow, run)["status"] == "COMPLETED"


class TestListRuns:
    def test_the_example(self, playing: Playing) -> None:
        workflow, _ = playing.completed()
        found = replay(playing.api, "list-runs", "VIEWER", id=workflow).json()
        assert found["pagination"] == {"page": 1, "pageSize": 20, "total": 1, "totalPages": 1}
        assert found["runs"][0]["error"] is None

    def test_what_has_not_ended_has_no_end_and_what_failed_an_error(self, playing: Playing) -> None:
        workflow = playing.workflow(EVIDENCE)
        failed = playing.execute(workflow)
        with unit_of_work() as session:
            session.execute(update(Run).values(status="FAILED", error="a: no"))
        playing.execute(workflow)
        running, ended = playing.runs(workflow)["runs"]
        assert (running["status"], running["completedAt"], running["error"]) == (
            "RUNNING",
            None,
            None,
        )
        assert (ended["id"], ended["error"]) == (failed, "a: no")

    def test_pages_are_of_twenty_from_the_first_unless_told(self, playing: Playing) -> None:
        workflow = playing.workflow(EVIDENCE)
        seed(playing, workflow, 41)
        unasked = playing.runs(workflow)
        assert unasked["pagination"] == {"page": 1, "pageSize": 20, "total": 41, "totalPages": 3}
        assert playing.runs(workflow, "?page=1&pageSize=20") == unasked
        last = playing.runs(workflow, "?page=3&pageSize=20")
        assert (len(unasked["runs"]), len(last["runs"])) == (20, 1)
        beyond = playing.runs(workflow, "?page=4")
        assert (beyond["runs"], beyond["pagination"]["total"]) == ([], 41)

    @pytest.mark.parametrize("query", ["page=0", "page=x", "pageSize=0", "pageSize=101"])
    def test_a_wrong_page_is_named(self, api: Api, query: str) -> None:
        path = f"/api/workflows/{api.workflow()['id']}/runs?{query}"
        assert list(field_errors(api.call("GET", path))) == [query.partition("=")[0]]


class TestRunDetail:
    def test_the_example(self, playing: Playing) -> None:
        workflow, run = playing.completed()
        details = replay(playing.api, "run-detail", "VIEWER", id=workflow, runId=run).json()["run"]
        assert details["logs"][0]["stepType"] == "evidence_snapshot"
        output = json.loads(details["logs"][0]["output"])
        assert isinstance(output["rowCount"], int)
        (node,) = details["state"]["completedNodeIds"]
        assert details["state"]["stepOutputs"][node]["rowCount"] == output["rowCount"]
        assert details["state"]["pendingNodeIds"] == []
        assert details["workflow"]["name"] == "Daily Security Monitor"

    def test_children_are_in_it(self, playing: Playing) -> None:
        child = playing.workflow(EVIDENCE)
        step = {
            "name": "Child",
            "type": "run_workflow",
            "order": 0,
            "config": {"workflowId": child},
        }
        workflow, run = playing.completed(step)
        (found,) = playing.detail(workflow, run)["childRuns"]
        wanted = example("list-runs")["answer"]["runs"][0]
        added = {"": ["workflowId"]}
        assert differences({**wanted, "completedAt": None}, found, added) == []
        assert found["workflowId"] == child

    def test_a_run_is_found_below_its_own_automation_only(self, playing: Playing) -> None:
        _, run = playing.completed()
        other = playing.workflow(EVIDENCE)
        for path in (f"{other}/runs/{run}", f"{other}/runs/export?runId={run}", f"{run}/runs"):
            refused(playing.api.call("GET", f"/api/workflows/{path}"), 404, "NOT_FOUND")


class TestExport:
    @pytest.mark.parametrize(
        ("name", "all_of_them"), [("export-all-runs", True), ("export-one-run", False)]
    )
    def test_the_example(self, playing: Playing, name: str, all_of_them: bool) -> None:
        workflow, run = playing.completed()
        other = playing.execute(workflow)
        playing.finish(other)
        answer = replay(playing.api, name, "VIEWER", id=workflow, runId=run)
        assert re.fullmatch(
            r'attachment; filename="[\w-]+\.json"', answer.headers["content-disposition"]
        )
        export = answer.json()
        wanted = {run, other} if all_of_them else {run}
        assert {run["id"] for run in export["runs"]} == wanted
        assert export["runCount"] == len(wanted)
        logged = example("run-detail")["answer"]["run"]["logs"]
        assert differences(logged, export["runs"][0]["logs"], path="logs") == []

    def test_it_holds_500_runs_at_most_the_newest(self, playing: Playing) -> None:
        workflow = playing.workflow(EVIDENCE)
        newest_first = seed(playing, workflow, 501)
        export = playing.api.call("GET", f"/api/workflows/{workflow}/runs/export").json()
        assert export["runCount"] == len(export["runs"]) == 500
        assert [run["id"] for run in export["runs"]] == newest_first[:500]


def seed(playing: Playing, workflow: str, count: int) -> list[str]:
    """So many runs, a second apart; their ids, the newest first."""
    first = playing.execute(workflow)
    ids = [first, *(new_id() for _ in range(count - 1))]
    with unit_of_work() as session:
        run = session.get_one(Run, first)
        like = {
            name: getattr(run, name)
            for name in ("workspace_id", "workflow_id", "version", "trigger_type", "variables")
        }
        rows = [
            {"id": id_, "started_at": run.started_at - timedelta(seconds=age), **like}
            for age, id_ in enumerate(ids)
        ]
        session.execute(insert(Run), rows[1:])
    return ids


class TestResume:
    def test_the_example(self, playing: Playing) -> None:
        workflow, run = playing.asked()
        paused = playing.detail(workflow, run)
        assert (paused["status"], paused["pause"]["kind"]) == ("PAUSED", "decision")
        answer = replay(playing.api, "resume-run", "MEMBER", runId=run).json()
        assert answer == {"runId": run, "status": "RUNNING"}
        with unit_of_work() as session:
            wait = session.scalars(select(Wait)).one()
        assert (wait.decision, wait.data) == ("approved", {"notes": "LGTM"})

    def test_at_the_same_time_it_is_done_once(self, playing: Playing) -> None:
        _, run = playing.asked()
        path = f"/api/workflows/runs/{run}/resume"
        body = {"decision": "approved"}
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: playing.api.call("POST", path, body), range(8)))
        assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7
        refused(next(a for a in answers if a.status_code == 409), 409, "CONFLICT")

    @pytest.mark.parametrize("decision", ["approved", "rejected"])
    def test_approved_and_rejected_decide_and_data_is_optional(
        self, playing: Playing, decision: str
    ) -> None:
        _, run = playing.asked()
        path = f"/api/workflows/runs/{run}/resume"
        for other in ("APPROVED", "yes", "", None):
            assert list(field_errors(playing.api.call("POST", path, {"decision": other})))
        assert playing.api.call("POST", path, {"decision": decision}).status_code == 200

    def test_a_delay_is_resumed_without_a_decision(self, playing: Playing) -> None:
        workflow = playing.api.workflow()["id"]
        run = playing.execute(workflow)
        playing.finish(run)
        assert playing.detail(workflow, run)["status"] == "PAUSED"
        path = f"/api/workflows/runs/{run}/resume"
        for wrong in ("rejected", "REJECTED", "APPROVED", "nonsense", ""):
            answer = playing.api.call("POST", path, {"decision": wrong})
            assert "decision" in field_errors(answer), wrong
        assert playing.detail(workflow, run)["status"] == "PAUSED"
        assert playing.api.call("POST", path).status_code == 200

    def test_what_does_not_wait_or_is_not_there_is_not_resumed(self, playing: Playing) -> None:
        _, run = playing.completed()
        body = {"decision": "approved"}
        refused(
            playing.api.call("POST", f"/api/workflows/runs/{run}/resume", body), 409, "CONFLICT"
        )
        for role, id_ in (("STRANGER", run), ("OWNER", new_id())):
            answer = playing.api.call("POST", f"/api/workflows/runs/{id_}/resume", body, role=role)
            refused(answer, 404, "NOT_FOUND")


class TestRunStatuses:
    def test_they_are_the_specifications(self, playing: Playing) -> None:
        assert list(RunStatus) == [
            "RUNNING", "COMPLETED", "FAILED", "PAUSED", "CANCELLED", "WAITING_FOR_CHILD",
        ]  # fmt: skip
        workflow = playing.workflow(EVIDENCE)
        for status in RunStatus:
            run = playing.execute(workflow)
            with unit_of_work() as session:
                session.execute(update(Run).where(Run.id == run).values(status=status))
            found = playing.runs(workflow, f"?status={status}")
            assert [one["id"] for one in found["runs"]] == [run]

    def test_a_cancelled_run_says_so(self, playing: Playing) -> None:
        workflow = playing.workflow(EVIDENCE)
        run = playing.execute(workflow)
        path = f"/api/workflows/{workflow}/runs/{run}/cancel"
        assert playing.api.call("POST", path).json() == {"runId": run, "status": "CANCELLED"}


class TestDurableState:
    def test_the_example(self, playing: Playing) -> None:
        """A run's state and logs together hold what the example does."""
        wait = {"name": "Wait", "type": "delay", "order": 1, "config": {"duration": "PT1H"}}
        workflow = playing.workflow(EVIDENCE, wait)
        run = playing.execute(workflow)
        playing.finish(run)
        details = playing.detail(workflow, run)
        state = {**details["state"], "logs": details["logs"]}
        wanted = example("execution-state")["answer"]
        assert differences(wanted, state, {"": ["stepInputs"]}) == []
        assert (len(state["completedNodeIds"]), len(state["pendingNodeIds"])) == (1, 1)
        assert details["status"] == "PAUSED"

    def test_outputs_are_kept_whole_and_cut_to_500_characters_in_logs(
        self, playing: Playing
    ) -> None:
        step = {
            "name": "Long",
            "type": "code",
            "order": 0,
            "config": {"code": "return {text: 'x'.repeat(2000)}"},
        }
        workflow, run = playing.completed(step)
        details = playing.detail(workflow, run)
        (output,) = details["state"]["stepOutputs"].values()
        assert "x" * 2000 in json.dumps(output)
        assert len(details["logs"][0]["output"]) == 500

    def test_variables_are_the_workflows_and_steps_may_set_them(self, playing: Playing) -> None:
        code = "variables.count = variables.count + 1"
        step = {"name": "Count", "type": "code", "order": 0, "config": {"code": code}}
        workflow = playing.workflow(step, variables={"count": 41})
        run = playing.execute(workflow)
        playing.finish(run)
        variables = playing.detail(workflow, run)["state"]["variables"]
        assert (variables["count"], variables["triggerType"]) == (42, "manual")

    def test_retries_are_counted_by_node(self, playing: Playing) -> None:
        workflow, run = playing.completed()
        with unit_of_work() as session:
            session.execute(update(RunStep).values(retries=2))
        state = playing.detail(workflow, run)["state"]
        assert state["retryCount"] == {state["completedNodeIds"][0]: 2}


class TestStatistics:
    def test_the_example(self, playing: Playing) -> None:
        for published in WorkflowStatus:
            playing.api.workflow(status=published)
        workflow = playing.workflow(EVIDENCE)
        for status in RunStatus:
            run = playing.execute(workflow)
            with unit_of_work() as session:
                session.execute(update(Run).where(Run.id == run).values(status=status))
        found = replay(playing.api, "statistics", "VIEWER").json()
        assert found["workflows"] == {
            "total": 5,
            "active": 2,
            "draft": 1,
            "paused": 1,
            "archived": 1,
        }
        assert found["runs"].pop("total") == 6
        assert set(found["runs"].values()) == {1}
        strange = playing.api.call("GET", "/api/workflows/stats", role="STRANGER").json()
        assert (strange["workflows"]["total"], strange["runs"]["total"]) == (0, 0)


class TestSendEmail:
    def test_the_example(self, api: Api, mailbox: Mailbox) -> None:
        case = example("send-email")
        body = case["body"]
        assert "attachments.0.content" in field_errors(api.call("POST", case["path"], body))
        body["attachments"][0]["content"] = base64.b64encode(b"%PDF-1.7").decode()
        answer = api.call("POST", case["path"], body, role="MEMBER")
        assert answer.status_code == 200, answer.text
        assert differences(case["answer"], answer.json()) == []
        assert body["to"] in answer.json()["accepted"]
        parts = [part.get_content_type() for part in mailbox.message().walk()]
        # A client shows the last alternative that it can.
        assert parts.index("text/html") > parts.index("text/plain")

    def test_it_needs_a_site_email_provider(self, api: Api, mailbox: Mailbox) -> None:
        body = {"to": "a@b.example", "subject": "s", "body": "b"}
        answer = api.call("POST", "/api/workflows/send-email", body, role="STRANGER")
        refused(answer, 409, "CONFLICT")
        assert "/api/integrations" in answer.json()["error"]

    @pytest.mark.parametrize("field", ["to", "subject", "body"])
    def test_what_is_required(self, api: Api, field: str) -> None:
        body = {"to": "a@b.example", "subject": "s", "body": "b"}
        del body[field]
        assert field in field_errors(api.call("POST", "/api/workflows/send-email", body))

    def test_recipients_are_one_or_many(self, api: Api, mailbox: Mailbox) -> None:
        rest = {"subject": "s", "body": "b"}
        for given in ("a@b.example", ["a@b.example", "c@b.example"]):
            body = {**rest, "to": "x@b.example", "cc": given, "bcc": given}
            assert api.call("POST", "/api/workflows/send-email", body).status_code == 200
            body = {**rest, "to": given}
            assert api.call("POST", "/api/workflows/send-email", body).status_code == 200


class TestCallback:
    def asked(self, playing: Playing) -> tuple[str, str]:
        step = {
            "name": "Ask",
            "type": "approval",
            "order": 0,
            "config": {"message": "May we?", "approvers": ["boss@example.com"]},
        }
        workflow = playing.workflow(step)
        run = playing.execute(workflow)
        playing.finish(run)
        with unit_of_work() as session:
            approver = session.scalars(select(Approver)).one()
            approver.token_hash = hash_token(TOKEN)
        return workflow, run

    def test_the_page_shows_and_changes_nothing_and_a_post_decides(self, playing: Playing) -> None:
        workflow, run = self.asked(playing)
        before = playing.detail(workflow, run)
        for _ in range(2):
            page = playing.api.http.get(f"/api/workflows/callback/{TOKEN}")
            assert (page.status_code, page.headers["content-type"]) == (
                200,
                "text/html; charset=utf-8",
            )
        assert playing.detail(workflow, run) == before
        answer = playing.api.http.post(
            f"/api/workflows/callback/{TOKEN}", json={"decision": "rejected"}
        )
        assert (answer.status_code, answer.json()["decision"]) == (200, "rejected")

    def test_it_works_for_seven_days(self, playing: Playing) -> None:
        workflow, run = self.asked(playing)
        due = playing.detail(workflow, run)["pause"]["dueAt"]
        time_left = datetime.fromisoformat(due) - datetime.now(UTC)
        assert timedelta(days=7, minutes=-1) < time_left <= timedelta(days=7)
        with unit_of_work() as session:
            session.execute(update(Wait).values(due_at=datetime.now(UTC)))
        path = f"/api/workflows/callback/{TOKEN}"
        assert playing.api.http.get(path).status_code == 410
        answer = playing.api.http.post(path, json={"decision": "approved"})
        refused(answer, 410, "GONE")

    def test_it_is_rate_limited(self, api: Api) -> None:
        json_ = {"Accept": "application/json"}
        for _ in range(21):
            last = api.http.post(f"/api/workflows/callback/{TOKEN}", headers=json_)
        refused(last, 429, "RATE_LIMITED")
        assert 0 < int(last.headers["retry-after"]) <= 60


class TestEventTriggers:
    def test_the_example(self, api: Api) -> None:
        template = board(api)["id"]
        body = json.loads(json.dumps(example("event-trigger")["body"]).replace("cm...", template))
        made = api.call("POST", "/api/workflows", {"name": "x", **body}).json()
        assert made["trigger"]["config"] == body["trigger"]["config"]

    def test_each_type_has_its_filter_and_no_other(self, api: Api) -> None:
        assert FILTERS == {
            "TABLE_SYNCED": "filterTableId",
            "MATTER_STEP_COMPLETED": "filterMatterTemplateId",
            "MATTER_STEP_REJECTED": "filterMatterTemplateId",
            "FORM_APPROVED": "filterFormId",
            "FORM_REJECTED": "filterFormId",
            "ROW_ADDED": "filterTableId",
            "RECORD_UPDATED": "filterTableId",
        }
        subjects = {
            "filterMatterTemplateId": board(api)["id"],
            "filterFormId": api.form(),
            "filterTableId": table(api)["id"],
        }
        for kind, own in FILTERS.items():
            for name, subject in subjects.items():
                config = {"triggerType": kind, name: subject}
                body = {"name": "x", "trigger": {"type": "event", "config": config}}
                answer = api.call("POST", "/api/workflows", body)
                assert answer.status_code == (201 if name == own else 400), answer.text

    @pytest.mark.parametrize(
        ("kind", "name"),
        [
            ("MATTER_STEP_COMPLETED", "filterMatterTemplateId"),
            ("FORM_APPROVED", "filterFormId"),
            ("ROW_ADDED", "filterTableId"),
        ],
    )
    def test_a_filter_names_something_of_this_workspace(
        self, api: Api, kind: str, name: str
    ) -> None:
        subjects = {
            "filterMatterTemplateId": board(api)["id"],
            "filterFormId": api.form(),
            "filterTableId": table(api)["id"],
        }
        config = {"triggerType": kind, name: subjects[name]}
        body = {"name": "x", "trigger": {"type": "event", "config": config}}
        answer = api.call("POST", "/api/workflows", body, role="STRANGER")
        assert list(field_errors(answer)) == [f"trigger.config.{name}"]

    def listener(self, playing: Playing, kind: str, **more: Any) -> str:
        trigger = {"type": "event", "config": {"triggerType": kind, **more.pop("filters", {})}}
        return playing.workflow(EVIDENCE, trigger=trigger, **more)

    def started(self, playing: Playing, workflow: str) -> list[dict[str, Any]]:
        playing.match_events()
        runs = playing.runs(workflow)["runs"]
        return [playing.detail(workflow, run["id"]) for run in runs]

    def context(self, playing: Playing, workflow: str, name: str) -> dict[str, Any]:
        """The variables that an event gave to a run, which are the example's."""
        (run,) = self.started(playing, workflow)
        variables = dict(run["state"]["variables"])
        assert variables.pop("triggerType") == "event"
        assert differences(example(name)["answer"], variables) == []
        return variables

    @pytest.mark.parametrize(
        ("act", "kind"), [("complete", "MATTER_STEP_COMPLETED"), ("reject", "MATTER_STEP_REJECTED")]
    )
    def test_matter_events(self, playing: Playing, act: str, kind: str) -> None:
        api = playing.api
        steps = [{"id": "check", "name": "KYC Review", "type": "APPROVAL"}]
        template = board(api, steps=steps)["id"]
        workflow = self.listener(playing, kind, filters={"filterMatterTemplateId": template})
        made = api.call("POST", "/api/matters", {"templateId": template, "title": "Acme"}).json()
        step = made["steps"][0]["id"]
        answer = api.call("POST", f"/api/matters/{made['id']}/steps/{step}/{act}", {})
        assert answer.status_code == 200, answer.text
        variables = self.context(playing, workflow, "matter-event")
        assert variables == {
            "matterId": made["id"],
            "stepId": step,
            "stepName": "KYC Review",
            "stepType": "APPROVAL",
            "templateId": template,
        }

    @pytest.mark.parametrize(
        ("act", "kind"), [("approve", "FORM_APPROVED"), ("reject", "FORM_REJECTED")]
    )
    def test_form_events(self, playing: Playing, act: str, kind: str) -> None:
        api, form = playing.api, playing.api.form()
        workflow = self.listener(playing, kind, filters={"filterFormId": form})
        body = {"formId": form, "data": {"email": "a@b.example"}}
        submission = api.call("POST", "/api/submissions", body).json()["id"]
        assert api.call("POST", f"/api/submissions/{submission}/{act}").status_code == 200
        variables = self.context(playing, workflow, "form-event")
        assert variables == {
            "submissionId": submission,
            "formId": form,
            "formTitle": FORM["title"],
        }

    @pytest.mark.parametrize("kind", ["ROW_ADDED", "RECORD_UPDATED"])
    def test_table_events(self, playing: Playing, kind: str) -> None:
        api, made = playing.api, table(playing.api)
        workflow = self.listener(playing, kind, filters={"filterTableId": made["id"]})
        rows = f"/api/tables/{made['id']}/rows"
        row = api.call("POST", rows, {"data": {"name": "Acme"}}).json()["id"]
        assert api.call("PATCH", f"{rows}/{row}", {"data": {"name": "B"}}).status_code == 200
        variables = self.context(playing, workflow, "table-event")
        assert variables == {"rowId": row, "tableId": made["id"], "tableName": "Companies"}

    def test_many_rows_at_once_are_one_event_for_each_table(self, playing: Playing) -> None:
        """As of a pipeline's sync."""
        api = playing.api
        tables = [table(api)["id"] for _ in range(2)]
        listeners = {
            id_: self.listener(playing, "ROW_ADDED", filters={"filterTableId": id_})
            for id_ in tables
        }
        for id_ in tables:
            body = [{"name": f"row {number}"} for number in range(100)]
            answer = api.call("POST", f"/api/tables/{id_}/rows/import", body)
            assert answer.json()["count"] == 100
        with unit_of_work() as session:
            assert len(session.scalars(select(Event)).all()) == 2
        for id_, workflow in listeners.items():
            (run,) = self.started(playing, workflow)
            assert run["state"]["variables"]["tableId"] == id_

    def test_what_does_not_match_or_is_not_active_is_passed_over_silently(
        self, playing: Playing
    ) -> None:
        api, form, other = playing.api, playing.api.form(), playing.api.form()
        active = self.listener(playing, "FORM_APPROVED")
        passed = [
            self.listener(playing, "FORM_APPROVED", status=status)
            for status in ("DRAFT", "PAUSED", "ARCHIVED")
        ]
        passed.append(self.listener(playing, "FORM_APPROVED", filters={"filterFormId": other}))
        passed.append(self.listener(playing, "FORM_REJECTED"))
        body = {"formId": form, "data": {"email": "a@b.example"}}
        submission = api.call("POST", "/api/submissions", body).json()["id"]
        assert api.call("POST", f"/api/submissions/{submission}/approve").status_code == 200
        assert len(self.started(playing, active)) == 1
        assert [playing.runs(workflow)["runs"] for workflow in passed] == [[]] * len(passed)

    def test_all_that_match_are_executed_after_the_answer(self, playing: Playing) -> None:
        api, form = playing.api, playing.api.form()
        trigger = {"type": "form_submission", "formId": form}
        listeners = [playing.workflow(EVIDENCE, trigger=trigger) for _ in range(3)]
        body = {"formId": form, "data": {"email": "a@b.example"}}
        assert api.call("POST", "/api/submissions", body).status_code == 201
        assert [playing.runs(workflow)["runs"] for workflow in listeners] == [[]] * 3
        for workflow in listeners:
            (run,) = self.started(playing, workflow)
            assert run["status"] == "RUNNING"
