"""What the product is built upon may be used by whoever uses it, and is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from automations.settings import ROOT
from release.licences import ALLOWED, PERMISSIVE, is_met, licences
from release.lock import locked

LOCK = ROOT / "requirements-distributed.txt"


def test_every_locked_package_is_under_an_allowed_licence() -> None:
    found = licences(locked(LOCK))
    assert len(found) > 100
    assert [package for package in found if not package.is_allowed] == []


def test_whatever_asks_for_more_than_its_text_is_named_in_the_notice() -> None:
    notice = (ROOT / "NOTICE").read_text()
    asking = [licence.package for licence in licences(locked(LOCK)) if licence.needs_notice]
    assert asking
    assert [name for name in asking if name not in notice] == []


@pytest.mark.parametrize(
    ("said", "is_allowed", "is_permissive"),
    [
        ("MIT", True, True),
        ("MIT AND PSF-2.0", True, True),
        ("Apache-2.0 OR BSD-2-Clause", True, True),
        ("MPL-2.0", True, False),
        ("AGPL-3.0-only", False, False),
        ("MIT AND AGPL-3.0-only", False, False),
        ("MIT OR AGPL-3.0-only", True, True),
        ("As you like it", False, False),
        (None, False, False),
    ],
)
def test_an_expression_is_met_where_every_needed_licence_is(
    said: str | None, is_allowed: bool, is_permissive: bool
) -> None:
    assert (is_met(said, ALLOWED), is_met(said, PERMISSIVE)) == (is_allowed, is_permissive)


def test_a_package_without_hashes_is_refused(tmp_path: Path) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text("httpx==0.28.1\n")
    with pytest.raises(ValueError, match="httpx is not pinned with hashes"):
        list(locked(lock))
