"""Figures are the runs' own: counted by when they began, bounded, and of nobody else's runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import insert, text

from automations.db.runs import run_counts
from automations.db.session import unit_of_work
from automations.db.tables import Run, StepLog, Wait
from automations.db.waits import waits
from automations.db.waits.waits import NewWait
from automations.domain.figures import Period, period_until
from automations.domain.statuses import RunStatus, WaitKind
from automations.kit.ids import new_id
from automations.services.runs import figures
from tests.db.workspace import automation, workspace

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


def a_week() -> Period:
    return period_until(NOW, DAY, 7)


def add(workspace_id: str, workflow_id: str, ago: timedelta, **values: Any) -> str:
    """A run that began so long ago; ``took`` is for how many seconds it ran."""
    took = values.pop("took", None)
    began = NOW - ago
    run = {
        "id": new_id(),
        "workspace_id": workspace_id,
        "workflow_id": workflow_id,
        "version": 1,
        "trigger_type": "manual",
        "started_at": began,
        "completed_at": None if took is None else began + timedelta(seconds=took),
        "status": "RUNNING" if took is None else "COMPLETED",
        **values,
    }
    with unit_of_work() as session:
        session.execute(insert(Run), [run])
    return str(run["id"])


def fail(run_id: str, step_id: str, name: str) -> None:
    line = {
        "run_id": run_id,
        "step_type": "email",
        "duration_ms": 1,
        "timestamp": NOW,
        "output": "",
    }
    with unit_of_work() as session:
        session.execute(
            insert(StepLog),
            [
                {**line, "step_id": "first", "step_name": "First", "status": "success"},
                {**line, "step_id": step_id, "step_name": name, "status": "retrying"},
                {**line, "step_id": step_id, "step_name": name, "status": "failed"},
            ],
        )


def test_runs_are_counted_where_they_began(database: str) -> None:
    here = workspace()
    one, two = automation(here), automation(here)
    for seconds in (1, 2, 3):
        add(here, one, timedelta(), took=seconds)
    add(here, one, 2 * DAY, took=10, status="FAILED")
    add(here, two, 2 * DAY)
    add(here, two, 30 * DAY, took=1)
    add(workspace("other"), automation(workspace("third")), timedelta(), took=1)
    report = figures.compute(here, None, a_week())
    assert {part: dict(one.counts) for part, one in report.runs.parts.items()} == {
        6: {"COMPLETED": 3},
        4: {"FAILED": 1, "RUNNING": 1},
    }
    assert report.runs.parts[6].seconds == [2.0, 2.8, 2.98]
    assert report.runs.parts[4].seconds is None, (
        "those that failed say nothing of how long it takes"
    )
    assert {each: dict(seen.counts) for each, seen in report.runs.automations.items()} == {
        one: {"COMPLETED": 3, "FAILED": 1},
        two: {"RUNNING": 1},
    }
    assert not report.is_cut
    alone = figures.compute(here, two, a_week())
    assert (alone.runs.whole.runs, set(alone.runs.parts)) == (1, {4})


def test_of_all_time_they_are_the_numbers_that_the_api_gives(database: str) -> None:
    here = workspace()
    one = automation(here)
    for number, status in enumerate(RunStatus):
        for _ in range(number + 1):
            add(here, one, number * DAY, took=1, status=status)
    found = figures.compute(here, None, period_until(NOW, DAY, 365))
    with unit_of_work() as session:
        assert dict(found.runs.whole.counts) == run_counts.by_status(session, here)
    assert sum(part.runs for part in found.runs.parts.values()) == found.runs.whole.runs


def test_of_too_many_the_newest_are_counted_and_that_is_said(database: str) -> None:
    here = workspace()
    one = automation(here)
    for days in range(5):
        add(here, one, days * DAY, took=1)
    report = figures.compute(here, None, a_week(), limit=3)
    assert (report.is_cut, report.runs.whole.runs, set(report.runs.parts)) == (True, 3, {4, 5, 6})
    assert report.runs.oldest == NOW - 2 * DAY


def test_costs_are_what_the_runs_have_spent(database: str) -> None:
    here = workspace()
    one = automation(here)
    add(here, one, DAY, took=1, model_cost=Decimal("0.25"), model_tokens=100)
    add(here, one, DAY, model_cost=Decimal("0.5"), model_tokens=50)
    found = figures.compute(here, None, a_week()).runs
    assert (found.whole.cost, found.whole.tokens) == (Decimal("0.75"), 150)
    assert found.parts[5].cost == found.automations[one].cost == Decimal("0.75")


def test_a_run_is_counted_at_the_step_at_which_it_failed(database: str) -> None:
    here = workspace()
    one, two = automation(here), automation(here)
    for workflow, step, times in ((one, "send", 3), (two, "send", 1)):
        for number in range(times):
            run = add(here, workflow, timedelta(hours=number), took=1, status="FAILED")
            fail(run, step, "Send it")
    newest = add(here, one, timedelta(), took=1, status="FAILED")
    mended = add(here, one, timedelta(), took=1)
    fail(mended, "send", "Send it")
    found = figures.compute(here, None, a_week()).failing
    assert [(each.workflow_id, each.step_id, each.name, each.runs) for each in found[:1]] == [
        (one, "send", "Send it", 3)
    ]
    assert {(each.workflow_id, each.step_id, each.runs) for each in found[1:]} == {
        (two, "send", 1),
        (one, None, 1),
    }
    assert [each.last_run_id for each in found if each.step_id is None] == [newest]


def test_what_waits_is_told_apart_by_its_age(database: str) -> None:
    here = workspace()
    one = automation(here)
    ages = [timedelta(minutes=5), 2 * DAY, 3 * DAY, 30 * DAY]
    for age in ages:
        run = add(here, one, age)
        with unit_of_work() as session:
            wait = waits.open_wait(
                session, NewWait(run, "ask", 0, WaitKind.DECISION, NOW + 60 * DAY)
            )
            session.get_one(Wait, wait.id).created_at = NOW - age
    ended = add(here, one, timedelta(), took=1)
    with unit_of_work() as session:
        session.add(
            Wait(
                run_id=ended,
                node_id="ask",
                generation=0,
                kind=WaitKind.DELAY,
                status="ANSWERED",
                due_at=NOW,
            )
        )
    assert figures.compute(here, None, a_week()).waits == {WaitKind.DECISION: [1, 0, 2, 1]}
    assert figures.compute(here, automation(here), a_week()).waits == {}


def test_runs_are_found_by_an_index(database: str) -> None:
    here = workspace()
    one = automation(here)
    for days in range(3):
        add(here, one, days * DAY, took=1)
    with unit_of_work() as session:
        # In a table this small any way is as cheap as another: what is asked is whether the
        # index can serve the order, too.
        session.execute(text("SET LOCAL enable_seqscan = off"))
        session.execute(text("SET LOCAL enable_sort = off"))
        for column in ("workspace_id", "workflow_id"):
            plan = session.execute(
                text(
                    f"EXPLAIN SELECT id FROM run WHERE {column} = 'x' AND started_at >= now() "
                    "ORDER BY started_at DESC, id LIMIT 10"
                )
            )
            steps = "\n".join(row[0] for row in plan)
            assert f"ix_run_{column}_started_at" in steps
            assert "Sort" not in steps, "only as many are read as are counted"
