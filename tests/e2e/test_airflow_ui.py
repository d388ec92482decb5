"""Airflow's own UI in Chromium: what an administrator, a user and a viewer find of automations."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, expect

from automations.definitions.published import dag_id, run_id
from tests.console.conftest import chromium  # noqa: F401 -- a fixture
from tests.e2e.automations import approval, email, put_secret, required_action
from tests.e2e.browsing_airflow import USERS, page_of
from tests.e2e.conftest import Stack
from tests.waiting import until

pytestmark = pytest.mark.slow

TIMEOUT = 120_000
"""Milliseconds."""
NAME = f"Order {secrets.token_hex(3)}"
SECRET = "s3cret-of-the-ui"
SCHEMA: dict[str, Any] = {
    "properties": {
        "amount": {
            "type": "number",
            "title": "Amount",
            "description": "In euros.",
            "maximum": 5000,
        },
        "size": {
            "title": "Size",
            "oneOf": [{"const": "s", "title": "Small"}, {"const": "l", "title": "Large"}],
        },
        "note": {"type": "string", "title": "Note", "minLength": 3},
    },
    "required": ["note"],
}
COST = {"id": "c", "key": "centre", "type": "number", "label": "Cost centre"}
FORM = {
    "sections": [
        {"id": "s", "fields": [{**COST, "validation": {"required": True, "max": 100}}]},
    ]
}


@dataclass(frozen=True)
class Shown:
    """An automation in Airflow, and a run of it that waits for a decision."""

    stack: Stack
    workflow: str
    run: str
    steps: dict[str, str]

    @property
    def dag(self) -> str:
        return f"{self.stack.airflow}/dags/{dag_id(self.workflow)}"

    def task(self, name: str, run: str | None = None) -> str:
        return f"{self.dag}/runs/{run or self.run}/tasks/{self.steps[name]}"

    def waiting(self) -> str:
        """Another run, once Airflow asks for its decision."""
        run = self.stack.execute(self.workflow, note="again")
        required_action(self.stack, self.workflow, run)
        return run


@pytest.fixture(scope="module")
def shown(stack: Stack) -> Shown:
    put_secret(stack, "UI", SECRET)
    stack.create(email("Of somebody else", 0, "else@example.com"), name="Another one")
    workflow = stack.create(
        email("Say", 0, "ui@example.com", "Hello {{secret.UI}}"),
        {**approval(message="May we **buy** it?", form=FORM), "order": 1},
        email("Tell", 2, "ui@example.com"),
        name=NAME,
        trigger={"type": "manual", "inputSchema": SCHEMA},
    )
    run = stack.execute(workflow, note="first")
    required_action(stack, workflow, run)
    steps = {step["name"]: step["id"] for step in stack.client.workflows.get(workflow)["steps"]}
    return Shown(stack, workflow, run, steps)


Opened = Callable[[str], Page]


@pytest.fixture(scope="module")
def opened(chromium: Browser, stack: Stack) -> Iterator[Opened]:  # noqa: F811 -- that fixture
    """Each user's page of Airflow's, by name."""
    # A busy machine takes longer than the five seconds of the default.
    expect.set_options(timeout=TIMEOUT)
    with ExitStack() as closing:
        pages: dict[str, Page] = {}

        def page(user: str) -> Page:
            if user not in pages:
                pages[user] = closing.enter_context(page_of(chromium, stack, user))
            return pages[user]

        yield page


def content(page: Page) -> Any:
    return page.get_by_test_id("main-content").or_(page.locator("body")).first


@pytest.mark.parametrize("user", USERS)
def test_the_list_of_dags_names_automations_with_what_is_to_know(
    shown: Shown, opened: Opened, user: str
) -> None:
    page = opened(user)
    page.goto(f"{shown.stack.airflow}/dags?name_pattern={quote(NAME)}")
    card = page.get_by_test_id("dag-card").or_(page.locator("tbody tr")).filter(has_text=NAME)
    expect(card).to_have_count(1)
    for said in ("by hand", "active", "automation"):
        expect(card).to_contain_text(said)
    assert re.search(r"\bv\d+\b", card.inner_text()) is None


@pytest.mark.parametrize("user", USERS)
def test_the_code_tab_shows_the_automations_own_definition_to_each(
    shown: Shown, opened: Opened, user: str
) -> None:
    page = opened(user)
    page.goto(f"{shown.dag}/code")
    lines = page.locator(".view-lines")
    expect(lines).to_contain_text(re.compile(r"Version\s1\sof\sautomation"))
    expect(lines).to_contain_text(re.compile("name:\\sSay"))
    assert "Of somebody else" not in lines.inner_text().replace("\xa0", " ")


@pytest.mark.parametrize("user", USERS)
def test_a_run_is_in_the_grid_with_its_steps_by_name(
    shown: Shown, opened: Opened, user: str
) -> None:
    page = opened(user)
    page.goto(f"{shown.dag}/runs/{shown.run}")
    for step in ("Say", "Ask", "Tell"):
        expect(page.get_by_text(step, exact=True).first).to_be_visible()
    expect(page.get_by_text("Awaiting Input").first).to_be_visible()
    expect(page.get_by_text(re.compile("^Started by ")).first).to_be_visible()


@pytest.mark.parametrize("user", USERS)
def test_the_head_of_a_dag_says_what_it_is_and_no_number_as_its_limit(
    shown: Shown, opened: Opened, user: str
) -> None:
    page = opened(user)
    page.goto(shown.dag)
    head = page.get_by_test_id("header-card")
    for said in (NAME, "by hand", "of Infinity", "active"):
        expect(head).to_contain_text(said)
    head.get_by_role("button", name="Dag Docs").click()
    docs = page.get_by_role("dialog")
    for said in ("Version 1 of this automation", "approval", "last edit by"):
        expect(docs).to_contain_text(said)
    page.keyboard.press("Escape")
    expect(docs).to_have_count(0)


@pytest.mark.parametrize("user", USERS)
def test_the_log_of_a_task_is_that_of_its_step(shown: Shown, opened: Opened, user: str) -> None:
    page = opened(user)
    page.goto(shown.task("Say"))
    log = page.get_by_test_id("virtualized-list")
    expect(log).to_contain_text("Step 'Say' (Send an e-mail), attempt 1 of 1")
    expect(log).to_contain_text("Mail to ui@example.com: accepted")
    expect(log).to_contain_text("Hello ***")
    assert SECRET not in log.inner_text()


@pytest.mark.parametrize("user", USERS)
def test_the_log_of_a_task_that_waits_says_for_what(
    shown: Shown, opened: Opened, user: str
) -> None:
    page = opened(user)
    page.goto(shown.task("Ask"))
    log = page.get_by_test_id("virtualized-list")
    expect(log).to_contain_text("Waits for a decision by")
    expect(log).not_to_contain_text("Could not read served logs")


@pytest.mark.parametrize("user", USERS)
def test_rendered_templates_are_masked_and_an_xcom_is_a_summary(
    shown: Shown, opened: Opened, user: str
) -> None:
    page = opened(user)
    page.goto(f"{shown.task('Say')}/rendered_templates")
    expect(content(page)).to_contain_text("Hello ***")
    assert SECRET not in page.content()
    page.goto(f"{shown.task('Say')}/xcom")
    expect(content(page)).to_contain_text("return_value")
    assert SECRET not in page.content()


def test_a_viewer_is_refused_an_answer(shown: Shown, opened: Opened) -> None:
    page = opened("vera")
    page.goto(f"{shown.task('Ask')}/required_actions")
    expect(content(page)).to_contain_text("Approval needed")
    page.get_by_test_id("hitl-option-Approve").click()
    expect(page.get_by_text("You do not have permission")).to_be_visible()
    assert shown.stack.run(shown.workflow, shown.run)["status"] == "PAUSED"


def test_a_question_is_asked_with_its_form_and_an_answer_that_is_refused_comes_back(
    shown: Shown, opened: Opened
) -> None:
    run = shown.waiting()
    page = opened("ulla")
    page.goto(f"{shown.task('Ask', run)}/required_actions")
    for said in ("May we buy it?", "Cost centre", "Needed to approve.", "Its page in the console"):
        expect(content(page)).to_contain_text(said)
    page.get_by_test_id("hitl-option-Approve").click()

    def refused() -> bool | None:
        body = required_action(shown.stack, shown.workflow, run)["body"]
        return "An answer was not taken" in body or None

    until("the answer to be refused", refused)
    page.goto(f"{shown.task('Ask', run)}/required_actions")
    expect(content(page)).to_contain_text("An answer was not taken.")
    centre = page.locator("[name=element_centre]")
    centre.fill("700")
    centre.blur()
    expect(centre).to_have_value("700")
    page.get_by_test_id("hitl-option-Approve").click()

    def too_much() -> bool | None:
        body = required_action(shown.stack, shown.workflow, run)["body"]
        return "must be 100 or less" in body or None

    until("too much to be refused", too_much)
    page.goto(f"{shown.task('Ask', run)}/required_actions")
    expect(content(page)).to_contain_text("must be 100 or less")
    page.locator("[name=element_centre]").fill("7")
    page.get_by_test_id("hitl-option-Approve").click()
    done = shown.stack.wait(shown.workflow, run, "COMPLETED")
    answered = done["state"]["stepOutputs"][shown.steps["Ask"]]
    assert answered["data"] == {"centre": 7}
    assert "ulla" in answered["decidedBy"]


def test_a_rejection_needs_none_of_the_fields(shown: Shown, opened: Opened) -> None:
    run = shown.waiting()
    page = opened("admin")
    page.goto(f"{shown.task('Ask', run)}/required_actions")
    page.get_by_test_id("hitl-option-Reject").click()
    assert "admin" in str(shown.stack.wait(shown.workflow, run, "FAILED")["error"])


@pytest.mark.parametrize(
    ("user", "role"), [("admin", "ADMIN"), ("ulla", "MEMBER"), ("vera", "VIEWER")]
)
def test_the_buttons_of_a_task_lead_into_the_console_with_the_role_that_one_has(
    shown: Shown, opened: Opened, user: str, role: str
) -> None:
    page = opened(user)
    page.goto(f"{shown.task('Say')}/details")
    page.get_by_role("link", name="Run in the console").click()
    page.wait_for_url(f"**/console/runs/{shown.run}")
    expect(page.locator("h1")).to_contain_text(NAME)
    session = page.context.request.get(f"{shown.stack.bridge}/api/session").json()
    assert role in str(session)


@pytest.mark.parametrize("user", USERS)
def test_the_entry_of_the_navigation_shows_the_console(
    shown: Shown, opened: Opened, user: str
) -> None:
    page = opened(user)
    page.goto(f"{shown.stack.airflow}/dags")
    page.get_by_test_id("nav-sidebar").get_by_text("Plugins", exact=True).click()
    page.get_by_role("menuitem", name="Automations", exact=True).click()
    frame = page.frame_locator("iframe[title=Automations]")
    expect(frame.get_by_role("heading", name="Automations")).to_be_visible()
    expect(frame.get_by_text(NAME).first).to_be_visible()


@pytest.mark.parametrize(
    ("user", "role"), [("admin", "ADMIN"), ("ulla", "MEMBER"), ("vera", "VIEWER")]
)
def test_tabs_of_the_dag_the_run_and_the_task_show_the_console_without_a_sign_in(
    shown: Shown, opened: Opened, user: str, role: str
) -> None:
    page = opened(user)
    for place, tab, said in (
        (shown.dag, "Automation", NAME),
        (f"{shown.dag}/runs/{shown.run}", "Console", NAME),
        (shown.task("Say"), "Console", "Say"),
    ):
        page.goto(place)
        page.get_by_role("link", name=tab, exact=True).click()
        frame = page.frame_locator(f"iframe[title={tab}]")
        expect(frame.locator("h1")).to_contain_text(NAME)
        expect(frame.locator("main")).to_contain_text(said)
    session = page.context.request.get(f"{shown.stack.bridge}/api/session").json()
    assert role in str(session)


@dataclass(frozen=True)
class Backfilled:
    """A scheduled automation that asks in each run, and two runs of it that a user had made."""

    stack: Stack
    workflow: str
    step: str
    runs: list[str]
    """The earlier one first."""

    @property
    def dag(self) -> str:
        return f"{self.stack.airflow}/dags/{dag_id(self.workflow)}"

    def audited(self, action: str) -> list[dict[str, Any]]:
        entries = self.stack.api("GET", f"/api/audit-logs?action={action}&limit=100")["auditLogs"]
        concerned = {self.workflow, *self.runs}
        return [entry for entry in entries if entry["resource"]["id"] in concerned]


def fill_date(page: Page, number: int, date: str) -> None:
    page.get_by_test_id("datetime-input").nth(number).click()
    day = page.locator("[data-scope=popover][data-state=open]").get_by_placeholder("YYYY/MM/DD")
    day.fill(date)
    day.blur()
    page.keyboard.press("Escape")


@pytest.fixture(scope="module")
def backfilled(stack: Stack, opened: Opened) -> Backfilled:
    """Made as a person makes them: in the dialog, whose dry run Airflow's UI asks for by itself."""
    workflow = stack.create(
        approval(),
        email("Tell", 1, "backfilled@example.com", "{{trigger.scheduledFor}}"),
        name=f"Nightly {secrets.token_hex(3)}",
        trigger={"type": "schedule", "cron": "0 5 * * *", "timezone": "Europe/Warsaw"},
    )
    step = next(
        step["id"]
        for step in stack.client.workflows.get(workflow)["steps"]
        if step["name"] == "Ask"
    )
    path = f"/dags/{dag_id(workflow)}"
    until("its DAG", lambda: True if stack.tried_in_airflow("GET", path).ok else None)
    page = opened("ulla")
    page.goto(f"{stack.airflow}{path}")
    page.get_by_test_id("trigger-dag-button").first.click()
    dialog = page.get_by_role("dialog").filter(has_text="Reprocess Behavior")
    page.get_by_role("dialog").get_by_text("Backfill", exact=True).click()
    fill_date(page, 0, "2026/03/01")
    fill_date(page, 1, "2026/03/02")
    # By the dry run.
    expect(dialog).to_contain_text(re.compile("2 runs? will be triggered"))
    most = dialog.locator("[name=max_active_runs]")
    most.fill("2")
    most.blur()
    dialog.get_by_role("button", name="Run Backfill").click()

    def wait() -> list[dict[str, Any]] | None:
        runs = listed(stack, workflow)
        return runs if [run["status"] for run in runs] == ["PAUSED", "PAUSED"] else None

    until("both runs to ask", wait)
    of_airflow = stack.in_airflow("GET", f"{path}/dagRuns?order_by=logical_date")["dag_runs"]
    runs = [run_id(workflow, run["dag_run_id"]) for run in of_airflow]
    return Backfilled(stack, workflow, step, runs)


