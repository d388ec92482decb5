"""The Retry-After header in its forms."""

from __future__ import annotations

from datetime import timedelta

import pytest

from automations.kit.retry_after import wished_delay
from tests.doubles import NOW


@pytest.mark.parametrize(
    ("value", "delay"),
    [
        ("30", timedelta(seconds=30)),
        ("-5", timedelta(0)),
        ("Sun, 01 Mar 2026 12:01:00 GMT", timedelta(minutes=1)),
        ("Sun, 01 Mar 2026 11:00:00 GMT", timedelta(0)),
        ("86400", timedelta(hours=1)),
        ("9" * 40, timedelta(hours=1)),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_a_wish_is_honoured_for_an_hour_at_most(value: str | None, delay: timedelta | None) -> None:
    assert wished_delay(value, NOW) == delay
