"""Whatever the documentation links to, and every file that it names, is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from automations.settings import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("tests/*/*.md")])
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s#]*)(?:#([^)\s]+))?\)")
NAMED = re.compile(r"`((?:api_bridge|dags|deploy|docs|include|plugins|tests)/[\w./-]*)`")
TO_BE_WRITTEN = re.compile(r"/(?:test_)?(?:shout|step_types)\.")
"""What CONTRIBUTING tells to write."""


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def anchors(page: Path) -> set[str]:
    """The headings of a page, as links name them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    titles = [title.lower().strip() for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE)]
    return {re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_each_link_leads_to_what_is_there(page: Path) -> None:
    for target, anchor in LINK.findall(page.read_text()):
        path = page.parent / target if target else page
        assert path.exists(), target
        assert not anchor or path.suffix != ".md" or anchor in anchors(path), (target, anchor)


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_each_file_that_is_named_is_there(page: Path) -> None:
    named = [name for name in NAMED.findall(page.read_text()) if not TO_BE_WRITTEN.search(name)]
    assert [name for name in named if not (ROOT / name).exists()] == []
