"""Forms and templates in Chromium: from an empty form to a decision; a template is tried."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, expect

from automations.services.forms import edits, forms
from tests.console.sample import Sample
from tests.console.screenshots import serving, signed_in, unhurried

pytestmark = pytest.mark.slow


@pytest.fixture
def url(there: Sample) -> Iterator[str]:
    with serving() as address:
        yield address


def opened(chromium: Chromium, url: str, token: str, faults: list[str], **look: Any) -> Page:
    page = signed_in(chromium, url, token, **look)
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    return page


def add(page: Page, kind: str, label: str) -> None:
    """Add a field at the end, and call it so."""
    page.get_by_role("button", name="Add a field at the end").last.click()
    page.locator(".palette").get_by_role("button", name=kind, exact=True).click()
    field = page.get_by_label("Label", exact=True)
    expect(field).to_be_focused()
    field.fill(label)
    expect(page.locator("[data-flow] .box strong").last).to_have_text(label)


def test_a_form_is_designed_published_filled_in_and_decided(
    chromium: Chromium, url: str, there: Sample
) -> None:
    faults: list[str] = []
    page = opened(chromium, url, there.tokens["OWNER"], faults)
    page.goto(f"{url}/console/forms")
    page.get_by_label("New form").fill("Booking")
    page.get_by_role("button", name="Create").click()
    expect(page.locator("[data-builder]")).to_be_visible()
    page.wait_for_load_state()
    page.evaluate("window.same = true")
    page.locator(".palette").get_by_role("button", name="Text", exact=True).click()
    page.get_by_label("Label", exact=True).fill("Your name")
    page.get_by_label("Required").check()
    expect(page.get_by_label("Key *")).to_have_value("your_name")
    add(page, "One of a list", "Room")
    for number, room in enumerate(("Blue", "Green", "Red"), 1):
        page.get_by_label(f"Option {number}", exact=True).fill(room)
        expect(page.get_by_label(f"Option {number + 1}", exact=True)).to_be_visible()
    add(page, "Date", "Day")
    preview = page.frame_locator("#part-preview iframe")
    expect(preview.get_by_label("Your name *")).to_be_visible()
    expect(preview.locator("option")).to_have_text(["", "Blue", "Green", "Red"])
    assert page.evaluate("window.same") is True
    page.get_by_role("button", name="Save and publish").click()
    shown = page.get_by_role("textbox", name="Public link")
    expect(shown).to_have_value(re.compile("/public$"))
    link = re.sub(r"^https?://[^/]+", url, shown.input_value())

    visitor = unhurried(chromium).new_page()
    visitor.goto(link)
    visitor.get_by_label("Your name *").fill("Ada Lovelace")
    visitor.get_by_label("Room").select_option("Green")
    visitor.get_by_label("Day").fill("2026-03-01")
    visitor.get_by_role("button", name="Send").last.click()
    expect(visitor.get_by_role("heading", name="Thank you")).to_be_visible()

    page.reload()
    page.locator("aside").get_by_role("link", name="1", exact=True).first.click()
    expect(page.get_by_text("Ada Lovelace")).to_be_visible()
    page.get_by_role("link", name="Booking").last.click()
    page.get_by_role("button", name="Approve").click()
    expect(page.locator("h1 .badge")).to_have_text("Approved")
    expect(page.get_by_role("row", name="Room")).to_contain_text("Green")
    assert faults == []


def test_fields_are_moved_by_the_keyboard_and_by_the_mouse(
    chromium: Chromium, url: str, there: Sample
) -> None:
    faults: list[str] = []
    # All of it is in sight: what scrolls under a mouse that is held down is something else.
    tall = {"width": 1440, "height": 1600}
    page = opened(chromium, url, there.tokens["OWNER"], faults, viewport=tall)
    page.goto(f"{url}/console/forms/{there.questionnaire}/edit?at=part.0.2")
    labels = page.locator("[data-flow] .flow .box strong")
    page.locator(".box[aria-current]").focus()
    page.keyboard.press("Alt+ArrowUp")
    expect(labels.nth(1)).to_have_text("Country")
    expect(page.locator(".box[aria-current]")).to_be_focused()
    page.keyboard.press("Control+d")
    expect(labels.nth(2)).to_have_text("Country")
    page.keyboard.press("Delete")
    expect(labels).to_have_count(8)
    page.locator(".box[data-step='0.5']").drag_to(page.locator(".plus[data-spot='1.0']"))
    expect(page.locator(".box[data-step='1.0'] strong")).to_have_text("Register extract")
    page.keyboard.press("Control+s")
    expect(page.get_by_text("Saved as a new version.")).to_be_visible()
    form = forms.get(there.workspace, there.questionnaire)
    sections: Any = form.schema["sections"]
    assert [field["key"] for field in sections[0]["fields"]][:3] == ["intro", "country", "name"]
    assert [field["key"] for field in sections[1]["fields"]] == ["extract", "director", "born"]
    assert faults == []


def test_what_is_typed_is_kept_and_shown_without_a_page_load(
    chromium: Chromium, url: str, there: Sample
) -> None:
    faults: list[str] = []
    page = opened(chromium, url, there.tokens["OWNER"], faults)
    page.goto(f"{url}/console/forms/{there.questionnaire}/edit?at=part.0.3")
    page.get_by_label("At least").fill("a lot")
    expect(page.locator("#about-min")).to_contain_text("number")
    expect(page.frame_locator("#part-preview iframe").get_by_role("alert")).to_be_visible()
    page.get_by_label("At least").fill("100")
    expect(page.locator("#about-min")).to_be_empty()
    page.get_by_label("Type").select_option("date")
    expect(page.get_by_role("heading", name="Date")).to_be_visible()
    draft = edits.get(there.people["OWNER"], there.questionnaire).draft
    assert draft["schema"]["sections"][0]["fields"][3]["type"] == "date"
    page.go_back()
    assert faults == []


def test_the_public_link_is_copied(chromium: Chromium, url: str, there: Sample) -> None:
    faults: list[str] = []
    page = opened(chromium, url, there.tokens["VIEWER"], faults)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"{url}/console/forms/{there.questionnaire}")
    page.get_by_role("button", name="Copy").click()
    expect(page.locator("[data-done]")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == page.get_by_role("textbox", name="Public link").input_value()
    assert faults == []


def test_a_template_is_tried_with_its_result_beside_it(
    chromium: Chromium, url: str, there: Sample
) -> None:
    faults: list[str] = []
    page = opened(chromium, url, there.tokens["MEMBER"], faults)
    page.goto(f"{url}/console/documents/templates/{there.template}")
    page.get_by_label("Sample data, as JSON").fill('{"client": {"name": "Ada"}}')
    result = page.frame_locator("iframe[name=result]")
    with page.expect_response(lambda answer: answer.url.endswith("/test")) as answered:
        page.get_by_role("button", name="Show as PDF").click()
    assert answered.value.status == 400
    expect(result.get_by_text("names 'amount', which is not there")).to_be_visible()
    assert all("400" in fault for fault in faults)
    faults.clear()
    data = '{"client": {"name": "Ada"}, "amount": 7, "items": []}'
    page.get_by_label("Sample data, as JSON").fill(data)
    with page.expect_response(lambda answer: answer.url.endswith("/test")) as answered:
        page.get_by_role("button", name="Show as PDF").click()
    assert answered.value.headers["content-type"] == "application/pdf"
    expect(result.get_by_text("It could not be filled in")).to_have_count(0)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as DOCX").click()
    assert download.value.suggested_filename == "Thank-you letter.docx"
    assert faults == []


def test_a_document_is_shown_in_its_page(chromium: Chromium, url: str, there: Sample) -> None:
    faults: list[str] = []
    page = opened(chromium, url, there.tokens["VIEWER"], faults)
    with page.expect_response(lambda answer: "/view" in answer.url) as answered:
        page.goto(f"{url}/console/documents/{there.documents['pdf']}")
    assert (answered.value.status, answered.value.headers["content-type"]) == (
        200,
        "application/pdf",
    )
    page.goto(f"{url}/console/documents/{there.documents['picture']}")
    assert page.evaluate("document.querySelector('.picture').naturalWidth") == 1
    assert faults == []
