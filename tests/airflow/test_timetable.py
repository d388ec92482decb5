"""The schedule that Airflow is given, and what it makes of it."""

from __future__ import annotations

import json
import re
import warnings
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from airflow.sdk import DAG
from airflow.serialization.serialized_objects import DagSerialization
from airflow.timetables.base import DataInterval, TimeRestriction
from airflow.timetables.trigger import CronTriggerTimetable
from airflow.utils.types import DagRunType
from pendulum import DateTime

from automations.definitions.schedules import Schedule
from automations.domain.statuses import WorkflowStatus
from automations.kit.ids import PATTERN
from automations_airflow.dags.dag_builder import build
from tests.airflow.definitions import email, published

WARSAW = "Europe/Warsaw"
SINCE = datetime(2026, 1, 1, tzinfo=UTC)


def dag(
    status: WorkflowStatus = WorkflowStatus.ACTIVE, since: datetime = SINCE, **config: Any
) -> DAG:
    trigger = {"type": "schedule", "timezone": WARSAW, **config}
    one = published(email("a"), trigger=trigger)
    return build(replace(one, status=status, scheduled_since=since.isoformat()))


def stored(built: DAG) -> Any:
    """The timetable as Airflow's scheduler reads it from its database."""
    return DagSerialization.from_dict(
        json.loads(json.dumps(DagSerialization.to_dict(built)))
    ).timetable


def due(timetable: Any, count: int, *, catchup: bool = True, last: Any = None) -> list[DateTime]:
    """What the scheduler would create one after the other."""
    found: list[DateTime] = []
    restriction = TimeRestriction(earliest=None, latest=None, catchup=catchup)
    for _ in range(count):
        info = timetable.next_dagrun_info(
            last_automated_data_interval=last, restriction=restriction
        )
        assert info.logical_date == info.run_after
        last = info.data_interval
        found.append(info.run_after)
    return found


def test_the_automations_time_zone_holds_where_the_trigger_names_none() -> None:
    trigger = {"type": "schedule", "cron": "0 9 * * *"}
    owns: tuple[dict[str, Any], ...] = ({}, {"timezone": "Asia/Tokyo"})
    for own, hour in zip(owns, ("09", "00"), strict=True):
        one = published(email("a"), trigger=trigger, **own)
        built = build(replace(one, scheduled_since=SINCE.isoformat()))
        (first,) = due(stored(built), 1)
        assert f"{first.astimezone(UTC):%H}" == hour


def test_only_an_active_automation_is_scheduled() -> None:
    assert stored(dag(cron="0 9 * * *")).can_be_scheduled
    for status in set(WorkflowStatus) - {WorkflowStatus.ACTIVE}:
        assert not stored(dag(status, cron="0 9 * * *")).can_be_scheduled
    assert not stored(build(published(email("a")))).can_be_scheduled


def test_the_overlap_that_queues_is_airflows() -> None:
    assert dag(cron="0 9 * * *", overlap="queue").max_active_runs == 1
    assert dag(cron="0 9 * * *", overlap="skip").max_active_runs > 1_000
    assert dag(cron="0 9 * * *", overlap="allow").max_active_runs > 1_000
    assert dag(WorkflowStatus.PAUSED, cron="0 9 * * *", overlap="queue").max_active_runs > 1_000
    assert [dag(cron="0 9 * * *", catchup=value).catchup for value in (True, False)] == [
        True,
        False,
    ]


@pytest.mark.parametrize("config", [{"cron": "*/10 * * * *"}, {"interval": "PT90M"}])
def test_the_timetable_survives_airflows_storage(config: dict[str, Any]) -> None:
    built = dag(**config)
    assert due(stored(built), 5) == due(built.timetable, 5)
    assert stored(built).summary == f"{next(iter(config.values()))}, {WARSAW}"
    one, other = (DagSerialization.to_dict(dag(**config)) for _ in range(2))
    assert one == other


@pytest.mark.parametrize(
    ("expression", "start", "expected"),
    [
        ("30 2 * * *", "2026-03-28T00:00Z", ["28T01:30", "29T01:30", "30T00:30"]),
        ("30 2 * * *", "2026-10-23T22:00Z", ["24T00:30", "25T00:30", "26T01:30"]),
        ("30 * * * *", "2026-03-29T00:00Z", ["29T00:30", "29T01:30", "29T02:30"]),
        ("30 * * * *", "2026-10-24T23:00Z", ["24T23:30", "25T00:30", "25T01:30", "25T02:30"]),
    ],
)
def test_both_changes_of_the_clocks_lose_and_double_nothing(
    expression: str, start: str, expected: list[str]
) -> None:
    since = datetime.fromisoformat(start)
    timetable = stored(dag(since=since, cron=expression))
    times = due(timetable, len(expected))
    assert [instant.strftime("%dT%H:%M") for instant in times] == expected
    preview = Schedule(expression, None, WARSAW).upcoming(since, len(expected))
    assert times == preview


