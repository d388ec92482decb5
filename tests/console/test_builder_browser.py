"""The builder in Chromium: by the mouse, by the keyboard alone, and from nothing to a run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, expect

from automations import wiring
from automations.db.session import unit_of_work
from automations.db.tables import Member, Run
from automations.domain.principals import Principal
from automations.execution.verdicts import TaskRef
from automations.services.access import members, sign_ins
from automations.services.access.bootstrap import ensure_workspace
from automations.services.workflows import definitions, edits, workflows
from tests.console.person import Person
from tests.console.sample import Sample
from tests.console.screenshots import serving, signed_in
from tests.doubles import ports

pytestmark = pytest.mark.slow

MAX_ACTIONS = 30
HOSTILE = "\"'><img src=x onerror=alert(1)><script>alert(1)</script>"


@pytest.fixture
def url(database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("AUTOMATIONS_DISPATCHER", "off")
    with serving() as address:
        yield address


@pytest.fixture
def nobody_yet(database: str) -> str:
    """The session of the owner of a workspace in which there is nothing."""
    first = Principal(ensure_workspace(), "OWNER", "setup", key_id="setup")
    made = members.create(first, name="Ada", email="ada@b.example", role="OWNER")
    with unit_of_work() as session:
        return sign_ins.open_session(session, session.get_one(Member, made.id)).token


def opened(chromium: Chromium, url: str, token: str, faults: list[str], **look: Any) -> Page:
    page = signed_in(chromium, url, token, **look)
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("dialog", lambda dialog: faults.append(dialog.message))
    return page


def play(run_id: str) -> None:
    """What Airflow does for a run: its steps, one after the other."""
    with unit_of_work() as session:
        run = session.get_one(Run, run_id)
        nodes = list(definitions.load(session, run.workflow_id, run.version).plan.nodes)
    for node in nodes:
        wiring.engine().run(TaskRef(run_id, run.workflow_id, run.version, node))


def test_from_nothing_to_a_completed_run_by_clicking_alone(
    chromium: Chromium, url: str, nobody_yet: str
) -> None:
    faults: list[str] = []
    page = opened(chromium, url, nobody_yet, faults)
    person = Person(page)
    page.goto(url)
    expect(page.locator("h1")).to_have_text("Get started")
    person.click(page.get_by_role("link", name="Choose one"))
    person.fill(page.get_by_label("Start from nothing"), "Hello")
    person.click(page.get_by_role("button", name="Create"))
    expect(page.locator("h1")).to_contain_text("Hello")
    page.wait_for_load_state()
    person.click(page.get_by_role("button", name="Add a step at the end"))
    person.click(page.get_by_role("button", name="Condition Choose"))
    person.fill(page.get_by_label("What rule 1 looks at"), "{{input.amount | default(2000)}}")
    person.actions += 1
    page.get_by_label("How rule 1 compares").select_option("gt")
    person.fill(page.get_by_label("What rule 1 compares with"), "1000")
    person.click(page.get_by_label("If so").get_by_role("button", name="Add a step at the end"))
    person.click(page.get_by_role("button", name="Send a notification Show"))
    person.fill(page.get_by_label("Title *"), "It is large")
    person.click(page.get_by_role("button", name="Save and activate"))
    expect(page.locator("h1 .badge")).to_have_text("Active")
    person.click(page.get_by_role("link", name="Run", exact=True))
    person.click(page.get_by_role("button", name="Start the run"))
    expect(page.locator("h1 .badge")).to_have_text("Running")
    play(page.url.split("?")[0].rpartition("/")[2])
    expect(page.locator("h1 .badge")).to_have_text("Completed")
    assert person.actions < MAX_ACTIONS
    page.goto(f"{url}/console/notifications")
    expect(page.locator("main")).to_contain_text("It is large")
    assert faults == []


def test_one_of_the_gallery_is_a_draft_by_two_clicks(
    chromium: Chromium, url: str, nobody_yet: str
) -> None:
    faults: list[str] = []
    page = opened(chromium, url, nobody_yet, faults)
    page.goto(f"{url}/console/workflows/new")
    page.get_by_role("button", name="Use this KYC review of a new client").click()
    expect(page.locator("h1")).to_contain_text("KYC review of a new client Draft")
    page.wait_for_load_state()
    page.locator("[data-step=ask]").click()
    expect(page.get_by_label("Message *")).to_have_value("May we take on {{input.company}}?")
    assert faults == []


def test_what_is_typed_is_kept_without_a_button_and_shown_with_its_value(
    chromium: Chromium, url: str, there: Sample
) -> None:
    faults: list[str] = []
    page = opened(chromium, url, there.tokens["OWNER"], faults)
    address = f"{url}/console/workflows/{there.workflow}/edit?at=step.hello"
    page.goto(address)
    subject = page.get_by_label("Subject *")
    subject.fill("Dear ")
    subject.press("End")
    page.locator("[data-insert='{{loop.item.email}}']").click()
    expect(subject).to_have_value("Dear {{loop.item.email}}")
    expect(page.locator("[id='about-f:config.subject']")).to_contain_text("Dear ada@b.example")
    subject.press_sequentially(" {{nowhere}}")
    expect(page.locator("[id='about-f:config.subject']")).to_contain_text("unknown name 'nowhere'")
    expect(page.locator("[data-step=hello]")).to_contain_text("1 problem")
    page.goto(address)
    expect(page.get_by_label("Subject *")).to_have_value("Dear {{loop.item.email}} {{nowhere}}")
    assert faults == []


def test_a_template_is_completed_from_what_is_at_hand(
    chromium: Chromium, url: str, there: Sample
) -> None:
    faults: list[str] = []
    page = opened(chromium, url, there.tokens["OWNER"], faults)
    page.goto(f"{url}/console/workflows/{there.workflow}/edit?at=step.hello")
    subject, keys = page.get_by_label("Subject *"), page.keyboard
    subject.fill("")
    subject.press_sequentially("For {{email")
    offered = page.locator("#completions [role=option]")
    expect(offered.first).to_contain_text("loop.item.email")
    keys.press("Enter")
    expect(subject).to_have_value("For {{loop.item.email}}")
    expect(offered).to_have_count(0)
    for _ in "}}":
        keys.press("ArrowLeft")
    subject.press_sequentially(" | upp")
    expect(offered).to_have_count(1)
    offered.first.click()
    expect(subject).to_have_value("For {{loop.item.email | upper}}")
    expect(page.locator("[id='about-f:config.subject']")).to_contain_text("For ADA@B.EXAMPLE")
    subject.press_sequentially(" {{")
    expect(offered.first).to_be_visible()
    keys.press("Escape")
    expect(offered).to_have_count(0)
    assert faults == []


def test_a_step_goes_to_another_automation_by_the_clipboard(
    chromium: Chromium, url: str, there: Sample
) -> None:
    faults: list[str] = []
    page = opened(chromium, url, there.tokens["OWNER"], faults)
    page.goto(f"{url}/console/workflows/{there.workflow}/edit?at=step.risky")
    page.locator("[data-step=risky]").focus()
    page.keyboard.press("Control+c")
    page.goto(f"{url}/console/workflows/{there.digest}/edit?at=step.mail")
    page.locator("[data-step=mail]").focus()
    page.keyboard.press("Control+v")
    expect(page.locator(".box[aria-current]")).to_contain_text("Is it risky?")
    expect(page.locator("[data-step]")).to_have_count(4)
    page.keyboard.press("Control+z")
    expect(page.locator("[data-step]")).to_have_count(1)
    assert faults == []


def test_what_is_typed_while_the_server_is_away_is_kept_as_soon_as_it_is_back(
    chromium: Chromium, url: str, there: Sample
) -> None:
    page = opened(chromium, url, there.tokens["OWNER"], [])
    page.goto(f"{url}/console/workflows/{there.workflow}/edit?at=step.hello")
    page.context.set_offline(True)
    page.get_by_label("Subject *").fill("Typed meanwhile")
    expect(page.locator("#offline")).to_be_visible()
    page.context.set_offline(False)
    expect(page.locator("#offline")).to_be_hidden()
    expect(page.locator("[role=status]").first).to_contain_text("are kept here for you")
    assert "Typed meanwhile" in str(edits.get(there.people["OWNER"], there.workflow).definition)


def test_what_is_typed_stays_where_the_server_refuses_or_fails(
    chromium: Chromium, url: str, there: Sample
) -> None:
    page = opened(chromium, url, there.tokens["OWNER"], [])
    page.goto(f"{url}/console/workflows/{there.workflow}/edit?at=step.hello")
    subject = page.get_by_label("Subject *")
    posted = re.compile("/edit$")
    page.route(posted, lambda route: route.fulfill(status=503, body="<h1>Away</h1>"))
    subject.fill("Typed while it fails")
    expect(page.locator("#offline")).to_be_visible()
    page.unroute(posted)
    expect(page.locator("#offline")).to_be_hidden()
    assert "Typed while it fails" in str(
        edits.get(there.people["OWNER"], there.workflow).definition
    )
    body = page.locator("[id='f:config.body']")
    body.fill("x" * 1_100_000)
    expect(page.locator("#part-notes")).to_contain_text("bytes")
    expect(body).to_have_value("x" * 1_100_000)
    body.fill("Short again")
    expect(page.locator("#part-notes .bad")).to_have_count(0)
    assert "Short again" in str(edits.get(there.people["OWNER"], there.workflow).definition)


def test_saving_by_the_keyboard_leaves_whoever_types_where_they_are(
    chromium: Chromium, url: str, there: Sample
) -> None:
    page = opened(chromium, url, there.tokens["OWNER"], [])
    page.goto(f"{url}/console/workflows/{there.workflow}/edit?at=step.hello")
    subject = page.get_by_label("Subject *")
    subject.fill("One")
    subject.press("Control+s")
    expect(page.locator("[role=status]").first).to_contain_text("Saved as a new version")
    expect(subject).to_be_focused()
    page.keyboard.type(" two")
    expect(subject).to_have_value("One two")
    expect(page.locator("#part-head [role=status]")).to_contain_text("are kept here for you")
    assert "One two" in str(edits.get(there.people["OWNER"], there.workflow).definition)


def test_a_step_is_dragged_to_another_place_and_back_by_undo(
    chromium: Chromium, url: str, there: Sample
) -> None:
    faults: list[str] = []
    # All of it is in sight: what scrolls under a mouse that is held down is something else.
    tall = {"width": 1300, "height": 1500}
    page = opened(chromium, url, there.tokens["OWNER"], faults, viewport=tall)
    page.goto(f"{url}/console/workflows/{there.workflow}/edit")
    page.locator("[data-step=later]").drag_to(page.locator("[data-spot='/steps/0']"))
    expect(page.locator("[data-step]").first).to_have_attribute("data-step", "later")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("[data-step]").first).to_have_attribute("data-step", "register")
    assert faults == []


def test_steps_are_made_moved_and_saved_by_the_keyboard_alone(
    chromium: Chromium, url: str, there: Sample
) -> None:
    faults: list[str] = []
    page = opened(chromium, url, there.tokens["OWNER"], faults)
    page.goto(f"{url}/console/workflows/{there.workflow}/edit")
    keys = page.keyboard
    page.locator("[data-step=later]").focus()
    keys.press("Enter")
    expect(page.locator("[data-step=later]")).to_have_attribute("aria-current", "step")
    keys.press("Alt+ArrowUp")
    expect(page.locator("[data-step]").nth(4)).to_have_attribute("data-step", "later")
    expect(page.locator("[data-step=later]")).to_be_focused()
    keys.press("ArrowUp")
    keys.press("Shift+Tab")
    keys.press("Enter")
    expect(page.get_by_placeholder("Search step types")).to_be_focused()
    keys.type("delay")
    expect(page.locator(".palette button:visible")).to_have_count(1)
    keys.press("Enter")
    expect(page.get_by_label("Name *")).to_be_focused()
    expect(page.get_by_label("Name *")).to_have_value("Delay")
    keys.press("Tab")
    keys.type("PT5M")
    expect(page.locator("[id='about-f:config.duration']")).to_contain_text("5 min")
    keys.press("Control+s")
    expect(page.locator("[role=status]").first).to_contain_text("Saved as a new version")
    automation = workflows.get(there.workspace, there.workflow)
    assert automation.version == 3
    assert "PT5M" in str(automation.definition)
    page.locator("[data-step=later]").focus()
    keys.press("Delete")
    expect(page.locator("[data-step=later]")).to_have_count(0)
    keys.press("Control+z")
    expect(page.locator("[data-step=later]")).to_have_count(1)
    assert faults == []


def test_nothing_that_was_written_becomes_a_part_of_the_page(
    chromium: Chromium, url: str, there: Sample
) -> None:
    faults: list[str] = []
    owner = there.people["OWNER"]
    found = workflows.get(there.workspace, there.workflow).definition
    body = {**found, "name": HOSTILE, "description": HOSTILE, "variables": {HOSTILE: HOSTILE}}
    workflows.update(owner, there.workflow, body, ports())
    edit = edits.get(owner, there.workflow)
    edits.apply(owner, there.workflow, edit.base_version, 0, "", _hostile)
    page = opened(chromium, url, there.tokens["OWNER"], faults)
    for at in ("step.note", "settings", "yaml", "sample", "trigger"):
        page.goto(f"{url}/console/workflows/{there.workflow}/edit?at={at}")
        if at in ("step.note", "settings"):
            page.get_by_role("button", name="Check", exact=True).first.click()
        assert page.locator("img[src=x]").count() == 0
    assert [fault for fault in faults if "400" not in fault] == []


def _hostile(draft: Any) -> Any:
    steps = [dict(step) for step in draft["steps"]]
    steps[1]["name"] = HOSTILE
    steps[1]["config"]["else"][0]["config"] = {"title": HOSTILE, HOSTILE: HOSTILE}
    return {**draft, "steps": steps}


def test_the_page_is_light_and_loads_little(chromium: Chromium, url: str, there: Sample) -> None:
    page = opened(chromium, url, there.tokens["OWNER"], [])
    page.goto(f"{url}/console/workflows/{there.workflow}/edit")
    size = page.evaluate("performance.getEntriesByType('navigation')[0].decodedBodySize")
    assert 0 < size < 200_000
    assert page.evaluate("performance.getEntriesByType('resource').length") <= 6
