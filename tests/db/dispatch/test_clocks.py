"""Clocks that are wrong, and that are set while runs are under way."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import text, update

from automations.db import watermarks
from automations.db.access import rate_limits
from automations.db.queue import jobs
from automations.db.runs import rates
from automations.db.session import statement, sync_clock, unit_of_work
from automations.db.tables import Job, JobKind, RateLimit, Run, RunStep, Wait
from automations.dispatch.asset_events import AssetEvents
from automations.dispatch.housekeeping import Housekeeper
from automations.dispatch.interval_timer import IntervalTimer
from automations.dispatch.reconciler import Reconciler
from automations.dispatch.user_actions import UserActions
from automations.domain import assets
from automations.domain.tables.columns import TableShape
from automations.execution.engine import Engine
from automations.execution.verdicts import Proceed, Sleep
from automations.kit import common_clock
from automations.kit.ids import new_id
from automations.ports import DagRunState, UserAction
from automations.services.tables import rows, tables
from automations.services.waits import decisions
from tests.db.roles import Outbox
from tests.db.runs import begin, row, step, task
from tests.db.workspace import principal
from tests.doubles import Unreachable

OFF = timedelta(hours=3)
MINUTE = timedelta(minutes=1)

pytestmark = pytest.mark.usefixtures("database")


@contextmanager
def off(by: timedelta) -> Iterator[None]:
    """Have this process on a machine whose clock is not the database's."""
    with time_machine.travel(datetime.now(UTC) + by):
        yield
    sync_clock()


@pytest.fixture(autouse=True)
def common() -> Iterator[None]:
    yield
    sync_clock()
    assert common_clock.now() - datetime.now(UTC) < timedelta(seconds=1)


class Airflow(Unreachable):
    """Is asked what has changed since a moment, and has nothing."""

    def __init__(self) -> None:
        self.asked: list[datetime] = []
        self.told: list[str] = []

    def changed_runs(self, since: datetime, offset: int, limit: int) -> list[DagRunState]:
        self.asked.append(since)
        return []

    def user_actions(
        self, since: datetime, until: datetime, offset: int, limit: int
    ) -> tuple[list[UserAction], int]:
        self.asked.append(since)
        assert since < until
        return [], 0

    def change_asset(self, asset_id: int, extra: Mapping[str, Any]) -> None:
        self.told.append(str(extra["lastEventId"]))

    def assets(self, scheme: str) -> Mapping[str, int]:
        return self.known

    known: dict[str, int]


def mark(name: str, value: str) -> None:
    with unit_of_work() as session:
        watermarks.put(session, name, value)


@pytest.mark.parametrize("by", [OFF, -OFF])
def test_what_time_it_is_says_the_database(by: timedelta) -> None:
    here = datetime.now(UTC)
    with off(by):
        sync_clock()
        assert abs(common_clock.now() - here) < MINUTE
        with statement() as connection:
            there = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
        assert abs(common_clock.now() - there) < MINUTE


def test_on_one_machine_nothing_is_added_to_its_clock() -> None:
    for _ in range(3):
        question = common_clock.Question()
        question.record_answer(datetime.now(UTC))
        before = datetime.now(UTC)
        assert before <= common_clock.now() <= datetime.now(UTC)


@pytest.mark.parametrize("by", [OFF, -OFF])
def test_a_pause_is_as_long_as_it_is_to_be_whatever_the_clock_of_its_machine_says(
    engine: Engine, by: timedelta
) -> None:
    run = begin(step("wait", "delay", 0, {"duration": "PT1H"}))
    here = datetime.now(UTC)
    with off(by):
        parked = engine.run(task(run, "wait"))
    assert isinstance(parked, Sleep)
    assert abs(parked.until - here - timedelta(hours=1)) < MINUTE
    begun = row(run, "wait")
    assert isinstance(begun, RunStep)
    assert abs(begun.started_at - here) < MINUTE


def test_who_wakes_on_a_machine_that_is_ahead_waits_on(engine: Engine) -> None:
    run = begin(step("wait", "delay", 0, {"duration": "PT1H"}))
    parked = engine.run(task(run, "wait"))
    assert isinstance(parked, Sleep)
    with off(OFF):
        assert engine.resume(task(run, "wait"), parked.wait_id, None) == parked


@pytest.mark.parametrize("ahead", [True, False])
def test_what_changes_in_airflow_is_read_after_the_clock_was_set_back(ahead: bool) -> None:
    here, airflow = datetime.now(UTC), Airflow()
    mark("airflow_runs", (here + OFF if ahead else here - MINUTE).isoformat())
    mark("airflow_acts", json.dumps({"until": (here + OFF).isoformat(), "seen": []}))
    Reconciler(airflow).follow()
    UserActions(airflow).poll_when_due()
    assert all(since < here for since in airflow.asked)
    Reconciler(airflow).follow()
    assert here - MINUTE < airflow.asked[-1] < datetime.now(UTC)