@pytest.mark.parametrize(
    "expression", ["0 9 * * MON-FRI", "*/7 * * * *", "15 3 1 * *", "0 0 * * 0"]
)
def test_at_all_other_times_it_agrees_with_airflows_own(expression: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Airflow's own
        stock = CronTriggerTimetable(expression, timezone=WARSAW)
    last = DataInterval.exact(due(stored(dag(cron=expression)), 1)[0])
    assert due(stored(dag(cron=expression)), 40, last=last) == due(stock, 40, last=last)


def test_a_parse_right_after_a_due_time_does_not_lose_the_run() -> None:
    since = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
    for minute in (0, 5, 59):
        with time_machine.travel(datetime(2026, 3, 1, 10, minute, 1, tzinfo=UTC), tick=False):
            timetable = stored(dag(since=since, cron="0 * * * *"))
            assert due(timetable, 1, catchup=False) == [datetime(2026, 3, 1, 10, tzinfo=UTC)]


def test_without_catch_up_only_the_latest_missed_time_is_made_up_for() -> None:
    last = DataInterval.exact(due(stored(dag(cron="0 * * * *")), 1)[0])
    with time_machine.travel(datetime(2026, 3, 1, 10, 20, tzinfo=UTC), tick=False):
        times = due(stored(dag(cron="0 * * * *")), 2, catchup=False, last=last)
    assert times == [datetime(2026, 3, 1, hour, tzinfo=UTC) for hour in (10, 11)]


def test_with_catch_up_every_missed_time_is_made_up_for() -> None:
    since = datetime(2026, 3, 1, 6, 30, tzinfo=UTC)
    with time_machine.travel(datetime(2026, 3, 1, 10, 20, tzinfo=UTC), tick=False):
        times = due(stored(dag(since=since, cron="0 * * * *", catchup=True)), 5)
    assert [instant.hour for instant in times] == [7, 8, 9, 10, 11]


def test_nothing_from_before_the_activation_is_made_up_for() -> None:
    last = DataInterval.exact(due(stored(dag(cron="0 * * * *")), 1)[0])
    since = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
    for catchup in (True, False):
        with time_machine.travel(since + timedelta(minutes=1), tick=False):
            timetable = stored(dag(since=since, cron="0 * * * *"))
            times = due(timetable, 1, catchup=catchup, last=last)
        assert times == [datetime(2026, 3, 1, 11, tzinfo=UTC)]


def test_two_automations_that_are_due_at_once_have_runs_of_different_ids() -> None:
    timetable = stored(dag(cron="0 * * * *"))
    facts = {"run_type": DagRunType.SCHEDULED, "run_after": None, "data_interval": None}
    one, other = (timetable.generate_run_id(**facts) for _ in range(2))
    assert re.match(PATTERN, one)
    assert one != other


def test_an_interval_goes_on_from_what_airflow_ran_last() -> None:
    last = DataInterval.exact(due(stored(dag(interval="PT90M")), 1)[0])
    following = due(stored(dag(interval="PT90M")), 1, last=last)
    assert following == [last.end + timedelta(minutes=90)]


@pytest.mark.parametrize("config", [{"cron": "0 * * * *"}, {"interval": "PT1H"}])
def test_a_stretch_of_time_has_an_end_and_both_ends_are_in_it(config: dict[str, Any]) -> None:
    serialized = DagSerialization.from_dict(DagSerialization.to_dict(dag(**config)))
    # Before the activation, too: that is what a backfill is for.
    begin = datetime(2025, 3, 1, 6, tzinfo=UTC)
    for end, last in ((begin + timedelta(hours=3), 9), (begin + timedelta(hours=3.9), 9)):
        found = list(serialized.iter_dagrun_infos_between(begin, end))
        assert [info.run_after.hour for info in found] == list(range(6, last + 1))
    between = timedelta(minutes=10), timedelta(minutes=50)
    assert list(serialized.iter_dagrun_infos_between(*(begin + by for by in between))) == []
