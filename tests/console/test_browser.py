"""The console in Chromium: accessible, live, quick to filter, and nothing goes wrong in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, expect

from automations.db.runs import runs
from automations.db.session import unit_of_work
from automations.db.tables import Wait
from automations.domain.statuses import RunStatus
from automations.services.pipelines import pulls, syncs
from tests.console import accessibility, public_pages, things, weights
from tests.console.sample import Sample
from tests.console.screenshots import addresses, serving, signed_in, unhurried

pytestmark = pytest.mark.slow

WIDTHS = (360, 769, 820, 961, 1024, 1180, 1280)
"""Of phones, of tablets either way, and on both sides of where the navigation moves."""
MAX_STOPS = 200
FOCUS = """() => {
  const one = document.activeElement, box = one.getBoundingClientRect();
  if (one === document.body) return null;
  const onTop = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
  return {
    name: one.title || one.innerText.trim() || one.name,
    isOutlined: getComputedStyle(one).outlineStyle !== "none",
    isOnTop: Boolean(onTop) && (one.contains(onTop) || onTop.contains(one)),
  };
}"""
"""What has the focus: None where the keyboard has left the page."""


@pytest.fixture
def url(there: Sample) -> Iterator[str]:
    with serving() as address:
        yield address


def opened(chromium: Chromium, url: str, token: str | None, faults: list[str], **look: str) -> Page:
    page = signed_in(chromium, url, token, **look)
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    return page


def test_every_page_is_accessible_and_fits_on_a_desk_and_on_a_phone_in_light_and_dark(
    chromium: Chromium, url: str, there: Sample
) -> None:
    things.add_history(there)
    faults: list[str] = []
    found: dict[str, dict[str, list[str]]] = {}
    wide: list[str] = []
    page = opened(chromium, url, there.tokens["OWNER"], faults)
    for name, path in addresses(there).items():
        if name == "error":
            continue  # its status is written to the browser's console
        page.goto(f"{url}{path}")
        if broken := accessibility.violations_everywhere(page):
            found[name] = broken
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                wide.append(f"{name} {width}")
    page.context.close()
    assert found == {}
    assert wide == []
    assert faults == []


def test_a_run_s_page_follows_it_without_being_loaded_anew(
    chromium: Chromium, url: str, there: Sample
) -> None:
    faults: list[str] = []
    page = opened(chromium, url, there.tokens["VIEWER"], faults)
    page.goto(f"{url}/console/runs/{there.runs['running']}")
    page.evaluate("window.same = true")
    expect(page.locator("h1 .badge")).to_have_text("Running")
    with unit_of_work() as session:
        runs.end_run(session, there.runs["running"], RunStatus.COMPLETED, None)
    expect(page.locator("h1 .badge")).to_have_text("Completed")
    assert page.evaluate("window.same") is True
    assert faults == []


def test_the_button_of_the_theme_changes_what_the_reader_s_system_shows(
    chromium: Chromium, url: str, there: Sample
) -> None:
    faults: list[str] = []
    page = opened(chromium, url, there.tokens["VIEWER"], faults, color_scheme="dark")
    page.goto(f"{url}/console/start")
    ground = "getComputedStyle(document.body).colorScheme"
    for pressed, shown in (("Light theme", "light"), ("Dark theme", "dark")):
        expect(page.locator("[data-theme-form] button:visible")).to_have_count(1)
        page.get_by_role("button", name=pressed).click()
        expect(page.locator("html")).to_have_attribute("data-theme", shown)
        assert page.evaluate(ground) == shown
    assert faults == []


def test_a_list_is_filtered_while_one_types_and_times_are_the_reader_s(
    chromium: Chromium, url: str, there: Sample
) -> None:
    faults: list[str] = []
    page = opened(chromium, url, there.tokens["VIEWER"], faults, timezone_id="Asia/Tokyo")
    page.goto(f"{url}/console/workflows")
    page.keyboard.press("/")
    page.keyboard.type("kyc")
    expect(page).to_have_url(re.compile(r"\?q=kyc$"))
    expect(page.locator("tbody tr")).to_have_count(1)
    page.goto(f"{url}/console/runs")
    moment = page.locator("tbody time").first
    began = datetime.fromisoformat(str(moment.get_attribute("datetime")))
    page.clock.set_fixed_time(began + timedelta(minutes=10))
    page.reload()
    expect(moment).to_have_text("10 minutes ago")
    assert "GMT+9" in str(moment.get_attribute("title"))
    assert faults == []


def test_a_run_is_started_by_the_keyboard_alone(
    chromium: Chromium, url: str, there: Sample
) -> None:
    faults: list[str] = []
    page = opened(chromium, url, there.tokens["MEMBER"], faults)
    page.goto(f"{url}/console/workflows/{there.workflow}/run")
    page.get_by_label("Company *").focus()
    page.keyboard.type("ACME")
    page.keyboard.press("Enter")
    expect(page.locator("h1 .badge")).to_have_text("Running")
    assert "/console/runs/" in page.url
    assert faults == []


@pytest.mark.parametrize("name", ["builder", "table", "approvals", "run-asked"])
def test_the_tab_key_leads_through_a_page_and_what_has_the_focus_is_seen(
    chromium: Chromium, url: str, there: Sample, name: str
) -> None:
    faults: list[str] = []
    page = opened(chromium, url, there.tokens["OWNER"], faults)
    page.goto(f"{url}{addresses(there)[name]}")
    passed: list[str] = []
    unseen = []
    while len(passed) < MAX_STOPS:
        page.keyboard.press("Tab")
        stop = page.evaluate(FOCUS)
        if stop is None:
            break
        passed.append(stop["name"])
        if not (stop["isOutlined"] and stop["isOnTop"]):
            unseen.append(stop)
    assert passed[0] == "Skip to the content"
    assert 15 < len(passed) < MAX_STOPS
    assert unseen == []
    assert faults == []


def test_escape_closes_what_is_open_and_gives_the_focus_back(
    chromium: Chromium, url: str, there: Sample
) -> None:
    faults: list[str] = []
    page = opened(chromium, url, there.tokens["OWNER"], faults)
    page.goto(f"{url}/console/workflows/{there.workflow}")
    page.set_viewport_size({"width": 390, "height": 844})
    for opener in (page.locator(".menu summary"), page.locator("details.confirm summary").first):
        opener.press("Enter")
        expect(page.locator("details:is(.menu, .confirm)[open]")).to_have_count(1)
        page.keyboard.press("Escape")
        expect(page.locator("details:is(.menu, .confirm)[open]")).to_have_count(0)
        expect(opener).to_be_focused()
    assert faults == []


def test_every_page_is_light_with_all_that_it_loads(
    chromium: Chromium, url: str, there: Sample
) -> None:
    things.add_history(there)
    page = signed_in(chromium, url, there.tokens["OWNER"])
    heavy = {}
    for name, path in addresses(there).items():
        size, _ = weights.measured(page, f"{url}{path}", 1)
        assert size > 1_000, name
        if size > weights.MAX_BYTES:
            heavy[name] = size
    assert heavy == {}


def test_a_pipeline_s_page_follows_its_sync(chromium: Chromium, url: str, there: Sample) -> None:
    faults: list[str] = []
    sync = pulls.start(there.workspace, there.things["http"])
    page = opened(chromium, url, there.tokens["MEMBER"], faults)
    page.goto(f"{url}/console/pipelines/{there.things['http']}")
    page.evaluate("window.same = true")
    expect(page.locator("#pipeline-now")).to_contain_text("Syncing now")
    syncs.stop(there.workspace, there.things["http"], sync.id)
    expect(page.locator("#pipeline-syncs .badge")).to_have_text("Stopped")
    expect(page.locator("#pipeline-now")).to_be_empty()
    assert page.evaluate("window.same") is True
    assert faults == []


def test_pages_that_need_no_account_are_accessible_and_fit_a_phone(
    chromium: Chromium, url: str, there: Sample
) -> None:
    context = unhurried(chromium)
    page = context.new_page()
    found: dict[str, dict[str, list[str]]] = {}
    for name, path in public_pages.shown(there).items():
        page.goto(f"{url}{path}")
        if broken := accessibility.violations_everywhere(page):
            found[name] = broken
        page.set_viewport_size({"width": 360, "height": 740})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
        # The policy lets their style be used.
        assert page.locator("main").evaluate("e => getComputedStyle(e).borderTopWidth") == "4px"
    context.close()
    assert found == {}


def test_somebody_decides_by_the_mailed_link_on_a_phone(
    chromium: Chromium, url: str, there: Sample
) -> None:
    context = unhurried(chromium, viewport={"width": 360, "height": 740}, has_touch=True)
    page = context.new_page()
    page.goto(f"{url}{public_pages.asked(there, public_pages.FORM)}")
    directors = page.get_by_role("row", name="directors")
    expect(directors.get_by_role("row", name="Grace Hopper")).to_contain_text("2021-09-15")
    expect(page.get_by_role("row", name="Politically exposed")).to_contain_text("No")
    assert "{" not in page.locator("main").inner_text()
    page.get_by_role("button", name="Approve").tap()
    expect(page.get_by_role("alert")).to_contain_text("nothing was decided yet")
    page.get_by_label("Credit limit *").fill("20000")
    page.get_by_label("Low").check()
    page.get_by_label("Reason (optional)").fill("Known for years.")
    page.get_by_role("button", name="Approve").tap()
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    with unit_of_work() as session:
        wait = session.query(Wait).filter(Wait.decision == "approved").one()
        assert (wait.decided_by, wait.data) == (public_pages.BOSS, {"limit": 20000, "risk": "low"})
    context.close()
