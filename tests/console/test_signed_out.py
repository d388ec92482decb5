"""What is typed is not lost when a session ends meanwhile, and is sent once."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, Route, expect
from sqlalchemy import delete

from api_bridge.cookies import COOKIE
from automations.db.session import unit_of_work
from automations.db.tables import Member, Run, SignIn
from automations.services.access import sign_ins
from automations.services.workflows import edits
from tests.console.sample import Sample
from tests.console.screenshots import serving, signed_in
from tests.waiting import until

pytestmark = pytest.mark.slow


@pytest.fixture
def url(there: Sample) -> Iterator[str]:
    with serving() as address:
        yield address


@pytest.fixture
def page(chromium: Chromium, url: str, there: Sample) -> Iterator[Page]:
    opened = signed_in(chromium, url, there.tokens["OWNER"])
    opened.clock.install()
    yield opened
    opened.context.close()


def end_all_sessions() -> None:
    with unit_of_work() as session:
        session.execute(delete(SignIn))


def sign_in_elsewhere(page: Page, url: str, there: Sample) -> None:
    """In another window of the same browser: its cookie is another one then."""
    with unit_of_work() as session:
        member = session.get_one(Member, there.people["OWNER"].member_id)
        token = sign_ins.open_session(session, member).token
    page.context.add_cookies([{"name": COOKIE, "value": token, "url": url}])


def test_a_form_is_sent_when_one_is_back(page: Page, url: str, there: Sample) -> None:
    page.goto(f"{url}/console/workflows/{there.workflow}/run")
    page.get_by_label("Company *").fill("Typed for an hour")
    page.clock.fast_forward("01:00:00")
    end_all_sessions()
    page.get_by_role("button", name="Start the run").click()
    note = page.locator("#signed-out")
    expect(note).to_be_visible()
    expect(page.get_by_label("Company *")).to_have_value("Typed for an hour")
    with page.context.expect_page() as other:
        note.get_by_role("link", name="Sign in in a new window").click()
    expect(other.value.get_by_role("heading", name="Sign in")).to_be_visible()
    sign_in_elsewhere(page, url, there)
    page.get_by_role("button", name="Start the run").click()
    expect(page.locator("h1 .badge")).to_have_text("Running")
    expect(page.get_by_text("Typed for an hour").first).to_be_attached()


def test_a_form_waits_for_a_server_that_is_away(page: Page, url: str, there: Sample) -> None:
    page.goto(f"{url}/console/workflows/{there.workflow}/run")
    page.get_by_label("Company *").fill("Typed")
    page.clock.fast_forward("01:00:00")
    page.context.set_offline(True)
    page.get_by_role("button", name="Start the run").click()
    expect(page.locator("#away")).to_be_visible()
    page.context.set_offline(False)
    page.get_by_role("button", name="Start the run").click()
    expect(page.locator("h1 .badge")).to_have_text("Running")


def test_the_builder_goes_on_by_itself(page: Page, url: str, there: Sample) -> None:
    page.goto(f"{url}/console/workflows/{there.workflow}/edit?at=step.hello")
    end_all_sessions()
    page.get_by_label("Subject *").fill("Typed without a session")
    expect(page.locator("#signed-out")).to_be_visible()
    expect(page.get_by_label("Subject *")).to_have_value("Typed without a session")
    sign_in_elsewhere(page, url, there)
    expect(page.locator("#signed-out")).to_be_hidden()
    expect(page.locator("[role=status]").first).to_contain_text("are kept here for you")
    edit = edits.get(there.people["OWNER"], there.workflow)
    assert "Typed without a session" in str(edit.definition)


def test_the_builder_goes_on_for_who_has_signed_in_anew(
    page: Page, url: str, there: Sample
) -> None:
    page.goto(f"{url}/console/workflows/{there.workflow}/edit?at=step.hello")
    sign_in_elsewhere(page, url, there)
    page.get_by_label("Subject *").fill("Typed with another token")
    expect(page.locator("[role=status]").first).to_contain_text("are kept here for you")
    edit = edits.get(there.people["OWNER"], there.workflow)
    assert "Typed with another token" in str(edit.definition)


def test_a_cell_stays_open_with_what_was_typed(page: Page, url: str, there: Sample) -> None:
    page.goto(f"{url}/console/tables/{there.table}")
    page.locator(".grid tbody td", has_text=re.compile("^ACME GmbH$")).dblclick()
    cell = page.locator(".grid tr.changing [form=changing]:not([type=hidden])").first
    expect(cell).to_be_visible()
    end_all_sessions()
    cell.fill("Typed into a cell")
    cell.press("Enter")
    expect(page.locator("#signed-out")).to_be_visible()
    expect(cell).to_have_value("Typed into a cell")
    sign_in_elsewhere(page, url, there)
    cell.press("Enter")
    expect(page.locator(".grid tbody td", has_text="Typed into a cell")).to_be_visible()
    expect(page.locator("#signed-out")).to_be_hidden()


def test_a_page_that_follows_something_stays_while_one_types(
    page: Page, url: str, there: Sample
) -> None:
    page.goto(f"{url}/console/approvals/{there.runs['asked']}")
    page.get_by_role("textbox").first.fill("Known for years, and")
    end_all_sessions()
    page.evaluate("load(location.href)")
    expect(page.locator("#signed-out")).to_be_visible()
    page.get_by_role("textbox").first.fill("")
    page.evaluate("load(location.href)")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_button_that_is_pressed_again_while_it_is_at_work_does_nothing_more(
    chromium: Chromium, url: str, there: Sample
) -> None:
    page = signed_in(chromium, url, there.tokens["MEMBER"])
    page.goto(f"{url}/console/workflows/{there.workflow}/run")
    page.get_by_label("Company *").fill("ACME")
    held: list[Route] = []
    page.route(re.compile("/execute$"), lambda route: held.append(route))
    passed = page.evaluate(
        """async () => {
            let passed = 0;
            addEventListener("submit", () => { passed += 1; });
            const button = document.querySelector("form.card .button.main");
            button.click();
            await new Promise((resolve) => setTimeout(resolve));
            button.click();
            return [passed, button.getAttribute("aria-busy")];
        }"""
    )
    assert passed == [1, "true"]

    def look() -> Route | None:
        page.wait_for_timeout(10)
        return held[0] if held else None

    until("the request", look).continue_()
    expect(page.locator("h1 .badge")).to_have_text("Running")
    with unit_of_work() as session:
        assert [run.input["company"] for run in session.query(Run)].count("ACME") == 1
    page.context.close()
