"""Pages for who has not signed in: accessible, light and dark, on a desk and on a phone."""

from __future__ import annotations

from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser as Chromium

from tests.console.sample import Sample
from tests.console.screenshots import doors, serving, signed_in

pytestmark = pytest.mark.slow

WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_they_are_accessible_and_fit_a_phone(
    chromium: Chromium, there: Sample, scheme: Literal["light", "dark"]
) -> None:
    found: dict[str, list[str]] = {}
    with serving() as url:
        page = signed_in(chromium, url, None, color_scheme=scheme)
        for name, path in doors(there).items():
            page.goto(f"{url}{path}")
            for width in (1280, 360):
                page.set_viewport_size({"width": width, "height": 740})
                result = Axe().run(page, options={"runOnly": {"type": "tag", "values": WCAG}})
                assert len(result.response["passes"]) > 10, name
                for one in result.response["violations"]:
                    nodes = [node["html"][:160] for node in one["nodes"]][:3]
                    found[f"{name} {width} {one['id']}"] = nodes
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
        page.context.close()
    assert found == {}