@pytest.mark.parametrize("user", USERS)
def test_a_backfill_is_in_its_tab_and_its_runs_are_in_the_grid(
    backfilled: Backfilled, opened: Opened, user: str
) -> None:
    page = opened(user)
    page.goto(f"{backfilled.dag}/backfills")
    expect(content(page)).to_contain_text("2026-03-01")
    page.goto(f"{backfilled.dag}/runs")
    for date in ("2026-03-01 04:00:00", "2026-03-02 04:00:00"):
        expect(page.locator("tbody")).to_contain_text(date)


def test_who_has_begun_a_backfill_is_on_record(backfilled: Backfilled) -> None:
    entries = until("the entry", lambda: backfilled.audited("workflow.backfill") or None)
    assert [entry["actor"]["name"] for entry in entries] == ["ulla"]
    assert entries[0]["details"]["from"].startswith("2026-03-01")


def marking(page: Page, address: str, state: str) -> Any:
    """The dialog in which a task is marked."""
    page.goto(address)
    page.get_by_role("button", name="Mark Task Instance as...").click()
    page.get_by_role("menuitem").filter(has_text=state).click()
    return page.get_by_role("dialog").filter(has_text="Mark Task Instance as")


def task_of(backfilled: Backfilled, run: str) -> str:
    ((of_airflow,),) = backfilled.stack.in_database(
        "SELECT coalesce(dag_run_id, id) FROM run WHERE id = %(run)s", run=run
    )
    # Airflow gives it the date of the run, with a plus.
    return f"{backfilled.dag}/runs/{quote(of_airflow)}/tasks/{backfilled.step}"


