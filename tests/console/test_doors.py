"""Pages for who has not signed in: accessible, light and dark, on a desk and on a phone."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser as Chromium

from tests.console import accessibility
from tests.console.sample import Sample
from tests.console.screenshots import doors, serving, signed_in

pytestmark = pytest.mark.slow


def test_they_are_accessible_and_fit_a_phone(chromium: Chromium, there: Sample) -> None:
    found: dict[str, dict[str, list[str]]] = {}
    with serving() as url:
        page = signed_in(chromium, url, None)
        for name, path in doors(there).items():
            page.goto(f"{url}{path}")
            if broken := accessibility.violations_everywhere(page):
                found[name] = broken
            page.set_viewport_size({"width": 360, "height": 740})
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
        page.context.close()
    assert found == {}
