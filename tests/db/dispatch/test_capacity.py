"""Airflow has no more runs to work on than it may; the others wait, oldest first, in our queue."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text, update

from automations.db.events import events
from automations.db.queue import jobs
from automations.db.runs import in_airflow, runs
from automations.db.runs.new_runs import NewRun
from automations.db.session import unit_of_work
from automations.db.tables import Event, Job, JobKind, Run, RunStep, Wait, Workflow
from automations.db.waits import waits
from automations.dispatch import dispatcher
from automations.domain.events import NewEvent
from automations.domain.statuses import RunStatus, WaitKind
from automations.services.runs import starting
from automations.services.runs.from_airflow import AirflowRun, record_run
from tests.db.dispatching import Airflow, automation, count, dispatching, executed
from tests.db.workspace import workspace
from tests.environment import Environment
from tests.waiting import until

pytestmark = pytest.mark.slow  # each starts dispatchers, and waits for them

LIMIT = 3
PARKED = list(WaitKind)


@pytest.fixture
def here(database: str, environment: Environment) -> str:
    environment.set(AUTOMATIONS_MAX_RUNS_IN_AIRFLOW=str(LIMIT))
    return workspace()


@pytest.fixture
def airflow() -> Airflow:
    return Airflow()


def end(run: str) -> None:
    with unit_of_work() as session:
        assert runs.end_run(session, run, RunStatus.COMPLETED)


def park(run: str, kind: WaitKind, awaited: str | None = None) -> None:
    with unit_of_work() as session:
        waits.open_wait(
            session,
            waits.NewWait(
                run_id=run,
                node_id="look",
                generation=0,
                kind=kind,
                due_at=datetime.now(UTC) + timedelta(days=1),
                question={"runId": awaited},
            ),
        )


def child(parent: str, workflow: str, *, awaited: bool) -> str:
    with unit_of_work() as session:
        run = starting.start_run(
            session,
            session.get_one(Workflow, workflow),
            NewRun(
                trigger_type="workflow",
                trigger_data={},
                input={},
                started_by=None,
                parent_run_id=parent,
                awaited=awaited,
            ),
        )
        assert run is not None
        return run.id


def handed_over(session_count: int, airflow: Airflow) -> None:
    until(f"{session_count} runs in Airflow", lambda: len(airflow.made) >= session_count)


def held_back() -> int:
    return count(Job.kind == "start_run", Job.holder.is_(None))


def works_on() -> int:
    with unit_of_work() as session:
        return in_airflow.count(session)


def scans_of_runs() -> int:
    """How often a worker that looks for work begins to read the runs."""
    with unit_of_work() as session:
        explain = text(f"EXPLAIN (ANALYZE, FORMAT JSON) {in_airflow._COUNT_FOR_DUE.text}")
        values = {"stuck": in_airflow._STUCK_AFTER, "kinds": ["start_run"]}
        (planned,) = session.execute(explain, values).scalar_one()
    return sum(loops_of_scans(planned["Plan"], "run"))


def loops_of_scans(plan: dict[str, Any], table: str) -> Iterator[int]:
    if plan.get("Relation Name") == table:
        yield plan["Actual Loops"]
    for part in plan.get("Plans", ()):
        yield from loops_of_scans(part, table)


def test_runs_in_airflow_are_counted_only_while_a_start_is_due(here: str) -> None:
    workflow = automation(here)
    (run,) = executed(here, workflow, 1)
    assert scans_of_runs() == 1
    with unit_of_work() as session:
        (job,) = jobs.claim(session, 1, ("start_run",))
        assert in_airflow.count_for_due(session, ("start_run",)) is None
    assert scans_of_runs() == 0
    with unit_of_work() as session:
        jobs.reschedule(session, job, timedelta(0))
        runs.mark_dispatched(session, run)
    with unit_of_work() as session:
        assert in_airflow.count_for_due(session, ("start_run", "start_child")) == {workflow: 1}
        assert in_airflow.count_for_due(session, ("start_child",)) is None


def test_a_worker_that_rests_wakes_when_a_start_becomes_due(
    here: str, airflow: Airflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when nobody says so: the DAG of a run was not there yet, and now it may be."""
    monkeypatch.setattr(dispatcher, "_IDLE_TIMEOUT", 600.0)
    executed(here, automation(here), 1)
    airflow.unseen = 3
    with dispatching(airflow):
        handed_over(1, airflow)
    assert airflow.unseen == 0


