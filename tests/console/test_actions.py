"""What is done by pressing buttons: it happens, it is said, and what cannot be is said, too."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from api_bridge.console import live
from api_bridge.cookies import COOKIE
from automations.db.session import unit_of_work
from automations.db.tables import Run, Wait, Workflow
from automations.db.waits import waits
from automations.db.waits.waits import NewWait
from automations.domain.principals import Principal
from automations.domain.statuses import RunStatus, WaitKind
from automations.errors import TooManyRequests
from automations.services.runs import by_hand
from automations.services.workflows import workflows
from tests.console.conftest import HEADERS, Browser
from tests.console.sample import KYC, PASSWORD, Sample
from tests.doubles import ports

WORKFLOWS = "/console/workflows"


def run_of(run_id: str) -> Run:
    with unit_of_work() as session:
        return session.get_one(Run, run_id)


def status_of(workflow_id: str) -> str:
    with unit_of_work() as session:
        return session.get_one(Workflow, workflow_id).status


class TestAutomations:
    def test_they_are_found_by_name_status_and_trigger(self, owner: Browser, there: Sample) -> None:
        for query, names in {
            "q=kyc": ["KYC review"],
            "q=%25": [],
            "trigger=schedule": ["Monthly evidence"],
            "status=PAUSED": [],
            "": ["Monthly evidence", "KYC review"],
        }.items():
            owner.open(f"/console/workflows?{query}")
            found = owner.root.xpath("//tbody//a[@class='strong']/text()")
            assert found == names, query
        assert owner.open("/console/workflows?status=NONE").status_code == 400

    def test_a_list_goes_on_behind_its_page(self, owner: Browser, there: Sample) -> None:
        for number in range(25):
            body = {"name": f"One {number}", "steps": []}
            workflows.create(there.people["OWNER"], body, ports())
        owner.open("/console/workflows?q=o")
        (following,) = owner.root.xpath("//a[@rel='next']/@href")
        first = set(owner.root.xpath("//tbody//a[@class='strong']/@href"))
        assert len(first) == 25
        owner.open(following)
        assert first.isdisjoint(owner.root.xpath("//tbody//a[@class='strong']/@href"))

    def test_one_is_paused_activated_and_archived(self, owner: Browser, there: Sample) -> None:
        page = f"/console/workflows/{there.workflow}"
        for status, said in (("PAUSED", "Paused: nothing"), ("ACTIVE", "Activated: its")):
            owner.open(page)
            owner.press(f"{page}/status")
            assert status_of(there.workflow) == status
            assert said in owner.text
        owner.press(f"{page}/status", 1)
        assert status_of(there.workflow) == "ARCHIVED"
        owner.open(page)
        assert "Archived: nothing" not in owner.text, "it is said once"

    def test_a_copy_is_a_draft_of_its_own(self, owner: Browser, there: Sample) -> None:
        owner.open(f"/console/workflows/{there.workflow}")
        owner.press(f"/console/workflows/{there.workflow}/duplicate")
        assert owner.heading() == "KYC review (copy) Draft"
        assert owner.path != f"/console/workflows/{there.workflow}"

    def test_a_version_is_compared_and_restored(self, owner: Browser, there: Sample) -> None:
        page = f"/console/workflows/{there.workflow}/versions"
        owner.open(f"{page}/2")
        added = owner.root.xpath("//div[@class='l-added']/code/text()")
        assert added == ["description: Checks a new client."]
        owner.open(page)
        owner.press(f"{page}/1/restore")
        assert "is the current one again" in owner.text
        automation = workflows.get(there.workspace, there.workflow)
        assert (automation.version, automation.definition["description"]) == (3, KYC["description"])
        assert owner.open(f"{page}/9").status_code == 404

    def test_the_file_is_what_apply_takes(self, owner: Browser, there: Sample) -> None:
        answer = owner.open(f"/console/workflows/{there.workflow}/export")
        assert "KYC%20review.yaml" in answer.headers["content-disposition"]
        assert "name: KYC review" in answer.text


class TestRunForm:
    def test_a_run_is_started_with_what_was_typed(self, owner: Browser, there: Sample) -> None:
        page = f"/console/workflows/{there.workflow}"
        owner.open(f"{page}/run")
        typed = {
            "input.company": "ACME",
            "input.country": "DE",
            "input.amount": "12.5",
            "input.politicallyExposed": "false",
        }
        owner.press(f"{page}/execute", typed=typed)
        assert "The run has started" in owner.text
        run = run_of(owner.path.rpartition("/")[2])
        assert run.input == {
            "company": "ACME",
            "country": "DE",
            "amount": 12.5,
            "politicallyExposed": False,
        }

    def test_what_is_wrong_is_said_at_its_input_and_stays_typed(
        self, owner: Browser, there: Sample
    ) -> None:
        page = f"/console/workflows/{there.workflow}"
        owner.open(f"{page}/run")
        answer = owner.press(
            f"{page}/execute", typed={"input.amount": "many", "input.company": "A"}
        )
        assert answer.status_code == 400
        (amount,) = owner.root.xpath("//input[@name='input.amount']")
        assert amount.get("aria-invalid") == "true"
        said = owner.root.get_element_by_id(amount.get("aria-describedby"))
        assert "number" in said.text_content()
        assert owner.root.xpath("//input[@name='input.company']/@value") == ["A"]

    def test_an_answer_that_is_neither_yes_nor_no_is_refused(
        self, owner: Browser, there: Sample
    ) -> None:
        page = f"/console/workflows/{there.workflow}"
        owner.open(f"{page}/run")
        typed = {"input.politicallyExposed": "yes", "input.company": "A"}
        assert owner.press(f"{page}/execute", typed=typed).status_code == 400
        assert "must be true or false" in owner.text

    def test_what_starts_by_itself_leads_there_and_warns_of_what_is_missing_by_hand(
        self, owner: Browser, there: Sample
    ) -> None:
        step = {"id": "a", "name": "Tell", "type": "notification"}
        config = {"title": "{{submission.note}}", "message": "x"}
        made = workflows.create(
            there.people["OWNER"],
            {
                "name": "From a form",
                "status": "ACTIVE",
                "trigger": {"type": "form_submission", "formId": there.form},
                "steps": [{**step, "config": config}],
            },
            ports(),
        ).id
        owner.open(f"/console/workflows/{made}/run")
        assert owner.root.xpath(f"//main//a[@href='/console/forms/{there.form}']")
        (folded,) = owner.root.xpath("//main//details[.//textarea]")
        assert folded.get("open") is None
        assert "has no answers" in folded.text_content()
        assert "not published yet" in owner.text
        # What reads nothing of it is started by hand as well.
        workflows.update(
            there.people["OWNER"],
            made,
            {"steps": [{**step, "config": {"title": "Hello", "message": "x"}}]},
            ports(),
        )
        owner.open(f"/console/workflows/{made}/run")
        assert not owner.root.xpath("//main//details[.//textarea]")

    def test_without_a_schema_it_is_json(self, owner: Browser, there: Sample) -> None:
        page = f"/console/workflows/{there.digest}"
        owner.open(f"{page}/run")
        assert owner.press(f"{page}/execute", json="[1]").status_code == 400
        assert "must be a JSON object" in owner.text
        owner.press(f"{page}/execute", json='{"a": 1}')
        assert run_of(owner.path.rpartition("/")[2]).input == {"a": 1}


class TestRuns:
    def test_they_are_filtered(self, owner: Browser, there: Sample) -> None:
        for query, number in {
            "status=FAILED": 1,
            f"workflow={there.digest}": 0,
            "trigger=manual": 5,
            "since=hour": 5,
            "trigger=schedule": 0,
        }.items():
            owner.open(f"/console/runs?{query}")
            assert len(owner.root.xpath("//tbody/tr")) == number, query

    def test_a_failed_one_leads_to_what_failed_and_to_where_it_is_mended(
        self, browsers: dict[str, Browser], there: Sample
    ) -> None:
        page = f"/console/runs/{there.runs['failed']}"
        step, mend = f"{page}/steps/register", f"{WORKFLOWS}/{there.workflow}/edit?at=step.register"
        for role, expected in (("ADMIN", [step, mend]), ("MEMBER", [step]), ("VIEWER", [step])):
            browsers[role].open(page)
            assert browsers[role].root.xpath("//div[@role='alert']//a/@href") == expected
        assert browsers["ADMIN"].open(mend).status_code == 200
        browsers["ADMIN"].open(f"/console/runs/{there.runs['completed']}")
        assert not browsers["ADMIN"].root.xpath("//div[@role='alert']//a")

    def test_its_steps_are_drawn_with_its_own_values(self, owner: Browser, there: Sample) -> None:
        owner.open(f"/console/runs/{there.runs['completed']}")
        said = [
            paragraph.text_content()
            for paragraph in owner.root.xpath("//li[.//p[@class='say']]//p")
        ]
        assert said[0] == "GET https://registry.example/acme"
        # What has not run says what it would do.
        assert "{{loop.item.email}}" in said

    def test_as_many_are_shown_as_are_chosen_at_once(self, owner: Browser, there: Sample) -> None:
        for _ in range(30):
            by_hand.execute(there.people["OWNER"], there.digest, {})
        path = "/console/runs?status=RUNNING"
        owner.open(path)
        boxes = "//input[@name='run']"
        assert len(owner.root.xpath(boxes)) == 25
        (wider,) = owner.root.xpath("//a[. = 'Show 100 at a time']/@href")
        owner.open(wider)
        assert len(owner.root.xpath(boxes)) > 30
        # The filters keep it, and an address that asks for more is refused.
        assert owner.root.xpath("//form[@role='search']//input[@name='size']/@value") == ["100"]
        assert owner.open(f"{path}&size=5000").status_code == 400

    def test_one_is_cancelled(self, owner: Browser, there: Sample) -> None:
        page = f"/console/runs/{there.runs['running']}"
        owner.open(page)
        owner.press(f"{page}/cancel")
        assert owner.heading() == "KYC review Cancelled"
        owner.send(f"{page}/cancel")
        assert owner.answer.status_code == 409
        assert "ended already" in owner.text

    def test_a_failed_one_is_retried_and_run_again(self, owner: Browser, there: Sample) -> None:
        page = f"/console/runs/{there.runs['failed']}"
        owner.open(page)
        owner.press(f"{page}/retry")
        assert run_of(there.runs["failed"]).status == RunStatus.RUNNING
        owner.open(f"/console/runs/{there.runs['completed']}")
        owner.press(f"/console/runs/{there.runs['completed']}/replay")
        fresh = run_of(owner.path.rpartition("/")[2])
        assert fresh.replay_of_run_id == there.runs["completed"]

    def test_several_are_cancelled_and_those_that_cannot_be_are_named(
        self, owner: Browser, there: Sample
    ) -> None:
        owner.open("/console/runs")
        done, going = there.runs["completed"], there.runs["running"]
        token = owner.root.xpath("//input[@name='csrf']/@value")[0]
        body = {"csrf": token, "act": "cancel", "run": [done, going]}
        answer = owner.http.post("/console/runs/bulk", data=body)
        assert answer.status_code == 400
        assert "1 of 2 runs were changed." in answer.text
        assert done in answer.text
        assert run_of(going).status == RunStatus.CANCELLED
        assert owner.http.post("/console/runs/bulk", data={"csrf": token}).status_code == 400

    def test_what_waits_for_a_time_is_let_go_on(self, owner: Browser, there: Sample) -> None:
        page = f"/console/runs/{there.runs['waiting']}"
        owner.open(page)
        owner.press(f"{page}/resume", data="not json")
        assert owner.answer.status_code == 400
        owner.open(page)
        owner.press(f"{page}/resume", data='{"by": "hand"}')
        assert "The run continues." in owner.text
        with unit_of_work() as session:
            wait = session.query(Wait).filter(Wait.run_id == there.runs["waiting"]).one()
        assert (wait.decision, wait.data, wait.decided_by) == (
            "resumed",
            {"by": "hand"},
            "owner@b.example",
        )

    def test_it_is_saved_whole(self, owner: Browser, there: Sample) -> None:
        answer = owner.open(f"/console/runs/{there.runs['failed']}/export")
        assert json.loads(answer.text)["status"] == "FAILED"
        assert answer.headers["content-disposition"].startswith("attachment")


class TestApprovals:
    def test_one_is_decided_with_a_reason_that_its_run_shows(
        self, owner: Browser, there: Sample
    ) -> None:
        page = f"/console/approvals/{there.runs['asked']}"
        owner.open(page)
        assert "ACME GmbH" in owner.text
        owner.press(page, decision="approved", reason="Fine,\r\nfor once")
        assert (owner.path, "Approved." in owner.text) == ("/console/approvals", True)
        with unit_of_work() as session:
            wait = session.query(Wait).filter(Wait.run_id == there.runs["asked"]).one()
        assert (wait.decision, wait.reason) == ("approved", "Fine,\nfor once")
        assert owner.open(page).status_code == 409
        run = f"/console/runs/{there.runs['asked']}"
        for shown in (run, f"{run}/steps/ask"):
            owner.open(shown)
            assert "approved, owner@b.example" in owner.text
            assert "Fine, for once" in owner.text

    def test_many_are_shown_in_pages_each_headed_by_what_is_asked(
        self, owner: Browser, there: Sample
    ) -> None:
        for number in range(30):
            run = by_hand.execute(there.people["OWNER"], there.digest, {}).id
            question = {"subject": "Approval needed", "body": f"May we pay {number}?\nIt is due."}
            due = datetime.now(UTC) + timedelta(days=1)
            with unit_of_work() as session:
                new = NewWait(run, "mail", 0, WaitKind.DECISION, due_at=due, question=question)
                waits.open_wait(session, new)
        owner.open("/console/approvals")
        first = [heading.text_content() for heading in owner.root.xpath("//main//li//h2")]
        assert len(first) == 25
        assert "31 wait." in owner.text
        (following,) = owner.root.xpath("//a[@rel='next']/@href")
        owner.open(following)
        second = [heading.text_content() for heading in owner.root.xpath("//main//li//h2")]
        assert len({*first, *second}) == 31
        assert "May we pay 29?" in second
        assert "Approval needed" not in owner.text

    def test_several_are_decided_at_once(self, owner: Browser, there: Sample) -> None:
        owner.open("/console/approvals")
        owner.press("/console/approvals/bulk", run=there.runs["asked"], decision="rejected")
        assert "Rejected." in owner.text
        assert "Nothing to decide" in owner.text

    def test_nothing_that_is_sent_is_passed_over(self, owner: Browser, there: Sample) -> None:
        page = f"/console/approvals/{there.runs['asked']}"
        owner.open(page)
        token = owner.root.xpath("//input[@name='csrf']/@value")[0]
        for sent in ({"note": "x"}, {"decision": ["approved", "rejected"]}):
            body = {"csrf": token, "decision": "approved", **sent}
            assert owner.http.post(page, data=body).status_code == 400
        for bulk, act in (("approvals", "decision"), ("runs", "act")):
            body = {"csrf": token, act: "approved" if act == "decision" else "cancel"}
            many = [f"run{number}" for number in range(101)]
            answer = owner.http.post(f"/console/{bulk}/bulk", data={**body, "run": many})
            assert (answer.status_code, "at most at once" in answer.text) == (400, True)
        with unit_of_work() as session:
            wait = session.query(Wait).filter(Wait.run_id == there.runs["asked"]).one()
        assert wait.decision is None

    def test_a_form_is_filled_in_and_what_is_wrong_is_said(
        self, owner: Browser, there: Sample
    ) -> None:
        fields = [
            {"id": "1", "key": "limit", "type": "number", "label": "Limit",
             "validation": {"required": True}},
        ]  # fmt: skip
        run_id = there.runs["running"]
        question = {
            "subject": "How much?",
            "body": "",
            "form": {"sections": [{"id": "s", "fields": fields}]},
        }
        with unit_of_work() as session:
            until = datetime.now(UTC) + timedelta(days=1)
            waits.open_wait(session, NewWait(run_id, "ask", 0, WaitKind.DECISION, until, question))
        page = f"/console/approvals/{run_id}"
        owner.open(page)
        assert owner.press(page, decision="approved").status_code == 400
        owner.press(page, typed={"decision": "approved", "data.limit": "12"})
        with unit_of_work() as session:
            wait = session.query(Wait).filter(Wait.run_id == run_id).one()
        assert (wait.decision, wait.data) == ("approved", {"limit": 12})

    def test_others_than_those_who_are_asked_are_told_so(
        self, browsers: dict[str, Browser], there: Sample
    ) -> None:
        with unit_of_work() as session:
            wait = session.query(Wait).filter(Wait.run_id == there.runs["asked"]).one()
            waits.add_approvers(session, wait, ["admin@b.example"])
        browsers["MEMBER"].open(f"/console/approvals/{there.runs['asked']}")
        assert "Other people are asked to decide this." in browsers["MEMBER"].text
        browsers["ADMIN"].open("/console/approvals")
        assert "Waiting for you" in browsers["ADMIN"].text


class TestPeople:
    def test_a_submission_is_decided_once(self, owner: Browser, there: Sample) -> None:
        page = f"/console/submissions/{there.submission}/decide"
        owner.open("/console/submissions")
        assert "I would like to." in owner.text
        owner.press(page, decision="approved")
        assert "Approved." in owner.text
        assert owner.send(page, decision="rejected").status_code == 409

    def test_a_member_is_added_invited_and_removed(
        self, app: FastAPI, owner: Browser, there: Sample
    ) -> None:
        owner.open("/console/members")
        owner.press("/console/members", name="Joan", email="joan@b.example", role="MEMBER")
        (link,) = owner.root.xpath("//div[@role='status']//code/text()")
        joan = Browser(app)
        path = link.partition("8800")[2]
        joan.open(path)
        joan.press(path, password=PASSWORD, again=PASSWORD)
        assert "joan@b.example" in joan.text
        (change,) = owner.root.xpath("//tr[contains(., 'joan@')]//form[contains(@action, 'role')]")
        owner.press(change.action, role="VIEWER")
        assert "Role changed." in owner.text
        owner.press(change.action.replace("/role", "/remove"))
        assert "joan@b.example" not in owner.text
        assert joan.open("/console/runs").url.path == "/console/sign-in"

    def test_what_was_done_is_in_the_audit_log_of_administrators(
        self, browsers: dict[str, Browser], there: Sample
    ) -> None:
        browsers["ADMIN"].open("/console/audit?action=workflow.execute")
        assert len(browsers["ADMIN"].root.xpath("//tbody/tr")) == 5
        assert browsers["MEMBER"].open("/console/audit").status_code == 403
        assert "Audit log" not in browsers["MEMBER"].open("/console/runs").text


def test_an_event_is_matched_once_more(owner: Browser, there: Sample) -> None:
    page = f"/console/events/{there.event}"
    owner.open(page)
    assert "is started by hand" in owner.text
    owner.press(f"{page}/replay")
    assert "The event is being matched again." in owner.text


def test_notifications_are_read(owner: Browser, there: Sample) -> None:
    owner.open("/console/notifications")
    owner.press("/console/notifications/read")
    assert owner.actions() == set()


def test_a_stream_tells_of_a_change_and_is_refused_beyond_its_bounds(
    app: FastAPI, there: Sample
) -> None:
    headers = {**HEADERS, "Accept": "text/event-stream"}
    run_id = there.runs["running"]
    with TestClient(app, headers=headers) as http:
        http.cookies.set(COOKIE, there.tokens["VIEWER"], domain="testserver.local")
        before = http.get(f"/console/runs/{run_id}/stream", headers={"Accept": "*/*"}).text
        with unit_of_work() as session:
            session.get_one(Run, run_id).status = RunStatus.CANCELLED
        after = http.get(f"/console/runs/{run_id}/stream", headers={"Accept": "*/*"}).text
        assert before.startswith("event: changed\ndata: RUNNING/")
        assert after.startswith("event: changed\ndata: CANCELLED/")
        assert http.get("/console/runs/nothing/stream").status_code == 404
    assert live.MAX_OF_A_CALLER < live.MAX_OF_A_WORKSPACE < live.MAX_STREAMS


def test_no_person_and_no_workspace_takes_all_streams(there: Sample) -> None:
    async def follow() -> None:
        watch = live.Watch()
        async with AsyncExitStack() as stack:

            async def join(caller: Principal) -> None:
                watch.check(caller)
                await stack.enter_async_context(watch.following(caller, there.runs["running"]))

            def member(number: int, session: int, workspace: str = there.workspace) -> Principal:
                return Principal(
                    workspace, "MEMBER", "m", member_id=f"m{number}", session_id=f"s{session}"
                )

            for session in range(live.MAX_OF_A_CALLER):
                await join(member(0, session))
            with pytest.raises(TooManyRequests):
                await join(member(0, 99))
            for number in range(live.MAX_OF_A_CALLER, live.MAX_OF_A_WORKSPACE):
                await join(member(number, number))
            with pytest.raises(TooManyRequests):
                await join(member(1_000, 1_000))
            await join(member(5_000, 0, "another"))
        watch.check(member(0, 0))

    asyncio.run(follow())
