"""Instants as queries and bodies have them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import TypeAdapter, ValidationError

from api_bridge.instants import Instant
from automations.definitions.field_errors import field_errors

INSTANT: TypeAdapter[datetime] = TypeAdapter(Instant)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "written",
    [
        "2026-03-01T12:00:00Z",
        "2026-03-01 13:00:00+01:00",
        # As an address has it whose plus was not escaped.
        "2026-03-01T13:00:00 01:00",
        "2026-03-01T13:00 01:00",
        "2026-03-01T17:30:00.000 0530",
    ],
)
def test_an_instant_is_read_with_its_offset(written: str) -> None:
    assert INSTANT.validate_python(written) == NOON


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("2026-03-01T12:00:00", "must have an offset, such as Z or +01:00"),
        ("2026-03-01 12:00", "must have an offset, such as Z or +01:00"),
        ("2026-03-01T25:00:00Z", "must be an instant such as 2026-03-01T12:00:00Z"),
        ("2026-03-01", "must be an instant such as 2026-03-01T12:00:00Z"),
        (1772366400, "must be an instant such as 2026-03-01T12:00:00Z"),
    ],
)
def test_what_is_none_is_refused_in_words(written: object, told: str) -> None:
    with pytest.raises(ValidationError) as refused:
        INSTANT.validate_python(written)
    assert field_errors(refused.value, written) == {"body": [told]}
