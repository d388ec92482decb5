"""The navigation: what it offers to whom, which part is open, and what a beginner is told."""

from __future__ import annotations

from automations.services.gallery import gallery
from tests.console.conftest import Browser


def offered(browser: Browser) -> set[str]:
    return set(browser.root.xpath("//header//nav//a/@href"))


def test_every_entry_leads_to_a_page_and_marks_itself_there(owner: Browser) -> None:
    owner.open("/console/runs")
    entries = offered(owner)
    assert {"/console/workflows", "/console/approvals", "/console/audit"} <= entries
    for address in entries:
        assert owner.open(address).status_code == 200, address
        assert owner.root.xpath("//header//nav//a[@aria-current='page']/@href") == [address]


def test_nobody_is_led_to_a_page_that_is_not_for_them(browsers: dict[str, Browser]) -> None:
    viewer = browsers["VIEWER"]
    viewer.open("/console/runs")
    entries = offered(viewer)
    assert "/console/audit" not in entries
    for address in entries:
        assert viewer.open(address).status_code == 200, address


def test_a_folded_group_is_open_on_its_own_pages(owner: Browser) -> None:
    def open_groups() -> list[str]:
        return [text.strip() for text in owner.root.xpath("//nav/details[@open]/summary/text()")]

    owner.open("/console/runs")
    assert "Workspace" not in open_groups()
    owner.open("/console/members")
    assert "Workspace" in open_groups()


def test_a_beginner_is_told_how_many_automations_are_ready(owner: Browser) -> None:
    owner.open("/console/start")
    assert f"one of {len(gallery.entries())} ready ones" in owner.text
