"""Statistics of runs: over time, by step, by automation, and of what waits."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from automations.domain.statuses import RunStatus, WaitKind
from automations.errors import ValidationFailed

QUANTILES = (0.5, 0.9, 0.99)
"""Of how long runs took: the median, what nine of ten, and what 99 of 100 took at most."""
AGES = (timedelta(hours=1), timedelta(days=1), timedelta(weeks=1))
"""The ages that part what waits: under the first one, …, above the last one."""


@dataclass(frozen=True, slots=True)
class Period:
    """A time that is looked at, in parts of the same length.

    Args:
        since: when its first part begins.
        width: of one part.
        parts: how many.
    """

    since: datetime
    width: timedelta
    parts: int

    @property
    def until(self) -> datetime:
        """When the last part has ended."""
        return self.since + self.width * self.parts


def period_until(end: datetime, width: timedelta, parts: int) -> Period:
    """The period whose last part holds a moment; parts begin at whole widths since 1970."""
    epoch = datetime.fromtimestamp(0, UTC)
    return Period(epoch + ((end - epoch) // width + 1 - parts) * width, width, parts)


PERIODS: Mapping[str, tuple[timedelta, int]] = {
    "day": (timedelta(hours=1), 24),
    "week": (timedelta(hours=6), 28),
    "month": (timedelta(days=1), 30),
    "quarter": (timedelta(days=3), 30),
    "year": (timedelta(days=14), 26),
}
"""How much is looked at, by the words for it: in parts of which length, and how many."""
_FIRST_DAY = date(2000, 1, 1)


def period_named(name: str, until: str, now: datetime) -> Period:
    """The time that is asked for by its word: until now, or with all of the day that is named.

    Args:
        until: a day; empty for none.

    Raises:
        ValidationFailed: there is no such period or day.
    """
    if name not in PERIODS:
        raise ValidationFailed({"period": [f"must be one of {', '.join(PERIODS)}"]})
    width, parts = PERIODS[name]
    if not until:
        return period_until(now, width, parts)
    try:
        day = date.fromisoformat(until)
    except ValueError as error:
        raise ValidationFailed({"until": ["must be a day, such as 2026-01-31"]}) from error
    if not _FIRST_DAY <= day <= now.date():
        raise ValidationFailed({"until": [f"must be from {_FIRST_DAY} to today"]})
    last = datetime(day.year, day.month, day.day, 23, 59, 59, tzinfo=UTC)
    return period_until(min(last, now), width, parts)


def success(counts: Mapping[RunStatus, int]) -> int | None:
    """How many per cent of the runs that have ended by themselves did so well."""
    done, failed = counts.get(RunStatus.COMPLETED, 0), counts.get(RunStatus.FAILED, 0)
    # 99.9 per cent are not all.
    return None if done + failed == 0 else math.floor(100 * done / (done + failed))


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What became of some runs.

    Args:
        counts: how many have each status; the absent are none.
        seconds: how long those that have completed took, by ``QUANTILES``; None without any.
        cost: US dollars that they have spent on language models.
        tokens: the same in tokens.
    """

    counts: Mapping[RunStatus, int]
    seconds: Sequence[float] | None
    cost: Decimal
    tokens: int

    @property
    def runs(self) -> int:
        """How many there are."""
        return sum(self.counts.values())


NO_OUTCOMES = Outcomes({}, None, Decimal(0), 0)


@dataclass(frozen=True, slots=True)
class CountedRuns:
    """The runs of a period.

    Args:
        whole: all that were counted.
        parts: those of each part of the period in which there are any, by its number.
        automations: those of each automation, by its id.
        oldest: when the oldest that was counted began; None without any.
    """

    whole: Outcomes
    parts: Mapping[int, Outcomes]
    automations: Mapping[str, Outcomes]
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class FailingStep:
    """A step at which runs have failed.

    Args:
        step_id: None where no step of theirs had begun, or none of them failed.
        runs: how many.
        last_run_id: the newest of them.
    """

    workflow_id: str
    step_id: str | None
    step_type: str | None
    name: str | None
    runs: int
    last_run_id: str


@dataclass(frozen=True, slots=True)
class Figures:
    """All that there is to say of the runs of a period, and of what waits now.

    Args:
        runs: those that began in the period; the newest, where there are too many to count.
        is_cut: whether there are more of them.
        failing: the steps at which the most have failed.
        waits: how many runs wait for what, by how long: one number more than there are ``AGES``.
    """

    period: Period
    runs: CountedRuns
    is_cut: bool
    failing: Sequence[FailingStep]
    waits: Mapping[WaitKind, Sequence[int]]
