"""A connection that is lost in the middle of a step is no fault of the step: it is done again."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select

from automations import wiring
from automations.db.session import unit_of_work
from automations.db.tables import DataRow, Matter, Notification, Run
from automations.domain.statuses import RunStatus
from automations.errors import DatabaseUnavailable
from automations.execution.verdicts import AskPeople, Proceed, Sleep, TaskRef, Verdict
from automations.steps.registry import STEP_TYPES
from tests.db.cutting import at, cut_off
from tests.db.place import Place

OURS = {"create_matter": Matter, "notification": Notification, "table_operations": DataRow}
"""What a step of a type makes of our own, which is there once however often it is done."""


def done(ref: TaskRef, position: int) -> tuple[Verdict, bool]:
    """What a step comes to that is cut off once, and done again as Airflow does; and if it was."""
    with at(position, cut_off) as cuts:
        try:
            return wiring.engine().run(ref), bool(cuts)
        except DatabaseUnavailable as away:
            told = str(away)
    # Neither what was asked nor what users have given.
    assert told == "The database is not available now."
    return wiring.engine().run(ref), True


def count(table: Any) -> int:
    with unit_of_work() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def failed() -> list[str | None]:
    with unit_of_work() as session:
        return list(session.scalars(select(Run.error).where(Run.status == RunStatus.FAILED)))


@pytest.mark.slow
@pytest.mark.parametrize("kind", STEP_TYPES)
def test_a_step_is_done_again_whichever_statement_its_connection_is_lost_at(
    place: Place, kind: str
) -> None:
    workflow = place.automation(kind, place.config(kind))
    runs = goes_on(place, workflow, AskPeople | Sleep if STEP_TYPES[kind].pauses else Proceed)
    if kind in OURS:
        assert count(OURS[kind]) == runs


@pytest.mark.slow
@pytest.mark.parametrize("concurrency", [1, 2])
def test_a_loop_goes_on_whichever_statement_its_connection_is_lost_at(
    place: Place, concurrency: int
) -> None:
    steps = [
        {"id": "row", "name": "Row", "type": "table_operations", "order": 0},
        {"id": "tell", "name": "Tell", "type": "notification", "order": 1},
    ]
    for step in steps:
        step["config"] = place.config(str(step["type"]))
    config = {"collection": "{{input.items}}", "concurrency": concurrency, "steps": steps}
    runs = goes_on(place, place.automation("loop", config), Proceed)
    assert count(DataRow) == count(Notification) == 3 * runs


def goes_on(place: Place, workflow: str, expected: Any) -> int:
    """Cut off runs, each at a later statement, until one has none so late; how many there were."""
    was_cut, runs, position = True, 0, 1
    while was_cut:
        ref = TaskRef(place.start(workflow, items=3), workflow, 1, "step")
        verdict, was_cut = done(ref, position)
        assert isinstance(verdict, expected), (position, verdict)
        # Not each of them, for what that would take.
        runs, position = runs + 1, position + 2
    assert failed() == []
    # Entering and recording are two transactions at least.
    assert position > 6
    return runs
