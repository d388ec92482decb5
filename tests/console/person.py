"""Somebody at a browser whose clicks are counted."""

from __future__ import annotations

from playwright.sync_api import Locator, Page


class Person:
    """Clicks and types, and counts how often."""

    def __init__(self, page: Page) -> None:
        self.page, self.actions = page, 0

    def click(self, what: Locator) -> None:
        self.actions += 1
        what.click()

    def press(self, name: str) -> None:
        self.click(self.page.get_by_role("button", name=name, exact=True).first)

    def follow(self, name: str) -> None:
        self.click(self.page.get_by_role("link", name=name, exact=True).first)

    def fill(self, what: Locator, text: str) -> None:
        self.actions += 1
        what.fill(text)

    def type(self, label: str, text: str) -> None:
        self.fill(self.page.get_by_label(label, exact=True), text)
