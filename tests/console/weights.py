"""``python -m tests.console.weights [PATTERN]``: what each page weighs, and when it is painted."""

from __future__ import annotations

import re
import statistics
import sys

from playwright.sync_api import Page, sync_playwright
from rich.console import Console
from rich.table import Table

from tests.console.screenshots import addresses, filled, launched, serving, signed_in

MAX_BYTES, MAX_PAINT = 200_000, 300.0
"""Of a page with all that it loads, and milliseconds until something of it is seen."""
_TIMES = 7

_WEIGHT = """() => {
    const entries = performance.getEntriesByType("resource");
    const whole = performance.getEntriesByType("navigation").concat(entries);
    return whole.reduce((sum, one) => sum + one.decodedBodySize, 0);
}"""
_PAINT = """() => new Promise((found) => {
    const painted = () => performance.getEntriesByName("first-contentful-paint")[0];
    const look = () => painted() ? found(painted().startTime) : setTimeout(look, 5);
    look();
})"""


def measured(page: Page, address: str, times: int = _TIMES) -> tuple[int, float]:
    """The bytes of a page with what it loads, and the median of its first paints."""
    paints = []
    for _ in range(times):
        page.goto(address)
        paints.append(float(page.evaluate(_PAINT)))
    return int(page.evaluate(_WEIGHT)), statistics.median(paints)


def main() -> None:
    """Measure the pages whose names fit, and say which are over the bounds."""
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    table = Table("page", "bytes", "first paint, ms")
    over = []
    with filled() as there, serving() as url, sync_playwright() as playwright:
        browser = launched(playwright)
        page = signed_in(browser, url, there.tokens["OWNER"])
        for name, path in addresses(there).items():
            if not re.search(wanted, name):
                continue
            size, paint = measured(page, f"{url}{path}")
            table.add_row(name, f"{size:,}", f"{paint:.0f}")
            if size > MAX_BYTES or paint > MAX_PAINT:
                over.append(name)
        browser.close()
    Console().print(table)
    if over:
        raise SystemExit(f"Over {MAX_BYTES:,} bytes or {MAX_PAINT:.0f} ms: {', '.join(over)}.")


if __name__ == "__main__":
    main()