def test_more_wait_until_others_have_ended_and_come_in_order(here: str, airflow: Airflow) -> None:
    order = executed(here, automation(here), 8)
    with dispatching(airflow):
        handed_over(LIMIT, airflow)
        until("the rest to wait", lambda: held_back() == 5)
        assert set(airflow.made) == set(order[:LIMIT])
        end(airflow.made[1])
        handed_over(LIMIT + 1, airflow)
        assert airflow.made[LIMIT] == order[LIMIT]
        for run in order[:LIMIT]:
            if run != airflow.made[1]:
                end(run)
        handed_over(LIMIT + 3, airflow)
        assert set(airflow.made) == set(order[: LIMIT + 3])
        until("two to wait", lambda: held_back() == 2)


@pytest.mark.parametrize("kind", PARKED)
def test_a_run_that_is_parked_leaves_its_place(here: str, airflow: Airflow, kind: WaitKind) -> None:
    first = executed(here, automation(here), 10)[:LIMIT]
    with dispatching(airflow):
        handed_over(LIMIT, airflow)
        for run in first:
            park(run, kind)
        handed_over(2 * LIMIT, airflow)
        until("the rest to wait", lambda: held_back() == 10 - 2 * LIMIT)


def test_a_child_that_is_waited_for_goes_though_there_is_no_room(
    here: str, airflow: Airflow
) -> None:
    workflow = automation(here)
    order = executed(here, workflow, LIMIT + 2)
    with dispatching(airflow):
        handed_over(LIMIT, airflow)
        until("the rest to wait", lambda: held_back() == 2)
        awaited = child(order[0], workflow, awaited=True)
        left_alone = child(order[0], workflow, awaited=False)
        handed_over(LIMIT + 1, airflow)
        assert airflow.made[LIMIT] == awaited
        grandchild = child(awaited, workflow, awaited=True)
        handed_over(LIMIT + 2, airflow)
        assert airflow.made[LIMIT + 1] == grandchild
        until("three to wait", lambda: held_back() == 3)
        for run in (grandchild, awaited, *order[:LIMIT]):
            end(run)
        handed_over(LIMIT + 5, airflow)
        assert set(airflow.made[-3:]) == {*order[LIMIT:], left_alone}


def test_parents_that_all_wait_for_children_never_wait_for_each_other(
    here: str, airflow: Airflow
) -> None:
    """As many parents as there may be runs, each with an awaited child, come to their end."""
    workflow = automation(here)
    parents = executed(here, workflow, 4 * LIMIT)
    waiting: dict[str, str] = {}
    seen = 0
    with dispatching(airflow):
        deadline = time.monotonic() + 120
        while count(Run.status != "COMPLETED"):
            assert time.monotonic() < deadline, f"{seen} came to Airflow"
            for run in airflow.made[seen:]:
                seen += 1
                if run in parents:
                    started = child(run, workflow, awaited=True)
                    waiting[started] = run
                    park(run, WaitKind.CHILD, started)
                else:
                    end(run)
            for parent in [run for run in waiting.values() if is_woken(run)]:
                end(parent)
            time.sleep(0.01)
    assert len(airflow.made) == 2 * len(parents)


def is_woken(run: str) -> bool:
    with unit_of_work() as session:
        open_ = waits.open_wait_of(session, run)
        return open_ is None and session.get_one(Run, run).status == "RUNNING"


