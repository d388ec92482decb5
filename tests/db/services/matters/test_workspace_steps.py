"""The steps notification and create_matter, run by the engine against the database."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from automations.db.runs import run_steps
from automations.db.session import unit_of_work
from automations.db.tables import Matter, Notification, Run
from automations.domain.statuses import RunStatus, StepStatus
from automations.execution.engine import Engine
from automations.execution.verdicts import GiveUp, Proceed
from automations.services.integrations.notifications import WorkspaceNotifier
from automations.services.matters.matters import WorkspaceMatters
from tests.db.runs import begin, reload, row, step, task
from tests.db.workspace import member, template
from tests.doubles import ports


@pytest.fixture
def engine(database: str) -> Engine:
    return Engine(ports(matters=WorkspaceMatters(), notifier=WorkspaceNotifier()))


def forget(run: Run, node: str) -> None:
    """Leave a node as a process does that is killed after the effect, before the record."""
    with unit_of_work() as session:
        recorded = run_steps.step(session, run.id, node)
        assert recorded is not None
        recorded.status, recorded.output, recorded.verdict = StepStatus.RUNNING, None, None


def count(table: type[Matter] | type[Notification]) -> int:
    with unit_of_work() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def boarded(title: str = "{{input.text}}", **more: object) -> tuple[Run, str]:
    """A run that makes a matter and then tells the owner of it."""
    run = begin(
        step("make", "create_matter", 0, {"templateId": "{{input.text}}", "title": title, **more}),
        step("tell", "notification", 1, {"title": "{{steps.make.number}}", "link": "/matters"}),
    )
    board = template(run.workspace_id)
    with unit_of_work() as session:
        session.get_one(Run, run.id).input = {"text": board}
    return run, board


def test_a_matter_is_made_and_its_owner_told_of_it(engine: Engine) -> None:
    run, board = boarded(tags="a, {{variables.limit}}", properties={"n": "{{variables.limit}}"})
    ada = member(run.workspace_id, "ada", "OWNER").id
    assert isinstance(engine.run(task(run, "make")), Proceed)
    assert isinstance(engine.run(task(run, "tell")), Proceed)
    made, told = row(run, "make"), row(run, "tell")
    assert made is not None
    assert told is not None
    assert made.output is not None
    assert told.output is not None
    assert (made.output["number"], made.output["templateId"]) == ("MAT-0001", board)
    assert told.output["userIds"] == [ada]
    with unit_of_work() as session:
        matter = session.get_one(Matter, made.output["matterId"])
        assert matter.properties == {"n": 5}
        (notification_id,) = told.output["notificationIds"]
        assert session.get_one(Notification, notification_id).title == "MAT-0001"
    assert reload(run).status == "COMPLETED"


def test_a_process_killed_before_the_record_leaves_no_double(engine: Engine) -> None:
    run, _ = boarded()
    member(run.workspace_id, "ada", "OWNER")
    outputs = {}
    for node in ("make", "tell"):
        engine.run(task(run, node))
        before = row(run, node)
        assert before is not None
        outputs[node] = before.output
        with unit_of_work() as session:
            session.get_one(Run, run.id).status = RunStatus.RUNNING
        forget(run, node)
        engine.run(task(run, node))
        after = row(run, node)
        assert after is not None
        assert after.output == outputs[node]
    assert (count(Matter), count(Notification)) == (1, 1)


def test_a_board_that_is_not_there_fails_the_run_with_its_id(engine: Engine) -> None:
    run, _ = boarded()
    with unit_of_work() as session:
        session.get_one(Run, run.id).input = {"text": "nothing"}
    assert isinstance(engine.run(task(run, "make")), GiveUp)
    ended = reload(run)
    assert ended.status == "FAILED"
    assert "There is no matter template nothing" in str(ended.error)
    assert count(Matter) == 0


def test_without_an_owner_the_run_fails_and_says_what_to_do(engine: Engine) -> None:
    run = begin(step("tell", "notification", 0, {"title": "Hi"}))
    assert isinstance(engine.run(task(run, "tell")), GiveUp)
    assert "name the users" in str(reload(run).error)


def test_text_that_cannot_be_stored_fails_the_step_only(engine: Engine) -> None:
    run = begin(step("tell", "notification", 0, {"title": '{{ "a\\u0000b" }}'}))
    assert isinstance(engine.run(task(run, "tell")), GiveUp)
    assert reload(run).status == "FAILED"
    assert count(Notification) == 0