def test_a_viewer_marks_nothing(backfilled: Backfilled, opened: Opened) -> None:
    _, later = backfilled.runs
    dialog = marking(opened("vera"), task_of(backfilled, later), "Success")
    dialog.get_by_role("button", name="Confirm").click(force=True)
    expect(dialog).to_be_visible()
    assert backfilled.stack.run(backfilled.workflow, later)["status"] == "PAUSED"


def test_a_step_that_is_marked_as_failed_with_those_before_fails_each_run_by_name(
    backfilled: Backfilled, opened: Opened
) -> None:
    stack, workflow = backfilled.stack, backfilled.workflow
    earlier, later = backfilled.runs
    dialog = marking(opened("ulla"), task_of(backfilled, later), "Failed")
    dialog.get_by_role("button", name="Past", exact=True).click()
    expect(dialog).to_contain_text("Affected Tasks: 2")
    dialog.get_by_role("button", name="Confirm").click()
    for run in (later, earlier):
        said = str(stack.wait(workflow, run, "FAILED")["error"])
        assert "Marked as failed in Airflow by ulla: step Ask" in said

    def both() -> bool | None:
        return len(backfilled.audited("run.mark")) == 2 or None

    until("both to be on record", both)
    for run in (later, earlier):
        assert "marked" in [line["status"] for line in stack.run(workflow, run)["logs"]]


