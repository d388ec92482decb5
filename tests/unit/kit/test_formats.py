"""The formats of a schema that are checked."""

from __future__ import annotations

import pytest

from automations.kit.json_schema.formats import DATES


@pytest.mark.parametrize("text", ["2026-11-29", "2024-02-29", "0001-01-01"])
def test_dates(text: str) -> None:
    assert DATES["date"](text)


@pytest.mark.parametrize("text", ["2026-2-3", "20261129", "2026-02-30", "2026-11-29T10:00:00Z", ""])
def test_no_dates(text: str) -> None:
    assert not DATES["date"](text)


@pytest.mark.parametrize(
    "text",
    ["2026-11-29T10:00:00Z", "2026-11-29T10:00:00.1234567890+01:00", "2026-11-29T10:00:00-23:59",
     "2026-11-29t10:00:00z"],
)  # fmt: skip
def test_moments(text: str) -> None:
    assert DATES["date-time"](text)


@pytest.mark.parametrize(
    "text",
    ["2026-11-29", "2026-11-29 10:00:00Z", "2026-11-29T10:00:00", "2026-11-29T24:00:00Z",
     "2026-02-30T10:00:00Z", "2026-11-29T10:00:00+24:00"],
)  # fmt: skip
def test_no_moments(text: str) -> None:
    assert not DATES["date-time"](text)


@pytest.mark.parametrize("value", [1, None, True, ["x"], {"a": 1}])
@pytest.mark.parametrize("name", list(DATES))
def test_a_format_says_nothing_of_what_is_no_text(name: str, value: object) -> None:
    assert DATES[name](value)
