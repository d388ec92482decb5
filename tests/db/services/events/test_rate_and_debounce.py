"""Rate limits and debounce: exact with any number of dispatchers, and never silent."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, func, select, update

from automations.db.events.events import emit
from automations.db.queue import jobs
from automations.db.session import unit_of_work
from automations.db.tables import DataTable, DebouncedEvents, Event, Job, JobKind, Run
from automations.definitions.triggers import event_key
from automations.dispatch.jobs.registry import Handlers
from automations.dispatch.reconciler import Reconciler
from automations.domain.events import NewEvent
from automations.domain.runs import RunFilter
from automations.errors import RateLimited, StepError
from automations.kit.ids import new_id
from automations.services.events import events
from automations.services.runs import by_hand, replays
from automations.services.runs.children import StartedRuns
from automations.services.runs.from_airflow import AirflowRun, record_run
from automations.services.workflows import workflows
from tests.db.workspace import at_once, principal, workspace
from tests.doubles import ports

TABLE = new_id()
ROWS = {"type": "event", "triggerType": "ROW_ADDED"}


@pytest.fixture
def here(database: str) -> str:
    made = workspace()
    with unit_of_work() as session:
        session.add(DataTable(id=TABLE, workspace_id=made, name="Table", columns=[]))
    return made


def automation(here: str, **more: Any) -> str:
    payload = {"name": "Test", "status": "ACTIVE", "steps": [], "trigger": ROWS, **more}
    return workflows.create(principal(here), payload, ports()).id


def happened(here: str, **data: Any) -> str:
    key = event_key("ROW_ADDED", TABLE)
    with unit_of_work() as session:
        return emit(session, here, NewEvent(kind="ROW_ADDED", trigger_key=key, data=data))[0].id


def handle(handlers: Handlers, *kinds: str) -> None:
    with unit_of_work() as session:
        query = select(Job).where(Job.kind.in_(kinds)).order_by(Job.id)
        queued = session.scalars(query).all()
    for job in queued:
        handlers.handle(job)


def event(event_id: str) -> Event:
    with unit_of_work() as session:
        return session.get_one(Event, event_id)


def runs_of(workflow: str) -> list[Run]:
    with unit_of_work() as session:
        query = select(Run).where(Run.workflow_id == workflow).order_by(Run.started_at)
        return list(session.scalars(query))


def time_passes(by: timedelta) -> None:
    """Everything that was waited for is so much nearer."""
    with unit_of_work() as session:
        session.execute(update(Run).values(started_at=Run.started_at - by))
        session.execute(
            update(DebouncedEvents).values(
                due_at=DebouncedEvents.due_at - by, latest_at=DebouncedEvents.latest_at - by
            )
        )


class TestRateLimit:
    def test_one_too_many_is_refused_until_the_first_is_long_enough_ago(self, here: str) -> None:
        workflow = automation(here, rateLimit={"limit": 2, "per": "PT1M"})
        began = time.monotonic()
        for _ in range(2):
            by_hand.execute(principal(here), workflow, {})
        with pytest.raises(RateLimited) as refused:
            by_hand.execute(principal(here), workflow, {})
        assert refused.value.message.startswith("The automation may start 2 runs per PT1M; try")
        passed = time.monotonic() - began
        assert 59 - passed <= refused.value.retry_after <= 60
        time_passes(timedelta(seconds=61))
        by_hand.execute(principal(here), workflow, {})
        assert len(runs_of(workflow)) == 3

    def test_each_key_is_counted_on_its_own(self, here: str) -> None:
        limit = {"limit": 1, "per": "PT1M", "key": "{{input.who}}"}
        workflow = automation(here, rateLimit=limit)
        for who in ("a", "b"):
            by_hand.execute(principal(here), workflow, {"who": who})
        with pytest.raises(RateLimited, match="for each key"):
            by_hand.execute(principal(here), workflow, {"who": "a"})

    def test_an_event_says_what_it_did_not_start(self, here: str, handlers: Handlers) -> None:
        limited = automation(here, name="Limited", rateLimit={"limit": 1, "per": "PT1M"})
        first, second = happened(here), happened(here)
        handle(handlers, "match_event")
        assert [event(one).status for one in (first, second)] == ["MATCHED", "SKIPPED"]
        assert event(second).reason == (
            "'Limited' was not started: the automation may start 1 run per PT1M."
        )
        other = automation(here)
        third = happened(here)
        handle(handlers, "match_event")
        assert event(third).status == "MATCHED"
        assert "'Limited' was not started" in str(event(third).reason)
        assert [len(runs_of(one)) for one in (limited, other)] == [1, 1]
        time_passes(timedelta(minutes=2))
        events.replay(here, third)
        handle(handlers, "match_event")
        assert event(third).reason is None
        assert [len(runs_of(one)) for one in (limited, other)] == [2, 1]

    def test_many_at_once_are_exactly_as_many_as_may_be(self, here: str) -> None:
        workflow = automation(here, rateLimit={"limit": 5, "per": "PT1H"})
        came = at_once(*[lambda: by_hand.execute(principal(here), workflow, {})] * 16)
        assert sum(isinstance(one, RateLimited) for one in came) == 11
        assert len(runs_of(workflow)) == 5

    def test_replays_are_counted_all_or_none(self, here: str) -> None:
        workflow = automation(here, rateLimit={"limit": 3, "per": "PT1M"})
        for _ in range(2):
            by_hand.execute(principal(here), workflow, {})
        with pytest.raises(RateLimited):
            replays.replay_many(principal(here), workflow, RunFilter(), 10)
        assert len(runs_of(workflow)) == 2
        assert replays.replay(principal(here), workflow, runs_of(workflow)[0].id)

    def test_a_child_run_may_be_tried_again_later(self, here: str) -> None:
        workflow = automation(here, rateLimit={"limit": 1, "per": "PT1M"})
        parent = by_hand.execute(principal(here), automation(here), {})
        StartedRuns().start(parent.id, workflow, {}, "one", awaited=False)
        with pytest.raises(StepError) as refused:
            StartedRuns().start(parent.id, workflow, {}, "two", awaited=False)
        assert (refused.value.kind, refused.value.retryable) == ("rate_limited", True)
        assert refused.value.retry_after is not None

    def test_a_run_of_airflows_that_is_one_too_many_is_cancelled_and_not_counted(
        self, here: str
    ) -> None:
        workflow = automation(here, rateLimit={"limit": 1, "per": "PT1M"})
        for number in range(3):
            with unit_of_work() as session:
                record_run(
                    session,
                    AirflowRun(
                        workflow_id=workflow,
                        run_id=f"scheduled__{number}",
                        run_type="scheduled",
                        conf={},
                        started_by=None,
                        version=1,
                        due_at=datetime.now(UTC),
                    ),
                )
        first, *more = runs_of(workflow)
        assert [one.status for one in (first, *more)] == ["RUNNING", "CANCELLED", "CANCELLED"]
        assert more[0].error == "Skipped: the automation may start 1 run per PT1M."
        assert [one.rate_key for one in (first, *more)] == [workflow, None, None]


class TestDebounce:
    def test_events_that_come_soon_after_each_other_are_one_run_of_the_last(
        self, here: str, handlers: Handlers
    ) -> None:
        workflow = automation(here, debounce={"delay": "PT30S"})
        ids = [happened(here, rowId=f"r{number}") for number in range(3)]
        handle(handlers, "match_event")
        assert [event(event_id).status for event_id in ids] == ["SKIPPED", "SKIPPED", "MATCHED"]
        assert event(ids[0]).reason == (
            f"'Test' takes event {ids[1]}, which came later (debounce)."
        )
        assert "'Test' waits until 20" in str(event(ids[2]).reason)
        handle(handlers, "end_debounce")
        assert runs_of(workflow) == []
        time_passes(timedelta(seconds=30))
        handle(handlers, "end_debounce")
        (run,) = runs_of(workflow)
        assert (run.event_id, run.variables["rowId"]) == (ids[2], "r2")
        assert event(ids[2]).reason == "It stands for 3 events (debounce)."
        with unit_of_work() as session:
            assert session.scalars(select(Job.kind)).all() == ["start_run"]

    def test_each_new_event_puts_the_run_off_until_it_was_waited_for_long_enough(
        self, here: str, handlers: Handlers
    ) -> None:
        workflow = automation(here, debounce={"delay": "PT30S", "maxWait": "PT1M"})
        for _ in range(3):
            happened(here)
            handle(handlers, "match_event", "end_debounce")
            assert runs_of(workflow) == []
            time_passes(timedelta(seconds=20))
        handle(handlers, "end_debounce")
        assert len(runs_of(workflow)) == 1
        happened(here)
        handle(handlers, "match_event")
        with unit_of_work() as session:
            assert session.scalars(select(DebouncedEvents.events)).all() == [1]

    def test_each_key_has_a_run_of_its_own(self, here: str, handlers: Handlers) -> None:
        workflow = automation(here, debounce={"delay": "PT30S", "key": "{{rowId}}"})
        for row in ("a", "b", "a", "b", "a"):
            happened(here, rowId=row)
        handle(handlers, "match_event")
        time_passes(timedelta(seconds=30))
        handle(handlers, "end_debounce")
        assert sorted(run.variables["rowId"] for run in runs_of(workflow)) == ["a", "b"]

    def test_events_that_miss_a_part_of_the_key_are_told_apart_by_the_others(
        self, here: str, handlers: Handlers
    ) -> None:
        debounce = {"delay": "PT30S", "key": "{{trigger.customer}}:{{trigger.region}}"}
        workflow = automation(here, debounce=debounce)
        for customer in ("A", "B", "A"):
            happened(here, customer=customer)
        handle(handlers, "match_event")
        time_passes(timedelta(seconds=30))
        handle(handlers, "end_debounce")
        assert sorted(run.trigger_data["customer"] for run in runs_of(workflow)) == ["A", "B"]

    def test_events_whose_whole_key_is_missing_are_not_taken_for_one(
        self, here: str, handlers: Handlers
    ) -> None:
        workflow = automation(here, debounce={"delay": "PT30S", "key": "{{trigger.customer}}"})
        ids = [happened(here, **data) for data in ({}, {}, {"customer": None})]
        happened(here, customer="null")
        handle(handlers, "match_event")
        assert sorted(str(run.event_id) for run in runs_of(workflow)) == sorted(ids)

    def test_the_later_event_counts_in_whatever_order_they_are_matched(
        self, here: str, handlers: Handlers
    ) -> None:
        workflow = automation(here, debounce={"delay": "PT30S"})
        first, second = happened(here), happened(here)
        with unit_of_work() as session:
            query = select(Job).where(Job.kind == "match_event").order_by(Job.id.desc())
            backwards = session.scalars(query).all()
        for job in backwards:
            handlers.handle(job)
        assert [event(one).status for one in (first, second)] == ["SKIPPED", "MATCHED"]
        assert str(event(first).reason).startswith(f"'Test' takes event {second}")
        time_passes(timedelta(seconds=30))
        handle(handlers, "end_debounce")
        assert [run.event_id for run in runs_of(workflow)] == [second]

    def test_an_event_that_also_starts_another_automation_stays_matched(
        self, here: str, handlers: Handlers
    ) -> None:
        automation(here, debounce={"delay": "PT30S"})
        other = automation(here)
        ids = [happened(here) for _ in range(2)]
        handle(handlers, "match_event")
        assert [event(event_id).status for event_id in ids] == ["MATCHED", "MATCHED"]
        assert len(runs_of(other)) == 2

    def test_an_event_is_never_debounced_into_a_second_run(
        self, here: str, handlers: Handlers
    ) -> None:
        workflow = automation(here, debounce={"delay": "PT30S"})
        only = happened(here)
        for _ in range(2):
            handle(handlers, "match_event")
            events.replay(here, only)
        handle(handlers, "match_event")
        time_passes(timedelta(seconds=30))
        handle(handlers, "end_debounce")
        events.replay(here, only)
        handle(handlers, "match_event")
        assert len(runs_of(workflow)) == 1
        with unit_of_work() as session:
            assert session.scalars(select(DebouncedEvents)).all() == []

    def test_what_is_not_wanted_any_more_says_so(self, here: str, handlers: Handlers) -> None:
        workflow = automation(here, debounce={"delay": "PT30S"})
        limited = automation(
            here,
            name="Limited",
            debounce={"delay": "PT30S"},
            rateLimit={"limit": 1, "per": "PT1H"},
        )
        by_hand.execute(principal(here), limited, {})
        only = happened(here)
        handle(handlers, "match_event")
        workflows.update(principal(here), workflow, {"status": "PAUSED"}, ports())
        time_passes(timedelta(seconds=30))
        handle(handlers, "end_debounce")
        assert (event(only).status, runs_of(workflow)) == ("SKIPPED", [])
        assert len(runs_of(limited)) == 1
        assert "'Limited' was not started" in str(event(only).reason)

    def test_a_lost_job_is_mended(self, here: str, handlers: Handlers) -> None:
        workflow = automation(here, debounce={"delay": "PT30S"})
        happened(here)
        handle(handlers, "match_event")
        with unit_of_work() as session:
            session.execute(delete(Job))
        time_passes(timedelta(minutes=5))
        Reconciler(ports()).repair()  # type: ignore[arg-type]  # Airflow is not asked
        handle(handlers, "end_debounce")
        assert len(runs_of(workflow)) == 1

    @pytest.mark.slow
    def test_dispatchers_at_once_lose_no_event_and_start_each_lot_once(
        self, here: str, handlers: Handlers
    ) -> None:
        """Events keep coming while what was collected comes due."""
        workflow = automation(here, debounce={"delay": "PT0.05S", "key": "{{trigger.key}}"})
        with dispatching(handlers, 4):
            for number in range(120):
                happened(here, key=number % 3)
            until_settled()
        with unit_of_work() as session:
            came = session.scalars(select(Event).order_by(Event.created_at)).all()
        started = [run.event_id for run in runs_of(workflow)]
        assert len(started) == len(set(started))
        assert set(started) == {one.id for one in came if one.status == "MATCHED"}
        for key in range(3):
            assert [one for one in came if one.data["key"] == key][-1].id in started


@contextmanager
def dispatching(handlers: Handlers, workers: int) -> Iterator[None]:
    """Several threads claim jobs and handle them; what goes wrong in one comes out here."""
    done = threading.Event()

    def work() -> None:
        while not done.is_set():
            with unit_of_work() as session:
                claimed = jobs.claim(session, 4, JobKind)
            for job in claimed:
                if job.kind in ("match_event", "end_debounce"):
                    handlers.handle(job)
            if not claimed:
                done.wait(0.01)

    with ThreadPoolExecutor(workers) as pool:
        working = [pool.submit(work) for _ in range(workers)]
        try:
            yield
        finally:
            done.set()
    for one in working:
        one.result()


def until_settled() -> None:
    """Wait until every event is matched and nothing is collected any more."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        with unit_of_work() as session:
            pending = session.scalar(select(func.count()).where(Event.status == "PENDING"))
            collected = session.scalar(select(func.count()).select_from(DebouncedEvents))
        if not pending and not collected:
            return
        time.sleep(0.02)
    raise AssertionError("the events were not all matched in time")