def test_a_run_that_airflow_has_made_itself_is_not_held_back_but_counts(
    here: str, airflow: Airflow
) -> None:
    workflow = automation(here)
    theirs = []
    for number in range(LIMIT):
        with unit_of_work() as session:
            made = record_run(
                session,
                AirflowRun(
                    workflow_id=workflow,
                    run_id=f"manual__{number}",
                    run_type="manual",
                    conf={},
                    started_by="admin",
                    version=1,
                    due_at=None,
                ),
            )
            assert made is not None
            theirs.append(made.id)
    order = executed(here, workflow, 2)
    with dispatching(airflow):
        until("the first look", lambda: count(Job.id > 0) == 2)
        assert (works_on(), airflow.made) == (LIMIT, [])
        end(theirs[1])
        handed_over(1, airflow)
        assert airflow.made == order[:1]


def test_what_is_no_start_goes_on_though_there_is_no_room(here: str, airflow: Airflow) -> None:
    executed(here, automation(here), 30)
    with dispatching(airflow):
        handed_over(LIMIT, airflow)
        with unit_of_work() as session:
            for number in range(30):
                events.emit(
                    session, here, NewEvent(kind="EVENT", trigger_key="x", data={"n": number})
                )
            run = session.get_one(Run, airflow.made[0])
            run.status = RunStatus.CANCELLED
            jobs.enqueue(session, JobKind.FAIL_RUN, run.id)
        until("the events", lambda: count(Event.status == "PENDING") == 0)
        until("the run to be failed", lambda: airflow.failed == [run.id])


def test_runs_in_which_nothing_happens_for_long_hold_up_no_others(
    here: str, airflow: Airflow
) -> None:
    """As those of a DAG that somebody has paused in Airflow."""
    stuck = executed(here, automation(here), LIMIT)
    with dispatching(airflow):
        handed_over(LIMIT, airflow)
        order = executed(here, automation(here), 2)
        until("the rest to wait", lambda: held_back() == 2)
        with unit_of_work() as session:
            long_ago = datetime.now(UTC) - timedelta(minutes=6)
            session.execute(update(Run).where(Run.id.in_(stuck)).values(dispatched_at=long_ago))
            for run, status in zip(stuck[:2], ("RUNNING", "DONE"), strict=True):
                session.add(
                    RunStep(
                        run_id=run,
                        node_id="look",
                        status=status,
                        generation=0,
                        attempt=1,
                        started_at=long_ago,
                        ended_at=None if status == "RUNNING" else long_ago,
                    )
                )
            session.flush()
            # Before a dispatcher sees it, which would fill the room at once.
            still = in_airflow.count(session)
            assert still == 1, "a step that takes long is work, one that has ended long ago is not"
        handed_over(LIMIT + 2, airflow)
        assert set(airflow.made[LIMIT:]) == set(order)


def test_two_dispatchers_exceed_the_limit_by_no_more_than_they_have_in_hand(
    here: str, airflow: Airflow
) -> None:
    order = executed(here, automation(here), 40)
    most = 0
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(dispatching(airflow))
        until("all room to be taken", lambda: works_on() >= LIMIT)
        ended = 0
        deadline = time.monotonic() + 120
        while ended < len(order):
            assert time.monotonic() < deadline, f"{ended} ended"
            most = max(most, works_on())
            with unit_of_work() as session:
                query = select(Run.id).where(
                    Run.status == "RUNNING", Run.dispatched_at.is_not(None)
                )
                there = session.scalars(query.limit(2)).all()
            for run in there:
                end(run)
                ended += 1
            time.sleep(0.01)
    assert sorted(airflow.made) == sorted(order), "each once"
    assert LIMIT <= most <= 2 * LIMIT
    assert count(Job.kind == "start_run") == 0
    assert count(Wait.id.is_not(None)) == 0
