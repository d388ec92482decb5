"""The Retry-After header in its forms."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from automations.kit.retry_after import requested_delay
from tests.doubles import NOW


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu", "America/New_York"])
def test_the_zone_of_this_machine_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert requested_delay("Sun, 01 Mar 2026 12:01:00", NOW) == timedelta(minutes=1)
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("value", "delay"),
    [
        ("30", timedelta(seconds=30)),
        ("-5", timedelta(0)),
        ("Sun, 01 Mar 2026 12:01:00 GMT", timedelta(minutes=1)),
        ("Sun, 01 Mar 2026 11:00:00 GMT", timedelta(0)),
        ("86400", timedelta(hours=1)),
        ("9" * 40, timedelta(hours=1)),
        (" 30 ", timedelta(seconds=30)),
        ("9" * 5_000, timedelta(hours=1)),
        ("Sun, 01 Mar 2026 12:01:00 -0000", timedelta(minutes=1)),
        ("Sun, 01 Mar 2026 12:01:00", timedelta(minutes=1)),
        ("Sun, 01 Mar 2026 13:01:00 +0100", timedelta(minutes=1)),
        ("Sun, 01 Mar 2026 07:01:00 EST", timedelta(minutes=1)),
        ("Sun, 01 Mar 2026 12:01:00 XYZ", timedelta(minutes=1)),
        ("Sunday, 01-Mar-26 12:01:00 GMT", timedelta(minutes=1)),
        ("Sun Mar  1 12:01:00 2026", timedelta(minutes=1)),
        ("Sun, 01 Mar 2026 12:01:00 +9999", None),
        ("Sun, 31 Feb 2026 12:01:00 GMT", None),
        ("Sun, 01 Mar 99999 12:01:00 GMT", None),
        ("1_0", None),
        ("٣٠", None),
        ("1.5", None),
        (" ", None),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_a_wish_is_honoured_for_an_hour_at_most(value: str | None, delay: timedelta | None) -> None:
    assert requested_delay(value, NOW) == delay
