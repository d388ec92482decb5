"""What a person does in the console, on the real stack: each way begun and come to its end."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.console.conftest import chromium  # noqa: F401 -- a fixture
from tests.console.person import Person
from tests.e2e.automations import approval, email
from tests.e2e.conftest import Stack
from tests.waiting import until

pytestmark = pytest.mark.slow

MAX_ACTIONS = 30
PASSWORD = "a pass phrase that nobody knows"
WALKER = "walker@example.com"


@pytest.fixture(scope="module")
def walker(chromium: Browser, stack: Stack) -> Iterator[Person]:  # noqa: F811 -- that fixture
    """A member who was invited, and has nothing but the link."""
    printed = stack.command("invite", WALKER)
    link = re.search(r"http://\S+/console/invitation/\S+", printed.stdout)
    assert link is not None, printed.stdout + printed.stderr
    page = chromium.new_page(viewport={"width": 1440, "height": 1000}, locale="en-GB")
    page.set_default_timeout(120_000)
    person = Person(page)
    page.goto(link.group(0))
    person.type("Password", PASSWORD)
    person.type("Repeat the password", PASSWORD)
    person.press("Set the password and sign in")
    yield person
    page.context.close()


def shown_status(page: Page) -> Locator:
    return page.locator("h1 .badge")


def test_from_the_invitation_to_a_completed_run_by_clicking_alone(
    stack: Stack, walker: Person
) -> None:
    page = walker.page
    page.goto(f"{stack.bridge}/console/start")
    walker.click(page.get_by_role("link", name="Choose one"))
    walker.type("Start from nothing", "Say hello")
    walker.press("Create")
    expect(page.locator("[data-builder]")).to_be_visible()
    page.wait_for_load_state()
    walker.click(page.get_by_role("button", name="Add a step at the end"))
    walker.click(page.get_by_role("button", name="Send an e-mail"))
    page.get_by_label("To *", exact=True).wait_for()
    walker.type("To *", "clicked@example.com")
    walker.type("Subject *", "Hello")
    walker.type("Body", "Good morning.")
    walker.press("Save and activate")
    expect(shown_status(page)).to_have_text("Active")
    walker.follow("Run")
    walker.press("Start the run")
    expect(shown_status(page)).to_have_text("Completed")
    assert walker.actions < MAX_ACTIONS
    assert [mail["subject"] for mail in stack.mails("clicked@example.com")] == ["Hello"]


def test_an_edit_leaves_a_run_that_waits_to_its_own_version(stack: Stack, walker: Person) -> None:
    page = walker.page
    workflow = stack.create(approval(), email("Tell", 1, "waited@example.com"), name="Waits")
    run = stack.execute(workflow)
    stack.wait(workflow, run, "PAUSED")
    page.goto(f"{stack.bridge}/console/workflows/{workflow}")
    walker.follow("Edit")
    expect(page.locator("[data-builder]")).to_be_visible()
    page.wait_for_load_state()
    walker.click(page.locator(".box", has_text="Tell"))
    walker.type("Subject *", "Of the new version")
    expect(page.get_by_text("1 run is in flight")).to_be_visible()
    walker.press("Save")
    expect(page.get_by_role("status").first).to_contain_text("Saved as a new version")
    page.goto(f"{stack.bridge}/console/runs/{run}")
    walker.follow("Decide")
    walker.press("Approve")
    expect(page.get_by_role("status").first).to_contain_text("Approved")
    page.goto(f"{stack.bridge}/console/runs/{run}")
    expect(shown_status(page)).to_have_text("Completed")
    expect(page.get_by_role("link", name="Version 1")).to_be_visible()
    assert [mail["subject"] for mail in stack.mails("waited@example.com")] == ["Test"]


def test_a_failed_run_is_found_and_goes_on_when_its_step_was_corrected(
    stack: Stack, walker: Person
) -> None:
    page = walker.page
    script = {"code": "throw new Error('nobody has said how much')", "input": {"a": 1}}
    workflow = stack.create(
        email("Once", 0, "mended@example.com"),
        {"name": "Reckon", "type": "code", "order": 1, "config": script},
        name="Breaks",
    )
    run = stack.execute(workflow)
    stack.wait(workflow, run, "FAILED")
    page.goto(f"{stack.bridge}/console/runs")
    page.get_by_label("Status").select_option("FAILED")
    walker.click(page.get_by_role("row", name="Breaks").get_by_role("link").first)
    expect(page.get_by_role("alert")).to_contain_text("nobody has said how much")
    walker.click(page.locator(".crumbs").get_by_role("link", name="Breaks"))
    walker.follow("Edit")
    expect(page.locator("[data-builder]")).to_be_visible()
    page.wait_for_load_state()
    walker.click(page.locator(".box", has_text="Reckon"))
    walker.type("Code *", "return {sum: input.a + 1}")
    walker.press("Save")
    expect(page.get_by_role("status").first).to_contain_text("Saved as a new version")
    page.goto(f"{stack.bridge}/console/runs/{run}")
    walker.press("Retry with newest version")
    expect(shown_status(page)).to_have_text("Completed")
    # What was done before it failed is not done again.
    assert len(stack.mails("mended@example.com")) == 1


def test_somebody_approves_by_mail_on_a_phone(
    chromium: Browser,  # noqa: F811 -- that fixture
    stack: Stack,
) -> None:
    data = {"client": "{{input.client}}", "large": True}
    ask = approval(approvers=["phone@example.com"], message="May we?", data=data)
    workflow = stack.create(ask)
    run = stack.execute(workflow, client="ACME")
    mail = until("the mail", lambda: next(iter(stack.mails("phone@example.com")), None))
    link = re.search(r"http://\S+/callback/\S+", mail["text"])
    assert link is not None
    page = chromium.new_page(viewport={"width": 360, "height": 740}, has_touch=True)
    page.set_default_timeout(120_000)
    page.goto(link.group(0))
    expect(page.get_by_role("row", name="client")).to_contain_text("ACME")
    expect(page.get_by_role("row", name="large")).to_contain_text("Yes")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("button", name="Approve").tap()
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    stack.wait(workflow, run, "COMPLETED")
    page.context.close()
