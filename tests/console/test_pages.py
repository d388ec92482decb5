"""Every page for every role: it is there, it is light, and it offers what its reader may do."""

from __future__ import annotations

import pytest

from tests.console.conftest import Browser
from tests.console.sample import ROLES, Sample, pages

MAX_BYTES = 200_000


@pytest.mark.parametrize("role", ROLES)
def test_every_page_is_shown_to_every_role(
    browsers: dict[str, Browser], there: Sample, role: str
) -> None:
    browser = browsers[role]
    for path in pages(there):
        answer = browser.open(path)
        assert answer.status_code == 200, (path, answer.text[:2000])
        assert len(answer.content) < MAX_BYTES, path
        assert browser.heading(), path
        assert len(browser.root.xpath("//main")) == 1, path
