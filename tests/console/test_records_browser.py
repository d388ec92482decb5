"""Tables and matters in Chromium: made, imported, changed in their place, moved by the keyboard."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, expect

from automations.db.session import unit_of_work
from automations.db.tables import DataRow
from automations.services.matters import matters
from automations.services.tables import rows
from tests.console.sample import Sample
from tests.console.screenshots import serving, signed_in

pytestmark = pytest.mark.slow


@pytest.fixture
def url(there: Sample) -> Iterator[str]:
    with serving() as address:
        yield address


def opened(chromium: Chromium, url: str, token: str, faults: list[str]) -> Page:
    page = signed_in(chromium, url, token, timezone_id="Asia/Tokyo")
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    return page


def test_a_table_is_made_filled_from_a_file_changed_filtered_and_saved(
    chromium: Chromium, url: str, there: Sample, tmp_path: Path
) -> None:
    faults: list[str] = []
    page = opened(chromium, url, there.tokens["OWNER"], faults)
    page.goto(f"{url}/console/tables")
    page.get_by_role("link", name="New table").click()
    page.get_by_label("Name of the table *").fill("Rooms")
    page.get_by_label("Column 1").fill("Name")
    page.get_by_label("Column 2").fill("Size")
    expect(page.get_by_label("Options Size")).to_be_hidden()
    page.locator("#c1-type").select_option("select")
    expect(page.locator("#c1-options")).to_be_visible()
    page.locator("#c1-type").select_option("number")
    page.get_by_role("button", name="Create table").click()
    expect(page.get_by_role("heading", name="Rooms")).to_be_visible()

    file = tmp_path / "rooms.csv"
    file.write_text("Name;Size\nAttic;12.5\nHall;40\nCellar;damp\n")
    page.get_by_role("link", name="Import").first.click()
    page.get_by_label("File", exact=True).set_input_files(file)
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("2 rows would be added.")).to_be_visible()
    expect(page.get_by_text("1 does not fit and is left out.")).to_be_visible()
    page.get_by_role("button", name="Add the 2 rows that fit").click()
    expect(page.locator(".grid tbody tr")).to_have_count(2)
    page.wait_for_load_state()

    # By the mouse: one cell in its place, the page stays.
    page.evaluate("window.same = true")
    page.locator(".grid td", has_text="12.5").dblclick()
    field = page.get_by_role("textbox", name="Size")
    expect(field).to_be_focused()
    field.fill("13,5")
    field.press("Enter")
    expect(page.locator(".grid .wrong")).to_contain_text("must be a number")
    page.get_by_role("textbox", name="Size").fill("13.75")
    page.keyboard.press("Enter")
    expect(page.locator(".grid td", has_text="13.75")).to_be_focused()
    # By the keyboard: to the cell beside it, into it, and out of it with nothing changed.
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    expect(page.get_by_role("textbox", name="Name")).to_have_value("Attic")
    page.keyboard.type("Lost")
    page.keyboard.press("Escape")
    expect(page.locator(".grid td", has_text="Attic")).to_be_focused()
    assert page.evaluate("window.same") is True

    page.keyboard.press("/")
    page.keyboard.type("att")
    expect(page).to_have_url(re.compile(r"\bq=att\b"))
    expect(page.locator(".grid tbody tr")).to_have_count(1)
    page.get_by_text("Export").click()
    with page.expect_download() as saved:
        page.get_by_role("link", name="CSV, exactly").click()
    # A refused cell is written to the browser's console, as every answer of 400 is.
    assert [fault for fault in faults if "400" not in fault] == []
    assert Path(saved.value.path()).read_text().split() == ["name,size", "Attic,13.75"]


def test_a_cell_that_somebody_else_has_changed_meanwhile_is_not_overwritten(
    chromium: Chromium, url: str, there: Sample
) -> None:
    page = opened(chromium, url, there.tokens["MEMBER"], [])
    page.goto(f"{url}/console/tables/{there.table}")
    row = page.locator(f"#r-{there.rows[0]}")
    row.get_by_text("25000").dblclick()
    amount = page.get_by_role("textbox", name="Amount")
    expect(amount).to_have_value("25000")
    rows.change(there.workspace, there.table, there.rows[0], {"amount": 7})
    amount.fill("26000")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("Somebody else has changed 'Amount'")
    expect(row).to_contain_text("is now “7”")
    page.get_by_role("textbox", name="Amount").press("Enter")
    expect(row.get_by_text("26000")).to_be_visible()
    with unit_of_work() as session:
        assert session.get_one(DataRow, there.rows[0]).data["amount"] == 26000
    expect(row.locator("time")).to_have_text("Mar 1, 2026, 6:30 PM")


def test_a_matter_is_moved_by_the_keyboard_alone(
    chromium: Chromium, url: str, there: Sample
) -> None:
    faults: list[str] = []
    page = opened(chromium, url, there.tokens["MEMBER"], faults)
    page.goto(f"{url}/console/matters")
    page.get_by_label("Select MAT-0002").focus()
    page.keyboard.press("Space")
    page.get_by_label("Move to").select_option("Sign the engagement")
    page.get_by_role("button", name="Move selected").focus()
    page.keyboard.press("Enter")
    lane = page.get_by_role("region", name="Sign the engagement")
    expect(lane.get_by_text("Take on Łódź Textiles")).to_be_visible()
    page.get_by_role("button", name="Complete Sign the engagement, MAT-0005").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Sign the engagement")).not_to_contain_text("MAT-0005")
    assert matters.get(there.workspace, there.matters[4]).matter.status == "COMPLETED"
    assert faults == []
