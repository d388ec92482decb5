"""Numbers of runs are right whatever becomes of the runs, and are kept in few rows."""

from __future__ import annotations

from sqlalchemy import delete, func, insert, select, update

from automations.db.runs import run_counts, runs
from automations.db.session import unit_of_work
from automations.db.tables import Run, RunCount
from automations.domain.statuses import RunStatus
from automations.kit.ids import new_id
from tests.db.workspace import at_once, automation, workspace


def add(workspace_id: str, workflow_id: str, number: int) -> list[str]:
    ids = [new_id() for _ in range(number)]
    fixed = {"workspace_id": workspace_id, "workflow_id": workflow_id, "version": 1}
    with unit_of_work() as session:
        session.execute(
            insert(Run), [{"id": run_id, "trigger_type": "manual", **fixed} for run_id in ids]
        )
    return ids


def numbers(workspace_id: str, workflow_id: str = "") -> dict[RunStatus, int]:
    with unit_of_work() as session:
        return run_counts.by_status(session, workspace_id, workflow_id)


def counted(workflow_id: str) -> dict[RunStatus, int]:
    with unit_of_work() as session:
        rows = session.execute(
            select(Run.status, func.count())
            .where(Run.workflow_id == workflow_id)
            .group_by(Run.status)
        )
        return {status: number for status, number in rows}  # noqa: C416


def parts() -> int:
    with unit_of_work() as session:
        return session.scalar(select(func.count()).select_from(RunCount)) or 0


def test_runs_that_begin_end_and_are_deleted_are_counted(database: str) -> None:
    here = workspace()
    one, two = automation(here), automation(here)
    ids = add(here, one, 3)
    add(here, two, 2)
    with unit_of_work() as session:
        assert runs.end_run(session, ids[0], RunStatus.COMPLETED)
        session.execute(update(Run).where(Run.id.in_(ids[1:])).values(status="FAILED"))
    assert numbers(here, one) == {"COMPLETED": 1, "FAILED": 2} == counted(one)
    assert numbers(here) == {"COMPLETED": 1, "FAILED": 2, "RUNNING": 2}
    with unit_of_work() as session:
        session.execute(delete(Run).where(Run.id.in_(ids[:2])))
        left = [run_counts.by_status(session, here, workflow) for workflow in (one, two)]
        assert left == [{"FAILED": 1}, {"RUNNING": 2}]
    assert numbers(here, one) == {"FAILED": 1}
    assert numbers(workspace("other")) == {}


def test_a_change_that_is_undone_is_not_counted(database: str) -> None:
    here = workspace()
    only = automation(here)
    [run] = add(here, only, 1)
    with unit_of_work() as session:
        runs.end_run(session, run, RunStatus.FAILED)
        session.rollback()
    assert numbers(here, only) == {"RUNNING": 1}


def test_summing_up_changes_no_number_and_leaves_one_row_for_each(database: str) -> None:
    here = workspace()
    only = automation(here)
    for run in add(here, only, 20):
        with unit_of_work() as session:
            runs.end_run(session, run, RunStatus.COMPLETED)
    before = numbers(here), numbers(here, only)
    assert parts() > 60
    with unit_of_work() as session:
        assert run_counts.compact(session) > 60
    # Two numbers that are not zero: the automation's and the workspace's.
    assert (numbers(here), numbers(here, only)) == before == ({"COMPLETED": 20},) * 2
    assert parts() == 2
    with unit_of_work() as session:
        assert run_counts.compact(session) == 0


def test_many_that_change_runs_and_sum_up_at_once_lose_nothing(database: str) -> None:
    here = workspace()
    only = automation(here)

    def work() -> None:
        for run in add(here, only, 5):
            with unit_of_work() as session:
                runs.end_run(session, run, RunStatus.FAILED)
            with unit_of_work() as session:
                run_counts.compact(session)

    assert at_once(*[work] * 6) == [None] * 6
    assert numbers(here, only) == {"FAILED": 30} == counted(only)