def test_a_question_that_is_marked_as_done_is_decided_by_name(shown: Shown, opened: Opened) -> None:
    run = shown.waiting()
    dialog = marking(opened("admin"), shown.task("Ask", run), "Success")
    dialog.get_by_role("button", name="Confirm").click()
    shown.stack.wait(shown.workflow, run, "COMPLETED")

    def named() -> bool | None:
        outputs = shown.stack.run(shown.workflow, run)["state"]["stepOutputs"]
        return outputs[shown.steps["Ask"]].get("decidedBy") == "airflow:admin" or None

    until("who has decided to be named", named)


def listed(stack: Stack, workflow: str) -> list[dict[str, Any]]:
    """The runs of an automation, newest first."""
    return list(stack.api("GET", f"/api/workflows/{workflow}/runs")["runs"])


def triggering(page: Page, shown: Shown) -> Page:
    page.goto(shown.dag)
    page.get_by_test_id("trigger-dag-button").first.click()
    return page


def test_a_viewer_triggers_nothing(shown: Shown, opened: Opened) -> None:
    known = listed(shown.stack, shown.workflow)
    page = triggering(opened("vera"), shown)
    page.locator("[name=element_note]").fill("by a viewer")
    page.get_by_test_id("trigger-dag-submit").click()
    expect(page.get_by_role("dialog")).to_contain_text("Forbidden")
    assert listed(shown.stack, shown.workflow) == known


