"""When schedules are due, above all when clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from automations.definitions.schedules import Schedule, check_cron, check_interval

WARSAW = ZoneInfo("Europe/Warsaw")
SPRING = datetime(2026, 3, 29, 0, 0, tzinfo=WARSAW)
AUTUMN = datetime(2026, 10, 25, 0, 0, tzinfo=WARSAW)


def cron(expression: str, zone: str = "Europe/Warsaw") -> Schedule:
    return Schedule(expression, None, zone)


def due(schedule: Schedule, start: datetime, hours: float) -> list[str]:
    """What is due in the hours after a start (exclusive), in UTC."""
    found: list[str] = []
    instant, end = start, start.astimezone(UTC) + timedelta(hours=hours)
    while (instant := schedule.next_after(instant)) <= end:
        found.append(instant.strftime("%d %H:%M"))
    return found


@pytest.mark.parametrize(
    "expression", ["0 9 * * *", "*/5 * * * MON-FRI", "0 0 29 2 *", "0 9 * MAR THU", "0 9 L * *"]
)
def test_five_fields_that_are_due_some_day_are_a_schedule(expression: str) -> None:
    check_cron(expression)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("0 9 * * * *", "five fields"),
        ("0 9 * *", "five fields"),
        ("@daily", "five fields"),
        ("", "five fields"),
        ("R * * * *", "R or H"),
        ("H 9 * * *", "R or H"),
        ("0 h(1-5) * * *", "R or H"),
        ("0 9 31 2 *", "never due"),
        ("61 * * * *", "no cron expression"),
        ("a b c d e", "no cron expression"),
        ("*/0 * * * *", "no cron expression"),
        ("*/90 * * * *", "longer than all 60 values of its minute"),
        ("0 */36 * * *", "longer than all 24 values of its hour"),
        ("0 0 1 */18 *", "have an interval instead"),
        ("0 9 * * 9999999999999999999999", "no cron expression"),
    ],
)
def test_nonsense_is_refused_with_the_reason(expression: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_cron(expression)


@pytest.mark.parametrize("interval", ["PT59S", "P367D", "1h", "PT0S", ""])
def test_an_interval_has_bounds(interval: str) -> None:
    with pytest.raises(ValueError, match=r"must be"):
        check_interval(interval)


def test_a_time_on_the_wall_moves_with_the_clocks() -> None:
    assert due(cron("0 9 * * *"), SPRING - timedelta(days=1), 48) == ["28 08:00", "29 07:00"]
    assert due(cron("0 9 * * *"), AUTUMN - timedelta(days=1), 48) == ["24 07:00", "25 08:00"]


def test_a_time_that_spring_leaves_out_is_due_as_much_later_as_the_clocks_jump() -> None:
    # 02:30 does not exist on the 29th; 01:30 UTC is 03:30.
    assert due(cron("30 2 * * *"), SPRING - timedelta(days=1), 72) == [
        "28 01:30", "29 01:30", "30 00:30",
    ]  # fmt: skip


def test_a_time_that_autumn_repeats_is_due_once() -> None:
    assert due(cron("30 2 * * *"), AUTUMN - timedelta(days=1), 72) == [
        "24 00:30", "25 00:30", "26 01:30",
    ]  # fmt: skip
    assert due(cron("*/30 2 * * *"), AUTUMN, 24) == ["25 00:00", "25 00:30"]


@pytest.mark.parametrize("expression", ["30 * * * *", "30 0-23 * * *"])
@pytest.mark.parametrize("start", [SPRING, AUTUMN], ids=["spring", "autumn"])
def test_what_is_due_every_hour_goes_on_every_hour(expression: str, start: datetime) -> None:
    first = start.astimezone(UTC)
    expected = [(first + timedelta(hours=n, minutes=30)).strftime("%d %H:%M") for n in range(6)]
    assert due(cron(expression), start, 6) == expected


@pytest.mark.parametrize("start", [SPRING, AUTUMN], ids=["spring", "autumn"])
def test_every_fifth_minute_is_due_once_each(start: datetime) -> None:
    times = due(cron("*/5 * * * *"), start, 6)
    assert len(times) == len(set(times)) == 72


def test_a_gap_does_not_make_one_instant_due_twice() -> None:
    # 02:00 becomes 03:00, which is due anyway.
    assert due(cron("0 2,3 * * *"), SPRING, 12) == ["29 01:00"]
    assert due(cron("0,30 1-3 * * *"), SPRING, 12) == [
        "29 00:00", "29 00:30", "29 01:00", "29 01:30",
    ]  # fmt: skip


@pytest.mark.parametrize("zone", ["Australia/Lord_Howe", "America/St_Johns", "Africa/Casablanca"])
@pytest.mark.parametrize("expression", ["*/20 1-3 * * *", "15 * * * *", "0 2 * * *"])
def test_looking_back_finds_what_looking_ahead_found(zone: str, expression: str) -> None:
    schedule = cron(expression, zone)
    changes = ((2, 14), (3, 7), (4, 4), (10, 3), (10, 31))
    for instant in (datetime(2026, month, day, tzinfo=UTC) for month, day in changes):
        end = instant + timedelta(days=2)
        while instant < end:
            instant = _looked_at_both_ways(schedule, instant)


def _looked_at_both_ways(schedule: Schedule, instant: datetime) -> datetime:
    later = schedule.next_after(instant)
    assert later > instant
    assert schedule.latest_until(later) == later
    before = schedule.latest_until(later - timedelta(seconds=1))
    assert before is not None
    assert before < later
    assert schedule.next_after(before) == later
    return later


def test_the_next_ones_follow_one_another() -> None:
    found = cron("0 12 * * MON").upcoming(datetime(2026, 3, 1, tzinfo=UTC), 3)
    assert [instant.isoformat() for instant in found] == [
        "2026-03-02T11:00:00+00:00", "2026-03-09T11:00:00+00:00", "2026-03-16T11:00:00+00:00",
    ]  # fmt: skip


def test_an_interval_counts_elapsed_time_on_a_grid_of_its_own() -> None:
    quarter = Schedule(None, "PT15M", "UTC")
    instant = datetime(2026, 3, 1, 12, 7, 30, tzinfo=UTC)
    assert quarter.next_after(instant) == datetime(2026, 3, 1, 12, 15, tzinfo=UTC)
    assert quarter.latest_until(instant) == datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    on_grid = datetime(2026, 3, 1, 12, 15, tzinfo=UTC)
    assert quarter.next_after(on_grid) == on_grid + timedelta(minutes=15)
    assert quarter.latest_until(on_grid) == on_grid
    daily = Schedule(None, "P1D", "Europe/Warsaw")
    assert due(daily, SPRING - timedelta(hours=1), 50) == ["28 23:00", "29 23:00", "30 23:00"]


def test_a_schedule_that_began_later_was_not_due_before() -> None:
    assert cron("0 0 29 2 *", "UTC").latest_until(datetime(2026, 1, 1, tzinfo=UTC)) == datetime(
        2024, 2, 29, tzinfo=UTC
    )
