"""Computes when a schedule is due, for Airflow's timetable and for previews alike.

A cron expression is read on the wall clock of its zone. When clocks go forward, a time that does
not exist is due as much later as they jump (02:30 at 03:30). When clocks go back, a time that comes
twice is due the first time only, unless the schedule is due in every hour of the day: then it goes
on every hour. An interval counts elapsed time from midnight of 1970-01-01 in its zone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from automations.domain.fields import parse_duration

MIN_INTERVAL = timedelta(minutes=1)
"""As cron's."""
MAX_INTERVAL = timedelta(days=366)
"""A year, also one with a leap day: longer ones would be dates."""

_FIELDS = {"minute": 60, "hour": 24, "day": 31, "month": 12, "day of week": 7}
"""Of an expression, with how many values each has."""
_STEP = re.compile(r"/([0-9]+)")
# R (random) and H (hashed) would give other times at every look; MAR and THU are names.
_UNSTEADY = re.compile(r"(?<![A-Z])[RH](?![A-Z])")
_TRANSITION_WINDOW = timedelta(hours=4)
_MAX_JUMP = timedelta(hours=3)
"""Clocks have been set by two hours at most in any zone that there is."""


def check_cron(expression: str) -> str:
    """The expression; ValueError unless it has five fields and is due some day."""
    from croniter import CroniterBadCronError, CroniterBadDateError, croniter

    fields = expression.split()
    if len(fields) != len(_FIELDS):
        raise ValueError(f"must have five fields: {', '.join(_FIELDS)}")
    for (name, values), field in zip(_FIELDS.items(), fields, strict=True):
        if any(int(step[:9]) > values for step in _STEP.findall(field)):
            raise ValueError(
                f"has a step in '{field}' that is longer than all {values} values of its {name}, "
                "and would be due once in them: have an interval instead, such as PT90M"
            )
    if _UNSTEADY.search(expression.upper()):
        raise ValueError("must not use R or H, which stand for times by chance")
    try:
        croniter(expression, datetime(2024, 1, 1)).get_next(datetime)
    except CroniterBadDateError as error:
        raise ValueError("is never due: there is no such date") from error
    except (CroniterBadCronError, ValueError, KeyError, IndexError, TypeError) as error:
        raise ValueError(f"is no cron expression: {error}") from error
    return expression


def check_interval(duration: str) -> str:
    """The interval; ValueError unless it is within bounds."""
    if not MIN_INTERVAL <= parse_duration(duration) <= MAX_INTERVAL:
        raise ValueError("must be between PT1M and P366D")
    return duration


@dataclass(frozen=True, slots=True)
class Schedule:
    """Either a cron expression or an interval, in a zone."""

    cron: str | None
    interval: str | None
    timezone: str

    def next_after(self, at: datetime) -> datetime:
        """The first due instant after an instant, in UTC."""
        if self.cron is not None:
            return self._cron_after(at)
        anchor, step = self._grid()
        return anchor + ((at - anchor) // step + 1) * step

    def latest_until(self, at: datetime) -> datetime | None:
        """The last due instant at or before an instant, in UTC; None when there was none."""
        if self.cron is not None:
            return self._cron_until(at)
        anchor, step = self._grid()
        return anchor + ((at - anchor) // step) * step

    def upcoming(self, at: datetime, count: int) -> list[datetime]:
        """The next due instants after an instant."""
        instants: list[datetime] = []
        for _ in range(count):
            at = self.next_after(at)
            instants.append(at)
        return instants

    def _grid(self) -> tuple[datetime, timedelta]:
        anchor = datetime(1970, 1, 1, tzinfo=ZoneInfo(self.timezone)).astimezone(UTC)
        return anchor, parse_duration(self.interval or "")

    def _cron_after(self, at: datetime) -> datetime:
        clock = _Clock(self.timezone)
        local = clock.naive(at)
        cron = self._croniter(local - _MAX_JUMP if clock.changes_near(at) else local)
        every_hour = _every_hour(cron)
        best: datetime | None = None
        while True:
            wall = cron.get_next(datetime)
            # Beside a change of the clocks a later time on the wall may be the earlier instant.
            if best is not None and wall > clock.naive(best) + _MAX_JUMP:
                return best
            for instant in clock.instants(wall, twice=every_hour):
                if instant > at and (best is None or instant < best):
                    best = instant
            if best is not None and not clock.changes_near(best):
                return best

    def _cron_until(self, at: datetime) -> datetime | None:
        from croniter import CroniterBadDateError

        clock = _Clock(self.timezone)
        local = clock.naive(at) + timedelta(microseconds=1)
        cron = self._croniter(local + _MAX_JUMP if clock.changes_near(at) else local)
        every_hour = _every_hour(cron)
        best: datetime | None = None
        try:
            while True:
                wall = cron.get_prev(datetime)
                if best is not None and wall < clock.naive(best) - _MAX_JUMP:
                    return best
                for instant in clock.instants(wall, twice=every_hour):
                    if instant <= at and (best is None or instant > best):
                        best = instant
                if best is not None and not clock.changes_near(best):
                    return best
        except CroniterBadDateError:
            return best

    def _croniter(self, start: datetime) -> Any:
        from croniter import croniter

        return croniter(self.cron or "", start)


def _every_hour(cron: Any) -> bool:
    hours = cron.expanded[1]
    return bool(hours == ["*"] or len(set(hours)) == 24)


class _Clock:
    """The wall clock of a zone."""

    def __init__(self, timezone: str) -> None:
        self._zone = ZoneInfo(timezone)

    def naive(self, at: datetime) -> datetime:
        """What the clock shows at an instant."""
        return at.astimezone(self._zone).replace(tzinfo=None, fold=0)

    def instants(self, wall: datetime, *, twice: bool) -> Iterator[datetime]:
        """The instants, in UTC, that a time on the wall stands for."""
        first, second = (wall.replace(tzinfo=self._zone, fold=fold) for fold in (0, 1))
        yield first.astimezone(UTC)
        comes_twice = second.utcoffset() != first.utcoffset() and self.naive(second) == wall
        if twice and comes_twice and self.naive(first.astimezone(UTC)) == wall:
            yield second.astimezone(UTC)

    def changes_near(self, at: datetime) -> bool:
        """Whether the clocks change within some hours of an instant."""
        before, after = (
            (at + by).astimezone(self._zone) for by in (-_TRANSITION_WINDOW, _TRANSITION_WINDOW)
        )
        return before.utcoffset() != after.utcoffset()