def test_the_trigger_form_refuses_in_words_and_changes_nothing_that_is_typed(
    shown: Shown, opened: Opened
) -> None:
    known = listed(shown.stack, shown.workflow)
    page = triggering(opened("ulla"), shown)
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("In euros. At most 5000.")
    expect(dialog).to_contain_text("At least 3 characters.")
    amount = page.locator("[name=element_amount]")
    page.locator("[name=element_note]").fill("a form")
    amount.fill("9000")
    amount.blur()
    expect(amount).to_have_value(re.compile("9.?000"))
    page.get_by_test_id("trigger-dag-submit").click()
    expect(dialog).to_contain_text("9000 is greater than 5000")
    assert listed(shown.stack, shown.workflow) == known
    amount.fill("40")
    amount.blur()
    # By the keyboard: what Airflow says of the refusal may still lie over the button.
    page.get_by_test_id("trigger-dag-submit").press("Enter")

    def started() -> dict[str, Any] | None:
        runs = listed(shown.stack, shown.workflow)
        return runs[0] if len(runs) > len(known) else None

    run = until("the run that was triggered", started)
    assert "ulla" in str(shown.stack.run(shown.workflow, run["id"])["startedBy"])
    page.goto(f"{shown.stack.bridge}/console/runs/{run['id']}")
    expect(page.locator("main")).to_contain_text('"amount": 40')
