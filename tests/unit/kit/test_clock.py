"""How instants are written: exactly, and in their order."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automations.kit.clock import in_zone, parse_instant, to_utc


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("2024-03-31T02:30:00Z", "2024-03-31T02:30:00.000Z"),
        ("2024-03-31t02:30:00z", "2024-03-31T02:30:00.000Z"),
        ("2024-03-31T02:30+02:00", "2024-03-31T00:30:00.000Z"),
        ("2024-03-31 02:30:00.5", "2024-03-31T01:30:00.500Z"),
        ("2024-02-29T23:59:59.1230000Z", "2024-02-29T23:59:59.123Z"),
        # As services in Go, .NET and PostgreSQL write them.
        ("2024-02-29T23:59:59.123456Z", "2024-02-29T23:59:59.123456Z"),
        ("2024-02-29T23:59:59.1234567Z", "2024-02-29T23:59:59.1234567Z"),
        ("2024-02-29T23:59:59,123456789-05:30", "2024-03-01T05:29:59.123456789Z"),
        ("1969-12-31T23:59:59.999999999Z", "1969-12-31T23:59:59.999999999Z"),
        ("2024-10-27T02:30:00", "2024-10-27T00:30:00.000Z"),
    ],
)
def test_an_instant_keeps_all_its_decimals(text: str, written: str) -> None:
    assert to_utc(text, "Europe/Warsaw") == written
    assert to_utc(written, "UTC") == written


@given(st.lists(st.datetimes(), min_size=2, max_size=5))
def test_without_its_last_sign_the_order_of_texts_is_that_in_time(found: list[datetime]) -> None:
    written = [to_utc(instant.replace(tzinfo=UTC).isoformat(), "UTC") for instant in found]
    in_time = sorted(written, key=lambda one: parse_instant(one, "UTC"))
    assert sorted(written, key=lambda one: one.rstrip("Z")) == in_time


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-01.09:30:00",
        "2026-01-01,09:30",
        "2026-01-01x09:30",
        "2026-01-01T09:30.5",
        "2026-01-01T09.5Z",
        "20260101T0930,5",
        "2026-01-01T09:30:00 Z",
    ],
)
def test_what_python_reads_otherwise_than_iso_8601_is_refused(text: str) -> None:
    for read in (to_utc, parse_instant, in_zone):
        with pytest.raises(ValueError, match="ISO 8601"):
            read(text, "Europe/Warsaw")


@pytest.mark.parametrize(
    "text", ["20260101", "2026-W01-1T10", "20260101T093000,25+0100", "2026-01-01 09:30:00-03"]
)
def test_the_other_forms_of_iso_8601_are_read(text: str) -> None:
    assert parse_instant(text, "UTC") == datetime.fromisoformat(to_utc(text, "UTC"))


@pytest.mark.parametrize(
    "text", ["2026-01-01T00:00:00+01:00:00.25", "2026-01-01T00:00:00.5-02:00:00.000001"]
)
def test_parts_of_a_second_in_an_offset_are_none_of_the_time(text: str) -> None:
    with pytest.raises(ValueError, match="ISO 8601"):
        to_utc(text, "UTC")
