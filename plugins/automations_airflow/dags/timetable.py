"""The schedule of an automation's DAG: its schedule trigger's, or none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction, Timetable
from airflow.timetables.simple import NullTimetable
from airflow.utils.types import DagRunType
from pendulum import DateTime, instance

from automations.definitions.schedules import Schedule
from automations.kit.ids import new_id


def describe(words: str, version: int) -> str:
    """What Airflow shows beside a summary; its end says which version was parsed."""
    return f"{words[:900]}; version {version}"


class AutomationTimetable(NullTimetable):
    """Schedules nothing, and gives a run started by hand in Airflow an id like the API's.

    Args:
        words: what starts the automation, for people.
        version: the automation's, by which the dispatcher knows what Airflow has parsed.
        refusal: why nobody may start a run by hand in Airflow; None where people may.
    """

    def __init__(self, words: str, version: int, refusal: str | None = None) -> None:
        super().__init__()
        self._words, self._version, self._refusal = words, version, refusal
        self.description = describe(words, version)

    @property
    def summary(self) -> str:
        return self._words

    def serialize(self) -> dict[str, Any]:
        refusal = {"refusal": self._refusal} if self._refusal else {}
        return {"words": self._words, "version": self._version, **refusal}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> Timetable:
        return cls(**data)

    def generate_run_id(self, *, run_type: DagRunType, **facts: Any) -> str:
        # The bridge gives its runs their ids: what was started before goes on.
        if self._refusal is not None:
            raise ValueError(self._refusal)
        if run_type == DagRunType.MANUAL:
            return new_id()
        return super().generate_run_id(run_type=run_type, **facts)


class ScheduleTimetable(Timetable):
    """Schedules what a schedule trigger says, by the computation that the API previews.

    Args:
        since: nothing before or at this instant is due. It stays the same from parse to parse, so
            that a parse right after a due time does not lose the run.
        version: the automation's, as that of any other.
    """

    def __init__(
        self, cron: str | None, interval: str | None, timezone: str, since: datetime, version: int
    ) -> None:
        self._schedule = Schedule(cron, interval, timezone)
        self._since = since
        self._version = version
        self.description = describe(self.summary, version)

    @property
    def summary(self) -> str:
        schedule = self._schedule
        return f"{schedule.cron or schedule.interval}, {schedule.timezone}"

    def next_dagrun_info(
        self,
        *,
        last_automated_data_interval: DataInterval | None,
        restriction: TimeRestriction,
    ) -> DagRunInfo | None:
        last = last_automated_data_interval
        # Our DAGs have no end: only who asks for a stretch of time names one, for a backfill or to
        # mark runs before and after another. It may reach back to before the activation.
        if restriction.latest is not None:
            return self._within(restriction, _plain(last.end) if last is not None else None)
        after = self._since if last is None else max(self._since, _plain(last.end))
        due = self._schedule.next_after(after)
        if not restriction.catchup:
            latest = self._schedule.latest_until(datetime.now(UTC))
            due = max(due, latest) if latest is not None else due
        return DagRunInfo.exact(instance(due))

    def _within(self, stretch: TimeRestriction, after: datetime | None) -> DagRunInfo | None:
        """What is due next in a stretch of time, both ends included."""
        assert stretch.latest is not None
        if after is None:
            first = stretch.earliest
            after = self._since if first is None else _plain(first) - timedelta(microseconds=1)
        due = self._schedule.next_after(after)
        return DagRunInfo.exact(instance(due)) if due <= _plain(stretch.latest) else None

    def infer_manual_data_interval(self, *, run_after: DateTime) -> DataInterval:
        return DataInterval.exact(run_after)

    def generate_run_id(self, **facts: Any) -> str:
        # Airflow's own ids say the time only, and two automations may be due at the same.
        return new_id()

    def serialize(self) -> dict[str, Any]:
        schedule = self._schedule
        return {
            "cron": schedule.cron,
            "interval": schedule.interval,
            "timezone": schedule.timezone,
            "since": self._since.isoformat(),
            "version": self._version,
        }

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> Timetable:
        return cls(**{**data, "since": datetime.fromisoformat(data["since"])})


def _plain(instant: DateTime) -> datetime:
    """Pendulum's differences do not divide by the standard library's."""
    return datetime.fromtimestamp(instant.timestamp(), UTC)
