"""What axe finds on a page, by the rules of WCAG 2.2 AA."""

from __future__ import annotations

from typing import Any, Literal

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

_WCAG = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
_CONTRAST = {"type": "rule", "values": ["color-contrast"]}
LOOKS: tuple[tuple[Literal["light", "dark"], dict[str, Any]], ...] = (
    ("light", _WCAG),
    ("dark", _CONTRAST),
)
"""Both schemes with their rules: of all, only that of contrasts depends on the scheme."""
DESK, PHONE = (1280, 720), (390, 844)
_RUN = """async (rules) => {
  const found = await axe.run(document, { runOnly: rules, resultTypes: ["violations"] });
  if (found.passes.length === 0) throw new Error("axe has looked at nothing");
  return found.violations.map((one) => [one.id, one.nodes.slice(0, 3).map((node) => node.html)]);
}"""


def violations(page: Page, rules: dict[str, Any] = _WCAG) -> dict[str, list[str]]:
    """The rules that the page breaks as it is shown now, with places that do."""
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(AXE_SCRIPT)
    return {rule: [html[:160] for html in places] for rule, places in page.evaluate(_RUN, rules)}


def violations_everywhere(page: Page) -> dict[str, list[str]]:
    """The rules that it breaks on a desk and on a phone, light and dark."""
    found: dict[str, list[str]] = {}
    for width, height in (DESK, PHONE):
        page.set_viewport_size({"width": width, "height": height})
        for scheme, rules in LOOKS:
            page.emulate_media(color_scheme=scheme)
            for rule, places in violations(page, rules).items():
                found[f"{rule} {scheme} {width}"] = places
    return found