def test_dags_are_told_of_what_changes_after_the_clock_was_set_back(here: str) -> None:
    shape = {"name": "Companies", "columns": [{"key": "name", "type": "text"}]}
    table, airflow = tables.create(here, TableShape.model_validate(shape)).id, Airflow()
    airflow.known = {assets.table(table): 1}
    mark("asset_events", (datetime.now(UTC) + OFF).isoformat())
    with unit_of_work() as session:
        rows.add(session, here, table, {"name": "Acme"})
    follows = AssetEvents(airflow)
    follows.poll()
    follows.tell(datetime.now(UTC))
    assert len(airflow.told) == 1
    follows.tell(datetime.now(UTC))
    assert len(airflow.told) == 1, "it is told once"


def test_old_runs_are_deleted_after_the_clock_was_set_back() -> None:
    mark("retention", (datetime.now(UTC) + OFF).isoformat())
    assert Housekeeper._is_due()
    mark("retention", datetime.now(UTC).isoformat())
    assert not Housekeeper._is_due()


def test_what_is_done_now_and_then_goes_by_no_clock_that_is_set() -> None:
    for_long, again = IntervalTimer(timedelta(hours=1)), IntervalTimer(timedelta(0))
    with off(OFF):
        assert for_long.is_due()
        assert again.is_due()
    assert not for_long.is_due()
    assert again.is_due()


def test_work_of_before_the_clock_was_set_back_is_not_left_until_it_is_there_again() -> None:
    soon, later, known = new_id(), new_id(), new_id()
    with unit_of_work() as session:
        jobs.enqueue(session, JobKind.ADMIT_RUN, soon)
        jobs.enqueue(session, JobKind.ADMIT_RUN, later, timedelta(hours=1))
        jobs.enqueue(session, JobKind.ADMIT_RUN, known, timedelta(hours=1))
        before = session.query(Job).filter_by(subject_id=known).one().available_at
        session.execute(
            update(Job)
            .where(Job.subject_id != known)
            .values(available_at=Job.available_at + OFF, created_at=Job.created_at + OFF)
        )
    Reconciler(Airflow()).repair()
    with unit_of_work() as session:
        assert [job.subject_id for job in jobs.claim(session, 10, JobKind)] == [soon]
        jobs_left = {job.subject_id: job for job in session.query(Job)}
        # What was to come later comes as much later.
        assert abs(jobs_left[later].available_at - jobs_left[known].available_at) < MINUTE
        assert jobs_left[known].available_at == before


def test_a_step_that_waits_again_is_not_answered_by_an_older_pause_of_a_later_time(
    engine: Engine, outbox: Outbox
) -> None:
    ask = step("ask", "approval", 0, {"message": "{{loop.item}}?", "onReject": "continue"})
    mail = {"to": "a@b.example", "subject": "S", "body": "{{loop.item}} {{steps.ask.decision}}"}
    config = {"collection": ["a", "b"], "steps": [ask, step("mail", "email", 1, mail)]}
    run = begin(step("loop", "loop", 0, config))
    who = principal(run.workspace_id, name="ada")
    first = engine.run(task(run, "loop"))
    assert isinstance(first, Sleep)
    decisions.resume(who, run.id, decision="approved", data=None)
    second = engine.resume(task(run, "loop"), first.wait_id, None)
    assert isinstance(second, Sleep)
    with unit_of_work() as session:
        # The clock was set back in between.
        ahead = update(Wait).where(Wait.id == first.wait_id)
        session.execute(ahead.values(created_at=Wait.created_at + OFF))
    assert engine.resume(task(run, "loop"), first.wait_id, None) == second
    assert engine.run(task(run, "loop")) == second
    decisions.resume(who, run.id, decision="rejected", data=None)
    assert isinstance(engine.resume(task(run, "loop"), second.wait_id, None), Proceed)
    assert [sent.body for sent in outbox.sent] == ["a approved", "b rejected"]


def test_limits_hold_nobody_up_until_a_clock_that_was_set_back_is_there_again() -> None:
    def hit() -> int | None:
        with unit_of_work() as session:
            return rate_limits.hit(session, "key", limit=1, seconds=60)

    assert hit() is None
    assert hit() is not None
    with unit_of_work() as session:
        session.execute(update(RateLimit).values(ends_at=RateLimit.ends_at + OFF))
    assert hit() is None
    wait = hit()
    assert wait is not None
    assert wait <= 60


def test_runs_that_began_before_the_clock_was_set_back_leave_room_for_others() -> None:
    run = begin(step("wait", "delay", 0, {"duration": "PT1H"}))

    def to_wait() -> timedelta | None:
        with unit_of_work() as session:
            return rates.time_to_wait(session, "key", 1, MINUTE)

    with unit_of_work() as session:
        session.execute(update(Run).where(Run.id == run.id).values(rate_key="key"))
    assert to_wait() is not None
    with unit_of_work() as session:
        session.execute(update(Run).values(started_at=Run.started_at + OFF))
    assert to_wait() is None
